"""The process in which math-verify and sympy run: `python -m trl_dsmath.grading.worker`.

One *zygote* imports them once, warms them up, and forks a child for each socket that the caller hands it, in
milliseconds. A child judges one pair and ends, so a verdict depends on the pair alone: not on what was judged before, nor,
because a child is limited in CPU time, on how busy the machine is. The kernel ends a child at its limit of time or
memory, and when the zygote is gone; a caller that dies leaves nothing behind.
"""

import contextlib
import ctypes
import gc
import json
import logging
import math
import os
import re
import resource
import select
import signal
import socket
import sys
from fractions import Fraction
from typing import TYPE_CHECKING

from .expressions import MPMATH_NAMES

if TYPE_CHECKING:
    from sympy import Basic

MEMORY_BYTES = 2 << 30
_PR_SET_PDEATHSIG = 1
# Judged before the first fork: sympy and antlr load tables and fill caches at their first integral, limit, sum, matrix.
_WARM_UP = [
    (r"\frac{\pi}{4}", r"\int_0^1 \frac{1}{1+x^2} \, dx"),
    (r"\frac{x^3}{2}", r"\int_0^x t \, dt"),
    ("1", r"\lim_{x \to 0} \frac{\sin x}{x}"),
    ("e", r"\sum_{n=0}^{\infty} \frac{1}{n!}"),
    (r"\frac{n(n+1)}{2}", r"\sum_{k=1}^{n} k^2"),
    (
        r"x(t) = c_1 e^{3t} \begin{pmatrix} 1 \\ 2 \end{pmatrix}",
        r"x(t) = c_1 e^{3t} \begin{pmatrix} 1 \\ 3 \end{pmatrix}",
    ),
]

_FUNCTION_NAMES = (
    "sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc sinh cosh tanh arsinh arcosh artanh ln log exp"
)
_FUNCTIONS = set(_FUNCTION_NAMES.split())
_ALIASES = {"lg": "log_{10}", "arcsinh": "arsinh", "arccosh": "arcosh", "arctanh": "artanh"}
_ALIASES |= {short: name for name, short in MPMATH_NAMES.items()}  # sympy's are mpmath's: `atan`
_COMMAND_NAMES = (  # of those that `normalize` leaves
    "alpha beta gamma delta epsilon zeta eta theta vartheta kappa lambda mu nu xi pi rho sigma tau phi chi psi omega Gamma Delta Theta "
    "Lambda Xi Pi Sigma Phi Psi Omega infty frac sqrt binom int sum prod lim to partial left right begin end langle rangle lfloor "
    "rfloor lceil rceil cdot times div pm mp le ge neq approx in cup cap setminus circ dots quad qquad limits vec hat bar overline"
)
_COMMANDS = _FUNCTIONS | set(_COMMAND_NAMES.split())
_NAME = re.compile(  # of a function, in any dress: \text{atan}, \atan, atan
    rf"\\text\s*\{{\s*([A-Za-z]+)\s*\}}|\\([A-Za-z]+)|(?<![A-Za-z])({'|'.join([*_FUNCTIONS, *_ALIASES])}|gcd|lcm|floor|ceil|rank|tr|det)(?![A-Za-z])"
)
_BARE_LOG = re.compile(r"\\log(?![A-Za-z])(?!\s*_)")
_ONE_SIDE = re.compile(r"\^\s*([+-])(?=\s*\})")  # \lim_{x \to 0^+}
_HIGHER_DERIVATIVE = re.compile(  # \frac{d^2}{dx^2}
    r"\\frac\s*\{\s*(d|\\partial)\s*\^\s*\{?\s*(\d)\s*\}?\s*\}\s*\{\s*(\1\s*[a-z])\s*\^\s*\{?\s*\2\s*\}?\s*\}"
)
_MIXED_DERIVATIVE = re.compile(  # \frac{\partial^2}{\partial x \partial y}
    r"\\frac\s*\{\s*\\partial\s*\^\s*\{?\s*2\s*\}?\s*\}\s*\{\s*(\\partial\s*[a-z])\s*(\\partial\s*[a-z])\s*\}"
)


def main() -> None:
    """Serves forks on the socket at file descriptor 0 until the other end closes."""
    caller = os.getppid()
    logging.disable(logging.WARNING)  # math-verify warns at every call that its own timeouts are off: ours are outside
    for pair in _WARM_UP:
        same_formula(*pair)
    gc.collect()
    gc.freeze()  # the children share these pages
    control = socket.socket(fileno=os.dup(0))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the children
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's to handle
    control.sendall(b"+")  # ready
    while True:
        readable, _, _ = select.select([control], [], [], 1.0)
        if os.getppid() != caller:
            return
        if not readable:
            continue
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            return
        if os.fork() == 0:
            control.close()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
                _serve(socket.socket(fileno=descriptors[0]))
            os._exit(0)
        os.close(descriptors[0])


def _serve(connection: socket.socket) -> None:
    """Judges the one pair on a socket: tells the process id at once, then verdict and CPU seconds."""
    if sys.platform == "linux":  # follow the zygote into death
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with connection.makefile("rw", encoding="utf-8") as stream:
        stream.write(json.dumps(os.getpid()) + "\n")
        stream.flush()
        gold, answer, limit = json.loads(stream.readline())
        signal.setitimer(signal.ITIMER_PROF, limit)  # SIGPROF has no handler: the kernel ends this process
        seconds = math.ceil(limit) + 2
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        try:
            same: bool | None = same_formula(gold, answer)
        except MemoryError:
            same = None
        stream.write(json.dumps([same, sum(os.times()[:2])]) + "\n")
        stream.flush()


def same_formula(gold: str, answer: str) -> bool:
    """Whether math-verify reads both formulas to their ends and they are equal.

    Raises:
        MemoryError: the limit was reached; the pair is not judged.
    """
    try:
        sides = _with_commands(gold), _with_commands(answer)
        if not set(re.findall(r"\\([A-Za-z]+)", " ".join(sides))) <= _COMMANDS:
            return False  # math-verify drops what it does not know: `\erf(\frac27)` would be 2/7
        natural = _BARE_LOG.sub(r"\\ln", sides[0]), _BARE_LOG.sub(r"\\ln", sides[1])
        for reading in dict.fromkeys([natural, sides]):  # a bare `\log` is natural or decimal, on both sides the same
            left, right = map(_read, reading)
            if left is not None and right is not None and _same(left, right):
                return True
        return False
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  a process boundary: whatever sympy raises, the pair is not shown to be equal
        return False


def _with_commands(text: str) -> str:
    r"""A formula with `\arctan` for `atan`, `\atan` and `\text{atan}`."""
    text = re.sub(r"(?<=\d)\\text\s*\{\s*e\s*\}\{?(-?\d+)\}?", r" \\cdot 10^{\1}", text)  # 6.7\mathrm{e}{-11}
    text = re.sub(r"\\text\s*\{\s*([a-z]|\d+)\s*\}", r"\1", text)

    def command(found: re.Match[str]) -> str:
        if text[: found.start()].endswith("_{") and found[3]:
            return "\\index "  # f_{max}(x): not read
        word = found[1] or found[2] or found[3]
        name = _ALIASES.get(word, word)
        return found[0] if name == found[2] else f"\\{name} "

    return _NAME.sub(command, text)


def _read(text: str) -> "Basic | None":
    """The expression that math-verify reads, or `None` where it leaves out a number (it skips what it does not know)."""
    from math_verify import LatexExtractionConfig, parse

    text = re.sub(r"([_^])\s*([a-z])(?![a-z])", r"\1{\2}", text)  # \int_1^e x dx
    text = _ONE_SIDE.sub(r"^{\1}", text)
    text = _HIGHER_DERIVATIVE.sub(lambda found: rf"\frac{{{found[1]}}}{{{found[3]}}}" * int(found[2]), text)
    text = _MIXED_DERIVATIVE.sub(r"\\frac{\\partial}{\1}\\frac{\\partial}{\2}", text)
    text = re.sub(r"\{([A-Za-z])\}(?=\s*\()", r"\1", text)  # what normalizing leaves of \mathbf{x}(t)
    found = parse(f"\\boxed{{{text}}}", [LatexExtractionConfig(boxed_match_priority=0)], parsing_timeout=None)
    if not found or isinstance(found[0], str):
        return None
    text = re.sub(r"\\(?:[dt]?frac|binom)\s*(\d)\s*(\d)", r"\\frac{\1}{\2}", text)
    text = re.sub(r"(\\sqrt|\^)\s*(\d)(?=\d)", r"\1{\2}", text)
    written = {Fraction(number) for number in re.findall(r"\d+(?:\.\d+)?|\.\d+", text)}
    return found[0] if written <= _numbers(found[0]) else None


def _numbers(expression: "Basic") -> set[Fraction]:
    """Absolute values of the numbers in an expression, numerators and denominators, and indices of its symbols."""
    from sympy import Float, MatrixBase, Rational, preorder_traversal

    found = {Fraction(0), Fraction(1)}  # sympy drops "+ 0" and "1 x"
    for node in preorder_traversal(expression):
        if isinstance(node, Rational):
            found |= {Fraction(abs(node.p)), Fraction(node.q), Fraction(abs(node.p), node.q)}
        elif isinstance(node, Float):
            found.add(abs(Fraction(str(node))))
        elif isinstance(node, MatrixBase):
            found |= set().union(*map(_numbers, node.flat()))
        elif not node.args:
            found |= {Fraction(digits) for digits in re.findall(r"\d+", str(node))}
        elif node.is_Function:
            found |= {Fraction(digits) for digits in re.findall(r"\d+", node.func.__name__)}
    return found


def _same(gold: "Basic", answer: "Basic") -> bool:
    """Compares equations side by side, matrices entry by entry and sets element by element; math-verify does the rest."""
    from math_verify import verify
    from sympy import Eq, FiniteSet

    if isinstance(gold, Eq) and isinstance(answer, Eq):
        straight = _same(gold.lhs, answer.lhs) and _same(gold.rhs, answer.rhs)
        if straight or (_same(gold.lhs, answer.rhs) and _same(gold.rhs, answer.lhs)):
            return True
        if any(_has_matrix(side) or _is_name(side.lhs) or not side.free_symbols for side in (gold, answer)):
            return False
    elif isinstance(gold, Eq) or isinstance(answer, Eq):
        equation, other = (gold, answer) if isinstance(gold, Eq) else (answer, gold)
        return _is_name(equation.lhs) and _same(equation.rhs, other)
    elif isinstance(gold, FiniteSet) and isinstance(answer, FiniteSet):
        left = list(answer.args)
        for one in gold.args:
            match = next((other for other in left if _same(one, other)), None)
            if match is None:
                return False
            left.remove(match)
        return not left
    elif gold.as_dummy() == answer.as_dummy():  # the same but for names of bound variables
        return True
    elif _has_matrix(gold) or _has_matrix(answer):
        return _same_matrix(gold, answer)
    elif (same := _same_number(gold, answer)) is not None or (same := _same_function(gold, answer)) is not None:
        return same
    return bool(verify([gold], [answer], timeout_seconds=None))


def _same_number(gold: "Basic", answer: "Basic") -> bool | None:
    """Compares two constants; `None` where one is no constant or the decision is close."""
    left, right = _number(gold), _number(answer)
    if left is None or right is None:
        return None
    distance = abs(left - right) / max(abs(left), abs(right))
    return True if distance < 1e-12 else False if distance > 1e-5 else None


def _same_function(gold: "Basic", answer: "Basic") -> bool | None:
    """Compares a derivative or an integral with a formula, at four points; `None` for other formulas and where one has no value."""
    from sympy import Derivative, Float, Integral

    names = sorted(gold.free_symbols | answer.free_symbols, key=str)
    if not names or (not gold.has(Derivative, Integral) and not answer.has(Derivative, Integral)):
        return None
    left, right = gold.doit(), answer.doit()
    verdicts = []
    for point in ("0.37", "-0.58", "1.71", "-2.23"):
        values = {name: Float(point, 30) + place for place, name in enumerate(names)}
        verdicts.append(_same_number(left.subs(values), right.subs(values)))
    return None if None in verdicts else all(verdicts)


def _number(expression: "Basic") -> "complex | None":
    """Value of a constant other than 0; by quadrature, which is quicker than integration, or else in closed form."""
    from sympy import Expr
    from sympy.core.evalf import PrecisionExhausted

    if not isinstance(expression, Expr) or expression.free_symbols:
        return None
    for form in (lambda: expression, expression.doit):
        with contextlib.suppress(PrecisionExhausted, TypeError, ValueError, NotImplementedError):
            value = complex(form().evalf(strict=True))
            if value and math.isfinite(abs(value)):
                return value
    return None


def _is_name(side: "Basic") -> bool:
    """`y`, `f(x)`, and `x(t)`, which math-verify reads as a product of symbols."""
    from sympy import Mul, Symbol
    from sympy.core.function import AppliedUndef

    return isinstance(side, Symbol | AppliedUndef) or (
        isinstance(side, Mul) and all(isinstance(factor, Symbol) for factor in side.args)
    )


def _has_matrix(expression: "Basic") -> bool:
    from sympy import MatrixBase, MatrixExpr, preorder_traversal

    return any(isinstance(node, MatrixBase | MatrixExpr) for node in preorder_traversal(expression))


def _same_matrix(gold: "Basic", answer: "Basic") -> bool:
    from sympy import MatrixBase, simplify

    left, right = (side.doit() for side in (gold, answer))
    if not (isinstance(left, MatrixBase) and isinstance(right, MatrixBase)) or left.shape != right.shape:
        return False
    return all(simplify(one - other) == 0 for one, other in zip(left.flat(), right.flat(), strict=True))


if __name__ == "__main__":
    main()
