"""Real short runs: the learning rate, the shares, a resumed run, two processes, and a plain data set."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from datasets import Dataset
from processes import run
from transformers import TrainerControl, TrainerState, set_seed
from trl import SFTTrainer

from trl_dsmath.errors import ConfigError
from trl_dsmath.pretrain import PretrainConfig, PretrainTrainer, Source
from trl_dsmath.pretrain.trainer import _MixtureState
from trl_dsmath.scripts import recipe_script

SHARES = {"short": 0.5, "middle": 0.2, "long": 0.3}
SETTINGS = {
    "max_length": 64,
    "train_tokens": 20 * 8 * 64,
    "global_batch_tokens": 8 * 64,
    "per_device_train_batch_size": 4,
    "learning_rate": 1e-3,
    "warmup_steps": 4,
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "report_to": "none",
    "logging_steps": 1,
    "save_steps": 7,
    "disable_tqdm": True,
}


def make(texts: Path, tiny: Path, out: Path, **settings) -> PretrainTrainer:
    args = PretrainConfig(str(out), **{**SETTINGS, **settings})
    sources = [Source(str(texts / f"{name}.jsonl"), share) for name, share in SHARES.items()]
    return PretrainTrainer(str(tiny), args, train_dataset=sources)


def figures(trainer: PretrainTrainer, key: str) -> list[float]:
    return [entry[key] for entry in trainer.state.log_history if key in entry]


@pytest.fixture(scope="module")
def whole(texts: Path, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> PretrainTrainer:
    trainer = make(texts, tiny, tmp_path_factory.mktemp("whole"))
    trainer.train()
    return trainer


def test_learning_rate_and_shares_of_a_real_run(whole: PretrainTrainer) -> None:
    rates = [rate / 1e-3 for rate in figures(whole, "learning_rate")]
    assert rates == pytest.approx([0, 0.25, 0.5, 0.75, *[1] * 12, 0.316, 0.316, 0.1, 0.1])
    assert figures(whole, "num_tokens")[-1] == 20 * 8 * 64
    for name, share in SHARES.items():
        assert figures(whole, f"mixture/{name}/share")[-1] == pytest.approx(share, abs=0.02)
    losses = figures(whole, "loss")
    assert sum(losses[-3:]) / 3 < losses[0] - 0.5  # it learns


def test_a_resumed_run_is_the_uninterrupted_run(whole: PretrainTrainer, texts: Path, tiny: Path) -> None:
    again = make(texts, tiny, Path(whole.args.output_dir))
    again.train(resume_from_checkpoint=f"{whole.args.output_dir}/checkpoint-7")
    for key in ("loss", "learning_rate", "mixture/long/share", "grad_norm"):
        assert figures(again, key) == figures(whole, key), key
    for name, weights in whole.model.state_dict().items():
        assert torch.equal(weights, again.model.state_dict()[name]), name


def test_the_order_of_the_data_matters_to_the_loss(
    whole: PretrainTrainer, texts: Path, tiny: Path, tmp_path: Path
) -> None:
    other = make(texts, tiny, tmp_path, data_seed=1, max_steps=1, train_tokens=None, warmup_steps=0)
    other.train()
    assert figures(other, "loss") != figures(whole, "loss")[:1]  # so the test above could fail


def test_checkpoints_that_do_not_fit_are_refused(
    whole: PretrainTrainer, texts: Path, tiny: Path, tmp_path: Path
) -> None:
    checkpoint = f"{whole.args.output_dir}/checkpoint-7"
    with pytest.raises(ConfigError, match="8 sequences an update, and this run has 4"):
        make(texts, tiny, tmp_path, global_batch_tokens=4 * 64).train(resume_from_checkpoint=checkpoint)
    only = PretrainTrainer(
        str(tiny),
        PretrainConfig(str(tmp_path), **SETTINGS),
        train_dataset=[Source(str(texts / "short.jsonl"), 1.0)],
    )
    with pytest.raises(ConfigError, match="was trained on long, middle, short"):
        only.train(resume_from_checkpoint=checkpoint)


def test_a_warm_up_beyond_the_first_drop_is_refused(texts: Path, tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"takes 17 of 20 updates.* Lower warmup_steps \(the paper"):
        make(texts, tiny, tmp_path, warmup_steps=17).train()
    trainer = make(texts, tiny, tmp_path, warmup_steps=16)  # the peak is reached where the first drop comes
    trainer.create_optimizer_and_scheduler(20)
    assert trainer.lr_scheduler.lr_lambdas[0](15) == 15 / 16 and trainer.lr_scheduler.lr_lambdas[0](16) == 0.316
    assert trainer._created_lr_scheduler and trainer.lr_scheduler.optimizer is trainer.optimizer
    mine = torch.optim.SGD(trainer.model.parameters(), lr=1.0)
    assert trainer.create_scheduler(20, mine) is trainer.lr_scheduler  # made already: it stays
    trainer.lr_scheduler = None
    assert trainer.create_scheduler(20, mine).optimizer is mine
    other = make(texts, tiny, tmp_path, warmup_steps=17, lr_scheduler_type="linear")
    other.create_optimizer_and_scheduler(20)  # transformers' own has no drops
    assert other.lr_scheduler.lr_lambdas[0](17) == 1.0


def test_sources_need_a_length_and_one_reader(texts: Path, tiny: Path, tmp_path: Path) -> None:
    for settings in ({"train_tokens": None}, {"train_tokens": None, "max_steps": 0}):
        with pytest.raises(ConfigError, match="set max_length, and train_tokens or max_steps"):
            make(texts, tiny, tmp_path, num_train_epochs=1, **settings)
    with pytest.raises(ConfigError, match="leave dataloader_num_workers out"):
        make(texts, tiny, tmp_path, dataloader_num_workers=1)
    trainer = make(texts, tiny, tmp_path, data_seed=5, seed=6)
    assert (trainer.mixture.seed, trainer.mixture.snapshot_every) == (5, 8)
    assert make(texts, tiny, tmp_path, seed=6).mixture.seed == 6


def test_every_argument_reaches_trls_trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict] = []
    monkeypatch.setattr(SFTTrainer, "__init__", lambda self, **named: seen.append(named))
    args = PretrainConfig(str(tmp_path), **SETTINGS)
    names = ("data_collator", "eval_dataset", "processing_class", "compute_metrics", "callbacks", "optimizers")
    given = {name: name for name in (*names, "quantization_config", "peft_config", "formatting_func", "new")}
    given |= {"model": "m", "args": args, "train_dataset": Dataset.from_list([{"text": "a"}])}
    PretrainTrainer(**given)
    assert seen == [given]


def test_what_trls_trainer_is_told_of_sources(
    texts: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not to prepare, pack or skip anything; the tokenizer is that of the model's folder; both processes' rows count."""
    seen: list[dict] = []
    monkeypatch.setattr(SFTTrainer, "__init__", lambda self, **named: seen.append(named))
    monkeypatch.setattr(SFTTrainer, "add_callback", lambda self, callback: seen.append({"callback": callback}))
    args = PretrainConfig(str(tmp_path), **{**SETTINGS, "packing": True})
    monkeypatch.setattr(PretrainConfig, "world_size", 2)
    model = SimpleNamespace(config=SimpleNamespace(_name_or_path=str(tiny)))
    trainer = PretrainTrainer(model, args, train_dataset=[Source(str(texts / "short.jsonl"), 1.0)])
    assert trainer.mixture.snapshot_every == 4 * 2 * 2
    told = seen[0]["args"]
    assert (told.packing, told.dataset_kwargs, told.ignore_data_skip) == (False, {"skip_prepare_dataset": True}, True)
    assert (args.packing, args.ignore_data_skip) == (True, False)  # the caller's own stays
    assert seen[0]["processing_class"].name_or_path == str(tiny) and isinstance(seen[1]["callback"], _MixtureState)


def test_the_place_in_the_stream_is_kept_and_found() -> None:
    """8 sequences an update."""
    places = {0: "start", 24: {"tokens": {"a": 30, "b": 10}, "positions": {"a": {"epoch": 2}, "b": {"epoch": 0}}}}
    loaded: list[dict] = []
    mixture = SimpleNamespace(snapshot_every=8, snapshot=places.__getitem__, load_snapshot=loaded.append)
    place, args, control = _MixtureState(mixture), None, TrainerControl()
    assert place.state() == {"args": {}, "attributes": {"snapshot": "start"}}
    place.on_train_begin(args, TrainerState(), control)
    assert not loaded  # a run that begins
    place.on_step_end(args, TrainerState(global_step=3), control)
    assert place.figures() == {
        "mixture/a/share": 0.75, "mixture/b/share": 0.25, "mixture/a/epoch": 2, "mixture/b/epoch": 0,
    }  # fmt: skip
    resumed = TrainerState(global_step=3)
    with pytest.raises(ConfigError, match="made by another trainer"):
        place.on_train_begin(args, resumed, control)
    resumed.stateful_callbacks = {"_MixtureState": {"attributes": {"snapshot": {"sequences": 12}}}}
    with pytest.raises(ConfigError, match="with 4 sequences an update, and this run has 8"):
        place.on_train_begin(args, resumed, control)
    snapshot = {"sequences": 24}
    resumed.stateful_callbacks = {"_MixtureState": {"attributes": {"snapshot": snapshot}}}
    again = _MixtureState(mixture)
    again.on_train_begin(args, resumed, control)
    assert loaded == [snapshot] and again.state()["attributes"]["snapshot"] is places[24]


def test_a_plain_data_set_is_wrapped_as_trl_does(tiny: Path, texts: Path, tmp_path: Path) -> None:
    set_seed(0)
    rows = [json.loads(line) for line in (texts / "middle.jsonl").read_text().splitlines()]
    args = PretrainConfig(
        str(tmp_path), **{**SETTINGS, "train_tokens": None, "max_steps": 10, "warmup_steps": 0, "save_steps": 50}
    )
    trainer = PretrainTrainer(str(tiny), args, train_dataset=Dataset.from_list(rows))
    assert {len(ids) for ids in trainer.train_dataset["input_ids"][:-1]} == {64}
    trainer.train()
    assert figures(trainer, "learning_rate") == pytest.approx([*[1e-3] * 8, 3.16e-4, 1e-4])


@pytest.mark.slow
def test_two_processes_train_as_one(whole: PretrainTrainer, texts: Path, tiny: Path, tmp_path: Path) -> None:
    sources = [{"path": str(texts / f"{name}.jsonl"), "fraction": share} for name, share in SHARES.items()]
    recipe = {**SETTINGS, "sources": sources, "model_name_or_path": str(tiny), "output_dir": str(tmp_path / "out")}
    (tmp_path / "run.yaml").write_text(json.dumps(recipe))
    shown = run(recipe_script("pretrain"), "--config", tmp_path / "run.yaml", "--num_processes", "2")
    assert "4 per process x 1 micro-batches x 2 processes" in shown
    assert "short: 50.0% of the tokens" in shown
    state = json.loads((tmp_path / "out" / "trainer_state.json").read_text())
    losses = [entry["loss"] for entry in state["log_history"] if "loss" in entry]
    assert losses == pytest.approx(figures(whole, "loss"), abs=2e-4)
