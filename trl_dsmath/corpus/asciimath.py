r"""AsciiMath as TeX: `sum_(i=1)^n i^3=((n(n+1))/2)^2` as `\sum_{i=1}^{n} i^{3} = (\frac{n (n + 1)}{2})^{2}`."""

import re
from dataclasses import dataclass, field
from html import escape, unescape

_LOADED = ("ASCIIMath", "AsciiMath", "asciimath", "AM_HTML", "AM_CHTML", "AM_SVG", "MML-AM")
# Elements that MathJax leaves alone, other tags, and formulas between backticks.
_MARKED = re.compile(
    r"<(script|style|pre|code|textarea)\b.*?</\1\s*>|<!--.*?-->|<[a-zA-Z/!][^>]*>|`((?:[^`<]|<(?![a-zA-Z/!])){1,2000})`",
    re.S | re.I,
)
_TOO_DEEP = 60

_GREEK = (
    "alpha beta chi delta Delta epsilon eta gamma Gamma iota kappa lambda Lambda mu "
    "nu omega Omega phi Phi pi Pi psi Psi rho sigma Sigma tau theta Theta upsilon xi Xi zeta varepsilon varphi vartheta"
)
_SAME = (  # AsciiMath and TeX have the same name
    "star times div circ oplus otimes cdot wedge vee cap cup bigcap bigcup bigwedge bigvee sum prod int oint pm mp to in notin subset "
    "supset subseteq supseteq le ge lt gt ne equiv cong approx sim prec succ preceq succeq propto neg implies iff forall exists bot top "
    "vdash models nabla partial dots cdots vdots ddots quad qquad square aleph angle therefore because triangle frown ldots setminus "
    "bowtie ltimes rtimes odot lfloor rfloor lceil rceil langle rangle uparrow downarrow rightarrow leftarrow leftrightarrow "
    "Rightarrow Leftarrow Leftrightarrow rightarrowtail twoheadrightarrow mapsto del emptyset diamond ast land lor not infty prop infin "
    "sin cos tan sec csc cot sinh cosh tanh coth arcsin arccos arctan exp log ln det dim lim limsup liminf gcd min max sup inf ker deg hom arg"
)
_FUNCTIONS = "sin cos tan sec csc cot sinh cosh tanh coth arcsin arccos arctan exp log ln f g"
_OTHER = {
    "del": r"\partial", "grad": r"\nabla", "prop": r"\propto", "infin": r"\infty", "oo": r"\infty", "O/": r"\emptyset", "dx": "dx", "dy": "dy",
    "dz": "dz", "dt": "dt", "*": r"\cdot", "**": r"\ast", "***": r"\star", "//": "/",
    "leq": r"\le", "geq": r"\ge", "lt=": r"\le", "gt=": r"\ge", "|><|": r"\bowtie", "|><": r"\ltimes", "><|": r"\rtimes", "|__": r"\lfloor",
    "__|": r"\rfloor", "|~": r"\lceil", "~|": r"\rceil", "sech": r"\operatorname{sech}", "csch": r"\operatorname{csch}", "\\\\": r"\setminus", "xx": r"\times", "-:": r"\div",
    "@": r"\circ", "o+": r"\oplus", "ox": r"\otimes", "o.": r"\odot", "^^": r"\wedge", "^^^": r"\bigwedge", "vv": r"\vee", "vvv": r"\bigvee",
    "nn": r"\cap", "nnn": r"\bigcap", "uu": r"\cup", "uuu": r"\bigcup", "!=": r"\ne", ":=": ":=", "<": "<", ">": ">", "<=": r"\le", ">=": r"\ge",
    "-<": r"\prec", ">-": r"\succ", "-<=": r"\preceq", ">-=": r"\succeq", "!in": r"\notin", "sub": r"\subset", "sup": r"\supset",
    "sube": r"\subseteq", "supe": r"\supseteq", "-=": r"\equiv", "~=": r"\cong", "~~": r"\approx", "~": r"\sim", "and": r"\text{and}",
    "or": r"\text{or}", "if": r"\text{if}", "otherwise": r"\text{otherwise}", "=>": r"\Rightarrow", "<=>": r"\Leftrightarrow", "AA": r"\forall",
    "EE": r"\exists", "_|_": r"\bot", "TT": r"\top", "|--": r"\vdash", "|==": r"\models", "+-": r"\pm", "-+": r"\mp", "...": r"\dots",
    ":.": r"\therefore", ":'": r"\because", "/_": r"\angle", "/_\\": r"\triangle", "CC": r"\mathbb{C}", "NN": r"\mathbb{N}", "QQ": r"\mathbb{Q}",
    "RR": r"\mathbb{R}", "ZZ": r"\mathbb{Z}", "->": r"\to", ">->": r"\rightarrowtail", "->>": r"\twoheadrightarrow", "|->": r"\mapsto",
    "larr": r"\leftarrow", "rarr": r"\rightarrow", "uarr": r"\uparrow", "darr": r"\downarrow", "harr": r"\leftrightarrow", "lArr": r"\Leftarrow",
    "rArr": r"\Rightarrow", "hArr": r"\Leftrightarrow", "Lim": r"\operatorname{Lim}", "lcm": r"\operatorname{lcm}", "lub": r"\operatorname{lub}",
    "glb": r"\operatorname{glb}", "mod": r"\bmod", "_": "_", "^": "^", "/": "/", "%": r"\%", "#": r"\#", "&": r"\&", "$": r"\$", "\\ ": r"\ ",
}  # fmt: skip
_LEFT = {"(": "(", "[": "[", "{": r"\{", "(:": r"\langle", "<<": r"\langle", "{:": ""}
_RIGHT = {")": ")", "]": "]", "}": r"\}", ":)": r"\rangle", ">>": r"\rangle", ":}": ""}
_ONE = {
    "sqrt": r"\sqrt{#}", "abs": "|#|", "norm": r"\|#\|", "floor": r"\lfloor # \rfloor", "ceil": r"\lceil # \rceil", "hat": r"\hat{#}",
    "bar": r"\overline{#}", "overline": r"\overline{#}", "ul": r"\underline{#}", "underline": r"\underline{#}", "vec": r"\vec{#}",
    "dot": r"\dot{#}", "ddot": r"\ddot{#}", "tilde": r"\tilde{#}", "ubrace": r"\underbrace{#}", "underbrace": r"\underbrace{#}",
    "obrace": r"\overbrace{#}", "overbrace": r"\overbrace{#}", "overarc": r"\overset{\frown}{#}", "cancel": r"\cancel{#}", "bb": r"\mathbf{#}",
    "mathbf": r"\mathbf{#}", "bbb": r"\mathbb{#}", "mathbb": r"\mathbb{#}", "cc": r"\mathcal{#}", "mathcal": r"\mathcal{#}", "tt": r"\mathtt{#}",
    "fr": r"\mathfrak{#}", "mathfrak": r"\mathfrak{#}", "sf": r"\mathsf{#}",
}  # fmt: skip
_TWO = {
    "frac": r"\frac{#}{@}", "root": r"\sqrt[#]{@}", "stackrel": r"\overset{#}{@}", "overset": r"\overset{#}{@}",
    "underset": r"\underset{#}{@}", "color": "@",
}  # fmt: skip
_TEXT = ("text", "mbox")
_WORDS = {
    **{name: f"\\{name}" for name in f"{_SAME} {_GREEK}".split()}, **_OTHER, **dict.fromkeys((*_LEFT, *_RIGHT, *_ONE, *_TWO, *_TEXT, "|", ",", '"'), "")
}  # fmt: skip
_LONGEST = max(map(len, _WORDS))
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_MATRIX = {
    ("(", ")"): "pmatrix",
    ("[", "]"): "bmatrix",
    ("|", "|"): "vmatrix",
    ("{", ":}"): "cases",
    ("{:", ":}"): "matrix",
}


def write_asciimath(html: str) -> tuple[str, bool]:
    """Writes the formulas between backticks of a page that loads AsciiMath as `$...$`; other pages stay as they are.

    Returns:
        `tuple[str, bool]`: the page, and whether it has such formulas.
    """
    if "`" not in html or not any(mark in html for mark in _LOADED):
        return html, False
    found = False

    def write(match: re.Match[str]) -> str:
        nonlocal found
        if match[2] is None:
            return match[0]
        found = True
        return f"${escape(to_tex(unescape(match[2])), quote=False)}$"

    return _MARKED.sub(write, html), found


def to_tex(text: str) -> str:
    """
    Writes AsciiMath as TeX.

    Args:
        text (`str`):
            The formula, without backticks.

    Returns:
        `str`: the formula without dollar signs; the text itself where brackets are nested deeper than any reader could follow.
    """
    try:
        return _tidy(_Reader(text).all())
    except RecursionError:
        return text


@dataclass
class _Part:
    """A piece of a formula; `bare` is it without the brackets that AsciiMath drops in scripts and fractions, `cells` are what
    commas separate in its brackets."""

    tex: str
    bare: str = ""
    cells: list[list["_Part"]] = field(default_factory=list)
    open: str = ""
    applies: bool = False  # a function, which takes what follows

    def __post_init__(self) -> None:
        self.bare = self.bare or self.tex


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0
        self.left = 50 * len(text) + 100  # bars that close nothing are read again

    def peek(self) -> str:
        """The next token: the longest name that fits, a number, or one sign; empty at the end."""
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        if number := _NUMBER.match(self.text, self.at):
            return number[0]
        for length in range(min(_LONGEST, len(self.text) - self.at), 0, -1):
            if self.text[self.at : self.at + length] in _WORDS:
                return self.text[self.at : self.at + length]
        return self.text[self.at : self.at + 1]

    def take(self) -> str:
        token = self.peek()
        self.at += len(token)
        return token

    def all(self) -> str:
        parts = []
        while self.peek():
            parts.append(self.take() if self.peek() in _RIGHT else self.fraction().tex)
        return " ".join(parts)

    def fraction(self) -> _Part:
        part = self.scripted()
        if self.peek() == "/":
            self.take()
            return _Part(rf"\frac{{{part.bare}}}{{{self.scripted().bare if self.peek() else ''}}}")
        return part

    def scripted(self) -> _Part:
        part = self.simple()
        scripts = self.scripts()
        part = _Part(part.tex + scripts, applies=part.applies) if scripts else part
        if part.applies and self.peek() and self.peek() not in _RIGHT and self.peek() not in ("/", ",", "^", "_"):
            return _Part(f"{part.tex} {self.scripted().tex}")
        return part

    def scripts(self) -> str:
        written = ""
        for sign in "_^":
            if self.peek() == sign:
                self.take()
                minus = self.take() if self.peek() == "-" else ""
                written += f"{sign}{{{minus}{self.simple().bare}}}"
        return written

    def simple(self) -> _Part:
        self.left -= 1
        if self.left < 0:
            raise RecursionError
        token = self.take()
        if token in _LEFT or token == "|":
            return self.bracket(token)
        if token == '"' or (token in _TEXT and self.peek() in ("(", "[", "{")):
            closing = '"' if token == '"' else {"(": ")", "[": "]", "{": "}"}[self.take()]
            inside, _, _ = self.text[self.at :].partition(closing)
            self.at += len(inside) + 1
            return _Part(rf"\text{{{inside}}}")
        if token in _ONE:
            return _Part(_ONE[token].replace("#", self.simple().bare))
        if token in _TWO:
            first, second = self.simple().bare, self.simple().bare
            before, _, after = _TWO[token].partition("@")
            return _Part(before.replace("#", first) + second + after)
        return _Part(_WORDS.get(token) or token, applies=token in _FUNCTIONS.split())

    def bracket(self, opening: str) -> _Part:
        self.depth += 1
        if self.depth > _TOO_DEEP:
            raise RecursionError
        start, cells = self.at, [[]]  # type: tuple[int, list[list[_Part]]]
        closing = ""
        while token := self.peek():
            if token == "|" == opening or token in _RIGHT:
                closing = self.take() if token == "|" or opening != "|" else ""
                break
            if token == ",":
                self.take()
                cells.append([])
            else:
                cells[-1].append(self.fraction())
        self.depth -= 1
        if opening == "|" and not closing:  # a bar by itself: divides, or such that
            self.at = start
            return _Part(r"\mid")
        rows = [cell[0].cells for cell in cells if len(cell) == 1 and cell[0].open in ("(", "[")]
        name = _MATRIX.get((opening, closing))
        if name and len(rows) == len(cells) and len({len(row) for row in rows}) == 1 and len(rows) * len(rows[0]) > 1:
            lines = r" \\ ".join(" & ".join(" ".join(part.tex for part in cell) for cell in row) for row in rows)
            return _Part(rf"\begin{{{name}}} {lines} \end{{{name}}}")
        inside = ", ".join(" ".join(part.tex for part in cell) for cell in cells)
        left, right = _LEFT.get(opening, opening), _RIGHT.get(closing, closing)
        bare = inside if opening in ("(", "[", "{", "{:") and (closing in (")", "]", "}", ":}") or not closing) else ""
        return _Part(f"{left}{inside}{right}", bare, cells, opening)


def _tidy(tex: str) -> str:
    return re.sub(r"\s+", " ", tex).strip()
