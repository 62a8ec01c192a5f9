"""The demo: what it shows while samples come and at the end, and one question through its real page."""

import os
import re
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from trl_dsmath.generation import Watch
from trl_dsmath.inference import Solver, demo
from trl_dsmath.inference.demo import make_demo, stream
from trl_dsmath.inference.solution import SolvedSample
from trl_dsmath.report.page import rich_text


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_EVERY", 0.0)


def plain(state: str) -> str:
    return " ".join(re.sub("<[^>]*>", " ", state).split())


def test_answer_votes_and_samples_by_hand(scripted) -> None:
    pytest.importorskip("latex2mathml")
    replies = ["so \\boxed{\\frac{1}{2}}", "\\boxed{0.5} <b>", "\\boxed{3}", "half~"]
    states = list(stream(Solver(scripted(lambda prompt, i: replies[i]), n=4, adaptive="off"), "1/2?", 4))
    last = states[-1]
    assert "Answer: <b><math" in last and "<mfrac>" in last.split("</b>")[0]
    assert last.count("<mfrac>") == 3 and "\\boxed{" not in re.sub(' title="[^"]*"', "", last)  # answer, vote, sample
    assert "4 of 4 samples, " in last
    votes = re.findall(r"width: (\d+)%'></div><b>(.*?)</b>", last)
    assert votes == [("67", "2"), ("33", "1")]
    assert re.findall(r"(sample \d, .*?)</span>", last) == [
        "sample 1, answer \\frac{1}{2}",
        "sample 2, answer 0.5",
        "sample 3, answer 3",
        "sample 4, no answer, cut off",
    ]
    assert "&lt;b&gt;" in last and "<b>\n" not in last and last.count("class=chosen") == 1


def test_a_sample_is_shown_before_it_is_scored_and_steps_have_colors_after(scripted) -> None:
    class Slow(type(scripted(None))):
        def sample(self, prompts: Any, decoding: Any, n: int = 1, first: Any = 0, watch: Watch | None = None) -> list:
            found = super().sample(prompts, decoding, n, first)
            for place, one in enumerate(found[0]):
                watch.on_tokens(7)
                watch.on_sample(0, place, one)
            return found

    shown = threading.Event()

    def scorer(prompts: list, completions: list, steps: list) -> list[list[float]]:
        assert shown.wait(10)
        return [[0.9, 0.8] if "5" in row[1] else [0.9, 0.1] for row in steps]

    replies = ["a\n\\boxed{3}", "b\n\\boxed{3}", "c\n\\boxed{5}"]
    solver = Solver(Slow(lambda prompt, i: replies[i]), step_scorer=scorer, n=3, vote="weighted")
    states = stream(solver, "?", 3)
    first = next(states)
    shown.set()
    assert "Answer: … " in plain(first) and 'class="step"' in first and "hsl(" not in first
    last = list(states)[-1]
    assert re.findall(r"<b>(\d, .*?)</b>", last) == ["1, weight 0.8", "2, weight 0.2"]
    assert "hsl(96 70%" in last and "hsl(12 70%" in last  # .8 and .1 of the way from red to green
    assert "21 tokens" in first or "tokens" in first


def test_cards_of_samples() -> None:
    bare = demo._card(2, SolvedSample("\n a \n", None, False, 3, output="5"), False)
    assert (
        plain(bare) == "sample 3, no answer, cut off a 5"
        and bare.startswith("<div>")
        and '<pre class="output">5</pre>' in bare
    )
    assert ">a<" in bare.replace("\n", "")
    scored = demo._card(0, SolvedSample("ab", "7", True, 3, ["a", "b"], [0.5, 0.25], 0.25), True)
    assert "sample 1, answer 7, score 0.25" in scored and scored.startswith("<div class=chosen>")


def test_an_answer_in_words_is_no_formula() -> None:
    pytest.importorskip("latex2mathml")
    assert demo._drawn("21 pencils < 22") == "21 pencils &lt; 22"
    assert all(demo._drawn(answer).startswith("<math") for answer in ("ab + 1", r"\text{all}", r"\frac12"))


def test_without_latex2mathml_formulas_are_their_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "trl_dsmath.report.formulas", raising=False)
    monkeypatch.setitem(sys.modules, "latex2mathml", None)
    monkeypatch.setitem(sys.modules, "latex2mathml.exceptions", None)
    assert rich_text("so $1 < 2$\n") == "so $1 &lt; 2$"


def test_programs_and_their_output(scripted) -> None:
    reply = "Compute:\n```python\nprint(1 < 2)\n```\n```output\nTrue\n```\nSo \\boxed{1}."
    last = list(stream(Solver(scripted(lambda prompt, i: reply), n=1, mode="tool"), "?", 1))[-1]
    assert '<pre class="python">print(1 &lt; 2)</pre>' in last
    assert '<pre class="output">True</pre>' in last


def test_who_leaves_stops_the_work(scripted) -> None:
    ended = threading.Event()

    class Endless(type(scripted(None))):
        def sample(self, prompts: Any, decoding: Any, n: int = 1, first: Any = 0, watch: Watch | None = None) -> list:
            try:
                while True:
                    watch.on_tokens(1)
            finally:
                ended.set()

    states = stream(Solver(Endless(lambda prompt, i: ""), n=2), "?", 2)
    next(states)
    states.close()
    assert ended.wait(10)


def test_errors_are_told_on_the_page(scripted) -> None:
    assert (
        plain(list(stream(Solver(scripted(lambda prompt, i: ""), n=1), " ", 1))[-1])
        == "Question 0 is blank: leave it out."
    )


@pytest.mark.parametrize(("n", "most", "seen"), [(3, 3, True), (1, 2, False)])
def test_what_can_be_asked_on_the_page(
    n: int, most: int, seen: bool, scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gradio")
    monkeypatch.delenv("GRADIO_ANALYTICS_ENABLED", raising=False)
    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY", raising=False)
    page, options = make_demo(Solver(scripted(lambda prompt, i: ""), n=n), "A <title>")
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False" and os.environ["HF_HUB_DISABLE_TELEMETRY"] in (
        "1",
        "True",
    )
    parts = {part["type"]: part["props"] for part in page.get_config_file()["components"]}
    question, slider = parts["textbox"], parts["slider"]
    assert (question["max_length"], question["autofocus"], question["lines"]) == (4000, True, 2)
    assert [slider[name] for name in ("minimum", "maximum", "value", "step", "visible")] == [1, most, n, 1, seen]
    assert list(parts["dataset"]["samples"]) == [[text] for text in demo.QUESTIONS]
    widths = {
        part["props"]["value"]: part["props"]["min_width"]
        for part in page.get_config_file()["components"]
        if part["type"] == "button"
    }
    assert widths == {"Solve": 90, "Stop": 90}
    events = page.get_config_file()["dependencies"]
    solve = next(one for one in events if one["api_name"] == "solve")
    stop = next(one for one in events if one["cancels"])
    assert page.fns[solve["id"]].concurrency_limit == 1
    assert stop["cancels"] == [solve["id"]] and len(solve["targets"]) == 2  # the button and the Enter key
    assert page.analytics_enabled is False and options["ssr_mode"] is False and options["footer_links"] == []
    assert any("A &lt;title&gt;" in str(part["props"].get("value")) for part in page.get_config_file()["components"])
    # Nothing is loaded from elsewhere: no fonts either.
    assert not re.search("https?:", options["css"]) and "fonts.googleapis" not in "".join(
        options["theme"]._stylesheets
    )


def test_the_page_says_how_many_samples(scripted) -> None:
    sampler = scripted(lambda prompt, i: f"\\boxed{{{i}}}")
    last = list(stream(Solver(sampler, n=4, adaptive="off"), "?", 2))[-1]
    assert "2 of 2 samples" in last and len(sampler.asked) == 2


def test_a_model_that_fails_ends_the_waiting(scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list = []
    monkeypatch.setattr(threading, "excepthook", lambda told: raised.append(told.exc_type))
    last = list(stream(Solver(scripted(lambda prompt, i: 1 / 0), n=1), "?", 1))[-1]
    assert plain(last) == "The model failed; the terminal says why." and raised == [ZeroDivisionError]


def test_a_question_through_the_real_page(tiny: Path) -> None:
    pytest.importorskip("gradio")
    from gradio_client import Client

    solver = Solver.from_pretrained(str(tiny), n=3, max_new_tokens=8, use_cpu=True)
    page, options = make_demo(solver)
    _, address, _ = page.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, **options)
    try:
        job = Client(address, verbose=False).submit("1+1?", 2, api_name="/solve")
        assert re.search(r"Answer: .* 2 of 2 samples, 16 tokens", plain(job.result(timeout=60)))
        assert len(job.outputs()) >= 1
    finally:
        page.close()
