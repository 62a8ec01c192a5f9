"""How often the reward is wrong on the golds of public sets, when every label is certain by construction.

    python benchmarks/grading_accuracy.py [--data ../shared/data] [--sample 200] [--failures wrong.jsonl] [--baseline trl]

Each gold is put in a box as it stands (must be accepted), rewritten without changing its value (must be accepted),
changed in value (must be rejected) and cut down to its first number (must be rejected, unless the gold is a number).
No model is needed; the same seed gives the same rows.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from tqdm import tqdm

DEFAULT_DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"
KINDS = ("verbatim", "rewrite", "digit", "perturbed", "misread")
ACCEPT = {"verbatim", "rewrite"}  # the reward must be 1.0; for the other kinds it must not be


@dataclass(frozen=True)
class Gold:
    """A gold as the data set stores it, and its answer alone."""

    stored: str
    bare: str
    choice: bool = False
    options: tuple[str, ...] = ()
    chinese: bool = False
    money: bool = False  # a count or an amount, so a unit may follow it


@dataclass(frozen=True)
class Row:
    set: str
    kind: str
    rule: str
    completion: str
    gold: str


# ------------------------------------------------------------------------------------------------ reading the sets
def last_box(text: str) -> str | None:
    """Content of the last `\\boxed{}`; written again here so that the benchmark does not lean on what it measures."""
    start = text.rfind("\\boxed")
    if start < 0:
        return None
    rest = text[start + len("\\boxed") :].lstrip()
    if not rest.startswith("{"):
        return rest.split("$")[0].strip() or None
    depth = 0
    for i, char in enumerate(rest):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth == 0:
            return rest[1:i].strip() or None
    return None


def read_jsonl(path: Path) -> list[dict]:
    """Rows of a JSONL file; a line that is no JSON (a truncated download) is left out and said so."""
    rows = []
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError as error:
                print(f"{path}:{number}: left out, {error}", file=sys.stderr)
    return rows


def several_answers(solution: str) -> bool:
    """Whether different boxes stand so close that the last one may be only a part of the answer."""
    starts = [m.start() for m in re.finditer(r"\\(?:boxed|fbox)", solution)]
    if len(starts) < 2:
        return False
    boxes = [last_box(solution[a:b]) for a, b in zip(starts, [*starts[1:], len(solution)], strict=True)]
    return len(set(boxes)) > 1


def sat_options(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(r"(?:^|\s)[A-D]\)\s", text) if part.strip())


def load_golds(data: Path) -> dict[str, list[Gold]]:
    """The golds of every set that is present, by name of the set."""

    def rows(name: str) -> list[dict]:
        path = data / name
        if not path.exists():
            print(f"{path} is absent: that set is left out", file=sys.stderr)
            return []
        return read_jsonl(path)

    sets: dict[str, list[Gold]] = {}
    for split in ("train", "test"):
        sets[f"gsm8k-{split}"] = [
            Gold(r["answer"], r["answer"].rsplit("####", 1)[1].strip(), money=True)
            for r in rows(f"gsm8k/{split}.jsonl")
        ]
    math = [(r["solution"], last_box(r["solution"])) for r in rows("math/test.jsonl")]
    # Where a solution boxes two different answers, nobody can say from the text alone whether the last one is all of it.
    sets["math"] = [Gold(s, b) for s, b in math if b and not several_answers(s)]
    sets["math-bare"] = [Gold(b, b) for _, b in math if b]
    sets["math500"] = [Gold(r["answer"], r["answer"]) for r in rows("math500/test.jsonl")]
    sets["ocw"] = [Gold(r["answer"], r["answer"].strip()) for r in rows("ocw/test.jsonl")]
    sets["cmath"] = [Gold(r["golden"], r["golden"], chinese=True, money=True) for r in rows("cmath/test.jsonl")]
    sets["mgsm-zh"] = [Gold(r["answer"], r["answer"], chinese=True, money=True) for r in rows("mgsm_zh/test.jsonl")]
    sets["gaokao-cloze"] = [
        Gold(r["answer"], r["answer"], chinese=True) for r in rows("gaokao/gaokao-mathcloze.jsonl")
    ]
    sets["gaokao-qa"] = [
        Gold(r["label"], r["label"], True, tuple(o[3:].strip() for o in r["options"]), chinese=True)
        for r in rows("gaokao/gaokao-mathqa.jsonl")
    ]
    sets["sat"] = [Gold(r["Answer"], r["Answer"], True, sat_options(r["options"])) for r in rows("sat/test.jsonl")]
    sets["mmlu-stem"] = [
        Gold(r["answer"], r["answer"], True, tuple(map(str, r["options"]))) for r in rows("mmlu_stem/test.jsonl")
    ]
    return {name: golds for name, golds in sets.items() if golds}


# ------------------------------------------------------------------------------------------------ small readers
def strip_dollars(text: str) -> str:
    return text.replace("$", "") if not re.search(r"\\\$", text) else text


INTEGER = re.compile(r"[+-]?\d+")
DECIMAL = re.compile(r"[+-]?\d*\.\d+")
GROUPED = re.compile(r"-?\d{1,3}(?:(?:,|\{,\}|,\\!|\\,)\d{3})+")
FRACTION = re.compile(r"(-?)\\[dt]?frac\{?(-?\d+)\}?\{(\d+)\}|(-?)\\[dt]?frac(\d)(\d)")
SLASH = re.compile(r"(-?\d+)/(\d+)")
SCIENTIFIC = re.compile(r"([+-]?\d+(?:\.\d+)?)e([+-]?\d+)")


def rational(text: str) -> Fraction | None:
    """The value of a plain integer, decimal or fraction, else None."""
    text = text.strip()
    if INTEGER.fullmatch(text) or DECIMAL.fullmatch(text) or SCIENTIFIC.fullmatch(text):
        return Fraction(text)
    if GROUPED.fullmatch(text):
        return Fraction(re.sub(r"[^\d-]", "", text))
    if match := SLASH.fullmatch(text):
        return Fraction(int(match[1]), int(match[2])) if int(match[2]) else None
    if match := FRACTION.fullmatch(text):
        sign, top, bottom = (match[1], match[2], match[3]) if match[3] else (match[4], match[5], match[6])
        if int(bottom):
            return Fraction(int(top), int(bottom)) * (-1 if sign else 1)
    return None


def split_top(text: str, separator: str) -> list[str]:
    """Split at a separator that stands outside all brackets."""
    parts, depth, start, i = [], 0, 0, 0
    while i < len(text):
        if depth == 0 and text.startswith(separator, i) and i > start:
            parts.append(text[start:i])
            start = i + len(separator)
            i = start
            continue
        char = text[i]
        if char == "\\" and i + 1 < len(text) and text[i + 1] in "{}":
            depth += 1 if text[i + 1] == "{" else -1
            i += 2
            continue
        depth += 1 if char in "([{" else -1 if char in ")]}" else 0
        i += 1
    return [*parts, text[start:]]


def unbracket(text: str) -> str:
    return re.sub(r"\\(?:left|right)\b\s*", "", text).strip()


def bracketed(text: str) -> tuple[str, list[str], str] | None:
    """Opening bracket, members and closing bracket of a tuple, interval or set."""
    plain = unbracket(text)
    for opening, closing in (("\\{", "\\}"), ("(", ")"), ("[", "]"), ("(", "]"), ("[", ")")):
        if plain.startswith(opening) and plain.endswith(closing) and len(plain) > len(opening) + len(closing):
            inside = plain[len(opening) : -len(closing)]
            depth = 0
            for char in inside:  # "(1,2),(3,4)" also starts and ends with brackets
                depth += 1 if char in "([" else -1 if char in ")]" else 0
                if depth < 0:
                    break
            if depth != 0 or "\\cup" in inside or "\\mid" in inside or "|" in inside:
                continue
            members = [member.strip() for member in split_top(inside, ",")]
            return (opening, members, closing) if all(members) else None
    return None


def bare_list(text: str) -> list[str] | None:
    """Members of `1, 2, 3`: top-level commas that separate no thousands."""
    if re.search(r"\\text|\\!|\{,\}|[=;$]|\\pm|\\cup|\\ldots", text) or re.search(r"\d,\d{3}(?!\d)", text):
        return None
    members = [member.strip() for member in split_top(text, ",")]
    return members if len(members) > 1 and all(members) else None


def matrix_entries(text: str) -> tuple[str, list[list[str]], str] | None:
    match = re.fullmatch(r"\\begin\{([pb])matrix\}(.*)\\end\{\1matrix\}", text.strip(), re.DOTALL)
    if not match:
        return None
    rows = [[entry.strip() for entry in row.split("&")] for row in match[2].split("\\\\") if row.strip()]
    return match[1], rows, ""


def show_matrix(kind: str, rows: list[list[str]]) -> str:
    return f"\\begin{{{kind}matrix}} " + r" \\ ".join(" & ".join(row) for row in rows) + f" \\end{{{kind}matrix}}"


def group_thousands(digits: str, separator: str) -> str:
    return re.sub(r"(?<=\d)(?=(?:\d{3})+$)", lambda _: separator, digits)


# ------------------------------------------------------------------------------------------------ equal rewrites
def rewrites(gold: Gold) -> Iterator[tuple[str, str]]:
    """Pairs of a rule and the gold's answer written in another way with the same value."""
    if gold.choice:
        yield from choice_rewrites(gold)
        return
    text = gold.bare
    plain = strip_dollars(text)
    value = rational(plain)
    if "$" not in text:
        yield "dollars", f"${text}$"
    elif plain != text and "\\text" not in plain and text.count("$") == 2:
        yield "no dollars", plain
    if re.search(r"\\[dt]?frac", text):
        yield "dfrac", re.sub(r"\\[dt]?frac", r"\\dfrac", text)
        yield "tfrac", re.sub(r"\\[dt]?frac", r"\\tfrac", text)
        if re.search(r"frac\{\d\}\{\d\}", text):
            yield "short frac", re.sub(r"\\([dt]?)frac\{(\d)\}\{(\d)\}", r"\\\1frac\2\3", text)
    if re.search(r"\\sqrt\{\d\}", text):
        yield "short sqrt", re.sub(r"\\sqrt\{(\d)\}(?!\d)", r"\\sqrt\1", text)
    if re.search(r"\\sqrt\d(?!\d)", text):
        yield "braced sqrt", re.sub(r"\\sqrt(\d)(?!\d)", r"\\sqrt{\1}", text)
    if "\\pi" in text and "\\text" not in text:
        yield "unicode pi", re.sub(r"\\pi(?![a-zA-Z])", "π", text)
    if "\\left" in text and "\\right" in text and "\\left\\{" not in text and "\\left." not in text:
        yield "no left, right", re.sub(r"\\(?:left|right)(?![a-zA-Z])", "", text)
    elif bracketed(text) and text[0] in "([":
        yield "left, right", f"\\left{text[0]}{text[1:-1]}\\right{text[-1]}"
    if "\\text" not in text and "$" not in text:
        yield "displaystyle", f"\\displaystyle {text}"
    if re.search(r"\\text\{[A-Za-z]+\}", text) and re.fullmatch(r"\\text\{([A-Za-z]+)\}", text):
        yield "no text", text[6:-1]
        yield "textbf", f"\\textbf{{{text[6:-1]}}}"
    if re.search(r"\^\\circ|\^\{\\circ\}", text) and "\\text" not in text:
        yield "degree sign", re.sub(r"\s*\^\{?\\circ\}?", "°", text)
        yield "braced circ", re.sub(r"\s*\^\{?\\circ\}?", r"^{\\circ}", text)
    if re.search(r",\s*\\infty", text):
        yield "plus infinity", re.sub(r",\s*\\infty", r", +\\infty", text)
    elif "+\\infty" in text:
        yield "no plus infinity", text.replace("+\\infty", "\\infty")
    if (matrix := matrix_entries(text)) is not None:
        kind, rows, _ = matrix
        yield "other brackets", show_matrix("b" if kind == "p" else "p", rows)
        if any(SLASH.fullmatch(entry) for row in rows for entry in row):
            yield (
                "entries frac",
                show_matrix(kind, [[SLASH.sub(slash_to_frac, entry) for entry in row] for row in rows]),
            )
    if (found := bracketed(plain)) and found[0] == "\\{" and len(found[1]) > 1:
        yield "set reordered", "\\{" + ", ".join(reversed(found[1])) + "\\}"
    parts = [part.strip() for part in split_top(unbracket(plain), "\\cup")]
    if len(parts) > 1 and "=" not in plain and "\\in" not in re.sub(r"\\infty", "", plain):
        yield "union reordered", r" \cup ".join(reversed(parts))
    if not re.search(r"[=,;<>]|\\(?:pm|mp|text|le|ge|cup|in|begin)(?![a-z])|[eE][+-]", plain) and value is None:
        terms = [term.strip() for term in split_top(plain, "+")]
        # `a + b` only: with a second sign the first term would have to be cut out with its own
        if (
            len(terms) == 2
            and all(terms)
            and not plain.endswith(".")
            and not any("-" in t[1:] for t in strip_groups(terms))
        ):
            second = terms[0] if terms[0].startswith("-") else f"+ {terms[0]}"
            yield "sum reordered", f"{terms[1]} {second}"
    if value is not None:
        yield from number_rewrites(gold, plain, value)


def strip_groups(terms: list[str]) -> list[str]:
    """Terms without what stands in braces or brackets, to look at top-level signs only."""
    out = []
    for term in terms:
        while (shorter := re.sub(r"\{[^{}]*\}|\([^()]*\)|\[[^\[\]]*\]", "", term)) != term:
            term = shorter
        out.append(term)
    return out


def slash_to_frac(match: re.Match) -> str:
    sign = "-" if match[1].startswith("-") else ""
    return f"{sign}\\frac{{{match[1].lstrip('-')}}}{{{match[2]}}}"


def number_rewrites(gold: Gold, text: str, value: Fraction) -> Iterator[tuple[str, str]]:
    yield "x =", f"x = {text}"
    yield "spaces", f" {text} "
    if GROUPED.fullmatch(text):
        yield "ungrouped", str(value.numerator)
    if INTEGER.fullmatch(text):
        yield "integer as decimal", f"{text}.0"
        if len(text.lstrip("+-")) > 3:
            for separator in (",", "{,}", ",\\!", "\\,"):
                yield f"grouped by {separator}", group_thousands(text, separator)
    if DECIMAL.fullmatch(text):
        yield "trailing zero", f"{text}0"
        if text.startswith("0."):
            yield "no leading zero", text[1:]
        elif text.startswith("."):
            yield "leading zero", f"0{text}"
    if match := SCIENTIFIC.fullmatch(text):
        yield "times ten", f"{match[1]} \\times 10^{{{int(match[2])}}}"
        yield "cdot ten", f"{match[1]}\\cdot10^{{{int(match[2])}}}"
        yield "capital E", f"{match[1]}E{match[2]}"
    if SLASH.fullmatch(text):
        yield "frac", SLASH.sub(slash_to_frac, text)
    if FRACTION.fullmatch(text):
        yield "slash", f"{value.numerator}/{value.denominator}"
        if value < 0:
            yield "sign in frac", f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
    if value < 0:
        yield "unicode minus", text.replace("-", "−")
    if gold.chinese and "\\" not in text:
        yield "full width", text.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789"})
    if gold.money and not re.search(r"[/%\\]", text):
        if gold.chinese:
            yield "yuan", f"{text}元"
            yield "text yuan", f"{text}\\text{{元}}"
            yield "ge", f"{text}个"
            yield "answer is", f"答案是{text}"
        else:
            yield "dollars after", f"{text} \\text{{ dollars}}"
            yield "apples after", f"{text} apples"
            if value >= 0:
                yield "dollar sign", f"\\${text}"


def choice_rewrites(gold: Gold) -> Iterator[tuple[str, str]]:
    letters = re.sub(r"[^A-Z]", "", gold.bare)
    if len(letters) > 1:
        yield "joined", letters
        yield "commas", ", ".join(letters)
        yield "Chinese commas", "、".join(letters)
        yield "text", f"\\text{{{letters}}}"
        return
    yield "brackets", f"({letters})"
    yield "text", f"\\text{{{letters}}}"
    yield "text brackets", f"\\text{{({letters})}}"
    yield "bold", f"\\textbf{{({letters})}}"
    yield "full stop", f"{letters}."
    if gold.chinese:
        yield "full-width brackets", f"（{letters}）"
        yield "choose", f"选{letters}"
        yield "answer is", f"答案是{letters}"
    index = ord(letters) - ord("A")
    if index < len(gold.options) and balanced(option := gold.options[index]):
        yield "letter. text", f"{letters}. {option}"
        yield "(letter) text", f"({letters}) {option}"
        if not re.search(r"[$\\{}_^&%#]", option):
            yield "text{letter. text}", f"\\text{{{letters}. {option}}}"


def balanced(text: str) -> bool:
    depth = 0
    for char in re.sub(r"\\[{}]", "", text):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth < 0:
            return False
    return depth == 0 and text.count("$") % 2 == 0 and "boxed" not in text


# ------------------------------------------------------------------------------------------------ other values
def change_digit(gold: Gold, rng: random.Random) -> str | None:
    """The answer with one digit changed so that its value changes; None where that is not certain."""
    text = gold.bare
    # 1^2 = 1^3, and 1\frac{9}{5} may be read as a product, which is 1\frac{4}{5}
    if re.search(r"(?<![\d.])[01]\s*\^|\\textcircled|^-?1\s*\\[dt]?frac", text):
        return None
    # A digit of a subscript only names a constant (C_1), so changing it may rename and not change; that of a unit's
    # power (units^2) leaves the number as it is.
    subscript = re.compile(r"_\{?$|\}\s*\^\{?$")
    spots = [i for i, c in enumerate(text) if c in "0123456789" and not subscript.search(text[:i])]
    if not spots:
        return None
    spot = rng.choice(spots)
    # Not 0 (0.5 -> 0.0 and 10 -> 00 are odd), and best a digit not yet in the answer (no permutation of a list).
    fresh = [d for d in "123456789" if d not in text] or [d for d in "123456789" if d != text[spot]]
    return text[:spot] + rng.choice(fresh) + text[spot + 1 :]


def other_letters(gold: Gold) -> Iterator[tuple[str, str]]:
    letters = re.sub(r"[^A-Z]", "", gold.bare)
    others = [c for c in "ABCD" if c not in letters]
    if len(letters) == 1:
        for other in others:
            yield f"letter {other}", other
        yield "two letters", f"{letters}{others[0]}"
        yield "either letter", f"{letters} or {others[0]}"
    else:
        yield "letter dropped", letters[:-1]
        if others:
            yield "letter added", letters + others[0]
            yield "letter changed", letters[:-1] + others[-1]


def perturbations(gold: Gold, rng: random.Random, words: list[str]) -> Iterator[tuple[str, str]]:
    """Pairs of a rule and an answer whose value differs for certain from the gold's."""
    if gold.choice:
        # a wrong letter is what a changed digit is elsewhere, and counted there
        yield from ((rule, new) for rule, new in other_letters(gold) if not rule.startswith("letter "))
        return
    text = strip_dollars(gold.bare)
    value = rational(text)
    if value is not None:
        if value != 0:
            yield "sign", text[1:] if text[0] == "-" else f"-{text.lstrip('+')}"
            yield "ten times", show_rational(value * 10)
            yield "hundredth", show_rational(value / 100)
        if value.denominator == 1:
            yield "next integer", str(value.numerator + 1)
            yield "two numbers", f"{value.numerator}, {value.numerator + 1}"
            yield "or", f"{value.numerator} \\text{{ or }} {value.numerator + 1}"
            yield "false equation", f"{value.numerator + 1} = {value.numerator}"
        elif value.denominator > 1 and FRACTION.fullmatch(text) and abs(value) != 1 and value != 0:
            yield "upside down", f"\\frac{{{value.denominator}}}{{{value.numerator}}}"
    if (match := re.fullmatch(r"\\text\{([A-Za-z]+)\}", text)) and words:
        others = [w for w in words if w.lower() != match[1].lower() and len(w) > 1 and len(match[1]) > 1]
        if others:
            yield "other word", f"\\text{{{rng.choice(others)}}}"
    if found := bracketed(text):
        yield from bracket_perturbations(*found)
    elif members := bare_list(text):
        values = [rational(member) for member in members]
        if None not in values and len(set(values)) == len(values):
            yield "member dropped", ", ".join(members[:-1])
            yield "member added", ", ".join([*members, fresh_integer(values)])
    parts = [part.strip() for part in split_top(unbracket(text), "\\cup")]
    if len(parts) > 1 and "=" not in text and "\\in " not in text:
        yield "union cut", r" \cup ".join(parts[:-1])
    if (matrix := matrix_entries(text)) is not None:
        yield from matrix_perturbations(matrix[0], matrix[1])
    if renamed := rename_variable(text):
        yield "other variable", renamed


def show_rational(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"\\frac{{{value.numerator}}}{{{value.denominator}}}"


def fresh_integer(values: list[Fraction | None]) -> str:
    return str(next(n for n in range(2, 1000) if n not in values))


def bracket_perturbations(opening: str, members: list[str], closing: str) -> Iterator[tuple[str, str]]:
    values = [rational(member) for member in members]
    known = None not in values
    if opening == "\\{":
        if known and len(set(values)) == len(values):
            if len(members) > 1:
                yield "member dropped", "\\{" + ", ".join(members[:-1]) + "\\}"
            yield "member added", "\\{" + ", ".join([*members, fresh_integer(values)]) + "\\}"
        return
    if len(members) < 2:
        return
    if len(members) == 2:
        if "\\infty" not in members[0]:
            yield "left end", f"{'[' if opening == '(' else '('}{members[0]},{members[1]}{closing}"
        if "\\infty" not in members[1]:
            yield "right end", f"{opening}{members[0]},{members[1]}{']' if closing == ')' else ')'}"
    if known and values[0] != values[1]:
        yield "swapped", f"{opening}{', '.join([members[1], members[0], *members[2:]])}{closing}"
    if values[-1]:
        yield "sign of last", f"{opening}{', '.join([*members[:-1], show_rational(-values[-1])])}{closing}"
    if len(members) > 2:
        yield "member dropped", f"{opening}{', '.join(members[:-1])}{closing}"
    if opening == "(" and closing == ")" and "\\infty" not in members[0] + members[1]:
        yield "as a set", "\\{" + ", ".join(members) + "\\}"


def matrix_perturbations(kind: str, rows: list[list[str]]) -> Iterator[tuple[str, str]]:
    flat = [(i, j, rational(entry)) for i, row in enumerate(rows) for j, entry in enumerate(row)]
    if any(value is None for *_, value in flat):
        return
    for i, j, value in flat:
        if value:
            changed = [list(row) for row in rows]
            changed[i][j] = show_rational(-value)
            yield "sign of entry", show_matrix(kind, changed)
            break
    a = flat[0]
    for i, j, value in flat[1:]:
        if value != a[2]:
            changed = [list(row) for row in rows]
            changed[a[0]][a[1]], changed[i][j] = changed[i][j], changed[a[0]][a[1]]
            yield "entries swapped", show_matrix(kind, changed)
            break
    if len(rows) > 1:
        yield "row dropped", show_matrix(kind, rows[:-1])


def rename_variable(text: str) -> str | None:
    """The answer in another variable, where it is an expression in exactly one."""
    if re.search(r"[=,;<>]|\\(?:text|math|in|begin|np)|np\.|'", text):
        return None
    bare = re.sub(r"\\[a-zA-Z]+", " ", text)
    letters = set(re.findall(r"[a-zA-Z]", bare))
    if len(letters) != 1 or not re.search(r"[\d+^-]", bare):
        return None
    (letter,) = letters
    if letter in "eicCdDmEZ" or letter.isupper():  # constants, units and function-like names
        return None
    new = "y" if letter != "y" else "z"
    return re.sub(rf"(\\[a-zA-Z]+)|{letter}", lambda m: m[1] or new, text)


def first_number(gold: Gold) -> str | None:
    """The first number in an answer that is no plain number: what a careless reader makes of it."""
    if gold.choice:
        return None
    text = strip_dollars(gold.bare)
    compact = re.sub(r"\\[!,;: ]|\s|\{,\}|,(?=\d{3}(?!\d))|\\\$|\^\{?\\circ\}?|°|\\?%|\\%", "", text)
    # A number with a unit, or assigned to a letter, is a number; what a ratio, a base or a date comes down to is open.
    compact = re.sub(r"\\(?:text|mathrm|mbox)\{[^}]*\}(?:\^\{?\d\}?)?", "", compact)
    compact = re.sub(r"^\\?[a-zA-Z](?:_\{?\w\}?)?=", "", compact)
    if rational(compact) is not None or re.search(r"_|:|\\text|\\mbox|np\.|\\textcircled|[一-鿿]", text):
        return None
    if re.fullmatch(r"-?\d+\.?/\d+", compact):
        return None
    match = re.search(r"\d+(?:\.\d+)?|\.\d+", text)
    return match[0] if match and match[0] != compact else None


# ------------------------------------------------------------------------------------------------ rows and verdicts
def box(answer: str) -> str:
    return f"The answer is \\boxed{{{answer}}}."


def make_rows(name: str, golds: list[Gold], seed: int = 0, kinds: tuple[str, ...] = KINDS) -> list[Row]:
    """All labelled rows of one set."""
    rng = random.Random(f"{name}-{seed}")
    words = sorted({m[1] for g in golds if (m := re.fullmatch(r"\\text\{([A-Za-z]+)\}", g.bare))})
    rows = []
    for gold in golds:
        found: list[tuple[str, str, str]] = [("verbatim", "verbatim", gold.bare)]
        found += [("rewrite", rule, new) for rule, new in rewrites(gold)]
        if (changed := change_digit(gold, rng)) is not None and not gold.choice:
            found.append(("digit", "digit", changed))
        if gold.choice:  # a letter stands for the digit here
            found += [("digit", rule, new) for rule, new in other_letters(gold) if rule.startswith("letter ")]
        found += [("perturbed", rule, new) for rule, new in perturbations(gold, rng, words)]
        if (number := first_number(gold)) is not None:
            found.append(("misread", "first number", number))
        rows += [Row(name, kind, rule, box(new), gold.stored) for kind, rule, new in found if kind in kinds]
    return rows


def judge(reward: Callable, rows: list[Row]) -> list[float | None]:
    return list(reward([row.completion for row in rows], [row.gold for row in rows])) if rows else []


def wrong(row: Row, verdict: float | None) -> bool:
    """An answer that must be accepted needs 1.0; one that must be rejected may have anything else."""
    return (verdict == 1.0) != (row.kind in ACCEPT)


def trl_reward(completions: list[str], solution: list[str]) -> list[float | None]:
    from trl.rewards import accuracy_reward

    return accuracy_reward([[{"role": "assistant", "content": text}] for text in completions], solution)


def rate(part: int, whole: int) -> str:
    return f"{100 * part / whole:6.2f} % {part:5d}/{whole:<6d}" if whole else f"{'-':>21}"


def table(title: str, results: list[tuple[Row, float | None]]) -> str:
    """One line a set: rates and counts of each kind, and how many golds could not be read."""
    lines = [
        title,
        f"{'set':14s} {'n':>6s} " + " ".join(f"{k + (' FN' if k in ACCEPT else ' FP'):>21s}" for k in KINDS),
    ]
    lines[1] += "   None"
    by_set = defaultdict(list)
    for row, verdict in results:
        by_set[row.set].append((row, verdict))
        by_set["all"].append((row, verdict))
    for name, found in sorted(by_set.items(), key=lambda item: item[0] == "all"):
        cells = []
        for kind in KINDS:
            of_kind = [wrong(row, verdict) for row, verdict in found if row.kind == kind]
            cells.append(rate(sum(of_kind), len(of_kind)))
        golds = sum(row.kind == "verbatim" for row, _ in found)
        unread = sum(row.kind == "verbatim" and verdict is None for row, verdict in found)
        lines.append(f"{name:14s} {golds:6d} " + " ".join(f"{cell:>21s}" for cell in cells) + f" {unread:6d}")
    return "\n".join(lines)


def by_rule(results: list[tuple[Row, float | None]]) -> str:
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for row, verdict in results:
        counts[row.kind, row.rule][0] += wrong(row, verdict)
        counts[row.kind, row.rule][1] += 1
    lines = [f"  {kind:9s} {rule:22s} {bad:5d}/{n}" for (kind, rule), (bad, n) in sorted(counts.items()) if bad]
    return "\n".join(["wrong by rule:", *lines]) if lines else "no row is wrong"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=DEFAULT_DATA, help="folder with the sets (default ../shared/data)"
    )
    parser.add_argument("--sets", nargs="*", help="only these sets")
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=list(KINDS), help="only these kinds of row")
    parser.add_argument("--sample", type=int, help="at most this many golds of each set")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--failures", type=Path, help="write the rows judged wrong to this JSONL")
    parser.add_argument(
        "--baseline", choices=["trl"], help="judge a sample of the same rows with TRL's accuracy_reward"
    )
    parser.add_argument("--baseline-rows", type=int, default=200, help="rows of each set and kind for the baseline")
    args = parser.parse_args(argv)
    if not args.data.is_dir():
        print(f"no data at {args.data}: give the folder with --data", file=sys.stderr)
        return 2
    from trl_dsmath.rewards import boxed_accuracy_reward

    rng = random.Random(args.seed)
    work: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for name, golds in load_golds(args.data).items():
        if args.sets and name not in args.sets:
            continue
        if args.sample and len(golds) > args.sample:
            golds = rng.sample(golds, args.sample)
        for row in make_rows(name, golds, args.seed, tuple(args.kinds)):
            work[name, row.kind].append(row)
    results: list[tuple[Row, float | None]] = []
    start = time.perf_counter()
    for (name, kind), rows in (progress := tqdm(work.items(), disable=None)):
        progress.set_description(f"{name} {kind}")
        results += zip(rows, judge(boxed_accuracy_reward, rows), strict=True)
    seconds = time.perf_counter() - start
    print(table("trl_dsmath.rewards.boxed_accuracy_reward", results))
    print(by_rule(results))
    print(f"{len(results)} rows in {seconds:.1f} s")
    if args.failures:
        with args.failures.open("w", encoding="utf-8") as file:
            for row, verdict in results:
                if wrong(row, verdict):
                    record = {**row.__dict__, "must_accept": row.kind in ACCEPT, "verdict": verdict}
                    file.write(json.dumps(record, ensure_ascii=False) + "\n")
    if args.baseline:
        theirs: list[tuple[Row, float | None]] = []
        ours = {(row.set, row.kind, row.completion, row.gold): verdict for row, verdict in results}
        for (name, kind), rows in (progress := tqdm(work.items(), disable=None)):
            progress.set_description(f"trl {name} {kind}")
            rows = rng.sample(rows, min(len(rows), args.baseline_rows))
            theirs += zip(rows, judge(trl_reward, rows), strict=True)
        print(table("\ntrl.rewards.accuracy_reward, golds as stored, a sample", theirs))
        same = [(row, ours[row.set, row.kind, row.completion, row.gold]) for row, _ in theirs]
        print(table("\ntrl_dsmath on that sample", same))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
