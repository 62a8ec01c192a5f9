"""The model card of a process reward model."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..paper import ARXIV_ID, TITLE
from .metrics import metrics_table

if TYPE_CHECKING:
    from .config import PRMConfig

_TEXT = """# {name}

A process reward model: it gives each step of a solution the probability that it is right. Trained with
[trl-dsmath](https://pypi.org/project/trl-dsmath) (`PRMTrainer`, `prm_type="{prm_type}"`){data}.

```python
from trl_dsmath import load_step_scorer

score = load_step_scorer("{name}")
score(["What is 1+1+1?"], steps=[["1+1=2", "2+1=4"]])  # one probability per step
```

{figures}A model of this kind can be misled by a policy that is trained against it; see "Process rewards" in the documentation.

Step rewards in GRPO: [{title}](https://huggingface.co/papers/{arxiv}).
"""


def write_card(
    folder: Path,
    name: str | None,
    dataset: str | None,
    tags: list[str],
    args: "PRMConfig",
    figures: Mapping[str, Any],
) -> None:
    """Writes `README.md` with metadata for the hub.

    Args:
        folder (`Path`):
            Where the model was saved.
        name (`str`, *optional*):
            Name of the model; if `None`, that of the folder.
        dataset (`str`, *optional*):
            Name of the data set on the hub.
        tags (`list[str]`):
            Tags.
        args ([`PRMConfig`]):
            Configuration of the run.
        figures (`Mapping[str, Any]`):
            Logged figures of the last evaluation, if there was one.
    """
    from huggingface_hub import ModelCard, ModelCardData

    table = f"Held-out figures:\n\n```\n{metrics_table(figures)}\n```\n\n" if figures else ""
    text = _TEXT.format(
        name=name or folder.name,
        prm_type=args.prm_type,
        data=f" on [{dataset}](https://huggingface.co/datasets/{dataset})" if dataset else "",
        figures=table,
        title=TITLE,
        arxiv=ARXIV_ID,
    )
    data = ModelCardData(
        library_name="transformers", tags=tags, datasets=[dataset] if dataset else None, model_name=name or folder.name
    )
    folder.mkdir(parents=True, exist_ok=True)
    ModelCard(f"---\n{data.to_yaml()}\n---\n\n{text}").save(folder / "README.md")
