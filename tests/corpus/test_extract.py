r"""All kinds of mathematics come out as TeX, each once; XHTML and odd pages do not come out empty."""

import time

import pytest

pytest.importorskip("resiliparse")

from resiliparse.parse.html import HTMLTree

from trl_dsmath.corpus.charsets import decode
from trl_dsmath.corpus.extract import extract_text, plain_text
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
        # Images whose address is the formula.
        ('<img src="https://latex.codecogs.com/gif.latex?\\dpi{120}&space;\\frac{a}{b}&plus;1">', r"$\frac{a}{b}+1$"),
        ('<img src="//latex.codecogs.com/svg.image?x%5E2&space;+&space;y" title="x">', "$x^2 + y$"),
        ('<img src="/cgi-bin/mimetex.cgi?\\Large x=\\frac{1}{2}" alt="formula">', r"$x=\frac{1}{2}$"),
        ('<img src="/cgi-bin/mathtex.cgi?a+b" />', "$a+b$"),
        ('<img class="latex" src="https://s0.wp.com/latex.php?latex=x%5E2%2B+y&amp;bg=ffffff&amp;fg=000000&amp;s=0" alt="x^2+ y">', "$x^2+ y$"),
        ('<img src="http://chart.apis.google.com/chart?cht=tx&amp;chl=a%2Bb%3Dc">', "$a+b=c$"),
        ('<img src="photo.jpg?latex=no" alt="a photo">', "a photo"),
        # What other programs leave.
        ('<span class="ql-formula" data-value="x^2 &lt; 5"><span><span>x2&lt;5</span></span></span>', "$x^2 < 5$"),
        ('<span class="MathJax" data-mathml="&lt;math&gt;&lt;msup&gt;&lt;mi&gt;x&lt;/mi&gt;&lt;mn&gt;2&lt;/mn&gt;&lt;/msup&gt;&lt;/math&gt;"><span>x2</span></span>', "$x^{2}$"),
        ('<span class="MathJax"><nobr>x2</nobr><span class="MJX_Assistive_MathML"><math><mi>x</mi></math></span></span>', "$x$"),
        (r'<mjx-container><mjx-math data-latex="\sqrt{q}"><mjx-c></mjx-c></mjx-math></mjx-container>', r"$\sqrt{q}$"),
        ('<mjx-container><svg><g data-mml-node="math"><g data-mml-node="mfrac"><g data-mml-node="mi"><use data-c="1D44E"></use></g>'
         '<g data-mml-node="mn"><use data-c="32"></use></g><rect></rect></g></g></svg></mjx-container>', r"$\frac{a}{2}$"),
        ('<img src="http://www.codecogs.com/eq.latex?%5Cinline%20%5Chuge%20x^2">', "$x^2$"),
        ('<img src="data:," data-lazy-src="https://latex.codecogs.com/svg.image?\\pi">', r"$\pi$"),
        ('<img src="/mimetex.cgi?formdata=x%2By">', "$x+y$"),
        ('<img src="https://www.zhihu.com/equation?tex=x%5E2%2By" alt="x^2+y">', "$x^2+y$"),
        ('<span class="ztext-math" data-tex="a_1">a1</span>', "$a_1$"),
        ('<img src="https://render.githubusercontent.com/render/math?math=%5Calpha">', r"$\alpha$"),
        ('<img class="equation_image" alt="LaTeX: x^3" data-equation-content="x^3">', "$x^3$"),
        (r'<img class="texrender" alt="\frac{a}{b}">', r"$\frac{a}{b}$"),
        ('<img class="ql-img-inline-formula quicklatex-auto-format" alt="&#92;alpha">', r"$\alpha$"),
        ('<img class="Wirisformula" alt="x squared" data-mathml="«math xmlns=¨http://www.w3.org/1998/Math/MathML¨»«msup»«mi»x«/mi»'
         '«mn»2«/mn»«/msup»«mo»§#177;«/mo»«/math»">', r"$x^{2}\pm$"),
        (r"<d-math block>\sum x</d-math>", r"$$\sum x$$"),
        ("<mml:math><mml:mi>x</mml:mi></mml:math>", "$x$"),
        ('<script type="math/MML"><MATH><MI>k</MI></MATH></script>', "$k$"),
        ('<script type="math/asciimath">x/2</script>', r"$\frac{x}{2}$"),
        # AsciiMath between backticks is a formula where the page loads AsciiMath, and not in code.
        ('<script src="ASCIIMathML.js"></script>`x/2 &lt; 3` or `y < 4`', r"$\frac{x}{2} < 3$ or $y < 4$"),
        ('<script src="/MathJax.js?config=TeX-MML-AM_CHTML"></script><code>`x/2`</code>', "`x/2`"),
        ("`x/2`", "`x/2`"),
        (r'<span class="math">\alpha_i</span>', r"$\alpha_i$"),
        (r'<span class="math">\(\alpha_i\)</span>', r"\(\alpha_i\)"),
        (r'<span class="math">for \(\alpha_i\)</span>', r"for \(\alpha_i\)"),
        ('<span class="math">a + b</span>', "a + b"),
        ('<span class="math"><i>x</i>_i</span>', "x_i"),
        ('<math><mfrac><mn>1</mn><mn>2</mn></mfrac></math>', r"$\frac{1}{2}$"),
        ('<math><semantics><mi>x</mi><annotation encoding="StarMath 5.0">size 12 x</annotation></semantics></math>', "$x$"),
        ('<math><semantics><mi>x</mi><annotation encoding="TeX"> </annotation></semantics></math>', "$x$"),
    ],
)  # fmt: skip
def test_a_formula_comes_out_once_as_tex(html: str, text: str) -> None:
    assert extract_text(f"<html><body><p>We see {html} here.</p></body></html>") == f"We see {text} here."


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("10<sup>6</sup> and 10<sup>-12</sup>", "10^6 and 10^{-12}"),
        ("x<sub>1</sub> + x<sub>10</sub>", "x_1 + x_{10}"),
        ("<i>x</i><sub>i</sub><sup>2</sup>", "x_i^2"),
        ("(a+b)<sup>n</sup>", "(a+b)^n"),
        ("<sup>1</sup>/<sub>2</sub> and 2<sup>1</sup>&frasl;<sub>2</sub>", "1/2 and 2 1/2"),
        ("2<sup>1</sup>/<b>3</b>", "2^1/3"),
        ("&frac12; and \u00bd", "\u00bd and \u00bd"),
        ("the 1<sup>st</sup> of May", "the 1st of May"),
        ('a word<sup><a href="#fn1">1</a></sup> with a note', "a word1 with a note"),
        ("see <sup>a long remark that is set higher</sup>", "see a long remark that is set higher"),
    ],
)
def test_scripts_and_fractions_keep_their_meaning(html: str, text: str) -> None:
    assert extract_text(f"<html><body><p>{html}</p></body></html>") == text


@pytest.mark.parametrize(
    ("mathml", "tex"),
    [
        ("<mi>𝔐</mi><mo>⊞</mo><mi>ℑ</mi><mo>∤</mo><mi>n</mi>", r"\mathfrak{M}\boxplus \Im \nmid n"),
        ("<munder><mrow><mi>lim</mi><mspace/><mi>sup</mi></mrow><mi>n</mi></munder>", r"\limsup_{n}"),
        ("<munder><mo>lim inf</mo><mi>n</mi></munder>", r"\liminf_{n}"),
        ('<mi mathvariant="bold">v</mi><mi mathvariant="double-struck">R</mi><mi mathvariant="normal">d</mi>', r"\mathbf{v}\mathbb{R}\mathrm{d}"),
        ("<mmultiscripts><mi>R</mi><mi>i</mi><mi>j</mi><none/><mi>k</mi></mmultiscripts>", "R_{i}^{j}^{k}"),
        ("<mmultiscripts><mi>C</mi><mi>k</mi><none/><mprescripts/><mi>n</mi><none/></mmultiscripts>", "{}_{n}C_{k}"),
        ("<mi>𝜙</mi><mi>𝑥</mi><mi>𝐀</mi><mi>𝐁</mi><mi>𝜶</mi><mo>∼</mo><mo>□</mo>", r"\phi x\mathbf{AB}\boldsymbol{\alpha}\sim \square"),
        ('<mi mathvariant="bold">a</mi><mi mathvariant="bold">α</mi><mi mathvariant="bold">b</mi>', r"\mathbf{a\alpha b}"),
        ("<mo>(</mo><mfrac linethickness='0'><mi>n</mi><mi>k</mi></mfrac><mo>)</mo>", r"\binom{n}{k}"),
        ("<mfrac linethickness='0'><mi>n</mi><mi>k</mi></mfrac>", r"{n \atop k}"),
        ("<mo>[</mo><mtable><mtr><mtd><mi>a</mi></mtd></mtr></mtable><mo>]</mo>", r"\begin{bmatrix} a \end{bmatrix}"),
        ("<mo>(</mo><mtable><mtr><mtd><mi>a</mi></mtd></mtr></mtable><mo>]</mo>", r"(\begin{matrix} a \end{matrix}]"),
        ("<menclose notation='box'><mn>7</mn></menclose>", r"\boxed{7}"),
        ("<msubsup><mi>x</mi><mn>1</mn><mo>′</mo></msubsup>", "x_{1}'"),
        ("<mover><mrow><mi>a</mi><mi>b</mi></mrow><mo>¯</mo></mover><munder><mi>y</mi><mo>―</mo></munder>", r"\overline{ab}\underline{y}"),
        ("<mi>φ</mi><mi>ϕ</mi><mi>ε</mi><mn>½</mn>", r"\varphi \phi \varepsilon \frac{1}{2}"),
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
        ("<msup>\n <mi>b</mi>\n <mn>2</mn>\n</msup>", "b^{2}"),
        ("<mover><mo>=</mo><mo>?</mo></mover>", r"\overset{?}{=}"),
        ("<msup><mrow><mo>{</mo><mi>x</mi></mrow><mn>2</mn></msup>", r"{\{x}^{2}"),
        ("<msub><mi>a</mi><mi>n</mi></msub>", "a_{n}"),
        ("<mi>rk</mi><mi>A</mi>", r"\operatorname{rk} A"),
        ("<mo>(</mo><mrow><mspace/><mtable><mtr><mtd><mi>a</mi></mtd></mtr></mtable></mrow><mo>)</mo>", r"\begin{pmatrix} a \end{pmatrix}"),
        *((f"<{tag}>" * depth + "<msup><mi>x</mi><mn>2</mn></msup>" + f"</{tag}>" * depth, tex)
          for tag in ("mrow", "mtd", "semantics") for depth, tex in ((99, "x^{2}"), (100, "x2"))),
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
        ("<div class='nav'>only <b>this</b> $\\alpha$</div>", "only this $\\alpha$"),
        ("no tags", "no tags"),
        (b"<p>caf\xc3\xa9 and one bad byte \xff in it</p>", "café and one bad byte \ufffd in it"),
        ("<p>half \ud835 a pair</p>", "half ? a pair"),
        ("", ""),
    ],
)
def test_odd_pages(page: str | bytes, text: str) -> None:
    assert extract_text(page) == text


FORMULAS = {
    "alttext": r'<p>We see <math alttext="a_{%d}"><mi>a</mi><mn>1</mn></math>.</p>',
    "mathjax": '<p>We see <span class="MathJax_Preview">a</span><script type="math/tex">a_{%d}</script>.</p>',
    "mathml": "<p>We see <math><msub><mi>a</mi><mn>%d</mn></msub></math>.</p>",
    "katex": '<p>We see <span class="katex"><math><annotation encoding="application/x-tex">a_{%d}</annotation></math></span>.</p>',
    "drawn as HTML": '<p>We see <mjx-container><mjx-math><mjx-msub><mjx-mi><mjx-c class="mjx-c1D44E"></mjx-c></mjx-mi><mjx-script>'
    "<mjx-mn>%s</mjx-mn></mjx-script></mjx-msub></mjx-math></mjx-container>.</p>",
    "AsciiMath": '<p class="asciimath">We see `a_%d`.</p>',
    "images": '<p>We see <img class="tex" alt="a_{%d}">.</p>',
    "scripts": "<p>We see a<sub>%d</sub>.</p>",
    "navigation": '<p>We see \\alpha <a class="headerlink">%d</a> <nav>b</nav>.</p>',
    "one long formula": None,
}


def _seconds(html: str) -> float:
    start = time.process_time()
    text = extract_text(html)
    assert "We see" in text
    return time.process_time() - start


@pytest.mark.parametrize("kind", FORMULAS)
def test_the_time_is_linear_in_the_formulas_of_a_page(kind: str) -> None:
    def page(count: int) -> str:
        if FORMULAS[kind] is None:
            return f"<p>We see <math><mrow>{'<mi>a</mi><mo>+</mo>' * count}</mrow></math></p>"
        numbers = range(count)
        if kind == "drawn as HTML":
            numbers = ["".join(f'<mjx-c class="mjx-c{ord(c):X}"></mjx-c>' for c in str(n)) for n in range(count)]
        return "<html><body>" + "".join(FORMULAS[kind] % n for n in numbers) + "</body></html>"

    # A page of drawings takes ten times as long as another one.
    less, more = (300, 1200) if kind == "drawn as HTML" else (1250, 5000)
    _seconds(page(100))
    # Four times the formulas take four times as long; 16 times if the work is quadratic. The least of two: what else
    # runs on the machine only adds.
    few, many = (min(_seconds(page(count)) for _ in range(2)) for count in (less, more))
    assert many < 9 * few
    if FORMULAS[kind] and kind != "navigation":
        text = extract_text(page(more))
        assert all(f"a_{{{n}}}" in text or f"a_{n}." in text for n in range(more))


@pytest.mark.parametrize(
    "around",
    [
        'class="content-sidebar-wrap"', 'class="sticky-footer"', 'class="page with-menu"', 'class="cookies-accepted"',
        'class="related"', 'class="toc"', 'class="contents"', 'id="menu"', 'class="has-navbar no-breadcrumb"', 'id="page-footer-wrap"',
        'class="nav"', 'role="main" class="sidebar-left-collapsed"',
    ],
)  # fmt: skip
def test_an_article_is_kept_whatever_its_classes_are_called(around: str) -> None:
    article = r"<p>Let \(\alpha\) be a number. " + "It is what the theorem speaks of. " * 20 + "</p>"
    page = f"<html><body><nav>Home Search</nav><div {around}>{article}</div><footer>Imprint</footer></body></html>"
    text = extract_text(page)
    assert "what the theorem speaks of" in text and "Imprint" not in text and "Search" not in text


@pytest.mark.parametrize("menu", ["<div class='x navbar'>{}</div>", "<ul class='menu'>{}</ul>", "<div id='footer'>{}</div>", "<div class='toc'>{}</div>", "<div role='navigation'>{}</div>"])  # fmt: skip
def test_navigation_of_a_page_with_mathematics_is_left_out(menu: str) -> None:
    article = r"<p>Let \(\alpha\) be a number. " + "It is what the theorem speaks of. " * 20 + "</p>"
    text = extract_text(f"<html><body>{menu.format('Home and Search')}{article}</body></html>")
    assert "Home" not in text and text.startswith("Let")


def test_of_a_page_without_mathematics_the_main_part_is_taken() -> None:
    page = "<html><body><nav>Home Search</nav><article><p>{}</p></article><footer>Imprint</footer></body></html>"
    words = "It is what the theorem of mathematics speaks of. " * 20
    assert extract_text(page.format(words)) == words.strip()


@pytest.mark.parametrize(
    ("text", "codec", "declared"),
    [
        ("한국어 수학 문제", "cp949", "euc-kr"), ("뷁 확장 완성형", "cp949", "ks_c_5601-1987"), ("数学", "gbk", "gb2312"),
        ("數學題目", "big5", "big5"), ("数学の問題①", "cp932", "Shift_JIS"), ("数学の問題", "euc_jp", "euc-jp"),
        ("数学の問題", "iso2022_jp", "iso-2022-jp"), ("Żółta łódź, świetna", "iso8859-2", "iso-8859-2"),
        ("Größe, “quoted” €", "cp1252", "ISO-8859-1"), ("Математика", "cp1251", "windows-1251"), ("Математика", "koi8-r", "koi8-r"),
    ],
)  # fmt: skip
def test_the_declared_charset_is_believed_from_server_and_page(text: str, codec: str, declared: str) -> None:
    plain = f"<html><head></head><body><p>{text}</p></body></html>".encode(codec)
    assert extract_text(plain, charset=declared) == text
    for meta in (
        f'<meta charset="{declared}">',
        f'<meta http-equiv="Content-Type" content="text/html; charset={declared}">',
    ):
        assert extract_text(plain.replace(b"<head>", b"<head>" + meta.encode())) == text
    # UTF-8 is recognized by itself, whatever is declared.
    assert extract_text(f"<p>{text}</p>".encode(), charset=declared) == text


JAPANESE = "これは数学の本です。素数は無限にある。定理と証明。" * 3


@pytest.mark.parametrize(
    ("page", "charset", "text"),
    [
        ("数学é".encode("utf-16"), "iso-8859-1", "数学é"),
        (b"\xfe\xff" + "数学é".encode("utf-16-be"), None, "数学é"),
        (b"\xef\xbb\xbfab", None, "ab"),
        (b"\x1b$B?t\x1b(B", "iso-2022-jp", "数"),  # looks like ASCII
        ("é".encode() * 2 + b"\xff" + "é".encode(), None, "éé\ufffdé"),  # UTF-8 with one broken place
        ("é".encode() * 2 + b"\xff" + "é".encode(), "utf-8", "éé\ufffdé"),
        (
            b"<?xml version='1.0' encoding='windows-1251'?>\xc0",
            None,
            "<?xml version='1.0' encoding='windows-1251'?>\u0410",
        ),
        # A charset in which more than a hundredth is broken is not believed; in which as much is, it is.
        (b"a" * 99 + b"\xe9", "big5", "a" * 99 + "\ufffd"),
        (b"a" * 49 + b"\xe9" + b"a" * 49, "windows-1252", "a" * 49 + "é" + "a" * 49),
        (
            b" " * 4075 + b"<meta charset=koi8-r>\xed",
            None,
            " " * 4075 + "<meta charset=koi8-r>М",
        ),  # as far as it is searched for
        (b" " * 4077 + b"<meta charset=koi8-r>\xed", None, " " * 4077 + "<meta charset=koi8-r>í"),
        (b"\x1b(J\\\x1b(B", "iso-2022-jp", "\u00a5"),
        ("é\x1b[0m".encode(), "iso-8859-1", "é\x1b[0m"),  # a terminal's colours
        (b"\xed", ' "koi8-r"', "М"),
        (("ê" * 50).encode() + b"\xff", "windows-1253", "ê" * 50 + "\ufffd"),  # half of it would be broken
        (JAPANESE.encode("euc-jp") + b"\xff", None, JAPANESE + "\ufffd"),  # guessed, whatever else is broken
        (b"caf\xe9", None, "café"),
        (("א" * 50).encode() + b"\xff" * 3, None, "א" * 50 + "\ufffd" * 3),  # no Western page holds its bytes
        ("이".encode("cp949") + b"\x81\x41", "euc-kr", "이갂"),  # the extension of the standard that is named
    ],
)
def test_the_characters_of_a_page(page: bytes, charset: str | None, text: str) -> None:
    assert decode(page, charset) == text


@pytest.mark.parametrize(
    ("whole", "broken", "believed"), [(997, 2, False), (998, 2, True), (1997, 3, True), (1996, 3, False)]
)
def test_a_thousandth_of_utf_8_may_be_broken(whole: int, broken: int, believed: bool) -> None:
    text = decode(("é" * whole).encode() + b"\xff" * broken)
    assert (text == "é" * whole + "\ufffd" * broken) == believed


def test_a_wrong_or_unknown_charset_is_not_believed() -> None:
    page = "<p>数学の問題を解く。方程式の解を求めよ。</p>".encode("cp932")
    assert "数学" in extract_text(page, charset="nonsense") or "数学" in extract_text(page)
    assert extract_text("<p>Größe</p>".encode("utf-16")) == "Größe"
    assert extract_text("\ufeff<p>Größe</p>".encode()) == "Größe"


def test_plain_text_keeps_words_and_formulas_in_time_linear_in_the_page() -> None:
    page = (
        "<html><head><title>T</title><style>p {}</style></head><body><!-- <p>no</p> --><p>One &lt; <b>two</b></p>"
        '<script>var x = "<p>no</p>";</script><script type="math/tex">x<y</script><div>Three'
        '<math alttext="z^2"><mi>z</mi></math></div></body>'
    )
    assert plain_text(page) == "One < two\n\n$x<y$\n\nThree $z^2$ z"
    assert "x" * 9 in plain_text("<div>" * 60_000 + "x" * 9)

    def seconds(count: int) -> float:
        start = time.process_time()
        plain_text("<script " * count + "<!-- " * count + "<p>" * count)
        return time.process_time() - start

    few, many = (min(seconds(count) for _ in range(3)) for count in (20_000, 80_000))
    assert many < 9 * few


def test_a_page_over_the_limit_is_refused_at_once() -> None:
    page = b"<p>x</p>" * 6_250_000
    start = time.process_time()
    with pytest.raises(DataError, match="max_bytes"):
        extract_text(page)
    assert time.process_time() - start < 1.0
