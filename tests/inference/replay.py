"""A sampler that returns recorded texts, and small copies of the test sets in the forms of their files."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trl_dsmath.generation import Decoding, Prompt, Sample, Watch


class ReplaySampler:
    """Sample `i` of a prompt is the text that `tell` gives for the prompt and `i`."""

    name = "replay:recorded"

    def __init__(
        self,
        tell: Callable[[str, int], str],
        log: Path | None = None,
        pause: float = 0.0,
        context_length: int | None = None,
    ) -> None:
        self._tell = tell
        self.context_length = context_length
        self.rows_at_once = 1
        self._log = log
        self._pause = pause
        self.calls = 0

    def encode_prompt(self, prompt: Prompt) -> list[int]:
        return list(prompt_text(prompt).encode())

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(ids).decode()

    def sample(
        self,
        prompts: Sequence[Prompt],
        decoding: Decoding,
        n: int = 1,
        first: int | Sequence[int] = 0,
        watch: Watch | None = None,
    ) -> list[list[Sample]]:
        self.calls += 1
        time.sleep(self._pause)
        starts = [first] * len(prompts) if isinstance(first, int) else first
        drawn = []
        for prompt, start in zip(prompts, starts, strict=True):
            text = prompt_text(prompt)
            drawn.append([self._one(text, start + i, decoding.stop) for i in range(n)])
            if self._log:
                with self._log.open("a") as file:
                    file.writelines(f"{hash_of(text)}/{decoding.temperature}/{start + i}\n" for i in range(n))
        return drawn

    def _one(self, prompt: str, number: int, stop: tuple[str, ...]) -> Sample:
        text = self._tell(prompt, number)
        found = min((end for end in stop if end in text), key=text.index, default=None)
        if found is None:
            return Sample(text, tuple(text.encode()), finished=True)
        cut = text.index(found)
        return Sample(text[:cut], tuple(text[: cut + len(found)].encode()), finished=True, stop=found)


def hash_of(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()[:12]


def prompt_text(prompt: Prompt) -> str:
    if isinstance(prompt, str):
        return prompt
    return str(prompt[-1]["content"]) if isinstance(prompt[0], dict) else bytes(prompt).decode()  # type: ignore


# Two problems of each benchmark, made up, in the columns of the real files.
ROWS: dict[str, list[dict[str, Any]]] = {
    "gsm8k/test.jsonl": [
        {"question": "Ann has 3 boxes of 6 eggs. How many eggs?", "answer": "3*6=<<3*6=18>>18 eggs\n#### 18"},
        {
            "question": "A lorry carries 1,250 kg twice. How many kg?",
            "answer": "It is <<2*1250=2500>>2500\n#### 2,500",
        },
    ],
    "math/test.jsonl": [
        {
            "problem": "Compute $\\frac{1}{4}+\\frac{1}{2}$.",
            "solution": "It is $\\boxed{\\frac{3}{4}}$.",
            "level": "1",
        },
        {"problem": "Solve $x^2=9$.", "solution": "So $x=\\pm 3$, thus $\\boxed{-3, 3}$.", "level": "Level 2"},
    ],
    "math500/test.jsonl": [
        {"problem": "What is $2\\sqrt{3}\\cdot 1$?", "solution": "$\\boxed{2\\sqrt{3}}$", "answer": "2\\sqrt{3}"},
        {"problem": "Give $[0,1)$ in words of intervals.", "solution": "$\\boxed{[0,1)}$", "answer": "[0,1)"},
    ],
    "ocw/test.jsonl": [
        {"problem": "What is the luminosity in ergs per second?", "solution": "$\\boxed{4.5e33}$", "answer": "4.5e33"},
        {"problem": "Solve the ODE $y'=-ky$.", "solution": "$\\boxed{C e^{-k t}}$", "answer": "C e^{-k t}"},
    ],
    "sat/test.jsonl": [
        {"id": "0", "question": "What is $2n$ if $n=6$?", "options": "A) 3 B) 6 C) 12 D) 24", "Answer": "C"},
        {
            "id": "1",
            "question": "What is $f(2)$?",
            "options": "A) $f(2)=4$ B) $5$ C) $6$ D) $\\frac{1}{2}$",
            "Answer": "D",
        },
    ],
    "mmlu_stem/test.jsonl": [
        {
            "question": "Which is prime?",
            "options": ["4", "6", "7", "9"],
            "answer": "C",
            "topic": "mathematics",
            "id": 0,
        },
        {"question": "Which is true?", "options": ["It is, it is", "no", "never", "both"], "answer": "A", "id": 1},
    ],
    "cmath/test.jsonl": [
        {"grade": 1, "question": "小明有3盒糖，每盒6颗，一共多少颗？", "golden": "18", "reasoning_step": 1},
        {"grade": 4, "question": "一瓶水1.5元，买两瓶要多少元？", "golden": "3.0", "reasoning_step": 1},
    ],
    "mgsm_zh/test.jsonl": [
        {
            "id": "0",
            "messages": [{"role": "user", "content": "安有 3 盒鸡蛋，每盒 6 个，一共多少个？"}],
            "answer": "18",
        },
        {
            "id": "1",
            "messages": [{"role": "user", "content": "卡车运了两次，每次 1250 千克，共多少？"}],
            "answer": "2500",
        },
    ],
    "gaokao/gaokao-mathcloze.jsonl": [
        {"question": "则 $r=(\\quad)$, $d=(\\quad)$", "options": None, "label": None, "answer": "$5$;$10$"},
        {"question": "则 $a$ 的取值范围是 $(\\quad)$", "options": None, "label": None, "answer": "$[0,2]$"},
    ],
    "gaokao/gaokao-mathqa.jsonl": [
        {
            "question": "集合中元素的个数为",
            "options": ["(A)$1$", "(B)$2$", "(C)$3$", "(D)$4$"],
            "label": "B",
            "answer": None,
        },
        {
            "question": "正确的是",
            "options": ["(A)$p$", "(B)$q$", "(C)$r$", "(D)$s$"],
            "label": "A C D",
            "answer": None,
        },
    ],
}


def write_benchmarks(folder: Path) -> Path:
    """The files of [`ROWS`] in a folder like the real one."""
    for name, rows in ROWS.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return folder
