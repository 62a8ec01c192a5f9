"""Fine-tune a model on worked solutions (DeepSeekMath, section 3): in words, as programs, or with tools.

    python sft.py --config cpu --dataset_name path/to/gsm8k
    accelerate launch --num_processes 8 sft.py --config paper --dataset_name YOUR_DATA

Copy and edit. The YAML files beside this script hold settings for a laptop, one 24 GB GPU, and the paper's scale.
"""

from trl import DatasetMixtureConfig, ModelConfig, get_peft_config, get_quantization_config

from trl_dsmath import MathSFTConfig
from trl_dsmath.data.arguments import SFTScriptArguments
from trl_dsmath.scripts import (
    ScriptParser,
    describe_lengths,
    describe_run,
    load_held_out,
    load_problems,
    load_tokenizer,
    make_missing_model,
    merge_adapter,
    run_script,
    say,
    set_model_init,
    show_prompt,
    start_or_resume,
    train_and_save,
)

ARGUMENTS = (SFTScriptArguments, MathSFTConfig, ModelConfig, DatasetMixtureConfig)


def main() -> None:
    script_args, args, model_args, mixture = ScriptParser(ARGUMENTS).parse_args_and_config()

    # Trainers are imported here and not above, so that help and mistakes are told before they are loaded.
    from trl_dsmath import MathEvaluationCallback, MathSFTTrainer

    # An interrupted run goes on from its last complete checkpoint; a finished one ends here.
    resume = start_or_resume(args, script_args)
    if resume.finished:
        return merge(script_args, args)

    with args.main_process_first(desc="reading the data"):
        train, test = load_problems("sft", script_args, args, mixture)
        if script_args.make_tiny_model:
            make_missing_model(model_args.model_name_or_path, train, args.max_length)
        tokenizer = load_tokenizer(model_args, args, script_args.plain_prompts)

    set_model_init(args, model_args)
    trainer = MathSFTTrainer(
        model=model_args.model_name_or_path,
        args=args,
        train_dataset=train,
        eval_dataset=test,
        processing_class=tokenizer,
        quantization_config=get_quantization_config(model_args),
        peft_config=get_peft_config(model_args),
    )
    if script_args.evaluate_every:
        trainer.add_callback(
            MathEvaluationCallback(
                trainer,
                load_held_out(script_args),
                every=script_args.evaluate_every,
                max_new_tokens=script_args.evaluate_max_new_tokens,
            )
        )
    show_prompt(train, tokenizer)
    describe_lengths(trainer, len(train))
    describe_run(trainer, unit="sequences", rows=len(trainer.train_dataset), stage="sft")
    train_and_save(trainer, resume, script_args.dataset_name)
    merge(script_args, args)


def merge(script_args: SFTScriptArguments, args: MathSFTConfig) -> None:
    """Where asked for, the adapter merged into its base, which other stages go on from."""
    if script_args.merge_adapter and not args.process_index:
        say("merged", f"{merge_adapter(args.output_dir)}")


if __name__ == "__main__":
    run_script(main)
