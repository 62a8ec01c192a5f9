"""Every number that the package takes from DeepSeekMath (arXiv 2402.03300), each with its section or table.

Nothing else in the package repeats one of these numbers: configs, recipes, reports and tests read them here. `tests/test_paper.py`
holds them a second time.
Where the circulating summaries of the paper differ from it, the paper's own value stands here and `docs/background/differences.md`
says so once.
"""

from dataclasses import dataclass

ARXIV_ID = "2402.03300"
TITLE = "DeepSeekMath: Pushing the Limits of Mathematical Reasoning in Open Language Models"
CARD_PAPER = {  # the form in which TRL's model cards take it
    "title": TITLE,
    "id": ARXIV_ID,
    "citation": (
        "@article{shao2024deepseekmath,\n"
        f"    title   = {{{{{TITLE}}}}},\n"
        "    author  = {Zhihong Shao and Peiyi Wang and Qihao Zhu and Runxin Xu and Junxiao Song and Xiao Bi and "
        "Haowei Zhang and Mingchuan Zhang and Y. K. Li and Y. Wu and Daya Guo},\n"
        "    year    = 2024,\n"
        f"    eprint  = {{arXiv:{ARXIV_ID}}},\n"
        "}"
    ),
}


@dataclass(frozen=True)
class ModelShape:
    """Shape of the published 7B checkpoints (their `config.json`; summaries that say 32 layers are wrong)."""

    num_hidden_layers: int = 30
    hidden_size: int = 4096
    num_attention_heads: int = 32
    intermediate_size: int = 11008
    vocab_size: int = 102400
    max_position_embeddings: int = 4096


@dataclass(frozen=True)
class Corpus:
    """§2.1: the mathematical corpus and the fastText classifier that finds it."""

    positive_examples: int = 500_000
    negative_examples: int = 500_000
    vector_dimension: int = 256
    learning_rate: float = 0.1
    max_word_ngram: int = 3
    min_word_count: int = 3
    epochs: int = 3
    math_domain_share: float = 0.10  # a domain with more than 10 % of its pages collected is a mathematical one
    iterations: int = 4
    stop_when_already_collected: float = 0.98
    pages: int = 35_500_000
    tokens: int = 120_000_000_000
    decontamination_ngram: int = 10
    decontamination_min_ngram: int = 3  # benchmark texts of 3 to 9 words: exact match


@dataclass(frozen=True)
class Pretrain:
    """§2.2.1 (optimizer and schedule) and §2.3 (DeepSeekMath-Base 7B)."""

    tokens: int = 500_000_000_000
    batch_tokens: int = 10_000_000
    max_length: int = 4096
    learning_rate: float = 4.2e-4
    adam_beta1: float = 0.9
    adam_beta2: float = 0.95
    weight_decay: float = 0.1
    warmup_steps: int = 2000
    first_drop_at: float = 0.8
    first_drop_factor: float = 0.316
    second_drop_at: float = 0.9
    second_drop_factor: float = 0.1  # of the peak, not of the rate before the drop
    share_math_corpus: float = 0.56
    share_algebraic_stack: float = 0.04
    share_arxiv: float = 0.10
    share_code: float = 0.20
    share_natural_language: float = 0.10


@dataclass(frozen=True)
class SFT:
    """§3.1 (data) and §3.2 (training of DeepSeekMath-Instruct 7B)."""

    examples: int = 776_000
    max_length: int = 4096
    max_steps: int = 500
    batch_size: int = 256
    learning_rate: float = 5e-5
    lr_scheduler_type: str = "constant"


@dataclass(frozen=True)
class RewardModel:
    """§4.2: training of the reward model."""

    learning_rate: float = 2e-5


@dataclass(frozen=True)
class GRPO:
    """§4.2 (training of DeepSeekMath-RL 7B) and §4.1.4, Algorithm 1 (iteration)."""

    questions: int = 144_000
    learning_rate: float = 1e-6
    kl_coefficient: float = 0.04
    group_size: int = 64
    max_completion_length: int = 1024
    batch_size: int = 1024
    updates_per_exploration: int = 1
    replay_fraction: float = 0.10


@dataclass(frozen=True)
class Evaluation:
    """Figure 7 (temperature of maj@k and pass@k), the abstract (64 votes), and the authors' harness (length)."""

    temperature: float = 0.7
    votes: int = 64
    max_new_tokens: int = 1024


@dataclass(frozen=True)
class ToolUse:
    """Tool-integrated form of the authors' harness (github.com/deepseek-ai/DeepSeek-Math, `evaluation/`).

    The length of shown output and the number of rounds are theirs; the paper itself gives neither.
    """

    rounds: int = 2  # times that the model writes: it sees the output of the programs of all rounds but the last
    timeout: float = 10.0  # seconds
    output_chars: int = 100  # longer output is cut to its first and last halves
    error_tokens: int = 100


MODEL = ModelShape()
CORPUS = Corpus()
PRETRAIN = Pretrain()
SFT_STAGE = SFT()
REWARD_MODEL = RewardModel()
GRPO_STAGE = GRPO()
TOOL_USE = ToolUse()
EVALUATION = Evaluation()

# Published accuracy in percent. Keys: (model, mode, benchmark).
# Base: Tables 2 (few-shot chain of thought) and 3 (few-shot program). Instruct and RL: Table 5. maj@64: abstract.
RESULTS: dict[tuple[str, str, str], float] = {
    ("base", "cot", "gsm8k"): 64.2,
    ("base", "cot", "math"): 36.2,
    ("base", "cot", "ocw"): 15.4,
    ("base", "cot", "sat"): 84.4,
    ("base", "cot", "mmlu_stem"): 56.5,
    ("base", "cot", "cmath"): 71.7,
    ("base", "cot", "gaokao_mathcloze"): 20.3,
    ("base", "cot", "gaokao_mathqa"): 35.3,
    ("base", "pot", "gsm8k"): 66.9,
    ("base", "pot", "math"): 31.4,
    ("instruct", "cot", "gsm8k"): 82.9,
    ("instruct", "cot", "math"): 46.8,
    ("instruct", "cot", "mgsm_zh"): 73.2,
    ("instruct", "cot", "cmath"): 84.6,
    ("instruct", "tool", "gsm8k"): 83.7,
    ("instruct", "tool", "math"): 57.4,
    ("instruct", "tool", "mgsm_zh"): 72.0,
    ("instruct", "tool", "cmath"): 84.3,
    ("rl", "cot", "gsm8k"): 88.2,
    ("rl", "cot", "math"): 51.7,
    ("rl", "cot", "mgsm_zh"): 79.6,
    ("rl", "cot", "cmath"): 88.8,
    ("rl", "tool", "gsm8k"): 86.7,
    ("rl", "tool", "math"): 58.8,
    ("rl", "tool", "mgsm_zh"): 78.4,
    ("rl", "tool", "cmath"): 87.6,
    ("rl", "maj@64", "math"): 60.9,
}
