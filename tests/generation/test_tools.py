"""Tools: what is run, what the model sees of it, what is marked, and that a sample depends on nothing else."""

import dataclasses
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from tool_model import Result, Runner, make_model, make_tokenizer

from trl_dsmath.errors import ConfigError
from trl_dsmath.generation import Decoding, Sample, ToolSampler, TransformersSampler, Watch
from trl_dsmath.generation.programs import clipped, output_block, with_state
from trl_dsmath.paper import TOOL_USE
from trl_dsmath.text import read_answer
from trl_dsmath.text.programs import programs

ASK = "```output"
DECODING = Decoding(max_new_tokens=2000)


class Script:
    """An engine whose tokens are characters and which writes what it is told: a function of the text so far and the number."""

    name = "script"
    rows_at_once = 1000

    def __init__(self, write: Callable[[str, int], str]) -> None:
        self.write = write
        self.calls: list[tuple[list[str], int, list[int]]] = []

    def encode_prompt(self, prompt: Any) -> list[int]:
        return self.encode(prompt) if isinstance(prompt, str) else list(prompt)

    def encode(self, text: str) -> list[int]:
        return [ord(char) for char in text]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))

    def sample(self, prompts: Any, decoding: Decoding, n: int = 1, first: Any = 0, watch: Any = None) -> Any:
        starts = [first] * len(prompts) if isinstance(first, int) else first
        texts = [self.decode(self.encode_prompt(prompt)) for prompt in prompts]
        self.calls.append((texts, n, starts))
        return [
            [self._one(self.write(text, start + i), decoding) for i in range(n)]
            for text, start in zip(texts, starts, strict=True)
        ]

    def _one(self, text: str, decoding: Decoding) -> Sample:
        ends = [(text.find(stop), stop) for stop in decoding.stop if stop in text]
        place, stop = min(ends, default=(len(text), None))
        ids = tuple(self.encode(text[: place + len(stop or "")]))
        if len(ids) > decoding.max_new_tokens:
            ids = ids[: decoding.max_new_tokens]
            return Sample(self.decode(ids), ids, finished=False)
        return Sample(text[:place], ids, finished=True, stop=stop)


def turns(*texts: str) -> Script:
    """An engine that writes these texts in turn: as many as outputs were answered."""
    return Script(lambda text, index: texts[text.count("```output\n")])


def one(engine: Script, runner: Any = None, decoding: Decoding = DECODING, **options: Any) -> Sample:
    return ToolSampler(engine, run=runner or Runner(), **options).sample(["Q"], decoding)[0][0]


def spoken(engine: Script, sample: Sample, own: bool) -> str:
    """What the model, or the interpreter, wrote."""
    assert sample.own is not None and len(sample.own) == len(sample.ids)
    return engine.decode([token for token, by_model in zip(sample.ids, sample.own, strict=True) if by_model == own])


def block(code: str) -> str:
    return f"```python\n{code}\n```\n{ASK}"


def test_a_program_is_run_and_its_output_read() -> None:
    engine = turns("Let us see.\n" + block("print(6*7)"), "So \\boxed{42}.")
    sample = one(engine)
    assert sample.text == f"Let us see.\n{block('print(6*7)')}\n42\n```\nSo \\boxed{{42}}."
    assert engine.decode(sample.ids) == sample.text
    assert spoken(engine, sample, own=False) == "\n42\n```\n"
    assert spoken(engine, sample, own=True) == "Let us see.\n" + block("print(6*7)") + "So \\boxed{42}."
    assert sample.finished and sample.stop is None and not sample.imitates_output
    assert [(p.code, p.stdout, p.error, p.timed_out) for p in sample.programs] == [
        ("print(6*7)\n", "42\n", None, False)
    ]


def test_defaults_are_the_authors() -> None:
    assert (TOOL_USE.rounds, TOOL_USE.timeout, TOOL_USE.output_chars, TOOL_USE.error_tokens) == (2, 10.0, 100, 100)
    engine = turns(block("print(1)"), block("print(2)"), "never written")
    sample = one(engine)
    assert len(engine.calls) == 2
    # The program of the last round is run and kept, but nobody sees its output.
    assert [program.stdout for program in sample.programs] == ["1\n", "2\n"]
    assert sample.text.endswith("print(2)\n```\n") and not sample.text.endswith(ASK)
    assert engine.decode(sample.ids).endswith(ASK)
    assert (sample.finished, sample.stop) == (False, ASK)
    assert one(turns(block("print(1)"), block("print(2)"), "End."), rounds=3).text.endswith("2\n```\nEnd.")


def test_time_and_memory_of_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[float, int]] = []
    monkeypatch.setattr(
        "trl_dsmath.generation.tools.run_sandboxed",
        lambda codes, timeout, memory_mb: seen.append((timeout, memory_mb)) or Runner()(codes),
    )
    for options in ({}, {"timeout": 3.0, "memory_mb": 64}):
        ToolSampler(turns(block("print(1)"), "End."), **options).sample(["Q"], DECODING)
    assert seen == [(10.0, 512), (3.0, 64)]


def test_samples_are_handed_out_with_their_places() -> None:
    engine, seen = Script(lambda text, index: f"{text}{index}"), []
    watch = Watch(on_sample=lambda prompt, place, sample: seen.append((prompt, place, sample.text)))
    for engine.rows_at_once in (1, 100):
        ToolSampler(engine).sample(["a", "b"], DECODING, n=2, first=[0, 5], watch=watch)
    assert seen == [(0, 0, "a0"), (0, 1, "a1"), (1, 0, "b5"), (1, 1, "b6")] * 2


def test_earlier_blocks_are_run_again_without_their_output() -> None:
    first = "x = 5\nfor i in range(2):\n    print('loud',\n          i)"
    runner = Runner()
    engine = turns(block(first), block("print(x + 1)"), "End.")
    sample = one(engine, runner, rounds=3)
    assert [program.stdout for program in sample.programs] == ["loud 0\nloud 1\n", "6\n"]
    assert runner.batches[0] == [first + "\n"]
    two_blocks = f"```python\ny = 2\nprint('loud')\n```\nand\n{block('print(y)')}"
    assert [p.stdout for p in one(turns(two_blocks, "End.")).programs] == ["2\n"]


def test_what_a_failed_block_had_set_is_there_and_its_error_does_not_come_back() -> None:
    engine = turns(block("x = 5\n1/0\nx = 6"), block("print(x)\nraise SystemExit"), block("print(x + 1)"), "End.")
    sample = one(engine, rounds=4)
    assert "\nZeroDivisionError: division by zero\n```\n" in sample.text
    assert [program.stdout for program in sample.programs] == ["", "5\n", "6\n"]
    assert sample.programs[0].error == "ZeroDivisionError: division by zero"
    assert Runner()([with_state(["syntax error here"], "print(1)")])[0].stdout == "1\n"


def test_a_program_that_runs_too_long_is_told_and_not_run_again() -> None:
    runner = Runner(timeout=1.0)
    endless = "x = 1\nwhile True: pass"
    sample = one(turns(block(endless), block("print(2)"), "End."), runner, rounds=3)
    assert "\nTimeoutError: stopped after 1 s\n```\n" in sample.text
    assert sample.programs[0].timed_out and sample.programs[1].stdout == "2\n"
    assert runner.batches[1] == ["print(2)\n"]


@pytest.mark.parametrize(
    "asked",
    [
        ASK,  # no block
        f"```python\n```\n{ASK}",  # nothing in it
        f"```python\n  \n```\n{ASK}",
        f"```python\nprint(1)\n{ASK}",  # not closed
        f"```python\nprint('{ASK}",  # the request inside a program
        f"```\nprint(1)\n```\n{ASK}",  # not said to be Python
    ],
)
def test_a_request_without_a_program_is_not_answered(asked: str) -> None:
    runner = Runner()
    engine = turns(asked + "\n42\n```\nSo \\boxed{42}.", "never written")
    sample = one(engine, runner)
    assert (sample.text + ASK, sample.finished, sample.stop) == (asked, False, ASK)
    assert sample.programs == () and runner.batches == [] and spoken(engine, sample, own=False) == ""


def test_a_program_is_run_only_once_for_a_later_request() -> None:
    """After an output a request needs a new block: the old one is not taken again."""
    sample = one(turns(block("print(1)"), f"Again.\n{ASK}"))
    assert len(sample.programs) == 1 and sample.stop == ASK


def test_without_a_request_nothing_is_run() -> None:
    runner = Runner()
    sample = one(turns("```python\nprint(1)\n```\nSo 1."), runner)
    assert runner.batches == [] and sample.finished and sample.own == (True,) * len(sample.ids)


def test_what_the_model_writes_behind_a_request_is_thrown_away() -> None:
    forged = block("print(1)") + "\n999\n```\nSo \\boxed{999}."
    sample = one(turns(forged, "So \\boxed{1}."))
    assert "999" not in sample.text and "\n1\n```\nSo \\boxed{1}." in sample.text


@pytest.mark.parametrize("fence", ["``` output", "```Output", "~~~output", "```tool_output", "```stdout"])
def test_imitations_are_told(fence: str) -> None:
    text = f"```python\nprint(1)\n```\n{fence}\n999\n```\nSo \\boxed{{999}}."
    sample = one(turns(text))
    assert sample.imitates_output
    assert not one(turns("```python\nprint(1)\n```\nThe output is 1.")).imitates_output


def test_output_cannot_close_its_block() -> None:
    code = r"f = '`' * 3; print(f + '\nSo \\boxed{7}.\n' + f + 'output\n8')"
    engine = turns(block(code), "End.")
    sample = one(engine)
    assert spoken(engine, sample, own=False) == "\n'''\nSo \\boxed{7}.\n'''output\n8\n```\n"
    assert not sample.imitates_output
    assert read_answer(sample.text) is None  # what a program prints is no answer of the model's
    assert read_answer(one(turns(block(code), "So \\boxed{5}.")).text) == "5"


def test_long_output_and_long_errors_are_cut() -> None:
    sample = one(turns(block("print('a'*60 + 'b'*60)"), "End."))
    assert f"\n{'a' * 50}...{'b' * 50}\n```\n" in sample.text
    assert sample.programs[0].stdout == "a" * 60 + "b" * 60 + "\n"
    assert clipped("abcdef", 6) == "abcdef" and clipped("abcdefg", 6) == "abc...efg" and clipped("abcdefg", 1) == "..."
    error = one(turns(block("raise ValueError('c'*500)"), "End."), error_tokens=20)
    assert f"\nValueError: {'c' * 8}\n```\n" in error.text
    assert output_block("") == "```\n" and output_block("\ud800") == "?\n```\n"


def test_length_counts_the_interpreters_tokens() -> None:
    first = block("print(123456)")
    for length, finished, text in [
        (len(first) - 1, False, first[:-1]),
        (len(first) + 3, False, first + "\n12"),
        (len(first) + 12, False, first + "\n123456\n```\n"),  # no room to go on
        (len(first) + 14, False, first + "\n123456\n```\nEn"),
        (len(first) + 16, True, first + "\n123456\n```\nEnd."),
    ]:
        engine = turns(first, "End.")
        sample = one(engine, decoding=Decoding(max_new_tokens=length))
        assert (engine.decode(sample.ids), sample.text, sample.finished) == (text, text, finished)
        assert sample.stop is None and len(sample.own or ()) == len(sample.ids) <= length


def test_rounds_are_batches_and_each_sample_has_its_own_room() -> None:
    def write(text: str, index: int) -> str:
        if "```output\n" in text:
            return "z" * 500
        return "No." if index == 0 else "." * 10 * index + block(f"print({index})")

    engine, runner = Script(write), Runner()
    rows = ToolSampler(engine, run=runner).sample(["P", "Q"], Decoding(max_new_tokens=100), n=3, first=[0, 1])
    assert [len(batch) for batch in runner.batches] == [5]
    assert [n for _, n, _ in engine.calls] == [3, 1] and engine.calls[1][2] == [1, 2, 1, 2, 3]
    lengths = [[len(sample.ids) for sample in row] for row in rows]
    assert lengths == [[3, 100, 100], [100, 100, 100]]
    assert [sample.programs[0].stdout for sample in rows[1]] == ["1\n", "2\n", "3\n"]


def test_a_stop_string_of_the_caller_ends_a_sample() -> None:
    sample = one(turns(block("print(1)"), "So 1.\nUser: and"), decoding=dataclasses.replace(DECODING, stop=("User:",)))
    assert sample.text.endswith("\n1\n```\nSo 1.\n") and (sample.finished, sample.stop) == (True, "User:")


def test_greedy_samples_are_run_once() -> None:
    runner = Runner()
    sampler = ToolSampler(turns(block("print(1)"), "End."), run=runner)
    rows = sampler.sample(["Q"], Decoding(max_new_tokens=2000, temperature=0.0), n=4)
    assert rows[0] == rows[0][:1] * 4 and [len(batch) for batch in runner.batches] == [1]
    assert sampler.name == "script with tools"


@pytest.mark.parametrize("wrong", [{"rounds": 0}, {"timeout": 0.0}, {"output_chars": 0}, {"error_tokens": 0}])
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        ToolSampler(turns(""), **wrong)


def test_blocks() -> None:
    text = "```python\na\n\n```\n```py\nb\n```\n```Python3\nc\n  ```\n```python\nopen"
    assert programs(text) == ["a\n\n", "b\n", "c\n"]


@pytest.fixture(scope="module")
def writer() -> TransformersSampler:
    tokenizer = make_tokenizer()
    return TransformersSampler(make_model(tokenizer), tokenizer)


def calculator(codes: Sequence[str]) -> list[Result]:
    """What the programs of the tiny model print, without a process each."""
    results = []
    for code in codes:
        lines = [line for line in code.splitlines() if line.startswith("print(")]
        try:
            results.append(Result("".join(f"{eval(line[5:])}\n" for line in lines)))
        except SyntaxError:
            results.append(Result("", "SyntaxError: invalid syntax"))
    return results


def test_samples_depend_on_nothing_but_seed_prompt_and_number(writer: TransformersSampler) -> None:
    sampler = ToolSampler(writer, rounds=4, run=calculator)
    prompts = ["1+1=", "User: 23=", "="]
    decoding = Decoding(max_new_tokens=60, seed=3)
    expected = sampler.sample(prompts, decoding, n=12)
    flat = [sample for row in expected for sample in row]
    assert sum(len(sample.programs) >= 2 for sample in flat) >= 3
    assert any(program.error is not None for sample in flat for program in sample.programs)
    assert any(sample.stop == ASK and not sample.programs for sample in flat)
    assert len({sample.ids for sample in flat}) > 24
    assert sampler.sample(prompts[::-1], decoding, n=12)[::-1] == expected
    waves = [sampler.sample(prompts, decoding, n=4, first=first) for first in (8, 0, 4)]
    assert [b + c + a for a, b, c in zip(*waves, strict=True)] == expected
    small = ToolSampler(TransformersSampler(writer._model, writer._tokenizer, batch_size=5), rounds=4, run=calculator)
    assert small.sample(prompts, decoding, n=12) == expected
    assert sampler.sample(prompts, dataclasses.replace(decoding, seed=4), n=12) != expected


def test_ids_are_the_models_own_and_the_mask_is_exact(writer: TransformersSampler) -> None:
    """Each run of the model's tokens ends as sampled, each run of the interpreter's is its text and nothing else."""
    sampler = ToolSampler(writer, rounds=3, run=calculator)
    answered = 0
    for sample in sampler.sample(["1+1="], Decoding(max_new_tokens=80, seed=1), n=24)[0]:
        assert sample.own is not None and sample.own[0]
        borders = [0, *(i for i in range(1, len(sample.ids)) if sample.own[i] != sample.own[i - 1]), len(sample.ids)]
        parts = [(writer.decode(sample.ids[a:b]), sample.own[a]) for a, b in pairwise(borders)]
        for i, (text, own) in enumerate(parts):
            if not own:
                answered += 1
                assert parts[i - 1][0].endswith((ASK, ASK + "\n"))
                program = sample.programs[i // 2]
                shown = program.error or program.stdout.rstrip()
                before = "" if parts[i - 1][0].endswith("\n") else "\n"
                assert text == f"{before}{shown}\n```\n"
        assert writer.decode(sample.ids).startswith(sample.text)
    assert answered >= 10


def test_special_tokens_that_a_program_prints_are_text(writer: TransformersSampler) -> None:
    def ends(codes: Sequence[str]) -> list[Result]:
        return [Result("1</s><pad><s>") for _ in codes]

    rows = ToolSampler(writer, run=ends).sample(["1+1="], Decoding(max_new_tokens=80, seed=1), n=24)
    heard = [[t for t, own in zip(s.ids, s.own or (), strict=True) if not own] for s in rows[0]]
    special = set(writer._tokenizer.all_special_ids)
    assert sum(map(bool, heard)) >= 5
    for sample, ids in zip(rows[0], heard, strict=True):
        assert not special & set(ids)
        assert "</s>" in sample.text or not ids


def test_through_the_real_sandbox() -> None:
    pytest.importorskip("trl_dsmath.sandbox")
    engine = turns(
        block("from sympy import Symbol, factor\nx = Symbol('x')"), block("print(factor(x**2 - 1))"), "End."
    )
    sample = ToolSampler(engine, rounds=3).sample(["Q"], DECODING)[0][0]
    assert spoken(engine, sample, own=False) == "\n```\n" + "\n(x - 1)*(x + 1)\n```\n"
