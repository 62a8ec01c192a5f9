"""Takes off what an answer may wear: brackets round one value, conditions, domains, plus-minus."""

from .answer import Answer, Group, Items, Matrix, Relation, Union, Value, Words
from .values import expand


def unwrap(answer: Answer) -> Answer:
    """The plainest form of one answer: `\\{5\\}` is 5, `x \\in A` is A, `3 \\pm 1` is two values, `0, x \\neq 1` is 0."""
    if isinstance(answer, Value):
        return expand(answer)
    if isinstance(answer, Matrix) and len(answer.rows) == len(answer.rows[0]) == 1:
        return unwrap(answer.rows[0][0])
    if isinstance(answer, Group) and len(answer.items) == 1 and answer.opening in "{(":
        inner = unwrap(answer.items[0])
        return answer if inner == Words("\\emptyset") else inner  # the set that holds the empty set is not empty
    if isinstance(answer, Group) and answer.opening == "{|" and _domain(answer.items[1]):
        return unwrap(answer.items[0])
    if isinstance(answer, Group) and answer.opening == "{" and answer.items:
        found = [unwrap(item) for item in answer.items]
        return Group("{", "}", tuple(x for one in found for x in (one.items if isinstance(one, Items) else (one,))))
    if isinstance(answer, Group) and not answer.items:
        return Words("\\emptyset")
    if isinstance(answer, Items):
        told = _without_conditions(answer.items)
        if len(told) < len(answer.items):
            return unwrap(Items(told, answer.ordered) if len(told) > 1 else told[0])
        items = tuple(unwrap(item) for item in answer.items)
        flat = tuple(
            x for item in items for x in (item.items if isinstance(item, Items) and not answer.ordered else (item,))
        )
        return Items(flat, answer.ordered)
    if (
        isinstance(answer, Relation)
        and answer.signs == ("in",)
        and not isinstance(answer.parts[1], Group | Union | Words)
    ):
        return answer.parts[1]
    if isinstance(answer, Relation) and answer.signs == ("in",) and isinstance(answer.parts[1], Group):
        return answer.parts[1]
    if isinstance(answer, Relation) and answer.signs == ("=",) and isinstance(answer.parts[1], Relation):
        return answer.parts[1]  # "A \\cap B = \\{x \\mid x > 2\\}"
    if isinstance(answer, Relation) and len(answer.signs) > 1 and set(answer.signs) <= {">", ">="}:
        return Relation(tuple(sign.replace(">", "<") for sign in answer.signs[::-1]), answer.parts[::-1], answer.text)
    return answer


def _without_conditions(items: tuple[Answer, ...]) -> tuple[Answer, ...]:
    r"""Leaves out `x \in \R`, and what follows a formula to say where it holds: `\frac{1}{x-1}, x \neq 1`."""
    told = tuple(item for item in items if not _domain(item))
    if not told:
        return items
    if isinstance(told[0], Relation) and told[0].signs[0] not in ("=", "~"):
        return told
    kept: list[Answer] = []
    excluding = False
    for item in told:
        condition = isinstance(item, Relation) and all(
            sign in ("!=", "<", ">", "<=", ">=", "in") for sign in item.signs
        )
        if condition and isinstance(item, Relation):
            excluding = item.signs == ("!=",)
        elif not (excluding and isinstance(item, Value)):  # "x \neq 2, -5"
            kept.append(item)
    return tuple(kept)


def _domain(answer: Answer) -> bool:
    """`x \\in \\R`: says where a variable lives, and no more."""
    return (
        isinstance(answer, Relation)
        and answer.signs == ("in",)
        and isinstance(answer.parts[1], Words)
        and answer.parts[1].text in ("\\R", "\\Z")
    )
