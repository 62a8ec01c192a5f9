"""Continue pre-training a base model on a mixture of texts (DeepSeekMath, section 2.3).

    python pretrain.py --config cpu
    accelerate launch --num_processes 64 pretrain.py --config paper

Copy and edit. `sources:` in the YAML files is the mixture: a path and a share of the tokens each.
"""

import sys

from trl import ModelConfig, get_peft_config, get_quantization_config

from trl_dsmath import PretrainConfig
from trl_dsmath.errors import ConfigError
from trl_dsmath.pretrain.arguments import PretrainScriptArguments, first_texts, read_sources
from trl_dsmath.scripts import (
    ScriptParser,
    describe_run,
    load_tokenizer,
    make_missing_model,
    run_script,
    say,
    set_model_init,
    start_or_resume,
    train_and_save,
)

ARGUMENTS = (PretrainScriptArguments, PretrainConfig, ModelConfig)


def main() -> None:
    script_args, args, model_args = ScriptParser(ARGUMENTS).parse_args_and_config()
    if args.max_length is None or args.max_steps <= 0:
        raise ConfigError("Give max_length, and train_tokens or max_steps: the sources are read without end.")

    # The trainer is imported here and not above, so that help and mistakes are told before it is loaded.
    from trl_dsmath import PretrainTrainer

    sources = read_sources(script_args)
    resume = start_or_resume(args)
    if resume.finished:
        return

    with args.main_process_first(desc="making the model"):
        if script_args.make_tiny_model:
            make_missing_model(model_args.model_name_or_path, first_texts(sources), args.max_length)
        tokenizer = load_tokenizer(model_args, args, plain_prompts=True)

    set_model_init(args, model_args)
    trainer = PretrainTrainer(
        model=model_args.model_name_or_path,
        args=args,
        train_dataset=sources,
        processing_class=tokenizer,
        quantization_config=get_quantization_config(model_args),
        peft_config=get_peft_config(model_args),
    )
    for source in sources:
        files = source.files()
        what = f"{len(files):,} files" if files else "streamed from the hub"
        say("source", f"{source.title}: {source.fraction:.1%} of the tokens, {source.path}, {what}")
    describe_run(trainer, unit="sequences", rows=sys.maxsize)
    tokens = args.train_batch_size * args.gradient_accumulation_steps * args.world_size * args.max_length
    say("tokens", f"{tokens:,} per update, {tokens * args.max_steps:,} in all")
    train_and_save(trainer, resume, script_args.dataset_name)


if __name__ == "__main__":
    run_script(main)
