# `make quickstart` and `make test` set everything up themselves, in .venv, with the versions in constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

OLDEST := .venv-oldest

.PHONY: quickstart real test test-oldest check docs bench clean

quickstart: $(STAMP)
	$(BIN)/dsmath quickstart

# A real model of 135M weights through the stages; hours on a CPU. Without the hub: make real MODEL=folder GSM8K=folder.
MODEL ?= HuggingFaceTB/SmolLM2-135M-Instruct
GSM8K ?= openai/gsm8k
SEEDS ?= 0
real: $(STAMP)
	$(BIN)/dsmath smollm2 --model $(MODEL) --gsm8k $(GSM8K) --seeds $(SEEDS)

# Some tests wait: three processes keep two cores busy.
test: $(STAMP)
	$(BIN)/python -m pytest -n 3 --dist worksteal

# The contract with TRL and transformers on the oldest pair that is supported (without the extra `corpus`, which needs a
# newer huggingface_hub): every room that trains, generates or counts tokens. Not part of `make test`.
test-oldest: $(OLDEST)/.installed
	$(OLDEST)/bin/python -m pytest -n 2 --dist worksteal tests/test_public_names.py tests/grpo tests/prm tests/sft \
		tests/pretrain tests/generation tests/inference

$(OLDEST)/.installed: pyproject.toml constraints.txt constraints-oldest.txt
	$(PYTHON) -m venv $(OLDEST)
	awk -F== 'NR == FNR { oldest[$$1] } NR == FNR || !($$1 in oldest)' \
		constraints-oldest.txt constraints.txt > $(OLDEST)/constraints.txt
	$(OLDEST)/bin/pip install --quiet --constraint $(OLDEST)/constraints.txt torch
	$(OLDEST)/bin/pip install --quiet --constraint $(OLDEST)/constraints.txt --editable ".[peft,quantization,report,test]"
	@touch $@

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The documentation as a site, in build/site; a broken link or a page outside the menu is an error.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict  # with --quiet no warning counts

bench: $(STAMP)
	$(BIN)/python benchmarks/reward_speed.py
	$(BIN)/python benchmarks/hostile_answers.py
	$(BIN)/python benchmarks/step_overhead.py
	$(BIN)/python benchmarks/sandbox_speed.py
	$(BIN)/python benchmarks/self_consistency.py

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	@# torch first: its pinned build is taken before anything else can ask for another one
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

clean:
	rm -rf $(VENV) $(OLDEST) runs quickstart-run dist build
