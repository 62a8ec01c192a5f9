"""What hostile answers cost: time, memory and verdict of each, then a batch of 1,024 with six that hang a grader.

    python benchmarks/hostile_answers.py [--limit 5]

Every answer is graded against five golds of different kinds. A line is printed where a pair took more than a tenth of a
second. `grow MB` is the growth of this process; workers are separate and limited to 2 GiB each.
"""

import argparse
import time
from pathlib import Path

GOLDS = ["5", r"\frac{1}{2}x^2+\sin x", "(1,2)", r"\{1,2,3\}", r"\int_0^1 2x\,dx"]
MARKER = Path("/tmp/trl_dsmath_hostile_marker")

HOSTILE = {
    "power tower": "9^{9^{9^{9}}}",
    "Math-Verify issue 65": r"\dfrac{5^{(5^{(5^{(5^5)})}-4)}-5}{16}",
    "10^10^10": "10^{10^{10}}",
    "tower without braces": "9^9^9^9^9",
    "tower in Python": "9**9**9**9",
    "power modulo": r"7^{10^{100}} \bmod 13",
    "factorial of 1e8": "100000000!",
    "nested factorials": "((((9!)!)!)!)!",
    "a thousand factorials": "3" + "!" * 1000,
    "binomial of 1e9": r"\binom{1000000000}{500000000}",
    "1000 braces": "{" * 1000 + "1" + "}" * 1000,
    "1000 parentheses": "(" * 1000 + "1" + ")" * 1000,
    "300 fractions": r"\frac{1}{" * 300 + "2" + "}" * 300,
    "300 roots": r"\sqrt{" * 300 + "2" + "}" * 300,
    "1000 functions": r"\sin " * 1000 + "x",
    "5000 minus signs": "-" * 5000 + "1",
    "500 plus-minus": r"\pm 1 " * 500,
    "1000 bars": "|" * 1000,
    "1000 percent signs": "5" + "%" * 1000,
    "integer of 5,000 digits": "7" * 5000,
    "integer of 1,000,000 digits": "7" * 1_000_000,
    "decimal with 100,000 zeros": "0." + "0" * 100_000 + "1",
    "exponent of 1e9": "1e999999999",
    "repeating decimal of 3,000 digits": r"0.\overline{" + "3" * 3000 + "}",
    "matrix 100 x 100": r"\begin{pmatrix}" + r"\\".join("&".join("1" * 100) for _ in range(100)) + r"\end{pmatrix}",
    "sum to 1e9": r"\sum_{k=1}^{1000000000} k",
    "sum of 1/k^2 to 1e9": r"\sum_{k=1}^{10^9}\frac{1}{k^2}",
    "product to 1e7": r"\prod_{k=1}^{10^7} k",
    "eight nested sums": r"\sum_{a=1}^{2000}" * 8 + "a",
    "hard integral": r"\int_0^{\infty}\frac{\sin(x^2)\ln(x)e^{-x^3}}{1+x^7}dx",
    "triple integral": r"\int \int \int e^{x^2 y^3 z^4}\tan(xyz) dx dy dz",
    "hard limit": r"\lim_{x\to 0}\frac{\sin(x^{x^{x}})}{x}",
    "polynomial of degree 200": "(x+1)^{200}",
    "x to the 1e12": "x^{999999999999}",
    "900 terms": "x+" * 900 + "x",
    "60 sines": "+".join(rf"\sin({k}x)" for k in range(60)),
    "tangent of 10^1000000": r"\tan(10^{1000000})",
    "floor of 10^10^9": r"\lfloor 10^{10^{9}} \rfloor",
    "logarithm of 2^10^12": r"\log_{2}(2^{10^{12}})",
    "set of 5,000": r"\{" + ",".join(map(str, range(5000))) + r"\}",
    "400 nested sets": r"\{1," * 400 + "1" + r"\}" * 400,
    "50,000 commas": "," * 50_000,
    "5,000 times or": "1 or " * 5000 + "1",
    "50,000 blanks": "[" + " " * 50_000,
    "right-to-left and other digits": "\u202e\u0660\u0661٣５",
    "control characters": "\x00\x01\x1b[31m5\x07",
    "lone surrogate": "\ud800",
    "division by zero": r"\frac{1}{0}",
    "nan": "nan",
    "empty": "",
    "__import__": f'__import__("os").system("touch {MARKER}")',
    "open": f'open("{MARKER}","w")',
    "lambda": f'(lambda: open("{MARKER}","w"))()',
    "attribute": f"x.__class__.__mro__[1].__subclasses__()  # {MARKER}",
}
WHOLE_COMPLETIONS = {
    "blanks before a bracket": "x" + " " * 60_000 + "q>",
    "end marks": "</s>" * 20_000 + "x>",
    "100 KB without a box": "a" * 100_000,
    "100 KB, then a box": "a" * 100_000 + r"\boxed{6}",
    "'answer is' 20,000 times": "answer is " * 20_000,
    "100,000 dollar signs": "$" * 100_000,
    "20,000 unclosed boxes": r"\boxed{" * 20_000,
    "20,000 boxes": r"\boxed{6}" * 20_000,
    "10,000 thoughts": "<think>" * 10_000 + r"\boxed{5}",
    "5,000 code fences": "```python\n" * 5000,
}
# Pairs that only computer algebra could judge and that it never finishes: with a number for a, quadrature may.
HANGING = [
    (
        rf"\int_0^{{a}}\frac{{\sin(x^{k})\ln(x)e^{{-x^3}}}}{{1+x^7}}dx",
        r"\int_0^{a}\frac{\cos(x^2)\ln(x)e^{-x^5}}{1+x^9}dx",
    )
    for k in range(2, 8)
]


def completions() -> dict[str, str]:
    """All hostile completions by name."""
    return {**{name: f"\\boxed{{{answer}}}" for name, answer in HOSTILE.items()}, **WHOLE_COMPLETIONS}


def mixed_batch() -> tuple[list[str], list[str], list[float | None]]:
    """1,024 completions of which six hang and cannot be judged: completions, golds, rewards."""
    texts: list[str] = []
    golds: list[str] = []
    rewards: list[float | None] = []
    for index in range(1024):
        right = index % 3 == 0
        texts.append(f"so it is \\boxed{{{index if right else index + 1}}}")
        golds.append(str(index))
        rewards.append(float(right))
    for place, (answer, gold) in zip(range(50, 1024, 170), HANGING, strict=False):
        texts[place], golds[place], rewards[place] = f"\\boxed{{{answer}}}", gold, None
    return texts, golds, rewards


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=float, default=5.0, help="seconds of CPU time for one pair")
    args = parser.parse_args()
    import psutil

    from trl_dsmath.grading import grade
    from trl_dsmath.text import read_answer

    process = psutil.Process()
    grade([r"\boxed{\int_0^1 2t dt}"], [GOLDS[-1]])
    MARKER.unlink(missing_ok=True)
    base = process.memory_info().rss
    slowest, accepted = 0.0, 0
    everything = completions()
    print(f"{len(everything)} hostile completions x {len(GOLDS)} golds, limit {args.limit} s a pair\n")
    print(f"{'completion':34} {'gold':24} {'verdict':9} {'s':>6} {'grow MB':>8}")
    for name, text in everything.items():
        for gold in GOLDS:
            start = time.perf_counter()
            (verdict,) = grade([read_answer(text)], [gold], args.limit)
            seconds = time.perf_counter() - start
            slowest, accepted = max(slowest, seconds), accepted + (verdict == "correct")
            if seconds > 0.1:
                growth = (process.memory_info().rss - base) / 2**20
                print(f"{name:34} {gold:24} {verdict:9} {seconds:6.2f} {growth:8.1f}")
    print(
        f"\nslowest {slowest:.2f} s; {accepted} accepted; code {'EXECUTED' if MARKER.exists() else 'never executed'}"
    )
    texts, golds, rewards = mixed_batch()
    start = time.perf_counter()
    verdicts = grade(texts, golds, args.limit)
    seconds = time.perf_counter() - start
    right = sum(verdict.reward == reward for verdict, reward in zip(verdicts, rewards, strict=True))
    hung = sum(verdict == "timeout" for verdict in verdicts)
    print(
        f"batch of 1,024 with 6 hanging: {seconds:.2f} s, {right} of 1,024 rewards as they should be, {hung} timeouts"
    )
    children = process.children(recursive=True)
    print(
        f"this process grew by {(process.memory_info().rss - base) / 2**20:.1f} MB; {len(children)} process left: the zygote"
    )


if __name__ == "__main__":
    main()
