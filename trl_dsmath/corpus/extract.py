r"""From HTML to text with its mathematics: every formula comes out as TeX, once.

A reader of HTML sees a formula as scripts (MathJax), as doubled markup (KaTeX, Wikipedia) or as MathML, and drops it or
prints it twice. A pass over the tree writes each of them as `$...$` or `$$...$$` first; resiliparse does the rest.
"""

import re
from typing import Any

from ..errors import DataError, MissingDependencyError
from .mathml import to_tex

try:
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding
    from resiliparse.parse.html import HTMLTree
except ImportError as _error:
    raise MissingDependencyError("The corpus tools need resiliparse: pip install 'trl-dsmath[corpus]'.") from _error

MAX_BYTES = 10_000_000

# A page without any of these is read as it is: most pages.
_MARKS = (
    "<math",
    "<MATH",
    "math/tex",
    "math/mml",
    "math/asciimath",
    "katex",
    "mwe-math",
    "mjx-",
    "MathJax",
    "latex",
    'class="math"',
    'class="tex"',
)
_MULTIBYTE = re.compile(rb"[\xc3-\xf4][\x80-\xbf]")
_COMMAND = re.compile(r"\\[A-Za-z]{2,}")
_DOLLARS = re.compile(r"\$|\\\(|\\\[")
_TEX_CLASS = re.compile(r"\b(?:tex|latex|math|mwe-math-\S*)\b", re.I)
_RENDERED = (
    ".MathJax, .MathJax_Display, .MathJax_SVG, .MathJax_SVG_Display, .MathJax_CHTML, .mjx-chtml, .MathJax_Preview"
)

# XHTML may close any element in its opening tag; HTML does not, and the rest of the page vanishes into a `<title/>`.
_IS_XHTML = re.compile(r"<\?xml[\s>]|<html[^>]{0,500}?www\.w3\.org/1999/xhtml", re.I)
_SWALLOWING = re.compile(
    r"<(title|script|style|textarea|iframe|noscript|noframes|select|TITLE|SCRIPT|STYLE|TEXTAREA|IFRAME)\b([^<>]*)/>"
)
_VOID = "area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr"
_CLOSED = re.compile(rf"<((?!(?:{_VOID})\b)[a-z][a-z0-9]*)\b([^<>]*)/>")
_PREFIX = re.compile(r"<(/?)(?:m|mml|math|mathml):(?=[a-z])")
_CDATA = re.compile(r"%?\s*<!\[CDATA\[|%?\s*\]\]>")

# Left out of a page with mathematics. Not `aside` and `.sidebar`: in books and manuals these are boxes and footnotes.
_NAVIGATION = [
    "nav", "footer", "[role=navigation]", "[role=search]", "[role=banner]", "[class*=navbar]", "[class*=breadcrumb]",
    "[class*=sidebar-]", "[class*=-sidebar]", ".sphinxsidebar", "[id*=sidebar]", "[class*=footer]", "[id*=footer]",
    "[class*=menu]", "[class*=cookie]", ".related", ".headerlink", ".toctree-wrapper", ".toc", ".contents",
]  # fmt: skip


def decode(page: str | bytes) -> tuple[str, bool]:
    """The characters of a page.

    Args:
        page (`str` or `bytes`):
            HTML. Bytes are read as UTF-8, else in the encoding that they look like.

    Returns:
        `tuple[str, bool]`: the text, and whether it had to be guessed or mended.
    """
    if isinstance(page, str):
        return page, False
    try:
        return page.decode("utf-8"), False
    except UnicodeDecodeError:
        mended = page.decode("utf-8", "replace")
        if mended.count("\ufffd") <= len(mended) // 1000 + 1 and not mended.isascii() and _MULTIBYTE.search(page):
            return mended, True  # UTF-8 with a few broken places
        return bytes_to_str(page, detect_encoding(page) or "utf-8", errors="replace"), True


def extract_text(page: str | bytes, max_bytes: int = MAX_BYTES) -> str:
    r"""Reads the text of an HTML page, with its mathematics as TeX.

    Kept: MathJax scripts, KaTeX and MathML annotations, `alttext`, MathML without any of these, `\( \)`, alt texts of
    images. Of a page with mathematics everything but its navigation is taken; of another one the main part.

    Args:
        page (`str` or `bytes`):
            HTML or XHTML.
        max_bytes (`int`, *optional*, defaults to `10000000`):
            Length from which a page is refused.

    Returns:
        `str`: the text; blocks are separated by blank lines. Empty only if the page shows no text.

    Raises:
        DataError: the page is longer than `max_bytes`.
    """
    if len(page) > max_bytes:
        raise DataError(f"The page has {len(page):,} bytes; the limit is {max_bytes:,} (max_bytes).")
    html, _ = decode(page)
    html = _mend_xhtml(html.replace("\0", ""))
    try:
        tree = HTMLTree.parse(html)
    except UnicodeEncodeError:  # half of a surrogate pair, out of JSON
        tree = HTMLTree.parse(html.encode("utf-8", "replace").decode("utf-8"))
    formulas = any(mark in html for mark in _MARKS)
    if formulas:
        _write_formulas(tree)
    # The search for the main part loses formulas (3 % on the documentation of SymPy) and takes three times as long.
    if formulas or _COMMAND.search(html):
        text = extract_plain_text(tree, alt_texts=True, skip_elements=_NAVIGATION)
    else:
        text = extract_plain_text(tree, main_content=True, alt_texts=True)
    if not text.strip():
        text = extract_plain_text(tree, alt_texts=True, noscript=True)
    return text.strip()


def _mend_xhtml(html: str) -> str:
    html = _SWALLOWING.sub(r"<\1\2></\1>", html)
    if _IS_XHTML.search(html, 0, 2000):
        html = _CLOSED.sub(r"<\1\2></\1>", _PREFIX.sub(r"<\1", html))
    return html


def _write_formulas(tree: Any) -> None:
    root = tree.document
    scripts = root.query_selector_all("script[type^='math/']")
    if len(scripts):  # what MathJax drew from these scripts would be the same formulas again
        for drawn in list(root.query_selector_all(_RENDERED)):
            if drawn.parent is not None:
                drawn.parent.remove_child(drawn)
    for script in list(scripts):
        kind = (script.get_attribute("type") or "").lower()
        content = _CDATA.sub("", script.text_content)
        if kind.startswith("math/mml"):
            inside = _first_math(content)
            content = _tex_of(inside) if inside is not None else ""
        _replace(tree, script, content, "display" in kind)
    for element in list(root.query_selector_all(".katex, .mwe-math-element, mjx-container")):
        inside = element.query_selector("math")
        display = _is_display(element) or (inside is not None and _is_display(inside))
        image = element.query_selector("img")
        if inside is not None:
            _replace(tree, element, _tex_of(inside), display)
        elif image is not None and image.get_attribute("alt"):
            _replace(tree, element, image.get_attribute("alt"), display)
    for math in list(root.query_selector_all("math")):
        _replace(tree, math, _tex_of(math), _is_display(math))
    for image in list(root.query_selector_all("img[alt][class]")):
        if _TEX_CLASS.search(image.get_attribute("class")) and not _DOLLARS.search(image.get_attribute("alt")):
            _replace(tree, image, image.get_attribute("alt"), False)


def _first_math(content: str) -> Any:
    document = HTMLTree.parse(content).document
    return None if document is None else document.query_selector("math")


def _tex_of(math: Any) -> str:
    for note in math.query_selector_all("annotation"):
        if "tex" in (note.get_attribute("encoding") or "").lower() and note.text_content.strip():
            return note.text_content
    return math.get_attribute("alttext") or to_tex(math)


def _is_display(element: Any) -> bool:
    if element.get_attribute("display") in {"block", "true"} or element.get_attribute("mode") == "display":
        return True
    around = f"{element.get_attribute('class') or ''} {_class_of(element.parent)}"
    return "katex-display" in around or "mwe-math-mathml-display" in around or "fallback-image-display" in around


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
