r"""MathML that carries no TeX, written as TeX: what a page in plain text would have had to say."""

from typing import Any

_SYMBOLS = {
    **dict(zip("αβγδεζηθικλμνξπρστυφχψω", [r"\alpha", r"\beta", r"\gamma", r"\delta", r"\epsilon", r"\zeta", r"\eta", r"\theta", r"\iota", r"\kappa", r"\lambda", r"\mu", r"\nu", r"\xi", r"\pi", r"\rho", r"\sigma", r"\tau", r"\upsilon", r"\phi", r"\chi", r"\psi", r"\omega"], strict=True)),
    **dict(zip("ΓΔΘΛΞΠΣΥΦΨΩϵϕϑςϱϖ", [r"\Gamma", r"\Delta", r"\Theta", r"\Lambda", r"\Xi", r"\Pi", r"\Sigma", r"\Upsilon", r"\Phi", r"\Psi", r"\Omega", r"\epsilon", r"\phi", r"\vartheta", r"\varsigma", r"\varrho", r"\varpi"], strict=True)),
    **dict(zip("×÷⋅·±∓≤≥≠≈≡∼≃≅∝∞∂∇∑∏∫∬∮√", [r"\times", r"\div", r"\cdot", r"\cdot", r"\pm", r"\mp", r"\le", r"\ge", r"\ne", r"\approx", r"\equiv", r"\sim", r"\simeq", r"\cong", r"\propto", r"\infty", r"\partial", r"\nabla", r"\sum", r"\prod", r"\int", r"\iint", r"\oint", r"\surd"], strict=True)),
    **dict(zip("∈∉∋⊂⊃⊆⊇∪∩∅∀∃¬∧∨⊕⊗∘∗→←↔⇒⇐⇔↦", [r"\in", r"\notin", r"\ni", r"\subset", r"\supset", r"\subseteq", r"\supseteq", r"\cup", r"\cap", r"\emptyset", r"\forall", r"\exists", r"\neg", r"\land", r"\lor", r"\oplus", r"\otimes", r"\circ", r"\ast", r"\to", r"\leftarrow", r"\leftrightarrow", r"\Rightarrow", r"\Leftarrow", r"\iff", r"\mapsto"], strict=True)),
    **dict(zip("…⋯⋮⋱⟨⟩⌊⌋⌈⌉∣∥′″ℓℏℝℤℚℂℕ†", [r"\dots", r"\cdots", r"\vdots", r"\ddots", r"\langle", r"\rangle", r"\lfloor", r"\rfloor", r"\lceil", r"\rceil", r"\mid", r"\parallel", r"'", r"''", r"\ell", r"\hbar", r"\mathbb{R}", r"\mathbb{Z}", r"\mathbb{Q}", r"\mathbb{C}", r"\mathbb{N}", r"\dagger"], strict=True)),
    "−": "-", "‐": "-", "–": "-", "{": r"\{", "}": r"\}", "%": r"\%", "#": r"\#", "&": r"\&", "$": r"\$", "_": r"\_",
    "\u2061": " ", "\u2062": "", "\u2063": "", "\u2064": "", "\u200b": "", "\u2009": " ", "\u2003": " ", "\xa0": " ",
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
_LARGE = {"∑", "∏", "∫", "⋃", "⋂", "⋁", "⋀", "⨁", "⨂", "∐", "lim", "max", "min", "sup", "inf", "limsup", "liminf"}
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
    tag = (node.local_name or "").lower()
    if tag in _HIDDEN:
        return ""
    if depth > _DEEPEST:
        return _symbols(node.text_content)
    if tag in {"mi", "mn", "mo", "ms", "mtext"}:
        return _token(tag, node.text_content.strip())
    if tag == "mspace":
        return " "
    parts = [child for child in node.child_nodes if child.node_name != "#text" or child.text_content.strip()]
    parts = [child for child in parts if child.node_name != "#comment"]
    if tag == "semantics":
        return _write(parts[0], depth + 1) if parts else ""
    if tag in {"mtable", "mtr", "mlabeledtr", "mtd"}:
        return _table(tag, [_write(part, depth + 1) for part in parts])
    inner = [_write(part, depth + 1) for part in parts]
    if tag == "msqrt":
        return rf"\sqrt{{{_join(inner)}}}"
    if tag == "mfenced":
        mark = (node.get_attribute("separators") if node.has_attribute("separators") else ",") or ""
        opening = node.get_attribute("open") if node.has_attribute("open") else "("
        closing = node.get_attribute("close") if node.has_attribute("close") else ")"
        return f"{_symbols(opening or '')}{f'{mark.strip()[:1]} '.join(inner)}{_symbols(closing or '')}"
    return _script(tag, parts, [part.strip() for part in inner]) or _join(inner)


def _script(tag: str, parts: list[Any], inner: list[str]) -> str:
    """Fractions, roots, and what stands above, below and beside; empty for other tags and for a wrong number of parts."""
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
    core, mark = parts[0].text_content.strip(), parts[1].text_content.strip()
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


def _token(tag: str, text: str) -> str:
    if tag in {"mtext", "ms"}:
        return rf"\text{{{text}}}" if text else " "
    if len(text) > 1 and text.isalpha() and text.isascii() and tag != "mn":
        return rf"\{text} " if text in _FUNCTIONS else rf"\operatorname{{{text}}} "
    return _symbols(text)


def _symbols(text: str) -> str:
    """Signs by their TeX names; a command is followed by a space, so that the next letter does not join it."""
    if text.isascii() and text.isalnum():
        return text
    named = [_SYMBOLS.get(char, char) for char in text]
    return "".join(f"{name} " if name[:1] == "\\" and name[-1:].isalpha() else name for name in named)


def _join(parts: list[str]) -> str:
    return "".join(parts)
