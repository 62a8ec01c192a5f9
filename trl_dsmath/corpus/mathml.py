r"""MathML that carries no TeX, written as TeX: for formulas that come without their source."""

import re
from typing import Any
from unicodedata import decomposition, name

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
    "∼": r"\sim", "≈": r"\approx", "□": r"\square", "◻": r"\square", "■": r"\blacksquare", "•": r"\bullet", "∍": r"\backepsilon", "◯": r"\bigcirc", "▪": r"\blacksquare",
    "▴": r"\blacktriangle", "▲": r"\blacktriangle", "▾": r"\blacktriangledown", "▼": r"\blacktriangledown", "◂": r"\blacktriangleleft",
    "◀": r"\blacktriangleleft", "▸": r"\blacktriangleright", "▶": r"\blacktriangleright", "⩞": r"\doublebarwedge", "𝚤": r"\imath", "\u2329": r"\langle", "\u232a": r"\rangle", "ɛ": r"\varepsilon", "◼": r"\blacksquare",
    "∙": r"\bullet", "¶": r"\P",
    "§": r"\S", "≑": r"\doteqdot", "∖": r"\setminus", "∥": r"\parallel", "|": "|", "⟨": r"\langle", "⟩": r"\rangle", "〈": r"\langle",
    "〉": r"\rangle", "⩽": r"\leqslant", "⩾": r"\geqslant", "△": r"\triangle", "◃": r"\triangleleft", "▹": r"\triangleright",
    "∘": r"\circ", "≔": ":=", "€": "€", "°": r"^\circ ", "∫": r"\int", "∑": r"\sum", "∏": r"\prod", "∐": r"\coprod", "⋆": r"\star",
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
_LETTERS = {
    "BOLD ITALIC": "boldsymbol", "BOLD SCRIPT": "mathcal", "BOLD FRAKTUR": "mathfrak", "BOLD": "mathbf", "DOUBLE-STRUCK": "mathbb",
    "SCRIPT": "mathcal", "FRAKTUR": "mathfrak", "SANS-SERIF": "mathsf", "MONOSPACE": "mathtt",
}  # fmt: skip
_SAME_STYLE = re.compile(r"(\\(?:math[a-z]{2,4}|boldsymbol))\{[^{}]*\}(?:\1\{[^{}]*\})+")
_FENCES = {("(", ")"): "p", ("[", "]"): "b", ("|", "|"): "v", (r"\|", r"\|"): "V", (r"\mid", r"\mid"): "v"}
_FUNCTIONS = {
    "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth", "arcsin", "arccos", "arctan", "log", "ln", "lg",
    "exp", "lim", "limsup", "liminf", "max", "min", "sup", "inf", "det", "dim", "ker", "deg", "gcd", "arg", "Pr", "hom",
}  # fmt: skip
_ABOVE = {
    "^": "hat", "ˆ": "hat", "\u0302": "hat", "~": "tilde", "˜": "tilde", "∼": "tilde", "¯": "bar", "‾": "overline", "ˉ": "bar",
    "→": "vec", "⃗": "vec", "˙": "dot", ".": "dot", "¨": "ddot", "⏞": "overbrace", "︷": "overbrace", "_": "overline",
}  # fmt: skip
_LINE = set("_-–―¯‾ˉ̲")
_BELOW = {"_": "underline", "̲": "underline", "⏟": "underbrace", "︸": "underbrace"}
_LARGE = {
    "∑", "∏", "∫", "⋃", "⋂", "⋁", "⋀", "⨁", "⨂", "∐", "⨆", "⨀", "lim", "max", "min", "sup", "inf", "limsup",
    "liminf",
}  # fmt: skip
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
    tex = " ".join(_write(math, 0).split())
    return _SAME_STYLE.sub(_one_style, tex)


def _one_style(run: re.Match[str]) -> str:
    r"""`\mathbf{A}\mathbf{B}` as `\mathbf{AB}`."""
    letters = run[0].replace(run[1], "").strip("{}").split("}{")
    return f"{run[1]}{{{''.join(f'{c} ' if c[:1] == chr(92) else c for c in letters).strip()}}}"


def _write(node: Any, depth: int) -> str:
    if node.node_name == "#text":
        return _symbols(node.text_content)
    tag = node.local_name or ""
    if tag in _HIDDEN:
        return ""
    if depth > _DEEPEST:
        return _symbols(node.text_content)
    if tag in {"mi", "mn", "mo", "ms", "mtext"}:
        return _token(tag, " ".join(node.text_content.split()), node.get_attribute("mathvariant"))
    if tag == "mspace":
        return " "
    # `values`: iterating over a collection takes quadratic time in resiliparse 2.0.
    parts = [child for child in node.child_nodes.values() if child.node_name != "#text" or child.text_content.strip()]
    parts = [child for child in parts if child.node_name != "#comment"]
    if tag == "semantics":
        return _write(parts[0], depth + 1) if parts else ""
    if tag in {"mtable", "mtr", "mlabeledtr", "mtd"}:
        return _table(tag, [_write(part, depth + 1) for part in parts])
    inner = [_write(part, depth + 1) for part in parts]
    if tag == "msqrt":
        return rf"\sqrt{{{_join(inner)}}}"
    if tag == "mmultiscripts":
        return _multiscripts(parts, [part.strip() for part in inner])
    if tag == "menclose" and (notation := node.get_attribute("notation") or "") in {"radical", "box"}:
        return rf"\{'sqrt' if notation == 'radical' else 'boxed'}{{{_join(inner)}}}"
    if tag == "mfrac" and len(inner) == 2 and (node.get_attribute("linethickness") or "")[:1] == "0":
        return rf"{{{inner[0]} \atop {inner[1]}}}"
    if tag == "mfenced":
        mark = (node.get_attribute("separators") if node.has_attribute("separators") else ",") or ""
        opening = node.get_attribute("open") if node.has_attribute("open") else "("
        closing = node.get_attribute("close") if node.has_attribute("close") else ")"
        return f"{_symbols(opening or '')}{f'{mark.strip()[:1]} '.join(inner)}{_symbols(closing or '')}"
    return _script(tag, parts, [part.strip() for part in inner]) or _join(inner)


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
            above = inner[2] if set(inner[2]) == {"'"} else f"^{{{inner[2]}}}"
            return f"{base}_{{{inner[1]}}}{above}"
    if tag not in {"mover", "munder", "munderover"} or len(inner) != (3 if tag == "munderover" else 2):
        return ""
    core, mark = "".join(parts[0].text_content.split()), parts[1].text_content.strip()
    if mark and set(mark) <= _LINE and (len(core) > 1 or mark not in _ABOVE):
        mark = "_"
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
    named = [_letter(char) if "\U0001d400" <= char <= "\U0001d7ff" else _SYMBOLS.get(char, char) for char in text]
    return "".join(f"{name} " if name[:1] == "\\" and name[-1:].isalpha() else name for name in named)


def _letter(char: str) -> str:
    """A letter of Unicode's mathematical alphabets: as it is where it is set in italics, as all are."""
    plain = chr(int(decomposition(char).split()[-1], 16))
    style = next((style for style in _LETTERS if style in name(char)), None)
    written = _symbols(plain).strip()
    return _symbols(plain) if style is None else rf"\{_LETTERS[style]}{{{written}}}"


def _join(parts: list[str]) -> str:
    """Parts one after another; a matrix or a fraction without a line and its brackets are one command."""
    for number in range(len(parts)):
        fence = (parts[number - 1].strip(), parts[number + 1].strip()) if 0 < number < len(parts) - 1 else ("", "")
        part = parts[number].strip()
        if part.startswith(r"\begin{matrix}") and part.count(r"\begin{matrix}") == 1 and fence in _FENCES:
            parts[number] = part.replace("{matrix}", f"{{{_FENCES[fence]}matrix}}")
        elif r"\atop " in part and part.count(r"\atop") == 1 and part[:1] + part[-1:] == "{}" and fence == ("(", ")"):
            above, _, below = part[1:-1].partition(r" \atop ")
            parts[number] = rf"\binom{{{above}}}{{{below}}}"
        else:
            continue
        parts[number - 1] = parts[number + 1] = ""
    return "".join(parts)
