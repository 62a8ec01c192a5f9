"""What a report says, and how it becomes one self-contained HTML page (`page.html.j2`) or Markdown."""

import html
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache

import jinja2
from markupsafe import Markup

from ..errors import MissingDependencyError

_MARKS = {True: "✓ ", False: "✗ ", None: ""}
_FENCED = re.compile(r"^[ \t]*```[ \t]*(\w*)[^\n`]*\n(.*?)(?:^[ \t]*```[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """A step of a solution with its score (0 to 1; `None`: without one), and whether it is known to be wrong."""

    text: str
    score: float | None = None
    wrong: bool = False


@dataclass(frozen=True)
class Sample:
    """A solution shown step by step, each step colored by its score; `tags` are what a reader can filter by."""

    title: str
    right: bool | None
    steps: Sequence[Step]
    tags: Mapping[str, str] = field(default_factory=dict)

    def html(self) -> str:
        """The solution alone; [`sample_style`] is the style that it needs."""
        return str(_environment().get_template("sample.html.j2").module.sample_card(self))  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Example:
    """
    A problem with a completion or with scored samples.

    Args:
        title (`str`):
            Heading of the card.
        question (`str`):
            The problem.
        answers (`Sequence[tuple[str, str | None, bool | None]]`):
            Answers below it: what kind (`"right"`, `"strict"`), the answer, and whether it is right (`None`: not judged).
        completion (`str`, *optional*, defaults to `""`):
            A completion, shown as it is.
        samples (`Sequence[Sample]`, *optional*):
            Solutions with scored steps.
        key (`str`, *optional*, defaults to `""`):
            What a script of the page finds the card by (`data-key`).
    """

    title: str
    question: str
    answers: Sequence[tuple[str, str | None, bool | None]]
    completion: str = ""
    samples: Sequence[Sample] = ()
    key: str = ""


@dataclass(frozen=True)
class Section:
    """
    A part of a page. What is empty is left out.

    Args:
        title (`str`, *optional*, defaults to `""`):
            Its heading.
        table (`list[list[str]]`, *optional*):
            A table, the first row its header.
        text_columns (`int`, *optional*, defaults to `1`):
            How many columns of the table, from the left, hold text; the others hold numbers.
        plots (`dict[str, str]`, *optional*):
            SVG by caption.
        examples (`Sequence[Example]`, *optional*):
            Cards of examples.
        bullets (`Sequence[str]`, *optional*):
            A list.
        note (`str`, *optional*, defaults to `""`):
            A remark, below the heading of examples and below everything else.
    """

    title: str = ""
    table: list[list[str]] | None = None
    text_columns: int = 1
    plots: dict[str, str] = field(default_factory=dict)
    examples: Sequence[Example] = ()
    bullets: Sequence[str] = ()
    note: str = ""

    @property
    def filters(self) -> dict[str, list[str]]:
        """The tags of its samples: by name the values, in the order in which they come."""
        found: dict[str, dict[str, None]] = {}
        for sample in (sample for example in self.examples for sample in example.samples):
            for name, value in sample.tags.items():
                found.setdefault(name, {})[value] = None
        return {name: list(values) for name, values in found.items()}


@dataclass(frozen=True)
class Page:
    """
    A report. Texts may hold `**bold**` and `` `code` ``; anything else in them is shown as it is.

    Args:
        title (`str`):
            Title of the page.
        sections (`Sequence[Section]`):
            Its parts, in order.
        headline (`str`, *optional*, defaults to `""`):
            The result in a sentence.
        warnings (`Sequence[str]`, *optional*):
            What a reader must know first.
        tiles (`Sequence[tuple[str, str, str]]`, *optional*):
            The main numbers: name, number, explanation.
        script (`str`, *optional*, defaults to `""`):
            HTML at the end of the page: styles and scripts, which nothing that a model wrote may be part of.
    """

    title: str
    sections: Sequence[Section]
    headline: str = ""
    warnings: Sequence[str] = ()
    tiles: Sequence[tuple[str, str, str]] = ()
    script: str = ""

    def html(self) -> str:
        """The page as one HTML file, for wide and narrow screens, light and dark."""
        return _environment().get_template("page.html.j2").render(page=self)

    def markdown(self) -> str:
        """The page as Markdown, without plots."""
        parts = [f"# {self.title}", self.headline, *(f"> {text}" for text in self.warnings)]
        parts.append("\n".join(f"* {name}: {number} ({detail})" for name, number, detail in self.tiles))
        for section in self.sections:
            if section.plots:
                continue
            parts += [f"## {section.title}" if section.title else ""]
            parts += [markdown_table(section.table)] if section.table else []
            parts += ["\n".join(f"* {text}" for text in section.bullets), section.note]
            parts += map(_markdown_example, section.examples)
        return "\n\n".join(part for part in parts if part) + "\n"


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("trl_dsmath.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"inline": _inline, "rich": rich_text}
    return environment


def sample_style() -> str:
    """The style that [`Sample.html`] needs."""
    return str(_environment().get_template("sample.html.j2").module.style())  # type: ignore[attr-defined]


def rich_text(text: str) -> Markup:
    """Text of a model as HTML: programs and their output in boxes, formulas drawn where latex2mathml is installed."""
    draw: Callable[[str], str] = html.escape
    with suppress(MissingDependencyError):
        from .formulas import with_formulas

        draw = with_formulas
    parts, end = [], 0
    for block in _FENCED.finditer(text):
        if not block[2].strip():  # a fence that is a step of its own
            continue
        kind = block[1].lower() or "text"
        before = text[end : block.start()].strip("\n")
        parts += [draw(before), f'<pre class="{kind}">{html.escape(block[2].rstrip())}</pre>']
        end = block.end()
    return Markup("".join([*parts, draw(text[end:].strip("\n"))]))


def _inline(text: str) -> Markup:
    """The two bits of Markdown that texts may hold, as HTML; a number and its % stay on one line."""
    text = re.sub(r"(?<=\d) %", "&nbsp;%", html.escape(text, quote=False))
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)
    return Markup(re.sub(r"`(.+?)`", r"<code>\1</code>", text))


def shortened(text: str, most: int) -> str:
    """Beginning and end of a text that has more than so many characters."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}\n[... {len(text) - most:,} characters ...]\n{text[-most // 2 :]}"


def markdown_table(rows: list[list[str]]) -> str:
    """A table in Markdown, the first row its header."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def text_table(rows: Sequence[Sequence[str]]) -> str:
    """A table for the terminal: columns of numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    numbers = [cell == "-" or cell.lstrip("-")[:1].isdigit() for cell in rows[:2][-1]]

    def line(row: Sequence[str]) -> str:
        cells = zip(row, widths, numbers, strict=True)
        return "  ".join(cell.rjust(width) if number else cell.ljust(width) for cell, width, number in cells).rstrip()

    return "\n".join(map(line, rows))


def _markdown_example(example: Example) -> str:
    answers = "; ".join(f"{kind}: `{answer}`" for kind, answer, _ in example.answers)
    parts = [f"### {example.title}", _fenced(example.question), answers]
    if example.completion:
        parts.insert(2, _fenced(example.completion))
    for sample in example.samples:
        scores = ["" if step.score is None else f"{step.score:.2f}  " for step in sample.steps]
        steps = [f"{a}{b.text}{'  ✗' if b.wrong else ''}" for a, b in zip(scores, sample.steps, strict=True)]
        parts += [f"{_MARKS[sample.right]}{sample.title}", _fenced("\n".join(steps))]
    return "\n\n".join(parts)


def _fenced(text: str) -> str:
    fence = "`" * max([4, *(1 + len(run) for run in re.findall(r"`+", text))])
    return f"{fence}\n{text}\n{fence}"
