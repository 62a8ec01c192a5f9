"""What stands in the folder of a reader of the documentation: tiny models and data under the names that the pages use."""

import gzip
import importlib.util
import json
import shutil
import sys
from pathlib import Path

TESTS = Path(__file__).parent

# Folders with a model or a data set of these names are read in place of the hub, so the pages are run as they stand.
MODELS = [
    "MODEL",
    "BASE",
    "path/to/model",
    "Qwen/Qwen2.5-0.5B",
    "Qwen/Qwen2.5-0.5B-Instruct",
    "Qwen/Qwen2.5-Math-1.5B",
    "Qwen/Qwen2.5-Math-1.5B-Instruct",
    "deepseek-ai/deepseek-math-7b-base",
    "deepseek-ai/deepseek-math-7b-instruct",
    "deepseek-ai/deepseek-math-7b-rl",
]
GSM8K = ["gsm8k", "data/gsm8k", "path/to/gsm8k", "openai/gsm8k"]

# What earlier commands of other pages have made.
MADE_BEFORE = {
    "guides/step-labels": {"runs/cpu/sft": "model"},
    "guides/own-crawl": {"lid.176.ftz": "languages.bin"},
    "guides/grpo": {"runs/cpu/sft": "model", "my.yaml": "grpo.yaml", "mymodule.py": "mymodule.py"},
    "guides/recipes": {"my.yaml": "sft.yaml"},
    "guides/evaluate": {"runs/cpu/sft": "model"},
    "guides/pretrain": {"runs/cpu/corpus/corpus": "pages", "my.yaml": "pretrain.yaml"},
    "guides/prm": {"runs/prm": "prm", "labels.jsonl": "labels.jsonl"},
    "guides/sft": {"my.yaml": "sft.yaml"},
    "guides/solve": {"runs/cpu/sft": "model"},
}

_ON_CPU = "use_cpu: true\nbf16: false\ngradient_checkpointing: false\nreport_to: none\n"
_MY_GRPO = "num_generations: 2\nglobal_batch_size: 4\nper_device_train_batch_size: 4\nmax_completion_length: 8\n"
_MY = f"model_name_or_path: MODEL\noutput_dir: runs/mine\n{_ON_CPU}"
_FILES = {
    "sft.yaml": f"{_MY}dataset_name: gsm8k\nglobal_batch_size: 4\nper_device_train_batch_size: 4\n",
    "grpo.yaml": f"{_MY}dataset_name: gsm8k\n{_MY_GRPO}",
    "pretrain.yaml": f"{_MY}per_device_train_batch_size: 4\nwarmup_steps: 1\n",
    "mymodule.py": "def my_reward(completions, **columns):\n    return [float(len(one)) for one in completions]\n",
}


def _lines(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode())


def _model(folder: Path, texts: list[str]) -> None:
    """A tiny Llama that soon ends: each token is the last one with a chance of about a third."""
    import torch
    from transformers import AutoModelForCausalLM

    from trl_dsmath.scripts.tiny_model import make_tiny_model

    make_tiny_model(texts, folder, max_length=2048, vocab_size=300, hidden_size=64, num_layers=1)
    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        embedding: torch.Tensor = model.get_input_embeddings().weight  # type: ignore[assignment]
        embedding[:, 0] = 10.0  # the last norm leaves sqrt(32) of it, and head and embedding are one
        embedding[model.config.eos_token_id, 0] = 10.95
    model.save_pretrained(folder)


def _languages(path: Path) -> None:
    """A model of two languages, in the format of fastText's."""
    if importlib.util.find_spec("fasttext") is None:
        return
    from trl_dsmath.corpus.classifier import Hyperparameters, train

    lines = path.with_suffix(".txt")
    lines.write_text("__label__en the number is a prime\n__label__fr le nombre est premier\n" * 50)
    train(lines, path, Hyperparameters(0.5, 5, 64, 2, 1, 40_000, 1, 0, True))


def _prm(folder: Path, model: Path) -> None:
    """A judge that has learned nothing, as `PRMTrainer` saves one."""
    from datasets import Dataset

    from trl_dsmath import PRMConfig, PRMTrainer

    args = PRMConfig(str(folder), use_cpu=True, bf16=False, report_to="none", disable_tqdm=True)
    rows = Dataset.from_list([{"prompt": "1 + 1?", "completions": ["2"], "labels": [True]}])
    PRMTrainer(str(model), args=args, train_dataset=rows).save_model(str(folder))


def make(folder: Path) -> None:
    """Writes everything once, under plain names in `parts/` and under the pages' names beside it."""
    for folder_of_tests in ("corpus", "inference"):
        sys.path.insert(0, str(TESTS / folder_of_tests))
    import replay
    import small_crawl

    parts = folder / "parts"
    rows = [
        {
            "question": f"Tom has {a} apples and buys {b} more. How many apples does he have?",
            "answer": f"He has {a} + {b} = <<{a}+{b}={a + b}>>{a + b} apples.\n#### {a + b}",
        }
        for a in range(1, 5)
        for b in range(1, 5)
    ]
    texts = [f"{row['question']}\n{row['answer']}" for row in rows]
    _model(parts / "model", texts)
    _prm(parts / "prm", parts / "model")
    _languages(parts / "languages.bin")
    for name, text in _FILES.items():
        (parts / name).write_text(text)
    _lines(parts / "pages" / "0.jsonl.gz", [{"url": f"a.test/{i}", "text": text} for i, text in enumerate(texts)])

    here = folder / "here"
    for name in MODELS:
        shutil.copytree(parts / "model", here / name)
    for name in GSM8K:
        for split in ("train", "test"):
            _lines(here / name / f"{split}.jsonl", rows)
    (here / "openai/gsm8k/README.md").write_text(
        "---\nconfigs:\n- config_name: main\n  data_files:\n  - {split: train, path: train.jsonl}\n"
        "  - {split: test, path: test.jsonl}\n---\n"
    )
    for name in ("YOUR_DATA", "train.jsonl", "problems.jsonl"):  # golds as they are stored, prompts as TRL wants them
        prompts = [{"prompt": row["question"], "solution": row["answer"].split("#### ")[1]} for row in rows]
        _lines(here / name / "train.jsonl" if name == "YOUR_DATA" else here / name, prompts)
    _lines(here / "questions.jsonl", rows[:2])
    _lines(here / "texts.jsonl", [{"text": text} for text in texts])
    _lines(here / "texts" / "0.jsonl", [{"text": text} for text in texts])
    _lines(here / "corpus" / "0.jsonl.gz", [{"text": text} for text in texts])
    _lines(here / "HuggingFaceFW/fineweb-edu" / "0.jsonl", [{"text": text} for text in texts])
    steps = [f"He has {n} apples." for n in range(4)]
    labels = [{"prompt": row["question"], "completions": steps, "labels": [True, i % 2 == 0, True, False]}
              for i, row in enumerate(rows)]  # fmt: skip
    _lines(parts / "labels.jsonl", labels)
    _lines(here / "FILE.jsonl", [{"question": rows[0]["question"], "completion": "It is 2."}])
    replay.write_benchmarks(here / "path/to/data")
    for name, source in {"HuggingFaceH4/MATH-500": "math500", "math-ai/minervamath": "ocw"}.items():
        shutil.copytree(here / "path/to/data" / source, here / name)
    shutil.copytree(here / "path/to/data/math", here / "math")
    shutil.copytree(here / "path/to/data/gsm8k", here / "benchmarks")

    small_crawl.write(parts / "crawl")
    for shard in sorted((parts / "crawl" / "pages").glob("*.gz")):
        found = [json.loads(line) for line in gzip.decompress(shard.read_bytes()).splitlines()]
        html = [{"url": page["url"], "html": f"<html><body><p>{page['text']}</p></body></html>"} for page in found]
        _lines(here / "crawl" / shard.name, html)
    for name, source in {
        "P": "pages",
        "S": "seed.jsonl",
        "seed.jsonl": "seed.jsonl",
        "rules.csv": "rules.csv",
    }.items():
        _copy(parts / "crawl" / source, here / name)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def furnish(world: Path, page: str, folder: Path) -> None:
    """Puts the reader of a page into a folder."""
    shutil.copytree(world / "here", folder, dirs_exist_ok=True)
    for name, source in MADE_BEFORE.get(page, {}).items():
        _copy(world / "parts" / source, folder / name)
