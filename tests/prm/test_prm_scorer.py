"""The scorer as a step reward function: batches, lengths, pickling, and the messages when something does not fit."""

import inspect
import pickle
import warnings
from pathlib import Path

import pytest
import torch
from transformers import LlamaForTokenClassification

from trl_dsmath import load_step_scorer
from trl_dsmath.errors import ConfigError
from trl_dsmath.prm import StepScorer
from trl_dsmath.prm.encoding import collate
from trl_dsmath.prm.layouts import LAYOUTS
from trl_dsmath.prm.readout import StepBias, step_logits

PROMPTS = ["is 1 a step?", "next", [{"role": "user", "content": "good?"}], "bad"]
STEPS = [["step 1\n", "next 2\n", "3"], ["4" * 30], [], ["5", "6", "7", "8", "9 is good"]]


@pytest.fixture(scope="module")
def scorers(causal: Path, classifier: Path, tokenizer) -> dict[str, StepScorer]:
    causal_scorers = {
        layout: load_step_scorer(str(causal), layout=layout) for layout in ("math_shepherd", "rlhflow", "likelihood")
    }
    causal_scorers["likelihood"].model.step_bias.weight.data.fill_(10.0)
    return {"newline": load_step_scorer(str(classifier)), **causal_scorers}


@pytest.mark.parametrize("layout", ["newline", "math_shepherd", "rlhflow", "likelihood"])
@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_batches_do_not_change_scores(layout: str, batch_size: int, scorers: dict[str, StepScorer]) -> None:
    scorer = scorers[layout]
    alone = [scorer([prompt], steps=[steps])[0] for prompt, steps in zip(PROMPTS, STEPS, strict=True)]
    scorer.batch_size = batch_size
    together = scorer(
        prompts=PROMPTS, completions=["-"] * 4, steps=STEPS, completion_ids=[[1]] * 4, trainer_state=None
    )
    assert [len(row) for row in together] == [3, 1, 0, 5]
    for row, wanted in zip(together, alone, strict=True):
        assert row == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("layout", ["newline", "math_shepherd", "rlhflow", "likelihood"])
def test_one_pass_gives_the_scores_of_each_prefix(layout: str, scorers: dict[str, StepScorer]) -> None:
    scorer, steps = scorers[layout], STEPS[3]
    prefixes = [steps[:count] for count in range(1, 6)]
    rows = scorer([PROMPTS[3]] * 5, steps=prefixes)
    assert scorer([PROMPTS[3]], steps=[steps])[0] == pytest.approx([row[-1] for row in rows], abs=1e-5)


def test_one_forward_pass_a_solution(scorers: dict[str, StepScorer]) -> None:
    scorer = scorers["newline"]
    scorer.batch_size = 2
    shapes = []
    hook = scorer.model.register_forward_pre_hook(
        lambda model, args, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    scorer(["a"] * 4, steps=[["1"] * 20, ["1"], ["1"] * 19, ["1", "2"]])
    hook.remove()
    assert [rows for rows, _ in shapes] == [2, 2]  # four solutions, whatever their number of steps
    assert shapes[0][1] > 5 * shapes[1][1], "long and short ones do not share a batch"


def test_a_step_beyond_max_length_is_zero_and_counted(scorers: dict[str, StepScorer]) -> None:
    scorer = scorers["newline"]
    steps = [["1", "2", "3", "4"], ["1"]]
    whole = scorer(["a", "a"], steps=steps)
    at = scorer.encoder("a", steps[0]).positions
    logged = []
    scorer.max_length, scorer.steps_beyond = at[1] + 1, 0
    with pytest.warns(UserWarning, match=r"2 steps lie beyond max_length .* are scored 0\.0"):
        cut = scorer(["a", "a"], steps=steps, log_metric=lambda name, value: logged.append((name, value)))
    assert cut[0] == pytest.approx([*whole[0][:2], 0.0, 0.0], abs=1e-5)
    assert cut[1] == pytest.approx(whole[1], abs=1e-5)
    assert logged == [("classifier/steps_beyond_max_length", 2.0)]
    scorer.max_length = 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # said once
        assert scorer(["a"], steps=[["1", "2"]]) == [[0.0, 0.0]]
    assert scorer.steps_beyond == 4
    scorer.max_length = None


def test_name_length_and_pickle(scorers: dict[str, StepScorer], causal: Path) -> None:
    scorer = scorers["likelihood"]
    assert scorer.__name__ == causal.name
    plain = load_step_scorer(f"{causal}/", layout="math_shepherd")
    assert (plain.__name__, plain.max_length, plain.batch_size) == (causal.name, 256, 16)  # what the model can read
    assert StepScorer(plain.model, plain.encoder.tokenizer, "math_shepherd").batch_size == 16
    assert (
        load_step_scorer(str(causal), layout="rlhflow", max_length=9, batch_size=2, step_separator="#").max_length == 9
    )
    copy = pickle.loads(pickle.dumps(scorer))
    assert copy(PROMPTS, steps=STEPS) == scorer(PROMPTS, steps=STEPS)
    assert "steps" in inspect.signature(scorer).parameters


def test_a_model_in_bfloat16_is_read_in_float32(causal: Path, classifier: Path, tmp_path: Path) -> None:
    """The difference of two logits is not rounded to 8 bits; and a model is loaded in the precision it was saved in."""
    for layout, folder in (("newline", classifier), ("math_shepherd", causal), ("likelihood", causal)):
        half = tmp_path / layout
        whole = load_step_scorer(str(folder), layout=layout)
        whole.model.to(torch.bfloat16).save_pretrained(half)
        whole.encoder.tokenizer.save_pretrained(half)
        scorer = load_step_scorer(str(half), layout=layout)
        assert {weight.dtype for name, weight in scorer.model.named_parameters() if "step_bias" not in name} == {
            torch.bfloat16
        }
        assert load_step_scorer(str(half), layout=layout, dtype="float32").model.dtype == torch.float32
        encoded = scorer.encoder(PROMPTS[0], STEPS[0])
        head, bias = LAYOUTS[layout].head, getattr(scorer.model, "step_bias", None)
        logits = step_logits(scorer.model, head, collate([vars(encoded)], 0), scorer.signs, bias)
        assert logits.dtype == torch.float32
        if layout != "likelihood":
            raw = scorer.model(torch.tensor([encoded.input_ids])).logits[0, encoded.positions]
            right, wrong = raw[:, scorer.signs].T if scorer.signs else raw[:, [1, 0]].T
            assert torch.equal(logits[0], right.float() - wrong.float())


def test_a_scorer_neither_trains_nor_drops(scorers: dict[str, StepScorer]) -> None:
    scorer = scorers["newline"]
    assert not StepScorer(scorer.model.train(), scorer.encoder.tokenizer, "newline").model.training
    seen = []
    hook = scorer.model.register_forward_hook(lambda *_: seen.append(torch.is_grad_enabled()))
    scorer(["a"], steps=[["1"]])
    hook.remove()
    assert seen == [False]


def test_tensors_are_made_where_the_batch_lies(scorers: dict[str, StepScorer]) -> None:
    """As on a GPU, where what has no device of its own would lie elsewhere."""
    for layout, scorer in scorers.items():
        batch = collate([vars(scorer.encoder(*pair)) for pair in zip(PROMPTS[:2], STEPS[:2], strict=True)], 0)
        arguments = (LAYOUTS[layout].head, batch, scorer.signs, getattr(scorer.model, "step_bias", None))
        expected = step_logits(scorer.model, *arguments)
        with torch.device("meta"):
            assert torch.equal(step_logits(scorer.model, *arguments), expected)


def test_each_process_scores_on_its_own_gpu(classifier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(LlamaForTokenClassification, "to", lambda model, device: chosen.append(device) or model)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    load_step_scorer(str(classifier))
    monkeypatch.setenv("LOCAL_RANK", "2")
    load_step_scorer(str(classifier))
    load_step_scorer(str(classifier), device="cpu")
    assert chosen == ["cuda:0", "cuda:2", "cpu"]


def test_the_bias_is_added_and_its_weight_is_a_tenth_of_it() -> None:
    bias = StepBias(2.5)
    assert bias(torch.tensor([1.0, -4.0])).tolist() == [3.5, -1.5] and bias.weight.item() == 0.25


def test_an_unknown_model_names_the_layouts(causal: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="newline, math_shepherd, qwen, rlhflow, skywork, likelihood") as error:
        load_step_scorer(str(causal))
    assert "Give layout=" in str(error.value)
    with pytest.raises(ConfigError, match="no layout 'mistral'"):
        load_step_scorer(str(causal), layout="mistral")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        load_step_scorer(str(tmp_path / "nothing"))


def test_a_prm_scores_are_probabilities_in_every_layout(scorers: dict[str, StepScorer]) -> None:
    assert set(scorers) <= set(LAYOUTS)
    for scorer in scorers.values():
        assert all(0.0 <= score <= 1.0 for row in scorer(PROMPTS, steps=STEPS) for score in row)
