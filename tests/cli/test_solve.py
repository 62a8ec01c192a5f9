"""`dsmath solve` and its recipe script as a user calls them."""

import json
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import Script

from trl_dsmath.cli import main as dsmath
from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.inference.stopping import next_round
from trl_dsmath.scripts import ScriptParser, recipe_script

SCRIPT = recipe_script("solve")


def main(argv: list[str]) -> int:
    """What the script does, in this process and without `run_script`, so that errors come out."""
    before, sys.argv = sys.argv, [str(SCRIPT), *argv]
    try:
        return runpy.run_path(str(SCRIPT))["main"]() or 0
    finally:
        sys.argv = before


def parse(argv: list[str]) -> tuple:
    """The dataclasses of the script."""
    before, sys.argv = sys.argv, [str(SCRIPT), *argv]
    try:
        return ScriptParser(runpy.run_path(str(SCRIPT))["ARGUMENTS"]).parse_args_and_config()
    finally:
        sys.argv = before


RUN = [sys.executable, str(SCRIPT)]


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
    assert "1 questions are solved in" in capsys.readouterr().err
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

    process = Script(SCRIPT, questions, "--output", killed, *settings)
    samples = tmp_path / "killed.samples.jsonl"
    while process.poll() is None and (not samples.exists() or samples.stat().st_size < 1000):
        time.sleep(0.01)
    process.kill()
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


def test_both_spellings_and_bare_switches(flags: list[str], capsys: pytest.CaptureFixture) -> None:
    """A switch before the question does not take it for its value."""
    for spelling in ("--plain-prompts", "--plain_prompts"):
        assert main([spelling, "What is 1+1?", "--top-p", "0.5", *flags]) == 0
        assert "answer      " in capsys.readouterr().out
    *_, model = parse(["--load-in-4bit", "false", "--model", "m"])
    assert not model.load_in_4bit
    *_, model = parse(["--load-in-4bit", "--model", "m", "--revision", "r", "--torch_dtype", "bf16"])
    assert model.load_in_4bit and model.quantization == "4bit-double"
    assert (model.model_name_or_path, model.model_revision, model.dtype) == ("m", "r", "bf16")


def test_a_misspelt_flag_gets_a_near_name(capsys: pytest.CaptureFixture) -> None:
    assert dsmath(["solve", "--temprature", "0.5", "1+1"]) == 2
    error = capsys.readouterr().err
    assert "dsmath solve: Unknown flag --temprature. Did you mean temperature" in error and error.count("\n") == 1


def test_help_fits_on_a_page() -> None:
    began = time.process_time()
    done = subprocess.run([*RUN, "--help"], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) < 80 and "--adaptive {exact,beta,off}" in done.stdout
    code = (
        f"import runpy, sys; sys.argv = ['solve.py', '--help']; runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    )
    loaded = "import atexit, sys; atexit.register(lambda: print('torch' in sys.modules)); "
    done = subprocess.run([sys.executable, "-c", loaded + code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")  # quick, because torch is not loaded
    assert time.process_time() - began < 3  # of this process: it starts them and waits


def test_settings_that_cannot_work(flags: list[str], tmp_path: Path) -> None:
    questions = tmp_path / "q.jsonl"
    questions.write_text('{"sentence": "1+1?"}\n')
    for command, error, message in [
        (["?"], ConfigError, "--model"),
        (["?", "--model", "nowhere", "--temperature", "-1"], ConfigError, "temperature must be 0 .* not -1"),
        (["?", *flags, "--show-steps"], ConfigError, "--step_scorer"),
        (["?", *flags, "--vote", "weighted"], ConfigError, "--step_scorer"),
        (["?", *flags, "--vote", "all"], ConfigError, "'majority', 'weighted', 'best_of_n'"),
        (["?", *flags, "--input", "x"], ConfigError, "exclude"),
        (["?", *flags, "--engine", "vllm", "--load-in-4bit"], ConfigError, "vllm"),
        ([str(questions), *flags], DataError, "question_column"),
        (["?", *flags, "--few_shot", "nothing"], ConfigError, "gsm8k"),
        (["?", *flags, "--config", "nothing"], ConfigError, "cpu"),
    ]:
        with pytest.raises(error, match=message):
            main(command)


@pytest.mark.parametrize("name", ["bf16", "8bit", "4bit", "cpu", "gpu24", "paper"])
def test_recipes_hold_known_keys_and_values(name: str) -> None:
    *_, config, model = parse(["--config", name])
    assert model.quantization == {"8bit": "8bit", "4bit": "4bit-double"}.get(name)
    if name == "paper":
        assert (config.n, config.adaptive) == (64, "off")
        assert next_round([], 0, config.samples, config.stopping) == 64


def test_without_any_word_it_asks_for_the_model() -> None:
    with pytest.raises(ConfigError, match="model_name_or_path"):
        main([])
