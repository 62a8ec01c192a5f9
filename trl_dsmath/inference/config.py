"""What a [`Solver`] and an evaluation are configured by; both fit [`~trl.TrlParser`], with the same names in YAML and code."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from ..data.benchmarks import BENCHMARKS, canonical, find
from ..data.few_shot import EXAMPLES, Example
from ..data.files import read_jsonl
from ..data.prompts import PromptArguments, build_prompt
from ..data.reading import AnswerFilter
from ..errors import ConfigError, DataError
from ..generation import Decoding
from ..grading.batch import TIME_LIMIT
from ..paper import EVALUATION
from .stopping import Adaptive

Mode = Literal["cot", "tool", "pot"]
VoteRule = Literal["majority", "weighted", "best_of_n"]
Aggregation = Literal["min", "product", "last"]
FewShot = Sequence[tuple[str, str]]

# Not in the paper, which draws at 0.7: the values of the summary of it that circulates.
TEMPERATURE = 0.6
TOP_P = 0.95
PAPERS_TEN = tuple(name for name in BENCHMARKS if not name.startswith("aime"))


@dataclass
class SolveConfig(PromptArguments):
    r"""
    Configuration of a [`Solver`]: [`PromptArguments`], and how samples are drawn, read and counted.

    Args:
        mode (`str`, *optional*, defaults to `"cot"`):
            `"cot"`: chain of thought. `"tool"`: reasoning with programs whose output the model sees. `"pot"`: one
            program, whose last printed line is the answer.
        n (`int`, *optional*, defaults to `64`):
            Samples per question, at most. Greedy decoding draws one.
        vote (`str`, *optional*, defaults to `"majority"`):
            `"majority"`; `"weighted"`: each sample weighs its score; `"best_of_n"`: the best-scored sample's answer. The
            last two need a step scorer.
        aggregation (`str`, *optional*, defaults to `"min"`):
            How the scores of the steps become one: `"min"`, `"product"` or `"last"`.
        adaptive (`str`, *optional*, defaults to `"exact"`):
            `"exact"`: stop as soon as the samples left cannot change the answer. `"beta"`: stop when the leader is
            probably (0.99) ahead; the answer can differ. `"off"`: draw all. Best-of-N always draws all.
        temperature (`float`, *optional*, defaults to `0.6`):
            `0.0` is greedy.
        top_p (`float`, *optional*, defaults to `0.95`):
            Share of the probability that is sampled from.
        max_new_tokens (`int`, *optional*, defaults to `1024`):
            Longest sample.
        seed (`int`, *optional*, defaults to `0`):
            Seed of all random streams.
        few_shot (`str` or `Sequence[tuple[str, str]]`, *optional*):
            Worked examples for a base model: `"gsm8k"`, `"math"` or `"cmath"`, a .jsonl file of `question` and
            `solution`, or pairs of them.
        answer_filter (`str`, *optional*, defaults to `"stated"`):
            `"stated"`: the answer that a sample names (a box, `####`, "the answer is"). `"flexible"`: also its last formula or
            number, as the flexible metric of an evaluation. A sample that was cut off has an answer only in a box.
        step_separator (`str`, *optional*, defaults to `"\n"`):
            What ends a step, for the step scorer; see [`~text.steps.step_spans`].
        problems_at_once (`int`, *optional*, defaults to `16`):
            Questions worked on together, to fill batches. It does not change what is drawn.

    Raises:
        ConfigError: a value that cannot work.

    Source: 64 votes are the paper's (abstract), 1,024 tokens its harness's; temperature and top-p are those of the
    summary of the paper that circulates.
    """

    mode: Mode = field(
        default="cot", metadata={"help": "Reasoning, with programs whose output the model sees, or one program."}
    )
    n: int = field(default=EVALUATION.votes, metadata={"help": "Samples per question, at most."})
    vote: VoteRule = field(default="majority", metadata={"help": "The last two need a step scorer."})
    aggregation: Aggregation = field(default="min", metadata={"help": "One score out of those of the steps."})
    adaptive: Adaptive = field(default="exact", metadata={"help": "When a vote may stop early."})
    temperature: float = field(default=TEMPERATURE, metadata={"help": "0 is greedy."})
    top_p: float = field(default=TOP_P, metadata={"help": "Share of the probability that is sampled from."})
    max_new_tokens: int = field(default=EVALUATION.max_new_tokens, metadata={"help": "Longest sample."})
    seed: int = field(default=0, metadata={"help": "Seed of all random streams."})
    # The parser reads the second type of the three: a name on the command line, pairs in code.
    few_shot: FewShot | str | None = field(
        default=None,
        metadata={
            "help": "Worked examples for a base model: gsm8k, math, cmath, or a .jsonl of question and solution."
        },
    )
    answer_filter: AnswerFilter = field(
        default="stated", metadata={"help": "An answer that is named, or (flexible) the last formula or number too."}
    )
    step_separator: str = field(default="\n", metadata={"help": "What ends a step, for the step scorer."})
    problems_at_once: int = field(default=16, metadata={"help": "Questions worked on together; changes only speed."})

    def __post_init__(self) -> None:
        if self.adaptive is False:  # YAML reads `off` as false
            self.adaptive = "off"
        self.step_separator = self.step_separator.replace("\\n", "\n")
        choices = {
            "mode": Mode,
            "vote": VoteRule,
            "aggregation": Aggregation,
            "adaptive": Adaptive,
            "answer_filter": AnswerFilter,
        }
        for name, kind in choices.items():
            if getattr(self, name) not in get_args(kind):
                raise ConfigError(f"{name} must be one of {', '.join(get_args(kind))}, not {getattr(self, name)!r}.")
        for name in ("n", "problems_at_once"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not self.step_separator:
            raise ConfigError('step_separator is empty: set it to "\\n", or to the string that ends a step.')
        if self.adaptive == "beta" and self.vote == "weighted":
            raise ConfigError(
                "The Beta rule counts votes and knows no weights: use adaptive='exact', or vote='majority'."
            )
        self.examples = few_shot_examples(self.few_shot, self.mode)
        build_prompt("1+1?", self.mode, self.examples, **self.prompt_options())  # refuses what excludes each other
        self.decoding()  # refuses other values that cannot work

    def decoding(self, stop: tuple[str, ...] = ()) -> Decoding:
        """These settings as the engine takes them."""
        return Decoding(self.max_new_tokens, self.temperature, self.top_p, stop, self.seed)

    @property
    def samples(self) -> int:
        """Samples per question: one when nothing is random."""
        return self.n if self.temperature > 0 else 1

    @property
    def stopping(self) -> Adaptive:
        """The rule that applies: the best of N samples is not known before the last."""
        return "off" if self.vote == "best_of_n" else self.adaptive


@dataclass
class EvaluateConfig(PromptArguments):
    """
    Configuration of an evaluation: [`PromptArguments`], and what is asked and how samples are drawn.

    Args:
        benchmarks (`list[str]`, *optional*):
            Names of the benchmarks, also separated by commas; `"all"` is the paper's ten.
        benchmarks_dir (`str`, *optional*):
            Folder with the test sets, or one file. If `None`, the hub.
        limit (`int`, *optional*):
            How many problems of each benchmark, from an order that is always the same. If `None`, all.
        output_dir (`str`, *optional*):
            Folder of samples and report.
        mode (`str`, *optional*, defaults to `"cot"`):
            `"cot"`, `"tool"` or `"pot"`, as in [`SolveConfig`].
        few_shot (`bool`, *optional*, defaults to `False`):
            Worked examples (base models) instead of the instruction.
        greedy (`bool`, *optional*, defaults to `True`):
            Whether to draw one greedy sample per problem.
        num_samples (`int`, *optional*, defaults to `0`):
            Samples per problem at `temperature`, for avg@k, maj@k and pass@k.
        temperature (`float`, *optional*, defaults to `0.7`):
            Temperature of these samples.
        top_p (`float`, *optional*, defaults to `1.0`):
            Share of the probability that they are sampled from.
        max_new_tokens (`int`, *optional*, defaults to `1024`):
            Longest sample.
        seed (`int`, *optional*, defaults to `0`):
            Seed of the samples.
        time_limit (`float`, *optional*, defaults to `5.0`):
            Seconds for judging one answer.
        samples_at_once (`int`, *optional*, defaults to `4096`):
            Samples that the engine is given at a time. It changes neither batches nor writes, except with vLLM in this
            process, which returns all at once.

    Raises:
        ConfigError: a value that cannot work.

    Source: Figure 7 (temperature of maj@k and pass@k); 1,024 tokens and greedy decoding: the authors' harness.
    """

    benchmarks: list[str] = field(
        default_factory=list, metadata={"help": f"{', '.join(BENCHMARKS)}; or all, the paper's ten."}
    )
    benchmarks_dir: str | None = field(
        default=None, metadata={"help": "Folder with the test sets, or one file; default: the hub."}
    )
    limit: int | None = field(default=None, metadata={"help": "Problems of each benchmark, spread over it."})
    output_dir: str | None = field(default=None, metadata={"help": "Folder of samples and report."})
    mode: Mode = field(
        default="cot", metadata={"help": "Reasoning, with programs whose output the model sees, or one program."}
    )
    few_shot: bool = field(default=False, metadata={"help": "Worked examples instead of the instruction."})
    greedy: bool = field(default=True, metadata={"help": "One greedy sample per problem."})
    num_samples: int = field(default=0, metadata={"help": "Samples per problem for avg@k, maj@k, pass@k."})
    temperature: float = field(default=EVALUATION.temperature, metadata={"help": "Temperature of these."})
    top_p: float = field(default=1.0, metadata={"help": "Share of the probability that they are sampled from."})
    max_new_tokens: int = field(default=EVALUATION.max_new_tokens, metadata={"help": "Longest sample."})
    seed: int = field(default=0, metadata={"help": "Seed of the samples."})
    time_limit: float = field(default=TIME_LIMIT, metadata={"help": "Seconds for judging one answer."})
    samples_at_once: int = field(default=4096, metadata={"help": "Samples that the engine is given at a time."})

    def __post_init__(self) -> None:
        given: Any = self.benchmarks or []
        words = ",".join([given] if isinstance(given, str) else given).split(",")
        names = [word.strip() for word in words if word.strip()]
        self.benchmarks = list(PAPERS_TEN) if names == ["all"] else list(dict.fromkeys(map(canonical, names)))
        for name in self.benchmarks:
            find(name)
        if self.mode not in get_args(Mode):
            raise ConfigError(f"mode must be one of {', '.join(get_args(Mode))}, not {self.mode!r}.")
        if self.num_samples < 0 or not (self.greedy or self.num_samples):
            raise ConfigError("Nothing to draw: leave greedy on, or set num_samples to 1 or more.")
        for name in ("limit", "samples_at_once"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1, not {value}.")
        if self.num_samples and self.temperature == 0:
            raise ConfigError(
                "With temperature 0 all samples are the same: set a temperature above 0 for num_samples."
            )
        self.decodings()  # refuses other values that cannot work

    def decodings(self, stop: tuple[str, ...] = ()) -> dict[str, tuple[Decoding, int]]:
        """By name (`greedy`, `sampled`) how samples are drawn, and how many per problem."""
        sampled = Decoding(self.max_new_tokens, self.temperature, self.top_p, stop, self.seed)
        found = {}
        if self.greedy:
            found["greedy"] = (Decoding(self.max_new_tokens, 0.0, 1.0, stop, self.seed), 1)
        if self.num_samples:
            found["sampled"] = (sampled, self.num_samples)
        return found


def few_shot_examples(few_shot: FewShot | str | None, mode: Mode = "cot") -> tuple[Example, ...]:
    """
    Worked examples: those of a benchmark, the rows of a file, or pairs of question and solution, as in [`SolveConfig`].

    Raises:
        ConfigError: there are none of that name, or none for the mode.
        DataError: a row of the file has no question or no solution.
    """
    if not few_shot:
        return ()
    if mode == "tool":
        raise ConfigError("mode 'tool' is asked for without examples, as in the paper: leave few_shot out.")
    if not isinstance(few_shot, str):
        return tuple(Example(question, solution) for question, solution in few_shot)
    if Path(few_shot).is_file():
        rows, _ = read_jsonl(Path(few_shot))
        if not all(row.get("question") and row.get("solution") for row in rows):
            raise DataError(f"{few_shot}: each line of worked examples needs `question` and `solution`.")
        return tuple(Example(row["question"], row["solution"]) for row in rows)
    if few_shot not in EXAMPLES:
        raise ConfigError(f"There are no worked examples {few_shot!r}: name a .jsonl file, or {', '.join(EXAMPLES)}.")
    if mode == "pot" and any(example.program is None for example in EXAMPLES[few_shot]):
        raise ConfigError(f"The worked examples of {few_shot} have no programs: use gsm8k or math, or your own file.")
    return tuple(EXAMPLES[few_shot])
