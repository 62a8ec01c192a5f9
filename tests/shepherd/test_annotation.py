"""Annotation with a scripted engine: labels by hand, what is shared, what is saved, what goes wrong."""

import contextlib
import hashlib
import inspect
import itertools
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.generation import Decoding
from trl_dsmath.shepherd import AnnotateConfig, annotate
from trl_dsmath.shepherd.problems import Problem, read_problems
from trl_dsmath.text.steps import split_steps

RIGHT, WRONG = "so \\boxed{7}", "so \\boxed{8}"
ROW = {"prompt": "Q:", "gold": "7", "completions": ["a\n", "b\n", "c\n", RIGHT]}


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _run(sampler: Any, rows: list[dict[str, Any]], tmp_path: Path, **settings: Any) -> list[dict[str, Any]]:
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl"
    annotate(rows, sampler, path, progress=False, **settings)
    return _rows(path)


def _by_outcomes(outcomes: dict[str, str]) -> Callable[[str, int], str]:
    """`{"Q:a\\n": "0010"}`: the third rollout of this prefix is right."""
    return lambda prefix, index: RIGHT if outcomes[prefix][index] == "1" else WRONG


OUTCOMES = {"Q:a\n": "10110101", "Q:a\nb\n": "00000100", "Q:a\nb\nc\n": "00000000"}


def test_labels_by_hand(scripted: Any, tmp_path: Path) -> None:
    (hard,) = _run(scripted(_by_outcomes(OUTCOMES)), [ROW], tmp_path)
    assert hard["labels"] == [True, True, False, True]
    assert hard["completions"] == ROW["completions"]
    assert (hard["right"], hard["drawn"]) == ([1, 1, 0, 0], [2, 6, 8, 0])
    assert (hard["spent"], hard["gold"], hard["mode"], hard["num_rollouts"]) == (16, "7", "hard", 8)
    (soft,) = _run(scripted(_by_outcomes(OUTCOMES)), [ROW], tmp_path, mode="soft")
    assert soft["labels"] == [5 / 8, 1 / 8, 0.0, 1.0]
    assert soft["spent"] == 24
    (four,) = _run(scripted(_by_outcomes(OUTCOMES)), [ROW], tmp_path, mode="soft", num_rollouts=4)
    assert four["labels"] == [3 / 4, 0.0, 0.0, 1.0]


def test_the_last_step_is_not_rolled_out(scripted: Any, tmp_path: Path) -> None:
    sampler = scripted(_by_outcomes(OUTCOMES))
    wrong = {**ROW, "completions": ["a\n", WRONG]}
    (row,) = _run(sampler, [wrong], tmp_path)
    assert row["labels"] == [True, False]
    assert set(sampler.counts()) == {"Q:a\n"}
    single = scripted(_by_outcomes({}))
    assert _run(single, [{**ROW, "completions": [RIGHT]}], tmp_path)[0]["labels"] == [True]
    assert single.asked == []


def test_first_error(scripted: Any, tmp_path: Path) -> None:
    """A wrong solution whose second step is bad: the middle prefix first, then the one before it."""
    outcomes = {"Q:a\n": "00100000", "Q:a\nb\n": "0" * 8}
    sampler = scripted(_by_outcomes(outcomes))
    wrong = {**ROW, "completions": ["a\n", "b\n", "c\n", WRONG]}
    rows = _run(sampler, [wrong, ROW], tmp_path, mode="first_error", rollout_batch_size=1)
    assert [row["labels"] for row in rows] == [[True, False, False, False], [True] * 4]
    assert sampler.counts() == {"Q:a\nb\n": 8, "Q:a\n": 3}
    assert [row["spent"] for row in rows] == [11, 0]


def test_shared_prefixes_are_rolled_out_once(scripted: Any, tmp_path: Path) -> None:
    """Three solutions: the first two share two steps, the third shares one. 4 distinct prefixes instead of 9."""
    texts = [["a\n", "b\n", "c\n", WRONG], ["a\n", "b\n", "d\n", WRONG], ["a\n", "x\n", WRONG]]
    sampler = scripted(lambda prefix, index: WRONG)
    rows = _run(sampler, [{**ROW, "completions": steps} for steps in texts], tmp_path)
    assert sampler.counts() == {"Q:a\n": 8, "Q:a\nb\n": 8, "Q:a\nb\nc\n": 8, "Q:a\nb\nd\n": 8, "Q:a\nx\n": 8}
    assert [row["spent"] for row in rows] == [24, 8, 8]  # charged to the first that needs it
    assert [row["drawn"] for row in rows] == [[8, 8, 8, 0], [8, 8, 8, 0], [8, 8, 0]]
    assert len(set(sampler.asked)) == len(sampler.asked)  # no rollout twice


def test_the_same_text_under_another_problem_is_not_shared(scripted: Any, tmp_path: Path) -> None:
    sampler = scripted(lambda prefix, index: RIGHT if prefix.startswith("Q:") else WRONG)
    rows = _run(sampler, [{**ROW, "completions": ["a\n", WRONG]}, {"prompt": "P:", "gold": "7", "completions": ["a\n", WRONG]}], tmp_path)  # fmt: skip
    assert {row["prompt"]: row["labels"] for row in rows} == {"Q:": [True, False], "P:": [False, False]}


@pytest.mark.parametrize("rollout_batch_size", [1, 2, 3, 8])
def test_early_stop_gives_the_labels_of_all_rollouts(rollout_batch_size: int, scripted: Any, tmp_path: Path) -> None:
    """Random outcomes, one stream a (prefix, number): hard labels with stopping are those of the soft run's counts."""

    def script(prefix: str, index: int) -> str:
        return RIGHT if random.Random(f"{prefix}/{index}").random() < 0.15 else WRONG

    rng = random.Random(0)
    rows = [
        {
            "prompt": f"Q{problem}:",
            "gold": "7",
            "completions": [*(f"{rng.randrange(3)}\n" for _ in range(rng.randrange(6))), WRONG],
        }
        for problem in range(6)
        for _ in range(5)
    ]
    full = _run(scripted(script), rows, tmp_path, mode="soft")
    sampler = scripted(script)
    stopped = _run(sampler, rows, tmp_path, rollout_batch_size=rollout_batch_size)
    key = lambda row: (row["problem_id"], row["index"])  # noqa: E731
    assert len(full) == len(stopped) == 30
    for a, b in zip(sorted(full, key=key), sorted(stopped, key=key), strict=True):
        assert [label > 0 for label in a["labels"]] == b["labels"]
    spent, plain = sum(row["spent"] for row in stopped), sum(8 * (len(row["labels"]) - 1) for row in full)
    assert spent == len(sampler.asked) == len(set(sampler.asked)) < plain
    assert sum(row["spent"] for row in full) <= plain


def test_solutions_are_sampled_where_none_are_given(scripted: Any, tmp_path: Path) -> None:
    def script(prefix: str, index: int) -> str:
        if prefix == "Q:":
            return f"a\nb{index}\n" + (RIGHT if index == 1 else WRONG)
        return RIGHT if prefix == "Q:a\n" else WRONG

    rows = _run(scripted(script), [{"prompt": "Q:", "gold": 7}], tmp_path, num_solutions=2)
    assert [row["completions"] for row in rows] == [["a\n", "b0\n", WRONG], ["a\n", "b1\n", RIGHT]]
    assert [row["labels"] for row in rows] == [[True, False, False], [True, False, True]]


def test_blank_solutions_are_left_out(scripted: Any, tmp_path: Path) -> None:
    sampler = scripted(lambda prefix, index: "" if prefix == "Q:" and index == 0 else "a\n" + RIGHT)
    summary = annotate([{"prompt": "Q:", "gold": 7}], sampler, tmp_path / "l.jsonl", num_solutions=3, progress=False)
    assert summary.solutions == 2
    assert "1 solutions were blank" in summary.skipped
    silent = scripted(lambda prefix, index: "")
    with pytest.raises(DataError, match=r"All 3 solutions .* are blank"):
        annotate([{"prompt": "Q:", "gold": 7}], silent, tmp_path / "none.jsonl", num_solutions=3, progress=False)


def test_a_run_that_failed_lets_go_of_its_file(scripted: Any, tmp_path: Path) -> None:
    def broken(prefix: str, index: int) -> str:
        raise RuntimeError("the engine is gone")

    with pytest.raises(RuntimeError) as held:
        annotate([ROW], scripted(broken), tmp_path / "l.jsonl", progress=False)
    assert annotate([ROW], scripted(_by_outcomes(OUTCOMES)), tmp_path / "l.jsonl", progress=False).solutions == 1
    assert held.traceback  # which kept the frames of the first run


def test_the_defaults_are_math_shepherds() -> None:
    config = AnnotateConfig()
    assert (config.num_rollouts, config.num_solutions, config.mode, config.step_separator) == (8, 15, "hard", "\n")
    assert config.decoding == Decoding(max_new_tokens=1024, temperature=1.0, top_p=1.0, stop=(), seed=0) == Decoding()
    given = {name: parameter.default for name, parameter in inspect.signature(annotate).parameters.items()}
    assert {name: given[name] for name in config.arguments() if name != "decoding"} == {
        "mode": "hard", "num_rollouts": 8, "num_solutions": 15, "step_separator": "\n", "answer_filter": "stated",
        "rollout_batch_size": 2, "problems_at_once": 16,
    } == {name: getattr(config, name) for name in config.arguments() if name != "decoding"}  # fmt: skip


def test_a_tokenizer_that_does_not_give_the_text_back_is_asked_step_by_step(scripted: Any, tmp_path: Path) -> None:
    """It writes two blanks as one, so places in the text and in the ids differ."""
    sampler = scripted(lambda prefix, index: RIGHT if prefix == "Q:a b\n" else WRONG)
    plain = sampler.encode
    sampler.encode = lambda text: plain(text.replace("  ", " "))
    (row,) = _run(sampler, [{**ROW, "completions": ["a  b\n", "c\n", RIGHT]}], tmp_path, num_rollouts=2)
    assert row["completions"] == ["a  b\n", "c\n", RIGHT] and row["labels"] == [True, False, True]
    assert sampler.counts() == {"Q:a b\n": 2, "Q:a b\nc\n": 2}
    # One that drops the blank before the first word is cut by its own ids.
    sampler = scripted(lambda prefix, index: WRONG)
    sampler.encode = lambda text: plain(text.lstrip())
    _run(sampler, [{**ROW, "completions": [" a\n", RIGHT]}], tmp_path, num_rollouts=1)
    assert set(sampler.counts()) == {"Q:a\n"}


def test_problems_are_known_by_their_number_or_by_prompt_and_gold(scripted: Any, tmp_path: Path) -> None:
    given = [{**ROW, "completions": [RIGHT]} for _ in range(4)]
    given[1] |= {"id": 7}
    given[2] |= {"id": 7, "problem_id": 0}
    rows = _run(scripted(_by_outcomes({})), given, tmp_path)
    names = [(row["problem_id"], row["index"]) for row in rows]
    # A file that was begun by an earlier release is continued: the name of a problem may not change.
    assert sorted(names) == [("0", 0), ("6444d3b7bb0dfcc3", 0), ("6444d3b7bb0dfcc3", 1), ("7", 0)]


def test_rows_that_are_read_and_passed_over() -> None:
    given = {"id": 1, "prompt": "Q:", "gold": 7}
    forms = (
        {"completions": ["a"]},
        {"completions": "a"},
        {"completions": [1]},
        {"completion": []},
        {"completion": ["a"]},
    )
    read = read_problems(
        [{**given, **form} for form in (*forms, {"completion": [{"content": "b\nc"}]}, {"completion": 7})]
    )
    assert read.problems == [Problem("1", "Q:", "7", {0: ["a"], 5: ["b\n", "c"]})]  # a number never moves
    assert read.skipped == {"no steps": [1, 2, 3, 4, 6]}
    read = read_problems([given, given, {**given, "id": 2}])
    assert read.problems == [Problem(name, "Q:", "7") for name in "12"]
    assert read.report() == "2 problems, 1 rows skipped; the same problem again: 1 (row 1)"
    # Messages are named by their content, whatever the order of its keys.
    chats = [[{"role": "user", "content": "三?"}], [{"content": "三?", "role": "user"}]]
    (chat,) = read_problems([{"prompt": prompt, "gold": "3", "completion": "3"} for prompt in chats]).problems
    assert (
        chat.id == hashlib.blake2b('[[{"content": "三?", "role": "user"}], "3"]'.encode(), digest_size=8).hexdigest()
    )
    with pytest.raises(DataError, match="there is none"):
        read_problems([])


def test_the_record_names_what_labels_depend_on() -> None:
    plain = AnnotateConfig(mode="soft", num_rollouts=2, max_new_tokens=9, temperature=0.5, top_p=0.9, seed=4).record(
        "m", False
    )
    assert plain == {
        "mode": "soft", "num_rollouts": 2, "max_new_tokens": 9, "temperature": 0.5, "top_p": 0.9, "stop": [], "seed": 4,
        "sampler": "m",
    }  # fmt: skip
    other = {"step_separator": "; ", "answer_filter": "flexible", "stop": ["\n\n"]}
    ours = AnnotateConfig(**other).record("m", True)
    assert {name: ours[name] for name in (*other, "num_solutions")} == {**other, "num_solutions": 15}


def test_the_bar_counts_solutions(scripted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Bar(contextlib.nullcontext):
        def __init__(self, **named: Any) -> None:
            super().__init__(self)
            self.named, self.count, self.texts = named, 0, []
            bars.append(self)

        def update(self, count: int) -> None:
            self.count += count

        def set_postfix_str(self, text: str) -> None:
            self.texts.append(text)

    bars: list[Bar] = []
    monkeypatch.setattr("trl_dsmath.shepherd.annotation.tqdm", Bar)
    rows = [ROW, {**ROW, "completions": ["a\n", RIGHT]}]
    for part in (rows[:1], rows):
        annotate(part, scripted(_by_outcomes(OUTCOMES)), tmp_path / "given.jsonl")
    silent = scripted(lambda prefix, index: "" if index else RIGHT)
    annotate([{"prompt": "Q:", "gold": 7}], silent, tmp_path / "drawn.jsonl", num_solutions=3, progress=False)
    shown = [(bar.named["total"], bar.named["initial"], bar.count, bar.named["disable"]) for bar in bars]
    assert shown == [(1, 0, 1, False), (2, 1, 1, False), (3, 0, 3, True)]
    assert (bars[0].texts[-1], bars[1].texts) == ("16 rollouts", ["2 rollouts"])


def test_cut_off_rollouts(scripted: Any, tmp_path: Path) -> None:
    """A complete box counts though the sample was cut off; half a sentence does not."""
    sampler = scripted(lambda prefix, index: "the answer is 7~" if prefix == "Q:a\n" else "\\boxed{7} and~")
    summary_of = tmp_path / "l.jsonl"
    summary = annotate(
        [{**ROW, "completions": ["a\n", "b\n", RIGHT]}], sampler, summary_of, progress=False, num_rollouts=2
    )
    assert _rows(summary_of)[0]["labels"] == [False, True, True]
    assert summary.cut_off == 4
    assert "100.0% of the rollouts were cut off" in summary.report()


def test_a_stop_string_in_the_prefix_ends_nothing(scripted: Any, tmp_path: Path) -> None:
    """Only what stands after the prefix is cut at the stop string: `a` would have no answer."""
    sampler = scripted(lambda prefix, index: f"{RIGHT}\n\nProblem: 8")
    given = {**ROW, "completions": ["a\n\n", RIGHT]}
    (row,) = _run(sampler, [given], tmp_path, decoding=Decoding(stop=("\n\n",)))
    assert (row["labels"], row["drawn"]) == ([True, True], [2, 0])


def test_a_fragment_that_was_cut_off_has_no_label(scripted: Any, tmp_path: Path) -> None:
    """Three solutions: cut off in the third step, in the first, and behind a complete box, which is an answer."""
    whole = {0: "a\nb\nand the answer is 7~", 1: "a and~", 2: "a\n\\boxed{8} becau~"}

    def script(prefix: str, index: int) -> str:
        return whole[index] if prefix == "Q:" else RIGHT if prefix == "Q:a\n" else WRONG

    path = tmp_path / "l.jsonl"
    summary = annotate([{"prompt": "Q:", "gold": "7"}], scripted(script), path, num_solutions=3, progress=False)
    rows = _rows(path)
    assert [row["completions"] for row in rows] == [["a\n", "b\n"], ["a\n", "\\boxed{8} becau"]]
    assert [row["labels"] for row in rows] == [[True, False], [True, False]]
    assert [(row["finished"], row["drawn"]) for row in rows] == [(False, [2, 8]), (True, [2, 0])]
    assert (summary.solutions, summary.finished, summary.right, summary.plain) == (2, 1, 0, 24)
    assert "1 solutions were blank, or cut off in their first step" in summary.skipped
    assert "1 solutions had no answer within max_new_tokens" in summary.report()
    assert "before the last step 66.7%" in summary.report()  # a, b of the first; a of the second
    for mode, labels in (("soft", [1.0, 0.0]), ("first_error", [True, False])):
        found = _run(scripted(script), [{"prompt": "Q:", "gold": "7"}], tmp_path, num_solutions=1, mode=mode)
        assert found[0]["labels"] == labels


@pytest.mark.parametrize(
    ("separator", "text", "steps", "prefixes"),
    [
        ("\n\n", "a\nb\n\nc\n", ["a\nb\n\n", "c\n\\boxed{7}"], {"Q:a\nb\n\n"}),
        ("Step N:", "Step 1: a\nb\nStep 2: ", ["Step 1: a\nb\n", "Step 2: \\boxed{7}"], {"Q:Step 1: a\nb\n"}),
        ("; ", "a\n; b; ", ["a\n; ", "b; ", RIGHT.removeprefix("so ")], {"Q:a\n; ", "Q:a\n; b; "}),
    ],
)
@pytest.mark.parametrize("given", [True, False])
def test_step_separator(
    separator: str, text: str, steps: list[str], prefixes: set[str], given: bool, scripted: Any, tmp_path: Path
) -> None:
    """Given and sampled solutions are cut where GRPO and the reward model cut them, and labelled there."""
    solution = f"{text}\\boxed{{7}}"
    assert split_steps(solution, separator) == steps
    sampler = scripted(lambda prefix, index: solution if prefix == "Q:" else RIGHT)
    row = {"prompt": "Q:", "gold": "7", **({"completion": solution} if given else {})}
    (found,) = _run(sampler, [row], tmp_path, num_solutions=1, step_separator=separator)
    assert (found["completions"], found["labels"]) == (steps, [True] * len(steps))
    assert set(sampler.counts()) - {"Q:"} == prefixes


def test_other_separators_are_other_labels(scripted: Any, tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    annotate([ROW], scripted(_by_outcomes(OUTCOMES)), path, progress=False)
    with pytest.raises(ConfigError, match="step_separator"):
        annotate([ROW], scripted(_by_outcomes(OUTCOMES)), path, progress=False, step_separator="\n\n")


def test_steps_are_read_from_text_and_mended(scripted: Any, tmp_path: Path) -> None:
    sampler = scripted(lambda prefix, index: WRONG)
    rows = [
        {"prompt": "Q:", "gold": "7", "completion": f"a\n\nb\n{RIGHT}"},
        {"prompt": "Q:", "gold": "7", "completions": ["a", "b", " ", RIGHT]},
        {"prompt": "Q:", "gold": "7", "completion": [{"role": "assistant", "content": f"a\n{RIGHT}"}]},
    ]
    found = _run(sampler, rows, tmp_path, num_rollouts=1)
    assert [row["completions"] for row in found] == [["a\n\n", "b\n", RIGHT], ["a\n", "b\n", RIGHT], ["a\n", RIGHT]]
    assert set(sampler.counts()) == {"Q:a\n\n", "Q:a\n\nb\n", "Q:a\n", "Q:a\nb\n"}


def test_rows_that_cannot_be_used_are_counted(scripted: Any, tmp_path: Path) -> None:
    rows = [ROW, {**ROW, "gold": "\\boxed{"}, {**ROW, "gold": None}, {**ROW, "completions": []}, {**ROW, "prompt": ""}]
    summary = annotate(rows, scripted(_by_outcomes(OUTCOMES)), tmp_path / "l.jsonl", progress=False)
    assert summary.solutions == 1
    assert summary.skipped == (
        "1 problems, 4 rows skipped; gold cannot be read: 1 (row 1); no gold answer: 1 (row 2); no steps: 1 (row 3); "
        "no prompt: 1 (row 4)"
    )
    (tmp_path / "rows.jsonl").write_text(f'{json.dumps(ROW)}\n{{"prompt": \n7\n')
    summary = annotate(tmp_path / "rows.jsonl", scripted(_by_outcomes(OUTCOMES)), tmp_path / "n.jsonl", progress=False)
    assert summary.skipped == "1 problems, 0 rows skipped; 2 lines are not JSON objects (line 2, 3)"
    with pytest.raises(DataError, match=r"No row can be used \(no steps: 1\).*completions"):
        annotate([{**ROW, "completions": []}], scripted(_by_outcomes({})), tmp_path / "m.jsonl", progress=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "median"}, "hard, soft, first_error"),
        ({"num_rollouts": 0}, "num_rollouts must be at least 1"),
        ({"rollout_batch_size": 0}, "rollout_batch_size"),
        ({"num_solutions": 0}, "num_solutions must be at least 1"),
        ({"problems_at_once": 0}, "problems_at_once must be at least 1"),
        ({"answer_filter": "strict"}, "stated or flexible"),
        ({"step_separator": ""}, "step_separator is empty"),
        ({"decoding": Decoding(temperature=0.0)}, "temperature above 0"),
    ],
)
def test_settings_that_cannot_work(settings: Any, message: str, scripted: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        annotate([ROW], scripted(_by_outcomes({})), tmp_path / "l.jsonl", progress=False, **settings)
    assert not list(tmp_path.iterdir())


def test_summary(scripted: Any, tmp_path: Path) -> None:
    summary = annotate([ROW], scripted(_by_outcomes(OUTCOMES)), tmp_path / "l.jsonl", progress=False)
    assert (summary.steps, summary.good, summary.right, summary.spent, summary.plain) == (4, 3, 1, 16, 24)
    assert summary.report() == (
        "labels      4 steps of 1 solutions: 75.0% good; before the last step 66.7%; solutions right 100.0%\n"
        "rollouts    16 drawn; N from each prefix would be 24 (66.7%)"
    )


@pytest.mark.parametrize("at_once", [1, 2, 50])
def test_problems_at_once_changes_nothing(at_once: int, scripted: Any, tmp_path: Path) -> None:
    def script(prefix: str, index: int) -> str:
        return RIGHT if random.Random(f"{prefix}/{index}").random() < 0.2 else WRONG

    rows = [{"prompt": f"Q{i}:", "gold": "7", "completions": ["a\n"] * (i % 4) + [WRONG]} for i in range(9)]
    for mode in ("hard", "first_error"):
        expected = _run(scripted(script), rows, tmp_path, mode=mode)
        found = _run(scripted(script), rows, tmp_path, mode=mode, problems_at_once=at_once)
        assert sorted(found, key=lambda row: row["prompt"]) == sorted(expected, key=lambda row: row["prompt"])
    assert list(itertools.chain(*(row["labels"] for row in expected)))


def test_flexible_filter_and_other_prompts(scripted: Any, tmp_path: Path) -> None:
    """ "17 - 10 = 7" without a box is right only with the flexible filter; cut off, with neither."""
    outcomes = {"Q:a\n": ["17 - 10 = 7~", "17 - 10 = 7"], "Q:a\nb\n": ["7~", "it is 8"]}
    row = {**ROW, "completions": ["a\n", "b\n", "so 7"]}
    sampler = scripted(lambda prefix, index: outcomes[prefix][index])
    labels = {
        name: _run(sampler, [row], tmp_path, mode="soft", num_rollouts=2, answer_filter=name)[0]["labels"]
        for name in ("stated", "flexible")
    }
    assert labels == {"stated": [0.0, 0.0, 0.0], "flexible": [0.5, 0.0, 1.0]}
    path = tmp_path / "labels.jsonl"
    annotate([ROW], scripted(_by_outcomes(OUTCOMES)), path, prompts={"instruction": "none"}, progress=False)
    with pytest.raises(ConfigError, match=r"other settings: instruction none \(now paper\)"):
        annotate([ROW], scripted(_by_outcomes(OUTCOMES)), path, prompts={"instruction": "paper"}, progress=False)
