r"""How often the grader is wrong on answers that sympy made up and wrote, when every label is certain by construction.

    python benchmarks/grading_sympy.py [--rows 200] [--seed 0] [--failures wrong.jsonl]

`formulas`: integrals, limits, sums and derivatives that are not worked out, and formulas in another form, in sympy's LaTeX.
`printed`: values as Python, sympy and numpy print them, judged as the output of a program and, for comparison, in a box.
Each row has the right value and a wrong one, whose difference from the right one is computed to 30 digits.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import sympy as sp

from trl_dsmath.grading import Verdict, grade, judge_printed

x, n = sp.symbols("x n")
Triple = tuple[str, str, str]  # the answer, its gold and a gold that is wrong


def nonzero(rng: random.Random, size: int = 6) -> int:
    return rng.choice((-1, 1)) * rng.randint(1, size)


def piece(rng: random.Random) -> sp.Expr:
    """A function of x without singularities right of -1/2."""
    a, b = rng.randint(1, 5), rng.randint(1, 5)
    kinds = [
        x**a,
        sp.sin(a * x),
        sp.cos(a * x),
        sp.exp(a * x),
        sp.log(a * x + b),
        1 / (x + b),
        sp.sqrt(x + b),
        1 / (x**2 + b**2),
    ]
    return rng.choice(kinds)  # fmt: skip


def formula(rng: random.Random) -> sp.Expr:
    return nonzero(rng) * piece(rng) * (piece(rng) if rng.random() < 0.4 else 1) + rng.choice(
        (0, nonzero(rng), piece(rng))
    )


def integral(rng: random.Random) -> tuple[sp.Expr, sp.Expr]:
    low = sp.Rational(rng.randint(0, 2), rng.choice((1, 2)))
    question = sp.Integral(nonzero(rng) * piece(rng), (x, low, low + rng.randint(1, 3)))
    return question, question.doit()


def limit(rng: random.Random) -> tuple[sp.Expr, sp.Expr]:
    a, b = nonzero(rng), rng.randint(1, 6)
    kinds = [(sp.sin(a * x) / (b * x), 0), ((sp.exp(a * x) - 1) / (b * x), 0), (sp.log(b * x + 1) / x, 0), ((1 - sp.cos(a * x)) / x**2, 0),
             ((a * x**2 + b) / (b * x**2 - x), sp.oo), ((x**2 - b**2) / (x - b), b), ((1 + sp.Integer(a) / x) ** x, sp.oo)]  # fmt: skip
    term, point = rng.choice(kinds)
    question = sp.Limit(term, x, point)
    return question, question.doit()


def series(rng: random.Random) -> tuple[sp.Expr, sp.Expr]:
    a, b = rng.randint(2, 7), rng.randint(1, 5)
    term, last = rng.choice(
        [(sp.Rational(b, a) ** n if b < a else sp.Rational(1, a) ** n, sp.oo), (b / sp.factorial(n), sp.oo),
         (1 / (n + 1) - 1 / (n + 2), sp.oo), (b * n**2 + a, 5 + a), (n / sp.Integer(a) ** n, sp.oo)]
    )  # fmt: skip
    question = sp.Sum(term, (n, 0, last))
    return question, sp.simplify(question.doit())


def derivative(rng: random.Random) -> tuple[sp.Expr, sp.Expr]:
    question = sp.Derivative(formula(rng), x, rng.choice((1, 1, 1, 2)))
    return question, question.doit()


def other_form(rng: random.Random) -> tuple[sp.Expr, sp.Expr]:
    value = formula(rng)
    forms: list[Callable] = [sp.expand, sp.together, sp.factor, sp.simplify, lambda f: sp.expand_trig(sp.expand(f))]
    return value, next(
        (new for form in rng.sample(forms, 5) if (new := form(value)) != value), sp.expand(2 * value) / 2
    )


def formulas(rng: random.Random) -> tuple[str, Triple] | None:
    make = rng.choice((integral, limit, series, derivative, other_form))
    question, value = make(rng)
    if (
        value.has(sp.Integral, sp.Limit, sp.Sum, sp.erf, sp.Si, sp.Ci, sp.zoo, sp.nan)
        or value.is_infinite
        or value.is_Piecewise
    ):
        return None
    changes = [
        value + nonzero(rng),
        -value,
        value * sp.Rational(rng.randint(2, 5), 7),
        value.subs(sp.Integer(2), 3),
        value + x / 2,
    ]
    for wrong in rng.sample(changes if value.free_symbols else changes[:-1], 4):
        at = {x: sp.Rational(3, 7)}
        if wrong.is_finite is not False and abs(sp.N((wrong - value).subs(at), 30)) > 1e-6:
            answer, gold = (sp.latex(question), sp.latex(value))
            return make.__name__, (answer, gold, sp.latex(wrong))
    return None


def printed(rng: random.Random) -> tuple[str, Triple]:
    """A value in the notation of Python, sympy or numpy, with its gold and a wrong one in LaTeX."""
    a, b, c, d = rng.randint(1, 9), rng.randint(10, 30), rng.randint(2, 9), rng.randint(2, 9)
    small = sp.Rational(a, c)
    root, wrong_root = a + sp.sqrt(b + 1), a + sp.sqrt(b + 2)
    ends = rng.choice([(False, False, "[]"), (True, True, "()"), (False, True, "[)"), (True, False, "(]")])
    interval = sp.Interval(a, b, ends[0], ends[1])
    matrix = sp.Matrix([[a, b], [c, -d]])
    grid = rf"\begin{{pmatrix}} {a} & {b} \\ {c} & {-d} \end{{pmatrix}}"
    solution = {sp.Symbol("x"): small, sp.Symbol("y"): sp.Integer(b)}
    kinds: list[tuple[str, object, str, str]] = [
        ("int", b, f"{b}", f"{b + 1}"),
        ("float", b / 4, sp.latex(sp.Rational(b, 4)), sp.latex(sp.Rational(b + 1, 4))),
        ("Fraction repr", repr(Fraction(b, 7)), sp.latex(sp.Rational(b, 7)), sp.latex(sp.Rational(b, 9))),
        ("complex", complex(a, c), f"{a}+{c}i", f"{a}-{c}i"),
        ("tuple", (a, b), f"({a}, {b})", f"({b}, {a})"),
        ("list", [a, b], f"{a}, {b}", f"{a}, {b + 1}"),
        ("nested list", [[a, b], [c, -d]], grid, grid.replace(f"{-d}", f"{d}")),
        ("dictionary", {"x": a, "y": b}, f"x = {a}, y = {b}", f"x = {b}, y = {a}"),
        ("sympy number", root, sp.latex(root), sp.latex(wrong_root)),
        ("sympy solutions", [root, -root], rf"\pm\left({sp.latex(root)}\right)", rf"\pm\left({sp.latex(wrong_root)}\right)"),
        ("sympy formula", sp.exp(-a * x) * sp.sin(b * x) / c, rf"\frac{{e^{{-{a}x}}\sin {b}x}}{{{c}}}", rf"\frac{{e^{{{a}x}}\sin {b}x}}{{{c}}}"),
        ("sympy polynomial", sp.Poly(a * x**2 - b, x), f"{a}x^2-{b}", f"{a}x^2+{b}"),
        ("sympy Abs", sp.Abs(a * x - b), rf"\left|{a}x-{b}\right|", rf"\left|{a}x+{b}\right|"),
        ("sympy interval", interval, f"{ends[2][0]}{a}, {b}{ends[2][1]}", f"{ends[2][0]}{a}, {b + 1}{ends[2][1]}"),
        ("sympy union", sp.Union(sp.Interval.open(-sp.oo, a), sp.Interval.open(b, sp.oo)), rf"(-\infty,{a})\cup({b},\infty)", rf"(-\infty,{a}]\cup({b},\infty)"),
        ("sympy set", sp.FiniteSet(a, b + c), rf"\{{{a}, {b + c}\}}", rf"\{{{a}, {b + c + 1}\}}"),
        ("sympy relation", sp.And(x > a, x < b), f"{a} < x < {b}", rf"{a} \le x < {b}"),
        ("sympy equation", sp.Eq(sp.Symbol("y"), a * x + b), f"y = {a}x + {b}", f"y = {a}x - {b}"),
        ("sympy matrix", matrix, grid, grid.replace(f"{-d}", f"{d}")),
        ("sympy point", sp.Point(a, small), f"({a}, {sp.latex(small)})", f"({sp.latex(small)}, {a})" if small != a else f"({a}, {b})"),
        ("sympy system", solution, rf"x = {sp.latex(small)}, y = {b}", rf"x = {sp.latex(small)}, y = {b + 1}"),
        ("sympy systems", [solution], rf"({sp.latex(small)}, {b})", rf"({b}, {sp.latex(small)})"),
        ("sympy solve of two", [(a, b), (-a, c)], f"({a}, {b}), (-{a}, {c})", f"({a}, {b}), ({a}, {c})"),
        ("sympy factorial", sp.factorial(n) / a, rf"\frac{{n!}}{{{a}}}", rf"\frac{{n!}}{{{a + 1}}}"),
        ("sympy binomial", sp.binomial(n, a), rf"\binom{{n}}{{{a}}}", rf"\binom{{n}}{{{a + 1}}}"),
        ("sympy piecewise", sp.Piecewise((a * x, x > 0), (b, True)), rf"\begin{{cases}} {a}x & x > 0 \\ {b} & x \le 0 \end{{cases}}", rf"\begin{{cases}} {a}x & x > 0 \\ {b + 1} & x \le 0 \end{{cases}}"),
        ("sympy e", sp.E * a, f"{a}e", f"{a}e^2"),
        ("numpy number", np.float64(b / 4), sp.latex(sp.Rational(b, 4)), sp.latex(sp.Rational(b + 1, 4))),
        ("numpy integers", np.array([a, b, -c]), f"({a}, {b}, -{c})", f"({a}, {b}, {c})"),
        ("numpy floats", np.array([a / 2, float(b)]), rf"\left(\frac{{{a}}}{{2}}, {b}\right)", rf"\left(\frac{{{a}}}{{2}}, {b + 1}\right)"),
        ("numpy matrix", np.array([[a, b], [c, -d]]), grid, grid.replace(f"{-d}", f"{d}")),
    ]  # fmt: skip
    kind, value, gold, wrong = rng.choice(kinds)
    as_repr = rng.random() < 0.3
    return kind + (" repr" if as_repr else ""), (
        repr(value) if as_repr and not isinstance(value, str) else str(value),
        gold,
        wrong,
    )


def drawn(make: Callable, rows: int, rng: random.Random) -> list[tuple[str, Triple]]:
    found: list[tuple[str, Triple]] = []
    while len(found) < rows:
        if (one := make(rng)) is not None:
            found.append(one)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200, help="rows of each part, each with a right and a wrong gold")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--failures", type=Path, help="write the rows judged wrong to this JSONL")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    calculus, values = drawn(formulas, arguments.rows, rng), drawn(printed, arguments.rows, rng)
    boxed = lambda answers, golds: grade([rf"\boxed{{{answer}}}" for answer in answers], golds)  # noqa: E731
    parts = {
        "formulas, in a box": (boxed, calculus),
        "printed, by a program": (judge_printed, values),
        "printed, in a box": (boxed, values),
    }
    failures = []
    for part, (judge, rows) in parts.items():
        for label, column in ((True, 1), (False, 2)):
            verdicts = judge([triple[0] for _, triple in rows], [triple[column] for _, triple in rows])
            bad = [
                {
                    "part": part,
                    "kind": kind,
                    "answer": triple[0],
                    "gold": triple[column],
                    "right": label,
                    "verdict": verdict,
                }
                for (kind, triple), verdict in zip(rows, verdicts, strict=True)
                if (verdict is Verdict.CORRECT) != label
            ]
            failures += bad
            print(f"{part}: {len(bad)} of {len(rows)} {'right ones rejected' if label else 'wrong ones accepted'}")
    if arguments.failures:
        arguments.failures.write_text("".join(json.dumps(one) + "\n" for one in failures), encoding="utf-8")


if __name__ == "__main__":
    main()
