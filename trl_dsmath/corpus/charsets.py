"""The characters of a page: by what the server, the page and the bytes themselves say."""

import codecs
import re

from ..errors import MissingDependencyError

try:
    from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5
except ImportError as _error:
    raise MissingDependencyError("The corpus tools need resiliparse: pip install 'trl-dsmath[corpus]'.") from _error

_META = re.compile(rb"""<meta[^>]{0,500}?charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]{2,40})|<\?xml[^>]{0,200}?encoding=["']([A-Za-z0-9_.:-]{2,40})""", re.I)  # fmt: skip
_ISO_2022 = re.compile(rb"\x1b[$(]")
_MULTIBYTE = re.compile(rb"[\xc3-\xf4][\x80-\xbf]")
# Servers name the smaller standard and send its extension.
_LARGER = {"euc_kr": "cp949", "gbk": "gb18030", "gb2312": "gb18030", "shift_jis": "cp932", "big5": "big5hkscs", "iso8859-11": "cp874"}  # fmt: skip
_META_WITHIN = 4096
_BROKEN = 0.01  # share of characters that may be broken before a declaration is not believed


def decode(page: str | bytes, charset: str | None = None) -> str:
    """The characters of a page.

    Bytes that are UTF-8 are read as that, whatever is declared; then the charset of the server, of the page
    (`<meta charset>`, `<?xml encoding>`), UTF-8 with a few broken places, and what the bytes look like.

    Args:
        page (`str` or `bytes`):
            HTML.
        charset (`str`, *optional*):
            The charset that the server declared.

    Returns:
        `str`: the text; what is broken is U+FFFD.
    """
    if isinstance(page, str):
        return page
    if page.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return page.decode("utf-16", "replace")
    declared = [charset, *_meta(page)]
    if not _ISO_2022.search(page):  # which looks like ASCII
        try:
            return page.decode("utf-8-sig")
        except UnicodeDecodeError:
            pass
    for name in declared:
        codec = _codec(name)
        if codec:
            text = page.decode(codec, "replace")
            if text.count("\ufffd") <= _BROKEN * len(text):
                return text
    mended = page.decode("utf-8", "replace")
    if mended.count("\ufffd") <= len(mended) // 1000 + 1 and not mended.isascii() and _MULTIBYTE.search(page):
        return mended
    if guessed := _codec(detect_encoding(page)):
        return page.decode(guessed, "replace")
    try:
        return page.decode("cp1252")
    except UnicodeDecodeError:
        return mended


def _meta(page: bytes) -> list[str]:
    found = _META.search(page[:_META_WITHIN])
    return [(found[1] or found[2]).decode("ascii")] if found else []


def _codec(name: str | None) -> str | None:
    """What Python calls it; None for UTF-8, and for what is not known."""
    mapped = map_encoding_to_html5((name or "").strip(" \"'")) or "utf-8"
    try:
        codec = codecs.lookup(mapped).name
    except LookupError:
        return None
    if codec == "utf-8":
        return None
    return _LARGER.get(codec.replace("iso8859_", "iso8859-"), _LARGER.get(mapped, codec))
