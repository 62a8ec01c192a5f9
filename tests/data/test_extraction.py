"""Where an answer is read, strictly and flexibly."""

import pytest

from trl_dsmath.data.reading import flexible_answer, strict_answer

NUMBERS = [
    # completion, strict (in the box), flexible
    ("So \\boxed{18}.", "18", "18"),
    ("First \\boxed{3}, then more work. In the end \\boxed{18}.", "18", "18"),
    ("16 - 3 = 13 eggs are left, and 13 * 2 = 26", None, "26"),
    ("She has 5-3=2", None, "2"),
    ("The result: 1,234", None, "1,234"),
    ("It falls to -7", None, "-7"),
    ("They earn $1,250 a day. The answer is $1,250 per day.", None, "1,250"),
    ("The answer is 18 dollars in total", None, "18"),
    ("#### 42", None, "42"),
    ("答案是18个。", None, "18"),
    ("一共有3+15=18", None, "18"),
    ("I do not know.", None, None),
    ("The answer is \\frac{1}{2}.", None, "\\frac{1}{2}"),
    ("<think>\\boxed{9}</think> It is \\boxed{18}", "18", "18"),
    ("```python\nprint(7)\n```\n```output\n18\n```", None, "18"),
    ("```python\nprint(7)\n```\n```output\n17\n```\nSo \\boxed{18}", "18", "18"),
]


@pytest.mark.parametrize(("text", "strict", "flexible"), NUMBERS)
def test_numbers(text: str, strict: str | None, flexible: str | None) -> None:
    assert strict_answer(text, "number", "box") == strict
    assert flexible_answer(text, "number") == flexible


CHOICES = [
    ("\\boxed{B}", "B", "B"),
    ("\\boxed{\\text{(B)}}", "B", "B"),
    ("\\boxed{B. 30\\%}", "B", "B"),
    ("\\boxed{12}", None, "12"),  # the words of an option: `score` looks it up
    ("A proton is positive, so (D) is right.", None, "D"),
    ("The answer is (C).", None, "C"),
    ("A neutron has none of it, hence option B", None, "B"),
    ("(A) is false, (C) is true. The correct choice is C", None, "C"),
    ("故选：D", None, "D"),
    ("所以选项B正确", None, "B"),
    ("答案是 ACD。", None, "ACD"),
    ("It is a matter of taste.", None, None),
    ("C", None, "C"),
]


@pytest.mark.parametrize(("text", "strict", "flexible"), CHOICES)
def test_choices(text: str, strict: str | None, flexible: str | None) -> None:
    assert strict_answer(text, "choice", "box") == strict
    assert flexible_answer(text, "choice") == flexible


def test_formulas() -> None:
    assert flexible_answer("We get $x^2+1$ and so $y = 3x$.", "formula") == "y = 3x"
    assert flexible_answer("From $x^2 = 9$ and the sign it is 3", "formula") == "3"
    assert flexible_answer("Hence \\[ \\frac{3}{4} \\]", "formula").strip() == "\\frac{3}{4}"
    assert flexible_answer("\\boxed{x=2} or \\boxed{x=3}", "formula") == "x=2, x=3"


def test_sentences_of_the_examples() -> None:
    text = "3 * 6 = 18. The final answer is 18.\n\nQuestion: What is 1+1? The final answer is"
    assert strict_answer(text, "number", "sentence") == "18"
    assert strict_answer("So it is. The final answer is (B).", "choice", "sentence") == "B"
    assert strict_answer("The final answer is $\\frac{3}{4}$. I hope it is correct.", "formula", "sentence") == (
        "$\\frac{3}{4}$"
    )
    assert strict_answer("共有18颗。答案是18。", "number", "sentence") == "18"
    assert strict_answer("3 * 6 = 18.", "number", "sentence") is None


def test_programs() -> None:
    text = "```python\nprint(1)\nprint(18)\n```\n```output\n1\n18\n\n```\n"
    assert strict_answer(text, "number", "program") == "18"
    assert strict_answer("```python\nx = 18\n```\n```output\n```\n", "number", "program") is None
    assert flexible_answer("```python\nprint(3)\n```\n", "number", printed="3") == "3"


@pytest.mark.parametrize(
    ("text", "kind", "answer"),
    [
        ("so \\boxed{2000}\n</think>", "number", "2000"),  # nothing follows the tag
        ("<think>so \\boxed{2000}\n</think>", "number", None),
        ("so \\boxed{1}</think> it is 3", "number", "3"),
        ("**5. FORMAT:**\n\nWe can solve for x.", "number", None),
        ("1. add\n2. so it is 7", "number", "7"),
        ("正确答案是 $-i$。 <eoe>\n\n【答案】C <eoa>", "choice", "C"),
        ("【答案】24√3<eoa>", "formula", "24√3"),
        ("Final Answer: The final answer is $14{,}916$. I hope it is correct.", "formula", "$14{,}916$"),
        ("We find $5$, $10$.", "several", "5, 10"),
        ("From $1$ and $2$\nwe find $5$, \\(10\\).\nSo it is.", "several", "5, 10"),
        ("We find 5 or 10", "several", "10"),
        ("It falls by −7 at x_2", "number", "-7"),
        ("so 3/4 of it", "number", "3/4"),
        ("THE ANSWER IS 5 or 6 of them", "number", "5 or 6 of them"),
        ("the answer is $x^2$ with 5", "number", "$x^2$ with 5"),
        ("3 and then $x$", "formula", "x"),
        ("$x = 3", "formula", "3"),
        ("Is it (b)? No: choice c.", "choice", "C"),
        ("A man says B", "choice", "B"),
        ("A man says so", "choice", None),
    ],
)
def test_forms_of_real_recordings(text: str, kind: str, answer: str | None) -> None:
    assert flexible_answer(text, kind) == answer
