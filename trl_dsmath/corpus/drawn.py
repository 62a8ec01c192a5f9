r"""Formulas that MathJax drew and of which only the drawing is left, as MathML: HTML (2, 3 and 4) and SVG (3 and 4).

The drawing has the names of MathML on its elements (`mjx-mfrac`, `class="mjx-mfrac"`, `data-mml-node="mfrac"`), boxes of layout
between them, and signs by their number (`mjx-c1D465`, `data-c="1D465"`).
"""

import re
from html import escape
from typing import Any
from unicodedata import normalize

_TOKENS = {"mi", "mn", "mo", "mtext", "ms"}
_ELEMENTS = _TOKENS | {
    "math", "mrow", "texatom", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup", "munder", "mover", "munderover",
    "mmultiscripts", "mtable", "mtr", "mlabeledtr", "mtd", "mstyle", "mpadded", "mphantom", "menclose", "mfenced", "mspace",
}  # fmt: skip
# Boxes that say which part they hold, by the part.
_PARTS = {
    "num": "num", "numerator": "num", "den": "den", "denominator": "den", "root": "root", "base": "base", "op": "base",
    "sup": "over", "over": "over", "sub": "under", "under": "under", "script": "script", "surd": "surd", "labels": "surd",
}  # fmt: skip
_SCRIPTS = {"msub": "under", "munder": "under", "msup": "over", "mover": "over"}
_CLASS = re.compile(r"(?:^|\s)mjx-([a-z]+)(?=\s|$)")
_CODE = re.compile(r"(?:^|\s)mjx-c([0-9A-F]+)(?=\s|$)")
_HEIGHT = re.compile(r"translate\(\s*[-\d.e]+[ ,]+([-\d.e]+)")
# Large brackets are put together of pieces.
_PIECES = {**dict.fromkeys("⎛⎜⎝", "("), **dict.fromkeys("⎞⎟⎠", ")"), **dict.fromkeys("⎡⎢⎣", "["), **dict.fromkeys("⎤⎥⎦", "]"),
           **dict.fromkeys("⎧⎨⎩", "{"), **dict.fromkeys("⎫⎬⎭", "}"), "⎪": "", "⎷": "√", "―": "_", "⏤": "_"}  # fmt: skip
_FONTS = {"TEX-C": "script", "TeX-cal": "script", "TeX-script": "script", "TeX-main-B": "bold", "TeX-math-BI": "bold-italic",
          "TeX-frak": "fraktur", "TeX-sans": "sans-serif", "TeX-type": "monospace"}  # fmt: skip
_DEEPEST = 300


def mathml_of(drawing: Any) -> str:
    """
    The drawing as MathML.

    Args:
        drawing (`resiliparse.parse.html.ElementNode`):
            An element that holds it.

    Returns:
        `str`: a `math` element; empty if it is none of these drawings.
    """
    source = drawing.query_selector(".mjx-noError")  # MathJax 2 shows what it cannot read as it is
    if source is not None:
        return f'<math alttext="{escape(source.text_content)}"></math>'
    parts = _parts(drawing, "")
    return f"<math>{''.join(_write(node, 0) for _, node in parts)}</math>" if parts else ""


def _name(node: Any) -> str:
    name = node.get_attribute("data-mml-node")
    if name is None and node.local_name.startswith("mjx-"):
        name = node.local_name[4:]
    if name is None and (found := _CLASS.search(node.get_attribute("class") or "")):
        name = found[1]
    return (name or "").lower()


def _parts(node: Any, part: str) -> list[tuple[str, Any]]:
    """The elements of MathML under an element, each with the part of the formula that its box says."""
    found: list[tuple[str, Any]] = []
    # `values`: iterating over a collection takes quadratic time in resiliparse 2.0.
    todo = [(part, child) for child in reversed(node.children.values())]
    while todo:
        inside, child = todo.pop()
        name = _name(child)
        if name in _ELEMENTS:
            found.append((inside, child))
        else:
            inside = _PARTS.get(name, inside)
            todo += [(inside, c) for c in reversed(child.children.values())]
    return found


def _write(node: Any, depth: int) -> str:
    name = _name(node)
    if name in _TOKENS:
        return f"<{name}{_variant(node)}>{escape(_signs(node))}</{name}>"
    if name in {"mphantom", "mspace"} or depth > _DEEPEST:
        return ""
    parts = [(part, child) for part, child in _parts(node, "") if part != "surd"]
    if name in {"msqrt", "mroot"}:  # SVG: the root sign is drawn too
        parts = [(part, child) for part, child in parts if _name(child) != "mo" or "√" not in _signs(child)]
    inner = [_write(child, depth + 1) for _, child in parts]
    if name == "mroot":
        root = next((number for number, (part, _) in enumerate(parts) if part == "root"), None)
        if root is None:  # SVG: the index is set smaller
            root = next((n for n, (_, c) in enumerate(parts) if "scale" in (c.get_attribute("transform") or "")), 0)
        index = inner.pop(root) if inner else ""
        return f"<mroot><mrow>{''.join(inner)}</mrow><mrow>{index}</mrow></mroot>"
    if name == "msqrt":
        return f"<msqrt>{''.join(inner)}</msqrt>"
    if name == "mfrac" and len(inner) == 2:
        line = "" if node.query_selector("mjx-line, .mjx-line, rect") is not None else " linethickness=0"
        return f"<mfrac{line}><mrow>{inner[0]}</mrow><mrow>{inner[1]}</mrow></mfrac>"
    if name in {"msub", "msup", "msubsup", "munder", "mover", "munderover"}:
        return _scripts(name, parts, inner)
    if name in {"mtable", "mtr", "mlabeledtr", "mtd"}:
        return f"<{name}>{''.join(inner)}</{name}>"
    if name == "menclose":
        box = node.query_selector("mjx-box[style*=border], .mjx-box[style*=border], rect[fill=none]") is not None
        return f"<menclose{' notation=box' if box else ''}>{''.join(inner)}</menclose>"
    return f"<mrow>{''.join(inner)}</mrow>"


def _scripts(name: str, parts: list[tuple[str, Any]], inner: list[str]) -> str:
    where = [part if part in {"base", "over", "under"} else "" for part, _ in parts]
    if "base" not in where and where:
        where[0] = "base"
    left = [number for number, part in enumerate(where) if not part]
    if len(left) == 1:
        where[left.pop()] = _SCRIPTS.get(name, "over")
    elif len(left) == 2:  # above each other: SVG says how high, HTML has the upper one first
        first, second = (_height(parts[number][1]) for number in left)
        above = left if first >= second else left[::-1]
        where[above[0]], where[above[1]] = "over", "under"
    of = {part: "".join(text for at, text in zip(where, inner, strict=True) if at == part) for part in where}
    scripts = [f"<mrow>{of[part]}</mrow>" for part in ("under", "over") if part in of]
    limits = name.startswith("mu") or name == "mover"
    kinds: dict[tuple[str, ...], str] = {
        ("under",): "munder" if limits else "msub",
        ("over",): "mover" if limits else "msup",
    }
    both = "munderover" if limits else "msubsup"
    tag = kinds.get(tuple(part for part in ("under", "over") if part in of), both if len(scripts) == 2 else "mrow")
    return f"<{tag}><mrow>{of.get('base', '')}</mrow>{''.join(scripts)}</{tag}>"


def _variant(node: Any) -> str:
    """Alphabets that are a font with the numbers of plain letters."""
    glyph = node.query_selector("mjx-c, .mjx-char, use")
    font = "" if glyph is None else f"{glyph.get_attribute('class') or ''} {glyph.get_attribute('xlink:href') or ''}"
    if "TeX-ams" in font and re.fullmatch("[A-Za-z]+", _signs(node)):
        return ' mathvariant="double-struck"'
    variant = next((variant for name, variant in _FONTS.items() if name in font), None)
    return f' mathvariant="{variant}"' if variant else ""


def _height(node: Any) -> float:
    found = _HEIGHT.search(node.get_attribute("transform") or "")
    return float(found[1]) if found else 0.0


def _signs(node: Any) -> str:
    signs = []
    for glyph in node.query_selector_all(
        "[data-c], text, mjx-c, mjx-stretchy-v, mjx-stretchy-h, mjx-utext, .mjx-char"
    ).values():
        code = glyph.get_attribute("data-c") or next(iter(_CODE.findall(glyph.get_attribute("class") or "")), "")
        signs.append(chr(int(code, 16)) if code else glyph.text_content)
    text = "".join(signs)
    if len(set(text)) == 1 and node.query_selector(".mjx-delim-v, .mjx-delim-h") is not None:
        (text,) = set(text)
    pieces = [_PIECES[sign] for sign in text if sign in _PIECES]
    if pieces:  # one bracket
        return next((piece for piece in pieces if piece), "|")
    # Letters are drawn in italics unless something else is meant.
    return "".join(
        normalize("NFKC", sign) if "\U0001d434" <= sign <= "\U0001d467" or sign == "ℎ" else sign for sign in text
    )
