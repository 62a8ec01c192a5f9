r"""Seven kinds of mathematics come out as TeX, each once; XHTML and odd pages do not come out empty."""

import time

import pytest

pytest.importorskip("resiliparse")

from resiliparse.parse.html import HTMLTree

from trl_dsmath.corpus.extract import extract_text
from trl_dsmath.corpus.mathml import to_tex
from trl_dsmath.errors import DataError

KATEX = (
    '<span class="katex{0}"><span class="katex"><span class="katex-mathml"><math><semantics><mrow><mi>x</mi></mrow>'
    '<annotation encoding="application/x-tex">\\frac{{a}}{{b}}</annotation></semantics></math></span>'
    '<span class="katex-html" aria-hidden="true">a b</span></span></span>'
)
WIKIPEDIA = (
    '<span class="mwe-math-element"><span style="display: none;"><math alttext="{\\displaystyle x^{2}}"><semantics>'
    '<mi>x</mi><annotation encoding="application/x-tex">{\\displaystyle x^{2}}</annotation></semantics></math></span>'
    '<img class="mwe-math-fallback-image-inline" alt="{\\displaystyle x^{2}}"></span>'
)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<span class="MathJax_Preview">x2</span><script type="math/tex">x^2 < y</script>', "$x^2 < y$"),
        ('<script type="math/tex; mode=display">% <![CDATA[\ny^2 %]]></script>', "$$y^2$$"),
        (KATEX.format(""), r"$\frac{a}{b}$"),
        (KATEX.format("-display"), r"$$\frac{a}{b}$$"),
        (WIKIPEDIA, "$x^{2}$"),
        (r'<math alttext="\alpha+1"><mi>q</mi></math>', r"$\alpha+1$"),
        ('<math display="block"><msup><mi>b</mi><mn>2</mn></msup></math>', "$$b^{2}$$"),
        (r"\(x &lt; y\) and \[z\]", r"\(x < y\) and \[z\]"),
        ('<img src="f.png" alt="x^2+1">', "x^2+1"),
        ('<img class="latex" src="f.png" alt="y^3">', "$y^3$"),
        ('<mjx-container><svg>glyphs</svg><mjx-assistive-mml><math><mi>k</mi></math></mjx-assistive-mml></mjx-container>', "$k$"),
    ],
)  # fmt: skip
def test_a_formula_comes_out_once_as_tex(html: str, text: str) -> None:
    assert extract_text(f"<html><body><p>We see {html} here.</p></body></html>") == f"We see {text} here."


@pytest.mark.parametrize(
    ("mathml", "tex"),
    [
        ("<mfrac><mi>a</mi><mrow><mi>b</mi><mo>+</mo><mn>1</mn></mrow></mfrac>", r"\frac{a}{b+1}"),
        ("<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>", "x_{i}^{2}"),
        ("<msup><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></msup>", "{a+b}^{2}"),
        ("<mroot><mi>x</mi><mn>3</mn></mroot><msqrt><mi>y</mi></msqrt>", r"\sqrt[3]{x}\sqrt{y}"),
        ("<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover><mi>i</mi>", r"\sum_{i=1}^{n}i"),
        ("<munder><mi>lim</mi><mrow><mi>x</mi><mo>→</mo><mn>0</mn></mrow></munder>", r"\lim_{x\to 0}"),
        ("<mover><mi>v</mi><mo>→</mo></mover><mover><mi>x</mi><mo>¯</mo></mover>", r"\vec{v}\bar{x}"),
        ("<mfenced open='[' close=')'><mi>a</mi><mi>b</mi></mfenced>", "[a, b)"),
        ("<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>0</mn></mtd></mtr><mtr><mtd><mn>0</mn></mtd><mtd><mn>1</mn></mtd></mtr></mtable>",
         r"\begin{matrix} 1 & 0 \\ 0 & 1 \end{matrix}"),
        ("<mi>sin</mi><mi>α</mi><mo>≤</mo><mtext>if so</mtext>", r"\sin \alpha \le \text{if so}"),
    ],
)  # fmt: skip
def test_mathml_becomes_tex(mathml: str, tex: str) -> None:
    assert to_tex(HTMLTree.parse(f"<math>{mathml}</math>").document.query_selector("math")) == tex


def test_xhtml_that_closes_elements_in_their_opening_tag_is_read_to_its_end() -> None:
    page = (
        '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="a.js"/></head>'
        '<body><div class="x"/><p>hello <a name="b"/>world <m:math><m:mi>x</m:mi><m:mspace/><m:mn>2</m:mn></m:math></p></body></html>'
    )
    assert extract_text(page) == "hello world $x 2$"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<div class='nav'>only <b>this</b></div>", "only this"),
        ("no tags", "no tags"),
        (b"<p>caf\xc3\xa9 and one bad byte \xff in it</p>", "café and one bad byte \ufffd in it"),
        ("<p>half \ud835 a pair</p>", "half ? a pair"),
        ("", ""),
    ],
)
def test_odd_pages(page: str | bytes, text: str) -> None:
    assert extract_text(page) == text


def test_a_page_over_the_limit_is_refused_at_once() -> None:
    start = time.perf_counter()
    with pytest.raises(DataError, match="max_bytes"):
        extract_text(b"<p>x</p>" * 6_250_000)
    assert time.perf_counter() - start < 1.0
