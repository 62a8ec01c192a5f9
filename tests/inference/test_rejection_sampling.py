"""Rejection sampling on twenty problems whose solutions are written out, counted by hand; and problems by pass rate."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from datasets import Dataset
from replay import ReplaySampler

from trl_dsmath.data import convert
from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.inference import EvaluateConfig, RFTConfig
from trl_dsmath.inference.rejection import (
    Draw,
    completion_of,
    draw_solutions,
    histogram,
    preference_rows,
    rated_problems,
    rates_of,
    read_draws,
    score_draws,
    solution_rows,
    training_problems,
)
from trl_dsmath.inference.rejection_card import dataset_card

PROBLEMS = Dataset.from_list([{"question": f"Double {p}.", "answer": f"#### {2 * p}"} for p in range(1, 21)])


def tell(prompt: str, number: int) -> str:
    """Right: the first and the third sample (one way), the second of even numbers, the fourth of multiples of five."""
    found = re.search(r"Double (\d+)", prompt)
    assert found
    p = int(found[1])
    return [
        f"{p} + {p} = {2 * p}. So \\boxed{{{2 * p}}}",
        f"2 * {p} = {2 * p}. So \\boxed{{{2 * p if p % 2 == 0 else 0}}}",
        f"We add: {p}+{p}={2 * p}, thus \\boxed{{{2 * p}}}",
        f"3 * {p} - {p} = {2 * p}" + (f" \\boxed{{{2 * p}}}" if p % 5 == 0 else f", {2 * p}"),
    ][number]


def draw(folder: Path, **settings: object) -> int:
    config = RFTConfig(num_samples=4, **settings)
    return draw_solutions(training_problems(PROBLEMS), ReplaySampler(tell), folder, config, "a model")


def test_what_is_kept_is_what_a_count_by_hand_gives(tmp_path: Path) -> None:
    assert draw(tmp_path) == 80
    draws = read_draws(tmp_path)
    assert sum(one.right for one in draws) == 20 + 10 + 20 + 4
    rows = solution_rows(draws, RFTConfig(max_per_problem=None), "a model")
    assert len(rows) == 20 + 10 + 4  # the third sample says what the first one says
    assert {row["sample"] for row in rows} == {0, 1, 3}
    assert len(solution_rows(draws, RFTConfig(max_per_problem=2), "a model")) == 34 - 2  # 10 and 20 have three ways
    some = solution_rows(draws, RFTConfig(max_per_problem=None, max_pass_rate=0.75), "a model")
    assert len(some) == 34 - 6 and not {9, 19} & {row["problem"] for row in some}
    assert rows[1] == {
        "prompt": rows[1]["prompt"],
        "completion": [{"role": "assistant", "content": "2 + 2 = 4. So \\boxed{4}"}],
        "question": "Double 2.",
        "gold": "4",
        "problem": 1,
        "sample": 0,
        "pass_rate": 0.75,
        "model": "a model",
    }
    assert rows[1]["prompt"][-1]["content"].startswith("Double 2.")


def test_nothing_is_drawn_twice(tmp_path: Path) -> None:
    draw(tmp_path)
    samples = tmp_path / "samples.jsonl"
    lines = samples.read_bytes().splitlines(keepends=True)
    samples.write_bytes(b"".join(lines[:30]) + lines[30][:20])  # as a kill leaves it
    assert draw(tmp_path) == 50
    assert sorted(samples.read_bytes().splitlines(keepends=True)) == sorted(lines)
    assert draw(tmp_path) == 0


def test_sft_takes_the_rows_as_they_are(tmp_path: Path) -> None:
    draw(tmp_path)
    rows = Dataset.from_list(solution_rows(read_draws(tmp_path), RFTConfig(), "a model"))
    converted = convert(rows, "sft")
    assert not converted.dropped and converted.dataset["completion"][0] == rows["completion"][0]


def test_a_sample_that_was_cut_off_is_not_right(tmp_path: Path) -> None:
    draw(tmp_path)
    samples = tmp_path / "samples.jsonl"
    samples.write_text(samples.read_text().replace('"finished": true', '"finished": false'))
    assert not any(one.right for one in read_draws(tmp_path))


def test_the_best_scored_way_stays_and_scores_are_not_computed_twice(tmp_path: Path) -> None:
    class Scorer:
        """A step is worth its length; the last solution of a problem is the longest."""

        name = "length"
        calls = 0

        def __call__(self, prompts: Sequence, steps: Sequence[Sequence[str]]) -> list[list[float]]:
            Scorer.calls += len(prompts)
            return [[len(step) / 100 for step in row] for row in steps]

    draw(tmp_path)
    draws = read_draws(tmp_path)
    scores = score_draws(draws, Scorer(), tmp_path, at_once=7)
    assert Scorer.calls == 54 and score_draws(draws, Scorer(), tmp_path) == scores and Scorer.calls == 54
    rows = solution_rows(draws, RFTConfig(max_per_problem=1), "a model", scores)
    assert len(rows) == 20
    first = rows[0]  # of the samples 0 and 2 of "Double 1.", the longer one
    assert first["sample"] == 2 and first["score"] == len(tell("Double 1.", 2)) / 100


def test_pairs_of_right_and_wrong(tmp_path: Path) -> None:
    draw(tmp_path)
    draws = read_draws(tmp_path)
    rows = preference_rows(draws)
    assert len(rows) == 18  # one each: odd numbers have one right way, even ones one wrong; 10 and 20 have none wrong
    assert rows[1]["chosen"] == [{"role": "assistant", "content": "2 + 2 = 4. So \\boxed{4}"}]
    assert rows[1]["rejected"] == [{"role": "assistant", "content": "3 * 2 - 2 = 4, 4"}]
    assert rows[0]["rejected"] == [{"role": "assistant", "content": "2 * 1 = 2. So \\boxed{0}"}]
    assert rows[0]["prompt"][-1]["content"].startswith("Double 1.")


def four(prompt: str, number: int) -> str:
    """Two ways that are right, and two that are wrong."""
    return [
        "4 + 4 = 8.\nSo \\boxed{8}",
        "2 * 4 = 8.\nSo \\boxed{8}",
        "4 * 4 = 16, \\boxed{16}",
        "4 + 5 = 9, \\boxed{9}",
    ][number]


def draw_four(folder: Path, **settings: object) -> list[Draw]:
    config = RFTConfig(num_samples=4, **settings)
    problems = Dataset.from_list([{"question": "Double 4.", "answer": "8"}])
    draw_solutions(training_problems(problems), ReplaySampler(four), folder, config, "a model")
    return read_draws(folder)


def test_pairs_of_one_problem(tmp_path: Path) -> None:
    draws = draw_four(tmp_path)
    for most, pairs in ((4, [(0, 2), (1, 3)]), (None, [(0, 2), (1, 3)]), (1, [(0, 2)])):
        found = [(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in preference_rows(draws, most)]
        assert found == [(four("", one), four("", two)) for one, two in pairs]
    # What was cut off is not right, and is no example of a wrong solution either.
    samples = tmp_path / "samples.jsonl"
    cut_off = ('"sample": 0', '"sample": 2')
    lines = [
        line.replace('"finished": true', '"finished": false') if any(one in line for one in cut_off) else line
        for line in samples.read_text().splitlines(keepends=True)
    ]
    samples.write_text("".join(lines))
    (pair,) = preference_rows(read_draws(tmp_path))
    assert [pair[side][0]["content"] for side in ("chosen", "rejected")] == [four("", 1), four("", 3)]
    samples.write_text(
        "".join(re.sub(r'"finished": \w+, ', "", line) for line in lines)
    )  # as written before there was such a field
    assert [one.right for one in read_draws(tmp_path)] == [True, True, False, False]


def test_text_stays_text_and_an_opened_fence_is_part_of_the_solution(tmp_path: Path) -> None:
    draws = draw_four(tmp_path, plain_prompts=True)
    row = solution_rows(draws, RFTConfig(), "a model")[0]
    assert isinstance(row["prompt"], str) and row["completion"] == four("", 0)
    opened = draws[0]._replace(task=replace(draws[0].task, opening="\n```python\n"))
    assert completion_of(opened) == "\n```python\n" + four("", 0)


def test_a_solution_is_worth_its_worst_step(tmp_path: Path) -> None:
    class Scorer:
        name = "by hand"

        def __call__(self, prompts: Sequence, steps: Sequence[Sequence[str]]) -> list[list[float]]:
            assert [len(row) for row in steps] == [2, 2] and "Double 4." in str(prompts[0])
            return [[0.75, 0.25], []]  # the second is too long for the scorer

    assert score_draws(draw_four(tmp_path), Scorer(), tmp_path) == [0.25, 0.0, None, None]


def test_the_ends_of_the_pass_rates_are_kept(tmp_path: Path) -> None:
    draws = draw_four(tmp_path)  # half of them right
    for lowest, highest, kept in ((0.5, 0.5, 2), (0.0, 0.49, 0), (0.51, 1.0, 0)):
        config = RFTConfig(max_per_problem=None, min_pass_rate=lowest, max_pass_rate=highest)
        assert len(solution_rows(draws, config, "a model")) == kept
    rated = rated_problems(tmp_path)
    assert [(row["solution"], row["pass_rate"], row["samples"]) for row in rated] == [("8", 0.5, 4)]


def test_problems_with_their_pass_rates(tmp_path: Path) -> None:
    draw(tmp_path)
    rows = rated_problems(tmp_path)
    assert [row["pass_rate"] for row in rows[:5]] == [0.5, 0.75, 0.5, 0.75, 0.75]
    assert rows[0]["samples"] == 4
    converted = convert(Dataset.from_list(rows), "grpo").dataset
    assert converted["pass_rate"][1] == 0.75 and converted["solution"][1] == "4"
    shown = histogram([row["pass_rate"] for row in rows], 0.6, 0.9).splitlines()
    assert [line.split("█")[0].split() for line in shown] == [["50-60", "%", "8"], ["70-80", "%", "10"], ["all", "2"]]
    assert [line.count("█") for line in shown] == [32, 40, 8]
    assert [line.endswith("0 kept") for line in shown] == [True, False, True]


def test_bars_of_pass_rates() -> None:
    assert histogram([0.0, 0.0, 0.55, 1.0], 0.1, 0.9).splitlines() == [
        f"     none        2  {40 * '█'}  0 kept",
        f"  50-60 %        1  {20 * '█'}",
        f"      all        1  {20 * '█'}  0 kept",
    ]


def test_labels_of_the_annotator_count(tmp_path: Path) -> None:
    def row(problem: str, *labels: float, finished: bool = True) -> str:
        found = {"prompt": problem, "gold": "1", "problem_id": problem, "labels": labels, "finished": finished}
        return json.dumps(found) + "\n"

    (tmp_path / "train.jsonl").write_text(
        row("a", 1, 1) + row("b", 1, 0.49) + row("a", 1, 0) + row("a", 1.0, finished=False)
        + row("c", 0, 0.5).replace(', "finished": true', "")
    )  # fmt: skip
    expected = [(1 / 3, 3, "a"), (0.0, 1, "b"), (1.0, 1, "c")]
    for path in (tmp_path, tmp_path / "train.jsonl"):
        assert [(one["pass_rate"], one["samples"], one["prompt"]) for one in rated_problems(path)] == expected
    for broken in ('{"question": "a"}\n', row("a", 1) + "{", row("a")):
        (tmp_path / "train.jsonl").write_text(broken)
        with pytest.raises(DataError, match="annotate"):
            rated_problems(tmp_path)
    with pytest.raises(ConfigError, match="no samples"):
        rated_problems(tmp_path / "absent")


def test_an_evaluation_counts_but_not_its_greedy_answers(tmp_path: Path) -> None:
    from trl_dsmath.inference import plan, run

    config = EvaluateConfig(num_samples=4)
    run(plan(training_problems(PROBLEMS), config, "a model"), ReplaySampler(tell), tmp_path)
    assert list(rates_of(read_draws(tmp_path)).values())[:2] == [(2, 4), (3, 4)]
    config = EvaluateConfig()
    run(plan(training_problems(PROBLEMS), config, "a model"), ReplaySampler(tell), tmp_path / "greedy")
    with pytest.raises(DataError, match="num_samples"):
        read_draws(tmp_path / "greedy")


def test_rows_without_question_or_answer_are_no_problems() -> None:
    rows = [{"question": "a", "answer": "1"}, {"question": "", "answer": "1"}, {"question": "b", "answer": ""}]
    assert [problem.index for problem in training_problems(Dataset.from_list(rows))] == [0]
    with pytest.raises(DataError, match="--question_column"):
        training_problems(Dataset.from_list(rows[1:]))


@pytest.mark.parametrize(
    "settings",
    [
        {"max_per_problem": 0},
        {"min_pass_rate": 0.9, "max_pass_rate": 0.1},
        {"max_pass_rate": 1.1},
        {"min_pass_rate": -0.1},
        {"num_samples": 0},
    ],
)
def test_settings_that_cannot_work(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        RFTConfig(**settings)


def test_the_card_says_what_was_drawn_and_kept(tmp_path: Path) -> None:
    from huggingface_hub import DatasetCard

    draw(tmp_path)
    draws, config = read_draws(tmp_path), RFTConfig(num_samples=4, instruction="Solve:\n{question}")
    rows = solution_rows(draws, config, "a model")
    text = dataset_card(draws, rows, 18, config, "doubles main train", "me/solutions", "rft/cpu")
    assert "# 34 solutions by rejection sampling" in text
    assert "Drawn from `a model` for 20 problems of `doubles main train`" in text
    assert "each way of solving a problem once, at most 4 of a problem." in text
    for line in (
        "| recipe | rft/cpu |",
        "| samples drawn | 80 |",
        "| right | 54 (67.5%) |",
        "| kept | 34, of 20 problems |",
        "| pairs for DPO | 18 |",
        "| temperature | 0.7 |",
        '| instruction | "Solve:\\n{question}" |',
    ):
        assert f"{line}\n" in text
    assert 'load_dataset("me/solutions", "pairs", split="train")' in text and "`score`" not in text
    assert [one["config_name"] for one in DatasetCard(text).data.to_dict()["configs"]] == ["default", "pairs"]

    config = RFTConfig(max_per_problem=None)
    text = dataset_card(draws, rows, 0, config, "doubles", "me/solutions", step_scorer="a PRM")
    assert "each way of solving a problem once, the best by a process reward model first." in text
    assert "| step scorer | a PRM |" in text and "`score`" in text and "pairs" not in text.replace("pairs for DPO", "")
    assert "recipe |" not in text
