"""Programs: what they print becomes the answer, and every example's program prints its answer."""

from pathlib import Path

import pytest
from replay import ReplaySampler

from trl_dsmath.data.few_shot import EXAMPLES
from trl_dsmath.errors import DsMathError
from trl_dsmath.generation import ToolSampler, run_completions
from trl_dsmath.grading import Verdict, grade
from trl_dsmath.inference import EvaluateConfig, Solver, load_benchmark, plan, read_samples, run, score


@pytest.fixture(scope="module", autouse=True)
def _sandbox() -> None:
    try:
        run_completions(["```python\nprint(1)\n```"])
    except DsMathError as error:
        pytest.skip(f"no sandbox on this machine: {error}")


def test_the_examples_programs_print_their_answers() -> None:
    examples = [*EXAMPLES["gsm8k"], *EXAMPLES["math"]]
    programs = run_completions([f"```python\n{example.program}\n```" for example in examples])
    printed = [program.answer if program else None for program in programs]
    assert grade(printed, [example.answer for example in examples]) == [Verdict.CORRECT] * 12


# A completion, and what its program says; `None`: no answer.
COMPLETIONS = [
    ("First\n```python\nx = 17\nprint(x)\n```\nthen\n```python\nprint(x + 1)\n```\n", "18"),
    ("```python\nx = 6\n```\nand\n```python\nprint(7 * x)", "42"),  # cut off at the closing fence
    ("```python\ndef solution():\n    return 5\n```", "5"),
    ("```python\nx = 6 * 7\nprint(x)\n```\nso \\boxed{1}", "42"),
    ("No program at all, \\boxed{1}.", None),
    ("```python\nprint(3)\nraise ValueError\n```", None),
    ("```python\nimport socket; socket.socket(); print(1)\n```", None),
]


def test_solver_and_evaluation_read_the_same_from_programs(benchmarks_dir: Path, tmp_path: Path) -> None:
    sampler = ReplaySampler(lambda prompt, number: COMPLETIONS[number][0])
    solution = Solver(sampler, n=len(COMPLETIONS), mode="pot", adaptive="off", temperature=1.0)("How many?")
    assert [sample.answer for sample in solution.samples] == [answer for _, answer in COMPLETIONS]
    assert "ValueError" in (solution.samples[5].output or "")

    config = EvaluateConfig(["gsm8k"], mode="pot", greedy=False, num_samples=len(COMPLETIONS), limit=1)
    tasks = plan(load_benchmark("gsm8k", benchmarks_dir), config, "recorded")
    run(tasks, sampler, tmp_path)
    graded = score(tasks, read_samples(tmp_path)).graded
    assert [one.answers["strict"] for one in graded] == [answer for _, answer in COMPLETIONS]


def test_tools_are_judged_by_the_text_and_by_the_program(benchmarks_dir: Path, tmp_path: Path) -> None:
    """The first problem: program and box right. The second: the last program is right, and its output is never seen."""
    program = "```python\nprint({})\n```\n```output\n"

    def tell(prompt: str, number: int) -> str:
        if "lorry" in prompt:
            return program.format("2 * 1250") if "1\n```" in prompt else program.format(1)
        return "So it is \\boxed{18}." if "18\n```" in prompt else program.format("3 * 6")

    problems = load_benchmark("gsm8k", benchmarks_dir)
    tasks = plan(problems, EvaluateConfig(("gsm8k",), mode="tool"), "recorded")
    run(tasks, ToolSampler(ReplaySampler(tell)), tmp_path)
    rows = read_samples(tmp_path)
    assert rows[0]["completion"].endswith("```output\n18\n```\nSo it is \\boxed{18}.")
    figures = {f.filter: f.value for f in score(tasks, rows).metrics}
    assert figures == {"flexible": 1.0, "strict": 0.5, "program": 1.0}
    assert [row["printed"] for row in rows] == ["18", "2500"] and not rows[1]["finished"]


def test_programs_end_to_end(benchmarks_dir: Path, tmp_path: Path) -> None:
    problems = load_benchmark("gsm8k", benchmarks_dir)
    tasks = plan(problems, EvaluateConfig(("gsm8k",), mode="pot", few_shot=True), "recorded")
    run(tasks, ReplaySampler(lambda prompt, i: "x = 3\nprint(x * 6)\n```\n\nQuestion: more"), tmp_path)
    assert read_samples(tmp_path)[0]["completion"] == "```python\nx = 3\nprint(x * 6)\n```\n```output\n18\n```\n"
    assert {f.filter: f.value for f in score(tasks, read_samples(tmp_path)).metrics} == {
        "flexible": 0.5,
        "strict": 0.5,
    }
