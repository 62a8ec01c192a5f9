"""Two optimizer steps of each trainer under DeepSpeed ZeRO-3 and FSDP2, on two CPU processes, against the unsharded run.

    pip install --target /tmp/deepspeed --no-deps deepspeed==0.19.8 hjson msgpack py-cpuinfo einops
    PYTHONPATH=/tmp/deepspeed python benchmarks/sharded_steps.py [--shardings zero3 fsdp2] [--runs sft grpo ...]

Without DeepSpeed: `--shardings fsdp2`. The processes are started by `accelerate launch` with TRL's own `zero3.yaml` and
`fsdp2.yaml` (RAM-efficient loading, resharding and all), in float32 instead of bf16. The models are Llamas with random
weights, hidden size 64; AdamW; gradient checkpointing and clipping as by default; the same rows an update in each run.

* ZeRO-3 needs `ddp_backend="gloo"` and no more. DeepSpeed's shortcut through shared memory, minutes of compiling, is off.
* accelerate shards by FSDP on accelerators only. Here its state is told that the processes are such (`as_accelerator`),
  and its own preparation of model, optimizer and reference model runs as on GPUs, over gloo. Nothing else is changed.
* PRM: the third loss is `evaluate()`'s, after the last step.
* GRPO: sampling draws other tokens on two processes than on one. So each run samples with top_k=1 and the sampled tokens
  are compared (and, but under FSDP2, what `MathEvaluationCallback` solves). The update is then made on completions that are
  the same in each run, right and wrong ones; the middle one of three groups lies on both processes. The first loss of outcome GRPO is 0 by construction (the
  advantages of a group sum to 0, ratio 1, reference = policy); its gradient is not, nor is the second.

Compared: the loss of each step, the norm of its gradient, and the weights that `save_model` wrote. Exit code 1 when one of
them differs by more than 1e-4.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

RUNS = ["sft", "grpo", "step_grpo", "prm", "prm_causal", "prm_likelihood"]
SHARDINGS = ["zero3", "fsdp2"]
REFUSED = {("prm_likelihood", "fsdp2")}
TOLERANCE = 1e-4
STEPS, GROUP = 2, 4
ROWS = {"sft": 4, "grpo": 3 * GROUP, "step_grpo": 3 * GROUP, "prm": 8, "prm_causal": 8, "prm_likelihood": 8}


def problem(index: int) -> tuple[str, int]:
    return f"What is {index} + {index % 7}?", index + index % 7


def solution(index: int, sample: int) -> str:
    """Two to four steps and an answer; half of the answers are wrong."""
    numbers = random.Random(100 * index + sample)
    lines = [
        f"{numbers.randint(10, 99)} + {numbers.randint(1, 9)} = {numbers.randint(10, 99)}"
        for _ in range(1 + sample % 3)
    ]
    return "\n".join([*lines, rf"So the answer is \boxed{{{problem(index)[1] + sample % 2}}}"])


def make_models(folder: Path) -> None:
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, LlamaForTokenClassification, set_seed

    from trl_dsmath.scripts.tiny_model import make_tiny_model

    texts = [text for index in range(50) for text in (problem(index)[0], solution(index, index % GROUP))]
    make_tiny_model([*texts, "+ - ки"], folder / "tokenizer", max_length=256, vocab_size=400, hidden_size=64)
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=256,
        initializer_range=0.1,
        num_labels=2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    for name, kind in {"causal": LlamaForCausalLM, "classifier": LlamaForTokenClassification}.items():
        set_seed(0)
        kind(config).save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)


def as_accelerator() -> None:
    """Tells accelerate that these CPU processes are GPUs, for which alone it takes FSDP."""
    from accelerate import PartialState
    from accelerate.utils import DistributedType

    PartialState().distributed_type = DistributedType.MULTI_GPU


def fix_completions(trainer: Any, sampled: list) -> None:
    """Lets the trainer sample, keeps the tokens in `sampled`, and goes on with completions that each run has."""
    generate, tokenizer, size = trainer._generate_single_turn, trainer.processing_class, ROWS["grpo"]

    def fixed(prompt_ids: list, *args: Any, **kwargs: Any) -> tuple[list, None]:
        completions, logps = generate(prompt_ids, *args, **kwargs)
        assert logps is None
        sampled.extend(tokenizer.decode(ids) for ids in completions)
        first = trainer.accelerator.process_index * len(prompt_ids)
        assert trainer.accelerator.num_processes * len(prompt_ids) == size
        made = []
        for place, ids in enumerate(prompt_ids, start=first):
            index = int(tokenizer.decode(ids).split("What is")[1].split("+")[0])
            text = solution(index, place % GROUP)
            made.append([*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id])
        return made, None

    trainer._generate_single_turn = fixed


def solve_held_out(trainer: Any, out: Path) -> list[str]:
    """What `MathEvaluationCallback` samples."""
    from trl_dsmath import MathEvaluationCallback

    problems = [{"prompt": problem(i)[0], "solution": rf"\boxed{{{problem(i)[1]}}}"} for i in range(40, 43)]
    MathEvaluationCallback(trainer, problems, every=1, max_new_tokens=8, batch_size=1).evaluate()
    (file,) = (out / "eval_math").glob("*.jsonl")  # written by the first process before the metrics reach the others
    return sorted(file.read_text().splitlines())  # two processes write them in another order than one


def make_trainer(run: str, sharding: str, folder: Path, out: str) -> Any:
    from datasets import Dataset

    from trl_dsmath import (
        DeepSeekMathGRPOConfig,
        DeepSeekMathGRPOTrainer,
        MathSFTConfig,
        MathSFTTrainer,
        PRMConfig,
        PRMTrainer,
        StepGRPOConfig,
        StepGRPOTrainer,
        load_step_scorer,
    )

    world = int(os.environ.get("WORLD_SIZE", "1"))
    settings: dict[str, Any] = {
        "output_dir": out,
        "use_cpu": sharding != "zero3",
        "ddp_backend": None if sharding == "none" else "gloo",
        "bf16": False,
        "report_to": "none",
        "disable_tqdm": True,
        "save_strategy": "no",
        "logging_steps": 1,
        "learning_rate": 1e-3,
        "adam_epsilon": 1e-6,  # with 1e-8, gradients that are mere rounding move a weight by up to 9e-5
        "max_steps": STEPS,
        "per_device_train_batch_size": ROWS[run] // world,
        "gradient_accumulation_steps": 1,
    }
    sampling = {"num_generations": GROUP, "max_completion_length": 48, "top_k": 1}
    indices, causal = range(10, 40), str(folder / "causal")
    args: Any
    if run == "sft":
        rows = [{"prompt": problem(i)[0], "completion": solution(i, 0)} for i in indices]
        args, model, more = MathSFTConfig(max_length=64, **settings), causal, {}
    elif run in {"grpo", "step_grpo"}:
        rows = [{"prompt": problem(i)[0], "solution": rf"\boxed{{{problem(i)[1]}}}"} for i in indices]
        kind = StepGRPOConfig if run == "step_grpo" else DeepSeekMathGRPOConfig
        args, model, more = kind(**sampling, **settings), causal, {}
    else:
        form = {"prm": "token_classification"}.get(run, run.removeprefix("prm_"))
        steps = {i: solution(i, i % GROUP).split("\n") for i in indices}
        rows = [
            {
                "prompt": problem(i)[0],
                "completions": steps[i],
                "labels": [(i + j) % 3 > 0 for j in range(len(steps[i]))],
            }
            for i in indices
        ]
        args, more = (
            PRMConfig(prm_type=form, likelihood_bias=250.0, **settings),
            {"eval_dataset": Dataset.from_list(rows)},
        )
        model = str(folder / "classifier") if run == "prm" else causal
    assert args.world_size == world
    if sharding == "fsdp2":
        as_accelerator()
    if run == "step_grpo":
        from trl_dsmath.rewards import boxed_accuracy_reward

        more = {
            "reward_funcs": boxed_accuracy_reward,
            "step_reward_funcs": load_step_scorer(str(folder / "classifier")),
        }
    trainers: dict[str, Any] = {"sft": MathSFTTrainer, "grpo": DeepSeekMathGRPOTrainer, "step_grpo": StepGRPOTrainer}
    return trainers.get(run, PRMTrainer)(model, args=args, train_dataset=Dataset.from_list(rows), **more)


def sharded(trainer: Any, sharding: str) -> bool:
    """Whether this process holds no more than its part of the weights."""
    from torch.distributed.tensor import DTensor

    weights = list(trainer.model.parameters())
    if sharding == "fsdp2":
        return all(isinstance(weight, DTensor) for weight in weights)
    return all(hasattr(weight, "ds_tensor") for weight in weights)


def work(sharding: str, runs: list[str], folder: Path) -> None:
    """One process of a run; the first writes what is compared."""
    from accelerate.utils import gather_object

    from trl_dsmath.errors import ConfigError

    if sharding == "zero3":
        import deepspeed

        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    for run in runs:
        out, losses, sampled, solved = str(folder / f"{run}-{sharding}"), [], [], []
        try:
            trainer = make_trainer(run, sharding, folder, out)
        except ConfigError as error:
            if (run, sharding) not in REFUSED:
                raise
            if os.environ.get("RANK", "0") == "0":
                Path(f"{out}.json").write_text(json.dumps({"refused": str(error)}))
            continue
        if "grpo" in run:
            fix_completions(trainer, sampled)
        step = trainer.training_step

        def recorded(*args: Any, step=step, trainer=trainer, losses=losses, **kwargs: Any) -> Any:
            loss = step(*args, **kwargs)
            losses.append(trainer.accelerator.gather(loss.detach().reshape(1)).mean().item())
            return loss

        trainer.training_step = recorded
        trainer.train()
        assert sharding == "none" or sharded(trainer, sharding)
        if trainer.eval_dataset is not None:
            losses.append(trainer.evaluate()["eval_loss"])
        if run == "grpo" and sharding != "fsdp2":  # of three problems one process solves two, the other one
            solved = solve_held_out(trainer, Path(out))
        trainer.save_model(out)
        norms = [float(log["grad_norm"]) for log in trainer.state.log_history if "grad_norm" in log]
        rows = gather_object(sampled)
        if trainer.is_world_process_zero():
            Path(f"{out}.json").write_text(
                json.dumps({"losses": losses, "norms": norms, "sampled": sorted(rows), "solved": solved})
            )
        print(f"{sharding}: {run}", losses, norms, flush=True)


def start(sharding: str, runs: list[str], folder: Path) -> None:
    own = [str(Path(__file__).resolve()), "--worker", sharding, "--folder", str(folder), "--runs", *runs]
    launcher = []
    if sharding != "none":
        from trl_dsmath.scripts.launch import accelerate_config

        launcher = ["-m", "accelerate.commands.launch", "--config_file", accelerate_config(sharding)]
        launcher += ["--num_processes", "2", "--mixed_precision", "no", "--main_process_port", "0"]
    environment = {**os.environ, "DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    subprocess.run([sys.executable, *launcher, *own], env=environment, check=True)


def compare(run: str, sharding: str, folder: Path) -> tuple[str, bool]:
    """A row of the table, and whether it holds."""
    from safetensors.numpy import load_file

    one, two = (json.loads((folder / f"{run}-{kind}.json").read_text()) for kind in ("none", sharding))
    if "refused" in two:
        return f"| {run} | {sharding} | refused: {two['refused'].split(':')[0]} | | | | | |", True
    weights = [
        {
            name: value
            for file in (folder / f"{run}-{kind}").glob("*.safetensors")
            for name, value in load_file(file).items()
        }
        for kind in ("none", sharding)
    ]
    assert weights[0].keys() == weights[1].keys() and len(weights[0]) > 10
    start = load_file(folder / ("classifier" if run == "prm" else "causal") / "model.safetensors")
    moved = max(abs(weights[0][name] - start[name]).max() for name in start)
    differences = [
        max(abs(a - b) for a, b in zip(one["losses"], two["losses"], strict=True)),
        max(abs(a - b) for a, b in zip(one["norms"], two["norms"], strict=True)),
        float(max(abs(weights[1][name] - value).max() for name, value in weights[0].items())),
    ]
    assert len(one["norms"]) == STEPS and min(one["norms"]) > 0 and moved > TOLERANCE
    losses = [", ".join(f"{loss:.6f}" for loss in each["losses"]) for each in (one, two)]
    met = one["sampled"] == two["sampled"] and two["solved"] in ([], one["solved"])
    same = {True: "same", False: "OTHERS"}[met] if one["sampled"] else ""
    figures = " | ".join(f"{difference:.1e}" for difference in differences)
    return (
        f"| {run} | {sharding} | {losses[0]} | {losses[1]} | {figures} | {same} |",
        max(differences) <= TOLERANCE and same != "OTHERS",
    )


def main() -> int:
    """Prints a table; exit code 1 when a run differs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shardings", nargs="+", default=SHARDINGS, choices=SHARDINGS)
    parser.add_argument("--runs", nargs="+", default=RUNS, choices=RUNS)
    parser.add_argument("--folder", type=Path, help="Where models and results are kept (default: nowhere).")
    parser.add_argument("--worker", choices=["none", *SHARDINGS], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args.worker, args.runs, args.folder)
        return 0
    with tempfile.TemporaryDirectory() as kept_nowhere:
        folder = args.folder or Path(kept_nowhere)
        make_models(folder)
        for sharding in ["none", *args.shardings]:
            start(sharding, args.runs, folder)
        rows = [compare(run, sharding, folder) for run in args.runs for sharding in args.shardings]
    print(f"Two processes against one, {STEPS} optimizer steps, tolerance {TOLERANCE}.\n")
    print(
        "| run | sharding | losses, one process | losses, sharded | diff. of loss | of gradient norm | of a weight | tokens |"
    )
    print("|---|---|---|---|---|---|---|---|", *(row for row, _ in rows), sep="\n")
    return int(not all(holds for _, holds in rows))


if __name__ == "__main__":
    sys.exit(main())
