"""The annotation page: a prefix, its counts, excerpts of its pages with their formulas, five keys, and a search."""

import html
import json
import os
from pathlib import Path
from typing import Any

from ..errors import MissingDependencyError
from ..report.formulas import with_formulas
from .review import Entry, Session
from .rules import MATH, NOT, SKIP

KEYS = {"a": "accept", "r": "reject", "s": "skip", "u": "undo", "S": "rest"}
_LABELS = {"accept": "Math", "reject": "Not", "skip": "Skip", "undo": "Undo", "rest": "Skip rest"}
_WHY = {
    "over": "over the threshold",
    "inside": "part of a mixed host",
    "again": "decided or skipped before, and more of it is collected without a decision: please look again",
    "under": "under the threshold: has the classifier missed it?",
}

_SCRIPT = """<script>
(() => {
  const keys = KEYS;
  document.addEventListener("keydown", (event) => {
    const id = keys[event.key];
    if (event.key === "/" && event.target.tagName !== "INPUT") {
      const search = document.querySelector("#search input");
      if (search) { event.preventDefault(); search.focus(); search.select(); }
      return;
    }
    if (!id || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (["INPUT", "TEXTAREA", "SELECT"].includes(event.target.tagName)) return;
    const button = document.getElementById("do-" + id);
    if (button) { event.preventDefault(); button.click(); }
  });
})();
</script>""".replace("KEYS", json.dumps(KEYS))

_STYLE = """
.gradio-container { max-width: 1000px !important; margin: 0 auto !important; }
.gradio-container .main, .gradio-container main, .gradio-container .wrap { padding: .3rem !important; gap: .6rem !important; }
#state .wrap { display: none !important; }
#state, #state * { opacity: 1 !important; }
#state { min-width: 0; padding: 0; }
#bar { position: sticky; top: 0; z-index: 9; gap: .4rem; flex-wrap: wrap; padding: .4rem 0; background: var(--body-background-fill); }
#bar button { flex: 1 1 auto; min-width: 4.5rem !important; white-space: nowrap; font-size: .9rem; padding: .5rem .6rem; }
#do-accept { background: #256b45; color: #fff; border-color: #256b45; }
#do-reject { background: #46505c; color: #fff; border-color: #46505c; }
#state .head { display: flex; justify-content: space-between; align-items: baseline; gap: .2rem 1rem; flex-wrap: wrap; }
#state .prefix { font: 600 1.3rem/1.3 ui-monospace, monospace; overflow-wrap: anywhere; }
#state .left, #state .why, #state .score, #state .counts span { color: color-mix(in srgb, var(--body-text-color) 68%, transparent); }
#state .now { font-weight: 600; }
#state progress { width: 100%; height: .4rem; accent-color: #256b45; }
#state .counts { display: flex; flex-wrap: wrap; gap: .3rem 1.6rem; margin: .6rem 0 .8rem; font-size: .85rem; }
#state .counts b { display: block; font-size: 1.1rem; color: var(--body-text-color); }
#state .page { border: 1px solid var(--border-color-primary); border-left-width: 5px; border-radius: 6px;
  padding: .5rem .8rem; margin: .5rem 0; }
#state .page.kept { border-left-color: #2f9e5f; }
#state .url { font: .8rem ui-monospace, monospace; overflow-wrap: anywhere; display: flex; justify-content: space-between; gap: .1rem 1rem;
  flex-wrap: wrap; }
#state a { display: inline; margin: 0; padding: 0; text-align: left; color: var(--link-text-color); text-decoration: underline; }
#state .prefix a { color: inherit; text-decoration-thickness: 1px; text-underline-offset: .2em; }
#state .score { white-space: nowrap; }
#state .text { white-space: pre-line; overflow-wrap: anywhere; max-height: 11rem; overflow-y: auto; font-size: .92rem; margin-top: .3rem; }
#state math { font-size: 1.1em; white-space: normal; }
#state math[display=block] { overflow-x: auto; padding: .5em 0; }
"""


def show(session: Session) -> str:
    """The current entry as HTML; text of pages is escaped, it comes from strangers."""
    entry, total = session.current, len(session.entries)
    done = total - len(session.open)
    if entry is None:
        return (
            f"<div class='head'><span class='prefix'>All {total} prefixes are decided.</span></div>"
            f"<p>Saved in {html.escape(str(session.path))}. Close this page, stop the command (Ctrl-C), and run the same "
            "<code>dsmath corpus</code> again to resume.</p>"
        )
    return "".join(
        [
            f"<progress value='{done}' max='{total}'></progress>",
            f"<div class='head'><span class='prefix'>{_link('https://' + entry.prefix, entry.prefix, 'prefix')}</span>",
            f"<span class='left'>{done} of {total} decided</span></div>",
            f"<div class='why'>{_WHY[entry.why]}{_now(session.decision(entry))}</div>",
            _counts(entry),
            *(_page(example) for example in entry.examples),
        ]
    )


def _now(decision: str) -> str:
    return f" · <span class='now'>decided: {decision}</span>" if decision else ""


def _link(url: str, text: str, name: str = "") -> str:
    """A link that opens beside the page, and tells the other site nothing; other schemes than http are only text."""
    shown, mark = html.escape(text), f" id='{name}'" if name else ""
    if not url.lower().startswith(("http://", "https://")):
        return f"<span{mark}>{shown}</span>"
    return f"<a{mark} href='{html.escape(url)}' target='_blank' rel='noopener noreferrer nofollow'>{shown}</a>"


def _counts(entry: Entry) -> str:
    cells = (
        ("tokens at stake", f"{entry.tokens:,}"),
        ("pages", f"{entry.pages:,}"),
        ("collected", f"{entry.collected:,}"),
        ("share", f"{entry.share:.0%}"),
        ("typical score", f"{entry.mean_score:.2f}"),
    )
    return "<div class='counts'>" + "".join(f"<span>{name}<b>{value}</b></span>" for name, value in cells) + "</div>"


def _page(example: dict[str, Any]) -> str:
    kind = "kept" if example["collected"] else "left"
    # Blank lines would use up the little space there is.
    text = "\n".join(line for line in example["excerpt"].splitlines() if line.strip())
    return (
        f"<div class='page {kind}'><div class='url'>{_link(example['url'], example['url'])}"
        f"<span class='score'>{example['score']:.3f} {'collected' if example['collected'] else 'left out'}</span></div>"
        f"<div class='text'>{with_formulas(text)}</div></div>"
    )


def make_page(session: Session) -> tuple[Any, dict[str, Any]]:
    """
    The page, not yet served.

    Args:
        session ([`Session`]):
            What is shown and decided.

    Returns:
        `tuple`: the Gradio `Blocks`, and what its `launch` needs: script, style.

    Raises:
        MissingDependencyError: Gradio is not installed.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import gradio
    except ImportError as error:
        raise MissingDependencyError("The page needs Gradio: pip install 'trl-dsmath[corpus]'") from error

    def act(name: str) -> Any:
        def run(seen: str) -> str:
            if name == "undo":
                session.undo()
            elif session.current and session.current.prefix == seen:
                if name == "rest":
                    session.skip_rest()
                else:
                    session.decide({"accept": MATH, "reject": NOT, "skip": SKIP}[name])
            return show(session)

        return run

    def jump(prefix: str) -> tuple[str, str]:
        if prefix:
            session.jump(prefix)
        return show(session), ""

    with gradio.Blocks(title="dsmath corpus annotate", analytics_enabled=False, fill_width=True) as page:
        with gradio.Row(elem_id="bar"):
            buttons = {
                name: gradio.Button(f"{key} · {_LABELS[name]}", elem_id=f"do-{name}", size="md", min_width=60)
                for key, name in KEYS.items()
            }
        seen = gradio.Textbox(visible=False)
        prefixes = [entry.prefix for entry in session.entries]
        search = gradio.Dropdown(
            [("/ · Search and jump", ""), *((prefix, prefix) for prefix in prefixes)], value="", show_label=False, container=False,
            label="Search and jump", elem_id="search", filterable=True,
        )  # fmt: skip
        # A function as the value: a page that is loaded again shows the present state.
        view = gradio.HTML(lambda: show(session), elem_id="state")
        # The browser sends which prefix it shows: a key pressed twice, or in a second tab, decides nothing unseen.
        shown = "() => document.getElementById('prefix')?.textContent ?? ''"
        for name, button in buttons.items():
            button.click(
                act(name), seen, view, js=shown, concurrency_id="decide", concurrency_limit=1, show_progress="hidden",
                trigger_mode="multiple", api_visibility="private",
            )  # fmt: skip
        search.input(
            jump, search, [view, search], concurrency_id="decide", concurrency_limit=1, show_progress="hidden",
            api_visibility="private",
        )  # fmt: skip
    return page, {"head": _SCRIPT, "css": _STYLE}


def serve(folder: Path, port: int | None = None, block: bool = True) -> tuple[Any, str]:
    """
    Serves the page of a run on this machine only.

    Args:
        folder (`Path`):
            Working folder of the run.
        port (`int`, *optional*):
            Port. If `None`, a free one.
        block (`bool`, *optional*, defaults to `True`):
            Whether to wait until Ctrl-C.

    Returns:
        `tuple`: the Gradio `Blocks` and the address.
    """
    page, options = make_page(Session(folder))
    _, address, _ = page.launch(
        server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True, share=False,
        footer_links=[], ssr_mode=False, **options,
    )  # fmt: skip
    print(
        f"annotate     {address}  (a mathematics, r not, s skip, u undo; saved at every key; Ctrl-C ends)", flush=True
    )
    if block:
        page.block_thread()
    return page, address
