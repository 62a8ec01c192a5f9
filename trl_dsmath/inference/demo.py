"""A page that answers questions: samples as they come, votes, steps by score, programs and what they printed."""

import html
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..errors import DsMathError, MissingDependencyError
from ..generation import Prompt, Sampler, Watch
from ..generation import Sample as Drawn
from ..grading.votes import AnswerClasses, Vote
from ..report import Sample, Step, sample_style
from ..report.page import rich_text
from .config import SolveConfig
from .solution import SolvedSample
from .solver import Solver

if TYPE_CHECKING:
    from gradio import Blocks

QUESTIONS = (
    "Tom has 3 boxes of 12 pencils. He gives away 7 pencils. How many are left?",
    "What is the sum of the first 100 positive integers?",
    "Find the roots of $x^2 - 5x + 6 = 0$.",
)
_EVERY = 0.3  # seconds between two states of the page
_STYLE = """
.gradio-container { max-width: 1100px !important; margin: 0 auto !important; }
#solution { padding: 0; } #solution .answer { font-size: 1.3rem; margin: .2rem 0 .4rem; overflow-wrap: anywhere; }
#solution .soft { color: color-mix(in srgb, var(--body-text-color) 68%, transparent); font-size: .9rem; }
#solution .bad { color: #c2362b; }
#solution .votes { display: grid; grid-template-columns: fit-content(40%) 1fr auto; gap: .2rem .8rem; align-items: center; margin: .4rem 0; }
#solution .vote { display: contents; }
#solution .vote > span:first-child { overflow-wrap: anywhere; } #solution .vote b { font-weight: 500; white-space: nowrap; }
#solution .bar { background: #3b82c4; height: .7rem; border-radius: 3px; min-width: 2px; }
#solution .samples { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); margin-top: 1rem; }
#solution .sample { border: 1px solid var(--border-color-primary); border-radius: 8px; padding: .5rem .8rem; }
#solution .chosen .sample { border: 2px solid #2f9e6e; }
"""


@dataclass
class DemoConfig(SolveConfig):
    """[`SolveConfig`] with as many samples as one waits for."""

    n: int = field(default=8, metadata={"help": "Samples per question, at most."})


class _Stopped(Exception):
    """Nobody looks any more."""


class _Listening:
    """An engine that tells of each sample as it ends; a solver hands them out in order, and with a step scorer in rounds."""

    def __init__(self, sampler: Sampler, tell: Callable[[str], None]) -> None:
        self._sampler, self._tell = sampler, tell

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sampler, name)

    def sample(
        self, prompts: Sequence[Prompt], decoding: Any, n: int, first: Any, watch: Watch | None
    ) -> list[list[Drawn]]:
        before = watch or Watch()

        def on_sample(i: int, place: int, sample: Drawn) -> None:
            self._tell(sample.text)
            before.on_sample(i, place, sample)

        return self._sampler.sample(prompts, decoding, n, first, Watch(on_sample, before.on_tokens))


def stream(solver: Solver, question: str, n: int, lock: AbstractContextManager | None = None) -> Iterator[str]:
    """
    Solves a question in a thread and yields the page's state as HTML, again and again, the last time with the answer.

    At most `n` samples are drawn; the lock is held while the model is at work. Closing the iterator ends the work at the
    next token.
    """
    news: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    stopped = threading.Event()

    def tell(kind: str, value: Any) -> None:
        if stopped.is_set():
            raise _Stopped
        news.put((kind, value))

    def work() -> None:
        listening: Any = _Listening(solver.sampler, lambda text: tell("text", text))
        own = Solver(listening, replace(solver.settings, n=n), solver.step_scorer)
        try:
            with lock or nullcontext():
                for _, solution in own.solve(
                    [question], None, lambda i, first, new: tell("samples", new), lambda count: tell("tokens", count)
                ):
                    tell("solution", solution)
        except _Stopped:
            pass
        except DsMathError as error:
            news.put(("error", str(error)))
        except BaseException:
            news.put(("error", "The model failed; the terminal says why."))
            raise

    threading.Thread(target=work, daemon=True).start()
    start, texts, samples, tokens, solution = time.monotonic(), [], [], 0, None
    classes = AnswerClasses()
    try:
        while solution is None:
            told = [news.get()]
            time.sleep(_EVERY)
            while not news.empty():
                told.append(news.get())
            for kind, value in told:
                if kind == "error":
                    yield f"<p class='bad'>{html.escape(value)}</p>"
                    return
                if kind == "text":
                    texts.append(value)
                elif kind == "tokens":
                    tokens += value
                elif kind == "samples":
                    samples += value
                    classes.add([sample.answer for sample in value])
                else:
                    solution = value
            seconds = time.monotonic() - start
            progress = f"{max(len(texts), len(samples))} of {n} samples, {tokens:,} tokens, {seconds:.0f} s"
            if solution is None:
                waiting = [Sample("", None, [Step(text)]) for text in texts[len(samples) :]]
                votes = _votes(classes.vote()) if solver.settings.vote == "majority" else ""
                yield _state("…", progress, votes, samples, waiting, None)
            else:
                early = " (the others cannot change it)" if solution.stopped_early else ""
                none = "none" if solution.answer is not None else f"none: {solution.why_unread()}"
                answer = none if solution.answer is None else _drawn(solution.answer)
                progress = f"{len(samples)} of {n} samples{early}, {solution.tokens:,} tokens, {seconds:.0f} s"
                yield _state(answer, progress, _votes(solution.vote), samples, [], solution.chosen)
    finally:
        stopped.set()


def _state(
    answer: str, progress: str, votes: str, samples: list[SolvedSample], waiting: list[Sample], chosen: int | None
) -> str:
    shown = [_card(i, sample, i == chosen) for i, sample in enumerate(samples)] + [
        f"<div>{one.html()}</div>" for one in waiting
    ]
    return (
        f"<div class='answer'>Answer: <b>{answer}</b></div><div class='soft'>{progress}</div>{votes}"
        f"<div class='samples'>{''.join(shown)}</div>"
    )


def _votes(vote: Vote) -> str:
    total = sum(group.weight for group in vote.classes) or 1.0
    rows = [
        f"<div class='vote'><span>{_drawn(group.answer)}</span>"
        f"<div class='bar' style='width: {100 * group.weight / total:.0f}%'></div>"
        f"<b>{len(group.members)}{'' if group.weight == len(group.members) else f', weight {group.weight:.2g}'}</b></div>"
        for group in vote.classes[:6]
    ]
    return f"<div class='votes'>{''.join(rows)}</div>"


def _drawn(answer: str) -> str:
    """An answer as a formula; one with words, which are no products of letters, as text."""
    return rich_text(answer if re.search("[A-Za-z]{3}", answer) and "\\" not in answer else f"${answer}$")


def _card(number: int, sample: SolvedSample, chosen: bool) -> str:
    steps = [Step(text, score) for text, score in zip(sample.steps, sample.step_scores, strict=True)]
    steps = steps or [Step(sample.text.strip())]
    if sample.output is not None:
        steps.append(Step(f"```output\n{sample.output}\n```"))
    told = [f"sample {number + 1}", f"answer {sample.answer}" if sample.answer is not None else "no answer"]
    told += [] if sample.finished else ["cut off"]
    told += [] if sample.score is None else [f"score {sample.score:.2f}"]
    return f"<div{' class=chosen' if chosen else ''}>{Sample(', '.join(told), None, steps).html()}</div>"


def make_demo(solver: Solver, title: str | None = None) -> tuple["Blocks", dict[str, Any]]:
    """
    The page, not yet served.

    Args:
        solver ([`Solver`]):
            What answers; its settings hold for all questions but for the number of samples.
        title (`str`, *optional*):
            Heading; the model's name if `None`.

    Returns:
        `tuple`: the Gradio `Blocks`, and what its `launch` needs.

    Raises:
        MissingDependencyError: Gradio is not installed.

    Example:
    ```python
    >>> page, options = make_demo(Solver.from_pretrained("MODEL", n=8))
    >>> page.launch(server_name="127.0.0.1", **options)
    ```
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import gradio
    except ImportError as error:
        raise MissingDependencyError("The page needs Gradio: pip install 'trl-dsmath[demo]'") from error
    lock, most = threading.Lock(), solver.settings.samples

    def solve(question: str, n: float) -> Iterator[str]:
        yield from stream(solver, question, int(n), lock)

    with gradio.Blocks(title="dsmath demo", analytics_enabled=False) as page:
        gradio.HTML(f"<h3>{html.escape(title or solver.sampler.name.removeprefix('transformers:'))}</h3>")
        question = gradio.Textbox(label="Question", lines=2, autofocus=True, max_length=4000)
        n = gradio.Slider(1, max(2, most), most, step=1, label="Samples, at most", visible=most > 1)
        with gradio.Row():
            go = gradio.Button("Solve", variant="primary", min_width=90)
            stop = gradio.Button("Stop", min_width=90)
        gradio.Examples([[text] for text in QUESTIONS], question, label="Such as")
        view = gradio.HTML(elem_id="solution")
        run = gradio.on(
            [go.click, question.submit], solve, [question, n], view, api_name="solve", concurrency_limit=1,
            show_progress="hidden",
        )  # fmt: skip
        stop.click(None, cancels=[run])
    theme = gradio.themes.Default(
        font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    )  # no request elsewhere
    return page, {"css": sample_style() + _STYLE, "theme": theme, "footer_links": [], "ssr_mode": False}
