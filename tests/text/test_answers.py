r"""Reading the last balanced \boxed{}: one fact a row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trl_dsmath.text import boxes, last_boxed, read_answer, visible_text

FACTS = {
    r"so \boxed{7}": "7",
    r"\boxed{\frac{1}{\sqrt{2}}}": r"\frac{1}{\sqrt{2}}",
    r"\boxed{\{1,2\}}": r"\{1,2\}",
    r"\fbox{7}": "7",
    r"\boxed 7.": "7",
    r"\boxed {7}": "7",
    r"\boxed\frac{1}{2}": r"\frac{1}{2}",
    r"\boxed{\boxed{7}}": "7",
    r"\boxed{3} so far, then \boxed{7}": "7",
    r"First \boxed{3}. After correction, the final answer is \boxed{7}.": "7",
    r"\boxed{3} and \boxed{7}": "3, 7",
    r"$x=\boxed{3}$, $y=\boxed{7}$": "3, 7",
    r"\boxed{7}, \boxed{7}": "7",
    r"\boxed{7} is in \boxed{}": "7",
    r"\boxed{7} and then \boxed{8": "7",
    r"\boxed{8": None,
    r"\boxed{}": None,
    r"\boxedness{7}": None,
    r"\boxed{7} and \fbox{8}": "7, 8",
    r"\fbox{3} and \boxed{7}": "3, 7",
    r"\framebox{3} or \framebox{x^2}": "3, x^2",
    r"\boxed{7} by \fbox{": "7",
    r"\boxed{8} hence \boxed{-\frac{1}{2}}": r"-\frac{1}{2}",
    r"\boxed{\boxed{3} and \boxed{7}}": "3, 7",
    r"\boxed{3 \} }": r"3 \} ",
    "\\boxed \n\t{7}": "7",
    "\\boxed \n\t": None,
    r"\boxed -12,": "-12",
    "\\boxed{3}," + 52 * " " + "\\quad \\boxed{7}": "3, 7",  # 59 characters between them; 61 are too far
    "\\boxed{3}," + 53 * " " + "\\quad \\boxed{7}": "3, 7",
    "\\boxed{3}," + 54 * " " + "\\quad \\boxed{7}": "7",
    r"\boxed{3} so \boxed{7}": "7",
    r"\boxed{1}, \boxed{3}\boxed{7}": "7",
    r"\boxed{1}, \boxed{\boxed{7}}": "1, 7",
    r"\boxed{5}" + 49 * r"\boxed{": "5",  # of unclosed boxes 50 are looked at
    r"\boxed{5}" + 50 * r"\boxed{": None,
    r"\boxed{3} \boxed{7}": "7",
    r"$\boxed{3}$和$\boxed{7}$": "3, 7",
    r"第一空：$\boxed{3}$；第二空：$\boxed{7}$": "3, 7",
    **{rf"\boxed{{7}} is in \boxed{{{blank}}}": "7" for blank in (" ", "\t", "\n", "$", ".", ",", "~", "$ .,~$")},
    r"\boxed{7} is in \boxed{?}": "?",
    "no box": None,
}


@pytest.mark.parametrize("text", FACTS)
def test_last_boxed(text: str) -> None:
    assert last_boxed(text) == FACTS[text]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"<think>\boxed{3}</think> hence \boxed{7}", "7"),
        (r"<think>\boxed{3}</think> hence seven", None),
        (r"<think>\boxed{3}", None),
        (r"\boxed{3} <think> or \boxed{4}", "3"),
        ("```python\nprint('\\boxed{3}')\n```", None),
        ("```output\n\\boxed{3}\n```\nHence \\boxed{7}.", "7"),
        ("```output\n\\boxed{3}", None),
        ("```latex\n\\boxed{7}\n```", "7"),
        ("She has 24+48=72 clips.\n#### 1,072", "1,072"),
        ("The final answer is $x+1$. I hope it is correct.", "$x+1$"),
        ("The answer is 3.5.", "3.5"),
        ("**Answer:** 5", "5"),
        ("所以答案是12元。", "12元"),
        ("nothing here", None),
        ("```PYTHON\nprint('\\boxed{3}')\n```", None),
        ("```Output\n\\boxed{3}\n```\nHence \\boxed{7}.", "7"),
        ("<answer>3</answer>, no: <Answer> 5 </answer>", "5"),
        ("<answer>the answer is 5.</answer>", "5"),
        ("<answer>\n5\n</answer>", "5"),
        ("#### 18  dollars every day at the market", "18"),
        ("<answer> </answer>\n#### 7", None),
        ("THE ANSWER IS 5", "5"),
        ("Answer: 3\nThe answer to the second question is 5.", "5"),
        ("Final answer: the final answer is 3", "3"),
        ("【答案】C <eoa>", "C"),
        ("#### 3\nThen again:\n####\t5 ", "5"),
        ("####\nnothing", None),
        ("#### 18 dollars every day at the market", "18"),
        ("#### 18 dollars", "18 dollars"),
        ("#### 18 or 19 dollars a day", "18 or 19 dollars a day"),
        ("#### 118 000 dollars", "118 000"),
        ("The answer is 5. " + "x" * (2000 - len("answer is 5. ")), "5"),  # the last 2,000 characters are searched
        ("The answer is 5. " + "x" * (2001 - len("answer is 5. ")), None),
        ("x" * 2000 + " The answer is 5.", "5"),
        ("a</think>\\boxed{3}</think>b", None),
        ("written as \x08oxed{7}", "7"),
        ("The answer is <15>.", "15"),
        ("The answer is 7. <|eot_id|> </s>", "7"),
        ("The answer is 7." + "</s>" * 10, "7"),
        ("Of these the best option is C) 2.", "C) 2"),
        ("Division.\n\n**Final result: 3,030**", "3,030"),
        ('Done!\n\n>> FINAL ANSWER:\n"""\n7 Dutzend\n"""', "7 Dutzend"),
        ("**Final Answer**: 24", "24"),
        ("Thus:\n\\[\n\\text{The answer is } C = \\frac{5}{2}\n\\]", "C = \\frac{5}{2}"),
        ("She needs #### 20 dozens of eggs for 60 days.", "20"),
        ("#### 20 bags of 60 kg", "20 bags of 60 kg"),
        ("As a result, it is 4.\nThe results: 5", None),
        ("So.\n\n### Final Answer\n\n**C**", "C"),
        ("Gana 18 dólares. La respuesta correcta es 18.", "18"),
        ("A resposta é a alternativa C.", "a alternativa C"),
        ("La réponse est 5.", "5"),
        ("Also 2 + 1 = 3. **Antwort: 3**", "3"),
        ("Das Antwortheft hat 3 Seiten.", None),
        ("Ответ: 20.", "20"),
        ("したがって64です。答えは64です。", "64"),
    ],
)
def test_read_answer(text: str, answer: str | None) -> None:
    assert read_answer(text) == answer


@given(st.text(alphabet="\\boxedfbox{}$ ,#<>thinkand`python\n12答案是", max_size=200))
def test_any_string_is_read(text: str) -> None:
    answer = read_answer(text)
    assert answer is None or isinstance(answer, str)
    assert len(visible_text(text)) <= len(text) + 1


@given(st.text(max_size=300))
def test_any_unicode_is_read(text: str) -> None:
    plain = text.replace("{", "").replace("}", "").replace("\\", "")
    assert last_boxed("\\boxed{" + plain + "}") == (plain if plain.strip(" \t\n$.,~") else None)


def test_boxes_and_where_they_begin() -> None:
    assert boxes(r"\boxed{1} \boxed{\boxed{2}} \boxed{}") == [("1", 0), ("2", 17)]


def test_thousands_of_open_boxes_cost_little() -> None:
    assert last_boxed(r"\boxed{" * 20_000) is None
    assert last_boxed(r"\boxed{5}" * 20_000) == "5"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{7} and", "7"),
        ("the answer is 1", None),
        (r"put it within \boxed{}. So the answer is 1", None),
        (r"\boxed{1", None),
        ("#### 1", None),
    ],
)
def test_of_what_was_cut_off_only_a_complete_box_counts(text: str, answer: str | None) -> None:
    assert read_answer(text, finished=False) == answer
