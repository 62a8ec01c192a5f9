r"""MathML that carries no TeX, written as TeX: for formulas that come without their source."""

from typing import Any
from unicodedata import normalize

from ..errors import MissingDependencyError

try:
    from latex2mathml.symbols_parser import SYMBOLS
except ImportError as _error:
    raise MissingDependencyError("Reading MathML needs latex2mathml: pip install 'trl-dsmath[corpus]'.") from _error

# Where several names mean one sign, the common one; all others are in the table of latex2mathml.
_COMMON = {
    "≤": r"\le", "≥": r"\ge", "≠": r"\ne", "→": r"\to", "⇔": r"\iff", "∧": r"\land", "∨": r"\lor", "¬": r"\neg", "∗": r"\ast",
    "⋅": r"\cdot", "·": r"\cdot", "…": r"\dots", "∅": r"\emptyset", "⊥": r"\perp", "∣": r"\mid", "ℏ": r"\hbar", "ℓ": r"\ell",
    "′": "'", "″": "''", "‴": "'" * 3, "−": "-", "‐": "-", "–": "-", "√": r"\surd", "ı": r"\imath", "ȷ": r"\jmath", "∞": r"\infty",
    "½": r"\frac{1}{2}", "⅓": r"\frac{1}{3}", "⅔": r"\frac{2}{3}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}",
    "{": r"\{", "}": r"\}", "%": r"\%", "#": r"\#", "&": r"\&", "$": r"\$", "_": r"\_", "\\": r"\backslash", "‖": r"\|",
    "\u2061": " ", "\u2062": "", "\u2063": "", "\u2064": "", "\u200b": "", "\u2009": " ", "\u2003": " ", "\xa0": " ",
}  # fmt: skip
_SYMBOLS = {
    **{
        chr(int(code, 16)): name for name, code in reversed(SYMBOLS.items()) if "-" not in code and int(code, 16) > 127
    },
    **_COMMON,
}
_VARIANTS = {
    "bold": "mathbf", "bold-italic": "boldsymbol", "double-struck": "mathbb", "script": "mathcal", "bold-script": "mathcal",
    "fraktur": "mathfrak", "bold-fraktur": "mathfrak", "sans-serif": "mathsf", "monospace": "mathtt", "normal": "mathrm",
}  # fmt: skip
_FUNCTIONS = {
    "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan", "log", "ln", "lg",
    "exp", "lim", "limsup", "liminf", "max", "min", "sup", "inf", "det", "dim", "ker", "deg", "gcd", "arg", "Pr", "hom",
}  # fmt: skip
_ABOVE = {
    "^": "hat", "ˆ": "hat", "\u0302": "hat", "~": "tilde", "˜": "tilde", "∼": "tilde", "¯": "bar", "‾": "overline", "ˉ": "bar",
    "→": "vec", "⃗": "vec", "˙": "dot", ".": "dot", "¨": "ddot", "⏞": "overbrace", "︷": "overbrace", "_": "overline",
}  # fmt: skip
_BELOW = {"_": "underline", "̲": "underline", "⏟": "underbrace", "︸": "underbrace"}
_LARGE = {
    "∑",
    "∏",
    "∫",
    "⋃",
    "⋂",
    "⋁",
    "⋀",
    "⨁",
    "⨂",
    "∐",
    "⨆",
    "⨀",
    "lim",
    "max",
    "min",
    "sup",
    "inf",
    "limsup",
    "liminf",
}
_HIDDEN = {"annotation", "annotation-xml", "mphantom", "none", "mprescripts", "maligngroup", "malignmark"}
_DEEPEST = 100  # formulas nested deeper than this are written as their plain text


def to_tex(math: Any) -> str:
    r"""Writes the tree of a formula as TeX.

    Args:
        math (`resiliparse.parse.html.ElementNode`):
            A `math` element, or any element in one.

    Returns:
        `str`: the formula without dollar signs, such as `\frac{a}{b^{2}}`; empty when the element is.
    """
    return " ".join(_write(math, 0).split())


def _write(node: Any, depth: int) -> str:
    if node.node_name == "#text":
        return _symbols(node.text_content)
    # MathJax writes the names of MathML into its SVG, and the signs as numbers.
    drawn = node.get_attribute("data-mml-node")
    tag = drawn or (node.local_name or "").lower()
    if tag in _HIDDEN:
        return ""
    if depth > _DEEPEST:
        return _symbols(node.text_content)
    if drawn and tag in {"mi", "mn", "mo", "ms", "mtext"}:
        return _token(tag, _drawn_text(node), None)
    if tag in {"mi", "mn", "mo", "ms", "mtext"}:
        return _token(tag, " ".join(node.text_content.split()), node.get_attribute("mathvariant"))
    if tag == "mspace":
        return " "
    # `values`: iterating over a collection takes quadratic time in resiliparse 2.0.
    parts = [child for child in node.child_nodes.values() if child.node_name != "#text" or child.text_content.strip()]
    parts = [child for child in parts if child.node_name not in ("#comment", "rect", "line")]
    if drawn and tag in {"msqrt", "mroot"}:  # the root sign is drawn too
        parts = [child for child in parts if child.get_attribute("data-mml-node") != "mo"]
    if tag == "semantics":
        return _write(parts[0], depth + 1) if parts else ""
    if tag in {"mtable", "mtr", "mlabeledtr", "mtd"}:
        return _table(tag, [_write(part, depth + 1) for part in parts])
    inner = [_write(part, depth + 1) for part in parts]
    if tag == "msqrt":
        return rf"\sqrt{{{_join(inner)}}}"
    if tag == "mmultiscripts":
        return _multiscripts(parts, [part.strip() for part in inner])
    if tag == "menclose" and "radical" in (node.get_attribute("notation") or ""):
        return rf"\sqrt{{{_join(inner)}}}"
    if tag == "mfenced":
        mark = (node.get_attribute("separators") if node.has_attribute("separators") else ",") or ""
        opening = node.get_attribute("open") if node.has_attribute("open") else "("
        closing = node.get_attribute("close") if node.has_attribute("close") else ")"
        return f"{_symbols(opening or '')}{f'{mark.strip()[:1]} '.join(inner)}{_symbols(closing or '')}"
    return _script(tag, parts, [part.strip() for part in inner]) or _join(inner)


def _drawn_text(node: Any) -> str:
    codes = [int(glyph.get_attribute("data-c"), 16) for glyph in node.query_selector_all("[data-c]").values()]
    # Letters are drawn in italics unless something else is meant.
    return "".join(normalize("NFKC", chr(c)) if 0x1D434 <= c <= 0x1D467 else chr(c) for c in codes)


def _script(tag: str, parts: list[Any], inner: list[str]) -> str:
    """Fractions, roots, and scripts and accents; empty for other tags and for a wrong number of parts."""
    base = _base(inner[0]) if inner else ""
    match tag, len(inner):
        case "mfrac", 2:
            return rf"\frac{{{inner[0]}}}{{{inner[1]}}}"
        case "mroot", 2:
            return rf"\sqrt[{inner[1]}]{{{inner[0]}}}"
        case "msup", 2:
            return base + (inner[1] if set(inner[1]) == {"'"} else f"^{{{inner[1]}}}")
        case "msub", 2:
            return f"{base}_{{{inner[1]}}}"
        case "msubsup", 3:
            return f"{base}_{{{inner[1]}}}^{{{inner[2]}}}"
    if tag not in {"mover", "munder", "munderover"} or len(inner) != (3 if tag == "munderover" else 2):
        return ""
    core, mark = "".join(parts[0].text_content.split()), parts[1].text_content.strip()
    base = rf"\{core}" if core in {"limsup", "liminf"} else base  # as one word, or as two
    if tag == "munderover":
        large = core in _LARGE
        return f"{base}_{{{inner[1]}}}^{{{inner[2]}}}" if large else rf"\overset{{{inner[2]}}}{{{_below(inner)}}}"
    if tag == "mover":
        if core in _LARGE:
            return f"{base}^{{{inner[1]}}}"
        return rf"\{_ABOVE[mark]}{{{inner[0]}}}" if mark in _ABOVE else rf"\overset{{{inner[1]}}}{{{inner[0]}}}"
    if core in _LARGE:
        return f"{base}_{{{inner[1]}}}"
    return rf"\{_BELOW[mark]}{{{inner[0]}}}" if mark in _BELOW else _below(inner)


def _multiscripts(parts: list[Any], inner: list[str]) -> str:
    """`mmultiscripts`: a base, pairs of subscript and superscript, and after `mprescripts` pairs that stand before it."""
    names = [part.local_name or "" for part in parts]
    middle = names.index("mprescripts") if "mprescripts" in names else len(names)

    def pairs(first: int, last: int) -> str:
        signs = [("_^"[(i - first) % 2], inner[i]) for i in range(first, last)]
        return _join([f"{sign}{{{script}}}" for sign, script in signs if script])

    before = pairs(middle + 1, len(names))
    return ("{}" + before if before else "") + (_base(inner[0]) if inner else "") + pairs(1, middle)


def _below(inner: list[str]) -> str:
    return rf"\underset{{{inner[1]}}}{{{inner[0]}}}"


def _base(text: str) -> str:
    """The base of a script, in braces where TeX would otherwise take its last sign alone."""
    alone = len(text) == 1 or (text.startswith("\\") and text[1:].isalpha()) or text.replace(".", "").isdigit()
    return text if alone else f"{{{text}}}"


def _table(tag: str, inner: list[str]) -> str:
    if tag == "mtd":
        return _join(inner)
    if tag == "mtable":
        rows = r" \\ ".join(inner)
        return rf"\begin{{matrix}} {rows} \end{{matrix}}"
    return " & ".join(part.strip() for part in inner)


def _token(tag: str, text: str, variant: str | None) -> str:
    if tag in {"mtext", "ms"}:
        return rf"\text{{{text}}}" if text else " "
    joined = text.replace(" ", "")
    if joined in _FUNCTIONS and tag != "mn":  # MathML has "lim sup" for \limsup
        return rf"\{joined} "
    command = _VARIANTS.get(variant or "")
    # `normal` says something of letters only: digits and signs are upright anyway.
    if command and joined.isalnum() and (command != "mathrm" or (tag == "mi" and joined.isascii())):
        return rf"\{command}{{{_symbols(text).strip()}}}"
    if len(text) > 1 and joined.isalpha() and text.isascii() and tag != "mn":
        return rf"\operatorname{{{text}}} "
    return _symbols(text)


def _symbols(text: str) -> str:
    """Signs by their TeX names; a command is followed by a space, so that the next letter does not join it."""
    if text.isascii() and text.isalnum():
        return text
    named = [_SYMBOLS.get(char, char) for char in text]
    return "".join(f"{name} " if name[:1] == "\\" and name[-1:].isalpha() else name for name in named)


def _join(parts: list[str]) -> str:
    return "".join(parts)
