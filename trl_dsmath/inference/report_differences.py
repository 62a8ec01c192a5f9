"""What an evaluation does otherwise than the paper, in words for the report."""

from collections.abc import Sequence

from ..data.benchmarks import BENCHMARKS
from ..paper import EVALUATION
from .run import Task


def title_of(name: str) -> str:
    """The name of a benchmark for people."""
    return BENCHMARKS[name].title if name in BENCHMARKS else name


def differences(tasks: Sequence[Task], unpublished: Sequence[str]) -> list[str]:
    """What differs from the published protocol; `unpublished` are benchmarks without a published metric in this mode."""
    names = list(dict.fromkeys(task.problem.benchmark for task in tasks))
    found = [
        "Answers are judged by `trl_dsmath.grading`, not by the authors' grader. Theirs also accepts an answer that is "
        "100 times too large or too small, numbers that differ by less than 0.001, and compares OCW's formulas as strings."
    ]
    if any(task.decoding == "recorded" for task in tasks):
        found.append("The completions were recorded elsewhere: prompt, model and decoding are not known here.")
    counts = {name: len({task.problem.index for task in tasks if task.problem.benchmark == name}) for name in names}
    part = [name for name in names if name in BENCHMARKS and counts[name] != BENCHMARKS[name].size]
    if part:
        found.append(
            "Not the whole test set: "
            + ", ".join(f"{title_of(name)} {counts[name]:,} of {BENCHMARKS[name].size:,}" for name in part)
            + ". The interval covers the choice of problems; the published metrics are over all."
        )
    shown = [name for name in names if any(t.form == "sentence" for t in tasks if t.problem.benchmark == name)]
    programs = [task for task in tasks if task.mode == "pot"]
    few_shot = [name for name in names if name in shown or any(task.opening for task in programs)]
    if few_shot:
        found.append(
            "The worked examples are of our own wording, in the published number, and their form (question, solution, "
            "closing sentence) is the same for all benchmarks."
        )
        if "ocw" in few_shot:
            found.append("OCW: 4 examples, as the authors' file is named; the file itself holds 8.")
        bare = [title_of(name) for name in few_shot if name in BENCHMARKS and not BENCHMARKS[name].shots]
        if bare:
            found.append(f"The paper shows no examples for {', '.join(bare)}; those of a similar benchmark were used.")
        found.append("Few-shot prompts are how the paper tests Base; its Instruct and RL metrics are zero-shot.")
    elif any(task.form == "box" for task in tasks) and any(task.decoding != "recorded" for task in tasks):
        found.append("Zero-shot prompts are how the paper tests Instruct and RL; its Base metrics are few-shot.")
    if programs and not few_shot:
        found.append(
            "Zero-shot programs: the authors' tool prompt, the programs of the first round run once. The paper has no such "
            "metric."
        )
    elif programs:
        found.append(
            "All programs print their answer; the authors' call `solution()` (GSM8K) or read `answer` (MATH)."
        )
    if "math500" in names:
        found.append("MATH-500 is a subset of 500 problems; the published metrics are over the 5,000 of MATH.")
    if any(task.decoding == "sampled" for task in tasks):
        sampling = next(task.sampling for task in tasks if task.decoding == "sampled")
        found.append(
            f"Samples are drawn at temperature {sampling.temperature:g}, top-p {sampling.top_p:g}; the paper's Figure 7 has "
            "0.7, and it does not say at which temperature its maj@64 was measured."
        )
    lengths = sorted({task.sampling.max_new_tokens for task in tasks if task.decoding != "recorded"})
    if any(length != EVALUATION.max_new_tokens for length in lengths):
        found.append(f"Samples have at most {', '.join(map(str, lengths))} tokens; the authors' harness allows 1,024.")
    if unpublished:
        found.append(f"No published metric in this mode: {', '.join(map(title_of, unpublished))}.")
    return found
