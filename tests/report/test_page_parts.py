"""Plots by what is drawn in them, pages as HTML and Markdown, tables, and formulas of strangers."""

import math
import re
from typing import Any

import pytest

from trl_dsmath.report import Example, Page, Sample, Section, Step, text_table
from trl_dsmath.report.page import markdown_table, rich_text

plot = pytest.importorskip("trl_dsmath.report.plot")
pytest.importorskip("matplotlib")
Series = plot.Series


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The axes in the place of their SVG."""
    monkeypatch.setattr(plot, "_svg", lambda figure: figure)


def _points(line: Any) -> list[tuple[float, float]]:
    return [(float(x), round(float(y), 6)) for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)]


def test_the_process_keeps_its_own_fonts() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    with matplotlib.rc_context({"font.size": 7.0, "svg.fonttype": "path"}):
        assert "<text" in plot.points("n", ["a"], [Series("", [0.5], plot.BLUE, marker="o")])  # text, no outlines
        assert (matplotlib.rcParams["font.size"], matplotlib.rcParams["svg.fonttype"]) == (7.0, "path")


def test_lines(drawn: None) -> None:
    series = [
        Series("a", [0.25, None, 0.5], plot.BLUE, [1, 2, 4], [(0.125, 0.375), (0.25, 0.5), (0.25, 0.75)], marker="o"),
        Series("", [0.75, 0.75], plot.GREY, [1, 8], style=":"),
        Series("only in the legend", [], plot.GREEN),
    ]
    (axes,) = plot.lines("n", series, "k", log2=True, legend_columns=2).axes
    first, second, nothing = axes.lines
    assert _points(nothing) == []
    assert _points(first)[::2] == [(1.0, 25.0), (4.0, 50.0)] and math.isnan(first.get_ydata()[1])
    assert _points(second) == [(1.0, 75.0), (8.0, 75.0)]
    assert [(line.get_linewidth(), line.get_linestyle(), line.get_marker()) for line in (first, second)] == [
        (1.5, "-", "o"),
        (1.0, ":", ""),
    ]
    (band,) = axes.collections
    corners = {tuple(map(float, corner)) for corner in band.get_paths()[0].vertices}
    assert corners == {(1, 12.5), (1, 37.5), (2, 25), (2, 50), (4, 25), (4, 75)}
    assert (
        band.get_linewidth() == [0] and band.get_alpha() == 0.18 and axes.get_axisbelow() is True
    )  # the grid is behind
    assert axes.get_ylim() == (-2, 103) and axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "2", "4", "8"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("k", "right, %")
    legend = axes.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["a", "only in the legend"] and legend._ncols == 2
    (axes,) = plot.lines(
        "n", [Series("", [0.5] * 3, plot.BLUE, [1, 2, 4], [(0.25, 0.75), None, (0.5, 0.75)])], "k"
    ).axes
    corners = {tuple(map(float, corner)) for corner in axes.collections[0].get_paths()[0].vertices}
    assert corners == {(1, 25), (1, 75), (4, 50), (4, 75)}  # a point without an interval is left out of the band
    (axes,) = plot.lines("n", [Series("", [10.0, 50.0], plot.BLUE, [1, 2])], "step", "tokens", percent=False).axes
    assert axes.get_ylabel() == "tokens" and axes.get_legend() is None and axes.get_xscale() == "linear"
    assert _points(axes.lines[0]) == [(1.0, 10.0), (2.0, 50.0)]
    legend = plot.lines("n", [Series(name, [0.5], plot.BLUE, [1]) for name in "ab"], "k").axes[0].get_legend()
    assert (
        legend._ncols == 1
        and {text.get_fontsize() for text in legend.get_texts()} == {10}
        and not legend.get_frame_on()
    )
    assert axes.lines[0].get_markersize() == 4 and not axes.xaxis.get_minor_ticks()
    assert axes.get_ylim() == pytest.approx((0, 1.08 * 52))  # a margin of 5 % of 40 above 50 is matplotlib's


def test_bars(drawn: None) -> None:
    series = [
        Series("a", [0.5, None], plot.BLUE, intervals=[(0.25, 0.625), None]),
        Series("b", [0.25, 0.75], plot.GREEN, intervals=[(0.125, 0.375), (0.5, 1.0)]),
    ]
    (axes,) = plot.bars("n", ["g", "h"], series).axes
    bars = [(bar.get_x() + bar.get_width() / 2, bar.get_height(), bar.get_width()) for bar in axes.patches]
    expected = [(-0.19, 50), (0.81, 0), (0.19, 25), (1.19, 75)]  # two bars of .38 around 0 and around 1
    assert [value for bar in bars for value in bar] == pytest.approx(
        [v for x, y in expected for v in (x, y, 0.95 * 0.38)]
    )
    assert [(text.get_text(), text.get_position()[1]) for text in axes.texts] == [
        ("50", 64.0),
        ("25", 39.0),
        ("75", 101.5),
    ]
    ends = [[tuple(point) for point in bar.get_segments()[0]] for bar in axes.collections]
    assert [(low[1], high[1]) for low, high in ends] == [(25, 62.5), (12.5, 37.5), (50, 100)]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["g", "h"]
    assert axes.get_ylim() == (0, 126) and list(axes.get_yticks()) == [0, 20, 40, 60, 80, 100]
    assert axes.get_legend()._ncols == 2
    # Caps of 2 points at both ends of an interval; the numbers are smaller than the labels.
    assert {line.get_markersize() for line in axes.lines} == {4.0} and {
        text.get_fontsize() for text in axes.texts
    } == {10}
    assert {name for name, spine in axes.spines.items() if spine.get_visible()} == {"left", "bottom"}
    ink = [axes.xaxis.label.get_color(), axes.yaxis.label.get_color(), *(text.get_color() for text in axes.texts)]
    assert set(ink) == {plot.TEXT}  # what is text takes the color of the page
    assert not axes.get_xgridlines()[0].get_visible() and axes.get_ygridlines()[0].get_visible()


def test_points(drawn: None) -> None:
    series = [
        Series("flexible", [0.5, 0.25], plot.BLUE, intervals=[(0.25, 0.75), None], marker="o"),
        Series("strict", [None, 0.125], plot.BLUE, marker="|"),
        Series("nobody's", [None, None], plot.GREY, marker="s"),
    ]
    figure = plot.points("n", ["a", "b"], series)
    (axes,) = figure.axes
    interval, flexible, strict = axes.lines
    assert _points(interval) == [(25.0, 0.0), (75.0, 0.0)]
    assert _points(flexible) == [(50.0, 0.0), (25.0, 1.0)] and _points(strict) == [(12.5, 1.0)]
    assert flexible.get_markerfacecolor() == plot.BLUE and strict.get_markerfacecolor() == "none"
    assert (flexible.get_markersize(), strict.get_markersize()) == (6.5, 13)
    assert axes.get_ylim() == (1.5, -0.5) and axes.get_xlim() == (-2, 102)  # the first label is at the top
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a", "b"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["flexible", "strict"]
    assert {line.get_markeredgewidth() for line in (flexible, strict)} == {1.6}
    assert (interval.get_linewidth(), interval.get_alpha()) == (5, 0.35)
    assert axes.get_xgridlines()[0].get_visible() and not axes.get_ygridlines()[0].get_visible()
    many = plot.points("n", ["a"], [Series(name, [0.5], plot.BLUE, marker="o") for name in "abcd"])
    assert many.legends[0]._ncols == 3
    assert figure.get_size_inches().tolist() == pytest.approx([5.4, 1.2 + 2 * 0.42])


def test_a_plot_fits_its_place_and_the_colors_of_the_page() -> None:
    series = [Series("a", [0.5, 1.0], plot.BLUE, [1, 2])]
    one = plot.lines("one", series, "k")
    assert one.startswith("<svg ") and not re.search(r'<svg[^>]* (?:width|height)="[\d.]+pt"', one)
    assert "</text>" in one and "12px" in one  # text stays text
    assert plot.TEXT not in one and "currentColor" in one and "<dc:date>" not in one
    assert one == plot.lines("one", series, "k")  # the same from run to run
    names = [set(re.findall(r'id="(p[0-9a-f]+|m[0-9a-f]+)"', svg)) for svg in (one, plot.lines("two", series, "k"))]
    assert names[0] and not names[0] & names[1]  # and two plots of a page share no name


STEPS = [Step("a <b>", 0.25), Step("c", None, wrong=True)]
CASE = Example(
    "Card <1>", "1 < 2?", [("right", "<5>", None), ("read", "4", False), ("strict", "5", True)], samples=[Sample("one", True, STEPS, {"kind": "x"})], key="k1"
)  # fmt: skip
PAGE = Page(
    "A <title>",
    [
        Section("Table", [["name", "what", "count"], ["**a**", "<b>", "5 %"], ["", "`c`", ""]], 2, note="A note."),
        Section("Plots", plots={"A caption": "<svg/>"}, note="below"),
        Section("Cases", examples=[CASE, Example("Bare", "?", [("x", "y", None)], "``a````b")], note="first"),
        Section(bullets=["one", "two"]),
    ],
    "**50 %** right",
    ["mind `this`"],
    [("tile", "7", "of 8")],
    "<script>1</script>",
)


def test_a_page_as_markdown() -> None:
    assert PAGE.markdown().split("\n\n") == [
        "# A <title>",
        "**50 %** right",
        "> mind `this`",
        "* tile: 7 (of 8)",
        "## Table",
        "| name | what | count |\n| --- | --- | --- |\n| **a** | <b> | 5 % |\n|  | `c` |  |",
        "A note.",
        "## Cases",
        "first",
        "### Card <1>",
        "````\n1 < 2?\n````",
        "right: `<5>`; read: `4`; strict: `5`",
        "✓ one",
        "````\n0.25  a <b>\nc  ✗\n````",
        "### Bare",
        "````\n?\n````",
        "`````\n``a````b\n`````",  # a fence that is longer than any in it
        "x: `y`",
        "* one\n* two\n",
    ]
    assert Page("t", [Section()]).markdown() == "# t\n"


def test_a_page_as_html() -> None:
    html = PAGE.html()
    assert "<title>A &lt;title&gt;</title>" in html and "<b>\n" not in html
    assert '<p class="headline"><strong>50&nbsp;%</strong> right</p>' in html and "mind <code>this</code>" in html
    assert '<tr><th>name</th><th>what</th><th class="number">count</th></tr>' in html
    assert '<td data-name="count" class="number"><span>5&nbsp;%</span></td>' in html and "<strong>a</strong>" in html
    assert (
        '<code class="bad">4</code>;' in html
        and '<code class="good">5</code>\n' in html
        and "<code>&lt;5&gt;</code>" in html
    )
    assert 'data-key="k1"' in html and "<figure><svg/><figcaption>A caption</figcaption></figure>" in html
    assert html.index("first</p>") < html.index("Card &lt;1&gt;") < html.index("<li>two</li>")
    assert '<option value="">all</option><option>x</option>' in html and html.rstrip().endswith(
        "<script>1</script>\n</body>\n</html>"
    )
    plain = Page("t", [Section(examples=[Example("a", "?", [])])]).html()
    assert "<script" not in plain and "data-key" not in plain and 'class="filters"' not in plain


def test_what_a_section_can_be_filtered_by() -> None:
    samples = [Sample("", None, [], tags) for tags in ({"a": "2", "b": "x"}, {"a": "1"}, {"a": "2"})]
    section = Section(examples=[Example("", "", [], samples=samples[:2]), Example("", "", [], samples=samples[2:])])
    assert section.filters == {"a": ["2", "1"], "b": ["x"]}


def test_tables_of_the_terminal() -> None:
    rows = [["name", "n", "share"], ["a", "10", "-"], ["long name", "-7", "50.0%"]]
    assert text_table(rows).splitlines() == ["name        n  share", "a          10      -", "long name  -7  50.0%"]
    assert text_table([["a", "b"]]) == "a  b" and text_table([["a", "b"], ["x", "-5"]]) == "a   b\nx  -5"
    assert markdown_table([["a"], ["b"]]) == "| a |\n| --- |\n| b |"


def test_programs_of_a_completion_in_boxes() -> None:
    text = "So:\n```python\nprint(1 < 2)\n\n```\n\n```output\nTrue\n```\nDone, <b>.\n```\n\n```\n```\nopen"
    assert rich_text(text) == (
        'So:<pre class="python">print(1 &lt; 2)</pre><pre class="output">True</pre>Done, &lt;b&gt;.\n```\n\n```<pre class="text">open</pre>'
    )
    assert (
        rich_text("a ```b``` c") == "a ```b``` c"
        and rich_text("``` Python x\n1\n```") == '<pre class="python">1</pre>'
    )


def test_formulas_of_strangers() -> None:
    formulas = pytest.importorskip("trl_dsmath.report.formulas")
    draw = formulas.with_formulas
    assert draw("$5 and $6, \\$x$ <") == "$5 and $6, \\$x$ &lt;"  # money
    one = draw("so $x<2$.")
    assert one.startswith('so <math display="inline" title="x&lt;2"><mrow><mi>x</mi><mo>&lt;</mo>') and one.endswith(
        "</math>."
    )
    for text in ("a\n\n$$x$$\nb", "a\n\\[x\\]\nb", "a\n\\begin{align*}x\\end{align*}\nb"):
        assert re.fullmatch(r'a<math display="block".*</math>b', draw(text))
    assert re.fullmatch(r'a\n<math display="inline".*</math>\nb', draw("a\n\\(x\\)\nb"))
    assert draw("\\boxed{\\frac{1}{2}}").startswith("<math") and draw("a\x00\ud800b") == "ab"
    for tex in ("x" * 501, "\\frac{"):  # too long, not readable
        assert draw(f"${tex}$") == f"<code>${tex}$</code>"
    assert draw(f"${'x' * 500}$").startswith("<math")
    # A link or a style in a formula is none.
    assert "href" not in draw("$\\href{javascript:1}{x}$").replace("\\href", "") and "style=" not in draw(
        "$\\color{red}{x}$"
    )
