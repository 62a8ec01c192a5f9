"""The report's table of the paper's own figures beside each stage, and what each would take."""

from typing import Any

from ..paper import CORPUS, EVALUATION, GRPO_STAGE, MODEL, PRETRAIN, RESULTS, REWARD_MODEL, SFT_STAGE
from .settings import POLICIES, STAGES

_H100_FLOPS = 0.4 * 989e12  # bfloat16, dense, at 40 % of the peak
HEADING = ["stage", "here", "DeepSeekMath 7B", "what that takes"]


def parameters() -> int:
    """Weights of the published 7B, by its shape: two embeddings, attention and feed-forward; norms are left out."""
    layer = 4 * MODEL.hidden_size**2 + 3 * MODEL.hidden_size * MODEL.intermediate_size
    return 2 * MODEL.vocab_size * MODEL.hidden_size + MODEL.num_hidden_layers * layer


def h100_hours(tokens: float) -> float:
    """GPU hours to train on so many tokens: 6 operations a weight and token."""
    return 6 * parameters() * tokens / _H100_FLOPS / 3600


def _about(tokens: float) -> str:
    return f"{float(f'{h100_hours(tokens):.2g}'):,.0f} H100 hours"


def _published(model: str) -> str:
    return f"GSM8K {RESULTS[model, 'cot', 'gsm8k']} %, MATH {RESULTS[model, 'cot', 'math']} %"


def _here(stage: str, result: dict[str, Any]) -> str:
    if stage not in POLICIES:
        return result["line"].replace("->", "→")
    ways = (f"{result['right'][way] / result['problems']:.1%} {way}" for way in ("greedy", "sampled"))
    return ", ".join(ways)


def paper_table(results: dict[str, dict[str, Any]]) -> list[list[str]]:
    """A row a stage; what has not run here has a dash."""
    sft_tokens = SFT_STAGE.max_steps * SFT_STAGE.batch_size * SFT_STAGE.max_length
    grpo_tokens = GRPO_STAGE.questions * GRPO_STAGE.group_size * GRPO_STAGE.max_completion_length
    gib = results.get("quantize", {}).get("paper_gib")
    memory = "; ".join(f"{bits} bit {size:.1f} GiB" for bits, size in gib.items()) if gib else "—"
    theirs = {
        "corpus": (
            f"{CORPUS.pages / 1e6:.1f} million pages, {CORPUS.tokens / 1e9:.0f} billion tokens (§2.1)",
            f"a web crawl, {CORPUS.iterations} rounds, people who decide on sites: `recipes/corpus/paper.yaml`",
        ),
        "pretrain": (
            f"Base, few-shot: {_published('base')} (Table 2)",
            f"{PRETRAIN.tokens / 1e9:.0f} billion tokens: about {_about(PRETRAIN.tokens)}",
        ),
        "sft": (
            f"Instruct: {_published('instruct')} (Table 5)",
            f"{SFT_STAGE.max_steps} updates of {SFT_STAGE.batch_size} x {SFT_STAGE.max_length:,} tokens: about "
            f"{_about(sft_tokens)}",
        ),
        "annotate": (
            "no figure; labels by roll-outs, after Math-Shepherd (§4.1.3)",
            "a policy that reaches some right answers, and roll-outs from every step: `dsmath annotate`",
        ),
        "prm": (
            f"no accuracy is given; learning rate {REWARD_MODEL.learning_rate:g} (§4.2)",
            "a 7B with a classification head: `recipes/prm`; the form used here suits a toy only",
        ),
        "grpo": (
            f"RL: {_published('rl')} (Table 5)",
            f"{GRPO_STAGE.questions:,} questions x {GRPO_STAGE.group_size} samples of up to "
            f"{GRPO_STAGE.max_completion_length:,} tokens: about {_about(grpo_tokens)} for the updates, "
            "sampling not counted; `recipes/grpo/paper.yaml`",
        ),
        "step_grpo": (
            "process above outcome supervision in a curve of the 1.3B model; no table (§5.2)",
            "the same samples, and a reward model that reads each once",
        ),
        "solve": (
            f"RL, maj@{EVALUATION.votes} on MATH: {RESULTS['rl', f'maj@{EVALUATION.votes}', 'math']} % (abstract); "
            "RL lifts maj@K, not pass@K (§5.2.2)",
            f"{EVALUATION.votes} samples a problem: `dsmath solve`, `dsmath evaluate`",
        ),
        "quantize": (f"not in the paper; weights of a 7B of its shape: {memory}", "a card with room for one of these"),
    }
    rows = [[stage, _here(stage, results[stage]) if stage in results else "—", *theirs[stage]] for stage in STAGES]
    return [HEADING, *rows]
