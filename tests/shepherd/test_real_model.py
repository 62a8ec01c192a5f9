"""The whole path with a real model: labels against rollouts drawn and graded here, the command, and kill -9."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from processes import Script
from task import make_problems

from trl_dsmath.cli import main
from trl_dsmath.generation import Decoding
from trl_dsmath.grading import Verdict, grade
from trl_dsmath.scripts import recipe_script
from trl_dsmath.shepherd import annotate
from trl_dsmath.text import last_boxed
from trl_dsmath.text.steps import split_steps

DECODING = Decoding(max_new_tokens=24, seed=1)
PROBLEMS = [{"prompt": problem.prompt, "gold": problem.answer} for problem in make_problems(8, 0, "annotate")]


@pytest.fixture(scope="module")
def sampler(policy: Path) -> Any:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from trl_dsmath.generation import TransformersSampler

    model = AutoModelForCausalLM.from_pretrained(policy)
    return TransformersSampler(model, AutoTokenizer.from_pretrained(policy))


def _rows(path: Path) -> dict[tuple[str, int], dict[str, Any]]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    found = {(row["problem_id"], row["index"]): row for row in rows}
    assert len(found) == len(rows)
    return found


def _plain(row: dict[str, Any], sampled_ids: tuple[int, ...], sampler: Any) -> list[int]:
    """Plain annotation of one solution, written anew: how many of 4 rollouts of each prefix end in the gold's box."""
    prompt = sampler.encode_prompt(row["prompt"])
    labelled = len(row["completions"]) - row["finished"]  # the last step of a finished solution is not rolled out
    texts = ["".join(row["completions"][:step]) for step in range(1, labelled + 1)]
    ends = [next(m for m in range(99) if sampler.decode(sampled_ids[:m]).startswith(text)) for text in texts]
    samples = sampler.sample([[*prompt, *sampled_ids[:end]] for end in ends], DECODING, n=4)
    return [
        sum(_is_right(sampler.decode([*sampled_ids[:end], *sample.ids]), row["gold"]) for sample in of)
        for end, of in zip(ends, samples, strict=True)
    ]


def _is_right(text: str, gold: str) -> bool:
    return last_boxed(text) is not None and grade([text], [gold]) == [Verdict.CORRECT]


def test_labels_are_those_of_plain_annotation(sampler: Any, tmp_path: Path) -> None:
    found = {}
    for mode in ("hard", "soft", "first_error"):
        annotate(
            PROBLEMS,
            sampler,
            tmp_path / mode,
            mode=mode,  # type: ignore[arg-type]
            num_rollouts=4,
            num_solutions=3,
            decoding=DECODING,
            progress=False,
        )
        found[mode] = _rows(tmp_path / mode)
    solutions = sampler.sample([problem["prompt"] for problem in PROBLEMS], DECODING, n=3)
    by_prompt = {problem["prompt"]: samples for problem, samples in zip(PROBLEMS, solutions, strict=True)}
    some_right = some_wrong = some_cut_off = 0
    for key, row in found["soft"].items():
        sample = by_prompt[row["prompt"]][row["index"]]
        steps = split_steps(sample.text)
        assert row["completions"] == (steps if row["finished"] else steps[:-1])
        assert row["finished"] == (sample.finished or last_boxed(sample.text) is not None)
        counts = _plain(row, sample.ids, sampler)
        own = [_is_right(sample.text, row["gold"])] * row["finished"]
        assert row["labels"] == [*(count / 4 for count in counts), *map(float, own)]
        assert found["hard"][key]["labels"] == [*(count > 0 for count in counts), *own]
        bisected = found["first_error"][key]["labels"]
        assert bisected == sorted(bisected, reverse=True)
        assert not own or all(bisected) == own[0]
        some_right += sum(row["labels"][:-1]) > 0
        some_cut_off += not row["finished"]
        some_wrong += not all(row["labels"])
    assert some_right and some_wrong and some_cut_off
    spent = {mode: sum(row["spent"] for row in rows.values()) for mode, rows in found.items()}
    assert spent["first_error"] < spent["hard"] < spent["soft"]


def test_given_text_is_annotated_like_the_sample_it_is(sampler: Any, tmp_path: Path) -> None:
    """Rows with the steps as text: the same labels where the tokenizer gives the sampled ids back, as it does here."""
    settings: dict[str, Any] = {"num_rollouts": 4, "decoding": DECODING, "progress": False}
    annotate(PROBLEMS, sampler, tmp_path / "sampled", num_solutions=3, **settings)
    rows = _rows(tmp_path / "sampled")
    given = [{key: row[key] for key in ("prompt", "gold", "completions", "problem_id")} for row in rows.values()]
    annotate(given, sampler, tmp_path / "given", **settings)
    again = _rows(tmp_path / "given")
    samples = sampler.sample([problem["prompt"] for problem in PROBLEMS], DECODING, n=3)
    canonical = {
        (problem["prompt"], index)
        for problem, of in zip(PROBLEMS, samples, strict=True)
        for index, sample in enumerate(of)
        if [*sampler.encode(sample.text), 1] == [*sample.ids]
    }
    assert len(canonical) > 12
    for key, row in rows.items():
        if (row["prompt"], row["index"]) in canonical:
            assert again[key]["labels"] == row["labels"]


def _flags(policy: Path, folder: Path, *more: str) -> list[str]:
    data = folder / "problems.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    flags = (
        f"--model_name_or_path {policy} --dataset_name {data} --output_dir {folder / 'out'} --use_cpu --plain_prompts"
    )
    return [*flags.split(), "--num_solutions", "3", "--max_new_tokens", "24", "--num_rollouts", "4", *more]


def test_command(policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annotate", *_flags(policy, tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert f"model       transformers:{policy}" in shown
    assert "used        8 problems, 0 rows skipped" in shown
    assert "of 24 solutions" in shown
    assert "N from each prefix would be" in shown
    assert len(_rows(tmp_path / "out" / "train.jsonl")) == 24
    assert main(["annotate", *_flags(policy, tmp_path, "--mode", "soft")]) == 2
    assert "made with other settings: mode hard (now soft)" in capsys.readouterr().err


def test_command_reads_data_sets_of_problems(policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Question and answer as GSM8K stores them; a row that cannot be used is named."""
    rows = [{"question": "1+1=?", "answer": "It is <<1+1=2>>2.\n#### 2"}, {"question": "", "answer": "#### 3"}]
    (tmp_path / "gsm.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    flags = _flags(policy, tmp_path, "--dataset_name", str(tmp_path / "gsm.jsonl"))
    assert main(["annotate", *flags]) == 0
    assert "1 rows used, 1 dropped; no question: 1 (row 1)" in capsys.readouterr().out
    for row in _rows(tmp_path / "out" / "train.jsonl").values():
        assert row["gold"] == "2"
        assert row["prompt"].startswith("User: 1+1=?\nPlease reason step by step")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--temperature", "0"], "set a temperature above 0"),
        (["--mode", "median"], "invalid choice: 'median'"),
        (["--dataset_name", "./nothing.jsonl"], "no file or folder ./nothing.jsonl"),
        (["--dataset_train_split", "dev"], "no split 'dev'; there are: train"),
        (["--model_name_or_path", "./nothing"], "The model ./nothing cannot be loaded"),
        (["--engine", "vllm"], "pip install 'trl-dsmath[vllm]'"),
        (["--num_rolouts", "4"], "Did you mean num_rollouts"),
    ],
)
def test_mistakes(
    flags: list[str], message: str, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["annotate", *_flags(policy, tmp_path), *flags])
    except SystemExit as stopped:  # argparse's own refusals
        code = stopped.code  # type: ignore[assignment]
    assert code == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_kill_and_resume(policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """kill -9 twice, at different rows; the rest is what one uninterrupted run writes, no row twice."""
    whole = tmp_path / "whole"
    whole.mkdir()
    common = ["--problems_at_once", "1", "--mode", "soft"]
    assert main(["annotate", *_flags(policy, whole, *common)]) == 0
    labels = tmp_path / "out" / "train.jsonl"
    kept = b""
    for rows in (6, 15):
        process = Script(recipe_script("annotate"), *_flags(policy, tmp_path, *common))
        while not labels.exists() or labels.read_bytes().count(b"\n") < rows:
            assert process.poll() is None, "the run ended before it could be killed"
            time.sleep(0.002)
        process.kill()
        written = labels.read_bytes()
        assert written.startswith(kept)
        assert written.count(b"\n") < 24
        kept = written[: written.rindex(b"\n") + 1]
        labels.write_bytes(kept + b'{"prompt": "The di')  # as if the kill had come within a write
    capsys.readouterr()
    assert main(["annotate", *_flags(policy, tmp_path, *common)]) == 0
    shown = capsys.readouterr().out
    assert labels.read_bytes().startswith(kept)
    assert _rows(labels) == _rows(whole / "out" / "train.jsonl")
    assert "of 24 solutions" in shown
