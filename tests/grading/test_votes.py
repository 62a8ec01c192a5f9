"""Votes over answers, grouped by equivalence."""

from trl_dsmath.grading.votes import AnswerClasses, best_of_n, equivalence_classes, vote


def test_answers_that_mean_the_same_are_one_class() -> None:
    answers = ["1/2", "0.5", "2", r"\frac{1}{2}", "2.0", "x+1", "1+x", "B", "(B)"]
    assert equivalence_classes(answers) == [[0, 1, 3], [2, 4], [5, 6], [7, 8]]


def test_what_is_no_answer_stays_out() -> None:
    result = vote([None, "3", "", "   ", "3"])
    assert result.answer == "3"
    assert result.unreadable == 3
    assert [group.members for group in result.classes] == [(1, 4)]
    assert result.share == 1.0


def test_text_that_is_no_answer_is_no_candidate() -> None:
    unreadable = ["$$", "$$", "!?", r"\boxed{"]
    result = vote([*unreadable, "3"])
    assert result.answer == "3"
    assert result.unreadable == 4
    assert len(result.classes) == 1
    assert best_of_n([*unreadable, "3"], [0.9, 0.8, 0.7, 0.6, 0.1]) == 4


def test_nothing_to_vote_on() -> None:
    for answers in ([], [None, ""]):
        result = vote(answers)
        assert result.answer is None and result.classes == () and result.share == 0.0


def test_the_larger_class_wins_though_its_strings_differ() -> None:
    # As strings, "3" has two votes and each writing of a half has one.
    result = vote(["3", "1/2", "0.5", r"\frac12", "3"])
    assert result.answer == "1/2"
    assert result.share == 3 / 5


def test_a_tie_goes_to_the_class_whose_first_member_came_first() -> None:
    assert vote(["3", "2", "2", "3"]).answer == "3"
    assert vote(["2", "3", "3", "2"]).answer == "2"
    assert vote(["1", "2", "3"]).answer == "1"


def test_weights() -> None:
    answers = ["3", "2", "3"]
    assert vote(answers, [0.2, 0.9, 0.3]).answer == "2"
    assert vote(answers, [0.5, 0.9, 0.5]).answer == "3"
    assert vote(answers, [0.25, 0.5, 0.25]).answer == "3"  # a tie, and 3 came first
    # The weight of what cannot be read is not counted.
    assert vote(["3", None, "2"], [0.4, 1.0, 0.3]).share == 0.4 / (0.4 + 0.3)


def test_best_of_n() -> None:
    assert best_of_n(["3", "2", "3"], [0.1, 0.9, 0.5]) == 1
    assert best_of_n(["3", None, "2"], [0.1, 0.9, 0.5]) == 2
    assert best_of_n(["3", "2"], [0.5, 0.5]) == 0
    assert best_of_n([None, " "], [0.5, 0.5]) is None


def test_classes_that_grow_are_those_of_all_answers_at_once() -> None:
    answers = ["1/2", "7", None, "0.5", "7.0", "x+1", "8", "1+x", r"\frac{7}{1}", "(1,2)", "0.50"]
    whole = AnswerClasses()
    whole.add(answers)
    for cut in range(len(answers) + 1):
        parts = AnswerClasses()
        parts.add(answers[:cut])
        parts.add(answers[cut:])
        assert parts.members == whole.members
        assert parts.vote() == whole.vote()


def test_a_comparison_that_hangs_counts_as_different() -> None:
    # Needs computer algebra, for which a microsecond is not enough.
    answers = [r"\frac{\pi^2}{6}", r"\sum_{n=1}^{\infty} \frac{1}{n^2}", "4", "4"]
    result = vote(answers, time_limit=1e-6)
    assert result.timeouts == 2  # the sum against the closed form, and the 4 against the sum
    assert result.answer == "4"
    assert [group.members for group in result.classes] == [(2, 3), (0,), (1,)]
