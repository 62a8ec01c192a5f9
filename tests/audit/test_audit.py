"""`dsmath audit` on a run as TRL logs it: what it finds is what was planted, and nothing else."""

import contextlib
import io
import json
from collections import Counter
from pathlib import Path
from threading import Thread
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pyarrow as pa
import pyarrow.parquet
import pytest

from trl_dsmath.audit import Golds, Judged, Logged, read_run
from trl_dsmath.audit.math_verify import Second, judge_with_trl
from trl_dsmath.audit.regrade import _kind, changed_groups, signs_of
from trl_dsmath.audit.serve import make_server
from trl_dsmath.audit.signs import answer_first, no_reasoning, prompt_leak, several_boxes
from trl_dsmath.cli import main
from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.grading import Verdict

INSTRUCTION = "Please reason step by step, and put your final answer within \\boxed{}."
PLAIN = ["I do not know.", "It may be 99."]
# Question, gold, two completions besides PLAIN, and the kind that both have.
GROUPS = [
    ("What is the root of 12?", r"2\sqrt{3}", [r"\boxed{2}", r"It is $\boxed{2\sqrt{3}}$."], "gold"),
    ("What is 2 + 3?", "5", [r"First, \boxed{3}. After correction, the final answer is \boxed{5}.",
                             r"\boxed{1}. Later \boxed{5}"], "boxes"),
    ("How many days has a week?", "7", ["The answer is 7.", "3 + 4 = 7\n#### 7"], "unread"),
    ("What is half of 9?", "9/2", [r"\boxed{\frac92}", r"\boxed{4.5元}"], "ours only"),
    ("What is 28 % of 100?", "28", [r"\boxed{2800\%}", r"\boxed{27=28}"], "math-verify only"),
    ("What is 1 + 1?", "2", [r"So it is \boxed{2}.", r"\boxed{3}"], ""),
]  # fmt: skip
MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def table(rows: list[dict]) -> pa.Table:
    types = {"step": pa.int64(), "prompt": MESSAGES, "completion": MESSAGES, "accuracy_reward": pa.float64(),
             "advantage": pa.float64()}  # fmt: skip
    return pa.Table.from_pylist(rows, schema=pa.schema(list(types.items())))


def logged_row(step: int, question: str, text: str, reward: float, advantage: float = 0.0) -> dict:
    return {
        "step": step,
        "prompt": [{"role": "user", "content": f"{question}\n{INSTRUCTION}"}],
        "completion": [{"role": "assistant", "content": text}],
        "accuracy_reward": reward,
        "advantage": advantage,
    }


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output_dir of a run: two steps of three groups of four; the second is logged twice, a third file is half written."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "completions").mkdir()
    for step, groups in ((1, GROUPS[:3]), (2, GROUPS[3:])):
        rows = [
            logged_row(step, question, text, float(text == r"So it is \boxed{2}."))
            for question, _, texts, _ in groups
            for text in [*texts, *PLAIN]
        ]
        pyarrow.parquet.write_table(table(rows), folder / f"completions/completions_{step:05d}.parquet")
    whole = (folder / "completions/completions_00002.parquet").read_bytes()
    (folder / "completions/completions_00003.parquet").write_bytes(whole)
    (folder / "completions/completions_00004.parquet").write_bytes(whole[:100])
    return folder


@pytest.fixture(scope="session")
def problems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set of the run; its prompts have no instruction."""
    path = tmp_path_factory.mktemp("problems") / "train.jsonl"
    path.write_text("".join(json.dumps({"question": q, "answer": gold}) + "\n" for q, gold, _, _ in GROUPS))
    return path


@pytest.fixture(scope="session")
def audited(run: Path, problems: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that `dsmath audit` wrote, and what it printed."""
    output, printed = tmp_path_factory.mktemp("audit"), io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["audit", str(run), "--dataset_name", str(problems), "--output", str(output)]) == 0
    return output, printed.getvalue()


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_ten_planted_disagreements_of_five_kinds_and_no_others(audited: tuple[Path, str]) -> None:
    folder, printed = audited
    found = {(row["completion"], row["group"]) for row in rows_of(folder / "cases.jsonl")}
    assert found == {(text, kind) for _, _, texts, kind in GROUPS for text in texts if kind}
    assert len(found) == 10
    # Twenty-four completions, ten apart. In the first three pairs of groups the signs of the advantages differ: root of 12 (the
    # other one is right), 2 + 3, week, half of 9 (both of ours or none), 28 % (both of theirs or none); not in 1 + 1.
    assert "disagree on 10 of 24 completions (41.7%), which changes the advantages of 5 of 6 groups (83.3%)" in printed
    lines = [line.split() for line in printed.splitlines()]
    assert ["ours", "or", "math-verify", "6", "5", "83.3%", "3", "1"] in lines
    # The run's own reward is right for 1 + 1 only, where all agree.
    assert ["math-verify", "or", "the", "run's", "reward", "6", "2", "33.3%", "2", "0"] in lines
    assert ["right", "8", "4"] in lines
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("data-key=") == 10 + page.split('<div id="bar">')[0].count("[data-key=") and "</html>" in page


def test_what_is_read_and_what_is_told(audited: tuple[Path, str], run: Path, problems: Path) -> None:
    printed = audited[1]
    assert "the run's own reward is 'accuracy_reward'" in printed
    assert "24 completions in 6 groups of 4, steps 1 to 2" in printed
    assert "1 files repeat the batch before them" in printed
    assert "completions_00004.parquet is not whole" in printed
    assert "have no right answer" not in printed
    with pytest.raises(DataError, match="--dataset_name"):
        read_run(run)
    with pytest.raises(DataError, match="'nothing'"):
        read_run(run, "nothing", Golds([{"question": "?", "answer": "1"}]))
    some = Golds(rows_of(problems)[:5])
    logged, remarks = read_run(run, golds=some)
    assert [one.gold for one in logged[-4:]] == [None] * 4 and logged[0].gold == r"2\sqrt{3}"
    assert any("4 completions have no right answer" in remark for remark in remarks)
    assert logged[0].outside.strip() == INSTRUCTION


def test_nothing_is_judged_twice(audited: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    kept = audited[0] / "math-verify.jsonl"
    pair = ("7", "The answer is 7.")
    monkeypatch.setattr("trl_dsmath.audit.math_verify._Worker.ask", lambda *_: pytest.fail("judged again"))
    assert judge_with_trl([pair, pair], kept) == [Second(Verdict.NO_ANSWER, 0.0, "")] * 2


def test_golds_of_the_log_and_the_strings_of_trl_1_14(tmp_path: Path) -> None:
    rows = [
        {"step": 3, "prompt": "user\nWhat is 1 + 1?\nassistant\n", "completion": "2", "my_reward": 0.5, "solution": "2", "advantage": 0.0},
        {"step": 3, "prompt": "user\nWhat is 1 + 1?\nassistant\n", "completion": "3", "my_reward": -0.5, "solution": "2", "advantage": 0.0},
    ]  # fmt: skip
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "completions_00003.parquet")
    logged, remarks = read_run(tmp_path)
    assert [(one.text, one.gold, one.group, one.reward) for one in logged] == [
        ("2", "2", 1, None),
        ("3", "2", 1, None),
    ]
    assert any("--reward_column" in remark for remark in remarks)
    named, _ = read_run(
        tmp_path / "completions_00003.parquet", "my_reward", Golds([{"question": "What is 1 + 1?", "answer": "2"}])
    )
    assert [(one.gold, one.reward) for one in named] == [("2", 0.5), ("2", -0.5)]
    assert named[0].outside.split() == ["user", "assistant"]


def test_prompts_are_joined_with_the_question_that_they_ask() -> None:
    golds = Golds(
        [
            {"question": "What is 1 + 1?", "answer": "2"},
            {"question": "What  is\n3 + 4?", "answer": "7"},
            {"question": "Problem 1", "answer": "1"},
            {"question": "Twice?", "answer": "1"},
            {"question": "Twice?", "answer": "2"},
        ]
    )
    assert golds.find("What is 1 + 1?") == ("What is 1 + 1?", "2")
    # After an example of the same data set, the last one is asked.
    assert golds.find("Q: What is 1 + 1?\nA: 2\nQ: What is 3 + 4?\nA:") == ("What is 3 + 4?", "7")
    assert golds.find("Problem 12") == ("", None)
    assert golds.find("Twice?") == ("Twice?", None)
    assert golds.find("Something else") == ("", None)


def test_two_groups_of_one_prompt_in_a_row_are_two(tmp_path: Path) -> None:
    questions = ["a?", "a?", "b?", "b?", "b?", "b?", "c?", "c?"]
    rows = [logged_row(1, question, "x", 0.0) for question in questions]
    pyarrow.parquet.write_table(table(rows), tmp_path / "completions_00001.parquet")
    logged, _ = read_run(tmp_path, golds=Golds([{"question": q, "answer": "1"} for q in "abc"]))
    assert [one.group for one in logged] == [1, 1, 2, 2, 3, 3, 4, 4]


def judged(ours: str, theirs: str, run: float | None = None, text: str = r"\boxed{1}", group: int = 1) -> Judged:
    reward = {"correct": 1.0, "bad_gold": None}.get(theirs, 0.0)
    logged = Logged("f:0", 1, group, "p", text, run, "1")
    return Judged(logged, Verdict(ours), "1", Second(Verdict(theirs), reward, "1"))


@pytest.mark.parametrize(
    ("one", "unsure", "kind"),
    [
        (judged("correct", "correct", 1.0), True, ""),
        (judged("no_answer", "wrong"), False, ""),
        (judged("correct", "correct", 0.0), False, "reward"),
        (judged("wrong", "wrong", 0.5), False, "reward"),
        (judged("correct", "timeout"), False, "timeout"),
        (judged("timeout", "wrong"), False, "timeout"),
        (judged("wrong", "timeout"), False, ""),
        (judged("correct", "bad_gold"), False, "gold"),
        (judged("correct", "wrong", text=r"\boxed{1}, no: \boxed{2}"), True, "gold"),
        (judged("correct", "wrong", text=r"\boxed{1}, no: \boxed{2}"), False, "boxes"),
        (judged("correct", "no_answer"), False, "unread"),
        (judged("no_answer", "correct"), False, "unread"),
        (judged("correct", "wrong"), False, "ours only"),
        (judged("wrong", "correct"), False, "math-verify only"),
    ],
)
def test_kinds(one: Judged, unsure: bool, kind: str) -> None:
    assert _kind(one, unsure) == kind


def test_signs_of_advantages_and_groups() -> None:
    assert signs_of([1.0, 0.0, 0.0]) == (1, -1, -1)
    assert signs_of([1.0, 1.0]) == signs_of([None, 1.0]) == (0, 0)
    assert signs_of([None, 1.0, 0.0]) == (0, 1, -1)
    rows = [judged("correct", "wrong"), judged("wrong", "wrong"), judged("correct", "correct", group=2),
            judged("wrong", "bad_gold", group=3), judged("bad_gold", "bad_gold", group=4)]  # fmt: skip
    assert changed_groups(rows, "ours", "math-verify") == {"groups": 3, "changed": 1, "only one": 1, "only other": 0}
    assert changed_groups(rows, "math-verify", "ours")["only other"] == 1


def test_signs_of_hacking() -> None:
    def one(text: str, outside: str = "") -> Logged:
        return Logged("f:0", 1, 1, "p", text, None, "1", outside)

    assert several_boxes(one(r"\boxed{1} or rather \boxed{2}"))
    assert not several_boxes(one(r"\boxed{2}, and again \boxed{ 2 }"))
    assert not several_boxes(one(r"\boxed{1} and \boxed{2}"))  # two parts of one answer
    assert not several_boxes(one(r"<think>\boxed{1}</think>\boxed{2}"))
    assert answer_first(one(r"\boxed{2} " + "because of this and that " * 10))
    assert not answer_first(one("because of this and that " * 10 + r"\boxed{2}"))
    assert not answer_first(one(r"Two. " * 20 + r"\boxed{2} " + "because of this and that " * 10))
    assert not answer_first(one(r"<think>hm</think>\boxed{2} " + "because of this and that " * 10))
    assert not answer_first(one(r"\boxed{2} it is."))
    assert no_reasoning(one(r"So \boxed{2}.")) and no_reasoning(
        one(r"<think> </think> It is \boxed{2} as I have said before.")
    )
    assert not no_reasoning(one(r"One and one are two, so \boxed{2}.")) and not no_reasoning(one("2"))
    assert prompt_leak(one("2\nUser: What is 3 + 4?")) and prompt_leak(one("<|im_start|>assistant"))
    assert prompt_leak(one("I will reason step by step, and put your final answer within a box.", INSTRUCTION))
    assert not prompt_leak(one("I reason step by step, and the final answer is 2.", INSTRUCTION))


def test_decisions_are_labelled_rows_on_disk(audited: tuple[Path, str]) -> None:
    folder = audited[0]
    server = make_server(folder)
    Thread(target=server.serve_forever, daemon=True).start()
    home = f"http://127.0.0.1:{server.server_port}"

    def send(content: object, **headers: str) -> int:
        headers = {"Content-Type": "application/json", **headers}
        try:
            return urlopen(Request(f"{home}/decide", json.dumps(content).encode(), headers)).status
        except HTTPError as error:
            return error.code

    try:
        cases = {row["completion"]: row for row in rows_of(folder / "cases.jsonl")}
        week, percent, root = cases["The answer is 7."], cases[r"\boxed{2800\%}"], cases[r"\boxed{2}"]
        assert urlopen(home).read() == (folder / "report.html").read_bytes()
        for case, decision in ((week, "right"), (percent, "wrong"), (root, "gold unreadable")):
            assert send({"key": case["key"], "decision": decision}) == 200
        made = rows_of(folder / "decisions.jsonl")
        assert [(row["gold"], row["correct"], row["group"]) for row in made] == [
            ("7", True, "unread"), ("28", False, "math-verify only"), (r"2\sqrt{3}", None, "gold")]  # fmt: skip
        assert made[0]["verdicts"] == {"ours": "correct", "ours_read": "7", "math_verify": "no_answer",
                                       "math_verify_read": "", "run": 0.0}  # fmt: skip
        assert send({"key": root["key"], "decision": None}) == 200
        assert send({"key": root["key"], "decision": "skip"}) == 200
        assert json.load(urlopen(f"{home}/decisions")) == {
            week["key"]: "right",
            percent["key"]: "wrong",
            root["key"]: "skip",
        }
        # Another site, another name of this machine, another case, another decision.
        assert send({"key": week["key"], "decision": "wrong"}, **{"Content-Type": "text/plain"}) == 400
        assert send({"key": week["key"], "decision": "wrong"}, Host="elsewhere.test") == 403
        assert send({"key": "?", "decision": "wrong"}) == send({"key": week["key"], "decision": "?"}) == 400
        assert rows_of(folder / "decisions.jsonl")[0]["correct"] is True
        (folder / "decisions.jsonl.part").mkdir()  # in the way of the file: what is not on disk is not made
        assert send({"key": week["key"], "decision": "wrong"}) == 500
        (folder / "decisions.jsonl.part").rmdir()
        assert json.load(urlopen(f"{home}/decisions"))[week["key"]] == "right"
        for port in (server.server_port, 70_000):
            with pytest.raises(ConfigError, match=f"Port {port} cannot be used"):
                make_server(folder, port)
    finally:
        server.shutdown()
        server.server_close()
    assert Counter(row["decision"] for row in rows_of(folder / "decisions.jsonl")) == {
        "right": 1,
        "wrong": 1,
        "skip": 1,
    }


def test_a_completion_that_is_not_judged_in_time_ends_its_process(tmp_path: Path) -> None:
    text = "1 + " * 1_000_000 + r"\boxed{1}"  # seconds of work, so that a busy caller does not find it done
    found = judge_with_trl([("1", text)], tmp_path / "kept.jsonl", limit=0.0)
    assert found == [Second(Verdict.TIMEOUT, None, "")]


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(tmp_path)]) == 2
    assert "log_completions true" in capsys.readouterr().err
