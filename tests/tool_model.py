"""A tiny model that really writes programs, and a runner for them: a bigram table inside a Llama, so that it can be trained.

Its single layer adds nothing; the next token depends on the last one alone, by the table below.
"""

import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

OPEN, CLOSE, ASK, ASK_LINE, BOX = "```python\n", "```\n", "```output", "```output\n", "So \\boxed{"
DIGITS = dict.fromkeys("12345", 1.0)
NEXT: dict[str, dict[str, float]] = {
    "=": {OPEN: 8, BOX: 2},
    OPEN: {"print(": 9, CLOSE: 1},  # an empty program now and then
    "print(": DIGITS,
    **{digit: {"+": 3, ")\n": 6, "}": 1} for digit in DIGITS},  # a brace inside a program is an error in it
    "+": DIGITS,
    ")\n": {CLOSE: 7, "print(": 2, OPEN: 1},
    CLOSE: {
        ASK: 4,
        ASK_LINE: 2,
        OPEN: 3,
        BOX: 1,
    },  # also what the interpreter ends with: then a request has no program
    BOX: DIGITS,
    "}": {"</s>": 6, "\n": 2, CLOSE: 2},
    "\n": {OPEN: 5, BOX: 5},
}


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Bytes, and the pieces of the table as tokens."""
    tokens = ["<s>", "</s>", "<pad>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    bpe = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, []))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        padding_side="left",
        model_input_names=["input_ids", "attention_mask"],  # transformers 4 would add token_type_ids
    )
    made.add_tokens(
        [AddedToken(piece, normalized=False) for piece in (OPEN, CLOSE, ASK, ASK_LINE, BOX, "print(", ")\n")]
    )
    made.chat_template = "{% for m in messages %}{{ m['content'] }}={% endfor %}"
    return made


def make_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    size = -(-len(tokenizer) // 32) * 32
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=size,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=4,
            max_position_embeddings=512,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )

    def one(piece: str) -> int:
        ids = tokenizer(piece, add_special_tokens=False)["input_ids"]
        assert len(ids) == 1, piece
        return int(ids[0])

    with torch.no_grad():
        layer = model.model.layers[0]
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(len(tokenizer), size))
        logits = torch.full((len(tokenizer), size), -12.0)
        for piece, following in NEXT.items():
            for after, weight in following.items():
                logits[one(after), one(piece)] = math.log(weight)
        model.lm_head.weight.copy_(logits / math.sqrt(size))  # the norm makes a one-hot vector this long
    return model.eval()


@dataclass
class Result:
    stdout: str
    error: str | None = None
    timed_out: bool = False


class Runner:
    """Runs programs in plain processes, and remembers what it was given. Fit for the programs of these tests alone."""

    def __init__(self, timeout: float = 10.0) -> None:
        self.batches: list[list[str]] = []
        self.timeout = timeout

    def __call__(self, programs: Sequence[str]) -> list[Result]:
        self.batches.append(list(programs))
        started = [
            subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            for program in programs
        ]
        return [self._result(process) for process in started]

    def _result(self, process: subprocess.Popen) -> Result:
        try:
            stdout, error = process.communicate(timeout=self.timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return Result("", f"TimeoutError: stopped after {self.timeout:g} s", timed_out=True)
        return Result(stdout, error.strip().rsplit("\n", 1)[-1] if process.returncode else None)
