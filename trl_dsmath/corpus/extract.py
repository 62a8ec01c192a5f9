r"""From HTML to text with its mathematics: every formula comes out as TeX, once.

A reader of HTML sees a formula as scripts (MathJax), as doubled markup (KaTeX, Wikipedia) or as MathML, and drops it or
prints it twice. A pass over the tree writes each of them as `$...$` or `$$...$$` first; resiliparse does the rest.
"""

import re
from html import unescape
from typing import Any

from ..errors import DataError, MissingDependencyError
from .asciimath import write_asciimath
from .charsets import decode
from .formulas import has_formulas, write_formulas, write_scripts

try:
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree
except ImportError as _error:
    raise MissingDependencyError("The corpus tools need resiliparse: pip install 'trl-dsmath[corpus]'.") from _error

MAX_BYTES = 10_000_000

_COMMAND = re.compile(r"\\[A-Za-z]{2,}")
# XHTML may close any element in its opening tag; HTML does not, and the rest of the page vanishes into a `<title/>`.
_IS_XHTML = re.compile(r"<\?xml[\s>]|<html[^>]{0,500}?www\.w3\.org/1999/xhtml", re.I)
_SWALLOWING = re.compile(
    r"<(title|script|style|textarea|iframe|noscript|noframes|select|TITLE|SCRIPT|STYLE|TEXTAREA|IFRAME)\b([^<>]*)/>"
)
_VOID = "area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr"
_CLOSED = re.compile(rf"<((?!(?:{_VOID})\b)[a-z][a-z0-9]*)\b([^<>]*)/>")
_PREFIX = re.compile(r"<(/?)(?:m|mml|math|mathml):(?=m)")

# Left out of a page with mathematics, by whole names: `with-menu` and `content-sidebar-wrap` are articles. Not `aside` and
# `.sidebar`: in books and manuals these are boxes and footnotes. An element with most of the text is the article,
# whatever it is called; of an element that says that it is navigation, this takes more.
_NAVIGATION = (
    (
        "nav, footer, [role=navigation], [role=search], [role=banner], .sphinxsidebar, .headerlink, .toctree-wrapper, "
        ".sidebar-drawer, .toc-drawer, .bd-sidebar, .bd-sidebar-primary, .bd-toc, .mobile-header",
        0.8,
    ),
    (
        ".navbar, .navigation, .nav, .menu, .main-menu, .nav-menu, .breadcrumb, .breadcrumbs, .sidebar-nav, .nav-sidebar, "
        ".sidebar-menu, .left-sidebar, .right-sidebar, .footer, .site-footer, .page-footer, .cookie-banner, .cookie-notice, "
        ".cookie-consent, .related, .related-pages, .prev-next-area, .toc, .contents, .table-of-contents, #navbar, #navigation, "
        "#menu, #nav, #sidebar, #sidebar-left, #sidebar-right, #footer, #toc, #cookie-banner, #breadcrumbs",
        0.3,
    ),
)

_TAG = re.compile(r"(<[^<>]*>)")
_HIDDEN = {"style", "head", "noscript", "template", "svg", "select", "textarea", "script"}
_INLINE = {
    "a", "b", "i", "em", "strong", "span", "code", "tt", "sub", "sup", "small", "u", "font", "abbr", "mi", "mn",
    "mo",
}  # fmt: skip
_FORMULA = re.compile(
    r"\$\$.{1,4000}?\$\$|\$(?!\s)[^$\n]{1,1000}?(?<!\s)\$(?!\d)|\\\(.{1,2000}?\\\)|\\\[.{1,4000}?\\\]", re.S
)
_BLANK_LINES = re.compile(r"\s*\n\s*\n\s*")


def extract_text(page: str | bytes, max_bytes: int = MAX_BYTES, charset: str | None = None) -> str:
    r"""Reads the text of an HTML page, with its mathematics as TeX.

    Kept: MathJax scripts, KaTeX and MathML annotations, `alttext`, MathML without any of these, `\( \)`, formulas that are
    images (by alternative text or address). Of a page with mathematics everything but its navigation is taken; of another
    one the main part. The time is linear in the formulas of a page.

    Args:
        page (`str` or `bytes`):
            HTML or XHTML.
        max_bytes (`int`, *optional*, defaults to `10000000`):
            Length from which a page is refused.
        charset (`str`, *optional*):
            The charset that the server declared, for bytes.

    Returns:
        `str`: the text; blocks are separated by blank lines. Empty only if the page shows no text.

    Raises:
        DataError: the page is longer than `max_bytes`.
    """
    if len(page) > max_bytes:
        raise DataError(f"The page has {len(page):,} bytes; the limit is {max_bytes:,} (max_bytes).")
    html = _mend_xhtml(decode(page, charset).replace("\0", ""))
    html, asciimath = write_asciimath(html)
    try:
        tree = HTMLTree.parse(html)
    except UnicodeEncodeError:  # half of a surrogate pair, out of JSON
        tree = HTMLTree.parse(html.encode("utf-8", "replace").decode("utf-8"))
    formulas = has_formulas(html)
    # The search for the main part loses formulas (3 % on the documentation of SymPy) and takes three times as long.
    mathematical = formulas or asciimath or ("\\" in html and _COMMAND.search(html) is not None)
    if mathematical:
        _remove_navigation(tree)
    if formulas:
        write_formulas(tree)
    if "<sup" in html or "<sub" in html:
        write_scripts(tree)
    text = extract_plain_text(tree, main_content=not mathematical, alt_texts=True)
    if not text.strip():
        text = extract_plain_text(tree, alt_texts=True, noscript=True)
    return text.strip()


def plain_text(page: str | bytes, charset: str | None = None) -> str:
    """The text between the tags, in one pass over the characters: for pages on which `extract_text` takes too long.

    MathJax scripts, TeX annotations and `alttext` are kept; navigation and the text of rendered formulas too.

    Args:
        page (`str` or `bytes`):
            HTML or XHTML.
        charset (`str`, *optional*):
            The charset that the server declared, for bytes.

    Returns:
        `str`: the text, whose blocks are separated by blank lines.
    """
    parts: list[str] = []
    hidden = formula = ""
    comment = False
    for number, piece in enumerate(_TAG.split(decode(page, charset).replace("\0", ""))):
        is_tag = number % 2 == 1
        if comment:
            _, end, piece = piece.partition("-->")
            comment, is_tag = not end, False
        if not is_tag:
            shown, start, _ = ("", "", "") if comment else piece.partition("<!--")
            comment = comment or bool(start)
            if not hidden or formula:
                parts.append(shown if formula == "script" else unescape(shown))
            continue
        tag = piece[1:-1].strip().lower()
        name = re.split(r"[\s/>]", tag.lstrip("/"), maxsplit=1)[0]
        if piece.startswith("<!--"):
            comment = not piece.endswith("-->")
        elif hidden:
            if tag.startswith("/") and name == hidden:
                parts.append("$ " if formula else "")
                hidden = formula = ""
        elif (name == "script" and "math/tex" in tag) or (name == "annotation" and "tex" in tag):
            hidden, formula = name, name
            parts.append(" $")
        elif name in _HIDDEN and not tag.endswith("/"):
            hidden = name if not tag.startswith("/") else ""
        elif name == "math" and (found := re.search(r"""alttext\s*=\s*("[^"]*"|'[^']*')""", piece)):
            parts.append(f" ${unescape(found[1][1:-1])}$ ")
        elif name not in _INLINE:
            parts.append("\n\n")
    return _BLANK_LINES.sub("\n\n", "".join(parts)).strip()


def without_formulas(text: str) -> str:
    r"""The text with a blank for each `$...$`, `$$...$$`, `\(...\)` and `\[...\]`: what says in which language and how well it is written."""
    return _FORMULA.sub(" ", text)


def _mend_xhtml(html: str) -> str:
    html = _SWALLOWING.sub(r"<\1\2></\1>", html)
    html = _PREFIX.sub(r"<\1", html) if ":math" in html else html
    if _IS_XHTML.search(html, 0, 2000):
        html = _CLOSED.sub(r"<\1\2></\1>", html)
    return html


def _remove_navigation(tree: Any) -> None:
    body = tree.body
    if body is None:
        return
    whole = 0
    for selectors, most in _NAVIGATION:
        for element in body.query_selector_all(selectors).values():
            if element.parent is None:
                continue
            whole = whole or len("".join(body.text_content.split()))
            if len("".join(element.text_content.split())) <= most * whole:
                element.parent.remove_child(element)
