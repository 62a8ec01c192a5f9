"""Quantized inference: bytes and logits of 8 and 4 bits against bfloat16, a 4-bit LoRA step, and what a 7B needs.

    python benchmarks/quantization.py --output benchmarks/results/quantization.md      (all parts that the machine allows)
    python benchmarks/quantization.py --part table                                     (the table of docs/guides/quantization.md)
    python benchmarks/quantization.py --part gpu                                       (needs CUDA)

bytes: a Llama of 219M random weights, saved once and loaded in each form by the loader of `dsmath solve`; bytes are counted
over weights and the scales of quantized layers, and compared with what `solve.memory` predicts from the config. The
error of the logits is that of random weights: trained ones lose less. step: one update of LoRA adapters on the 4-bit
model through `MathSFTTrainer`. table: the 7B of the published shape on the meta device; nothing is loaded. gpu: the 7B with
random weights in each form: 64 samples of one prompt, peak memory and tokens a second.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, set_seed

from trl_dsmath.generation import SamplerConfig, load_policy
from trl_dsmath.generation.memory import GIB, ModelMemory, Quantization, model_memory
from trl_dsmath.paper import MODEL
from trl_dsmath.scripts.tiny_model import make_tiny_model

FORMS: dict[str, dict[str, bool]] = {
    "bf16": {},
    "8-bit": {"load_in_8bit": True},
    "4-bit (nf4)": {"load_in_4bit": True, "use_bnb_nested_quant": False},
    "4-bit, double": {"load_in_4bit": True},
}
KINDS: dict[str, Quantization | None] = {
    "bf16": None,
    "8-bit": "8bit",
    "4-bit (nf4)": "4bit",
    "4-bit, double": "4bit-double",
}
TEXT = "A train covers 60 km in 45 minutes. At this speed it covers 80 km in an hour, since 60 / 45 * 60 = 80. "


def held_bytes(model: Any) -> int:
    """Bytes of the weights and of the scales of quantized layers."""
    total = 0
    for parameter in model.parameters():
        total += parameter.numel() * parameter.element_size()
        state = getattr(parameter, "quant_state", None)
        nested = getattr(state, "state2", None)
        tensors = [getattr(state, "absmax", None), getattr(state, "code", None), getattr(state, "offset", None)]
        tensors += [getattr(nested, "absmax", None), getattr(nested, "code", None)]
        total += sum(tensor.numel() * tensor.element_size() for tensor in tensors if tensor is not None)
    for module in model.modules():  # int8: the scales move from the weight to the layer at its first call
        scales = getattr(getattr(module, "state", None), "SCB", None)
        total += 0 if scales is None else scales.numel() * scales.element_size()
    return total


def save_model(folder: str, shape: dict[str, Any]) -> Any:
    """A tokenizer and a Llama with random weights, in bfloat16."""
    make_tiny_model([TEXT] * 3, folder, vocab_size=400, hidden_size=64, num_layers=1)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    set_seed(0)
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": 2}
    config = LlamaConfig(**{**shape, **ends}, dtype=torch.bfloat16)
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    return config


def small_shape() -> dict[str, Any]:
    """219M weights, head and embedding apart as in the 7B."""
    sizes = {"hidden_size": 1024, "intermediate_size": 2816, "num_hidden_layers": 12, "num_attention_heads": 16}
    return {"vocab_size": 32000, "max_position_embeddings": 2048, "tie_word_embeddings": False, **sizes}


def compare(folder: str, config: Any) -> list[str]:
    """Bytes and logits of each form against bfloat16."""
    rows: list[str] = []
    reference: Any = None
    whole = 0
    for name, flags in FORMS.items():
        model, tokenizer = load_policy(SamplerConfig(folder, dtype="bfloat16", **flags))  # type: ignore[arg-type]
        ids = torch.tensor([tokenizer(TEXT * 2)["input_ids"][:96]], device=model.device)
        with torch.no_grad():
            logits = model(ids).logits[0].float().cpu()
        counted = held_bytes(model)
        predicted = model_memory(config, torch.bfloat16, KINDS[name]).weight_bytes
        if reference is None:
            reference, whole = logits, counted
        error = ((logits - reference).norm() / reference.norm()).item()
        same = (logits.argmax(-1) == reference.argmax(-1)).float().mean().item()
        rows.append(
            f"| {name} | {counted / 1e6:.1f} | {counted / whole:.2f} | {predicted / 1e6:.1f} | {error:.3f} | {same:.0%} |"
        )
        print(rows[-1], file=sys.stderr, flush=True)
    parameters = model_memory(config).parameters
    return [
        f"Llama of {parameters / 1e6:.0f}M random weights, {'GPU' if torch.cuda.is_available() else 'CPU'}:",
        "",
        "| form | MB | of bf16 | predicted, MB | relative error of logits | same best token |",
        "|---|---|---|---|---|---|",
        *rows,
    ]


def lora_step(folder: str) -> list[str]:
    """One LoRA update of the 4-bit model through our SFT trainer: what moved, and what did not."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import BitsAndBytesConfig

    from trl_dsmath import MathSFTConfig, MathSFTTrainer

    on_gpu = torch.cuda.is_available()
    quantization = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    rows = [{"prompt": "User: How fast is it?\n\nAssistant:", "completion": " " + TEXT}] * 2
    with tempfile.TemporaryDirectory() as output:
        args = MathSFTConfig(
            output_dir=output,
            max_steps=1,
            max_length=64,
            per_device_train_batch_size=2,
            global_batch_size=2,
            use_cpu=not on_gpu,
            bf16=on_gpu,
            gradient_checkpointing=True,
            packing=False,
            report_to="none",
            save_strategy="no",
            logging_steps=1,
            learning_rate=1e-4,
            model_init_kwargs={
                "quantization_config": quantization,
                "dtype": torch.bfloat16,
                "device_map": "auto" if on_gpu else "cpu",
            },
        )
        lora = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
        trainer = MathSFTTrainer(folder, args=args, train_dataset=Dataset.from_list(rows), peft_config=lora)
        model: Any = trainer.model
        frozen = {n: p.detach().clone() for n, p in model.named_parameters() if not p.requires_grad}
        before = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
        start = time.process_time()
        result = trainer.train()
        seconds = time.process_time() - start
        moved = sum(not torch.equal(p, before[n]) for n, p in model.named_parameters() if n in before)
        kept = all(torch.equal(p, frozen[n]) for n, p in model.named_parameters() if n in frozen)
    layers = sum(type(module).__module__.startswith("bitsandbytes") for module in model.modules())
    assert layers and moved and kept
    return [
        f"A 4-bit LoRA step through `MathSFTTrainer`: {layers} layers in nf4, loss {result.training_loss:.3f}, {moved} of "
        f"{len(before)} adapter matrices moved (the other half's gradient is zero in the first step), quantized weights "
        f"unchanged, {seconds:.1f} CPU s."
    ]


def table() -> list[str]:
    """The table of docs/guides/quantization.md: the 7B of the published shape, from its config."""
    config = LlamaConfig(**asdict(MODEL), tie_word_embeddings=False)
    tokens = MODEL.max_position_embeddings
    lines = [
        f"| weights | GiB | of bf16 | with one cache of {tokens:,} | rows of {tokens:,} in 8 GB | 16 GB | 24 GB | 80 GB |",
        "|" + "---|" * 8,
    ]
    whole = model_memory(config).weight_bytes
    for name, kind in KINDS.items():
        counted = model_memory(config, torch.bfloat16, kind)
        together = (counted.weight_bytes + counted.cache_bytes(tokens)) / GIB
        rows = " | ".join(_rows(counted, card, tokens) for card in (8, 16, 24, 80))
        lines.append(
            f"| {name} | {counted.weight_bytes / GIB:.2f} | {counted.weight_bytes / whole:.2f} | {together:.2f} | {rows} |"
        )
    counted = model_memory(config)
    return [
        f"{counted.parameters / 1e9:.3f} B parameters; cache {counted.cache_bytes(1) / 1024:.0f} KiB a token, "
        f"{counted.cache_bytes(tokens) / GIB:.3f} GiB a row of {tokens:,}, {counted.cache_bytes(tokens, 64) / GIB:.0f} GiB for "
        f"64 rows; 64 samples of 1,024 tokens after 512 of prompt {counted.cache_bytes(1536, 64) / GIB:.1f} GiB, since each row "
        "has a copy of the prompt's.",
        "",
        *lines,
    ]


def _rows(counted: ModelMemory, card: int, tokens: int) -> str:
    """Rows beside the weights on a card of so many GiB, one of which is left to the driver and to activations."""
    usable = (card - 1) * GIB
    if counted.weight_bytes > usable:
        return "does not fit"
    return str(counted.rows_that_fit(usable, tokens) or "weights only")


def gpu(new_tokens: int) -> list[str]:
    """The 7B of the published shape with random weights, in each form: 64 samples, peak memory, tokens a second."""
    from trl_dsmath.generation import Decoding, TransformersSampler
    from trl_dsmath.inference.config import TEMPERATURE, TOP_P

    lines = ["| form | load, s | weights, GiB | peak, GiB | tokens/s, 64 samples |", "|" + "---|" * 5]
    with tempfile.TemporaryDirectory() as folder:
        save_model(folder, {**asdict(MODEL), "tie_word_embeddings": False})
        for name, flags in FORMS.items():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            start = time.perf_counter()
            model, tokenizer = load_policy(SamplerConfig(folder, dtype="bfloat16", **flags))  # type: ignore[arg-type]
            tokenizer.eos_token = None
            model.generation_config.eos_token_id = None
            loaded = time.perf_counter() - start
            weights = torch.cuda.memory_allocated()
            sampler = TransformersSampler(model, tokenizer)
            prompt = (tokenizer(TEXT * 40)["input_ids"])[:512]
            sampler.sample([prompt], Decoding(8, TEMPERATURE, TOP_P), n=8)  # kernels are chosen on the first call
            start = time.perf_counter()
            drawn = sampler.sample([prompt], Decoding(new_tokens, TEMPERATURE, TOP_P), n=64)
            torch.cuda.synchronize()
            seconds = time.perf_counter() - start
            tokens = sum(len(sample.ids) for sample in drawn[0])
            peak = torch.cuda.max_memory_allocated()
            lines.append(
                f"| {name} | {loaded:.0f} | {weights / GIB:.2f} | {peak / GIB:.2f} | {tokens / seconds:.0f} |"
            )
            print(lines[-1], file=sys.stderr, flush=True)
            del model, sampler
    return [f"{torch.cuda.get_device_name()}, prompt of 512 tokens, {new_tokens} new ones:", "", *lines]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--part", choices=["all", "bytes", "step", "table", "gpu"], default="all")
    parser.add_argument("--new_tokens", type=int, default=256, help="of each of the 64 samples in the part gpu")
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    lines: list[str] = []
    if args.part in ("all", "bytes", "step"):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
            config = save_model(folder, small_shape())
            if args.part != "step":
                lines += [*compare(folder, config), ""]
            if args.part != "bytes":
                lines += [*lora_step(folder), ""]
    if args.part in ("all", "table"):
        lines += [*table(), ""]
    if args.part in ("all", "gpu"):
        if torch.cuda.is_available():
            lines += [*gpu(args.new_tokens), ""]
        elif args.part == "gpu":
            print("The part gpu needs CUDA, and torch sees none.", file=sys.stderr)
            return 2
        else:
            lines += ["The 7B on a GPU: NOT RUN, no CUDA here.", ""]
    print("\n".join(lines))
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text("# Quantization and memory\n\n" + "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
