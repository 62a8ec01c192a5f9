"""Iterative GRPO: two iterations through the real commands, kills in every phase, replay by count, other settings."""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import processes
import pytest
import torch
import yaml
from safetensors.torch import load_file

from trl_dsmath.cli import main
from trl_dsmath.errors import ConfigError
from trl_dsmath.iterate import IterateConfig, iterate, loop, phases
from trl_dsmath.paper import GRPO_STAGE
from trl_dsmath.scripts import recipe_script, script_parser
from trl_dsmath.scripts.launch import launch_names
from trl_dsmath.scripts.recipes import recipes_folder

# --- without any stage ---------------------------------------------------------------------------------------------


def _config(folder: Path, **changes: Any) -> IterateConfig:
    return IterateConfig(**{"model_name_or_path": "p", "prm_name_or_path": "r", "output_dir": str(folder), **changes})


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """The phases that ran, in place of running them; models get names."""
    seen: list[tuple[int, str]] = []

    def run_phase(config: IterateConfig, state: loop.State, root: Path, lock: int) -> None:
        seen.append((state.iteration, state.phase))
        if state.phase in {"grpo", "prm"}:
            name = "policy" if state.phase == "grpo" else "prm"
            setattr(state, name, f"{name}-{state.iteration}")

    monkeypatch.setattr(loop, "_run_phase", run_phase)
    return seen


def test_phases_run_in_the_order_of_the_algorithm_and_once(recorded: list, tmp_path: Path) -> None:
    state = iterate(_config(tmp_path))
    assert recorded == [(i, phase) for i in (1, 2) for phase in ("grpo", "annotate", "replay", "prm")]
    assert (state.policy, state.prm) == ("policy-2", "prm-2")
    recorded.clear()
    assert iterate(_config(tmp_path)) == state
    assert recorded == []
    iterate(_config(tmp_path, iterations=3))  # a finished run can be lengthened
    assert recorded == [(3, phase) for phase in loop.PHASES]


def test_a_run_with_other_settings_is_refused(recorded: list, tmp_path: Path) -> None:
    iterate(_config(tmp_path, grpo={"max_steps": 2, "beta": 0.1}))
    with pytest.raises(ConfigError, match=r"grpo\.beta 0\.1 \(now None\), seed|seed 0 \(now 1\)") as error:
        iterate(_config(tmp_path, grpo={"max_steps": 2}, seed=1))
    assert "grpo.beta 0.1 (now None)" in str(error.value) and "seed 0 (now 1)" in str(error.value)
    assert "max_steps" not in str(error.value)
    assert "give this run another output_dir" in str(error.value)


def test_a_second_run_waits_for_the_first(recorded: list, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", "import fcntl,sys,time; f=open(sys.argv[1],'w'); fcntl.flock(f,2); print(1,flush=True); "
         "time.sleep(1)", str(tmp_path / "lock")],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout is not None and holder.stdout.readline()
    iterate(_config(tmp_path))
    assert "waiting" in capsys.readouterr().out
    assert holder.wait() == 0


def _labels(path: Path, count: int, first: int = 0) -> Path:
    rows = [
        {"prompt": "q", "completions": [f"{n}"], "labels": [n % 2 == 0], "problem_id": str(n), "index": 0}
        for n in range(first, first + count)
    ]
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _sources(path: Path) -> Counter:
    return Counter(json.loads(line)["source"] for line in path.read_text().splitlines())


def test_what_each_stage_of_two_iterations_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models go from stage to stage and from iteration to iteration, each iteration with a seed of its own."""
    given: list[tuple[str, dict]] = []

    def run_stage(stage: str, settings: dict, folder: Path, lock: int) -> None:
        given.append((stage, settings))
        os.fstat(lock)  # the stage holds the lock as well
        if stage == "annotate":
            _labels(folder / "train.jsonl", 9, 100 * len(given))
        else:
            folder.mkdir(parents=True)
            (folder / "trainer_state.json").write_text("{}")

    monkeypatch.setattr(phases, "run_stage", run_stage)
    first = _labels(tmp_path / "first" / "labels" / "seed.jsonl", 5, 5000)
    sections = {"grpo": {"max_steps": 7}, "annotate": {"mode": "soft"}, "prm": {"max_length": 64}}
    config = _config(tmp_path / "run", seed=40, replay_from=str(first), replay_fraction=0.25, **sections)
    state = iterate(config)
    one, two = (tmp_path / "run" / f"iteration-{i}" for i in (1, 2))

    def expected(seed: int, policy: str, prm: str, folder: Path) -> list[tuple[str, dict]]:
        new = str(folder / "grpo")
        return [
            ("grpo", {"max_steps": 7, "model_name_or_path": policy, "step_scorer": [prm], "output_dir": new, "seed": seed}),
            ("annotate", {"mode": "soft", "model_name_or_path": new, "output_dir": str(folder / "labels"), "seed": seed}),
            ("prm", {"max_length": 64, "model_name_or_path": prm, "dataset_name": str(folder / "mixed"),
                     "output_dir": str(folder / "prm"), "seed": seed}),
        ]  # fmt: skip

    assert given == expected(41, "p", "r", one) + expected(42, str(one / "grpo"), str(one / "prm"), two)
    assert (state.policy, state.prm) == (str(two / "grpo"), str(two / "prm"))
    assert (state.iteration, state.phase) == (3, "grpo")
    assert _sources(one / "mixed" / "train.jsonl") == {"new": 9, "first": 3}  # a quarter of 12
    mixed = _sources(two / "mixed" / "train.jsonl")
    assert mixed["new"] == 9 and mixed["first"] + mixed["iteration-1"] == 3
    # A run that was stopped between two phases goes on with the next one, and only a new one takes other settings.
    kept = json.loads((tmp_path / "run" / "state.json").read_text())
    (tmp_path / "run" / "state.json").write_text(json.dumps({**kept, "iteration": 2, "phase": "prm"}))
    given.clear()
    (two / "prm" / "trainer_state.json").unlink()
    (two / "prm").rmdir()
    iterate(config)
    assert [stage for stage, _ in given] == ["prm"]
    for place in ({"iteration": 2, "phase": "grpo"}, {"iteration": 1, "phase": "annotate"}):
        (tmp_path / "run" / "state.json").write_text(json.dumps({**kept, **place}))
        with pytest.raises(ConfigError, match="seed 40"):
            iterate(_config(tmp_path / "run", **sections))
    for edited in ('{"settings": {}', '{"iteration": 1, "step": 2}'):
        (tmp_path / "run" / "state.json").write_text(edited)
        with pytest.raises(ConfigError, match=r"state\.json is not the state of a run: .* Mend it"):
            iterate(config)


def test_old_and_new_labels_are_shuffled(tmp_path: Path) -> None:
    new = _labels(tmp_path / "iteration-2" / "labels" / "train.jsonl", 20)
    earlier = [_labels(tmp_path / "iteration-1" / "labels" / "train.jsonl", 20, 500)]
    phases.replay_phase(new, earlier, 0.5, 0, tmp_path / "out.jsonl")
    sources = [json.loads(line)["source"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert 2 < sources[:20].count("new") < 18


def test_replay_share_is_exact(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    new = _labels(tmp_path / "iteration-3" / "labels" / "train.jsonl", 180)
    earlier = [_labels(tmp_path / f"iteration-{i}" / "labels" / "train.jsonl", 100, 1000 * i) for i in (1, 2)]
    output = tmp_path / "mixed" / "train.jsonl"
    assert GRPO_STAGE.replay_fraction == 0.1
    phases.replay_phase(new, earlier, 0.1, 0, output)
    assert capsys.readouterr().out == f"labels      180 new, 20 replayed (10.0%): {output}\n"
    sources = _sources(output)
    assert sources["new"] == 180 and sources.total() == 200  # 20 of 200 are earlier ones: 10 %
    assert sources["iteration-1"] + sources["iteration-2"] == 20 and min(sources.values()) > 0
    completions = [json.loads(line)["completions"][0] for line in output.read_text().splitlines()]
    assert len(set(completions)) == 200  # drawn without replacement

    first = output.read_text()
    new.write_text("".join(reversed(new.read_text().splitlines(keepends=True))))  # finished in another order
    output.with_name("train.jsonl.part").write_text("half of a li")  # killed while it was written
    phases.replay_phase(new, earlier, 0.1, 0, output)
    assert output.read_text() == first
    phases.replay_phase(new, earlier, 0.1, 1, output)
    assert output.read_text() != first


@pytest.mark.parametrize(("share", "history", "expected"), [(0.1, 0, 0), (0.0, 50, 0), (0.1, 3, 3), (0.5, 90, 90)])
def test_replay_at_the_edges(share: float, history: int, expected: int, tmp_path: Path) -> None:
    new = _labels(tmp_path / "iteration-2" / "labels" / "train.jsonl", 90)
    earlier = [_labels(tmp_path / "iteration-1" / "labels" / "train.jsonl", history, 500)] if history else []
    phases.replay_phase(new, earlier, share, 0, tmp_path / "out.jsonl")
    assert _sources(tmp_path / "out.jsonl")["iteration-1"] == expected


def test_replay_mixes_truth_values_and_numbers(tmp_path: Path) -> None:
    new = _labels(tmp_path / "iteration-2" / "labels" / "train.jsonl", 9)
    soft = tmp_path / "soft.jsonl"
    soft.write_text(json.dumps({"prompt": "q", "completions": ["a"], "labels": [0.25]}) + "\n")
    phases.replay_phase(new, [soft], 0.1, 0, tmp_path / "out.jsonl")
    labels = [json.loads(line)["labels"][0] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert sorted(labels) == sorted([0.25] + [float(n % 2 == 0) for n in range(9)])
    assert all(isinstance(label, float) for label in labels)


def test_a_stage_killed_while_its_model_was_saved_ends_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in (2, 4):
        (tmp_path / f"checkpoint-{step}").mkdir()
    seen = []

    def run_stage(stage: str, settings: dict, folder: Path, lock: int) -> None:
        left = sorted(path.name for path in folder.glob("checkpoint-*"))
        seen.append(left)
        if left == ["checkpoint-2"]:
            (folder / "trainer_state.json").write_text("{}")

    monkeypatch.setattr(phases, "run_stage", run_stage)
    phases.train_stage("grpo", {}, tmp_path, 0)
    assert seen == [["checkpoint-2", "checkpoint-4"], ["checkpoint-2"]]


def test_an_adapter_is_merged_into_its_policy(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from trl_dsmath.scripts import merge_adapter
    from trl_dsmath.scripts.tiny_model import make_tiny_model

    make_tiny_model(["one two"] * 4, tmp_path / "base", max_length=64, vocab_size=300, hidden_size=64, num_layers=1)
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    settings = peft.LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    model = peft.get_peft_model(base, settings).eval()
    model.save_pretrained(tmp_path / "grpo")
    AutoTokenizer.from_pretrained(tmp_path / "base").save_pretrained(tmp_path / "grpo")
    merged = merge_adapter(tmp_path / "grpo", str(tmp_path / "base"))
    assert merged == tmp_path / "grpo-merged" and not (merged / "adapter_config.json").exists()
    ids = torch.tensor([[5, 6, 7]])
    loaded = AutoModelForCausalLM.from_pretrained(merged)
    torch.testing.assert_close(loaded(ids).logits, model(ids).logits, atol=1e-5, rtol=1e-4)
    with model.disable_adapter():
        assert not torch.allclose(loaded(ids).logits, model(ids).logits, atol=1e-3)
    assert AutoTokenizer.from_pretrained(merged).eos_token_id is not None
    assert merge_adapter(tmp_path / "base") == tmp_path / "base"  # no adapter
    for written, trained, kept in ((100, 100, True), (100, 101, False)):
        (merged / "mark").touch()
        os.utime(merged, (written, written))
        os.utime(tmp_path / "grpo" / "adapter_config.json", (trained, trained))
        assert merge_adapter(tmp_path / "grpo", str(tmp_path / "base")) == merged
        assert (merged / "mark").exists() is kept


def test_a_failed_stage_is_told_and_its_settings_can_be_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(subprocess, "call", lambda command, **kwargs: 2)
    flags = ["--model_name_or_path", "p", "--prm_name_or_path", "r", "--output_dir", str(tmp_path)]
    for steps in (5, 6):  # nothing was done, so other settings are no contradiction
        assert main(["iterate", *flags, "--grpo.max_steps", str(steps)]) == 2
        recipe = tmp_path / "iteration-1" / "grpo.settings.yaml"
        assert f"`dsmath grpo --config {recipe}` ended with exit code 2" in capsys.readouterr().err
        assert yaml.safe_load(recipe.read_text())["max_steps"] == steps
    with (tmp_path / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    (tmp_path / "iteration-1" / "grpo" / "checkpoint-2").mkdir(parents=True)
    assert main(["iterate", *flags, "--grpo.max_steps", "5"]) == 2
    assert "grpo.max_steps 6 (now 5)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"iterations": 0}, "at least 1"),
        ({"replay_fraction": 1.0}, "Set it to 0.1"),
        ({"replay_fraction": -0.1}, "Set it to 0.1"),
        ({"grpo": {"use_peft": True, "load_in_8bit": True}}, "grpo.load_in_8bit with use_peft"),
        ({"model_name_or_path": None}, "Set model_name_or_path"),
        ({"grpo": {"use_peft": True, "load_in_4bit": True}}, "costs several times what was learned"),
        ({"grpo": {"seed": 1}}, "grpo sets seed, which the loop sets"),
        ({"grpo": None}, "should hold `key: value` lines"),
        ({"prm": {"use_peft": True}}, "an adapter cannot be continued"),
        ({"prm": {"save_strategy": "no"}}, "could not go on"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        _config(tmp_path, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"iterations": 1, "replay_fraction": 0.0},
        {"grpo": {"use_peft": True, "load_in_4bit": False}},  # each is fine without the other
        {"grpo": {"load_in_4bit": True}, "annotate": {"use_peft": True, "load_in_4bit": True}},
        {"prm": {"max_steps": 5, "save_strategy": "epoch"}},
    ],
)
def test_settings_that_can_work(changes: dict, tmp_path: Path) -> None:
    assert all(getattr(_config(tmp_path, **changes), key) == value for key, value in changes.items())


def test_flags_of_a_section() -> None:
    flags = ["--model_name_or_path", "p", "--prm_name_or_path", "r", "--output_dir", "o", "--seed", "3"]
    sections = ["--grpo.max_steps", "5", "--prm.dtype=null"]
    (config,) = script_parser("iterate").parse_args_and_config([*flags, *sections])
    assert (config.seed, config.grpo, config.annotate, config.prm) == (3, {"max_steps": 5}, {}, {"dtype": None})
    with pytest.raises(ConfigError, match=r"Unknown flag --x\.y"):
        script_parser("iterate").parse_args_and_config([*flags, "--x.y", "1"])


def test_a_stage_that_leaves_nothing_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phases, "run_stage", lambda *args: None)
    with pytest.raises(phases.PhaseError, match="neither a model nor a checkpoint"):
        phases.train_stage("grpo", {}, tmp_path, 0)


@pytest.mark.parametrize("recipe", ["cpu", "gpu24", "paper"])
def test_recipes_hold_known_keys_only(recipe: str, tmp_path: Path) -> None:
    config = IterateConfig(**yaml.safe_load((recipes_folder() / f"iterate/{recipe}.yaml").read_text()))
    for stage in ("grpo", "annotate", "prm"):
        known = set(script_parser(stage).read_settings([f"--output_dir={tmp_path}"])) | launch_names()
        assert set(getattr(config, stage)) <= known


# --- with the real commands ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe on tiny models: a policy that has learned the form of solutions, a judge that has learned nothing."""
    from datasets import Dataset
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    from trl_dsmath.data import convert
    from trl_dsmath.scripts.tiny_model import make_tiny_model, texts_of

    folder = tmp_path_factory.mktemp("iterate")
    rows = [
        {"question": f"What is {a} + {b}?", "answer": f"{a} + {b} = {a + b}.\nDone.\n#### {a + b}"}
        for a in range(1, 5)
        for b in range(1, 4)
    ]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    texts = texts_of(convert(Dataset.from_list(rows), "sft").dataset)
    make_tiny_model(texts, folder / "random", max_length=256, vocab_size=400, hidden_size=64, num_layers=2)
    sft = {
        **{"model_name_or_path": folder / "random", "dataset_name": folder / "train.jsonl", "use_cpu": "true"},
        **{"output_dir": folder / "policy", "bf16": "false", "gradient_checkpointing": "false", "report_to": "none"},
        **{"max_steps": 60, "learning_rate": 1e-2, "global_batch_size": 2, "per_device_train_batch_size": 2},
        **{"max_length": 128, "disable_tqdm": "true"},
    }
    assert main(["sft", *(word for key, value in sft.items() for word in (f"--{key}", str(value)))]) == 0
    judge = AutoModelForTokenClassification.from_pretrained(folder / "policy", num_labels=2)
    judge.save_pretrained(folder / "judge")
    AutoTokenizer.from_pretrained(folder / "policy").save_pretrained(folder / "judge")
    training = {
        **{"learning_rate": 2e-3, "logging_steps": 1, "per_device_train_batch_size": 4, "save_steps": 2},
        **{"disable_tqdm": True, "save_total_limit": None},
    }
    data = {"dataset_name": str(folder / "train.jsonl")}
    # The recipe for a CPU, shortened, and with the models and problems of above.
    cpu = yaml.safe_load((recipes_folder() / "iterate/cpu.yaml").read_text())
    sections = {
        **{**cpu, "model_name_or_path": str(folder / "policy"), "prm_name_or_path": str(folder / "judge")},
        "replay_from": None,
        "grpo": {
            **{**cpu["grpo"], **training, **data, "max_steps": 6, "global_batch_size": 8, "num_generations": 4},
            "max_completion_length": 48,
        },
        "annotate": {
            **{**cpu["annotate"], **data, "num_rollouts": 2, "max_new_tokens": 48},
            "problems_at_once": 2,
        },
        "prm": {**cpu["prm"], **training, "max_steps": 6, "holdout": 0},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(sections))
    return folder / "recipe.yaml"


def _command(recipe: Path, output_dir: Path) -> list[str]:
    return [str(recipe_script("iterate")), "--config", str(recipe), "--output_dir", str(output_dir)]


@pytest.fixture(scope="module")
def whole(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run of two iterations."""
    folder = tmp_path_factory.mktemp("whole")
    processes.run(*_command(recipe, folder), stages=True)
    return folder


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def _equal(one: Path, other: Path) -> bool:
    first, second = _weights(one), _weights(other)
    return set(first) == set(second) and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
def test_two_iterations(whole: Path, recipe: Path) -> None:
    one, two = whole / "iteration-1", whole / "iteration-2"
    for name in ("grpo", "prm"):
        start = recipe.parent / {"grpo": "policy", "prm": "judge"}[name]
        assert not _equal(one / name, start) and not _equal(two / name, one / name)
    # The second iteration starts from the first one's policy and judges with its reward model ...
    settings = yaml.safe_load((two / "grpo.settings.yaml").read_text())
    assert settings["model_name_or_path"] == str(one / "grpo") and settings["step_scorer"] == [str(one / "prm")]
    # ... and its reference is the policy that it starts from.
    history = [
        json.loads((folder / "grpo" / "trainer_state.json").read_text())["log_history"] for folder in (one, two)
    ]
    for logged in history:
        assert logged[0]["kl"] == pytest.approx(0.0, abs=1e-6)
        assert logged[-2]["kl"] > 1e-5
    assert any("step_rewards/prm/mean" in entry for entry in history[1])
    new = len((two / "labels" / "train.jsonl").read_text().splitlines())
    assert _sources(two / "mixed" / "train.jsonl") == {"new": new, "iteration-1": round(new / 9)}
    assert set(_sources(one / "mixed" / "train.jsonl")) == {"new"}
    labels = [json.loads(line) for line in (one / "labels" / "train.jsonl").read_text().splitlines()]
    assert sum(row["spent"] for row in labels) > 0  # there are solutions of several steps, so rollouts were drawn
    assert {label for row in labels for label in row["labels"]} == {True, False}


def _some_lines(path: Path) -> bool:
    return path.exists() and path.read_bytes().count(b"\n") >= 2


KILLS: list[tuple[str, Callable[[Path], bool]]] = [  # every phase once, and both iterations
    ("iteration-1/grpo/checkpoint-2/trainer_state.json", Path.exists),
    ("iteration-1/mixed/train.jsonl", Path.exists),
    ("iteration-2/labels/train.jsonl", _some_lines),
    ("iteration-2/prm/checkpoint-4/trainer_state.json", Path.exists),
]


@pytest.mark.slow
def test_killed_in_every_phase_it_ends_like_an_uninterrupted_run(whole: Path, recipe: Path, tmp_path: Path) -> None:
    killed_in = []
    for name, reached in KILLS:
        process = processes.Script(*_command(recipe, tmp_path), stages=True)
        while not reached(tmp_path / name):
            assert process.poll() is None, f"the run ended before it could be killed at {name}"
            time.sleep(0.005)
        process.kill()
        state = tmp_path / "state.json"
        killed_in.append(tuple(json.loads(state.read_text())[key] for key in ("iteration", "phase")) if state.exists() else (1, "grpo"))  # fmt: skip
    assert {(1, "grpo"), (2, "annotate"), (2, "prm")} <= set(killed_in)
    command = [sys.executable, processes.__file__, *_command(recipe, tmp_path)]  # other hashes than the runs before
    subprocess.run(command, check=True, capture_output=True)
    for name in ("iteration-1/grpo", "iteration-1/prm", "iteration-2/grpo", "iteration-2/prm"):
        assert _equal(whole / name, tmp_path / name), name
