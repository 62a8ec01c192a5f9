"""All stages of DeepSeekMath on a toy task, from random weights, in about two minutes on one CPU core.

    python recipes/quickstart/quickstart.py --output_dir quickstart-run

corpus, pretrain, sft, annotate (step labels by rollouts), prm (process reward model), grpo (rewarded by the outcome),
step_grpo (by outcome and steps), solve (self-consistency before and after), quantize (8 and 4 bits). Prints the result of
each stage and writes a report. Stopped and started again, it goes on where it was. Seed 0: greedy accuracy 41.6 % after
SFT, 100.0 % after GRPO; docs/results/quickstart.md has five seeds and how to read them.

The files beside this one: `task.py` (problems, the sloppy author, the crawl), `model.py` (tokenizer, model, measuring),
`run.py` (settings and folder), `progress.py` and `quiet.py` (terminal), `report.py`.
"""

import gzip
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import quiet  # isort: split

import numpy as np
import report
import torch
from datasets import Dataset
from model import CHAT_TEMPLATE, MAX_NEW_TOKENS, complete, judge, make_model, make_tokenizer
from run import POLICIES, STAGES, Result, Run, Settings, disk_trouble, seconds
from task import (
    Problem,
    SloppyAuthor,
    documents,
    labels_of,
    make_problems,
    read_rows,
    steps_right,
    write_pages,
    write_rows,
)
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, TrainerCallback
from transformers.trainer_callback import PrinterCallback

from trl_dsmath import (
    DeepSeekMathGRPOConfig,
    DeepSeekMathGRPOTrainer,
    MathSFTConfig,
    MathSFTTrainer,
    PretrainConfig,
    PretrainTrainer,
    PRMConfig,
    PRMTrainer,
    Solver,
    StepGRPOConfig,
    StepGRPOTrainer,
    load_step_scorer,
)
from trl_dsmath.corpus.loop import run_loop
from trl_dsmath.corpus.settings import LoopSettings
from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.generation import Decoding, SamplerConfig, TransformersSampler, load_policy
from trl_dsmath.generation.memory import GIB, model_memory
from trl_dsmath.grading.metrics import maj_at_k, pass_at_k, wilson
from trl_dsmath.inference import Solution
from trl_dsmath.paper import EVALUATION, MODEL
from trl_dsmath.prm.metrics import auroc
from trl_dsmath.rewards import boxed_accuracy_reward
from trl_dsmath.scripts import ScriptParser, run_script
from trl_dsmath.scripts.checkpoints import find_resume
from trl_dsmath.shepherd import annotate, to_dataset
from trl_dsmath.text.steps import split_steps

GRPO_PROMPTS, GRPO_GROUP = 8, 8  # questions per update, samples per question
K = report.K  # samples per vote
# What pretraining and SFT need on a model this small: many small updates at a high learning rate with a short warm-up.
SCHEDULE: dict[str, Any] = {
    "learning_rate": 4e-3,
    "lr_scheduler_type": "linear",
    "warmup_steps": 20,
    "adam_beta2": 0.98,
}
# The first step's tokens collect the rewards of all four steps: a quarter brings that to the scale of the outcome. With 1,
# a run on seed 0 found a wrong digit that its PRM takes for right, and ended at 89.8 instead of 96.8 %: docs/results/quickstart.md.
PROCESS_WEIGHT = 0.25


@dataclass
class Arguments:
    """Where to, and how far."""

    output_dir: str = field(default="quickstart-run", metadata={"help": "Folder of models, results and report."})
    stages: str = field(default=",".join(STAGES), metadata={"help": "Which stages, with commas."})


ARGUMENTS = (Settings, Arguments)


def main() -> None:
    """Runs the stages that are asked for and writes the report."""
    parser = ScriptParser(ARGUMENTS, description="All stages of DeepSeekMath on a toy task, in minutes on a CPU.")
    settings, arguments = parser.parse_args_and_config()
    asked = [name.strip() for name in arguments.stages.split(",") if name.strip()]
    if not asked or set(asked) - set(STAGES):
        raise ConfigError(f"--stages {arguments.stages}: name stages out of {','.join(STAGES)}, with commas.")
    with disk_trouble(Path(arguments.output_dir)):
        run_stages(Run(Path(arguments.output_dir), settings), [stage for stage in STAGES if stage in asked])


def run_stages(run: Run, stages: list[str]) -> None:
    """Runs stages, in order, and writes the report."""
    quiet.be_quiet()
    torch.set_num_threads(1)  # more gain nothing at this size, lose a lot on a busy machine, and change the metrics
    work = (corpus, pretrain, sft, annotate_steps, prm, grpo, step_grpo, solve, quantize)
    run.stages(stages, dict(zip(STAGES, work, strict=True)))
    print()
    for line in report.write(run):
        run.progress.say(line)


# corpus: fastText finds the mathematical pages of a small made-up crawl


def corpus(run: Run) -> Result:
    """Trains fastText on a seed from one site, ranks, follows the rules on sites, and again, three times."""
    here, settings, rounds = run.folder("corpus").resolve(), run.settings, 3
    crawl = here / "crawl"
    if not (crawl / "pages.jsonl").exists():  # written last
        write_pages(crawl, settings.pages, settings.seed)
    loop = LoopSettings(
        pages=str(crawl / "pages.jsonl"),
        seed_pages=str(crawl / "seed_pages.jsonl"),
        labelled=str(crawl / "labels.jsonl"),
        rules=str(crawl / "rules.csv"),
        iterations=rounds,
        dim=64,  # the paper's 256 and 2,000,000 buckets are for a million pages, and write half a gigabyte per model
        bucket=20_000,
        epochs=5,
        learning_rate=0.5,
        seed=settings.seed,
    )
    done = 0

    def show(line: str) -> None:
        nonlocal done
        done += line.startswith("-- round")
        if line.startswith("collected"):
            run.progress.update(done / rounds, line.removeprefix("collected").strip())

    result = run_loop(loop, here / "loop", show)
    if result.status != "done":
        raise DataError(f"The corpus loop stopped: {result.message}")
    truth = labels_of(crawl)
    mathematics = {url for url, is_mathematics in truth.items() if is_mathematics}
    found = {row["url"] for row in collected(run)}
    right = len(found & mathematics)
    metrics = {
        "pages": len(truth),
        "mathematics": len(mathematics),
        "collected": len(found),
        "right": right,
        "rounds": [
            {"pages": one["pages"], "labelled": one["labelled"], "trained_on": one["training"]["lines"]}
            for one in result.reports
        ],
    }
    precision, recall = right / max(1, len(found)), right / len(mathematics)
    line = f"{len(found)} of {len(truth)} pages kept, precision {precision:.1%}, recall {recall:.1%}"
    return Result(f"{len(truth):,} made-up pages, {len(mathematics):,} of them mathematics", line, metrics)


def collected(run: Run) -> list[dict[str, Any]]:
    """The pages that the loop kept."""
    rows = []
    for file in sorted((run.folder("corpus") / "loop" / "corpus").glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            rows += [json.loads(line) for line in lines]
    return rows


# pretrain, sft: from random weights to a model that imitates the sloppy author


def pretrain(run: Run) -> Result:
    """Plain text, one document per row: the solutions on the collected pages, without their questions."""
    settings = run.settings
    if run.result("corpus") is not None:
        pages = collected(run)
        source = f"paragraphs of the {len(pages):,} pages that the loop kept"
    else:  # fastText is not installed
        crawl = run.folder("corpus") / "crawl"
        write_pages(crawl, settings.pages, settings.seed)
        truth = labels_of(crawl)
        pages = [page for page in read_rows(crawl / "pages.jsonl") if truth[page["url"]]]
        source = f"paragraphs of the {len(pages):,} mathematical pages, taken by their labels: the loop was left out"
    texts = [text for page in pages for text in documents(page["text"])]
    tokenizer = make_tokenizer()
    tokenizer.chat_template = CHAT_TEMPLATE
    args = PretrainConfig(
        **shared_arguments(run, "pretrain", save_steps=100),
        **SCHEDULE,
        max_steps=settings.pretrain_steps,
        per_device_train_batch_size=24,
        global_batch_tokens=24 * 24,
        max_length=24,  # a solution is 21 tokens; of the prose on its page no more is read
        packing=False,
        logging_steps=10,
    )
    trainer = PretrainTrainer(
        model=make_model(tokenizer, settings.seed),
        args=args,
        train_dataset=Dataset.from_list([{"text": text} for text in texts]),
        processing_class=tokenizer,
    )
    return train_policy(run, "pretrain", trainer, f"{len(texts):,} {source}")


def sft(run: Run) -> Result:
    """Questions with the paper's instruction, answered by the sloppy author; loss on the solution only."""
    settings, batch = run.settings, 16
    author = SloppyAuthor(settings.seed, "sft")
    problems = make_problems(settings.sft_steps * batch, settings.seed, "sft")
    rows = [{"prompt": problem.prompt, "completion": author.solve(problem)} for problem in problems]
    args = MathSFTConfig(
        **shared_arguments(run, "sft", save_steps=50),
        **SCHEDULE,
        max_steps=settings.sft_steps,
        per_device_train_batch_size=batch,
        global_batch_size=batch,
        max_length=None,
        packing=False,
        logging_steps=10,
    )
    model, tokenizer = load(run, "pretrain")
    trainer = MathSFTTrainer(model=model, args=args, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
    return train_policy(run, "sft", trainer, f"{len(rows):,} questions, solved by the sloppy author")


# annotate, prm: step labels by rollouts, and a process reward model trained on them. Neither sees which step is right:
# labels come from final answers alone. The exact steps of the task are used only to measure labels and scores.


def annotate_steps(run: Run) -> Result:
    """Labels the SFT model's own solutions to training problems."""
    settings, output, solutions, rollouts = run.settings, run.folder("annotate") / "labels.jsonl", 4, 4
    sampler = TransformersSampler(*load(run, "sft"), batch_size=256)
    problems = make_problems(settings.annotate_problems, settings.seed, "annotate")
    rows = [{"prompt": problem.prompt, "gold": problem.answer} for problem in problems]
    for end in [*range(30, len(rows), 30), len(rows)]:  # each call continues the same file
        summary = annotate(
            rows[:end],
            sampler,
            output,
            num_rollouts=rollouts,
            num_solutions=solutions,
            decoding=Decoding(max_new_tokens=MAX_NEW_TOKENS, seed=settings.seed),
            problems_at_once=64,
            progress=False,
        )
        good = summary.good / max(1, summary.steps)
        run.progress.update(end / len(rows), f"{summary.spent:,} rollouts, {good:.0%} of steps good")
    of_prompt = {problem.prompt: problem for problem in problems}
    agreed = [
        (label >= 0.5) == right
        for row in read_rows(output)
        for label, right in zip(row["labels"], steps_right(of_prompt[row["prompt"]], row["completions"]), strict=True)
    ]
    metrics = {
        "solutions": summary.solutions,
        "steps": summary.steps,
        "good": summary.good,
        "rollouts": summary.spent,
        "labels_true": sum(agreed) / len(agreed),
    }
    line = (
        f"{summary.solutions} solutions, {summary.spent:,} rollouts, {good:.0%} of steps good, "
        f"{metrics['labels_true']:.1%} of labels true"
    )
    data = f"{solutions} SFT samples of each of {len(rows)} problems, {rollouts} rollouts per step"
    return Result(data, line, metrics)


def prm(run: Run) -> Result:
    """Trains the reward model from the SFT model, and tests it on samples for held-out problems."""
    args = PRMConfig(
        **shared_arguments(run, "prm", save_steps=50),
        max_steps=run.settings.prm_steps,
        prm_type="likelihood",  # the form that a model this small can learn; docs/guides/prm.md says why it is rarely sensible
        per_device_train_batch_size=16,
        learning_rate=1e-3,
        lr_scheduler_type="linear",
        warmup_steps=20,
        adam_beta2=0.98,
        logging_steps=5,
    )
    model, tokenizer = load(run, "sft")
    rows = to_dataset(run.folder("annotate") / "labels.jsonl")
    trainer = PRMTrainer(run.model("sft"), args=args, train_dataset=rows, processing_class=tokenizer)
    train(run, "prm", trainer)

    decoding = Decoding(MAX_NEW_TOKENS, EVALUATION.temperature, seed=run.settings.seed)
    problems = run.held_out[:100]
    drawn = TransformersSampler(model, tokenizer, batch_size=256).sample([p.prompt for p in problems], decoding, n=8)
    solutions = [(p, split_steps(s.text)) for p, samples in zip(problems, drawn, strict=True) for s in samples]
    scores = load_scorer(run)([p.prompt for p, _ in solutions], steps=[steps for _, steps in solutions])
    truths = [steps_right(problem, steps) for problem, steps in solutions]
    score = np.array([score for row in scores for score in row])
    right = np.array([truth for row in truths for truth in row], dtype=bool)
    first = np.array([i <= sum(row) for row in truths for i in range(len(row))], dtype=bool)  # up to the first error
    metrics = {
        "steps": run.settings.prm_steps,
        "tested": len(score),
        "steps_right": float(right.mean()) if len(right) else 0.0,
        "auroc": auroc(score, right),
        "auroc_first": auroc(score[first], right[first]),
        "roc": roc(score, right),
        "log": trainer.state.log_history,
    }
    area, of_first = (
        "not defined" if metrics[name] is None else f"{metrics[name]:.3f}" for name in ("auroc", "auroc_first")
    )
    line = f"step AUROC {area} on {len(score):,} steps of held-out problems; first errors {of_first}"
    return Result(f"{len(rows):,} solutions with the labels of `annotate`", line, metrics)


def roc(score: np.ndarray, right: np.ndarray) -> list[tuple[float, float]]:
    """Points of the ROC curve: shares of wrong and of right steps at or above a threshold."""
    if right.all() or not right.any():
        return []
    thresholds = np.unique(np.quantile(score, np.linspace(0, 1, 100)))[::-1]
    points = [(float((score[~right] >= at).mean()), float((score[right] >= at).mean())) for at in thresholds]
    return [(0.0, 0.0), *points, (1.0, 1.0)]


# grpo, step_grpo: the same problems and samples, rewarded by the outcome, and by outcome and steps


def grpo(run: Run) -> Result:
    """GRPO with outcome supervision: whether the final answer is right is all that the model is told."""
    questions, data = grpo_questions(run)
    model, tokenizer = load(run, "sft")
    trainer = DeepSeekMathGRPOTrainer(
        model=model,
        reward_funcs=boxed_accuracy_reward,
        args=DeepSeekMathGRPOConfig(**grpo_arguments(run, "grpo")),
        train_dataset=questions,
        processing_class=tokenizer,
    )
    return train_policy(run, "grpo", trainer, f"{data}, rewarded by the true answer", watch=True)


def step_grpo(run: Run) -> Result:
    """GRPO with the outcome and the reward model's step scores."""
    questions, data = grpo_questions(run)
    model, tokenizer = load(run, "sft")
    trainer = StepGRPOTrainer(
        model=model,
        reward_funcs=boxed_accuracy_reward,
        step_reward_funcs=load_scorer(run),
        args=StepGRPOConfig(**grpo_arguments(run, "step_grpo"), process_weight=PROCESS_WEIGHT, outcome_weight=1.0),
        train_dataset=questions,
        processing_class=tokenizer,
    )
    data = f"{data}, rewarded by the true answer and the PRM's step scores"
    return train_policy(run, "step_grpo", trainer, data, watch=True)


def grpo_questions(run: Run) -> tuple[Dataset, str]:
    """The questions with their true answers, and what they are, for the report."""
    problems = make_problems(run.settings.grpo_steps * GRPO_PROMPTS, run.settings.seed, "grpo")
    rows = [{"prompt": problem.prompt, "solution": problem.answer} for problem in problems]
    return Dataset.from_list(rows), f"{len(rows):,} questions x {GRPO_GROUP} samples"


def grpo_arguments(run: Run, stage: str) -> dict[str, Any]:
    """Arguments of both GRPO stages."""
    return {
        **shared_arguments(run, stage, save_steps=10),
        "max_steps": run.settings.grpo_steps,
        "per_device_train_batch_size": GRPO_PROMPTS * GRPO_GROUP,
        "global_batch_size": GRPO_PROMPTS * GRPO_GROUP,
        "num_generations": GRPO_GROUP,
        "max_completion_length": MAX_NEW_TOKENS,
        "learning_rate": 5e-4,
        "lr_scheduler_type": "constant_with_warmup",
        "warmup_steps": 5,  # without it greedy accuracy dips before it rises
        "adam_beta2": 0.99,
        "logging_steps": 1,
    }


# solve: self-consistency before and after GRPO, by majority and weighted by the reward model


def solve(run: Run) -> Result:
    """Draws 16 samples per problem from each policy, scores their steps, and votes."""
    problems, voters = run.held_out[: run.settings.vote_problems], POLICIES[1:]
    metrics: dict[str, Any] = {"problems": len(problems), "k": list(report.SHOWN_K)}
    for number, policy in enumerate(voters):
        file = run.folder("solve") / f"{policy}.jsonl"
        if not file.exists():
            solver = Solver.from_pretrained(
                run.model(policy),
                step_scorer=load_scorer(run),
                use_cpu=run.settings.use_cpu,
                n=K,
                vote="weighted",
                adaptive="off",  # all samples are wanted, not only the winner
                temperature=EVALUATION.temperature,
                top_p=1.0,
                max_new_tokens=MAX_NEW_TOKENS,
                seed=run.settings.seed,
            )
            rows: list[dict[str, Any]] = [{}] * len(problems)
            for done, (i, solution) in enumerate(solver.solve([problem.question for problem in problems]), start=1):
                rows[i] = voted(solution, problems[i])
                share = (number + done / len(problems)) / len(voters)
                run.progress.update(share, f"{policy}: {done} of {len(problems)} problems")
            write_rows(file, rows)
        metrics[policy] = count_votes(read_rows(file))
    before, after = metrics["sft"], metrics["step_grpo"]
    line = (
        f"maj@{K} {before['majority'][-1]:.1%} -> {after['majority'][-1]:.1%}, by PRM {before['weighted'][-1]:.1%} -> "
        f"{after['weighted'][-1]:.1%}, pass@{K} {before['pass'][-1]:.1%} -> {after['pass'][-1]:.1%}"
    )
    data = f"{K} samples of {len(problems)} held-out problems from each of {len(voters)} models, T = {EVALUATION.temperature}"
    return Result(data, line, metrics)


def voted(solution: Solution, problem: Problem) -> dict[str, Any]:
    """What is kept of a problem: for each sample the group of its answer, whether it is right, and its scores."""
    group_of = {i: number for number, group in enumerate(solution.vote.classes) for i in group.members}
    right = judge([problem] * len(solution.samples), [sample.text for sample in solution.samples])
    samples = [
        {
            "text": sample.text,
            "class": group_of.get(i),
            "right": right[i],
            "score": sample.score,
            "steps": sample.steps,
            "step_scores": [round(score, 4) for score in sample.step_scores],
        }
        for i, sample in enumerate(solution.samples)
    ]
    return {"question": problem.question, "answer": problem.answer, "samples": samples}


def count_votes(rows: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Accuracy at 1, 2, 4, 8 and 16 samples: by majority, weighted (each vote weighs the lowest step score of its sample;
    mean over disjoint groups of samples), and pass@k."""
    found: dict[str, list[float]] = {"majority": [], "weighted": [], "pass": []}
    for k in report.SHOWN_K:
        majority, weighted, passed = [], [], []
        for row in rows:
            right = [sample["right"] for sample in row["samples"]]
            majority.append(maj_at_k([sample["class"] for sample in row["samples"]], right, k))
            passed.append(pass_at_k(sum(right), len(right), k))
            winners = [report.winner(row["samples"][i : i + k], by_score=True) for i in range(0, K, k)]
            weighted.append(fmean(bool(winner and winner["right"]) for winner in winners))
        for name, values in (("majority", majority), ("weighted", weighted), ("pass", passed)):
            found[name].append(fmean(values))
    return found


# quantize: the last model answers in 32, 8 and 4 bits; beside it the memory of the paper's 7B


def quantize(run: Run) -> Result:
    """Greedy accuracy, bytes of the weights and seconds in each form, by bitsandbytes on the CPU."""
    forms: dict[str, dict[str, Any]] = {"32": {}, "8": {"load_in_8bit": True}, "4": {"load_in_4bit": True}}
    total = len(run.held_out)
    metrics: dict[str, Any] = {"problems": total}
    for number, (bits, form) in enumerate(forms.items(), start=1):
        model, tokenizer = load_policy(SamplerConfig(run.model("step_grpo"), use_cpu=run.settings.use_cpu, **form))
        began = time.monotonic()
        right = sum(judge(run.held_out, complete(model, tokenizer, run.held_out)))
        took = time.monotonic() - began
        metrics[bits] = {"right": right, "bytes": model.get_memory_footprint(), "seconds": took}
        run.progress.update(number / len(forms), f"{bits} bit: {right / total:.1%}")
    shape = LlamaConfig(
        vocab_size=MODEL.vocab_size,
        hidden_size=MODEL.hidden_size,
        num_hidden_layers=MODEL.num_hidden_layers,
        num_attention_heads=MODEL.num_attention_heads,
        intermediate_size=MODEL.intermediate_size,
    )
    metrics["paper_gib"] = {
        "16": model_memory(shape, torch.bfloat16, None).weight_bytes / GIB,
        "8": model_memory(shape, torch.bfloat16, "8bit").weight_bytes / GIB,
        "4": model_memory(shape, torch.bfloat16, "4bit-double").weight_bytes / GIB,
    }
    line = "greedy " + ", ".join(f"{metrics[bits]['right'] / total:.1%} in {bits} bit" for bits in forms)
    return Result(f"greedy answers to {total} held-out problems, by bitsandbytes on the CPU", line, metrics)


# What the stages share


def load(run: Run, stage: str) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Model and tokenizer that a stage has left."""
    path = run.model(stage)
    return LlamaForCausalLM.from_pretrained(path).to(run.device), PreTrainedTokenizerFast.from_pretrained(path)


def load_scorer(run: Run) -> Any:
    """The trained reward model as a step reward function."""
    return load_step_scorer(run.model("prm"), device=run.device, batch_size=64)


def shared_arguments(run: Run, stage: str, save_steps: int) -> dict[str, Any]:
    """Arguments of every trainer here."""
    return {
        "output_dir": str(run.folder(stage)),
        "seed": run.settings.seed,
        "use_cpu": run.settings.use_cpu,
        "bf16": False,
        "gradient_checkpointing": False,  # would save memory that this model does not need, and cost time
        "weight_decay": 0.01,
        "max_grad_norm": 1.0,
        "report_to": "none",
        "disable_tqdm": True,
        "save_steps": save_steps,
        "save_total_limit": 1,
    }


class StageCallback(TrainerCallback):
    """Shows progress, and keeps seconds and (with `watch`, every ten steps) held-out accuracy in the trainer's log, which
    a checkpoint carries along."""

    def __init__(self, run: Run, tokenizer: PreTrainedTokenizerFast, watch: bool) -> None:
        self._run, self._tokenizer, self._watch = run, tokenizer, watch
        self._metric = self._accuracy = ""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        spent = [entry["spent"] for entry in state.log_history if "spent" in entry]
        self._run.carried = spent[-1] if spent else self._run.carried
        self._started = seconds()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        step = state.global_step
        if self._watch and step % 10 == 0 and step < state.max_steps:
            held_out = self._run.held_out
            right = sum(judge(held_out, complete(kwargs["model"], self._tokenizer, held_out)))
            state.log_history.append({"step": step, "greedy_right": right})
            self._accuracy = f", held-out {right / len(held_out):.1%}"
        self._run.progress.update(step / state.max_steps, self._metric + self._accuracy)

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        entry, now = state.log_history[-1], seconds()
        entry["spent"] = {name: self._run.carried[name] + now[name] - self._started[name] for name in now}
        shown = next((name for name in ("reward", "loss") if name in entry), None)
        self._metric = f"{shown} {entry[shown]:.2f}" if shown else self._metric


def train(run: Run, stage: str, trainer: Any, watch: bool = False) -> None:
    """Trains and saves, from the last whole checkpoint of the stage if there is one."""
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(StageCallback(run, trainer.processing_class, watch))
    trainer.train(resume_from_checkpoint=find_resume(trainer.args).checkpoint)
    trainer.save_model(run.model(stage))


def train_policy(run: Run, stage: str, trainer: Any, data: str, watch: bool = False) -> Result:
    """Trains a policy and lets it answer the held-out problems."""
    train(run, stage, trainer, watch)
    model, tokenizer = load(run, stage)  # what is measured is what was saved
    held_out, total = run.held_out, len(run.held_out)
    answers = {
        "greedy": complete(model, tokenizer, held_out),
        "sampled": complete(model, tokenizer, held_out, sample_seed=run.settings.seed),
    }
    right = {decoding: judge(held_out, texts) for decoding, texts in answers.items()}
    rows = [
        {"question": problem.question, "answer": problem.answer}
        | {decoding: answers[decoding][i] for decoding in answers}
        | {f"{decoding}_right": right[decoding][i] for decoding in answers}
        for i, problem in enumerate(held_out)
    ]
    write_rows(run.folder(stage) / "held_out.jsonl", rows)
    counts = {decoding: sum(of) for decoding, of in right.items()}
    metrics = {
        "steps": trainer.state.max_steps,
        "parameters": model.num_parameters(),
        "problems": total,
        "right": counts,
        "log": trainer.state.log_history,
    }
    low, high = wilson(counts["greedy"], total)
    line = f"greedy {counts['greedy'] / total:6.1%} [{low:.1%}, {high:.1%}]  sampled {counts['sampled'] / total:6.1%}"
    return Result(data, line, metrics)


if __name__ == "__main__":
    run_script(main)
