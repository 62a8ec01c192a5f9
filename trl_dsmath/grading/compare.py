"""Compares two answers shape by shape. `True`, `False`, or `None` where this package cannot tell and math-verify may."""

import operator
import re
from collections import Counter
from fractions import Fraction

from .equality import linear, proportional, solves
from .expressions import (
    Node,
    TooLarge,
    Undefined,
    Unsupported,
    close,
    contains,
    rename,
    symbols,
    value,
)
from .ranges import as_ranges, same_ranges
from .shapes import Answer, Group, Items, Matrix, Relation, Union, Value, Words
from .values import expand, ratio_as_fraction, same_ratio, same_value, same_words
from .wrapping import (
    alike_definitions,
    bare,
    compatible_labels,
    definition,
    differentiated,
    is_label,
    names_function,
    unwrap,
)

_INDEX = re.compile(r"_\{?\d\}?$")
_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq}
_AROUND = [0, *(sign * 2**k for sign in (1, -1) for k in range(11))]  # thirds: near and far
_BRANCH_LIMIT = 12  # of a function by cases
_COORDINATES = ("r", "\\rho", "\\theta", "\\phi", "z")  # in the order of a point in polar coordinates
_PARAMETERS = {"t", "s", "k", "c", "r", "alpha", "lambda"}
_MATCH_LIMIT = 60  # unordered lists longer than this are compared as multisets of exact values


def same_answer(gold: Answer, answer: Answer) -> bool | None:
    """Compares two answers; the gold may be written in any of the forms that the answer may.

    Returns:
        `True` or `False`, or `None` where one side holds mathematics that is not evaluated here.
    """
    gold, answer = _as_residues(gold, answer), _as_residues(answer, gold)
    gold, answer = _as_remainder(gold, answer), _as_remainder(answer, gold)
    gold, answer = _as_choice(gold, answer), _as_choice(answer, gold)
    gold, answer = unwrap(gold), unwrap(answer)
    for cases, formula in ((gold, answer), (answer, gold)):
        branches = [x.items for x in getattr(cases, "items", ()) if isinstance(x, Group) and x.opening == "if"]
        if branches and isinstance(formula, Value) and contains(formula.node, "abs", "max", "min"):
            return _same_by_cases(branches, formula.node)
    if isinstance(answer, Items) and not isinstance(gold, Items | Group | Union | Relation):
        answer = _one_of_equals(answer)
    if isinstance(gold, Items) and not isinstance(answer, Items | Group | Union | Relation):
        gold = _one_of_equals(gold)
    gold, answer = _as_vector(gold, answer), _as_vector(answer, gold)
    if isinstance(gold, Value) and isinstance(answer, Value):
        return same_value(gold, answer)
    if isinstance(gold, Relation) and isinstance(answer, Relation):
        related = _relations(gold, answer)
        if related is not False:
            return related
    if _range_like(gold) or _range_like(answer):
        if isinstance(gold, Relation) and isinstance(answer, Relation) and _other_variables(gold, answer):
            return False
        left, right = as_ranges(gold), as_ranges(answer)
        if left and right:
            return same_ranges(left, right)
    if isinstance(gold, Relation) != isinstance(answer, Relation):
        asked = getattr(gold.parts[0], "node", None) if isinstance(gold, Relation) else None
        if asked and symbols(asked) and getattr(answer, "node", None) == asked:
            return False
        if isinstance(answer, Relation) and "~" in answer.signs and bare(answer, trusted=False) is not None:
            return any(same_answer(gold, part) for part in answer.parts[-2:])  # "2\\sqrt{3} \\approx 3.46"
        bare_gold, bare_answer = bare(gold, trusted=True), bare(answer, trusted=False)
        if bare_gold is None or bare_answer is None or (bare_gold, bare_answer) == (gold, answer):
            return False if not _has_words(gold, answer) else None
        return same_answer(bare_gold, bare_answer)
    if isinstance(gold, Words) or isinstance(answer, Words):
        return same_words(gold, answer)
    if isinstance(gold, Matrix) or isinstance(answer, Matrix):
        return _matrices(gold, answer)
    if isinstance(gold, Union) and isinstance(answer, Union):
        return _unordered(gold.parts, answer.parts)
    return _collections(gold, answer)


def _as_choice(answer: Answer, other: Answer) -> Answer:
    """`C(10, 3)` as a binomial where the other side is a number, else it is a point."""
    if isinstance(answer, Relation) and isinstance(other, Value) and _name(answer.parts[0]) == "C":
        items = answer.parts[1].items if isinstance(answer.parts[1], Group) else ()
        nodes = [x.node for x in items if isinstance(x, Value)]
        if len(nodes) == len(items) == 2:
            return Value(("binom", *nodes))
    return answer


def _as_residues(answer: Answer, other: Answer) -> Answer:
    r"""`n = 4k + 1, k \in \Z` as `1 \pmod 4` where the other side is written so."""
    if not isinstance(other, Group) or other.opening != "mod" or isinstance(answer, Group):
        return answer
    first, *conditions = answer.items if isinstance(answer, Items) else (answer,)
    if isinstance(answer, Items) and any(
        not isinstance(one, Relation) or one.parts[1:] != (Words("\\Z"),) for one in conditions
    ):
        return Group("{|", "}", tuple(answer.items))  # k \in \N: not all of them
    formula = first.parts[-1] if isinstance(first, Relation) and first.signs == ("=",) else first
    found = expand(formula) if isinstance(formula, Value) else formula
    parts = found.items if isinstance(found, Items) else (found,)
    lines = [
        line for one in parts if isinstance(one, Value) and not one.unit and (line := linear(one.node)) is not None
    ]
    slopes = {slope for slope, _ in lines}
    if len(lines) != len(parts) or len(slopes) != 1 or any(x.denominator > 1 for line in lines for x in line):
        return answer
    residues = tuple(Value(("num", start)) for _, start in lines)
    return Group("mod", "", (Items(residues), Value(("num", abs(slopes.pop())))))


def _as_remainder(answer: Answer, other: Answer) -> Answer:
    r"""`2^{100} \equiv 7 \pmod 9` or `7 \pmod 9` as 7 where the other side is a number."""
    if not isinstance(answer, Group) or answer.opening != "mod" or not isinstance(other, Value) or symbols(other.node):
        return answer
    whole, modulus = answer.items
    left, last = whole.parts if isinstance(whole, Relation) and whole.signs == ("==",) else (whole, whole)
    if not isinstance(last, Value) or not congruent((left, modulus), (last, modulus)):
        return answer
    try:
        return last if 0 <= value(last.node) < value(modulus.node) else answer  # type: ignore[union-attr]
    except (TooLarge, Undefined, Unsupported, TypeError):
        return answer


def _same_by_cases(branches: list[tuple[Answer, ...]], formula: Node) -> bool | None:
    """A function by cases against one formula with absolute values: equal at the edges and on both sides of them."""
    names = symbols(formula)
    if len(names) != 1 or len(branches) > _BRANCH_LIMIT:
        return False
    [name] = names

    def at(node: Node, point: Fraction):
        return value(node, fixed={name: point})

    def holds(signs: tuple[str, ...], nodes: list[Node], point: Fraction) -> bool:
        sides = [at(node, point) for node in nodes]
        return all(_ORDER[sign](a, b) for sign, a, b in zip(signs, sides, sides[1:], strict=False))

    edges = _kinks(formula)
    pieces: list[tuple[Node, tuple[str, ...], list[Node]]] = []
    otherwise: list[Node] = []
    for branch, condition in branches:
        if isinstance(branch, Value) and condition == Words(r"\text{otherwise}"):
            otherwise.append(branch.node)
            continue
        if not isinstance(branch, Value) or not isinstance(condition, Relation):
            return None
        nodes = [part.node for part in condition.parts if isinstance(part, Value)]
        if not set(condition.signs) <= set(_ORDER) or len(nodes) != len(condition.parts):
            return None
        pieces.append((branch.node, condition.signs, nodes))
        edges |= {node for node in nodes if not symbols(node)}
    try:
        points = [value(edge) + Fraction(step, 3) for edge in edges for step in _AROUND]
        for point in points:
            here = [node for node, signs, nodes in pieces if holds(signs, nodes, point)] or otherwise
            if not here or not all(close(at(n, point), at(formula, point)) for n in here):
                return False
    except (TooLarge, Undefined, Unsupported, TypeError):
        return None
    return bool(points)


def _kinks(node: object) -> set[Node]:
    """Where a linear expression inside an absolute value changes its sign."""
    if not isinstance(node, tuple) or not node:
        return set()
    found: set[Node] = set().union(*map(_kinks, node))
    inside = node[2] if node[:2] == ("fn", "abs") else None
    if node[0] in ("max", "min") and len(node) == 3:
        inside = ("add", node[1], ("neg", node[2]))
    if inside and (line := linear(inside)):
        found.add(("num", -line[1] / line[0]))
    return found


def _one_of_equals(answer: Items) -> Answer:
    r"""`\frac{3}{8} \text{ or } 37.5\%` says one thing twice."""
    first, *rest = answer.items
    texts = {getattr(item, "text", "") for item in answer.items}
    return first if len(texts) > 1 and all(same_answer(first, other) for other in rest) else answer


def _as_vector(answer: Answer, other: Answer) -> Answer:
    """`i + 2j` as `(1, 2)` where the other side is written so."""
    if not isinstance(answer, Value) or not isinstance(other, Group | Matrix):
        return answer
    size = len(other.items) if isinstance(other, Group) else len(other.rows) * len(other.rows[0])
    axes = ["hat i", "hat j", "hat k"]
    if size not in (2, 3) or not symbols(answer.node) & set(axes[:size]):
        return answer
    parts = tuple(Value(_component(answer.node, axis)) for axis in axes[:size])
    return Group("<", ">", parts)


def _component(node: object, axis: str):
    if not isinstance(node, tuple) or not node:
        return node
    if node[0] == "sym" and node[1].startswith("hat "):
        return ("num", Fraction(node[1] == axis))
    return tuple(_component(part, axis) for part in node)


def _has_words(*answers: Answer) -> bool:
    return any(
        isinstance(part, Words)
        for answer in answers
        for part in ([answer] if isinstance(answer, Words) else getattr(answer, "parts", ()))
    )


def _other_variables(gold: Relation, answer: Relation) -> bool:
    """`y > 3` and `x > 3`."""
    names = [
        set().union(*(symbols(part.node) for part in side.parts if isinstance(part, Value))) for side in (gold, answer)
    ]
    return all(names) and not names[0] & names[1]


def _range_like(answer: Answer) -> bool:
    """Is a set of numbers and nothing else; `(1, 2)` may be a point, so it is not."""
    if isinstance(answer, Group):
        return answer.opening == "setminus"
    if isinstance(answer, Items):
        return len(answer.items) == 2 and all(
            isinstance(x, Relation) and x.signs[0] not in ("=", "~") for x in answer.items
        )
    return isinstance(answer, Union | Words) or (
        isinstance(answer, Relation) and all(sign != "=" for sign in answer.signs)
    )


def _relations(gold: Relation, answer: Relation) -> bool | None:
    if gold.signs == answer.signs == ("=",):
        names = gold.parts[0], answer.parts[0]
        same_name = names[0] == names[1] or (any(map(_is_r, names)) and all(map(_is_point, names)))
        if same_name and same_answer(gold.parts[1], answer.parts[1]):
            return True
        defined = _same_definition(gold, answer)
        if defined is not False:
            return defined
    if gold.signs == answer.signs and gold.signs in (("par",), ("perp",)):
        return _unordered(gold.parts, answer.parts)
    if len(gold.parts) == len(answer.parts) == 2:
        pairs = [part for part in (*gold.parts, *answer.parts) if isinstance(part, Value)]
        if len(pairs) == 4 and {gold.signs[0], answer.signs[0]} <= {"=", "<", ">", "<=", ">=", "!="}:
            return same_equation(gold, answer)
    if gold.signs == answer.signs and len(gold.parts) == len(answer.parts):
        found = [same_answer(one, other) for one, other in zip(gold.parts, answer.parts, strict=True)]
        if all(found):
            return True
        if None in found and False not in found:
            return None
    if {"=", "~"} >= {*gold.signs, *answer.signs} and not gold.signs == answer.signs == ("=",):
        one, other = bare(gold, trusted=True), bare(answer, trusted=False)
        if one is not None and other is not None and compatible_labels(gold.parts[0], answer.parts[0]):
            return same_answer(one, other)
    return False


def _is_r(name: Answer) -> bool:
    r"""`r`, `\vec{r}`, `r(t)`: what a line is called."""
    return isinstance(name, Value) and re.fullmatch(r"(?:\\vec\s*)?\{?r\}?\s*(?:\(t\))?", name.text) is not None


def _is_point(name: Answer) -> bool:
    return _is_r(name) or (
        isinstance(name, Group) and all(isinstance(x, Value) and x.node[0] == "sym" for x in name.items)
    )


def _same_definition(gold: Relation, answer: Relation) -> bool | None:
    """`f(x) = x^2` and `g(t) = t^2` define one function; `y` takes whatever variable there is."""
    if names_function(gold.parts[0], answer.parts[0]) and same_answer(gold.parts[1], answer.parts[1]):
        return True
    names, others = definition(gold.parts[0]), definition(answer.parts[0])
    if not names or not others or not alike_definitions(gold.parts[0], answer.parts[0]):
        return False
    formula = answer.parts[1]
    dependent = [differentiated(side.parts[0]) for side in (gold, answer)]
    if dependent[0] != dependent[1] and all(dependent) and isinstance(formula, Value):
        renamed = _with_variables(formula, dependent[1:], dependent[:1])  # dy/dt = kx is not dx/dt = kx
        if renamed is None:
            return False
        formula = renamed
    if names != others and "y" not in (_name(gold.parts[0]), _name(answer.parts[0])):
        renamed = _with_variables(formula, others.split(","), names.split(",")) if isinstance(formula, Value) else None
        if renamed is None:
            return False
        formula = renamed
    return same_answer(gold.parts[1], formula)


def _matrices(gold: Answer, answer: Answer) -> bool | None:
    if isinstance(gold, Matrix) and isinstance(answer, Matrix):
        if [len(row) for row in gold.rows] != [len(row) for row in answer.rows]:
            return False
        cells, others = ([x for row in side.rows for x in row] for side in (gold, answer))
        return _ordered(cells, _with_parameter(others, cells) if 1 in (len(gold.rows), len(gold.rows[0])) else others)
    matrix, other = (gold, answer) if isinstance(gold, Matrix) else (answer, gold)
    assert isinstance(matrix, Matrix)
    if isinstance(other, Group) and other.opening in "(<" and 1 in (len(matrix.rows), len(matrix.rows[0])):
        return _ordered([x for row in matrix.rows for x in row], other.items)  # a vector
    return False


def _with_parameter(cells: list[Answer], other: list[Answer]) -> list[Answer]:
    """The multiples `c (1, -2)` of a vector as `t (1, -2)`, where the other side calls the factor so."""
    names = [set().union(*(symbols(x.node) for x in side if isinstance(x, Value))) for side in (cells, other)]
    if names[0] == names[1] or any(len(side) != 1 or not side <= _PARAMETERS for side in names):
        return cells
    new = dict(zip(*names, strict=True))
    return [Value(rename(x.node, new), x.unit, x.text) if isinstance(x, Value) else x for x in cells]


def _collections(gold: Answer, answer: Answer) -> bool | None:
    one, other = _members(gold), _members(answer)
    if one is None or other is None:
        return ratio_as_fraction(gold, answer)
    (kind, items), (other_kind, other_items) = one, other
    if "mod" in (kind, other_kind):
        return congruent(items, other_items) if kind == other_kind else False
    if ":" in (kind, other_kind):
        return same_ratio(gold, answer) if kind == other_kind else False  # type: ignore[arg-type]
    if len(items) > _MATCH_LIMIT or len(other_items) > _MATCH_LIMIT:
        return _long(items, other_items, sets="{" in (kind, other_kind))
    if {kind, other_kind} <= {"{", "list"}:
        items, other_items = _with_conditions(items, other_items), _with_conditions(other_items, items)
        sets = kind == other_kind == "{"
        found = _unordered(_distinct(items), _distinct(other_items)) if sets else _unordered(items, other_items)
        if found is not True and _labels_differ(items, other_items):
            return _unordered(_values(items), _values(other_items))
        return found
    if kind != other_kind and not {kind, other_kind} <= {"(", "<", "list", "ordered"}:
        if {kind, other_kind} == {"{", "ordered"}:
            return _unordered(items, other_items)
        return False
    if _contradicting_labels(items, other_items):
        return False
    labels, items = _unlabel(items)
    other_labels, other_items = _unlabel(other_items)
    if kind != other_kind and (labels or other_labels) and not (labels and other_labels):
        items, other_items = (_by_label(x, y) for x, y in ((labels, items), (other_labels, other_items)))
    return _ordered(items, other_items)


def _with_conditions(cases: tuple[Answer, ...], other: tuple[Answer, ...]) -> tuple[Answer, ...]:
    """Branches of a function with the condition that the other side gives for "otherwise", where it gives one more."""

    def split(side: tuple[Answer, ...]) -> tuple[list[Group], list[Group]]:
        branches = [x for x in side if isinstance(x, Group) and x.opening == "if"]
        last = [x for x in branches if isinstance(x.items[1], Words)]
        return last, [x for x in branches if x not in last]

    (last, named), (others_last, others) = split(cases), split(other)
    if len(last) != 1 or others_last or len(named) + 1 != len(cases) or len(others) != len(other):
        return cases
    left = [x for x in others if not any(same_answer(x.items[1], y.items[1]) for y in named)]
    return (*named, Group("if", "", (last[0].items[0], left[0].items[1]))) if len(left) == 1 else cases


def _members(answer: Answer) -> tuple[str, tuple[Answer, ...]] | None:
    if isinstance(answer, Items):
        return ("ordered" if answer.ordered else "list"), answer.items
    if isinstance(answer, Group):
        if answer.opening + answer.closing == "[]" and len(answer.items) != 2:
            return "(", answer.items
        kind = (
            answer.opening
            if answer.opening in "{<:" or answer.opening + answer.closing == "()"
            else answer.opening + answer.closing
        )
        return kind, answer.items
    return None


def _unlabel(items: tuple[Answer, ...]) -> tuple[list[Answer], tuple[Answer, ...]]:
    """Labels and values of `x = 1, y = 2`; no labels unless every item has one."""
    relations = [x for x in items if isinstance(x, Relation) and x.signs == ("=",) and is_label(x.parts[0])]
    if len(relations) == len(items):
        return [x.parts[0] for x in relations], tuple(x.parts[1] for x in relations)
    return [], items


def _values(items: tuple[Answer, ...]) -> list[Answer]:
    """The values behind the labels, `x = \\pm 1` as two."""
    found = [unwrap(item) for item in _unlabel(items)[1]]
    return [x for one in found for x in (one.items if isinstance(one, Items) else (one,))]


def _name(label: Answer) -> str:
    return getattr(label, "text", "")


def _by_label(labels: list[Answer], items: tuple[Answer, ...]) -> tuple[Answer, ...]:
    if not labels:
        return items
    names = [_name(label) for label in labels]
    polar = set(names) <= set(_COORDINATES)
    place = {name: index for index, name in enumerate(_COORDINATES if polar else sorted(names))}
    return tuple(x for _, x in sorted(zip(names, items, strict=True), key=lambda pair: place[pair[0]]))


def _labels_differ(items: tuple[Answer, ...], other: tuple[Answer, ...]) -> bool:
    """Whether one side has no labels, or one name for all its values: `x = 1, x = 2` and `x_1 = 2, x_2 = 1`."""
    if _misnamed(items, other) or _misnamed(other, items):
        return False
    one, two = ([_name(label) for label in _unlabel(side)[0]] for side in (items, other))
    base, other_base = ({_INDEX.sub("", name) for name in side} for side in (one, two))
    return bool(one) != bool(two) or (base == other_base in (set(one), set(two)) and len(base) == 1)


def _misnamed(some: tuple[Answer, ...], every: tuple[Answer, ...]) -> bool:
    """Whether a side that names some of its values, `z = 1; 2`, gives one a name that it has not on the side that names all."""
    labels, values = _unlabel(every)
    if _unlabel(some)[0] or not labels:
        return False

    def base(label: Answer) -> str:
        return _INDEX.sub("", _name(label))

    named = [x for x in some if isinstance(x, Relation) and x.signs == ("=",) and is_label(x.parts[0])]
    return not all(
        any(
            base(one.parts[0]) == base(label) and same_answer(one.parts[1], x)
            for label, x in zip(labels, values, strict=True)
        )
        for one in named
    )


def _contradicting_labels(items: tuple[Answer, ...], other: tuple[Answer, ...]) -> bool:
    labels, other_labels = _unlabel(items)[0], _unlabel(other)[0]
    if not (labels and other_labels):
        return _misnamed(items, other) or _misnamed(other, items)
    return not all(map(compatible_labels, labels, other_labels))


def _ordered(items, other) -> bool | None:
    if len(items) != len(other):
        return False
    found = [same_answer(one, two) for one, two in zip(items, other, strict=True)]
    return False if False in found else None if None in found else True


def _unordered(items, other) -> bool | None:
    if len(items) != len(other):
        return False
    left, unsure = list(other), False
    for one in items:
        for index, two in enumerate(left):
            found = same_answer(one, two)
            if found:
                del left[index]
                break
            unsure = unsure or found is None
        else:
            return None if unsure else False
    return True


def _distinct(items) -> list[Answer]:
    kept: list[Answer] = []
    for item in items:
        if not any(same_answer(item, other) for other in kept):
            kept.append(item)
    return kept


def _long(items, other, sets: bool) -> bool:
    """Thousands of elements: exact values only, in linear time."""
    try:
        one, two = (Counter(value(x.node) for x in side if isinstance(x, Value)) for side in (items, other))
    except (TooLarge, Undefined, Unsupported):
        return False
    if sum(one.values()) != len(items) or sum(two.values()) != len(other):
        return False
    return set(one) == set(two) if sets else one == two


def same_equation(gold: Relation, answer: Relation) -> bool | None:
    """Compares two equations or inequalities of two sides each: the same up to a factor, or one solved for a variable."""
    (a, b), (c, d) = gold.parts, answer.parts
    assert isinstance(a, Value) and isinstance(b, Value) and isinstance(c, Value) and isinstance(d, Value)
    sign, other = gold.signs[0], answer.signs[0]
    if sign == "=" and not any(symbols(side.node) for side in (a, b, c, d)):
        return sign == other and a.node == c.node and same_value(b, d)  # no variable: as it was written
    left = _difference(a.node, b.node, sign)
    right = _difference(c.node, d.node, other)
    sign, other = sign.replace(">", "<"), other.replace(">", "<")
    if sign != other:
        return False
    try:
        if proportional(left, right, positive=sign in ("<", "<=")):
            return True
    except Unsupported:
        return None
    if sign == "=" and (a.node == c.node or _with_index(a, c)) and (same_value(b, d) or is_label(a)):
        return same_value(b, d)
    if sign == "=" and _is_constant_name(b) and _is_constant_name(d):
        return same_value(a, c)  # a family of curves
    if sign == "=":
        return solves(a.node, b.node, right) or solves(c.node, d.node, left)
    return False


def _with_index(one: Value, other: Value) -> bool:
    """`Q_D` and `Q`: one name, one of the two with an index of letters."""
    short, long = sorted(side.text for side in (one, other))
    return re.fullmatch(re.escape(short) + r"\s*_\s*\{?\s*[A-Za-z]+\s*\}?", long) is not None


def _with_variables(side: Value, old: list[str], new: list[str]) -> Value | None:
    """The right side of `f(t) = t^2` as `x^2`; `None` where the new names are taken."""
    names = [[name.lstrip("\\") for name in one] for one in (old, new)]
    if len(old) != len(new) or (set(names[1]) - set(names[0])) & symbols(side.node):
        return None
    return Value(rename(side.node, dict(zip(*names, strict=True))), side.unit, side.text)


def _is_constant_name(side: Value) -> bool:
    return side.node[0] == "sym" and side.node[1] in ("C", "c", "K", "k", "C_1", "c_1")


def _difference(left: Node, right: Node, sign: str) -> Node:
    return ("add", right, ("neg", left)) if ">" in sign else ("add", left, ("neg", right))


def congruent(gold: tuple[Answer, ...], answer: tuple[Answer, ...]) -> bool | None:
    """Compares residues with their modulus: `19 \\pmod{12}` with `7 \\pmod{12}`."""
    if not (isinstance(gold[1], Value) and isinstance(answer[1], Value) and same_value(gold[1], answer[1])):
        return False
    residues = []
    for side in (gold[0], answer[0]):
        whole = unwrap(side)
        parts = whole.items if isinstance(whole, Items) else (whole,)
        if not all(isinstance(part, Value) for part in parts):
            return None
        try:
            modulus = value(gold[1].node)
            residues.append({value(part.node) % modulus for part in parts})  # type: ignore[union-attr]
        except (TooLarge, Undefined, Unsupported, ZeroDivisionError, TypeError):
            return None
    return residues[0] == residues[1]
