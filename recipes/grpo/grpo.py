"""GRPO with verified rewards (DeepSeekMath, section 4), by outcome or by step.

    python grpo.py --config cpu --dataset_name path/to/gsm8k
    python grpo.py --config cpu --step_scorer path/to/prm          # process supervision, section 4.1.3
    accelerate launch --num_processes 8 grpo.py --config paper --dataset_name YOUR_DATA

Copy and edit: a reward is a function of completions and columns of the data set.
"""

from trl import DatasetMixtureConfig, ModelConfig, get_peft_config, get_quantization_config

from trl_dsmath import DeepSeekMathGRPOConfig, StepGRPOConfig
from trl_dsmath.grpo.arguments import GRPOScriptArguments, load_rewards, load_step_rewards, log_difficulty
from trl_dsmath.scripts import (
    ScriptParser,
    describe_run,
    load_held_out,
    load_problems,
    load_tokenizer,
    run_script,
    say,
    set_model_init,
    show_prompt,
    start_or_resume,
    train_and_save,
)

ARGUMENTS = (GRPOScriptArguments, DeepSeekMathGRPOConfig, ModelConfig, DatasetMixtureConfig)
STEP_ARGUMENTS = (GRPOScriptArguments, StepGRPOConfig, ModelConfig, DatasetMixtureConfig)


def main() -> None:
    by_step = ScriptParser.given(
        "step_scorer", "step_reward_funcs", "help", "help_all"
    )  # help shows the settings of both
    parser = ScriptParser(STEP_ARGUMENTS if by_step else ARGUMENTS)
    script_args, args, model_args, mixture = parser.parse_args_and_config()

    # Trainers are imported here and not above, so that help and mistakes are told before they are loaded.
    from trl_dsmath import DeepSeekMathGRPOTrainer, MathEvaluationCallback, StepGRPOTrainer, load_step_scorer

    rewards = load_rewards(script_args, args.reward_weights)
    resume = start_or_resume(args, script_args)
    if resume.finished:
        return

    with args.main_process_first(desc="reading the data"):
        train, test = load_problems("grpo", script_args, args, mixture)
        tokenizer = load_tokenizer(model_args, args, script_args.plain_prompts)

    rewards, by_difficulty = log_difficulty(rewards, train)
    set_model_init(args, model_args)
    common = {
        "model": model_args.model_name_or_path,
        "reward_funcs": rewards,
        "args": args,
        "train_dataset": train,
        "eval_dataset": test,
        "processing_class": tokenizer,
        "quantization_config": get_quantization_config(model_args),
        "peft_config": get_peft_config(model_args),
    }
    if by_step:
        device = "cpu" if args.use_cpu else None
        scorers = [load_step_scorer(name, device=device) for name in script_args.step_scorer or []]
        trainer = StepGRPOTrainer(step_reward_funcs=[*scorers, *load_step_rewards(script_args)], **common)
        say("steps", f"scored by {', '.join(trainer.step_rewards.names)}")
    else:
        trainer = DeepSeekMathGRPOTrainer(**common)
    if script_args.evaluate_every:
        problems = load_held_out(script_args)
        trainer.add_callback(
            MathEvaluationCallback(
                trainer, problems, every=script_args.evaluate_every, max_new_tokens=args.max_completion_length
            )
        )

    say("rewards", f"{', '.join(trainer.reward_func_names)}; {args.num_generations} completions per question")
    if by_difficulty:
        say("difficulty", by_difficulty)
    if args.tool_rounds:
        say("tools", f"programs run in a sandbox; {args.tool_rounds} rounds, {args.tool_timeout:g} s each")
        if script_args.prompt_mode != "tool":
            say("warning", "no question asks for programs: see prompt_mode tool")
    show_prompt(train, tokenizer)
    describe_run(trainer, unit="completions", rows=len(train) * args.num_generations, stage="grpo")
    train_and_save(trainer, resume, script_args.dataset_name)


if __name__ == "__main__":
    run_script(main)
