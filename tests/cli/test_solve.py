"""`dsmath solve` as a user calls it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from trl_dsmath.cli import answers
from trl_dsmath.cli.questions import few_shot_pairs
from trl_dsmath.cli.recipes import recipe_path
from trl_dsmath.cli.solve import main, settings_of
from trl_dsmath.cli.solve_options import bare_switches, make_parser
from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.generation import SamplerConfig
from trl_dsmath.grading.votes import vote
from trl_dsmath.inference import Solution, SolvedSample
from trl_dsmath.inference.stopping import next_round

RUN = [sys.executable, "-c", "import sys; from trl_dsmath.cli.solve import main; sys.exit(main(sys.argv[1:]))"]


@pytest.fixture
def flags(tiny_model: Path) -> list[str]:
    return ["--model", str(tiny_model), "--n", "4", "--max-new-tokens", "8", "--use_cpu"]


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_one_question(flags: list[str], capsys: pytest.CaptureFixture) -> None:
    assert main(["How many apples?", *flags]) == 0
    captured = capsys.readouterr()
    assert "answer      " in captured.out and "votes       " in captured.out
    assert "4 sequences of 8 tokens" in captured.err


def test_a_file_with_golds_is_resumed(
    flags: list[str], problems: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    output = tmp_path / "out.jsonl"
    command = ["--input", str(problems / "test.jsonl"), "--output", str(output), *flags, "--adaptive", "off"]
    assert main(command) == 0
    assert "of 4 with a readable right answer" in capsys.readouterr().out
    whole, samples = rows(output), rows(tmp_path / "out.samples.jsonl")
    assert [row["gold"] for row in whole] == ["2", "3", "4", "5"]
    assert [(row["samples"], row["n"]) for row in whole] == [(4, 4)] * 4
    assert [row["index"] for row in samples] == [0, 1, 2, 3] * 4

    # Killed after the first answer, in the middle of a sample of the third question.
    output.write_text(output.read_text().splitlines(keepends=True)[0])
    lines = (tmp_path / "out.samples.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "out.samples.jsonl").write_text("".join(lines[:9]) + lines[9][:20])
    assert main(command) == 0
    assert "1 questions are solved" in capsys.readouterr().err
    assert rows(output) == whole
    assert sorted(map(str, rows(tmp_path / "out.samples.jsonl"))) == sorted(map(str, samples))

    with pytest.raises(ConfigError, match=r"temperature 0\.6"):
        main([*command, "--temperature", "0.7"])


@pytest.mark.slow
def test_kill_9_loses_nothing_and_nothing_is_sampled_twice(flags: list[str], tmp_path: Path) -> None:
    questions = tmp_path / "questions.txt"
    questions.write_text("".join(f"What is {i}+{i}?\n" for i in range(12)))
    settings = [*flags, "--n", "8", "--max_new_tokens", "48", "--problems_at_once", "2"]
    plain, killed = tmp_path / "plain.jsonl", tmp_path / "killed.jsonl"
    assert main([str(questions), "--output", str(plain), *settings]) == 0

    command = [*RUN, str(questions), "--output", str(killed), *settings]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    samples = tmp_path / "killed.samples.jsonl"
    while process.poll() is None and (not samples.exists() or samples.stat().st_size < 1000):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    before = samples.read_bytes()
    before = before[: before.rfind(b"\n") + 1]
    assert 0 < before.count(b"\n") < 12 * 8
    assert main([str(questions), "--output", str(killed), *settings]) == 0
    assert samples.read_bytes().startswith(before)  # nothing lost
    drawn = [(row["id"], row["index"]) for row in rows(samples)]
    assert len(drawn) == len(set(drawn)) == 12 * 8  # nothing twice
    by_question = {row["question"]: row for row in rows(killed)}
    assert by_question == {row["question"]: row for row in rows(plain)}


@pytest.mark.slow
def test_questions_from_a_pipe(flags: list[str]) -> None:
    done = subprocess.run([*RUN, *flags], input="1+1?\n\n2+2?\n", capture_output=True, text=True, check=True)
    assert done.stdout.count("answer      ") == 2


def test_tool_and_program_modes_run(flags: list[str], capsys: pytest.CaptureFixture) -> None:
    for mode in ("tool", "pot"):
        assert main(["How many apples?", *flags, "--mode", mode]) == 0
        assert "answer      " in capsys.readouterr().out


def test_both_spellings_and_bare_switches() -> None:
    parser = make_parser()
    for spelling in ("--load-in-4bit", "--load_in_4bit"):
        args = parser.parse_args(bare_switches(parser, [spelling, "What is 1+1?", "--top-p", "0.5", "--model=m"]))
        assert args.question == "What is 1+1?" and args.load_in_4bit is True and args.top_p == 0.5
    args = parser.parse_args(bare_switches(parser, ["--load_in_4bit", "false", "--model", "m"]))
    assert not args.load_in_4bit


def test_settings_that_cannot_work(flags: list[str], tmp_path: Path) -> None:
    questions = tmp_path / "q.jsonl"
    questions.write_text('{"sentence": "1+1?"}\n')
    for command, error, message in [
        (["?"], ConfigError, "--model"),
        (["?", *flags, "--show-steps"], ConfigError, "--step_scorer"),
        (["?", *flags, "--vote", "weighted"], ConfigError, "--step_scorer"),
        (["?", *flags, "--vote", "all"], ConfigError, "majority, weighted, best_of_n"),
        (["?", *flags, "--input", "x"], ConfigError, "exclude"),
        (["?", *flags, "--engine", "vllm", "--load-in-4bit"], ConfigError, "vllm"),
        ([str(questions), *flags], DataError, "question_column"),
        (["?", *flags, "--few_shot", "nothing"], ConfigError, "gsm8k"),
        (["?", *flags, "--config", "nothing"], ConfigError, "cpu"),
    ]:
        with pytest.raises(error, match=message):
            main(command)


def test_few_shot_examples() -> None:
    shown = few_shot_pairs("gsm8k", "cot")
    assert len(shown) == 8 and all("\\boxed{" in solution for _, solution in shown)
    assert all(solution.startswith("```python\n") for _, solution in few_shot_pairs("math", "pot"))


def test_steps_are_coloured_on_a_terminal_only(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = SolvedSample("a\nb \\boxed{1}", "1", True, 5, ["a\n", "b \\boxed{1}"], [0.9, 0.2], 0.2)
    solution = Solution("?", "1", 0, vote(["1"]), [sample], 1)
    answers.show(solution, show_steps=True)
    assert capsys.readouterr().out.startswith("[0.90] a\n[0.20] b \\boxed{1}\nanswer      1\n")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    answers.show(solution, show_steps=True)
    out = capsys.readouterr().out
    assert "\x1b[32m[0.90]\x1b[0m" in out and "\x1b[31m[0.20]\x1b[0m" in out
    monkeypatch.setenv("NO_COLOR", "1")
    answers.show(solution, show_steps=True)
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["bf16", "8bit", "4bit", "cpu", "gpu24", "paper"])
def test_recipes_hold_known_keys_and_values(name: str) -> None:
    recipe = yaml.safe_load(recipe_path("solve", name).read_text())
    args = make_parser().parse_args(["?"])
    assert set(recipe) <= set(vars(args))
    vars(args).update(recipe)
    loading = SamplerConfig(**{name: getattr(args, name) for name in SamplerConfig.names()})
    settings = settings_of(args)
    assert loading.quantization == {"8bit": "8bit", "4bit": "4bit-double"}.get(name)
    if name == "paper":
        assert (settings.n, settings.adaptive) == (64, "off")
        assert next_round([], 0, settings.samples, settings.stopping) == 64


def test_without_any_word_it_asks_for_the_model() -> None:
    with pytest.raises(ConfigError, match="Give --model"):
        main([])
