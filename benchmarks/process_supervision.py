r"""Does a process reward model that is trained on rollouts alone help? Re-ranking, GRPO and drift on the dial task.

    python benchmarks/process_supervision.py --seeds 0 1 2 3 4 --output_dir DIR

Every stage goes through the package: the quickstart's pretraining and SFT on a sloppy author's texts, `annotate`,
`PRMTrainer` (likelihood form and token classification), `DeepSeekMathGRPOTrainer` and `StepGRPOTrainer`. The exact steps
of the task are used for evaluation only; labels, rewards and votes see final answers. A part of a seed that is finished
stands in DIR as JSON and is not run again. Goals (issue 3): on every seed held-out step AUROC >= 0.90, the vote weighted
by the lowest step score above majority at K = 16, process + outcome at most 2 points below outcome alone.
"""

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
import transformers
from process_supervision_report import report
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

import trl_dsmath
from trl_dsmath.data.journal import write_whole
from trl_dsmath.generation import Decoding, TransformersSampler
from trl_dsmath.paper import GRPO_STAGE
from trl_dsmath.prm.metrics import auroc
from trl_dsmath.rewards import boxed_accuracy_reward
from trl_dsmath.shepherd import annotate, to_dataset
from trl_dsmath.text import read_answer
from trl_dsmath.text.steps import split_steps

sys.path.insert(0, str(Path(__file__).parents[1] / "recipes" / "quickstart"))
import task
from model import MAX_NEW_TOKENS, complete, judge
from quickstart import GRPO_GROUP, GRPO_PROMPTS, run_stages
from quiet import be_quiet
from run import Run, Settings

K = 16
SAMPLED_PROBLEMS, TESTED_PROBLEMS = 150, 400  # for AUROC and votes; for accuracy
LABEL_PROBLEMS, LABEL_SOLUTIONS, ROLLOUTS = 150, 4, 4
PRM_STEPS = {"likelihood": 100, "token_classification": 300}
GRPO_STEPS, GRPO_RATE = 40, 5e-4
RESULTS = Path(__file__).parent / "results" / "process_supervision.md"
Figures = dict[str, Any]


class Seed:
    """One seed: its folder, its problems, and the parts that can be run in it."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed, self.folder = seed, folder
        self.decoding = Decoding(max_new_tokens=MAX_NEW_TOKENS, seed=seed)
        folder.mkdir(parents=True, exist_ok=True)
        self.sft = folder / "policy" / "sft" / "model"
        self.held_out = task.make_problems(TESTED_PROBLEMS, seed, "held-out")
        chosen = Settings(seed=seed, problems=TESTED_PROBLEMS)
        if not (self.sft.parent / "result.json").exists():
            run_stages(Run(folder / "policy", chosen), ["corpus", "pretrain", "sft"])

    def part(self, name: str, make: Callable[[], Figures]) -> None:
        """Makes and writes the figures of a part, unless it is finished."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            be_quiet()
            figures = make()
            write_whole(path, json.dumps(figures, indent=1))
            print(f"seed {self.seed} {name}: {json.dumps(figures)}", flush=True)

    def sample(self, policy: Path, problems: list[Any], count: int) -> list[tuple[Any, list[str]]]:
        """Sampled solutions, cut into steps, each with its problem."""
        drawn = sampler(policy).sample([problem.prompt for problem in problems], self.decoding, n=count)
        pairs = zip(problems, drawn, strict=True)
        return [(problem, split_steps(sample.text)) for problem, samples in pairs for sample in samples]

    def accuracy(self, policy: Path) -> Figures:
        """Greedy and sampled accuracy on the held-out problems, in percent."""
        (model, tokenizer), found = load(policy), {}
        for way, sample_seed in (("greedy", None), ("sampled", self.seed)):
            texts = complete(model, tokenizer, self.held_out, sample_seed)
            found[way] = 100 * sum(judge(self.held_out, texts)) / len(texts)
        return found

    def judge(self, prm: Path, policy: Path) -> Figures:
        """Step AUROC of a PRM on a policy's own solutions of held-out problems, and votes among them."""
        solutions = self.sample(policy, self.held_out[:SAMPLED_PROBLEMS], K)
        score = trl_dsmath.load_step_scorer(str(prm), device="cpu", batch_size=64)
        scores = score([problem.prompt for problem, _ in solutions], steps=[steps for _, steps in solutions])
        return step_auroc(solutions, scores) | votes(solutions, scores)

    def annotate(self, output: Path, solver: Path, completer: Path, split: str) -> Figures:
        """Hard rollout labels of the solver's solutions to training problems, completed by `completer`."""
        problems = task.make_problems(LABEL_PROBLEMS, self.seed, split)
        rows = [{"prompt": problem.prompt, "gold": problem.answer} for problem in problems]
        if solver != completer:
            rows = [
                {"prompt": problem.prompt, "gold": problem.answer, "completions": steps}
                for problem, steps in self.sample(solver, problems, LABEL_SOLUTIONS)
            ]
        sizes = {"num_rollouts": ROLLOUTS, "num_solutions": LABEL_SOLUTIONS, "problems_at_once": 64}
        summary = annotate(rows, sampler(completer), output, decoding=self.decoding, progress=False, **sizes)
        expected = {problem.prompt: problem for problem in problems}
        found = [json.loads(line) for line in output.read_text().splitlines()]
        agree = [
            label == right
            for row in found
            for label, right in zip(row["labels"], truth(expected[row["prompt"]], row["completions"]), strict=True)
        ]
        figures = {"solutions": summary.solutions, "rollouts": summary.spent, "good": summary.good / summary.steps}
        return figures | {"labels_right": sum(agree) / len(agree)}

    def train_prm(self, prm_type: str, start: Path, rows: Any, output: Path) -> None:
        args = trl_dsmath.PRMConfig(
            **shared_arguments(self.seed, output, PRM_STEPS[prm_type], 1e-3),
            prm_type=prm_type,  # type: ignore[arg-type]
            per_device_train_batch_size=16,
            lr_scheduler_type="linear",
            warmup_steps=20,
            adam_beta2=0.98,
        )
        tokenizer = load(self.sft)[1]
        train(trl_dsmath.PRMTrainer(str(start), args=args, train_dataset=rows, processing_class=tokenizer), output)

    def grpo(self, start: Path, output: Path, split: str, prm: Path | None, **weights: float) -> None:
        """GRPO from a policy: by the outcome alone, or with a PRM and `process_weight`, `outcome_weight`."""
        trainer_class: Any = trl_dsmath.DeepSeekMathGRPOTrainer
        config: Any = trl_dsmath.DeepSeekMathGRPOConfig
        more: dict[str, Any] = {}
        if prm is not None:
            trainer_class, config = trl_dsmath.StepGRPOTrainer, trl_dsmath.StepGRPOConfig
            more["step_reward_funcs"] = trl_dsmath.load_step_scorer(str(prm), device="cpu", batch_size=64)
        args = config(
            **shared_arguments(self.seed, output, GRPO_STEPS, GRPO_RATE),
            **weights,
            per_device_train_batch_size=GRPO_PROMPTS * GRPO_GROUP,
            global_batch_size=GRPO_PROMPTS * GRPO_GROUP,
            num_generations=GRPO_GROUP,
            max_completion_length=MAX_NEW_TOKENS,
            lr_scheduler_type="constant_with_warmup",
            warmup_steps=5,
            adam_beta2=0.99,
        )
        problems = task.make_problems(GRPO_STEPS * GRPO_PROMPTS, self.seed, split)
        rows = [{"prompt": problem.prompt, "solution": problem.answer} for problem in problems]
        model, tokenizer = load(start)
        trainer = trainer_class(
            model=model,
            reward_funcs=boxed_accuracy_reward,
            args=args,
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=tokenizer,
            **more,
        )
        train(trainer, output)

    def run_prm(self, prm_type: str) -> Figures:
        """Trains a PRM on the labels of the SFT policy's solutions; AUROC and votes on the SFT policy's samples."""
        labels, output = self.folder / "labels.jsonl", self.folder / f"prm_{prm_type}"
        self.part("labels", lambda: self.annotate(labels, self.sft, self.sft, "annotate"))
        self.train_prm(prm_type, self.sft, to_dataset(labels), output)
        return self.judge(output, self.sft)

    def run_grpo(self, name: str, process_weight: float = 0.0) -> Figures:
        """GRPO from the SFT policy, on the same problems for every name; with a PRM, its AUROC at the end."""
        prm = self.folder / "prm_likelihood" if process_weight else None
        weights = {"process_weight": process_weight, "outcome_weight": 1.0} if prm else {}
        self.grpo(self.sft, self.folder / name, "grpo", prm, **weights)
        figures = self.accuracy(self.folder / name)
        return figures | {"start": self.accuracy(self.sft)} | (self.judge(prm, self.folder / name) if prm else {})

    def run_refresh(self, prm_type: str, policy: Path, name: str) -> Figures:
        """One round of Algorithm 1: the PRM goes on with labels of a policy's solutions and 10 % of the old rows.

        The completer is the policy of `both`, so that a policy that has drifted does not label itself.
        """
        old, new = self.folder / f"prm_{prm_type}", self.folder / f"prm_{name}"
        labels = self.folder / f"labels_{name}.jsonl"
        about = self.annotate(labels, policy, self.folder / "both", "refresh")
        fresh, first = to_dataset(labels), to_dataset(self.folder / "labels.jsonl")
        replayed = random.Random(self.seed).sample(range(len(first)), round(GRPO_STAGE.replay_fraction * len(fresh)))
        columns = ["prompt", "completions", "labels"]
        rows = [fresh.select_columns(columns), first.select(replayed).select_columns(columns)]
        self.train_prm(prm_type, old, datasets.concatenate_datasets(rows), new)
        return {"labels": about, "without": self.judge(old, policy), "with": self.judge(new, policy)}

    def run_control(self) -> Figures:
        """What the refresh has without new labels: as many updates more on the old ones."""
        old, new = self.folder / "prm_likelihood", self.folder / "prm_control"
        self.train_prm("likelihood", old, to_dataset(self.folder / "labels.jsonl"), new)
        return self.judge(new, self.folder / "both")

    def run_drift(self, prm_type: str) -> Figures:
        """A run on step rewards alone, and the PRM refreshed on what the policy then writes."""
        name, prm = f"drift_{prm_type}", self.folder / f"prm_{prm_type}"
        self.grpo(self.sft, self.folder / name, "drift", prm, process_weight=1.0, outcome_weight=0.0)
        return self.accuracy(self.folder / name) | self.run_refresh(prm_type, self.folder / name, name)

    def run_next(self, prm_type: str) -> Figures:
        """As many steps more on step rewards alone, with the old PRM and with the refreshed one."""
        start, figures = self.folder / f"drift_{prm_type}", {}
        for arm, scorer in (("without", f"prm_{prm_type}"), ("with", f"prm_drift_{prm_type}")):
            policy, prm = self.folder / f"next_{prm_type}_{arm}", self.folder / scorer
            self.grpo(start, policy, "next", prm, process_weight=1.0, outcome_weight=0.0)
            figures[arm] = self.accuracy(policy) | self.judge(prm, policy)
        return figures


def load(policy: Path) -> tuple[Any, Any]:
    return LlamaForCausalLM.from_pretrained(policy), PreTrainedTokenizerFast.from_pretrained(policy)


def sampler(policy: Path) -> TransformersSampler:
    return TransformersSampler(*load(policy), batch_size=256)


def train(trainer: Any, output: Path) -> None:
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()
    trainer.save_model(str(output))


def shared_arguments(seed: int, output: Path, steps: int, rate: float) -> dict[str, Any]:
    run = {"output_dir": str(output), "seed": seed, "max_steps": steps, "learning_rate": rate}
    shared = {"weight_decay": 0.01, "max_grad_norm": 1.0, "report_to": "none", "disable_tqdm": True}
    machine = {"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "save_strategy": "no"}
    return run | shared | machine


def truth(problem: Any, steps: list[str]) -> list[bool]:
    """Whether each step and all before it are right: the task leaves one right text."""
    expected = task.solve(problem).split("\n")
    wrong = next((i for i, step in enumerate(steps) if i >= len(expected) or step.strip() != expected[i]), len(steps))
    return [i < wrong for i in range(len(steps))]


def step_auroc(solutions: list[tuple[Any, list[str]]], scores: list[list[float]]) -> Figures:
    """AUROC of all steps, and of those before which all is right."""
    rights = [truth(problem, steps) for problem, steps in solutions]
    of_all = [pair for row, right in zip(scores, rights, strict=True) for pair in zip(row, right, strict=True)]
    firsts = [
        pair
        for row, right in zip(scores, rights, strict=True)
        for pair in list(zip(row, right, strict=True))[: sum(right) + 1]
    ]
    found = {}
    for name, pairs in (("auroc", of_all), ("auroc_first", firsts)):
        found[name] = auroc(np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs], dtype=bool))
    return found | {"steps_right": sum(right for _, right in of_all) / len(of_all)}


def votes(solutions: list[tuple[Any, list[str]]], scores: list[list[float]]) -> Figures:
    """Percent right at K: mean, majority, the vote weighted by the lowest step score, pass."""
    groups = [range(start, start + K) for start in range(0, len(solutions), K)]
    right = Counter()
    for group in groups:
        gold = solutions[group[0]][0].answer
        answers = [read_answer("".join(solutions[i][1])) for i in group]
        counts, weights = Counter(answers), Counter()
        for i, answer in zip(group, answers, strict=True):
            weights[answer] += min(scores[i], default=0.0)
        right["mean"] += sum(answer == gold for answer in answers) / K
        right["majority"] += counts.most_common(1)[0][0] == gold
        right["weighted"] += weights.most_common(1)[0][0] == gold
        right["pass"] += gold in answers
    return {name: 100 * value / len(groups) for name, value in right.items()}


PARTS: dict[str, Callable[[Seed], Figures]] = {
    "prm_likelihood": lambda seed: seed.run_prm("likelihood"),
    "prm_token_classification": lambda seed: seed.run_prm("token_classification"),
    "outcome": lambda seed: seed.run_grpo("outcome"),
    "both": lambda seed: seed.run_grpo("both", process_weight=1.0),
    "refresh": lambda seed: seed.run_refresh("likelihood", seed.folder / "both", "refresh"),
    "control": lambda seed: seed.run_control(),
    "half": lambda seed: seed.run_grpo("half", process_weight=0.5),
    "drift_token_classification": lambda seed: seed.run_drift("token_classification"),
    "next_token_classification": lambda seed: seed.run_next("token_classification"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)))
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="in this order, for all seeds")
    args = parser.parse_args()

    torch.set_num_threads(1)
    seeds = [Seed(number, args.output_dir / f"seed-{number}") for number in args.seeds]
    for name in args.parts:
        for seed in seeds:
            seed.part(name, lambda seed=seed, name=name: PARTS[name](seed))
            if set(args.seeds) >= set(range(5)):
                RESULTS.parent.mkdir(exist_ok=True)
                RESULTS.write_text(report(args.output_dir, args.seeds))
    print(report(args.output_dir, args.seeds))


if __name__ == "__main__":
    main()
