"""Programs inside completions while training: one step of each trainer, and what the interpreter's tokens may not do."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from datasets import Dataset
from tool_model import ASK, NEXT, OPEN, Result, make_model, make_tokenizer
from trl import GRPOTrainer

from trl_dsmath import DeepSeekMathGRPOConfig, DeepSeekMathGRPOTrainer, StepGRPOConfig, StepGRPOTrainer
from trl_dsmath.errors import ConfigError
from trl_dsmath.generation import Program, Sample
from trl_dsmath.grpo import ToolRollout
from trl_dsmath.grpo.alignment import StepAligner, align_own_steps
from trl_dsmath.grpo.tools import _draw, check_trainer, with_tools
from trl_dsmath.rewards import boxed_accuracy_reward, code_execution_reward
from trl_dsmath.sandbox import run_many

SETTINGS: dict[str, Any] = {
    "use_cpu": True,
    "bf16": False,
    "report_to": "none",
    "disable_tqdm": True,
    "save_strategy": "no",
    "logging_steps": 1,
    "learning_rate": 1e-2,
    "global_batch_size": None,
    "per_device_train_batch_size": 8,
    "gradient_accumulation_steps": 2,
    "num_generations": 8,
    "max_completion_length": 40,
    "max_steps": 1,
    "tool_rounds": 3,
}


def calculator(codes: Sequence[str]) -> list[Result]:
    """What the programs of the tiny model print, without a process each: sums of digits."""
    results = []
    for code in codes:
        lines = [line for line in code.splitlines() if line.startswith("print(")]
        broken = any("}" in line for line in lines)
        printed = "" if broken else "".join(f"{sum(map(int, line[6:-1].split('+')))}\n" for line in lines)
        results.append(Result(printed, "SyntaxError: invalid syntax" if broken else None))
    return results


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tools")
    tokenizer = make_tokenizer()
    make_model(tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(autouse=True)
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "trl_dsmath.generation.tools.run_sandboxed", lambda codes, timeout, memory_mb: calculator(codes)
    )


def problems(conversational: bool = False) -> Dataset:
    texts = [f"{a}+{a}" if conversational else f"{a}+{a}=" for a in range(2, 10)]
    prompts = [[{"role": "user", "content": text}] if conversational else text for text in texts]
    return Dataset.from_dict({"prompt": prompts, "solution": [str(2 * a) for a in range(2, 10)]})


class Seen:
    """A reward function that keeps what it was given: 1 for a completion with a program that ran."""

    __name__ = "ran"

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def __call__(
        self, prompts: list, completions: list, completion_ids: list, own_tokens: list, programs: list, **columns: Any
    ) -> list[float]:
        for text, ids, own, ran in zip(completions, completion_ids, own_tokens, programs, strict=True):
            self.rows.append({"text": text, "ids": ids, "own": own, "programs": ran})
        return [float(bool(ran) and ran[0].error is None) for ran in programs]


class Checked(DeepSeekMathGRPOTrainer):
    """Takes the loss apart: what the interpreter's tokens carry must not matter."""

    def _compute_loss(self, model: Any, inputs: dict) -> torch.Tensor:
        mask = inputs["tool_mask"]
        hidden = (mask == 0) & (inputs["completion_mask"] == 1)
        self.hidden = getattr(self, "hidden", 0) + int(hidden.sum())

        def run(changed: dict) -> tuple[torch.Tensor, torch.Tensor]:
            loss = super(Checked, self)._compute_loss(model, {**inputs, **changed})
            (gradient,) = torch.autograd.grad(loss, [model.lm_head.weight], retain_graph=True)
            return loss, gradient

        wide = inputs["advantages"].unsqueeze(1).expand_as(mask) if inputs["advantages"].dim() == 1 else None
        wide = inputs["advantages"] if wide is None else wide
        loss, gradient = run({"advantages": wide})
        there = hidden.any(dim=1) & (wide != 0).any(dim=1)
        self.there = getattr(self, "there", 0) + int(there.sum())
        for changed in (
            {"advantages": wide + 1000.0 * hidden},
            {"ref_per_token_logps": inputs["ref_per_token_logps"] + 3.0 * hidden},
        ):
            other, other_gradient = run({"advantages": wide, **changed})
            assert torch.equal(other, loss) and torch.equal(other_gradient, gradient)
        unmasked, unmasked_gradient = run({"advantages": wide + 1000.0 * hidden, "tool_mask": torch.ones_like(mask)})
        if hidden.any():  # the check sees a token that is not masked
            assert not torch.equal(unmasked, loss) and not torch.equal(unmasked_gradient, gradient)
        self._check_formula(model, inputs, wide, loss)
        return super()._compute_loss(model, inputs)

    def _check_formula(self, model: Any, inputs: dict, wide: torch.Tensor, loss: torch.Tensor) -> None:
        """Equation 3 by hand, on the model's tokens: ratio 1, so -A + beta * KL, mean over a row, then over rows."""
        ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
        attention = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
        length = inputs["completion_ids"].size(1)
        with torch.no_grad():
            positions = (attention.cumsum(1) - 1).clamp(min=0)
            logits = model(ids, attention_mask=attention, position_ids=positions).logits[:, -length - 1 : -1]
        logps = logits.log_softmax(-1).gather(2, inputs["completion_ids"][..., None]).squeeze(2)
        gap = inputs["ref_per_token_logps"] - logps
        rows = []
        for row in range(len(ids)):
            kept = [t for t in range(length) if inputs["completion_mask"][row, t] and inputs["tool_mask"][row, t]]
            each = [-wide[row, t] + self.beta * (gap[row, t].exp() - gap[row, t] - 1) for t in kept]
            rows.append(sum(each) / max(1, len(kept)))
        expected = sum(rows) / len(rows) / self.current_gradient_accumulation_steps
        torch.testing.assert_close(loss.detach(), torch.as_tensor(expected), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("conversational", [False, True])
def test_a_step_of_grpo(path: str, tmp_path: Path, conversational: bool) -> None:
    seen = Seen()
    args = DeepSeekMathGRPOConfig(str(tmp_path), **SETTINGS)
    trainer = Checked(
        path, reward_funcs=[seen, boxed_accuracy_reward], args=args, train_dataset=problems(conversational)
    )
    before = [parameter.clone() for parameter in trainer.model.parameters()]
    trainer.train()
    assert any(not torch.equal(a, b) for a, b in zip(before, trainer.model.parameters(), strict=True))
    assert trainer.hidden > 20 and trainer.there >= 3
    assert len(seen.rows) == 16 and len({tuple(row["ids"]) for row in seen.rows}) > 8
    tokenizer = make_tokenizer()
    for row in seen.rows:
        assert len(row["own"]) == len(row["ids"]) <= 40
        heard = tokenizer.decode([t for t, own in zip(row["ids"], row["own"], strict=True) if not own])
        if row["programs"] and sum(row["own"]) < len(row["own"]) and len(row["ids"]) < 40:
            program = row["programs"][0]
            assert (program.error or program.stdout).strip() in heard
    logged = trainer.state.log_history[0]
    ran = [program for row in seen.rows for program in row["programs"]]
    assert logged["tools/programs"] == pytest.approx(len(ran) / 16)
    assert logged["tools/frac_error"] == pytest.approx(sum(p.error is not None for p in ran) / len(ran))
    assert logged["completions/mean_length"] == pytest.approx(sum(sum(row["own"]) for row in seen.rows) / 16)
    assert logged["rewards/ran/mean"] > 0


def test_metrics_of_four_samples_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: dict[str, float] = {}
    monkeypatch.setattr("trl_dsmath.grpo.tools.log_metric", lambda trainer, name, value: logged.update({name: value}))
    ran, failed, stopped = Program("a", "1"), Program("b", "", "NameError"), Program("c", "", "limit", True)
    samples = [
        Sample("", (1, 2, 3), True, own=(True, False, False), programs=(ran, failed)),
        Sample("", (1, 2), True, own=(True, False), programs=(ran, stopped)),
        Sample("", (1,), True, own=(True,), imitates_output=True),
        Sample("", (1,), False),
    ]
    ToolRollout()._log(samples, None)
    assert logged == {
        "tools/programs": 1.0,
        "tools/frac_imitates_output": 0.25,
        "tools/output_tokens": 0.75,
        "tools/frac_error": 0.5,
        "tools/frac_timeout": 0.25,
    }
    logged.clear()
    ToolRollout()._log(samples[2:], None)
    assert logged == {"tools/programs": 0.0, "tools/frac_imitates_output": 0.5, "tools/output_tokens": 0.0}


def test_a_configuration_of_trls_has_no_tools() -> None:
    assert with_tools(SimpleNamespace(), {"rollout_func": print}) == {"rollout_func": print}


def test_rounds_time_and_shown_output_are_those_of_the_configuration(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeouts: list[float] = []

    def run(codes: Sequence[str], timeout: float, memory_mb: int) -> list[Result]:
        timeouts.append(timeout)
        return [Result("123456789\n")] * len(codes)

    monkeypatch.setattr("trl_dsmath.generation.tools.run_sandboxed", run)
    args = _config(tmp_path, tool_rounds=3, tool_timeout=4.0, tool_output_chars=4, max_completion_length=90)
    trainer = DeepSeekMathGRPOTrainer(path, args=args, train_dataset=problems())
    torch.manual_seed(0)
    made = trainer.rollout_func([f"{n}+{n}=" for n in range(1, 6)] * 3, trainer)
    assert timeouts == [4.0] * 3 and max(map(len, made["programs"])) == 3
    heard = trainer.processing_class.batch_decode(made["completion_ids"])
    assert any("\n12...89\n" in text for text in heard) and not any("123456789" in text for text in heard)


def test_samples_of_a_prompt_have_numbers_of_their_own_on_every_process() -> None:
    class Numbered:
        def sample(self, prompts: list, decoding: Any, n: int, first: list[int]) -> list[list[Sample]]:
            return [
                [Sample(f"{p} {start + i}", (), True) for i in range(n)]
                for p, start in zip(prompts, first, strict=True)
            ]

    def drawn(prompts: str, offset: int) -> list[str]:
        rows = _draw(Numbered(), [[int(p)] for p in prompts], None, offset)
        return [sample.text.split()[-1] for sample in rows]

    # Eight samples of prompt 7: six on the first of two processes, two on the second.
    assert drawn("11777777", 0) == ["0", "1", "2", "3", "4", "5", "6", "7"]
    assert drawn("77222222", 8) == ["8", "9", "10", "11", "12", "13", "14", "15"]
    assert drawn("121", 3) == ["3", "4", "4"]  # other prompts have streams of their own


def test_rows_of_a_prompt_differ_and_a_seed_repeats_them(path: str, tmp_path: Path) -> None:
    args = DeepSeekMathGRPOConfig(str(tmp_path), **SETTINGS)
    trainer = DeepSeekMathGRPOTrainer(path, args=args, train_dataset=problems())
    rollout, prompts = trainer.rollout_func, ["1+1="] * 8 + ["2+2="] * 5 + ["3="] * 8
    torch.manual_seed(1)
    first, after = rollout(prompts, trainer), rollout(prompts, trainer)
    torch.manual_seed(1)
    again = rollout(prompts, trainer)
    assert first == again and first["completion_ids"] != after["completion_ids"]
    assert first["prompt_ids"][9] == trainer.processing_class("2+2=")["input_ids"]
    assert len({tuple(ids) for ids in first["completion_ids"][:8]}) > 4
    trainer.model.train()
    rollout(prompts, trainer)
    assert trainer.model.training


def test_with_a_lora_adapter_the_adapter_writes(path: str, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    args = DeepSeekMathGRPOConfig(str(tmp_path), **{**SETTINGS, "temperature": 0.01})
    config = peft.LoraConfig(r=4, target_modules=["o_proj"], task_type="CAUSAL_LM")
    trainer = DeepSeekMathGRPOTrainer(path, args=args, train_dataset=problems(), peft_config=config)
    trainer.train()

    def first_tokens() -> set[int]:
        return {ids[0] for ids in trainer.rollout_func(["1+1="] * 4, trainer)["completion_ids"]}

    (opening,) = trainer.processing_class(OPEN, add_special_tokens=False)["input_ids"]
    assert first_tokens() == {opening}
    with torch.no_grad():
        for name, parameter in trainer.model.named_parameters():
            if "lora_B" in name:  # the layer, which adds nothing without it, now drowns the last token
                parameter.fill_(100.0)
    assert opening not in first_tokens()


def test_a_step_of_step_grpo(path: str, tmp_path: Path) -> None:
    """Process advantages of the model's tokens, worked out again; none on the interpreter's."""
    taken: list[tuple[list, list]] = []

    def length(steps: list, completion_ids: list, own_tokens: list, **columns: Any) -> list:
        taken.extend(zip(steps, completion_ids, own_tokens, strict=True))
        return [[float(len(step)) for step in row] for row in steps]

    batches: list[dict] = []

    class Recorded(StepGRPOTrainer):
        def _generate_and_score_completions(self, inputs: list) -> dict:
            batches.append(super()._generate_and_score_completions(inputs))
            return batches[-1]

    args = StepGRPOConfig(str(tmp_path), **{**SETTINGS, "max_steps": 1})
    trainer = Recorded(path, step_reward_funcs=length, args=args, train_dataset=problems())
    before = [parameter.clone() for parameter in trainer.model.parameters()]
    trainer.train()
    assert any(not torch.equal(a, b) for a, b in zip(before, trainer.model.parameters(), strict=True))
    (batch,) = batches
    several = 0
    for start in (0, 8):
        rewards = torch.tensor([float(len(step)) for steps, _, _ in taken[start : start + 8] for step in steps])
        mean, deviation = rewards.mean(), rewards.std() + 1e-4
        for row in range(start, start + 8):
            steps, ids, own = taken[row]
            ends, texts = align_own_steps(trainer.align_steps, ids, own)
            assert texts == steps and all(own[end] for end in ends)
            several += len(steps) > 1 and 0 in own
            # Without the interpreter's text the steps are the completion of the model.
            model_text = trainer.processing_class.decode([t for t, o in zip(ids, own, strict=True) if o], True)
            assert "".join(steps) == model_text
            for t in range(batch["completion_ids"].size(1)):
                to_come = sum((len(s) - mean) / deviation for s, e in zip(steps, ends, strict=True) if e >= t)
                expected = to_come if t < len(ids) and own[t] else 0.0
                assert batch["advantages"][row, t].item() == pytest.approx(float(expected), abs=1e-4)
    assert several >= 3


def _marked(*parts: tuple[str, bool]) -> tuple[list[int], list[int]]:
    tokenizer = make_tokenizer()
    ids: list[int] = []
    own: list[int] = []
    for text, by_model in parts:
        more = tokenizer(text, add_special_tokens=False)["input_ids"]
        ids += more
        own += [int(by_model)] * len(more)
    return ids, own


@pytest.mark.parametrize("separator", ["\n", "\n\n"])
def test_steps_end_before_the_output(separator: str) -> None:
    tokenizer = make_tokenizer()
    program = f"{OPEN}x = 1\n\nprint(x)\n```\n{ASK}"
    ids, own = _marked(
        ("Let us\n\nsee.\n\n" + program, True),
        ("\n1\n\n2\n```\n", False),
        ("So\n\n" + program, True),
        ("\n3\n```\n", False),
        ("</s>", True),
    )
    ends, texts = align_own_steps(StepAligner(tokenizer, separator), ids, own)
    assert texts == ["Let us\n\n", "see.\n\n", program, "So\n\n", program]
    assert all(own[end] for end in ends)
    # The first program ends with its request; the second with EOS, which follows its output and is no step.
    assert tokenizer.decode(ids[: ends[2] + 1]) == "Let us\n\nsee.\n\n" + program
    assert ends[-1] == len(ids) - 1


def test_steps_of_other_completions() -> None:
    align = StepAligner(make_tokenizer())

    def steps(*parts: tuple[str, bool]) -> list[str]:
        ids, own = _marked(*parts)
        ends, texts = align_own_steps(align, ids, own)
        assert len(ends) == len(texts) and all(own[end] for end in ends)
        return texts

    assert steps(("a\nb\n", True)) == ["a\n", "b\n"]
    assert steps((f"{OPEN}a\n\nb", True)) == [f"{OPEN}a\n\nb"]  # cut off inside a program
    assert steps((f"a\n{OPEN}b\n```\nc\nd", True)) == ["a\n", f"{OPEN}b\n```\n", "c\n", "d"]  # not asked for
    assert steps((f"{OPEN}b\n```\n{ASK}", True), ("\n1\n", False)) == [f"{OPEN}b\n```\n{ASK}"]  # output cut off
    assert steps(("\n", True)) == []


def _config(path: Path, **settings: Any) -> DeepSeekMathGRPOConfig:
    return DeepSeekMathGRPOConfig(str(path), **{**SETTINGS, **settings})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tool_rounds": -1}, "tool_rounds"),
        ({"tool_timeout": 0.0}, "tool_timeout"),
        ({"tool_output_chars": 0}, "tool_output_chars"),
        ({"use_vllm": True}, "Set use_vllm=False"),
        ({"use_transformers_continuous_batching": True}, "use_transformers_continuous_batching=False"),
        ({"top_k": 5}, "top_k=5 is not applied"),
        ({"min_p": 0.1}, "min_p=0.1"),
        ({"repetition_penalty": 1.1}, "repetition_penalty=1.1"),
        ({"generation_kwargs": {"num_beams": 2}}, "generation_kwargs="),
    ],
)
def test_settings_that_exclude_tools(settings: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        _config(tmp_path, **settings)
    if "tool_rounds" not in settings and not message.startswith(("tool_", "Set use_vllm", "use_trans")):
        assert _config(tmp_path, **settings, tool_rounds=0).tool_rounds == 0


def test_settings_of_tools_at_their_limits(tmp_path: Path) -> None:
    least = {"tool_rounds": 1, "tool_timeout": 0.5, "tool_output_chars": 1}
    made = _config(tmp_path, **least, top_k=0, repetition_penalty=1.0)
    assert {name: getattr(made, name) for name in least} == least
    assert _config(tmp_path, tool_rounds=0, tool_timeout=-1.0).tool_rounds == 0  # without tools it means nothing


def test_ligers_loss_is_refused_where_trl_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GRPOTrainer, "compute_liger_loss", lambda self: None, raising=False)
    with pytest.raises(ConfigError, match="use_liger_kernel=False"):
        _config(tmp_path, use_liger_kernel=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rollout_func": print}, "rollout_func exclude each other"),
        ({"tools": [print]}, "tools exclude each other"),
        ({"environment_factory": object}, "environment_factory exclude each other"),
        ({"train_dataset": Dataset.from_dict({"prompt": ["1="], "image": ["x"]})}, "a column 'image'"),
    ],
)
def test_arguments_that_exclude_tools(arguments: dict, message: str, path: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        DeepSeekMathGRPOTrainer(path, args=_config(tmp_path), **{"train_dataset": problems(), **arguments})


@pytest.mark.parametrize("trainer", [DeepSeekMathGRPOTrainer, StepGRPOTrainer])
def test_a_trainer_that_cannot_draw_is_refused_before_it_trains(trainer: type, path: str, tmp_path: Path) -> None:
    steps = {} if trainer is DeepSeekMathGRPOTrainer else {"step_reward_funcs": lambda steps, **columns: steps}
    made = DeepSeekMathGRPOConfig if trainer is DeepSeekMathGRPOTrainer else StepGRPOConfig
    settings = {**SETTINGS, "ds3_gather_for_generation": False}
    with pytest.raises(ConfigError, match="set ds3_gather_for_generation=True"):
        trainer(path, args=made(str(tmp_path), **settings), train_dataset=problems(), **steps)
    without = made(str(tmp_path), **{**settings, "tool_rounds": 0})
    assert trainer(path, args=without, train_dataset=problems(), **steps).rollout_func is None


def test_trainers_that_cannot_draw_are_refused_by_the_roll_out(tmp_path: Path) -> None:
    """TRL's own trainer, with a `ToolRollout`."""
    trainer = {"args": _config(tmp_path), "processing_class": make_tokenizer(), "is_fsdp_enabled": False}
    check_trainer(SimpleNamespace(**trainer))
    for change, message in (
        ({"is_fsdp_enabled": True}, "FSDP has divided"),
        ({"args": _config(tmp_path, tool_rounds=0, top_k=5)}, "top_k=5 is not applied"),
        ({"processing_class": SimpleNamespace(tokenizer=make_tokenizer())}, "a processor for images"),
    ):
        with pytest.raises(ConfigError, match=message):
            ToolRollout()(["1="], SimpleNamespace(**{**trainer, **change}))


def test_a_roll_out_for_trls_own_trainer_in_the_real_sandbox(path: str, tmp_path: Path) -> None:
    seen, given = Seen(), {**SETTINGS}
    rounds = given.pop("tool_rounds")
    args = DeepSeekMathGRPOConfig(str(tmp_path), **given)
    rollout = ToolRollout(rounds, run=run_many)
    rewards = [seen, code_execution_reward]
    trainer = GRPOTrainer(path, reward_funcs=rewards, args=args, train_dataset=problems(), rollout_func=rollout)
    trainer.train()
    ran = [program for row in seen.rows for program in row["programs"]]
    assert len(ran) >= 8
    for program, result in zip(ran, calculator([program.code for program in ran]), strict=True):
        assert (program.error is None) == (result.error is None)
        if result.error is None:
            assert program.stdout == result.stdout
    assert trainer.state.log_history[0]["code/ran"] > 0.3


def test_a_mask_that_is_not_ours_is_still_refused(path: str, tmp_path: Path) -> None:
    def rollout(prompts: list, trainer: Any) -> dict:
        made = ToolRollout(run=calculator)(prompts, trainer)
        del made["own_tokens"]
        return made

    args = StepGRPOConfig(str(tmp_path), **{**SETTINGS, "tool_rounds": 0})
    trainer = StepGRPOTrainer(
        path,
        step_reward_funcs=lambda steps, **columns: [[0.0] * len(row) for row in steps],
        args=args,
        train_dataset=problems(),
        rollout_func=rollout,
    )
    with pytest.raises(ConfigError, match="Return the same mask as 'own_tokens'"):
        trainer.train()


def test_the_tiny_model_is_what_it_says() -> None:
    """The bigram table is what the model computes."""
    tokenizer = make_tokenizer()
    model = make_model(tokenizer)
    with torch.no_grad():
        logits = model(torch.tensor([tokenizer("=", add_special_tokens=False)["input_ids"]])).logits[0, -1]
    probability = logits.softmax(-1)[tokenizer(OPEN, add_special_tokens=False)["input_ids"][0]].item()
    assert probability == pytest.approx(NEXT["="][OPEN] / sum(NEXT["="].values()), abs=0.01)
