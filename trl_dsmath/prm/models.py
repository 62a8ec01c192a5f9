"""Loading the model of a layout, and what a saved model says about itself."""

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import AutoConfig, AutoModelForTokenClassification

from .._upstream import quiet_loading
from ..errors import ConfigError, need
from ..generation.loading import model_errors
from .layouts import LAYOUTS
from .readout import StepBias

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedConfig, PreTrainedModel

logger = logging.getLogger(__name__)

CONFIG_KEY = "dsmath_prm"  # in config.json: layout, separator and, where they apply, bias and base model


def detect_layout(name_or_path: str, config: "PreTrainedConfig") -> str:
    """Finds the layout of a model: what we wrote into its config, then its architecture, then its name.

    Raises:
        ConfigError: nothing tells; the message lists the layouts.
    """
    saved = getattr(config, CONFIG_KEY, None)
    if saved:
        return saved["layout"]
    short = str(name_or_path).rstrip("/").split("/")[-1].lower()
    for name, layout in LAYOUTS.items():
        known = layout.architecture and any(re.fullmatch(layout.architecture, a) for a in config.architectures or [])
        if known and all(getattr(config, key, value) == value for key, value in layout.model_kwargs.items()):
            return name
    for name, layout in LAYOUTS.items():
        if layout.released and re.search(layout.released, short):
            return name
    raise ConfigError(
        f"{name_or_path}: neither its config nor its name says how its scores are read. Give layout=, one of: "
        f"{', '.join(LAYOUTS)} (docs/guides/prm.md shows which released model has which)."
    )


def read_config(name_or_path: str, **kwargs: Any) -> "PreTrainedConfig":
    """Reads a model's config.

    Raises:
        ConfigError: there is no such model.
    """
    folder = Path(name_or_path)
    if (folder / "adapter_config.json").exists() and not (folder / "config.json").exists():
        raise ConfigError(
            f"{name_or_path} is an adapter without a config.json, so it was not saved by PRMTrainer. Merge it into "
            "its base model (merge_and_unload) and load that."
        )
    with model_errors(name_or_path):
        return AutoConfig.from_pretrained(name_or_path, **kwargs)


def load_model(name_or_path: str, layout: str, bias: float = 0.0, **kwargs: Any) -> "PreTrainedModel":
    """Loads a model for a layout, with its [`StepBias`] as `step_bias` in the likelihood layout.

    Args:
        name_or_path (`str`):
            A folder or a name on the hub: a base model to train, a model or an adapter that [`PRMTrainer`] saved, or a
            released reward model.
        layout (`str`):
            Key of `LAYOUTS`.
        bias (`float`, *optional*, defaults to `0.0`):
            Bias of the likelihood layout, where the model has none of its own.
        kwargs:
            For `from_pretrained`.

    Raises:
        ConfigError: there is no such model, or it is a reward model of another layout.
        MissingDependencyError: an adapter needs peft.
    """
    config = read_config(
        name_or_path, **{key: kwargs[key] for key in ("revision", "trust_remote_code") if key in kwargs}
    )
    saved = getattr(config, CONFIG_KEY, None) or {}
    if saved.get("layout", layout) != layout:
        raise ConfigError(
            f"{name_or_path} is a reward model of layout {saved['layout']!r} and cannot be used in layout {layout!r}: "
            "set prm_type (training) or layout (loading) to its own."
        )
    base = saved.get("adapter_of")
    if base:
        kwargs.pop("revision", None)  # the adapter's, not its base model's
    chosen = LAYOUTS[layout]
    kwargs |= chosen.model_kwargs
    whole = base or name_or_path
    with model_errors(whole):
        if saved:  # what the base class lacks is restored below: only what else is missing is worth a word
            with quiet_loading():
                model, found = chosen.model_class.from_pretrained(whole, output_loading_info=True, **kwargs)
            _check_weights(found, whole, chosen.new_module)
        else:
            model = chosen.model_class.from_pretrained(whole, **kwargs)
    if chosen.head == "likelihood":
        attach_bias(model, saved.get("bias", bias))
    if base:
        need("peft", "LoRA adapters", "peft")
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, name_or_path)
    return model


def _check_weights(found: dict[str, Any], name: str, new_module: str | None) -> None:
    """Warns of weights that are missing or left over: a layout's own module and a classifier's `lm_head` do not count."""
    keys = {key for kind in ("missing_keys", "unexpected_keys") for key in found[kind]}
    other = sorted(key for key in keys if key.split(".")[0] not in {new_module, "lm_head"})
    if other:
        logger.warning("%s: weights that are missing or left over: %s", name, ", ".join(other))


def attach_bias(model: Any, value: float) -> None:
    """Gives a causal model a [`StepBias`] of its own, unless it has one."""
    if not hasattr(model, "step_bias"):
        model.step_bias = StepBias(value).to(model.device)


def describe(model: Any, layout: str, separator: str) -> dict[str, Any]:
    """What is written into the config of a model that is saved, so that it can be loaded without flags."""
    about: dict[str, Any] = {"layout": layout, "step_separator": separator}
    if LAYOUTS[layout].head == "likelihood":
        bias = model.step_bias
        weight = (bias.modules_to_save[bias.active_adapter] if hasattr(bias, "modules_to_save") else bias).weight
        about["bias"] = weight.item() * StepBias.scale
    if hasattr(model, "peft_config"):
        about["adapter_of"] = model.peft_config[model.active_adapter].base_model_name_or_path
    return about


def check_model(model: Any, prm_type: str, layout: str) -> None:
    """Raises a ConfigError when a model cannot be trained as `prm_type`."""
    saved = getattr(model.config, CONFIG_KEY, None) or {}
    if saved.get("layout", layout) != layout:
        raise ConfigError(
            f"The model is a reward model of layout {saved['layout']!r}, but prm_type {prm_type!r} trains layout "
            f"{layout!r}. Set prm_type to what the model is."
        )
    labels = model.config.num_labels if model.__class__.__name__.endswith("ForTokenClassification") else 0
    if prm_type == "token_classification" and hasattr(model, "lm_head"):
        raise ConfigError(
            "prm_type 'token_classification' needs a model with a head of two labels, and this is a language model. "
            "Give its name, or load it with AutoModelForTokenClassification(num_labels=2), or set prm_type to 'causal'."
        )
    if labels and (prm_type != "token_classification" or labels != 2):
        raise ConfigError(
            f"A model for token classification with {labels} labels cannot be trained as {prm_type!r}: "
            "'token_classification' takes two labels, the other forms take a causal language model."
        )


def add_adapter(model: Any, peft_config: "PeftConfig", layout: str, gradient_checkpointing: bool) -> Any:
    """The model with an adapter, which is trained together with what the base model lacks."""
    need("peft", "LoRA adapters", "peft")
    from peft import get_peft_model, prepare_model_for_kbit_training

    # Without this, a new head or bias would be neither trained nor saved.
    new = LAYOUTS[layout].new_module
    if new and hasattr(model, new) and new not in (getattr(peft_config, "modules_to_save", None) or []):
        peft_config.modules_to_save = [*(peft_config.modules_to_save or []), new]  # type: ignore[attr-defined]
    if LAYOUTS[layout].model_class is AutoModelForTokenClassification:
        # TRL's ModelConfig says CAUSAL_LM, for which peft wants a model that generates.
        peft_config.task_type = "TOKEN_CLS"
    if getattr(model, "is_loaded_in_4bit", False) or getattr(model, "is_loaded_in_8bit", False):
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=gradient_checkpointing)
    model = get_peft_model(model, peft_config)
    if gradient_checkpointing:
        model.enable_input_require_grads()
    return model
