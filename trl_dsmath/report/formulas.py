r"""Text of a page as HTML, its formulas drawn by the browser: MathML by latex2mathml, without a script or a network."""

import html
import re
from functools import lru_cache
from xml.etree.ElementTree import tostring

from ..errors import MissingDependencyError

try:
    import latex2mathml.exceptions
    from latex2mathml.converter import convert_to_element
except ImportError as _error:
    raise MissingDependencyError("Drawing formulas needs latex2mathml: pip install 'trl-dsmath[demo]'.") from _error

# A dollar before a blank, or before a digit after the formula, is money. Models write a box without dollars.
_FORMULA = re.compile(
    r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)|\\begin\{(?:equation|align)\*?\}(.+?)\\end\{(?:equation|align)\*?\}"
    r"|(?<!\\)\$(?!\s)([^$\n]+?)(?<![\s\\])\$(?!\d)|(\\boxed\{(?:[^{}]|\{[^{}]*\})*\})",
    re.S,
)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_LONGEST = 500
# What latex2mathml 3.78 to 3.81 raises on TeX that it cannot read.
_UNREADABLE: tuple[type[Exception], ...] = (
    *(kind for kind in vars(latex2mathml.exceptions).values() if isinstance(kind, type) and issubclass(kind, Exception)),
    AttributeError, IndexError, KeyError, RecursionError, StopIteration, TypeError, ValueError,
)  # fmt: skip
_ATTRIBUTES = {
    "display", "mathvariant", "stretchy", "fence", "form", "accent", "accentunder", "linethickness", "displaystyle", "scriptlevel",
    "columnalign", "rowspacing", "columnspacing", "width", "height", "depth", "lspace", "rspace", "minsize", "maxsize", "notation",
    "separator", "movablelimits", "largeop", "symmetric", "voffset", "rowlines", "columnlines",
}  # fmt: skip


def with_formulas(text: str) -> str:
    """
    Writes text as HTML.

    Args:
        text (`str`):
            Text with formulas as TeX, from strangers.

    Returns:
        `str`: HTML that holds nothing but text, `math` elements, and `code` for TeX that cannot be read.
    """
    text = _CONTROL.sub("", text)
    parts, end = [], 0
    for found in _FORMULA.finditer(text):
        tex, display = next(group for group in found.groups() if group is not None), found.lastindex in (1, 2, 4)
        before, drawn = text[end : found.start()], _drawn(tex, display, found[0])
        end = found.end()
        if drawn.startswith("<math") and display:  # a line of its own anyway
            before, end = before.rstrip("\n"), end + (text[end : end + 1] == "\n")
        parts += [html.escape(before), drawn]
    return "".join([*parts, html.escape(text[end:])])


@lru_cache(maxsize=4096)
def _drawn(tex: str, display: bool, source: str) -> str:
    if len(tex) > _LONGEST:
        return f"<code>{html.escape(source)}</code>"
    try:
        element = convert_to_element(tex, display="block" if display else "inline")
    except _UNREADABLE:
        return f"<code>{html.escape(source)}</code>"
    for node in element.iter():
        node.attrib = {name: value for name, value in node.attrib.items() if name in _ATTRIBUTES}
        # Signs are entities in its text; written as they are, `tostring` escapes what could be markup.
        node.text = html.unescape(node.text or "")
    element.set("title", tex)
    return tostring(element, encoding="unicode")
