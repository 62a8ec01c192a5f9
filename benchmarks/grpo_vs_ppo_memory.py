"""Peak memory of PPO (TRL 1.12, the last release with it) and of our GRPO trainer, on one model and one reward model.

    python benchmarks/grpo_vs_ppo_memory.py --output benchmarks/results/grpo_vs_ppo_memory.md
    python benchmarks/grpo_vs_ppo_memory.py --environment FOLDER       (keep TRL 1.12's environment for the next time)

The paper's claim is in words: GRPO needs no value model, which is about as large as the policy (§4.1.1). "About half" is
what circulates. The arithmetic, in bytes a weight with Adam in float32: a trained model 16 (weights, gradients, two
states), a frozen one 4. PPO: policy 16 + critic 16 + reference 4 + reward model 4 = 40. GRPO with that reward model 24
(60 %), with a rule as the reward 20 (50 %), without the reference as well 16 (40 %).

Each arm is a process of its own. PPO's runs in an environment of its own: TRL 1.12 over this one's torch and
transformers, so that nothing but TRL differs. All arms: random weights, float32, AdamW, batches of 8 completions of a
fixed length, two updates, no gradient checkpointing. The peak is taken above the process without models: on a CPU of the
resident size, on a GPU of what torch allocated. It holds activations and, of PPO, the logits of every sampled token,
which TRL 1.12 keeps: what is measured are two implementations, not two formulas. So the bytes of weights, gradients and
states are listed beside it.
"""

import argparse
import gc
import json
import os
import resource
import site
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

TRL_OF_PPO = "1.12.0"
# TRL 1.12 imports `requests` without asking for it; the rest are what that one needs.
PACKAGES = [f"trl=={TRL_OF_PPO}", "requests", "urllib3", "idna", "charset_normalizer", "certifi"]
ARMS = {
    "PPO, TRL 1.12: critic, reference, reward model": 40,
    "GRPO: reference, same reward model": 24,
    "GRPO: reference, rule as reward": 20,
    "GRPO: rule as reward, beta 0": 16,
}
NAMES = list(ARMS)
VOCABULARY, PROMPT, BATCH = 4096, 16, 8
MB = 1e6


def make_environment(folder: Path) -> Path:
    """An environment with TRL 1.12 that finds all else in this one; its interpreter."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=False)
        packages = next(folder.glob("lib/python*/site-packages"))
        (packages / "outer.pth").write_text("\n".join(site.getsitepackages()) + "\n")
        install = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--target", str(packages)]
        subprocess.run([*install, *PACKAGES], check=True)
    return python


def save_models(folder: Path, hidden: int, layers: int) -> None:
    """A Llama with random weights, a reward model of the same shape, and a tokenizer of made-up words."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        LlamaConfig,
        LlamaForCausalLM,
        LlamaForSequenceClassification,
        PreTrainedTokenizerFast,
        set_seed,
    )

    words = {word: i for i, word in enumerate(["<bos>", "<eos>", "<pad>", *(f"w{i}" for i in range(VOCABULARY - 3))])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special: dict[str, Any] = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}
    set_seed(0)
    shape = {
        "vocab_size": VOCABULARY,
        "hidden_size": hidden,
        "intermediate_size": 11 * hidden // 4,
        "num_hidden_layers": layers,
        "num_attention_heads": 8,
        "max_position_embeddings": 1024,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 2,
    }
    for name, model in (
        ("policy", LlamaForCausalLM(LlamaConfig(**shape, tie_word_embeddings=False))),
        ("reward", LlamaForSequenceClassification(LlamaConfig(**shape, num_labels=1))),
    ):
        model.save_pretrained(folder / name)
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder / name)


def rule(completions: list, **columns: object) -> list[float]:
    """A reward that differs within a group, by the last letter."""
    return [float(str(text)[-1:] in "01234") for text in completions]


def shared_settings(folder: Path) -> dict[str, Any]:
    import torch

    return {
        "output_dir": str(folder / "out"),
        "per_device_train_batch_size": BATCH,
        "gradient_accumulation_steps": 1,
        "learning_rate": 1e-6,
        "gradient_checkpointing": False,
        "bf16": False,
        "use_cpu": not torch.cuda.is_available(),
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": True,
    }


def prompts() -> list[str]:
    return [" ".join(f"w{(7 * i + j) % 4000}" for j in range(PROMPT)) for i in range(32)]


def make_ppo(folder: Path, length: int) -> Any:
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    import trl
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
    from trl.experimental.ppo import PPOConfig, PPOTrainer

    if trl.__version__ != TRL_OF_PPO:
        raise SystemExit(f"This is TRL {trl.__version__}, not {TRL_OF_PPO}.")
    tokenizer = AutoTokenizer.from_pretrained(folder / "policy", padding_side="left")
    rows = Dataset.from_list([{"input_ids": tokenizer(text)["input_ids"]} for text in prompts()])
    load = {name: folder / name for name in ("policy", "reward")}
    return PPOTrainer(
        PPOConfig(
            **shared_settings(folder),
            num_mini_batches=1,
            num_ppo_epochs=1,
            total_episodes=2 * BATCH,
            response_length=length,
            local_rollout_forward_batch_size=BATCH,
            num_sample_generations=0,
        ),
        processing_class=tokenizer,
        model=AutoModelForCausalLM.from_pretrained(load["policy"]),
        ref_model=AutoModelForCausalLM.from_pretrained(load["policy"]),
        reward_model=AutoModelForSequenceClassification.from_pretrained(load["reward"]),
        value_model=AutoModelForSequenceClassification.from_pretrained(load["reward"]),
        train_dataset=rows,
        eval_dataset=rows.select(range(BATCH)),
    )


def make_grpo(folder: Path, length: int, arm: str) -> Any:
    from datasets import Dataset

    from trl_dsmath import DeepSeekMathGRPOConfig, DeepSeekMathGRPOTrainer

    args = DeepSeekMathGRPOConfig(
        **shared_settings(folder),
        global_batch_size=BATCH,
        num_generations=BATCH,
        max_completion_length=length,
        max_steps=2,
        beta=0.0 if arm.endswith("beta 0") else 0.04,
        generation_kwargs={"min_new_tokens": length},
    )
    reward = str(folder / "reward") if "reward model" in arm else rule
    rows = Dataset.from_list([{"prompt": text} for text in prompts()])
    return DeepSeekMathGRPOTrainer(model=str(folder / "policy"), reward_funcs=reward, args=args, train_dataset=rows)


def start_watch() -> float:
    """Bytes that the process takes without models; from now on its peak counts anew."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return 0.0
    gc.collect()
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # not allowed everywhere; then the peak of the imports is the base
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    return _status("VmRSS")


def peak() -> float:
    import torch

    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated())
    return _status("VmHWM")


def _status(key: str) -> float:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return 1024.0 * int(lines[key].split()[0])


def held(trainer: Any) -> float:
    """Bytes of weights, gradients (as large as the trained weights) and the optimizer's states."""
    import torch

    reward = getattr(trainer, "reward_model", None) or next(iter(getattr(trainer, "reward_funcs", [])), None)
    models = [trainer.model, trainer.ref_model, reward]
    weights = {p.data_ptr(): p for m in models if isinstance(m, torch.nn.Module) for p in m.parameters()}
    states = [s for state in trainer.optimizer.state.values() for s in state.values() if isinstance(s, torch.Tensor)]
    trained = [p for group in trainer.optimizer.param_groups for p in group["params"]]
    return float(sum(t.numel() * t.element_size() for t in [*weights.values(), *states, *trained]))


def one(arm: str, folder: Path, length: int) -> dict[str, float]:
    """Runs an arm in this process."""
    import torch
    from transformers.utils import logging

    logging.set_verbosity_error()
    torch.set_num_threads(1)
    import trl.trainer.grpo_trainer  # noqa: F401  both trainers' imports, so that the base has them

    base = start_watch()
    trainer = make_ppo(folder, length) if arm.startswith("PPO") else make_grpo(folder, length, arm)
    trainer.train()
    return {"peak": peak() - base, "held": held(trainer)}


def run_arms(args: argparse.Namespace, python: Path, folder: Path) -> list[dict[str, Any]]:
    """Each arm `rounds` times in turns, at each length."""
    # Freed memory goes back at once, so that the peak is what was in use together.
    settings = {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
    rows = []
    for length in args.lengths:
        found: dict[str, list[dict[str, float]]] = {arm: [] for arm in NAMES}
        for _ in range(args.rounds):
            for arm in NAMES:
                interpreter = str(python) if arm.startswith("PPO") else sys.executable
                command = [interpreter, __file__, "--one", arm, "--folder", str(folder), "--length", str(length)]
                done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **settings})
                if done.returncode:
                    raise SystemExit(f"{arm}:\n{done.stderr[-3000:]}")
                found[arm].append(json.loads(done.stdout.splitlines()[-1]))
                print(f"{length} tokens, {arm}: {found[arm][-1]['peak'] / MB:.0f} MB", file=sys.stderr, flush=True)
        for arm, values in found.items():
            peaks = [value["peak"] / MB for value in values]
            rows.append({"length": length, "arm": arm, "peaks": peaks, "held": values[0]["held"] / MB})
    return rows


def report(rows: list[dict[str, Any]], head: str) -> str:
    lines = [
        "# Memory of GRPO and PPO",
        "",
        head,
        "",
        "| completion, tokens | arm | bytes a weight | of PPO's | weights, gradients, states, MB | of PPO's | peak, MB "
        "(median, range) | of PPO's |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    first = {row["length"]: row for row in rows if row["arm"] == NAMES[0]}
    for row in rows:
        ppo, middle = first[row["length"]], statistics.median(row["peaks"])
        of_peak = middle / statistics.median(ppo["peaks"])
        lines.append(
            f"| {row['length']} | {row['arm']} | {ARMS[row['arm']]} | {ARMS[row['arm']] / ARMS[NAMES[0]]:.0%} | "
            f"{row['held']:.0f} | {row['held'] / ppo['held']:.0%} | {middle:.0f} ({min(row['peaks']):.0f} to "
            f"{max(row['peaks']):.0f}) | {of_peak:.0%} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, help="file for the table")
    parser.add_argument("--environment", type=Path, help="folder of TRL 1.12's environment, made where it is absent")
    parser.add_argument("--lengths", type=int, nargs="+", default=[32, 128], help="tokens of a completion")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--one", choices=NAMES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--length", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(args.one, args.folder, args.length)))
        return
    with tempfile.TemporaryDirectory() as name:
        python = make_environment(args.environment or Path(name) / "ppo")
        save_models(Path(name), args.hidden, args.layers)
        from safetensors import safe_open

        with safe_open(Path(name) / "policy" / "model.safetensors", "pt") as file:
            names = file.keys()
            weights = sum(file.get_tensor(name).numel() for name in names)
        rows = run_arms(args, python, Path(name))
    import torch
    import transformers
    import trl

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU, resident size, one thread"
    head = (
        f"Policy of {weights / 1e6:.1f}M random weights, float32, AdamW, batches of {BATCH} completions; {device}; "
        f"{args.rounds} runs an arm. PPO: TRL {TRL_OF_PPO}; GRPO: ours on TRL {trl.__version__}; torch "
        f"{torch.__version__}, transformers {transformers.__version__} in both. "
        "`python benchmarks/grpo_vs_ppo_memory.py`"
    )
    text = report(rows, head)
    print(text)
    if args.output:
        args.output.write_text(text)


if __name__ == "__main__":
    main()
