"""A Hugging Face Space: this file, requirements.txt and README.md. Name the models in the Space's variables, or here."""

import os

from trl_dsmath import Solver, load_step_scorer
from trl_dsmath.inference.demo import make_demo

MODEL = os.environ.get("MODEL", "deepseek-ai/deepseek-math-7b-rl")
STEP_SCORER = os.environ.get("STEP_SCORER")  # a process reward model, if steps are to be colored

scorer = load_step_scorer(STEP_SCORER) if STEP_SCORER else None
solver = Solver.from_pretrained(MODEL, scorer, n=int(os.environ.get("SAMPLES", "8")), max_new_tokens=512)
page, options = make_demo(solver, f"{MODEL} on trl-dsmath")

if __name__ == "__main__":
    page.launch(**options)
