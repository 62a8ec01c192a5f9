"""Format, language and shaping: values worked by hand."""

import math
import pickle

import pytest

from trl_dsmath.grading import Verdict
from trl_dsmath.rewards import (
    boxed_accuracy_reward,
    boxed_format_reward,
    flexible_accuracy_reward,
    get_shaped_reward,
    language_consistency_reward,
    step_arithmetic_reward,
)


@pytest.mark.parametrize(
    ("completion", "score"),
    [
        (r"Thus \boxed{5}.", 1.0),
        (r"Thus \boxed{\frac{1}{2}}.", 1.0),
        (r"<think>\boxed{3}?</think> Thus \boxed{5}.", 1.0),
        (r"\boxed{3} or \boxed{5}", 0.0),
        (r"\boxed{}", 0.0),
        (r"\boxed{5", 0.0),
        ("5", 0.0),
        (r"\boxed{5}" + " and now I go on" * 30, 0.0),
        (r"\boxed {5}" + "x" * 199, 1.0),  # 200 characters with the brace
        (r"\boxed{5}" + "x" * 200, 0.0),
        ([{"role": "assistant", "content": r"\boxed{5}"}], 1.0),
    ],
)
def test_boxed_format(completion: object, score: float) -> None:
    assert boxed_format_reward([completion], solution=["5"]) == [score]


def test_an_answer_that_could_not_be_judged_in_time_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Verdict.CORRECT, Verdict.WRONG, Verdict.TIMEOUT, Verdict.BAD_GOLD, Verdict.NO_ANSWER]
    monkeypatch.setattr("trl_dsmath.rewards.accuracy.judge", lambda answers, golds: found)
    metrics: dict[str, float] = {}
    rewards = boxed_accuracy_reward([r"\boxed{5}"] * 5, solution=["5"] * 5, log_metric=metrics.__setitem__)
    assert rewards == [1.0, 0.0, None, None, 0.0]
    assert metrics["verdict/timeout"] == 0.2


def test_language_follows_the_prompt() -> None:
    english, chinese, mixed = "We add the two numbers", "我们把两个数相加", "We add 两个数"
    assert language_consistency_reward([english, chinese], prompts=["Add.", "求和。"]) == [1.0, 1.0]
    assert language_consistency_reward([chinese, english], prompts=["Add.", "求和。"]) == [0.0, 0.0]
    # two English words, three characters that make two Chinese words
    assert language_consistency_reward([mixed, mixed], language=["en", "zh"]) == [0.5, 0.5]


def test_language_follows_the_last_message_and_is_english_without_a_prompt() -> None:
    messages = [{"role": "user", "content": "求值"}, {"role": "user", "content": "Add."}]
    assert language_consistency_reward(["We add"], prompts=[messages]) == [1.0]
    assert language_consistency_reward(["We add"], prompts=[messages[:1]]) == [0.0]
    assert language_consistency_reward(["We add", "相加"]) == [1.0, 0.0]
    assert language_consistency_reward(["We add", "求"], prompts=[None, [{"role": "user", "content": None}]]) == [
        1.0,
        0.0,
    ]
    assert language_consistency_reward(["a x 求"], language=["en"]) == [0.0]  # single letters are no words


def test_language_does_not_count_formulas_and_code() -> None:
    text = "我们有 $x = \\text{value}$，所以 \\boxed{answer} ```python\nprint(1)\n```"
    prompt = [{"role": "user", "content": "求值"}]
    assert language_consistency_reward([text], prompts=[prompt]) == [1.0]
    assert language_consistency_reward(["$x$"], prompts=["Add."]) == [1.0]
    assert language_consistency_reward(["求 \\(let\nus\\) $$let\nus$$ ```let\nus"], language=["zh"]) == [1.0]


def scores(completions: list, **columns: object) -> list[float]:
    return [0.0 if "a" in completion else 2.0 for completion in completions]


def test_shaped_reward_orders_right_above_wrong() -> None:
    reward = get_shaped_reward(scores)
    rewards = reward(completions=[r"a \boxed{5}", r"b \boxed{5}", r"a \boxed{6}", r"b \boxed{6}"], solution=["5"] * 4)
    sigmoid_1 = 1 / (1 + math.exp(-1))
    assert rewards == pytest.approx([0.5, sigmoid_1, -0.5, sigmoid_1 - 1])
    assert min(rewards[:2]) > max(rewards[2:])


def test_shaped_reward_by_scale_and_far_out() -> None:
    right, wrong = [{"completions": [rf"\boxed{{{n}}}"], "solution": ["5"]} for n in (5, 6)]
    assert get_shaped_reward(scores, alpha=1.0)(**right) == pytest.approx([1 / (1 + math.exp(-2))])
    for score, value in ((1e6, 1.0), (-1e6, 0.0), (0.0, 0.5), (-2.0, 1 / (1 + math.e))):
        reward = get_shaped_reward(lambda completions, score=score, **columns: [score])
        assert reward(**right) == pytest.approx([value]) and reward(**wrong) == pytest.approx([value - 1])
    assert get_shaped_reward(lambda completions, **columns: [None])(**right) == [None]


def test_shaped_reward_skips_what_cannot_be_verified_and_can_be_pickled() -> None:
    reward = pickle.loads(pickle.dumps(get_shaped_reward(scores)))
    assert reward(completions=[r"\boxed{5}"], solution=[""]) == [None]
    assert reward.__name__ == "shaped_reward"


def test_flexible_accuracy() -> None:
    texts = ["17 + 5 = 22", "It is (B).", "so \\boxed{4}, not 22", "none"]
    golds = ["#### 22", "B", "22", "22"]
    seen: dict[str, list] = {}
    assert flexible_accuracy_reward(texts, golds, log_extra=seen.__setitem__) == [1.0, 1.0, 0.0, 0.0]
    assert seen["read_answer"] == ["22", "B", "4", ""]
    assert boxed_accuracy_reward(texts, golds) == [0.0, 0.0, 0.0, 0.0]


def test_step_arithmetic() -> None:
    steps = [["3 + 4 = 7\n", "7 * 2 = 14 and 14 + 1 = 16\n", "Therefore, the answer is \\boxed{16}."], []]
    assert step_arithmetic_reward(["", ""], steps=steps, solution=["16", "1"]) == [[1.0, 0.0, None], []]
    assert pickle.loads(pickle.dumps(step_arithmetic_reward)) is step_arithmetic_reward
