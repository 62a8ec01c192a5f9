"""Cuts canonical LaTeX into tokens: numbers, symbols, functions, commands, words and signs."""

import re

from .units import SHORT, UNITS

Token = tuple[str, str]

FUNCTIONS = {
    "sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "arccot", "sinh", "cosh", "tanh", "coth",
    "ln", "log", "lg", "exp", "sqrt", "arcsec", "arccsc", "arsinh", "arcosh", "artanh", "cis", "asin", "acos", "atan",
}  # fmt: skip
_CONSTANT_WORDS = {"pi", "infinity", "inf", "infty"}
_GREEK = {
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi", "rho",
    "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi",
    "Psi", "Omega", "ell", "hbar", "nabla", "partial", "aleph",
}  # fmt: skip
# Words that turn "5 or more" and "not 5" into something other than the number 5.
STOP_WORDS = set("不非或余和") | {
    "or", "not", "and", "less", "more", "least", "most", "if", "when", "where", "remainder", "r", "except", "than", "over",
    "under", "between", "but", "no", "neither", "only", "mod",
}  # fmt: skip
_PLAIN_WORDS = {
    "all",
    "any",
    "the",
    "one",
    "two",
    "six",
    "ten",
    "yes",
    "no",
    "true",
    "false",
    "none",
    "even",
    "odd",
    "never",
    "always",
    "north",
    "south",
    "east",
    "west",
}
_MULTIPLIERS = {"hundred": "100", "thousand": "1000", "million": "1000000", "billion": "1000000000", "dozen": "12"}
_CHINESE_MULTIPLIERS = {"万": "10000", "亿": "100000000"}
PREFIXES = {"about", "approximately", "approx", "exactly", "rs", "usd", "us", "约", "共", "大约", "rmb", "cny", "$"}

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<repeating>\d*\.\d*\\(?:overline|dot|bar)\s*\{?\d+\}?(?:\\dot\s*\{?\d\}?)?)
    | (?P<period>\d*\.\d*\(\d+\))
    | (?P<number>(?:\d{1,3}(?:,\d{3})+(?![\d])|\d+)?\.\d+(?:[eE][+-]?\d+)?|(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+\.?)(?:[eE][+-]?\d+)?)
    | \\text\s*\{(?P<text>[^{}]*)\}
    | \\(?P<command>[a-zA-Z]+)
    | (?P<escaped>\\[^a-zA-Z])
    | (?P<cjk>[\u3000-\u303f\u4e00-\u9fff]+)
    | (?P<word>[A-Za-z]+)
    | (?P<sign>.)
    )""",
    re.VERBOSE | re.DOTALL,
)


def tokenize(text: str) -> list[Token]:
    """Cuts canonical LaTeX into `(kind, value)` pairs; kinds: num, rep, sym, fn, cmd, text, op."""
    tokens: list[Token] = []
    for found in _TOKEN.finditer(text):
        kind, value = found.lastgroup, found[found.lastgroup or 0]
        if kind == "number":
            tokens.append(("num", value.replace(",", "")))
        elif kind in ("repeating", "period"):
            tokens.append(("rep", value))
        elif kind == "command":
            if value in FUNCTIONS and value != "sqrt":
                tokens.append(("fn", value))
            elif value in _GREEK:
                tokens.append(("sym", value))
            elif value[:-1] in FUNCTIONS and value != "arccos":  # "\\cotx"
                tokens += [("fn", value[:-1]), ("sym", value[-1])]
            else:
                tokens.append(("cmd", value))
        elif kind == "escaped":
            tokens.append(("op", value))
        elif kind in ("word", "text", "cjk"):
            tokens += _word(value.strip(), tokens, quoted=kind != "word")
        elif value.strip():
            tokens.append(("op", value))
    return tokens


def _word(word: str, before: list[Token], quoted: bool) -> list[Token]:
    """A run of letters: a function, a unit, a word, or a product of one-letter variables."""
    if not word:
        return []
    after_value = bool(before) and (
        before[-1][0] in ("num", "rep", "text") or before[-1][1] in (")", "}", "%", "\\circ")
    )
    if after_value and (factor := _MULTIPLIERS.get(word.lower())):
        return [("op", "*"), ("num", factor)]
    if after_value and word[0] in _CHINESE_MULTIPLIERS and word not in UNITS:
        return [("op", "*"), ("num", _CHINESE_MULTIPLIERS[word[0]]), *_word(word[1:], [("num", "")], quoted)]
    if after_value and word.lower() in ("percent", "percentage"):
        return [("op", "%")]
    if word in _CONSTANT_WORDS:
        return [("cmd", word)]
    if word.lower() in _PLAIN_WORDS:
        return [("text", word)]
    if word in FUNCTIONS:
        return [("cmd", "sqrt") if word == "sqrt" else ("fn", word)]
    if quoted:
        if word in ("i", "e", "d") or (len(word) == 1 and not after_value and word.isascii() and word.isalpha()):
            return [("sym", word)]
        return [("text", word)]
    if len(word) == 1:
        return [("sym", word)]
    if (
        (after_value and (word.lower() in UNITS or word.lower() in SHORT or word.lower() in ("sq", "cu", "per", "a")))
        or word.lower() in STOP_WORDS
        or word.lower() in PREFIXES
    ):
        return [("text", word)]
    for name in (
        "arcsin",
        "arccos",
        "arctan",
        "sqrt",
        "sin",
        "cos",
        "tan",
        "ln",
        "log",
        "pi",
        "exp",
    ):  # "2sqrt(3)", "sinx"
        if word.startswith(name) and len(word) <= len(name) + 1:
            rest = _word(word[len(name) :], [], quoted)
            return [("fn", name) if name in FUNCTIONS and name != "sqrt" else ("cmd", name), *rest]
    if len(word) >= 4 and not word.isupper():
        return [("text", word)]
    return [("sym", letter) for letter in word]
