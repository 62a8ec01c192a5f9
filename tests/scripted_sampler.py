"""An engine that answers from a script: one token per character, and what it was asked for is written down."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from trl_dsmath.generation import Decoding, Sample, Watch

# (the prompt as text, number of the sample) -> what follows; "~" at its end: cut off
Script = Callable[[str, int], str]


class ScriptedSampler:
    """Answers from a script and writes down what it was asked for."""

    name = "scripted"
    context_length = None
    rows_at_once = 1

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[tuple[str, int]] = []
        self.decodings: list[Decoding] = []

    def encode_prompt(self, prompt: Any) -> list[int]:
        if isinstance(prompt, str):
            return self.encode(prompt)
        return self.encode(prompt[-1]["content"]) if prompt and isinstance(prompt[0], dict) else list(prompt)

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
                finished = not reply.endswith("~")
                reply = reply.removesuffix("~")
                stop = next((word for word in decoding.stop if word in reply), None)
                shown = reply if stop is None else reply[: reply.index(stop)]
                row.append(Sample(shown, tuple(self.encode(reply)), finished, stop))
            found.append(row)
        return found

    def counts(self) -> Counter[str]:
        """How many samples of each prompt were drawn."""
        return Counter(text for text, _ in self.asked)
