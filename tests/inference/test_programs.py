"""Programs: what they print becomes the answer, and every example's program prints its answer."""

from pathlib import Path

import pytest
from replay import ReplaySampler

from trl_dsmath.data.few_shot import EXAMPLES
from trl_dsmath.errors import DsMathError
from trl_dsmath.generation import ToolSampler
from trl_dsmath.grading import Verdict, grade
from trl_dsmath.inference import Settings, load_benchmark, plan, run, score
from trl_dsmath.inference.evaluation_programs import with_output
from trl_dsmath.inference.extraction import strict_answer
from trl_dsmath.inference.run import read_samples


@pytest.fixture(scope="module", autouse=True)
def _wall() -> None:
    try:
        with_output(["print(1)"], few_shot=True)
    except DsMathError as error:
        pytest.skip(f"no sandbox on this machine: {error}")


def test_the_examples_programs_print_their_answers() -> None:
    examples = [*EXAMPLES["gsm8k"], *EXAMPLES["math"]]
    shown = with_output([example.program or "" for example in examples], few_shot=True)
    printed = [strict_answer(text, "formula", "program") for text in shown]
    assert grade(printed, [example.answer for example in examples]) == [Verdict.CORRECT] * 12


def test_programs_of_instruct_models_share_their_variables() -> None:
    shown = with_output(
        [
            "First\n```python\nx = 17\nprint(x)\n```\nthen\n```python\nprint(x + 1)\n```\n",
            "No program at all.",
            "```python\nraise ValueError\n```",
            "```python\nimport socket; socket.socket(); print(1)\n```",
        ],
        few_shot=False,
    )
    assert [strict_answer(text, "number", "program") for text in shown] == ["18", None, None, None]


def test_tools_are_judged_by_the_text_and_by_the_program(benchmarks_dir: Path, tmp_path: Path) -> None:
    """The first problem: program and box right. The second: the last program is right, and its output is never seen."""
    program = "```python\nprint({})\n```\n```output\n"

    def tell(prompt: str, number: int) -> str:
        if "lorry" in prompt:
            return program.format("2 * 1250") if "1\n```" in prompt else program.format(1)
        return "So it is \\boxed{18}." if "18\n```" in prompt else program.format("3 * 6")

    problems = load_benchmark("gsm8k", benchmarks_dir)
    tasks = plan(problems, Settings(("gsm8k",), mode="tool"), "recorded")
    run(tasks, ToolSampler(ReplaySampler(tell)), tmp_path)
    rows = read_samples(tmp_path)
    assert rows[0]["completion"].endswith("```output\n18\n```\nSo it is \\boxed{18}.")
    figures = {f.reading: f.value for f in score(tasks, rows).figures}
    assert figures == {"flexible": 1.0, "strict": 0.5, "program": 1.0}
    assert [row["printed"] for row in rows] == ["18", "2500"] and not rows[1]["finished"]


def test_programs_end_to_end(benchmarks_dir: Path, tmp_path: Path) -> None:
    problems = load_benchmark("gsm8k", benchmarks_dir)
    tasks = plan(problems, Settings(("gsm8k",), mode="pot", few_shot=True), "recorded")
    run(tasks, ReplaySampler(lambda prompt, i: "x = 3\nprint(x * 6)\n```\n\nQuestion: more"), tmp_path)
    assert read_samples(tmp_path)[0]["completion"] == "```python\nx = 3\nprint(x * 6)\n```\n```output\n18\n```\n"
    assert {f.reading: f.value for f in score(tasks, read_samples(tmp_path)).figures} == {
        "flexible": 0.5,
        "strict": 0.5,
    }
