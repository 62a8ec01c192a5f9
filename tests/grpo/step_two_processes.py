"""Started by `test_step_two_processes.py` in each of two processes; prints one line of JSON a run from the first one."""

import json
import os
import sys
from pathlib import Path

import torch.distributed as dist
from accelerate.utils import gather_object
from step_runs import Recording, config, digits, largest_error, outcome_digits, prompts, step_digits, step_width, width

RUNS = {
    # 12 completions a generation batch, 6 on each process: the second of three groups of 4 straddles
    "straddling": {"per_device_train_batch_size": 3},
    "straddling_iterations_2": {"per_device_train_batch_size": 3, "num_iterations": 2, "max_steps": 4},
    "spg3": {
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 1,
        "steps_per_generation": 3,
        "max_steps": 3,
    },
    # one group of 6 over both
    "all_straddle": {
        "per_device_train_batch_size": 3,
        "gradient_accumulation_steps": 1,
        "num_generations": 6,
        "process_weight": 0.5,
    },
    "process_only_two_functions": {"per_device_train_batch_size": 3, "process_only": True},
}


def main(model: str, folder: Path) -> None:
    for name, settings in RUNS.items():
        process_only = settings.pop("process_only", False)
        args = config(folder / name, log_completions=True, **settings)
        assert args.world_size == 2 and dist.get_world_size() == 2
        trainer = Recording(
            model,
            reward_funcs=None if process_only else outcome_digits,
            step_reward_funcs=[step_digits, step_width] if process_only else step_digits,
            args=args,
            train_dataset=prompts(64),
        )
        trainer.train()
        rows = gather_object(trainer.seen)
        logged = gather_object([trainer.state.log_history[0]])
        if os.environ["RANK"] == "0":
            scores = [(1.0, lambda text, _: digits(text))]
            if process_only:
                scores.append((1.0, lambda text, _: width(text)))
            weight = 0.0 if process_only else args.outcome_weight
            met = largest_error(rows, args.num_generations, scores, args.process_weight, weight)
            same = all(
                logged[0][key] == logged[1][key] for key in logged[0] if key.startswith(("step_reward", "steps/"))
            )
            print(json.dumps({"run": name, "world": dist.get_world_size(), "same_metrics": same, **met}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
