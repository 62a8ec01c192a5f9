"""What the small commands print and write: tables, counts, exit codes."""

import io
import json
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from trl_dsmath import cli
from trl_dsmath.audit.report import Audit
from trl_dsmath.cli import audit, grade, main, pass_rate, plan, recipes, view
from trl_dsmath.cli.check_data import _short, _texts
from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.grading import Verdict
from trl_dsmath.report import Page


def _file(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_script_runs_as_python_would_run_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "beside.py").write_text(
        "import os\nfrom trl_dsmath.scripts.run import PROGRAM\nname = os.environ[PROGRAM]\n"
    )
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, beside\nprint(sys.argv[1:], beside.name)\nif sys.argv[1:]: sys.exit(eval(sys.argv[1]))\n"
    )
    before = list(sys.path)
    codes = [cli.run_script_file("sft", script, argv) for argv in ([], ["3"], ["None"], ["'told'"])]
    assert codes == [0, 3, 0, 1] and sys.path == before
    assert capsys.readouterr().out.splitlines()[:2] == ["[] dsmath sft", "['3'] dsmath sft"]


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help"]) == main(["-h"]) == main(["-V"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[-1] == f"trl-dsmath {cli.__version__}" and shown[0].startswith("usage: dsmath COMMAND")
    assert main(["zzzzzz"]) == 2
    assert "no command 'zzzzzz'. Commands: quickstart," in capsys.readouterr().err


def test_the_summary_of_verdicts() -> None:
    counts = Counter({Verdict.CORRECT: 3, Verdict.WRONG: 1, Verdict.BAD_GOLD: 4, Verdict.TIMEOUT: 2})
    lines = grade.summary(counts).splitlines()
    assert (
        lines[0] == "  correct            3   30.0%" and lines[-1] == "accuracy 50.0% of 6 rows with a readable gold"
    )
    assert grade.summary(Counter()).splitlines()[-1] == "accuracy 0.0% of 0 rows with a readable gold"


def test_which_column_holds_the_completion() -> None:
    rows = [
        {"completions": None, "response": "a", "answer": "1"},
        {"completions": None, "response": None, "answer": "2", "x": "b"},
    ]
    completion, columns = grade.find_completion(rows, None, None)
    assert (completion, columns.gold[0]) == ("response", "answer")
    assert grade.find_completion(rows, "answer", "x")[1].gold == ("x",)
    with pytest.raises(DataError, match="There is no column of completions; the columns are y, answer"):
        grade.find_completion([{"y": "a", "answer": "1"}], None, None)
    with pytest.raises(DataError, match="no column z"):
        grade.find_completion(rows, "z", None)


def test_many_rows_are_judged_in_parts_and_others_are_not_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(grade, "_CHUNK", 2)
    judged: list[list] = []
    monkeypatch.setattr(
        grade, "judge", lambda answers, golds, limit: judged.append(golds) or [Verdict.CORRECT] * len(golds)
    )
    rows = [{"completion": f"\\boxed{{{n}}}", "gold": str(n)} for n in range(5)]
    file, output = _file(tmp_path / "rows.jsonl", rows[:3]), tmp_path / "out.jsonl"
    assert main(["grade", str(file), "--output", str(output)]) == 0
    _file(file, rows)
    assert main(["grade", str(file), "--output", str(output)]) == 0
    assert judged == [["0", "1"], ["2"], ["3", "4"]]
    written = [json.loads(line) for line in output.read_text().splitlines()]
    assert written[4] == {"row": 4, "read_answer": "4", "gold": "4", "verdict": "correct", "completion": "\\boxed{4}"}
    assert "3 rows are judged already; continuing after them" in capsys.readouterr().out
    for other in (rows[:4], [*rows[:4], rows[0], rows[1]]):  # fewer rows; another last answer
        _file(file, other)
        assert main(["grade", str(file), "--output", str(output)]) == 2
        assert "belongs to another input" in capsys.readouterr().err


def test_half_of_a_flag_is_no_flag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = _file(tmp_path / "rows.jsonl", [{"completion": "\\boxed{1}", "gold": "1"}])
    for flags, meant in ((["--conf", "x.yaml"], "config"), (["--overw"], "overwrite"), (["--output_"], "output")):
        assert main(["grade", str(file), *flags]) == 2
        assert f"Unknown flag {flags[0]}. Did you mean --{meant}?" in capsys.readouterr().err
    assert main(["recipes", "prm", "--cop", str(tmp_path)]) == 2


def test_check_data_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = (
        [{"question": "?", "answer": "7"}] * 3
        + [{"question": "?", "answer": ""}] * 22
        + [{"question": "?", "gold": "1"}]
    )
    assert main(["check-data", str(_file(tmp_path / "rows.jsonl", rows))]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("26 golds in column 'answer' (3), 'gold' (1) of ") or "'gold' (1), 'answer'" in lines[0]
    assert "         22  cannot be verified" in lines and lines[-1] == "    and 2 more: --output FILE lists them all"
    assert sum(line.startswith("    row ") for line in lines) == 20 and any("    row 3: ''" in line for line in lines)
    assert main(["check-data", str(_file(tmp_path / "one.jsonl", rows[:3] + rows[3:4] * 20))]) == 1
    assert "more" not in capsys.readouterr().out
    assert main(["check-data", str(_file(tmp_path / "good.jsonl", rows[:3]))]) == 0
    assert (
        _short("a" * 88) == repr("a" * 88)
        and _short("ab" * 50) == f"{repr('ab' * 50)[:60]} ... {repr('ab' * 50)[-25:]}"
    )
    assert list(_texts([{"a": "b", "c": ["d", 3, {"e": "f"}]}, None])) == ["b", "d", "f"]


def test_a_split_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _file(tmp_path / "train.jsonl", [{"question": "?", "answer": "7"}])
    assert main(["check-data", str(tmp_path)]) == 0
    assert main(["check-data", str(tmp_path), "--split", "dev"]) == 2
    assert "no split 'dev'; there are: train" in capsys.readouterr().err


def test_rows_that_repeat_a_test_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    question = "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May."
    (tmp_path / "gsm8k").mkdir()
    _file(tmp_path / "gsm8k/test.jsonl", [{"question": question, "answer": "#### 72"}])
    rows = [{"messages": [{"role": "user", "content": f"So: {question}"}]}] * 21 + [{"question": "1+1?"}]
    file, output = _file(tmp_path / "rows.jsonl", rows), tmp_path / "clean.jsonl"
    flags = ["--benchmarks", "gsm8k", "--benchmarks_dir", str(tmp_path), "--output", str(output)]
    assert main(["check-data", str(file), *flags]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert (
        "         21  rows repeat gsm8k" in lines and "          1  are clean" in lines and "    and 1 more" in lines
    )
    assert sum(line.startswith("    row ") for line in lines) == 20 and lines[4].startswith(
        "    row 1, messages: gsm8k/"
    )
    assert [json.loads(line) for line in output.read_text().splitlines()] == [{"question": "1+1?"}]
    assert main(["check-data", str(_file(file, rows[21:])), *flags]) == 0


def test_problems_that_are_solved_sometimes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"prompt": f"{n}?", "pass_rate": n / 4} for n in range(5)]
    monkeypatch.setattr(pass_rate, "rated_problems", lambda path: rows)
    output = tmp_path / "some.jsonl"
    assert main(["pass-rate", "run", "--min", "0.25", "--max", "0.75", "--output", str(output)]) == 0
    assert [json.loads(line) for line in output.read_text().splitlines()] == rows[1:4]
    shown = capsys.readouterr().out.splitlines()
    assert shown[:-2] == pass_rate.histogram([0.0, 0.25, 0.5, 0.75, 1.0], 0.25, 0.75).splitlines()
    assert shown[-2:] == ["3 of 5 problems have a pass rate from 0.25 to 0.75", f"saved       {output}"]
    output.unlink()
    assert main(["pass-rate", "run"]) == 0 and not output.exists()
    assert capsys.readouterr().out.endswith("5 of 5 problems have a pass rate from 0 to 1\n")
    assert main(["pass-rate", "run", "--min", "0.1", "--max", "0.2"]) == 0  # nothing is left, and nothing is written
    for flags in (["--min", "0.1", "--max", "0.2", "--output", str(output)], ["--min", "0.8", "--max", "0.2"]):
        assert main(["pass-rate", "run", *flags]) == 2 and not output.exists()
    assert "widen --min and --max" in capsys.readouterr().err


def _plan(**changes: object) -> dict:
    part = {"part": "weights", "gib": 2.0, "when": "always", "how": "7 B", "ppo_only": False}
    return {
        "stage": "sft", "model": "m", "parameters": 1.5e9, "gpus": 2, "memory_gib": 24.0, "sharding": "zero3", "parts": [part],
        "peak_gib": 6.0, "fits": True, "ppo": None, "notes": ["a note"], "advice": [], "seconds": None, "updates": None,
        "work": {"trained": 2048, "sampled": 0, "tflop": 12.345}, **changes,
    }  # fmt: skip


def test_a_plan_as_a_table() -> None:
    assert plan.show(_plan()).splitlines() == [
        "sft: m, 1.50 B parameters, 2 x 24 GiB, zero3",
        "GiB per GPU",
        f"{'  weights':<32}{'2.00':>8}{'':>8}   7 B",
        f"{'  at its fullest':<32}{'6.00':>8}",
        "An update: 2,048 tokens trained, 12.3 TFLOP",
        "a note",
        "fits: 6.0 of 24 GiB",
    ]
    parts = [
        {"part": "cache", "gib": 1.0, "when": "sampling", "how": "", "ppo_only": False},
        {"part": "critic", "gib": 3.0, "when": "always", "how": "", "ppo_only": True},
    ]
    ppo = {"parts": parts, "ppo": {"peak_gib": 8.0, "fits": True}, "sharding": "none"}
    lines = plan.show(_plan(**ppo, fits=False, peak_gib=6.0, advice=["less"], memory_gib=5.5)).splitlines()
    assert lines[0] == "sft: m, 1.50 B parameters, 2 x 5.5 GiB" and lines[1].split() == [
        "GiB",
        "per",
        "GPU",
        "GRPO",
        "PPO",
    ]
    assert lines[2].split() == ["cache", "(sampling)", "1.00", "1.00"] and lines[3].split() == ["critic", "3.00"]
    assert lines[4].endswith("8.00   sampling or update, whichever is larger")
    assert lines[5].startswith("GRPO takes 75% of what PPO") and lines[-2:] == [
        "DOES NOT FIT: 6.0 of 5.5 GiB",
        "  instead: less",
    ]
    assert "critic" not in plan.show(_plan(parts=parts))
    assert plan.show(_plan(fits=False)).splitlines()[-1] == "DOES NOT WORK: 6.0 of 24 GiB"
    assert plan.show(_plan(fits=False, peak_gib=24.0)).splitlines()[-1] == "DOES NOT WORK: 24.0 of 24 GiB"


def test_the_time_of_a_plan() -> None:
    seconds = {"seconds": {"forward": 1.0, "backward": 3.0}}
    assert plan._time(_plan(**seconds)) == [
        "An update: 2,048 tokens trained, 12.3 TFLOP; by a probe on this machine 4 s (forward 1, backward 3)"
    ]
    assert plan._time(_plan(**seconds, updates=30))[0].endswith("(forward 1, backward 3), 30 updates 2 min")
    sampled = {"work": {"trained": 0, "sampled": 1000, "tflop": 2.0}}
    assert plan._time(_plan(**sampled)) == ["A batch: 1,000 tokens sampled, 2 TFLOP"]
    assert plan._time(_plan(**sampled, **seconds, updates=30))[0].endswith("backward 3), 250 tokens a second")
    assert plan._time(_plan(work={"trained": 0, "sampled": 0, "tflop": 0.0})) == [] == plan._time({"stage": "corpus"})


def test_the_plan_of_the_corpus_loop(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--recipe", "corpus/paper", "--bucket", "1048576", "--dim", "256", "--memory"]
    assert plan.main([*argv, "1"]) == 0 and plan.main([*argv, "0.99"]) == 1  # 4 bytes x 256 x 2^20: 1 GiB
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "corpus: 1 GiB of the machine's memory" and shown[1] == "GiB"
    assert shown[2].split()[:2] == ["classifier", "1.00"] and "1,048,576 rows of 256 numbers" in shown[2]
    assert "fits: 1.0 of 1 GiB" in shown and shown[-1] == "DOES NOT FIT: 1.0 of 0.99 GiB"


def test_plans_of_several_stages(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list = []

    def planned(stage: str, settings: dict, args: object, absent: str | None) -> dict:
        asked.append((stage, absent))
        return _plan(stage=stage, fits=stage != "prm")

    runs = [("grpo", {"model_name_or_path": "policy"}), ("prm", {"model_name_or_path": "scorer"})]
    monkeypatch.setattr(plan, "plan_of", planned)
    monkeypatch.setattr(plan, "runs_of", lambda stage, file, flags: runs if stage == "iterate" else runs[:1])
    argv = ["--memory", "24", "--json", "--recipe"]
    # The reward model has the shape of the policy until it is there.
    assert plan.main([*argv, "iterate/gpu24"]) == 1 and asked == [("grpo", "policy"), ("prm", "policy")]
    assert [one["stage"] for one in json.loads(capsys.readouterr().out)] == ["grpo", "prm"]
    assert plan.main([*argv, "grpo/gpu24"]) == 0 and asked[-1] == ("grpo", None)
    printed = capsys.readouterr().out
    assert json.loads(printed)["stage"] == "grpo" and printed.startswith('{\n  "stage"')
    assert plan.main([*argv, "iterate/gpu24", "--scorer", "other"]) == 1 and asked[-1] == ("prm", "other")
    capsys.readouterr()
    assert plan.main(["--memory", "24", "--recipe", "iterate/gpu24"]) == 1
    assert capsys.readouterr().out.count("\n\nprm: m") == 1


def test_an_audit_that_serves_its_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Terminal(io.StringIO):
        seen = ""

        def flush(self) -> None:
            self.seen = self.getvalue()

    served: list = []
    shown = Terminal()
    server = SimpleNamespace(server_port=5, serve_forever=lambda: served.append(shown.seen.splitlines()[-1]))
    found = Audit("A headline.", {"One": [["a"], ["1"]], "Empty": [["b"]]}, [])
    written: list = []
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setattr(audit, "read_run", lambda run, reward, golds, gold: (["logged"], [f"{reward} {golds} {gold}"]))
    monkeypatch.setattr(audit, "regrade", lambda logged, file: written.append(file) or ["judged"])
    monkeypatch.setattr(audit, "write", lambda *given: written.append(given) or found)
    monkeypatch.setattr(audit, "make_server", lambda folder, port: served.append((folder, port)) or server)
    file = tmp_path / "completions.parquet"
    assert main(["audit", str(file), "--reward_column", "r", "--gold_column", "g"]) == 0 and not served
    folder = tmp_path / "audit"  # beside a file
    assert written == [folder / "math-verify.jsonl", (folder, ["logged"], ["judged"], ["r None g"])]
    assert shown.getvalue().splitlines() == [
        "r None g", "", "a", "1", "", "A headline.", f"saved       {folder / 'report.html'}, {folder / 'cases.jsonl'} (0 cases)"
    ]  # fmt: skip
    assert main(["audit", str(tmp_path), "--serve", "--port", "7"]) == 0 and written[2] == folder / "math-verify.jsonl"
    assert served == [
        (folder, 7),
        "audit       http://127.0.0.1:5  (Ctrl-C ends)",
    ]  # told before it serves, also to a pipe
    assert (
        main(["audit", str(tmp_path), "--output", str(tmp_path / "x")]) == 0
        and written[4] == tmp_path / "x/math-verify.jsonl"
    )


def test_the_page_of_a_run_goes_beside_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list = []
    monkeypatch.setattr(
        view, "make_page", lambda run, prompts: asked.append((run, prompts)) or Page("t", [], "**5** right")
    )
    assert main(["view", str(tmp_path)]) == 0 and (tmp_path / "view.html").is_file()
    assert (
        main(["view", str(tmp_path / "run/x.parquet"), "--prompts", "2"]) == 0
        and (tmp_path / "run/view.html").is_file()
    )
    assert (
        main(["view", str(tmp_path), "--output", str(tmp_path / "own.html")]) == 0
        and (tmp_path / "own.html").is_file()
    )
    assert asked == [(tmp_path, 4), (tmp_path / "run/x.parquet", 2), (tmp_path, 4)]


def test_flags_of_the_sections_of_iterate() -> None:
    assert plan._section_flags(["--grpo.max_steps", "5", "--prm.bf16", "--grpo.x", "a", "b"]) == {
        "grpo": ["--max_steps", "5", "--x", "a", "b"], "annotate": [], "prm": ["--bf16"],
    }  # fmt: skip
    for flags in (["--max_steps", "5"], ["--sft.max_steps", "5"], ["5"]):
        with pytest.raises(ConfigError, match=r"[Tt]he sections take --grpo\.key value"):
            plan._section_flags(flags)


def test_a_file_of_a_stage_and_numbers_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "sft").mkdir()
    for folder in (tmp_path, tmp_path / "sft"):
        (folder / "mine.yaml").write_text("")
    mine = str(tmp_path / "sft/mine.yaml")
    assert plan.find_recipe(mine, None) == ("sft", Path(mine)) and plan.find_recipe(mine, "grpo") == (
        "grpo",
        Path(mine),
    )
    with pytest.raises(ConfigError, match="what is it for"):
        plan.find_recipe(str(tmp_path / "mine.yaml"), None)
    assert plan.find_recipe("gpu24", "sft") == plan.find_recipe("sft/gpu24", None)
    for wrong in (["--gpus", "0", "--memory", "1"], ["--memory", "0"]):
        with pytest.raises(ConfigError, match="should be positive"):
            plan.main(["--recipe", "sft/gpu24", *wrong])


def test_recipes_of_a_stage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    assert main(["recipes", "prm"]) == 0
    lines = capsys.readouterr().out.splitlines()
    table = lines[: lines.index("")]
    assert table[0].split() == ["recipe", "hardware", "time", "expect"] and all(
        line.startswith("prm/") for line in table[1:]
    )
    assert max(map(len, table)) <= 90 and [table[0].index(word) for word in ("hardware", "time", "expect")] == [
        21,
        51,
        73,
    ]
    recipes._print_table([("a", "b", "c", "x " * 8 + "x"), ("a", "b", "c", "x " * 9 + "xx")])
    assert [line.split("c", 1)[1].strip() for line in capsys.readouterr().out.splitlines()] == [
        "x " * 8 + "x",
        "x " * 6 + "x ...",
    ]
    assert main(["recipes", "nothing"]) == main(["recipes", "--copy", str(tmp_path / "x")]) == 2
    error = capsys.readouterr().err
    assert "There is no recipe of a stage 'nothing'" in error and "Which stage?" in error
    assert main(["recipes", "prm", "--copy", str(tmp_path / "mine")]) == 0
    assert (
        f"python {tmp_path / 'mine/prm.py'} --config " in capsys.readouterr().out
        and (tmp_path / "mine/prm.py").is_file()
    )
