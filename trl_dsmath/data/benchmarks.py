"""The table of benchmarks: where each is, how its answers are read, and how many examples a base model is shown.

The hub names were not tried where this was written (no hub); the local files are those of the paper's own harness.
"""

from dataclasses import dataclass
from typing import Literal

from ..errors import ConfigError

# What an answer is. "several": values in a fixed order, as a gap text has them.
Kind = Literal["number", "formula", "choice", "several"]


@dataclass(frozen=True)
class Benchmark:
    """
    A test set.

    Attributes:
        title (`str`):
            Name for people.
        size (`int`):
            Number of problems of the test set that the published figures are over.
        kind (`str`):
            What an answer is: `"number"`, `"formula"`, `"choice"` or `"several"`.
        file (`str`):
            Its place below `--benchmarks_dir`.
        hub (`str`):
            Its name on the hub.
        hub_configs (`tuple[str | None, ...]`):
            Configurations there; the rows of all are taken.
        hub_split (`str`):
            Split there.
        chinese (`bool`):
            Whether the questions are Chinese.
        shots (`int`):
            Examples for a base model in the published harness; 0 where the paper has none.
        examples (`str`):
            Which examples of [`trl_dsmath.data.few_shot`] a base model is shown.
        published (`str`, *optional*):
            Under which name `paper.RESULTS` holds its figures.
        subjects (`frozenset[str]`, *optional*):
            Rows of these subjects only, on the hub.
    """

    title: str
    size: int
    kind: Kind
    file: str
    hub: str
    hub_configs: tuple[str | None, ...] = (None,)
    hub_split: str = "test"
    chinese: bool = False
    shots: int = 0
    examples: str = ""
    published: str | None = None
    subjects: frozenset[str] = frozenset()


_MATH_SUBJECTS = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)
_STEM = frozenset(
    {
        "abstract_algebra",
        "astronomy",
        "college_biology",
        "college_chemistry",
        "college_computer_science",
        "college_mathematics",
        "college_physics",
        "computer_security",
        "conceptual_physics",
        "electrical_engineering",
        "elementary_mathematics",
        "high_school_biology",
        "high_school_chemistry",
        "high_school_computer_science",
        "high_school_mathematics",
        "high_school_physics",
        "high_school_statistics",
        "machine_learning",
    }
)

BENCHMARKS: dict[str, Benchmark] = {
    "gsm8k": Benchmark(
        "GSM8K", 1319, "number", "gsm8k/test.jsonl", "openai/gsm8k", ("main",), "test", False, 8, "gsm8k", "gsm8k"
    ),
    "math": Benchmark(
        "MATH",
        5000,
        "formula",
        "math/test.jsonl",
        "EleutherAI/hendrycks_math",
        _MATH_SUBJECTS,
        "test",
        False,
        4,
        "math",
        "math",
    ),
    "math500": Benchmark(
        "MATH-500",
        500,
        "formula",
        "math500/test.jsonl",
        "HuggingFaceH4/MATH-500",
        shots=4,
        examples="math",
        published="math",
    ),
    "ocw": Benchmark(
        "OCW courses",
        272,
        "formula",
        "ocw/test.jsonl",
        "math-ai/minervamath",
        shots=4,
        examples="ocw",
        published="ocw",
    ),
    "sat": Benchmark(
        "SAT",
        32,
        "choice",
        "sat/test.jsonl",
        "mcaleste/sat_multiple_choice_math_may_23",
        hub_split="train",
        shots=4,
        examples="sat",
        published="sat",
    ),
    "mmlu_stem": Benchmark(
        "MMLU-STEM",
        3018,
        "choice",
        "mmlu_stem/test.jsonl",
        "cais/mmlu",
        ("all",),
        shots=4,
        examples="mmlu_stem",
        published="mmlu_stem",
        subjects=_STEM,
    ),
    "cmath": Benchmark(
        "CMATH",
        1098,
        "number",
        "cmath/test.jsonl",
        "weitianwen/cmath",
        chinese=True,
        shots=6,
        examples="cmath",
        published="cmath",
    ),
    "mgsm_zh": Benchmark(
        "MGSM-zh",
        250,
        "number",
        "mgsm_zh/test.jsonl",
        "juletxara/mgsm",
        ("zh",),
        chinese=True,
        examples="cmath",
        published="mgsm_zh",
    ),
    "gaokao_mathcloze": Benchmark(
        "GaoKao MathCloze",
        118,
        "several",
        "gaokao/gaokao-mathcloze.jsonl",
        "hails/agieval-gaokao-mathcloze",
        chinese=True,
        shots=5,
        examples="gaokao_mathcloze",
        published="gaokao_mathcloze",
    ),
    "gaokao_mathqa": Benchmark(
        "GaoKao MathQA",
        351,
        "choice",
        "gaokao/gaokao-mathqa.jsonl",
        "hails/agieval-gaokao-mathqa",
        chinese=True,
        shots=5,
        examples="gaokao_mathqa",
        published="gaokao_mathqa",
    ),
    "aime24": Benchmark(
        "AIME 2024",
        30,
        "number",
        "aime24/test.jsonl",
        "HuggingFaceH4/aime_2024",
        hub_split="train",
        examples="math",
    ),
    "aime25": Benchmark("AIME 2025", 30, "number", "aime25/test.jsonl", "math-ai/aime25", examples="math"),
}


def find(name: str) -> Benchmark:
    """The benchmark of a name; hyphens and capitals do not matter.

    Raises:
        ConfigError: there is none.
    """
    known = canonical(name)
    if known not in BENCHMARKS:
        raise ConfigError(f"There is no benchmark {name!r}. There are: {', '.join(BENCHMARKS)}.")
    return BENCHMARKS[known]


def canonical(name: str) -> str:
    """`MATH-500`, `GSM8K`, `gaokao-mathqa` as the table spells them."""
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    return next((known for known in BENCHMARKS if known.replace("_", "") == plain.replace("_", "")), plain)
