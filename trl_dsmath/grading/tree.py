"""Expression trees: plain tuples, so that they compare, hash and print as they are.

`("num", Fraction)`, `("sym", name)`, `("add", a, b, ...)`, `("neg", a)`, `("mul", a, b, ...)`, `("div", a, b)`,
`("pow", a, b)`, `("root", degree, a)`, `("fn", name, a)`, `("log", base | None, a)`, `("binom", n, k)`, `("fact", a)`,
`("pct", a)`, `("pm", sign, a, b)`, `("sum" | "prod", variable, low, high, body)`, `("based", digits, base)`, `("inf",)`.
"""

Node = tuple
CONSTANTS = ("pi", "e", "i")


class Unsupported(Exception):
    """Not an expression of this small language. Never leaves the grading package."""


class TooLarge(Exception):
    """A value too large to be an answer anyone would write out, such as a power tower."""


class Undefined(Exception):
    """Division by zero, infinity minus infinity and the like."""


def symbols(node: object) -> set[str]:
    """Names of the free variables of a tree."""
    if not isinstance(node, tuple) or not node:
        return set()
    if node[0] == "sym":
        return set() if node[1] in CONSTANTS else {node[1]}
    found: set[str] = set().union(*(symbols(part) for part in node[1:]))
    return found - {node[1]} if node[0] in ("sum", "prod") else found


def contains(node: object, *names: str) -> bool:
    """Whether a tree holds a node of one of these kinds, or a function of that name."""
    if not isinstance(node, tuple) or not node:
        return False
    return (
        node[0] in names or (node[0] == "fn" and node[1] in names) or any(contains(part, *names) for part in node[1:])
    )


def has_fractional_power(node: object) -> bool:
    """Whether something is raised to a power that is no integer, as in `x^{1/2}`."""
    if not isinstance(node, tuple) or not node:
        return False
    if node[0] == "pow" and not (node[2][0] == "num" and node[2][1].denominator == 1) and not symbols(node[2]):
        return True
    return any(has_fractional_power(part) for part in node[1:])
