r"""Rows of LaTeX environments: matrices, systems of equations, functions by cases. Text in, text out."""

import re

_ROW = re.compile(r"\\\\(?:\[[^\]]*\])?|\\cr(?![a-z])")
_COLUMNS = r"(?:\s*\{[lcr|\s]*\})?"
_MATRIX = re.compile(rf"^\\begin\{{([pbB]?matrix|smallmatrix|array)\}}{_COLUMNS}(.*)\\end\{{\1\}}$", re.DOTALL)
_BRACKETED_MATRIX = re.compile(
    r"^(?:\(|\[|\\\{)\s*(\\begin\{(smallmatrix|array|matrix)\}.*\\end\{\2\})\s*(?:\)|\]|\\\})$", re.DOTALL
)
_SYSTEM = re.compile(
    rf"^(?:\\\{{)?\s*\\begin\{{(aligned|align\*?|cases|gathered|split|array|eqnarray\*?)\}}{_COLUMNS}(.*)"
    r"\\end\{\1\}\s*(?:\\\})?$",
    re.DOTALL,
)
_RELATION = re.compile(r"[<>=]|\\[lg]e(?![a-z])|\\neq|\\in(?![a-z])")
_CONDITION = re.compile(r"\\text\s*\{\s*(?:if|when|for|as)?\s*\}|\b(?:if|when|for)\b")
MAX_CELLS = 400


def matrix_cells(text: str) -> list[list[str]] | None:
    r"""Cells of `\begin{pmatrix}...\end{pmatrix}` and its relatives; None for anything else, or rows of unequal length."""
    if bracketed := _BRACKETED_MATRIX.match(text):
        text = bracketed[1]
    found = _MATRIX.match(text)
    if not found or "\\begin" in found[2]:
        return None
    body = re.sub(r"\\hline|\\\\\s*$", "", found[2].strip())
    rows = [[cell.strip() for cell in row.split("&")] for row in _ROW.split(body)]
    return rows if len({len(row) for row in rows}) == 1 and sum(map(len, rows)) <= MAX_CELLS else None


def system_rows(text: str) -> list[str] | None:
    r"""Rows of `\begin{cases} x = 1 \\ y = 2 \end{cases}` and of aligned formulas; None for anything else."""
    found = _SYSTEM.match(text)
    if not found or "\\text" in text or not (_RELATION.search(found[2]) or found[1] not in ("array", "cases")):
        return None
    rows = [row.replace("&", "").strip(" ,;.") for row in _ROW.split(found[2])]
    return [row for row in rows if row]


def branches(text: str) -> list[tuple[str, str]] | None:
    r"""`(value, condition)` of each row of a function by cases; None for anything else."""
    found = _SYSTEM.match(text)
    if not found or found[1] not in ("cases", "array"):
        return None
    pairs = []
    for row in filter(str.strip, _ROW.split(found[2])):
        value, _, condition = row.partition("&")
        condition = _CONDITION.sub(" ", condition).strip(" ,.;&")
        if _RELATION.search(value) or not (_RELATION.search(condition) or "other" in condition):
            return None
        pairs.append((value.strip(" ,"), condition))
    return pairs if len(pairs) > 1 else None
