"""The numbers of the paper a second time, beside `paper.py`: a slip of the finger there would be in every default."""

from dataclasses import asdict

from trl_dsmath import paper


def test_checkpoint() -> None:
    assert asdict(paper.MODEL) == {
        "num_hidden_layers": 30,
        "hidden_size": 4_096,
        "num_attention_heads": 32,
        "intermediate_size": 11_008,
        "vocab_size": 102_400,
        "max_position_embeddings": 4_096,
    }


def test_corpus_and_pre_training() -> None:
    """Sections 2.1, 2.2.1 and 2.3."""
    assert asdict(paper.CORPUS) == {
        "positive_examples": 500_000,
        "negative_examples": 500_000,
        "vector_dimension": 256,
        "learning_rate": 0.1,
        "max_word_ngram": 3,
        "min_word_count": 3,
        "epochs": 3,
        "math_domain_share": 10 / 100,
        "iterations": 4,
        "stop_when_already_collected": 98 / 100,
        "pages": 35.5e6,
        "tokens": 120e9,
        "decontamination_ngram": 10,
        "decontamination_min_ngram": 3,
    }
    shares = {"math_corpus": 56, "algebraic_stack": 4, "arxiv": 10, "code": 20, "natural_language": 10}
    assert asdict(paper.PRETRAIN) == {
        "tokens": 500e9,
        "batch_tokens": 10e6,
        "max_length": 4_096,  # "4K"
        "learning_rate": 4.2e-4,
        "adam_beta1": 0.9,
        "adam_beta2": 0.95,
        "weight_decay": 0.1,
        "warmup_steps": 2_000,
        "first_drop_at": 80 / 100,
        "first_drop_factor": 31.6 / 100,
        "second_drop_at": 90 / 100,
        "second_drop_factor": 10 / 100,
        **{f"share_{name}": share / 100 for name, share in shares.items()},
    }
    assert sum(shares.values()) == 100


def test_instruction_tuning_and_reinforcement_learning() -> None:
    """Sections 3.1, 3.2, 4.1.4 and 4.2."""
    sft = {"examples": 776e3, "max_length": 4_096, "max_steps": 500, "batch_size": 256, "learning_rate": 5e-5}
    assert asdict(paper.SFT_STAGE) == {**sft, "lr_scheduler_type": "constant"}
    assert asdict(paper.REWARD_MODEL) == {"learning_rate": 2e-5}
    assert asdict(paper.GRPO_STAGE) == {
        "questions": 144e3,
        "learning_rate": 1e-6,
        "kl_coefficient": 0.04,
        "group_size": 64,
        "max_completion_length": 1_024,
        "batch_size": 1_024,
        "updates_per_exploration": 1,
        "replay_fraction": 10 / 100,
    }


def test_evaluation_and_tools() -> None:
    assert asdict(paper.EVALUATION) == {"temperature": 0.7, "votes": 64, "max_new_tokens": 1_024}
    assert asdict(paper.TOOL_USE) == {"rounds": 2, "timeout": 10.0, "output_chars": 100, "error_tokens": 100}


def test_results() -> None:
    """Tables 2, 3 and 5, and the abstract."""
    base = {"gsm8k": 64.2, "math": 36.2, "ocw": 15.4, "sat": 84.4, "mmlu_stem": 56.5, "cmath": 71.7}
    rows = {
        ("base", "cot"): {**base, "gaokao_mathcloze": 20.3, "gaokao_mathqa": 35.3},
        ("base", "pot"): {"gsm8k": 66.9, "math": 31.4},
        ("instruct", "cot"): {"gsm8k": 82.9, "math": 46.8, "mgsm_zh": 73.2, "cmath": 84.6},
        ("instruct", "tool"): {"gsm8k": 83.7, "math": 57.4, "mgsm_zh": 72.0, "cmath": 84.3},
        ("rl", "cot"): {"gsm8k": 88.2, "math": 51.7, "mgsm_zh": 79.6, "cmath": 88.8},
        ("rl", "tool"): {"gsm8k": 86.7, "math": 58.8, "mgsm_zh": 78.4, "cmath": 87.6},
        ("rl", "maj@64"): {"math": 60.9},
    }
    assert {(*key, name): value for key, row in rows.items() for name, value in row.items()} == paper.RESULTS
