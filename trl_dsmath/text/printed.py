r"""What Python, sympy and numpy print, as LaTeX: `Interval.open(0, 1)` is `(0, 1)`, `{x: 1, y: 2}` is `x = 1, y = 2`.

Programs print their results so (program of thought, tools), and models copy it into a box. Nothing is evaluated.
"""

import ast
import re

_PRINTED = re.compile(  # what no one writes by hand
    r"\b(?:Interval(?:\.\w+)?|Union|FiniteSet|Complement|Matrix|ImmutableDenseMatrix|array|Eq|Piecewise|Rational|Fraction|Poly|Abs|And|Or|Decimal|Point[23]?D?|np\.\w+)\("
    r"|\b(?:factorial|binomial|floor|ceiling)\(|^\s*\[?\{[^{}\\]+:.*\}\]?\s*$|\) [&|] \(|\d+j\b|^\s*\[\[|(?<![A-Za-z\\])oo(?![A-Za-z])|^\s*\[[-\d.\s\[\]]*[\d.]\s+-?\d[-\d.\s\[\]]*\]$|^'[^']*'$",
    re.DOTALL,
)
_NAMES = {"oo": r"\infty", "E": "e", "I": "i", "pi": r"\pi", "Reals": r"\mathbb{R}", "EmptySet": r"\emptyset"}
_SIGNS = {ast.Lt: "<", ast.LtE: r"\le", ast.Gt: ">", ast.GtE: r"\ge", ast.Eq: "=", ast.NotEq: r"\neq"}
_INTERVALS = {"Interval": "[]", "Interval.open": "()", "Interval.Ropen": "[)", "Interval.Lopen": "(]"}
_CALLS = {  # {0}, {1}: the arguments
    "Rational": r"\frac{{{0}}}{{{1}}}", "Fraction": r"\frac{{{0}}}{{{1}}}", "sqrt": r"\sqrt{{{0}}}", "cbrt": r"\sqrt[3]{{{0}}}", "Abs": r"\left|{0}\right|", "abs": r"\left|{0}\right|",
    "factorial": "({0})!", "binomial": r"\binom{{{0}}}{{{1}}}", "floor": r"\lfloor {0} \rfloor", "ceiling": r"\lceil {0} \rceil", "exp": "e^{{{0}}}",
    "Poly": "{0}", "Decimal": "{0}", "float64": "{0}", "int64": "{0}", "Float": "{0}", "Integer": "{0}", "Eq": "{0} = {1}", "Complement": r"{0} \setminus {1}",
}  # fmt: skip


def printed_latex(text: str) -> str | None:
    r"""A value that Python printed, as LaTeX.

    Args:
        text (`str`):
            One value, as `str` or `repr` of Python, sympy or numpy write it.

    Returns:
        `str` or `None`: `None` for a text that may have been written by hand, such as `sqrt(3)/2` or `[1, 2]`, and for one that
            is no Python.
    """
    if len(text) > 2000 or "\\" in text or not _PRINTED.search(text):
        return None
    if re.fullmatch(r"\s*\[[-\d.\s\[\]]+\]\s*", text):  # numpy's [1. 2.]
        text = re.sub(r"(?<=[\d.\]])\s+(?=[-\d.\[])", ", ", text)
    try:
        return _latex(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, LookupError, AttributeError, RecursionError, MemoryError):
        return None  # no Python, or nothing that is read here: `Matrix(5)`


def listed(text: str) -> str | None:
    """The contents of a list that a program printed, `[2, 3]`, which may be all the answers; `None` for other texts."""
    found = re.fullmatch(r"\s*(?:\\left\s*)?\[(.*?)(?:\\right\s*)?\]\s*", printed_latex(text) or text, re.DOTALL)
    depth = 0
    for mark in re.findall(r"[\[\]]", found[1]) if found else "]":
        depth += 1 if mark == "[" else -1
        if depth < 0:
            return None  # "[0, 1], [2, 3]"
    return found[1].replace("\\ ", " ") if found and text.lstrip().startswith(("[", "\\left")) else None


def _latex(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return f"{node.value.imag:g} i" if isinstance(node.value, complex) else str(node.value)
    if isinstance(node, ast.Name | ast.Attribute):
        name = ast.unparse(node).rpartition(".")[2]
        return _NAMES.get(name, name if len(name) == 1 or "_" in name else f"\\{name}")
    if isinstance(node, ast.UnaryOp):
        return {ast.USub: "-", ast.UAdd: ""}[type(node.op)] + _factor(node.operand)
    if isinstance(node, ast.BinOp):
        return _binary(node)
    if isinstance(node, ast.Compare):
        sides = [_latex(side) for side in (node.left, *node.comparators)]
        return sides[0] + "".join(f" {_SIGNS[type(op)]} {side}" for op, side in zip(node.ops, sides[1:], strict=True))
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        kinds = {type(one) for one in node.elts}
        if kinds == {ast.Dict}:  # sympy's solutions of a system
            return ", ".join(f"({_latex(one)})" for one in node.elts)
        if kinds == {ast.List}:
            return _call("Matrix", [node])
        opening, closing = {ast.Tuple: "()", ast.List: "[]", ast.Set: ("\\{", "\\}")}[type(node)]
        return f"{opening}{', '.join(map(_latex, node.elts))}{closing}"
    if isinstance(node, ast.Dict):
        return ", ".join(f"{_latex(k)} = {_latex(v)}" for k, v in zip(node.keys, node.values, strict=True) if k)
    if isinstance(node, ast.Call):
        return _call(ast.unparse(node.func), node.args)
    raise ValueError(ast.dump(node))


def _factor(node: ast.expr) -> str:
    text = _latex(node)
    simple = isinstance(node, ast.Name | ast.Call | ast.Constant) or (
        isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)
    )
    return text if simple else rf"\left({text}\right)"


def _binary(node: ast.BinOp) -> str:
    if isinstance(node.op, ast.BitAnd | ast.BitOr):  # (x > 0) & (x < 3); (-oo < x) & (x < 3) is x < 3
        both = isinstance(node.op, ast.BitAnd)
        sides = [
            _latex(side)
            for side in (node.left, node.right)
            if not (both and isinstance(side, ast.Compare) and "oo" in ast.unparse(side))
        ]
        return (r" \text{and} " if both else r" \text{or} ").join(sides)
    if isinstance(node.op, ast.Add | ast.Sub):
        right = _factor(node.right) if isinstance(node.op, ast.Sub) else _latex(node.right)
        return f"{_latex(node.left)} {'+' if isinstance(node.op, ast.Add) else '-'} {right}"
    if isinstance(node.op, ast.Div):
        return rf"\frac{{{_latex(node.left)}}}{{{_latex(node.right)}}}"
    if isinstance(node.op, ast.Pow):
        return f"{{{_factor(node.left)}}}^{{{_latex(node.right)}}}"
    if isinstance(node.op, ast.Mult):
        return rf"{_factor(node.left)} \cdot {_factor(node.right)}"
    raise ValueError(ast.dump(node.op))


def _call(name: str, arguments: list[ast.expr]) -> str:
    if name in _INTERVALS:
        ends = _INTERVALS[name]
        flags = [ast.unparse(argument) == "True" for argument in arguments[2:4]]  # Interval(0, 1, False, True)
        opening, closing = "(" if flags[:1] == [True] else ends[0], ")" if flags[1:] == [True] else ends[1]
        low, high = map(_latex, arguments[:2])
        return f"{'(' if 'infty' in low else opening}{low}, {high}{')' if 'infty' in high else closing}"
    short = name.rpartition(".")[2]
    if short in ("Union", "And", "Or"):
        return {"Union": r" \cup ", "And": r" \text{ and } ", "Or": r" \text{ or } "}[short].join(
            map(_latex, arguments)
        )
    if short in ("Point", "Point2D", "Point3D"):
        return f"({', '.join(map(_latex, arguments))})"
    if short == "FiniteSet":
        return rf"\{{{', '.join(map(_latex, arguments))}\}}"
    if short in ("Matrix", "ImmutableDenseMatrix", "array"):
        rows = arguments[0].elts  # type: ignore[attr-defined]
        cells = [row.elts if isinstance(row, ast.List) else [row] for row in rows]
        return "\\begin{pmatrix}" + r" \\ ".join(" & ".join(map(_latex, row)) for row in cells) + "\\end{pmatrix}"
    if short == "Piecewise":
        pairs = [pair.elts for pair in arguments]  # type: ignore[attr-defined]
        conditions = [
            r"\text{otherwise}" if ast.unparse(condition) == "True" else _latex(condition) for _, condition in pairs
        ]
        rows = [f"{_latex(value)} & {condition}" for (value, _), condition in zip(pairs, conditions, strict=True)]
        return "\\begin{cases}" + r" \\ ".join(rows) + "\\end{cases}"
    if short in _CALLS:
        return _CALLS[short].format(*map(_latex, arguments[:2]))
    return rf"\operatorname{{{short}}}\left({', '.join(map(_latex, arguments))}\right)"
