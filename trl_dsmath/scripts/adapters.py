"""A LoRA adapter merged into its base model: what a later stage trains further."""

import os
import shutil
from pathlib import Path

from ..errors import need


def merge_adapter(adapter: str | Path, base: str | None = None) -> Path:
    """
    Merges an adapter into the model that it was trained on, in the number format in which that was saved.

    Args:
        adapter (`str` or `Path`):
            Folder of the adapter.
        base (`str`, *optional*):
            The model. If `None`, the one that the adapter names.

    Returns:
        `Path`: the folder beside it that ends in `-merged`, written when it is not there or older than the adapter; the
            folder itself when it holds no adapter.

    Raises:
        MissingDependencyError: peft is absent.
    """
    folder = Path(adapter)
    config = folder / "adapter_config.json"
    if not config.exists():
        return folder
    output = folder.with_name(folder.name + "-merged")
    if output.exists() and output.stat().st_mtime >= config.stat().st_mtime:
        return output
    need("peft", "LoRA adapters", "peft")
    from peft import PeftConfig, PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = base or str(PeftConfig.from_pretrained(str(folder)).base_model_name_or_path)
    part = output.with_name(output.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype="auto"), str(folder))
    model.merge_and_unload().save_pretrained(part)
    AutoTokenizer.from_pretrained(str(folder)).save_pretrained(part)
    shutil.rmtree(output, ignore_errors=True)
    os.replace(part, output)
    return output
