"""What the reports of `quickstart` and `evaluation` look like: one HTML page that needs nothing else, narrow and wide,
light and dark; its tables, in Markdown too; and its pictures."""

import html
import io
import re
from typing import Any, Literal

TEXT = "#123456"  # stands for "the colour of the page's text" until the SVG is written
BLUE, ORANGE, GREEN, GREY = "#3b82c4", "#d9822b", "#2f9e6e", "#8a8f98"
LEGEND = {"frameon": False, "labelcolor": TEXT, "fontsize": 10}

_STYLE = """
:root { color-scheme: light dark; --text: #1c2128; --soft: #5b6470; --page: #ffffff; --card: #f5f6f8; --line: #dfe3e8;
  --good: #1a7f4b; --bad: #c2362b; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e7eb; --soft: #9aa4b0; --page: #14171b; --card: #1e2329;
  --line: #333a42; --good: #4cc38a; --bad: #ff7b6e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 66rem; background: var(--page); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans CJK SC", sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 0 0 .6rem; }
h2 { font-size: 1.15rem; margin: 2.4rem 0 .7rem; } h3 { font-size: .95rem; margin: 0 0 .3rem; }
ul { padding-left: 1.2rem; } li { margin: .5rem 0; }
.soft { color: var(--soft); font-size: .9rem; } .good { color: var(--good); } .bad { color: var(--bad); }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; padding: .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th + th, td + td { padding-left: .9rem; } th { color: var(--soft); font-weight: 500; } .number { text-align: right; }
td.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1rem; }
figure, .card { margin: 0; padding: .9rem 1rem; background: var(--card); border-radius: 8px; min-width: 0; }
figure svg { width: 100%; height: auto; display: block; } figcaption { font-size: .88rem; color: var(--soft); }
.card p { margin: .2rem 0 .5rem; font-size: .92rem; }
pre, code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .86rem; overflow-wrap: anywhere; }
@media (max-width: 60rem) {
  .stack tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .stack tr:first-child, .stack td:empty { display: none; }
  .stack td { display: flex; justify-content: space-between; gap: 1.5rem; padding: .1rem 0; border: 0;
    text-align: right; }
  .stack td::before { content: attr(data-name); color: var(--soft); text-align: left; white-space: normal; }
  .stack.words td { display: block; text-align: left; padding: .2rem 0; }
  .stack.words td::before { display: block; font-size: .85rem; }
  .stack tr td:first-child { font-weight: 600; } .stack tr td:first-child::before { display: none; } }
"""


def document(title: str, body: str, style: str = "") -> str:
    """The whole page, with a style of its own beside the common one."""
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title><style>{_STYLE}{style}</style></head><body>
<h1>{html.escape(title)}</h1>
{body}
</body></html>
"""


def inline(text: str) -> str:
    """The two bits of Markdown that the texts use, as HTML; a figure and its % stay on one line."""
    text = re.sub(
        r"\*\*(.+?)\*\*", r"<strong>\1</strong>", re.sub(r"(?<=\d) %", "&nbsp;%", html.escape(text, quote=False))
    )
    return re.sub(r"`(.+?)`", r"<code>\1</code>", text)


def table(rows: list[list[str]], words: int = 1) -> str:
    """
    A table, which on a narrow page becomes a list.

    Args:
        rows (`list[list[str]]`):
            Its cells, the first row the heads.
        words (`int`, *optional*, defaults to `1`):
            How many columns are words; the others are figures.

    Returns:
        `str`: HTML.
    """
    lines = []
    for i, row in enumerate(rows):
        cells = []
        for j, (cell, head) in enumerate(zip(row, rows[0], strict=True)):
            tag, kind = "td" if i else "th", ' class="number"' if j >= words else ""
            # In one piece, because on a narrow page its name stands beside it; an empty one stays empty, to be hidden.
            content = f"<span>{inline(cell)}</span>" if cell else ""
            cells.append(f'<{tag} data-name="{html.escape(head)}"{kind}>{content}</{tag}>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    kind = "stack words" if words == len(rows[0]) else "stack"
    return f'<div class="{kind}"><table>{"".join(lines)}</table></div>'


def markdown_table(rows: list[list[str]]) -> str:
    """The same table in Markdown."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def figures(pictures: dict[str, str]) -> list[str]:
    """Pictures by their captions, as HTML."""
    return [f"<figure>{svg}<figcaption>{inline(text)}</figcaption></figure>" for text, svg in pictures.items()]


def canvas(width: float, height: float, grid: Literal["x", "y"] = "y") -> tuple[Any, Any]:
    """A figure of matplotlib and its axes; what is drawn in `TEXT` will have the page's text colour."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams.update({"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 12})
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(axis=grid, color=GREY, alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(TEXT)
    axes.tick_params(colors=TEXT)
    axes.xaxis.label.set_color(TEXT)
    axes.yaxis.label.set_color(TEXT)
    return figure, axes


def svg(figure: Any, name: str) -> str:
    """The figure as SVG, as wide as its place on the page. `name` is another for each picture of a page."""
    import matplotlib

    out = io.StringIO()
    # The salt keeps the identifiers of two pictures on one page apart, and the same from run to run.
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = out.getvalue()
    text = re.sub(r' (width|height)="[\d.]+pt"', "", text[text.index("<svg") :], count=2)
    return text.replace(TEXT, "currentColor")
