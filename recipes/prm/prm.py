"""Train a process reward model on step labels (DeepSeekMath, section 4.1.3; Math-Shepherd).

    python prm.py --config cpu --dataset_name labels.jsonl --model_name_or_path path/to/model
    accelerate launch --num_processes 8 prm.py --config paper
    python prm.py --evaluate Qwen/ProcessBench --model_name_or_path path/to/prm       # or --scores FILE

Copy and edit. `annotate.py` makes the labels: rows of prompt, completions (the steps) and labels (one per step).
"""

import json
from pathlib import Path

from trl import DatasetMixtureConfig, ModelConfig, get_peft_config, get_quantization_config

from trl_dsmath import PRMConfig
from trl_dsmath.data.journal import write_whole
from trl_dsmath.errors import ConfigError
from trl_dsmath.prm.arguments import PRMEvaluateArguments, PRMScriptArguments, describe_labels, hold_out, one_sided
from trl_dsmath.scripts import (
    ScriptParser,
    describe_run,
    load_splits,
    load_tokenizer,
    pick_split,
    run_script,
    say,
    set_model_init,
    start_or_resume,
    train_and_save,
)

ARGUMENTS = (PRMScriptArguments, PRMConfig, ModelConfig, DatasetMixtureConfig)


def evaluate() -> None:
    """A scorecard of a reward model, or of recorded scores."""
    (args,) = ScriptParser(PRMEvaluateArguments).parse_args_and_config()
    from trl_dsmath import load_step_scorer
    from trl_dsmath.prm.benchmarks import read_benchmarks
    from trl_dsmath.prm.scorecard import read_scores, score_solutions, scorecard, scorecard_tables
    from trl_dsmath.report import text_table

    solutions, folder = read_benchmarks(args.evaluate), Path(args.output_dir)
    say("solutions", f"{len(solutions):,} of {', '.join(args.evaluate)}")
    if args.scores:
        scores = read_scores(args.scores, solutions)
    else:
        name = args.model_name_or_path
        scorer = load_step_scorer(name, args.layout, batch_size=args.batch_size, step_separator=args.step_separator)
        scores = score_solutions(solutions, scorer, folder / "scores.jsonl", name)
    card = scorecard(solutions, scores, args.threshold)
    say(
        "threshold", "0.5 (no GSM8K subset to tune it on)" if card["threshold"] is None else f"{card['threshold']:.4g}"
    )
    for table in scorecard_tables(card).values():
        print(f"\n{text_table(table)}")
    write_whole(folder / "scorecard.json", json.dumps(card, indent=1) + "\n")
    say("saved", f"{folder / 'scorecard.json'}")


def main() -> None:
    if ScriptParser.given("evaluate"):
        return evaluate()
    script_args, args, model_args, mixture = ScriptParser(ARGUMENTS).parse_args_and_config()
    # The trainer is imported here and not above, so that help and mistakes are told before it is loaded.
    from trl_dsmath import PRMTrainer
    from trl_dsmath.prm.metrics import metrics_table

    resume = start_or_resume(args)
    if resume.finished:
        return

    with args.main_process_first(desc="reading the data"):
        splits = load_splits(script_args, mixture)
        train = pick_split(splits, script_args.dataset_train_split)
        test = splits.get(script_args.dataset_test_split)
        if test is None and "prompt" in train.column_names:
            train, test = hold_out(train, script_args.holdout, args.seed)
            if test is not None:
                say("data", f"{len(test):,} solutions of {script_args.holdout:.0%} of the prompts are held out")
        if test is None and args.eval_strategy != "no":
            raise ConfigError("There is nothing to evaluate on: give a test split or a holdout, or eval_strategy no.")
        tokenizer = load_tokenizer(model_args, args, plain_prompts=True)  # a PRM reads prompts as they are

    set_model_init(args, model_args)
    quantization = get_quantization_config(model_args)
    if quantization is not None and args.prm_type == "token_classification":
        quantization.llm_int8_skip_modules = ["score", "classifier"]  # the head is new, and trained as it is
    args.model_init_kwargs["quantization_config"] = quantization
    trainer = PRMTrainer(
        model_args.model_name_or_path,
        args=args,
        train_dataset=train,
        eval_dataset=test,
        processing_class=tokenizer,
        peft_config=get_peft_config(model_args),
    )
    for name, prepared in trainer.prepared.items():
        say("labels", f"{name}: {prepared.report()}; {describe_labels(prepared.dataset)}")
    if warning := one_sided(trainer.prepared["train"].dataset):
        say("warning", warning)
    say("prm", f"{args.prm_type}, layout {args.layout}")
    describe_run(trainer, unit="solutions", rows=len(trainer.train_dataset))
    train_and_save(trainer, resume, script_args.dataset_name, evaluation=metrics_table if test is not None else None)


if __name__ == "__main__":
    run_script(main)
