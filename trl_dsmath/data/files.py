"""Data sets by name: a local file, a local folder with one file per split, or a name on the Hugging Face hub.

JSON lines are read here and not by `datasets`: its reader gives up on a whole file for one line that was cut off, or for
golds that are numbers in some rows and strings in others, and both are common.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, DataError

if TYPE_CHECKING:
    from datasets import Dataset

_OTHER_FORMATS = {".parquet": "parquet", ".csv": "csv"}


def read_jsonl(path: Path) -> tuple[list[dict[str, Any]], list[int]]:
    """Reads a file of JSON lines (or one JSON array): the rows, and the numbers (from 1) of the lines that hold no object.

    Raises:
        DataError: the file cannot be read as text, or holds no row.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    rows: list[dict[str, Any]] = []
    broken: list[int] = []
    if text.lstrip().startswith("["):
        try:
            cells = json.loads(text)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{path} is not JSON: {error}. Write one object per line and name the file .jsonl."
            ) from error
        numbered = list(enumerate(cells, start=1))
    else:
        numbered = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    for number, cell in numbered:
        try:
            row = json.loads(cell) if isinstance(cell, str) else cell
        except json.JSONDecodeError:
            row = None
        if isinstance(row, dict):
            rows.append(row)
        else:
            broken.append(number)
    if not rows:
        raise DataError(f"{path} holds no row: it should have one JSON object per line.")
    return rows, broken


def first_few(numbers: Sequence[int]) -> str:
    """The first numbers of rows or lines, for a message."""
    return ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")


def read_rows(path: str | Path) -> tuple[list[dict[str, Any]], list[int]]:
    """Reads as [`read_jsonl`] a `.jsonl` or `.parquet` file, or a folder of parquet files, as TRL's `log_completions` has it.

    Raises:
        DataError: nothing is there, or nothing can be read.
    """
    path = Path(path)
    if path.is_dir() or path.suffix == ".parquet":
        import pyarrow.parquet

        files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        if not files or not all(file.is_file() for file in files):
            raise DataError(f"{path}: there is no .parquet file.")
        try:
            return [row for file in files for row in pyarrow.parquet.read_table(file).to_pylist()], []
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"{path} cannot be read: {error}") from error
    if not path.is_file():
        raise DataError(f"There is no file or folder {path}.")
    return read_jsonl(path)


def to_dataset(rows: list[dict[str, Any]]) -> "Dataset":
    """Rows as a data set. A cell that is missing is None; numbers beside strings in one column, or in its
    lists, become strings, since a column has one type."""
    from datasets import Dataset

    columns = {
        name: _one_type([row.get(name) for row in rows]) for name in dict.fromkeys(k for row in rows for k in row)
    }
    try:
        return Dataset.from_dict(columns)
    except (ValueError, TypeError, OverflowError) as error:  # pyarrow's errors are ValueError and TypeError
        raise DataError(f"The rows do not fit into columns of one type each: {error}") from error


def _one_type(cells: list[Any]) -> list[Any]:
    scalars = [item for cell in cells for item in (cell if isinstance(cell, list) else [cell]) if item is not None]
    types = {type(item) for item in scalars}
    if str not in types or len(types) == 1:
        return cells
    return [[_text(item) for item in cell] if isinstance(cell, list) else _text(cell) for cell in cells]


def _text(item: Any) -> str | None:
    return item if item is None or isinstance(item, str) else json.dumps(item, ensure_ascii=False)


def load(name: str | None, config: str | None = None) -> tuple[dict[str, "Dataset"], list[str]]:
    """Loads a data set by its name.

    Args:
        name (`str`):
            A `.jsonl`, `.json`, `.parquet` or `.csv` file (it becomes the split `train`), a folder with one such file
            per split (`train.jsonl`, `test.jsonl`), or the name of a data set on the hub. `None` is refused with what to
            name.
        config (`str`, *optional*):
            Configuration of a data set on the hub (`main` for `openai/gsm8k`); not used for local files.

    Returns:
        `tuple`: the splits, and remarks about lines that could not be read.

    Raises:
        ConfigError: no data set is named.
        DataError: there is nothing, or it cannot be read.
    """
    if not name:
        raise ConfigError(
            "Which data set? Give dataset_name: a .jsonl file, a folder with train.jsonl, or a name on the hub (openai/gsm8k, "
            "with dataset_config main)."
        )
    path = Path(name).expanduser()
    if path.is_dir():
        files = {file.stem: file for file in sorted(path.iterdir()) if file.suffix in {".jsonl", ".json"}}
        if not files:  # a folder of parquet files, or a clone of a hub repository: `datasets` reads it
            return _load_with_datasets(str(path), None), []
    elif path.is_file():
        files = {"train": path}
    elif name.startswith((".", "/", "~")) or path.suffix in {".jsonl", ".json", *_OTHER_FORMATS}:
        raise DataError(f"There is no file or folder {name}.")
    else:
        return _load_with_datasets(name, config), []

    splits, remarks = {}, []
    for split, file in files.items():
        if file.suffix in _OTHER_FORMATS:
            splits[split] = _load_with_datasets(_OTHER_FORMATS[file.suffix], None, str(file))["train"]
            continue
        if file.suffix not in {".jsonl", ".json"}:
            raise DataError(f"{file}: only .jsonl, .json, .parquet and .csv files can be read.")
        rows, broken = read_jsonl(file)
        if broken:
            remarks.append(
                f"{file}: {len(broken):,} lines are not JSON objects and were dropped (line {first_few(broken)})"
            )
        splits[split] = to_dataset(rows)
    return splits, remarks


def load_split(
    name: str | None, config: str | None = None, split: str = "train", notify: Callable[[str], None] | None = None
) -> "Dataset":
    """One split of a data set; see [`load`].

    Args:
        name (`str`), config (`str`, *optional*):
            As in [`load`].
        split (`str`, *optional*, defaults to `"train"`):
            The split.
        notify (`Callable`, *optional*):
            Called with each remark about lines that could not be read.

    Raises:
        ConfigError: no data set is named.
        DataError: it cannot be read, or has no such split.
    """
    splits, remarks = load(name, config)
    for remark in remarks:
        (notify or print)(remark)
    return pick_split(splits, split, str(name))


def pick_split(splits: dict[str, "Dataset"], split: str, name: str = "The data set") -> "Dataset":
    """One of the splits of a data set.

    Raises:
        DataError: there is no such split.
    """
    if split not in splits:
        raise DataError(f"{name} has no split {split!r}; there are: {', '.join(splits)}. Name one of these.")
    return splits[split]


def _load_with_datasets(name: str, config: str | None, file: str | None = None) -> dict[str, "Dataset"]:
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    try:
        loaded = load_dataset(name, name=config, data_files=file)
    except (OSError, ValueError, DatasetsError) as error:
        reason = str(error).strip().split("\n")[0]
        raise DataError(f"The data set {file or name} cannot be loaded: {reason}") from error
    return dict(loaded)
