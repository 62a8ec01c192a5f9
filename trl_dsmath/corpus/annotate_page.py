"""The annotation page: a prefix, its counts, excerpts of its pages, and five keys."""

import html
import json
import os
from pathlib import Path
from typing import Any, Literal

from ..errors import MissingDependencyError
from .review import Entry, Session
from .rules import MATH, NOT, SKIP

KEYS = {"a": "accept", "r": "reject", "s": "skip", "u": "undo", "S": "rest"}
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
    if (!id || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (["INPUT", "TEXTAREA", "SELECT"].includes(event.target.tagName)) return;
    const button = document.getElementById("do-" + id);
    if (button) { event.preventDefault(); button.click(); }
  });
})();
</script>""".replace("KEYS", json.dumps(KEYS))

_STYLE = """
.gradio-container { max-width: 1000px !important; margin: 0 auto !important; }
#state .wrap { display: none !important; }
#state, #state * { opacity: 1 !important; }
button[id^="do-"] { white-space: nowrap; font-size: .85rem; padding: .5rem .3rem; }
#state { min-width: min(900px, 92vw); }
#state .head { display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; flex-wrap: wrap; }
#state .prefix { font: 600 1.4rem/1.3 ui-monospace, monospace; overflow-wrap: anywhere; }
#state .left, #state .why, #state .url { color: var(--body-text-color-subdued); }
#state .counts { display: flex; gap: 2rem; margin: .6rem 0 1rem; }
#state .counts b { display: block; font-size: 1.15rem; }
#state .page { border: 1px solid var(--border-color-primary); border-left-width: 5px; border-radius: 6px;
  padding: .5rem .8rem; margin: .5rem 0; }
#state .page.kept { border-left-color: #2f9e5f; }
#state .url { font: .8rem ui-monospace, monospace; overflow-wrap: anywhere; display: flex; justify-content: space-between; gap: 1rem; }
#state .url span:last-child { white-space: nowrap; }
#state .text { white-space: pre-line; max-height: 7.5rem; overflow-y: auto; font-size: .92rem; margin-top: .3rem; }
#state kbd, #keys kbd { border: 1px solid var(--border-color-primary); border-radius: 4px; padding: 0 .35rem; }
"""


def show(session: Session) -> str:
    """The current entry as HTML; text of pages is escaped, it comes from strangers."""
    entry = session.current
    done = len(session.entries) - len(session.open)
    if entry is None:
        return (
            f"<div class='head'><span class='prefix'>All {len(session.entries)} prefixes are decided.</span></div>"
            f"<p>Saved in {html.escape(str(session.path))}. Close this page, stop the command (Ctrl-C), and run the same "
            "<code>dsmath corpus</code> again: it goes on from here.</p>"
        )
    return "".join(
        [
            f"<div class='head'><span class='prefix' id='prefix'>{html.escape(entry.prefix)}</span>",
            f"<span class='left'>{done} of {len(session.entries)} decided</span></div>",
            f"<div class='why'>{_WHY[entry.why]}</div>",
            _counts(entry),
            *(_page(example) for example in entry.examples),
        ]
    )


def _counts(entry: Entry) -> str:
    cells = (
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
        f"<div class='page {kind}'><div class='url'><span>{html.escape(example['url'])}</span>"
        f"<span>{example['score']:.3f} {'collected' if example['collected'] else 'left out'}</span></div>"
        f"<div class='text'>{html.escape(text)}</div></div>"
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

    with gradio.Blocks(title="dsmath corpus annotate", analytics_enabled=False, fill_width=True) as page:
        with gradio.Row():
            labels: tuple[tuple[str, str, Literal["primary", "secondary", "stop"]], ...] = (
                ("accept", "a · Math", "primary"),
                ("reject", "r · Not", "stop"),
                ("skip", "s · Skip", "secondary"),
                ("undo", "u · Undo", "secondary"),
                ("rest", "S · Skip rest", "secondary"),
            )
            buttons = {
                name: gradio.Button(text, elem_id=f"do-{name}", variant=kind, size="md", min_width=110)
                for name, text, kind in labels
            }
        seen = gradio.Textbox(visible=False)
        # A function as the value: a page that is loaded again shows the present state.
        view = gradio.HTML(lambda: show(session), elem_id="state")
        # The browser sends which prefix it shows: a key pressed twice, or in a second tab, decides nothing unseen.
        shown = "() => document.getElementById('prefix')?.textContent ?? ''"
        for name, button in buttons.items():
            button.click(
                act(name), seen, view, js=shown, concurrency_id="decide", concurrency_limit=1, show_progress="hidden",
                trigger_mode="multiple", api_visibility="private",
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
