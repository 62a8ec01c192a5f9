r"""Formulas of which only MathJax's drawing is left are read from it."""

import time

import pytest

pytest.importorskip("resiliparse")

from trl_dsmath.corpus.extract import extract_text

SIGNS = {"x": "1D465", "i": "1D456", "n": "1D45B", "a": "1D44E", "b": "1D44F"}


def _code(sign: str) -> str:
    return SIGNS.get(sign, f"{ord(sign):X}")


def html(name: str, *inner: str, **attributes: str) -> str:
    """MathJax 3 and 4: elements of their own."""
    return f"<mjx-{name}{''.join(f' {k}={v}' for k, v in attributes.items())}>{''.join(inner)}</mjx-{name}>"


def sign(kind: str, text: str) -> str:
    return html(kind, *(f'<mjx-c class="mjx-c{_code(c)} TEX-I"></mjx-c>' for c in text))


def svg(name: str, *inner: str, at: str = "") -> str:
    """MathJax 3 and 4: groups."""
    return f'<g data-mml-node="{name}"{f" transform={chr(34)}{at}{chr(34)}" if at else ""}>{"".join(inner)}</g>'


def glyph(kind: str, text: str, at: str = "") -> str:
    return svg(kind, *(f'<use data-c="{_code(c)}" xlink:href="#MJX-1-TEX-I-{_code(c)}"></use>' for c in text), at=at)


def span(name: str, *inner: str) -> str:
    """MathJax 2: classes."""
    return f'<span class="mjx-{name}">{"".join(inner)}</span>'


def char(kind: str, text: str, font: str = "MJXc-TeX-math-I") -> str:
    return span(kind, f'<span class="mjx-char {font}">{text}</span>')


X, INDEX, N, TWO = (sign("mi", c) if c.isalpha() else sign("mn", c) for c in "xin2")
BARS = "<mjx-stretchy-v class='mjx-c28'><mjx-beg><mjx-c class='mjx-c239B'></mjx-c></mjx-beg></mjx-stretchy-v>"
HTML = {
    html("mfrac", html("frac", html("num", html("nstrut"), X), html("dbox", html("line"), html("den", TWO)))): r"\frac{x}{2}",
    html("mfrac", html("frac", html("num", X), html("den", TWO))): r"{x \atop 2}",
    # The upper script comes first; a single one is what the element says.
    html("msubsup", X, html("script", TWO, html("spacer"), INDEX)): "x_{i}^{2}",
    html("msub", X, html("script", INDEX)): "x_{i}",
    html("msup", X, html("script", TWO)): "x^{2}",
    html("munderover", sign("mo", "∑"), html("script", N, html("spacer"), html("TeXAtom", INDEX, sign("mo", "="), TWO))): r"\sum_{i=2}^{n}",
    html("munder", html("row", html("base", sign("mo", "lim"))), html("row", html("under", X))): r"\lim_{x}",
    html("mover", html("over", sign("mo", "^")), html("base", X)): r"\hat{x}",
    html("msqrt", html("sqrt", html("surd", sign("mo", "√")), html("box", X))): r"\sqrt{x}",
    html("mroot", html("root", TWO), html("sqrt", html("surd", sign("mo", "√")), html("box", X))): r"\sqrt[2]{x}",
    html("mtable", html("table", html("itable", html("mtr", html("mtd", X), html("mtd", INDEX))))): r"\begin{matrix} x & i \end{matrix}",
    html("menclose", html("box", X, style='"border:1px solid"')): r"\boxed{x}",
    html("menclose", html("box", X, style='"border:1px solid"')) + TWO: r"\boxed{x}2",
    html("mo", BARS) + X: "(x",
    html("mi", '<mjx-c class="mjx-c53 TEX-C"></mjx-c>'): r"\mathcal{S}",
    html("mtext", "<mjx-utext>数</mjx-utext>"): r"\text{数}",
    html("mi", '<mjx-c class="mjx-c210E TEX-I"></mjx-c>'): "h",
    html("mi", '<mjx-c class="mjx-c1D719 TEX-I"></mjx-c>'): r"\phi",
    # The first and the last letter in italics; the one before them is bold.
    html("mi", *(f'<mjx-c class="mjx-c{code}"></mjx-c>' for code in ("1D434", "1D467"))): r"\operatorname{Az}",
    html("mi", '<mjx-c class="mjx-c1D433"></mjx-c>'): r"\mathbf{z}",
    html("mphantom", X) + html("mspace") + TWO: "2",
    html("menclose", html("box", INDEX)): "i",
    html("mfrac", X, INDEX, TWO): "xi2",  # no fraction has three parts
    html("mover", X, html("script", sign("mo", "^"))): r"\hat{x}",
    html("munder", sign("mo", "∑"), html("script", INDEX)): r"\sum_{i}",
    html("munderover", sign("mo", "∑"), html("over", N), html("under", INDEX)): r"\sum_{i}^{n}",
    html("msubsup", html("script", TWO)): "2",
    html("mtable", *[html("mlabeledtr", html("labels", TWO), html("mtd", INDEX), html("mtd", X))] * 2): r"\begin{matrix} i & x \\ i & x \end{matrix}",
}  # fmt: skip
SVG = {
    # How high a script stands says which it is.
    svg("msubsup", glyph("mi", "x"), glyph("mn", "2", "translate(605,353.6)"), glyph("mi", "i", "translate(605,-293)")): "x_{i}^{2}",
    svg("msubsup", glyph("mi", "x"), glyph("mi", "i", "translate(605,-293)"), glyph("mn", "2", "translate(605,353.6)")): "x_{i}^{2}",
    svg("mfrac", glyph("mi", "a"), glyph("mi", "b"), "<rect></rect>"): r"\frac{a}{b}",
    svg("mfrac", glyph("mi", "a"), glyph("mi", "b")): r"{a \atop b}",
    svg("msqrt", glyph("mo", "√"), f"<g>{glyph('mi', 'x')}</g>", "<rect></rect>"): r"\sqrt{x}",
    svg("msqrt", glyph("mo", "√"), f"<g>{glyph('mi', 'x')}{glyph('mo', '+')}{glyph('mn', '2')}</g>"): r"\sqrt{x+2}",
    svg("msubsup", glyph("mi", "x"), glyph("mn", "2", "translate(605,-0.5)"), glyph("mn", "3")): "x_{2}^{3}",  # as high as the base
    svg("msubsup", glyph("mi", "x"), glyph("mn", "3"), glyph("mn", "2", "translate(605,0.5)")): "x_{3}^{2}",
    svg("msup", glyph("mi", "x"), svg("TeXAtom", glyph("mi", "n"), glyph("mo", "+"), glyph("mn", "2"))): "x^{n+2}",
    svg("mroot", f"<g>{glyph('mi', 'x')}</g>", glyph("mn", "3", "translate(3,4) scale(0.5)"), glyph("mo", "√"), "<rect></rect>"): r"\sqrt[3]{x}",
    svg("mo", '<path data-c="23A7"></path>', '<path data-c="23A8"></path>'): r"\{",
    svg("mtext", "<text>数</text>"): r"\text{数}",
    svg("mi", '<use data-c="53" xlink:href="#MJX-1-TEX-C-53"></use>'): r"\mathcal{S}",
    svg("msubsup", glyph("mi", "x"), glyph("mn", "2", "translate(605, 1e1)"), glyph("mn", "3", "translate(605 5)")): "x_{3}^{2}",
    svg("msup", glyph("mi", "a"), glyph("mn", "2", "translate(605,-9)")): "a^{2}",
    svg("munderover", glyph("mo", "∑"), glyph("mi", "n"), glyph("mi", "i")): r"\sum_{i}^{n}",  # equally high: the upper one is first
    svg("mroot", glyph("mi", "x"), glyph("mn", "3"), glyph("mo", "√")): r"\sqrt[x]{3}",  # nothing is smaller: the first
    svg("menclose", glyph("mi", "x"), "<rect fill=none></rect>"): r"\boxed{x}",
    svg("menclose", glyph("mi", "b"), "<rect></rect>"): "b",
}  # fmt: skip
OLD = {
    span("mfrac", span("box", span("numerator", char("mi", "a")), span("denominator", char("mi", "b")), span("line"))): r"\frac{a}{b}",
    span("msubsup", span("base", char("mi", "x")), span("stack", span("sup", char("mn", "2")), span("sub", char("mi", "i")))): "x_{i}^{2}",
    span("msubsup", span("base", char("mi", "x")), span("sub", char("mi", "i"))): "x_{i}",
    span("munderover", span("stack", span("over", char("mo", "^")), span("op", char("mi", "x")))): r"\hat{x}",
    span("mroot", span("root", char("mn", "3")), span("box", span("surd", "√"), span("box", char("mi", "x")))): r"\sqrt[3]{x}",
    char("mi", "x", "MJXc-TeX-main-B") + char("mi", "N", "MJXc-TeX-ams-R"): r"\mathbf{x}\mathbb{N}",
    span("mo", '<span class="mjx-delim-v"><span class="mjx-char">∣∣</span><span class="mjx-char">∣</span></span>'): r"\mid",
    r'<span class="mjx-noError">\foo{x}</span>': r"\foo{x}",
    char("mi", "A", "MJXc-TeX-frak-R") + char("mi", "A", "MJXc-TeX-math-BI"): r"\mathfrak{A}\boldsymbol{A}",
    char("mi", "A", "MJXc-TeX-sans-R") + char("mi", "A", "MJXc-TeX-type-R"): r"\mathsf{A}\mathtt{A}",
    char("mi", "A", "MJXc-TeX-cal-R") + char("mo", "≰", "MJXc-TeX-ams-R"): r"\mathcal{A}\nleq",
    char("mo", "⎧⎨⎩") + char("mi", "x") + char("mo", "⎪") + char("mo", "⎣"): r"\{x|[",
    span("mo", '<span class="mjx-delim-v"><span class="mjx-char">ab</span></span>'): r"\operatorname{ab}",
    span("mo", '<span class="mjx-delim-h"><span class="mjx-char">−−</span></span>'): "-",
    char("mo", "∣∣"): r"\mid \mid",
    span("mo", '<span class="mjx-delim-v"><span class="mjx-char">(</span></span>'): "(",
    span("mtext", '<span class="mjx-char">a&lt;b</span>'): r"\text{a<b}",
}  # fmt: skip


@pytest.mark.parametrize("drawing", HTML, ids=HTML.get)
def test_html_of_mathjax_3_and_4(drawing: str) -> None:
    page = f'<p>We see <mjx-container class="MathJax" jax="CHTML"><mjx-math>{drawing}</mjx-math></mjx-container>.</p>'
    assert extract_text(page) == f"We see ${HTML[drawing]}$."


@pytest.mark.parametrize("drawing", SVG, ids=SVG.get)
def test_svg_of_mathjax_3_and_4(drawing: str) -> None:
    page = f'<p>We see <mjx-container jax="SVG" display="true"><svg>{svg("math", drawing)}</svg></mjx-container>.</p>'
    assert extract_text(page) == f"We see $${SVG[drawing]}$$."


@pytest.mark.parametrize("drawing", OLD, ids=OLD.get)
def test_html_of_mathjax_2(drawing: str) -> None:
    page = f'<p>We see <span class="mjx-chtml MathJax_CHTML"><span class="mjx-math">{drawing}</span></span>.</p>'
    assert extract_text(page) == f"We see ${OLD[drawing]}$."


def test_an_element_without_a_drawing_stays_as_it_is() -> None:
    assert extract_text('<p>We see <span class="mjx-chtml">x</span>.</p>') == "We see x."


@pytest.mark.parametrize("around", ["{}", "<mjx-box>{}</mjx-box>", "<mjx-mn>{}</mjx-mn>"])
def test_the_time_is_linear_in_the_signs_of_a_drawing(around: str) -> None:
    one, sign = ('<mjx-c class="mjx-c32"></mjx-c>', "2") if "mn" in around else (X, "x")

    def seconds(count: int) -> float:
        drawing = around.format(one * count)
        began = time.process_time()
        text = extract_text(f'<p><mjx-container jax="CHTML"><mjx-math>{drawing}</mjx-math></mjx-container></p>')
        assert text == f"${sign * count}$"
        return time.process_time() - began

    # Iterating over a collection of nodes, not over its values, takes 3 seconds for 1,250 signs and 59 for 5,000.
    assert min(seconds(800) for _ in range(3)) < 9 * min(seconds(200) for _ in range(3))


@pytest.mark.parametrize(("depth", "found"), [(300, "x2"), (301, "2"), (3000, "2")])
def test_what_is_nested_too_deep_is_left_out(depth: int, found: str) -> None:
    drawing = "<mjx-mrow>" * depth + X + "</mjx-mrow>" * depth + TWO
    assert (
        extract_text(f'<p><mjx-container jax="CHTML"><mjx-math>{drawing}</mjx-math></mjx-container></p>')
        == f"${found}$"
    )
