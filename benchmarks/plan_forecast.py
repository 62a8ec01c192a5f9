"""`dsmath plan`'s forecast against the measured peak of a few updates of SFT on a CPU.

    python benchmarks/plan_forecast.py
    python benchmarks/plan_forecast.py --model models/smollm2      # a real model, through the recipe scripts

Each case runs in its own process: a Llama of 30M random weights, `MathSFTTrainer`, two updates of 4 x 512 tokens, one
thread. The peak of the resident size is taken above the process before the model is loaded. The forecast is the sum of
all parts but the assumed ones. A CPU has other kernels and another allocator than a GPU: this checks the arithmetic, not
a GPU. Passes in bfloat16 take many minutes on a CPU without instructions for it and are left out.

With `--model`, two updates of `dsmath sft`, `prm` and `grpo` run on full rows, and the peak of the whole process is set against
`dsmath plan` on the same flags.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CASES: dict[str, dict[str, Any]] = {
    "float32": {"gradient_checkpointing": False, "bf16": False},
    "float32, checkpointing": {"gradient_checkpointing": True, "bf16": False},
    "LoRA of rank 16": {"gradient_checkpointing": False, "bf16": False, "lora": 16},
}
ROWS, TOKENS = 4, 512
MB = 1e6


def save_model(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed

    words = {word: i for i, word in enumerate(["<bos>", "<eos>", "<pad>", *(f"w{i}" for i in range(4093))])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special: dict[str, Any] = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    set_seed(0)
    shape = {"vocab_size": 4096, "hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 8}
    LlamaForCausalLM(LlamaConfig(**shape, num_attention_heads=8, tie_word_embeddings=False)).save_pretrained(folder)


def _status(key: str) -> float:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return 1024.0 * int(lines[key].split()[0])


def one(case: str, folder: Path) -> dict[str, float]:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers.utils import logging

    from trl_dsmath import MathSFTConfig, MathSFTTrainer
    from trl_dsmath.plan import Run, forecast, shape_of

    logging.set_verbosity_error()
    torch.set_num_threads(1)
    settings = dict(CASES[case])
    rank = settings.pop("lora", None)
    shape = shape_of(str(folder))
    adapter = shape.adapter_weights(rank, ("all-linear",)) if rank else None
    run = Run(
        "sft", shape, 1, 1.0, 4, settings["bf16"], adapter=adapter, checkpointing=settings["gradient_checkpointing"],
        rows=ROWS, tokens=TOKENS, scored=TOKENS,
    )  # fmt: skip
    args = MathSFTConfig(
        output_dir=str(folder / "out"), use_cpu=True, report_to="none", save_strategy="no", disable_tqdm=True,
        per_device_train_batch_size=ROWS, global_batch_size=ROWS, max_steps=2, max_length=TOKENS, packing=False,
        model_init_kwargs={"dtype": "float32"}, dataset_kwargs={"skip_prepare_dataset": True}, **settings,
    )  # fmt: skip
    rows = Dataset.from_list([{"input_ids": [(7 * i + j) % 4000 for j in range(TOKENS)]} for i in range(2 * ROWS)])
    peft = LoraConfig(r=rank, target_modules="all-linear") if rank else None
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    base = _status("VmRSS")
    MathSFTTrainer(str(folder), args=args, train_dataset=rows, peft_config=peft).train()
    parts = {part.name: part.bytes for part in forecast(run).parts}
    static = sum(size for name, size in parts.items() if name in {"weights", "adapters", "gradients", "optimizer"})
    return {"measured": _status("VmHWM") - base, "forecast": forecast(run).allocated(), "static": static}


_SUM = "Ana has 16 stickers and buys 25 more, then gives 7 to Ben. 16 + 25 = 41 and 41 - 7 = 34. "
_COMMON = (
    "--use_cpu --bf16 false --dtype float32 --learning_rate 1e-5 --report_to none --save_strategy no --max_steps 2 "
)
_ROWS = "--per_device_train_batch_size 4 --global_batch_size 4 --max_length 300"
REAL = {
    "SFT, 4 x 300": f"sft {_ROWS} --packing false --gradient_checkpointing false",
    "SFT, 4 x 300, checkpointing": f"sft {_ROWS} --packing false --gradient_checkpointing true",
    "SFT, LoRA of rank 16": f"sft {_ROWS} --packing false --gradient_checkpointing false --use_peft --lora_r 16 "
    "--lora_target_modules all-linear",
    "PRM, 4 x 300": "prm --per_device_train_batch_size 4 --max_length 300 --gradient_checkpointing false",
    "GRPO, 16 x (136 + 64)": "grpo --per_device_train_batch_size 16 --num_generations 8 --global_batch_size 16 --beta 0 "
    "--max_completion_length 64 --gradient_checkpointing false",
}


def write_data(folder: Path, model: str) -> int:
    """Rows that fill their length; returns the tokens of GRPO's prompts."""
    from transformers import AutoTokenizer

    long, question = 4 * _SUM, 2 * _SUM
    rows: dict[str, dict[str, Any]] = {
        "sft": {"prompt": question, "completion": long},
        "prm": {"prompt": question, "completions": [_SUM] * 4, "labels": [True] * 4},
        "grpo": {"prompt": question, "answer": "34"},
    }
    for stage, row in rows.items():
        (folder / f"{stage}.jsonl").write_text("\n".join([json.dumps(row)] * 16))
    chat = [
        {
            "role": "user",
            "content": question + "\nPlease reason step by step, and put your final answer within \\boxed{}.",
        }
    ]
    return len(AutoTokenizer.from_pretrained(model).apply_chat_template(chat, add_generation_prompt=True)["input_ids"])


def real(model: str, folder: Path, cases: list[str]) -> None:
    """`dsmath plan` against the peak of the processes, on a real model."""
    from trl_dsmath.cli.plan import settings_of
    from trl_dsmath.plan import Hardware, forecast, read_run
    from trl_dsmath.scripts import recipe_script

    tokens = write_data(folder, model)
    print("| case | forecast, GiB | measured, GiB | measured / forecast |\n| --- | --- | --- | --- |")
    for case in cases:
        stage, *words = (REAL[case] + " " + _COMMON).split()
        flags = [*words, "--model_name_or_path", model, "--dataset_name", str(folder / f"{stage}.jsonl")]
        flags += ["--output_dir", str(folder / "out")]
        run, _ = read_run(stage, settings_of(stage, {}, flags, Path("flags")), Hardware(1, 1.0, prompt_tokens=tokens))
        with (folder / "log").open("w") as log:
            process = subprocess.Popen([sys.executable, str(recipe_script(stage)), *flags], stdout=log, stderr=log)
            _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{case}:\n{(folder / 'log').read_text()[-3000:]}")
        measured, expected = usage.ru_maxrss * 1024 / 2**30, forecast(run).peak() / 2**30
        print(f"| {case} | {expected:.2f} | {measured:.2f} | {measured / expected:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", nargs="*", default=list(REAL), help="which of a real model's")
    parser.add_argument("--model", help="folder or name of a real model")
    parser.add_argument("--one", choices=list(CASES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(args.one, args.folder)))
        return
    if args.model:
        with tempfile.TemporaryDirectory() as name:
            real(args.model, Path(name), args.cases)
        return
    settings = {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
    print("| case | weights, gradients, states, MB | forecast, MB | measured, MB | measured / forecast |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        save_model(Path(name))
        for case in CASES:
            command = [sys.executable, __file__, "--one", case, "--folder", name]
            done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **settings})
            if done.returncode:
                raise SystemExit(f"{case}:\n{done.stderr[-3000:]}")
            found = json.loads(done.stdout.splitlines()[-1])
            cells = [f"{found[key] / MB:.0f}" for key in ("static", "forecast", "measured")]
            print(f"| {case} | {' | '.join(cells)} | {found['measured'] / found['forecast']:.2f} |", flush=True)


if __name__ == "__main__":
    main()
