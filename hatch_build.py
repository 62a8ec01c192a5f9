"""Links of the published package. Set DSMATH_REPOSITORY to the address of the repository before `python -m build`.

Without it the package has no project links, and links in the README stay relative.
"""

import os
import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface


def urls(repository: str) -> dict[str, str]:
    """Project links."""
    paper = {"Paper": "https://huggingface.co/papers/2402.03300"}
    if not repository:
        return paper
    pages = {
        "Documentation": "blob/main/docs/index.md",
        "Changelog": "blob/main/CHANGELOG.md",
        "Issues": "issues",
    }
    return {"Repository": repository, **{name: f"{repository}/{page}" for name, page in pages.items()}, **paper}


def absolute(readme: str, repository: str) -> str:
    """The README with links and images that work outside of the repository."""
    if not repository:
        return readme
    readme = re.sub(r"(!\[[^\]]*\]\()(?!https?:|#)", rf"\1{repository}/raw/main/", readme)
    return re.sub(
        r"(?<!!)(\[(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*\]\()(?!https?:|#)", rf"\1{repository}/blob/main/", readme
    )


class CustomMetadataHook(MetadataHookInterface):
    """Called by hatchling."""

    def update(self, metadata: dict) -> None:
        repository = os.environ.get("DSMATH_REPOSITORY", "").rstrip("/")
        text = absolute((Path(self.root) / "README.md").read_text(encoding="utf-8"), repository)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = urls(repository)
