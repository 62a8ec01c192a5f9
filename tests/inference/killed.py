"""Run by `test_run.py` in a process that is killed: an evaluation by a slow replay sampler."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from replay import ReplaySampler

from trl_dsmath.inference import EvaluateConfig, load_benchmark, plan, run

if __name__ == "__main__":
    benchmarks_dir, folder, pause = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    names = ("gsm8k", "math", "sat", "cmath", "gaokao_mathcloze")
    problems = [problem for name in names for problem in load_benchmark(name, benchmarks_dir)]
    tasks = plan(problems, EvaluateConfig(names, num_samples=6), "recorded")
    sampler = ReplaySampler(lambda prompt, i: f"{len(prompt)} \\boxed{{{i}}}", folder.with_suffix(".log"), pause)
    print(run(tasks, sampler, folder, samples_at_once=3), flush=True)
