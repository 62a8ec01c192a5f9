"""The annotation page in a real browser, by real keys; and the session behind it without one."""

import asyncio
import json
import math
import shutil
import socket
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.request import urlopen

import pytest

from trl_dsmath.corpus import annotate_page
from trl_dsmath.corpus.annotate_page import show
from trl_dsmath.corpus.domains import Domain
from trl_dsmath.corpus.review import Entry, Session, automatic, find_candidates, make_review, read_review, write_review
from trl_dsmath.corpus.rules import Decisions, read_rules
from trl_dsmath.errors import DataError
from trl_dsmath.report.formulas import with_formulas

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--window-size=1100,900",
)  # fmt: skip


def _entry(prefix: str, why: str = "over", pages: int = 20, collected: int = 10) -> Entry:
    examples = [
        {
            "url": f"https://{prefix}/{i}.html",
            "score": 0.97 - 0.3 * i,
            "collected": i < 2,
            "excerpt": f"Lemma {i}. Let $G$ be a group with <script>window.hacked = 1</script> subgroup $H$.\n\n\nProof. "
            * 5,
        }
        for i in range(3)
    ]
    return Entry(prefix, why, pages, collected, collected / pages, 0.61, "", examples, tokens=75 * pages)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "iteration-1"
    folder.mkdir()
    entries = [
        _entry("a.test"), _entry("forum.test"), _entry("forum.test/math", "inside"), _entry("forum.test/food", "inside"),
        _entry("wiki.test"), _entry("wiki.test/talk", "inside"), _entry("shy.test", "under", collected=1),
    ]  # fmt: skip
    write_review(folder, entries)
    return tmp_path


def test_pages_that_may_be_examples_are_those_of_the_prefix_its_host_and_its_domain() -> None:
    """Collected: a score above 0. Of a prefix the four pages with the least hashes stay, whatever shard they are of."""
    cut: Any = SimpleNamespace(keeps=lambda score, url: score > 0)
    rows = [(500, 0, "https://b.a.org/x/1"), (-500, 0, "https://b.a.org/y/2"), (700, 0, "https://c.org/3")]
    found = find_candidates(rows, 7, {"a.org", "b.a.org", "b.a.org/x", "b.a.org/x/1", "x"}, cut)
    assert {key: [page[1:] for page in pages] for key, pages in found.items()} == {
        ("a.org", True): [(7, 0, 500)], ("a.org", False): [(7, 1, -500)], ("b.a.org", True): [(7, 0, 500)],
        ("b.a.org", False): [(7, 1, -500)], ("b.a.org/x", True): [(7, 0, 500)], ("b.a.org/x/1", True): [(7, 0, 500)],
    }  # fmt: skip
    (many,) = find_candidates([(1, 0, f"https://a.org/{i}") for i in range(9)], 1, {"a.org"}, cut).values()
    assert len(many) == 4 and many == sorted(many) and {page[0] for page in many} < {
        page[0] for i in range(9) for (page,) in find_candidates([(1, 0, f"https://a.org/{i}")], 1, {"a.org"}, cut).values()
    }  # fmt: skip


@pytest.mark.parametrize(("yes", "no", "shown"), [(4, 4, (2, 2)), (4, 1, (3, 1)), (4, 0, (4, 0)), (1, 4, (1, 3))])
def test_half_of_the_examples_are_collected_pages(yes: int, no: int, shown: tuple[int, int], tmp_path: Path) -> None:
    pages = {
        ("a.org", True): [(b"", 1, line, 1000) for line in range(yes)],
        ("a.org", False): [(b"", 2, line, -1000) for line in range(no)],
    }

    def excerpts(wanted: dict[int, set[int]]) -> list[dict[int, tuple[str, str]]]:
        return [{line: (f"https://a.org/{n}/{line}", "text") for line in lines} for n, lines in wanted.items()]

    domain = Domain(pages=3, tokens=90, collected=2, undecided=1, score=3000)
    (entry,) = make_review([("a.org", "over")], {"a.org": domain}, Decisions(), lambda _: pages, excerpts)
    assert (entry.pages, entry.collected, entry.tokens, entry.undecided, entry.share) == (3, 2, 90, 1, 0.6667)
    right = round(1 / (1 + math.exp(-1)), 4)
    assert entry.mean_score == right == 0.7311
    assert [(one["collected"], one["score"]) for one in entry.examples] == [(True, right)] * shown[0] + [
        (False, 0.2689)
    ] * shown[1]
    assert [one["url"] for one in entry.examples if one["collected"]] == [
        f"https://a.org/1/{i}" for i in range(shown[0])
    ]
    write_review(tmp_path, [entry])
    assert read_review(tmp_path) == [entry]
    header, line = (tmp_path / "review.csv").read_text().splitlines()
    assert header == "prefix,why,pages,collected,tokens,undecided,share,mean_score,decision,examples"
    assert line.startswith("a.org,over,3,2,90,1,0.6667,0.7311,,https://a.org/") and line.count("https://") == sum(
        shown
    )


def test_decisions_by_share_of_the_pages() -> None:
    entries = [_entry(f"{share}.org", pages=100, collected=share) for share in (51, 50, 10, 9)]
    assert automatic(entries).decided == {"51.org": "math", "9.org": "not"}


def _decided(run: Path) -> dict[str, str]:
    path = run / "decisions.csv"
    return read_rules(path).decided if path.exists() else {}


def test_session_folders_of_a_skipped_host_are_asked_and_others_are_not(run: Path) -> None:
    session = Session(run)
    asked = []
    for decision in ("math", "skip", "math", "not", "not"):
        assert session.current
        asked.append(session.current.prefix)
        session.decide(decision)
    # wiki.test is rejected, so wiki.test/talk is with it.
    assert asked == ["a.test", "forum.test", "forum.test/math", "forum.test/food", "wiki.test"]
    assert session.current and session.current.prefix == "shy.test"
    session.undo()
    assert session.current.prefix == "wiki.test" and "wiki.test" not in _decided(run)
    assert Session(run).current == session.current  # what is on disk is what was decided
    session.skip_rest()
    assert session.current is None and _decided(run)["wiki.test/talk"] == "skip"


def test_a_prefix_that_is_asked_again_needs_a_decision_of_this_round(tmp_path: Path) -> None:
    (tmp_path / "iteration-2").mkdir()
    write_review(
        tmp_path / "iteration-2", [_entry("forum.test", "again"), _entry("b.test"), _entry("c.test", "again")]
    )
    (tmp_path / "decisions.csv").write_text(
        "prefix,decision,round\nforum.test,skip,1\nb.test,skip,1\nc.test/x,math,1\n"
    )
    session = Session(tmp_path)
    assert [entry.prefix for entry in session.open] == ["forum.test", "c.test"]
    session.decide("skip")
    assert session.current and session.current.prefix == "c.test"
    assert "forum.test,skip,2" in (tmp_path / "decisions.csv").read_text()
    session.undo()
    assert "forum.test,skip,1" in (tmp_path / "decisions.csv").read_text()
    assert session.current and session.current.prefix == "forum.test"


def test_rules_and_earlier_rounds_count_as_decided(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"iteration-{number}").mkdir()
    write_review(
        tmp_path / "iteration-2", [_entry("a.test"), _entry("b.test"), _entry("c.test", "again"), _entry("d.test")]
    )
    (tmp_path / "iteration-1/decisions.csv").write_text(
        "prefix,decision,round\na.test,math,\nc.test,not,\nd.test,skip,\n"
    )
    session = Session(tmp_path)
    assert [entry.prefix for entry in session.open] == ["b.test", "c.test"]
    assert [session.decision(entry) for entry in session.entries] == ["math", "", "", "skip"]
    assert "2 of 4 decided" in show(session)
    (tmp_path / "iteration-2/decisions.csv").write_text("prefix,decision,round\nb.test,not,\n")
    assert [entry.prefix for entry in Session(tmp_path).open] == ["a.test", "c.test", "d.test"]


def test_jump_shows_an_entry_until_it_is_decided(run: Path) -> None:
    session = Session(run)
    session.decide("math")
    session.jump("wiki.test")
    assert session.current and session.current.prefix == "wiki.test"
    session.decide("not")
    assert session.current and session.current.prefix == "forum.test"
    session.jump("a.test")
    assert "decided: math" in show(session)
    session.decide("not")
    assert _decided(run) == {"a.test": "not", "wiki.test": "not"}
    session.undo()
    assert _decided(run)["a.test"] == "math"
    session.jump("no such prefix")
    assert session.current and session.current.prefix == "forum.test"


def test_page_shows_formulas_links_and_tokens_and_no_markup_of_strangers(run: Path) -> None:
    session = Session(run)
    page = show(session)
    assert '<math display="inline" title="G"><mrow><mi>G</mi></mrow></math>' in page and "$G$" not in page
    assert "&lt;script&gt;window.hacked" in page and "<script" not in page
    assert "<a href='https://a.test/0.html' target='_blank' rel='noopener noreferrer nofollow'>" in page
    assert "<a id='prefix' href='https://a.test'" in page and "tokens at stake<b>1,500</b>" in page
    session.entries[0].examples[0]["url"] = "javascript:alert(1)"
    assert "<span>javascript:alert(1)</span>" in show(session)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        (r"a $x^2$ b", '<math display="inline" title="x^2"><mrow><msup><mi>x</mi><mn>2</mn></msup></mrow></math>'),
        (r"\(x\)", '<math display="inline" title="x"><mrow><mi>x</mi></mrow></math>'),
        ("a\n$$x$$\nb", 'a<math display="block" title="x"><mrow><mi>x</mi></mrow></math>b'),
        (r"\[x\]", '<math display="block" title="x"><mrow><mi>x</mi></mrow></math>'),
        ("it costs $5 and $6", "it costs $5 and $6"),
        ("$ 5 or 6$", "$ 5 or 6$"),
        ("from $a\nto b$", "from $a\nto b$"),
        ("a < b & c", "a &lt; b &amp; c"),
        (r"$\left( a$", r"<code>$\left( a$</code>"),
        (f"${'x' * 501}$", f"<code>${'x' * 501}$</code>"),
        (r"$\text{<img src=x onerror=y>}$", "<mtext>&lt;img\xa0src=x\xa0onerror=y&gt;</mtext>"),
        (r"$\href{javascript:alert(1)}{x}$", "<mrow><mrow><mrow><mi>x</mi></mrow></mrow></mrow></math>"),
        ("$x\0$ and $\x01$", "<mi>x</mi>"),
    ],
)  # fmt: skip
def test_text_as_html(text: str, html: str) -> None:
    shown = with_formulas(text)
    assert html in shown and "\0" not in shown


def test_undo_at_the_start_does_nothing_and_nothing_to_review_is_an_error(run: Path, tmp_path: Path) -> None:
    session = Session(run)
    session.undo()
    assert session.current and session.current.prefix == "a.test"
    with pytest.raises(DataError, match="holds no review"):
        Session(tmp_path / "iteration-1")


def test_the_page_is_served_to_this_machine_alone(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, Any] = {}

    class Page:
        def launch(self, **options: Any) -> tuple:
            asked.update(options)
            return None, "http://127.0.0.1:5/", None

        def block_thread(self) -> None:
            asked["blocked"] = True

    monkeypatch.setattr(annotate_page, "make_page", lambda session: (Page(), {"css": session.current.prefix}))
    _, address = annotate_page.serve(run, 5, block=False)
    assert address == "http://127.0.0.1:5/" and address in capsys.readouterr().out
    assert asked == {
        "server_name": "127.0.0.1", "server_port": 5, "share": False, "prevent_thread_lock": True, "quiet": True,
        "ssr_mode": False, "footer_links": [], "css": "a.test",
    }  # fmt: skip
    annotate_page.serve(run)
    assert asked["server_port"] is None and asked["blocked"]


class Browser:
    """Chromium by its DevTools protocol: just what this test needs."""

    def __init__(self, socket_: Any) -> None:
        self.socket, self.number = socket_, 0

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        self.number += 1
        await self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            answer = json.loads(await asyncio.wait_for(self.socket.recv(), 30))
            if answer.get("id") == self.number:
                return answer.get("result", answer)

    async def value(self, script: str) -> Any:
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    async def key(self, key: str) -> None:
        shift = 8 if key.isupper() else 0
        common = {
            "key": key,
            "code": f"Key{key.upper()}",
            "windowsVirtualKeyCode": ord(key.upper()),
            "modifiers": shift,
        }
        await self.call("Input.dispatchKeyEvent", type="keyDown", text=key, **common)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    async def shows(self, text: str) -> None:
        for _ in range(300):
            if text in (await self.value("document.querySelector('#state .prefix')?.textContent ?? ''")):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"not shown: {text}; but {await self.value('document.body.innerText')!r}")


async def _go_through(address: str, debug_port: int, run: Path, screenshot: Path) -> None:
    import websockets

    for _ in range(200):
        try:
            targets = json.loads(urlopen(f"http://127.0.0.1:{debug_port}/json").read())
            target = next(t for t in targets if t["type"] == "page")
            break
        except (OSError, StopIteration):
            await asyncio.sleep(0.1)
    async with websockets.connect(target["webSocketDebuggerUrl"], max_size=None) as socket_:
        browser = Browser(socket_)
        await browser.call("Page.navigate", url=address)
        await browser.shows("a.test")
        assert await browser.value("window.hacked") is None  # text of a page is shown, not run
        await asyncio.sleep(0.5)  # the page fades in
        image = await browser.call("Page.captureScreenshot", format="png")
        import base64

        screenshot.write_bytes(base64.b64decode(image["data"]))
        steps = [
            ("a", "forum.test", {"a.test": "math"}),
            ("u", "a.test", {}),
            ("r", "forum.test", {"a.test": "not"}),
            ("s", "forum.test/math", {"a.test": "not", "forum.test": "skip"}),
            ("a", "forum.test/food", {"a.test": "not", "forum.test": "skip", "forum.test/math": "math"}),
        ]
        for key, shown, decided in steps:
            await browser.key(key)
            await browser.shows(shown)
            assert _decided(run) == decided  # on disk before the next one is shown
        await browser.key("/")  # the search, where letters are letters
        await browser.call("Input.insertText", text="shy")
        await browser.call(
            "Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", windowsVirtualKeyCode=13
        )
        await browser.shows("shy.test")
        await browser.value("document.activeElement.blur()")
        await browser.key("u")
        await browser.shows("forum.test/math")
        await browser.key("a")
        await browser.shows("forum.test/food")
        for width in (420, 1100):  # nothing sticks out
            await browser.call(
                "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
            )
            await asyncio.sleep(0.3)
            assert await browser.value("document.documentElement.scrollWidth") <= width
        await browser.key("x")  # means nothing
        await browser.call("Page.reload")
        await browser.shows("forum.test/food")
        await browser.key("S")
        await browser.shows("All 7 prefixes are decided")
    assert _decided(run)["shy.test"] == "skip"


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_keys_in_a_real_browser(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("gradio", reason="Gradio is not installed")
    pytest.importorskip("websockets", reason="websockets is not installed")
    from trl_dsmath.corpus.annotate_page import serve

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    page, address = serve(run, block=False)
    assert "127.0.0.1" in address
    chromium = subprocess.Popen(
        [
            str(CHROMIUM),
            *FLAGS,
            f"--remote-debugging-port={port}",
            f"--user-data-dir={tmp_path / 'profile'}",
            "about:blank",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        asyncio.run(_go_through(address, port, run, tmp_path / "page.png"))
    finally:
        chromium.kill()
        chromium.wait()
        page.close()
