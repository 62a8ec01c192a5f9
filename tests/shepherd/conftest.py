"""A scripted engine: one token per character, and what continues a prefix is written down in the test."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from trl_dsmath.generation import Decoding, Sample, Watch

Script = Callable[[str, int], str]  # (prefix with its prompt, number of the rollout) -> what follows


class ScriptedSampler:
    """Answers from a script and counts what it was asked for."""

    name = "scripted"

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[tuple[str, int]] = []

    def encode_prompt(self, prompt: Any) -> list[int]:
        return self.encode(prompt) if isinstance(prompt, str) else list(prompt)

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
        found = []
        for prompt, start in zip(prompts, firsts, strict=True):
            text = self.decode(self.encode_prompt(prompt))
            row = []
            for index in range(start, start + n):
                self.asked.append((text, index))
                reply = self.script(text, index)
                finished = not reply.endswith("~")  # "~": cut off
                reply = reply.removesuffix("~")
                stop = next((word for word in decoding.stop if word in reply), None)
                shown = reply if stop is None else reply[: reply.index(stop)]
                row.append(Sample(shown, tuple(self.encode(reply)), finished, stop))
            found.append(row)
        return found

    def counts(self) -> dict[str, int]:
        """How many samples of each prefix were drawn."""
        found: dict[str, int] = {}
        for text, _ in self.asked:
            found[text] = found.get(text, 0) + 1
        return found


@pytest.fixture
def scripted() -> Callable[[Script], ScriptedSampler]:
    return ScriptedSampler


@pytest.fixture(scope="session")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Folder of the quickstart's model after a few seconds of training: it writes solutions, few of them right."""
    import torch
    from model import make_model, make_tokenizer
    from task import SloppyAuthor, make_problems

    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    model = make_model(tokenizer, seed=0)
    author = SloppyAuthor(0, "sft")
    problems = make_problems(16 * 80, 0, "sft")
    texts = [problem.prompt + author.solve(problem) + "<eos>" for problem in problems]
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    for begin in range(0, len(texts), 16):
        batch = tokenizer(texts[begin : begin + 16], padding=True, return_tensors="pt", return_token_type_ids=False)
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        model(**batch, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    folder = tmp_path_factory.mktemp("policy")
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
