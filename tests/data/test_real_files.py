"""The real data sets beside the checkout."""

from pathlib import Path

import pytest

from trl_dsmath.data import convert
from trl_dsmath.data.files import load

DATA = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data at {DATA}")


@pytest.mark.parametrize(
    ("name", "split", "rows", "first_gold"),
    [
        ("gsm8k", "test", 1319, "18"),
        ("math", "test", 5000, "2"),
        ("math500", "test", 500, "4"),
        ("ocw", "test", 272, "1.6"),
        ("sat", "test", 32, "A"),
        ("mmlu_stem", "test", 3018, "B"),
        ("cmath", "test", 1098, "18"),
        ("mgsm_zh", "test", 250, "18"),
        ("gaokao", "gaokao-mathqa", 351, "D"),
        ("gaokao", "gaokao-mathcloze", 118, "2"),
    ],
)
def test_every_row_has_prompt_and_gold(name: str, split: str, rows: int, first_gold: str) -> None:
    converted = convert(load(str(DATA / name))[0][split], "grpo")
    assert (len(converted.dataset), converted.dropped) == (rows, {})
    assert converted.dataset[0]["solution"] == first_gold
    assert all(gold and "####" not in gold and "\\boxed" not in gold for gold in converted.dataset["solution"])


@pytest.mark.parametrize(("name", "rows"), [("gsm8k", 1319), ("math", 5000), ("ocw", 272)])
def test_every_solution_ends_in_its_gold(name: str, rows: int) -> None:
    from trl_dsmath.text import last_boxed

    data = load(str(DATA / name))[0]["test"]
    sft, golds = convert(data, "sft"), convert(data, "grpo").dataset["solution"]
    assert (len(sft.dataset), sft.dropped) == (rows, {})
    boxed = [last_boxed(messages[0]["content"]) for messages in sft.dataset["completion"]]
    assert all(boxed)
    if name == "gsm8k":
        assert boxed == list(golds)
        assert not any("<<" in messages[0]["content"] for messages in sft.dataset["completion"])


def test_the_first_gsm8k_row_word_by_word() -> None:
    row = convert(load(str(DATA / "gsm8k"))[0]["train"].select([0]), "sft").dataset[0]
    assert row["completion"][0]["content"] == (
        "Natalia sold 48/2 = 24 clips in May.\n"
        "Natalia sold 48+24 = 72 clips altogether in April and May.\n"
        "Therefore, the answer is \\boxed{72}."
    )
