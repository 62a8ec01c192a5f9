r"""The formulas of an HTML tree, whatever a page writes them in, replaced by text: `$...$` and `$$...$$`.

Each kind is looked for by one query, whose result is read by `.values()`: iterating over it is quadratic in resiliparse 2.0.
"""

import re
from typing import Any
from urllib.parse import unquote, unquote_plus

from . import asciimath
from .drawn import mathml_of
from .mathml import to_tex

# A page without any of these has no formula to write. The first group is looked for only where "math" stands at all.
_MATH_MARKS = (
    "<math", "math/tex", "math/mml", "math/asciimath", "mathml", 'class="math"', "mathtex", "render/math", "math.now.sh",
    "<d-math", "mwe-math",
)  # fmt: skip
_MARKS = (
    "<MATH", "katex", "mjx-", "MathJax", "latex", 'class="tex"', "mimetex", "cht=tx", "ql-formula", "ql-img", "codecogs", "?tex=",
    "data-tex", "data-equation-content", "texrender",
)  # fmt: skip
_DOLLARS = re.compile(r"\$|\\\(|\\\[")
_TEX_CLASS = re.compile(r"\b(?:tex|latex|math|texrender|mwe-math-\S*|ql-img-\w+-formula)\b", re.I)
# Attributes that hold the TeX of what is drawn in their element.
_SOURCES = ("data-tex", "data-equation-content", "data-value")
_WIRIS = str.maketrans("«»¨§`", "<>\"&'")  # MathML as MathType and WIRIS write it into an attribute
_RENDERED = (
    ".MathJax, .MathJax_Display, .MathJax_SVG, .MathJax_SVG_Display, .MathJax_CHTML, .mjx-chtml, .MathJax_Preview"
)
_CDATA = re.compile(r"%?\s*<!\[CDATA\[|%?\s*\]\]>")

# Images whose address is the formula. The last group says whether a plus sign is a blank there.
_IMAGE_URLS = (
    (re.compile(r"codecogs\.com/[^?]*\?(?:latex=)?(.+)|/(?:mimetex|mathtex)(?:\.cgi|\.exe)?\?(?:formdata=)?(.+)", re.S), False),
    (re.compile(r"latex\.php\?(?:[^#]*?&)?latex=([^&#]+)|/equation\?(?:[^#]*?&)?tex=([^&#]+)|/render/math\?(?:[^#]*?&)?math=([^&#]+)"
                r"|math\.now\.sh/?\?(?:[^#]*?&)?from=([^&#]+)", re.S), True),
    (re.compile(r"[?&]cht=tx(?:[^#]*?)&chl=([^&#]+)|[?&]chl=([^&#]+)&(?:[^#]*?)cht=tx", re.S), True),
)  # fmt: skip
_IMAGE_STYLE = re.compile(
    r"^(?:\\(?:dpi|bg|fn|fg)(?:_\w+|\{[^}]*\})|\\(?:inline|[Hh]uge|large|Large|LARGE|small|tiny|normalsize|displaystyle|parstyle)\b|\s|(?:&space;|~))+"
)

_ORDINAL = {"st", "nd", "rd", "th", "tm", "sm", "er", "ère", "e", "o", "a", "®", "™", "©"}
_SCRIPT_TEXT = re.compile(r"[\w+\-−±()/.,*′'∞ ]{1,16}")
_FRACTION = re.compile(r"\s*[/⁄]\s*")


def has_formulas(html: str) -> bool:
    """Whether a page may hold formulas that have to be written out."""
    return ("math" in html and any(mark in html for mark in _MATH_MARKS)) or any(mark in html for mark in _MARKS)


def write_formulas(tree: Any) -> None:
    """Replaces each formula of the tree by its TeX, in time that is linear in their number."""
    root = tree.document
    scripts = root.query_selector_all("script[type^='math/']").values()
    if scripts:  # what MathJax drew from these scripts would be the same formulas again
        for drawn in root.query_selector_all(_RENDERED).values():
            if drawn.parent is not None:
                drawn.parent.remove_child(drawn)
    for script in scripts:
        kind = (script.get_attribute("type") or "").lower()
        content = _CDATA.sub("", script.text_content)
        if kind.startswith("math/mml"):
            content = _tex_of_source(content)
        elif kind.startswith("math/asciimath"):
            content = asciimath.to_tex(content)
        _replace(tree, script, content, "display" in kind)
    for element in root.query_selector_all(
        "[data-mathml], [data-tex], [data-equation-content], .ql-formula[data-value]"
    ).values():
        source = next(filter(None, map(element.get_attribute, _SOURCES)), "")
        mathml = element.get_attribute("data-mathml") or ""
        mathml = mathml.translate(_WIRIS) if mathml[:1] == "«" else mathml
        if tex := source or _tex_of_source(mathml):
            _replace(tree, element, tex, _is_display(element))
    for element in root.query_selector_all("d-math").values():
        _replace(tree, element, element.text_content, element.has_attribute("block"))
    for element in root.query_selector_all(
        ".katex, .mwe-math-element, mjx-container, .MathJax, .MathJax_SVG, .mjx-chtml"
    ).values():
        _replace_rendered(tree, element)
    for math in root.query_selector_all("math").values():
        _replace(tree, math, _tex_of(math), _is_display(math))
    for image in root.query_selector_all("img").values():
        _replace_image(tree, image)
    for element in root.query_selector_all("span.math, span.tex, div.math").values():
        text = element.text_content
        if element.first_element_child is None and not _DOLLARS.search(text) and re.search(r"\\[a-zA-Z]|[_^]", text):
            _replace(tree, element, text, element.local_name == "div")


def write_scripts(tree: Any) -> None:
    """`10<sup>6</sup>` as `10^6`, `x<sub>10</sub>` as `x_{10}`, `<sup>1</sup>/<sub>2</sub>` as `1/2`; not footnotes and
    ordinals."""
    for element in tree.document.query_selector_all("sup, sub").values():
        text = element.text_content.strip()
        if element.parent is None or element.query_selector("a, img, sup, sub") is not None:
            continue
        if not _SCRIPT_TEXT.fullmatch(text) or text.lower() in _ORDINAL:
            continue
        base = _last_text(element.previous_sibling)
        if (below := _denominator(element)) is not None:  # 2<sup>1</sup>/<sub>2</sub> is two and a half
            mended = f"{' ' if base[-1:].isalnum() else ''}{text}/{below.text_content.strip()}"
            element.parent.remove_child(element.next_sibling)
            below.parent.remove_child(below)
        elif base[-1:].isalnum() or base[-1:] in tuple(")]}|′'"):
            sign = "^" if element.local_name == "sup" else "_"
            mended = f"{sign}{text}" if len(text) == 1 else f"{sign}{{{text}}}"
        else:
            continue
        element.parent.replace_child(tree.create_text_node(mended), element)


def _denominator(element: Any) -> Any:
    """The `sub` after a `sup` and a slash; None where there is no such fraction."""
    slash = element.next_sibling
    if element.local_name != "sup" or slash is None or slash.node_name != "#text":
        return None
    below = slash.next_sibling if _FRACTION.fullmatch(slash.text_content) else None
    return below if below is not None and getattr(below, "local_name", "") == "sub" else None


def _last_text(node: Any) -> str:
    return node.text_content[-2:] if node is not None else ""


def _replace_rendered(tree: Any, element: Any) -> None:
    """A formula that a script drew: by the MathML, the data or the image in it. Left as it is where there is none."""
    if element.parent is None:
        return
    inside = element.query_selector("math")
    display = _is_display(element) or (inside is not None and _is_display(inside))
    if inside is not None:
        _replace(tree, element, _tex_of(inside), display)
        return
    source = element.query_selector("[data-latex]")
    image = element.query_selector("img")
    if source is not None and source.get_attribute("data-latex"):
        _replace(tree, element, source.get_attribute("data-latex"), display)
    elif image is not None and image.get_attribute("alt"):
        _replace(tree, element, image.get_attribute("alt"), display)
    elif drawn := mathml_of(element):
        _replace(tree, element, _tex_of_source(drawn), display)


def _replace_image(tree: Any, image: Any) -> None:
    alt = image.get_attribute("alt") or ""
    addresses = " ".join(filter(None, map(image.get_attribute, ("src", "data-src", "data-lazy-src", "data-original"))))
    for pattern, plus in _IMAGE_URLS:
        if found := pattern.search(addresses):
            given = next(group for group in found.groups() if group)
            tex = (unquote_plus if plus else unquote)(given).replace("&space;", " ").replace("&plus;", "+")
            _replace(tree, image, _IMAGE_STYLE.sub("", tex), False)
            return
    if alt and _TEX_CLASS.search(image.get_attribute("class") or "") and not _DOLLARS.search(alt):
        _replace(tree, image, alt, False)


def _tex_of_source(mathml: str) -> str:
    from resiliparse.parse.html import HTMLTree

    document = HTMLTree.parse(mathml).document if mathml else None
    found = None if document is None else document.query_selector("math")
    return "" if found is None else _tex_of(found)


def _tex_of(math: Any) -> str:
    for note in math.query_selector_all("annotation").values():
        if "tex" in (note.get_attribute("encoding") or "").lower() and note.text_content.strip():
            return note.text_content
    return math.get_attribute("alttext") or to_tex(math)


def _is_display(element: Any) -> bool:
    if element.get_attribute("display") in {"block", "true"} or element.get_attribute("mode") == "display":
        return True
    around = f"{element.get_attribute('class') or ''} {_class_of(element.parent)}"
    return any(name in around for name in ("katex-display", "mwe-math-mathml-display", "fallback-image-display", "MathJax_Display"))  # fmt: skip


def _class_of(element: Any) -> str:
    return (element.get_attribute("class") or "") if element is not None and element.node_name != "#document" else ""


def _replace(tree: Any, element: Any, tex: str, display: bool) -> None:
    if element.parent is None:
        return
    tex = " ".join(tex.split())
    if tex.startswith(r"{\displaystyle") and tex.endswith("}"):
        tex = tex.removeprefix(r"{\displaystyle").removesuffix("}").strip()
    sign = "$$" if display else "$"
    marked = tex if not tex or _DOLLARS.match(tex) else f"{sign}{tex}{sign}"
    element.parent.replace_child(tree.create_text_node(marked), element)
