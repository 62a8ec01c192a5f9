"""What a model is asked for a problem of a benchmark."""

from ..data.benchmarks import Problem, find
from ..data.few_shot import EXAMPLES
from ..data.prompts import BuiltPrompt, Mode, build_prompt


def ask(problem: Problem, mode: Mode, few_shot: bool, plain: bool) -> BuiltPrompt:
    """The prompt of a problem; with `few_shot`, after the examples of its benchmark. See [`build_prompt`]."""
    examples = EXAMPLES[find(problem.benchmark).examples] if few_shot else ()
    return build_prompt(problem.question, mode, examples, plain)
