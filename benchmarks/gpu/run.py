"""Everything that only a GPU can show, in one command of at most nine minutes on one 80 GB card. See README.md beside it.

    python benchmarks/gpu/run.py --model models/smollm2 --gsm8k path/to/gsm8k --output results
    python benchmarks/gpu/run.py --dry_run --output /tmp/dry              everything in small, on what is here, a CPU too

Parts, in order of worth, each a process with a time box of its own; what a part has measured so far is in its JSON file at
any moment, so that a cut loses nothing that was done:

    a  one update of StepGRPO with LoRA on a random-weight 7B of the published shape: seconds, peak memory, the forecast
    b  the 135M model on GSM8K: as published, after SFT, after GRPO for as long as the box allows
    c  the 7B in bf16, 8 and 4 bits: memory, tokens/s of 64 samples, our engine against `generate`
    d  the 135M: samples of 256 and 1,024 rows; seconds of a GRPO step, ours against TRL's, interleaved rounds
    e  the quickstart on the GPU
    f  on request: the recipes sft/gpu24 and grpo/gpu24 with the 7B in 4 bits (QLoRA): peak memory, what `dsmath plan` says
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BOX = {"a": 110, "b": 195, "c": 110, "d": 50, "e": 70, "f": 180}  # seconds; 535 without f
PEAK = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    import torch
    print("peak", torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0)
"""
QUESTION = "Write a long story about a mathematician.\n\nOnce upon a time"  # samples that do not end early
SMALL_SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 4096,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", help="folder of SmolLM2-135M-Instruct (parts a, b, c, d: the tokenizer of all)")
    parser.add_argument("--gsm8k", help="folder with GSM8K's train.jsonl and test.jsonl")
    parser.add_argument("--output", type=Path, default=Path("gpu-results"), help="folder of the JSON files")
    parser.add_argument("--parts", default="abcde", help="which parts, in this order (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=9.0, help="for these parts together")
    parser.add_argument("--dry_run", action="store_true", help="everything in small, with a made-up model")
    parser.add_argument("--part", choices=list(BOX), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not set(args.parts) <= set(BOX):
        parser.error(f"--parts takes letters of {''.join(BOX)}, not {args.parts!r}")
    if not args.dry_run and not (args.model and args.gsm8k):
        parser.error("give --model and --gsm8k, or --dry_run")
    args.output.mkdir(parents=True, exist_ok=True)
    if args.part:
        PARTS[args.part](Part(args))
        return
    end, scale = time.monotonic() + 60 * args.minutes, 59 * args.minutes / sum(BOX[name] for name in args.parts)
    if args.dry_run and not args.model:
        sys.path.insert(0, str(ROOT))
        args.model, args.gsm8k = make_small(args.output / "small")
    failed = []
    for name in args.parts:
        box = min(BOX[name] * scale, end - time.monotonic())
        how = run_box(name, args, box) if box > 5 else "no time left"
        failed += [name] * (how != "done")
        print(f"part {name}: {how}", flush=True)
    print(summary(args.output))
    raise SystemExit(bool(failed))


def run_box(name: str, args: argparse.Namespace, box: float) -> str:
    """Runs a part as a process of its own; at the end of its time the whole process group is ended."""
    command = [sys.executable, __file__, "--part", name, "--output", str(args.output), "--minutes", str(box / 60)]
    command += ["--model", str(args.model), "--gsm8k", str(args.gsm8k), *(["--dry_run"] if args.dry_run else [])]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    with open(args.output / f"{name}.log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        try:
            code = process.wait(box)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"stopped after {box:.0f} s"
    if not code:
        return "done"
    last = [line for line in (args.output / f"{name}.log").read_text().splitlines() if line.strip()][-1:]
    return f"failed, see {name}.log: {''.join(last)[:200]}"


class Part:
    """A part that is running: its settings, its time, and its results, which are on disk after each one."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.model, self.gsm8k, self.dry = args.model, Path(args.gsm8k), args.dry_run
        self.file = args.output / f"{args.part}.json"
        self.end = time.monotonic() + 60 * args.minutes
        self.results: dict[str, Any] = {}
        import torch
        import transformers
        import trl

        self.cuda = torch.cuda.is_available()
        if not self.dry and not self.cuda:
            raise SystemExit("There is no GPU: use --dry_run.")
        card = torch.cuda.get_device_name() if self.cuda else "CPU"
        self.keep(
            "machine",
            f"{card}, torch {torch.__version__}, transformers {transformers.__version__}, trl {trl.__version__}",
        )

    def keep(self, name: str, value: Any) -> None:
        """Adds a result and writes the file."""
        self.results[name] = value
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps(self.results, indent=1))
        part.replace(self.file)

    @property
    def left(self) -> float:
        return self.end - time.monotonic()

    @property
    def shared(self) -> dict[str, Any]:
        """Arguments of every trainer here."""
        return {
            "use_cpu": not self.cuda, "bf16": self.cuda, "report_to": "none", "save_strategy": "no", "disable_tqdm": True,
            "logging_steps": 1,
        }  # fmt: skip

    def large_folder(self) -> str:
        """The model of the published shape as a folder, written once."""
        from transformers import AutoTokenizer

        folder = self.file.parent / "large"
        if not (folder / "tokenizer_config.json").exists():
            self.large().save_pretrained(folder)
            AutoTokenizer.from_pretrained(self.model).save_pretrained(folder)  # last: the folder is whole
        return str(folder)

    @contextmanager
    def measured(self, name: str) -> Iterator[dict[str, Any]]:
        """Seconds and peak memory of what happens inside; more can be added to what it yields."""
        import torch

        if self.cuda:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        found: dict[str, Any] = {}
        began = time.monotonic()
        yield found
        if self.cuda:
            torch.cuda.synchronize()
            found["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
        found["seconds"] = time.monotonic() - began
        self.keep(name, found)

    def large(self, **form: Any) -> Any:
        """A model of the published shape with random weights, made on the device."""
        import torch
        from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

        from trl_dsmath.paper import MODEL

        end = AutoTokenizer.from_pretrained(self.model).eos_token_id
        config = LlamaConfig(
            **(SMALL_SHAPE if self.dry else asdict(MODEL)), eos_token_id=end, pad_token_id=end, bos_token_id=None
        )
        with torch.device("cuda" if self.cuda else "cpu"):
            torch.set_default_dtype(torch.bfloat16 if self.cuda else torch.float32)
            model = LlamaForCausalLM(config)
            torch.set_default_dtype(torch.float32)
        return model


def step_grpo(part: Part) -> None:
    """a: one update of StepGRPO with LoRA on the 7B."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoTokenizer

    from trl_dsmath import StepGRPOConfig, StepGRPOTrainer
    from trl_dsmath.plan import Run, forecast, shape_of

    rows, length = (4, 16) if part.dry else (16, 512)
    with part.measured("model"):
        model = part.large()
    prompts = Dataset.from_list([{"prompt": f"What is {i} + {i}?", "solution": str(2 * i)} for i in range(8)])
    args = StepGRPOConfig(
        output_dir=str(part.file.parent / "a-out"), max_steps=2, num_generations=rows // 2, global_batch_size=rows,
        per_device_train_batch_size=rows // 4, steps_per_generation=4, max_completion_length=length, learning_rate=1e-5,
        gradient_checkpointing=True, **part.shared,
    )  # fmt: skip
    trainer = StepGRPOTrainer(
        model, args=args, train_dataset=prompts, processing_class=AutoTokenizer.from_pretrained(part.model),
        reward_funcs=alternating, step_reward_funcs=alternating_steps,
        peft_config=LoraConfig(r=32, lora_alpha=64, target_modules="all-linear", task_type="CAUSAL_LM"),
    )  # fmt: skip
    with part.measured("two updates") as found:
        trainer.train()
        found["log"] = [row for row in trainer.state.log_history if "step_time" in row or "loss" in row]
    with tempfile.TemporaryDirectory() as folder:
        model.config.save_pretrained(folder)
        shape = shape_of(folder)
    run = Run(
        "grpo", shape, 1, 80.0, 2 if part.cuda else 4, part.cuda, adapter=shape.adapter_weights(32, ("all-linear",)),
        rows=rows // 4, tokens=length + 16, scored=length, sampling="transformers", sampled=rows, group=rows // 2,
        accumulation=4, reference=False,
    )  # fmt: skip
    part.keep("forecast_gib", forecast(run).allocated() / 2**30)


def alternating(completions: list[Any], **columns: Any) -> list[float]:
    """A reward that differs within every group, whatever was written."""
    return [float(i % 2) for i in range(len(completions))]


def alternating_steps(steps: list[list[str]], **columns: Any) -> list[list[float]]:
    """A step reward that differs from step to step."""
    return [[float((i + j) % 2) for j in range(len(row))] for i, row in enumerate(steps)]


def real_model(part: Part) -> None:
    """b: the 135M model on GSM8K, before and after SFT and GRPO."""
    from transformers import TrainerCallback, set_seed

    from trl_dsmath import DeepSeekMathGRPOConfig, DeepSeekMathGRPOTrainer, MathSFTConfig, MathSFTTrainer
    from trl_dsmath.data import convert, load_split
    from trl_dsmath.rewards import boxed_accuracy_reward

    set_seed(0)
    out = part.file.parent
    remarks: list[str] = []
    train = load_split(str(part.gsm8k / "train.jsonl"), notify=remarks.append)
    part.keep("data", "; ".join([f"{len(train)} rows", *remarks]))
    evaluate_gsm8k(part, "published", part.model)
    sft = MathSFTTrainer(
        part.model,
        args=MathSFTConfig(
            output_dir=str(out / "b-sft"), learning_rate=1e-4, global_batch_size=64, per_device_train_batch_size=64,
            num_train_epochs=1 if part.dry else 2, max_length=512, packing=False, gradient_checkpointing=False, **part.shared,
        ),
        train_dataset=convert(train, "sft").dataset,
    )  # fmt: skip
    with part.measured("sft") as found:
        sft.train()
        found["loss"] = [row["loss"] for row in sft.state.log_history if "loss" in row][-1]
    sft.save_model(str(out / "b-sft"))
    evaluate_gsm8k(part, "sft", str(out / "b-sft"))

    class Clock(TrainerCallback):
        """Ends the training in time for the last evaluation."""

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if part.left < 25:  # never set to False: the trainer sets it at the last step
                control.should_training_stop = True

        def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            part.keep("grpo_log", [row for row in state.log_history if "reward" in row])

    batch = 16 if part.dry else 512
    grpo = DeepSeekMathGRPOTrainer(
        str(out / "b-sft"),
        args=DeepSeekMathGRPOConfig(
            output_dir=str(out / "b-grpo"), learning_rate=3e-5, beta=0.0, num_generations=8 if part.dry else 16,
            global_batch_size=batch, per_device_train_batch_size=batch // 8, max_completion_length=8 if part.dry else 200,
            max_steps=2 if part.dry else 500, gradient_checkpointing=False, **part.shared,
        ),
        reward_funcs=boxed_accuracy_reward,
        train_dataset=convert(train, "grpo").dataset,
        callbacks=[Clock()],
    )  # fmt: skip
    with part.measured("grpo") as found:
        grpo.train()
        found["updates"] = grpo.state.global_step
    grpo.save_model(str(out / "b-grpo"))
    evaluate_gsm8k(part, "grpo", str(out / "b-grpo"))


def evaluate_gsm8k(part: Part, name: str, model: str) -> None:
    """Greedy accuracy on the whole test set."""
    from trl_dsmath.generation import SamplerConfig, load_sampler
    from trl_dsmath.inference import EvaluateConfig, load_problems, plan, read_samples, run, score

    config = EvaluateConfig(
        benchmarks=["gsm8k"], benchmarks_dir=str(part.gsm8k / "test.jsonl"), max_new_tokens=8 if part.dry else 256,
        output_dir=str(part.file.parent / f"b-eval-{name}"),
    )  # fmt: skip
    chosen = SamplerConfig(model, use_cpu=not part.cuda, batch_size=700)
    with part.measured(f"evaluate {name}") as found:
        sampler = load_sampler(chosen)
        tasks = plan(load_problems(config), config, chosen.identity(), sampler)
        run(tasks, sampler, config.output_dir, {"model": model}, 2048)
        scores = score(tasks, read_samples(config.output_dir))
        found["cut_off"] = sum(scores.cut_off.values())
        for metric in scores.metrics:
            found[metric.filter] = [metric.value, metric.low, metric.high, metric.problems]


def forms(part: Part) -> None:
    """c: the 7B in three forms: memory of the weights, and tokens/s of 64 samples by our engine and by `generate`."""
    import torch

    from trl_dsmath.generation import SamplerConfig, load_policy

    rows, length = (4, 8) if part.dry else (64, 64)
    with part.measured("7B written"):
        folder = part.large_folder()
    kinds: dict[str, dict[str, Any]] = {"16 bit": {}}
    failed: list[str] = []
    if find_spec("bitsandbytes"):
        kinds |= {"8 bit": {"load_in_8bit": True}, "4 bit": {"load_in_4bit": True}}
    else:
        part.keep("8 and 4 bits", "left out: bitsandbytes is not installed")
    for name, form in kinds.items():
        if part.cuda:
            torch.cuda.empty_cache()
        try:
            with part.measured(f"load, {name}") as found:
                model, tokenizer = load_policy(SamplerConfig(folder, use_cpu=not part.cuda, **form))
                found["weights_gib"] = model.get_memory_footprint() / 2**30
            engine_and_generate(part, model, tokenizer, f"{name}, warm-up", 0, rows, 4)
            for round_ in range(2):
                engine_and_generate(part, model, tokenizer, name, round_, rows, length)
            del model
        except Exception:  # noqa: BLE001 - the other forms are measured all the same
            part.keep(f"{name} failed", traceback.format_exc())
            failed.append(name)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def engine_and_generate(
    part: Part, model: Any, tokenizer: Any, name: str, round_: int, rows: int, length: int
) -> None:
    """Samples of one question by our engine and by `generate`, with the same settings."""
    import torch

    from trl_dsmath.generation import Decoding, TransformersSampler

    inputs = tokenizer(QUESTION, return_tensors="pt").to(model.device)
    settings = {"do_sample": True, "temperature": 0.6, "top_p": 0.95, "top_k": 0, "max_new_tokens": length}
    sampler = TransformersSampler(model, tokenizer, batch_size=rows)
    with part.measured(f"engine, {name}, round {round_}") as found:
        decoding = Decoding(max_new_tokens=length, temperature=0.6, top_p=0.95, seed=round_)
        drawn = sampler.sample([QUESTION], decoding, n=rows)[0]
        found["tokens"] = sum(len(sample.ids) for sample in drawn)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    with part.measured(f"generate, {name}, round {round_}") as found, torch.no_grad():
        ids = model.generate(**inputs, **settings, num_return_sequences=rows, pad_token_id=pad)
        found["tokens"] = int((ids[:, inputs["input_ids"].shape[1] :] != pad).sum())


def step_time(part: Part) -> None:
    """d: the 135M model: many samples at once; seconds of a GRPO step, ours and TRL's in turns, TRL's twice (the noise)."""
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    from trl_dsmath import StepGRPOConfig, StepGRPOTrainer
    from trl_dsmath.generation import SamplerConfig, load_policy

    model, tokenizer = load_policy(SamplerConfig(part.model, use_cpu=not part.cuda))
    for count in (2, 4) if part.dry else (256, 1024):
        engine_and_generate(part, model, tokenizer, f"135M, {count} rows", 0, count, 8 if part.dry else 96)
    del model

    rows, length = (4, 8) if part.dry else (64, 48)
    prompts = Dataset.from_list([{"prompt": f"What is {i} + {i}?", "solution": str(2 * i)} for i in range(64)])
    arms = {
        "trl": (GRPOTrainer, GRPOConfig),
        "trl again": (GRPOTrainer, GRPOConfig),
        "steps": (StepGRPOTrainer, StepGRPOConfig),
    }
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    for round_ in range(3):
        for name in list(arms)[round_:] + list(arms)[:round_]:
            if part.left < 5:
                return
            kind, config = arms[name]
            own = {"step_reward_funcs": alternating_steps} if kind is StepGRPOTrainer else {}
            args = config(
                output_dir=str(part.file.parent / "d-out"), max_steps=3, num_generations=4, per_device_train_batch_size=rows,
                gradient_accumulation_steps=1, max_completion_length=length, learning_rate=0.0, beta=0.0,
                generation_kwargs={"min_new_tokens": length}, gradient_checkpointing=False, seed=round_, **part.shared,
            )  # fmt: skip
            trainer = kind(part.model, reward_funcs=alternating, args=args, train_dataset=prompts, **own)
            trainer.train()
            times = [row["step_time"] for row in trainer.state.log_history if "step_time" in row]
            seconds[name] += times[1:]  # the first step warms up
            part.keep("seconds", seconds)
            if all(seconds.values()):
                part.keep(
                    "ratios", {name: median(values) / median(seconds["trl"]) for name, values in seconds.items()}
                )
            del trainer


def quickstart(part: Part) -> None:
    """e: the quickstart, on the GPU where there is one."""
    small = "--pages 100 --pretrain_steps 2 --sft_steps 1 --annotate_problems 2 --prm_steps 1 --grpo_steps 1 --problems 8 --vote_problems 2"
    command = [
        sys.executable,
        str(ROOT / "recipes/quickstart/quickstart.py"),
        "--output_dir",
        str(part.file.parent / "e-out"),
    ]
    command += ["--use_cpu", "false"] if part.cuda else []
    command += small.split() if part.dry else []
    lines: list[str] = []
    with part.measured("quickstart") as found:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        for line in process.stdout:
            lines.append(line.rstrip())
            part.keep("output", lines)
        found["code"] = process.wait()
    if found["code"]:
        raise SystemExit("the quickstart failed")


def recipes(part: Part) -> None:
    """f: the recipes for 24 GB with the 7B in 4 bits."""
    import yaml

    from trl_dsmath.cli.plan import settings_of
    from trl_dsmath.plan import Hardware, forecast, read_run
    from trl_dsmath.scripts import recipe_script

    if not find_spec("bitsandbytes"):
        part.keep("4 bits", "left out: bitsandbytes is not installed")
        return
    with part.measured("7B written"):
        folder = part.large_folder()
    common = f"--model_name_or_path {folder} --dataset_name {part.gsm8k / 'train.jsonl'} --save_strategy no --report_to none"
    common += "" if part.cuda else " --use_cpu --bf16 false --dtype float32"
    rows = " --per_device_train_batch_size 2 --global_batch_size 4 --num_generations 2 --steps_per_generation 2"
    own = {
        "sft": "--load_in_4bit --merge_adapter false --max_steps 2 --global_batch_size 4"
        + (" --max_length 256" if part.dry else ""),
        "grpo": "--max_steps 1" + (rows + " --max_completion_length 8" if part.dry else " --max_completion_length 96"),
    }
    for stage, words in own.items():
        flags = f"{common} {words} --output_dir {part.file.parent}/f-{stage}".split()
        recipe = ROOT / f"recipes/{stage}/gpu24.yaml"
        given = yaml.safe_load(recipe.read_text())
        run, _ = read_run(stage, settings_of(stage, given, flags, recipe), Hardware(1, 80.0))
        command = [sys.executable, "-c", PEAK, str(recipe_script(stage)), "--config", str(recipe), *flags]
        with part.measured(f"{stage}, 4 bit") as found:
            found["forecast_gib"] = forecast(run).allocated() / 2**30
            output = part.file.with_name(f"f-{stage}.log")
            with output.open("w") as log:
                found["code"] = subprocess.run(command, stdout=log, stderr=log, check=False).returncode
            peaks = [line.split()[1] for line in output.read_text().splitlines() if line.startswith("peak ")]
        found["peak_gib"] = int(peaks[-1]) / 2**30 if peaks else None
        part.keep(f"{stage}, 4 bit", found)
        if found["code"]:
            raise SystemExit(f"{stage} failed")


PARTS = {"a": step_grpo, "b": real_model, "c": forms, "d": step_time, "e": quickstart, "f": recipes}


def make_small(folder: Path) -> tuple[str, str]:
    """A tiny model and sixteen made-up rows in GSM8K's form, for the dry run."""
    from trl_dsmath.scripts import make_tiny_model

    rows = [
        {
            "question": f"Tom has {i} pens and gets {i}. How many are that?",
            "answer": f"{i}+{i}=<<{i}+{i}={2 * i}>>{2 * i}\n#### {2 * i}",
        }
        for i in range(2, 18)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("train", "test"):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    make_tiny_model([row["question"] + row["answer"] for row in rows], str(folder / "model"), 256)
    return str(folder / "model"), str(folder)


def summary(output: Path) -> str:
    """What was measured, in a line per result."""
    lines = []
    for name in PARTS:
        file = output / f"{name}.json"
        for key, value in (json.loads(file.read_text()) if file.exists() else {}).items():
            if isinstance(value, dict):
                value = ", ".join(f"{k} {v:.3g}" for k, v in value.items() if isinstance(v, float | int))
            if not isinstance(value, list):
                lines.append(f"{name}  {key:<28}{value if isinstance(value, str) else f'{value:.3g}'}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
