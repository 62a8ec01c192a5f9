"""Run by `test_callback.py` on one and on two processes: a short SFT with the callback; the main process prints its figures."""

import json
import sys

from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from trl_dsmath.inference import MathEvaluationCallback

if __name__ == "__main__":
    model, folder, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
    train = [
        {
            "prompt": [{"role": "user", "content": f"Give me {word}."}],
            "completion": [{"role": "assistant", "content": "\\boxed{7}"}],
        }
        for word in ("one", "two", "three", "four")
    ]
    held_out = [
        {"prompt": [{"role": "user", "content": f"Give me {word}."}], "solution": gold}
        for word, gold in (("five", "7"), ("six", "8"), ("seven", "7"))
    ]
    args = SFTConfig(
        folder,
        learning_rate=1e-2,
        max_steps=12,
        per_device_train_batch_size=rows,
        use_cpu=True,
        bf16=False,
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
        gradient_checkpointing=False,
    )
    trainer = SFTTrainer(model, args=args, train_dataset=Dataset.from_list(train))
    trainer.add_callback(MathEvaluationCallback(trainer, held_out, every=12, num_samples=3, max_new_tokens=12))
    trainer.train()
    if trainer.accelerator.is_main_process:
        logged = next(entry for entry in trainer.state.log_history if "eval_math/greedy" in entry)
        figures = {key: value for key, value in logged.items() if key.startswith("eval_")}
        print("FIGURES", json.dumps([trainer.accelerator.num_processes, figures]), flush=True)
