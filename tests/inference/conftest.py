"""Test sets in the form of the real files; a scripted engine; a tiny model."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from replay import write_benchmarks

from trl_dsmath.generation import Decoding, Sample, Watch


@pytest.fixture(scope="session")
def benchmarks_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_benchmarks(tmp_path_factory.mktemp("benchmarks"))


Script = Callable[
    [str, int], str
]  # (the prompt as text, number of the sample) -> what it says; "~" at its end: cut off


class ScriptedSampler:
    """Answers from a script, one token per character, and writes down what it was asked for."""

    name = "scripted"
    context_length = None
    rows_at_once = 1

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[tuple[str, int]] = []
        self.decodings: list[Decoding] = []

    def encode_prompt(self, prompt: Any) -> list[int]:
        return self.encode(prompt if isinstance(prompt, str) else prompt[-1]["content"])

    def encode(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))

    def sample(
        self,
        prompts: Sequence[Any],
        decoding: Decoding,
        n: int = 1,
        first: int | Sequence[int] = 0,
        watch: Watch | None = None,
    ) -> list[list[Sample]]:
        firsts = [first] * len(prompts) if isinstance(first, int) else first
        self.decodings.append(decoding)
        found = []
        for prompt, start in zip(prompts, firsts, strict=True):
            text = self.decode(self.encode_prompt(prompt))
            row = []
            for index in range(start, start + n):
                self.asked.append((text, index))
                reply = self.script(text, index)
                whole = not reply.endswith("~")
                row.append(Sample(reply.removesuffix("~"), tuple(self.encode(reply)), whole))
            found.append(row)
        return found


@pytest.fixture
def scripted() -> Callable[[Script], ScriptedSampler]:
    return ScriptedSampler


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from trl_dsmath.scripts.tiny_model import make_tiny_model

    folder = tmp_path_factory.mktemp("tiny")
    make_tiny_model(["one and one is 2. \\boxed{2}"] * 3, folder, 256, vocab_size=300, hidden_size=64, num_layers=2)
    return folder
