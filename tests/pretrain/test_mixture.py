"""Shares by tokens, every document once an epoch, and a stream that goes on anywhere."""

import copy
import gzip
import json
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest
from datasets import Dataset
from tokenizers.processors import TemplateProcessing

from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.pretrain import Mixture, Source
from trl_dsmath.pretrain.arguments import PretrainScriptArguments, first_texts, read_sources
from trl_dsmath.pretrain.sources import Position, Reader

SHARES = {"short": 0.5, "middle": 0.2, "long": 0.3}


def sources(texts: Path) -> list[Source]:
    return [Source(str(texts / f"{name}.jsonl"), share) for name, share in SHARES.items()]


def test_shares_are_of_tokens_not_of_documents(texts: Path, tokenizer) -> None:
    mixture = Mixture(sources(texts), tokenizer, 64, snapshot_every=100)
    rows = list(islice(mixture, 400))
    assert {len(row["input_ids"]) for row in rows} == {64}
    snapshot = mixture.snapshot(400)
    tokens = snapshot["tokens"]
    assert sum(tokens.values()) == 400 * 64 + len(snapshot["pending"])  # each separator counts for its document
    longest = max(len(ids) for ids in tokenizer((texts / "long.jsonl").read_text().splitlines())["input_ids"])
    for name, share in SHARES.items():
        assert abs(tokens[name] - share * sum(tokens.values())) <= longest
    ends = [row["input_ids"].count(tokenizer.eos_token_id) for row in rows]
    documents = dict.fromkeys(SHARES, 0)
    for piece in tokenizer.decode([i for row in rows for i in row["input_ids"]]).split(tokenizer.eos_token)[:-1]:
        documents[piece.split()[0]] += 1
    assert sum(documents.values()) == sum(ends)
    assert documents["short"] > 10 * documents["long"]  # by documents it is far from 5 to 3


@pytest.mark.parametrize("stop", [1, 7, 40])
def test_a_snapshot_goes_on_with_the_same_sequences(texts: Path, tokenizer, stop: int) -> None:
    whole = list(islice(Mixture(sources(texts), tokenizer, 64, seed=3), 120))
    first = Mixture(sources(texts), tokenizer, 64, seed=3)
    list(islice(first, stop + 5))  # the loader reads ahead
    again = Mixture(sources(texts), tokenizer, 64, seed=3)
    again.load_snapshot(json.loads(json.dumps(first.snapshot(stop))))
    assert list(islice(again, 120 - stop)) == whole[stop:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_length": 32}, "max_length was 64, now 32"),
        ({"seed": 4}, "seed was 3, now 4"),
        ({"shares": {"short": 0.4, "middle": 0.3, "long": 0.3}}, "fractions was .*'middle': 0.2"),
    ],
)
def test_a_snapshot_of_another_mixture_is_refused(texts: Path, tokenizer, change: dict, message: str) -> None:
    first = Mixture(sources(texts), tokenizer, 64, seed=3)
    list(islice(first, 5))
    taken = json.loads(json.dumps(first.snapshot(5)))
    settings = {"max_length": 64, "seed": 3, "shares": SHARES} | change
    parts = [Source(str(texts / f"{name}.jsonl"), share) for name, share in settings.pop("shares").items()]
    with pytest.raises(ConfigError, match=message):
        Mixture(parts, tokenizer, **settings).load_snapshot(taken)
    Mixture(sources(texts), tokenizer, 64, seed=3).load_snapshot(taken)


def test_every_document_once_an_epoch_in_another_order(texts: Path, tmp_path: Path, tokenizer) -> None:
    lines = (texts / "short.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "a.jsonl").write_text("".join(lines[:100]))
    with gzip.open(tmp_path / "b.jsonl.gz", "wt") as file:
        file.write("".join(lines[100:]))
    reader = Reader(Source(str(tmp_path), 1.0), 0, lambda found: found, Position())  # texts in place of tokens
    documents = list(islice(reader.documents(), 600))
    given = sorted(json.loads(line)["text"] for line in lines)
    assert sorted(documents[:300]) == sorted(documents[300:]) == given
    assert documents[:300] != documents[300:]
    assert reader.position.epoch == 1


def test_each_epoch_window_and_file_has_an_order_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trl_dsmath.pretrain.sources.WINDOW", 8)
    for name in ("a", "b"):  # 16 rows with the same texts, and a second window with the texts of the first
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({"text": str(n % 8)}) + "\n" for n in range(16)))

    def read(path: Path, seed: int, count: int) -> list[str]:
        reader = Reader(Source(str(path), 1.0), seed, lambda found: found, Position())
        return list(islice(reader.documents(), count))

    one = read(tmp_path / "a.jsonl", 0, 48)
    windows = [tuple(one[start : start + 8]) for start in range(0, 48, 8)]
    assert all(sorted(window) == [str(n) for n in range(8)] for window in windows)
    assert len(set(windows)) == 6  # the order follows from row and epoch
    assert windows[0] != tuple(str(n) for n in range(8))
    both = read(tmp_path, 0, 32)
    assert both[:16] != both[16:]  # and from the file
    (tmp_path / "files").mkdir()
    for n in range(6):
        (tmp_path / "files" / f"{n}.jsonl").write_text(json.dumps({"text": str(n)}) + "\n")
    files = read(tmp_path / "files", 0, 18)
    assert len({tuple(files[:6]), tuple(files[6:12]), tuple(files[12:]), tuple("012345")}) == 4
    assert read(tmp_path / "a.jsonl", 1, 48) != one != read(tmp_path / "b.jsonl", 0, 48)  # and from seed and source


def test_a_stream_reads_ahead_no_more_than_its_snapshots(texts: Path, tokenizer) -> None:
    mixture = Mixture(sources(texts), tokenizer, 64, snapshot_every=2)
    list(islice(mixture, 2 * 70))
    assert mixture.snapshot(2 * 7)["sequences"] == 14
    for gone in (2 * 6, 2 * 69 + 1):
        with pytest.raises(KeyError):
            mixture.snapshot(gone)


def test_tokens_are_taken_as_they_are_and_titles_are_names(tmp_path: Path, tokenizer) -> None:
    (tmp_path / "ids.jsonl").write_text('{"input_ids": [5, 6, 7], "text": "not this"}\n')
    rows = islice(Mixture([Source(str(tmp_path / "ids.jsonl"), 1.0)], tokenizer, 6), 2)
    end = tokenizer.eos_token_id
    assert [row["input_ids"] for row in rows] == [[5, 6, 7, end, 5, 6], [7, end, 5, 6, 7, end]]
    assert Source("a/b.c.jsonl", 1.0).title == "b"
    assert Source("a/b", 1.0, name="config").title == "config"
    assert Source("a/b", 1.0, name="config", label="label").title == "label"
    pattern = Source(str(tmp_path / "*.jsonl"), 1.0)
    assert pattern.files() == [tmp_path / "ids.jsonl"] and Source("owner/name", 1.0).files() == []
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "a.jsonl").touch()
    assert Source(f"{tmp_path}/**/*.jsonl", 1.0).files() == [
        tmp_path / "deep" / "er" / "a.jsonl",
        tmp_path / "ids.jsonl",
    ]
    assert Source(f"{tmp_path}/**.jsonl", 1.0).files() == [tmp_path / "ids.jsonl"]  # as a shell reads it
    with pytest.raises(DataError, match=r"no \.jsonl"):
        Source(str(tmp_path / "*.json"), 1.0).files()


def test_a_tokenizer_that_begins_each_text_with_a_token_adds_none_here(texts: Path, tokenizer) -> None:
    beginning = copy.deepcopy(tokenizer)
    token = beginning.convert_ids_to_tokens(7)
    beginning.backend_tokenizer.post_processor = TemplateProcessing(single=f"{token} $A", special_tokens=[(token, 7)])
    assert beginning("odd")["input_ids"][0] == 7
    first, second = (list(islice(Mixture(sources(texts), one, 64), 5)) for one in (tokenizer, beginning))
    assert first == second


def test_a_snapshot_from_before_settings_were_kept_is_taken(texts: Path, tokenizer) -> None:
    first = Mixture(sources(texts), tokenizer, 64, seed=3)
    whole = list(islice(first, 9))
    old = {key: value for key, value in first.snapshot(4).items() if key != "settings"}
    again = Mixture(sources(texts), tokenizer, 64, seed=3)
    again.load_snapshot(old)
    assert list(islice(again, 5)) == whole[4:]
    assert again.snapshot(4) is old


def test_positions_within_files_windows_and_epochs(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trl_dsmath.pretrain.sources.WINDOW", 16)
    parquet = tmp_path / "rows"
    parquet.mkdir()
    rows = [json.loads(line) for line in (texts / "short.jsonl").read_text().splitlines()]
    import pyarrow
    from pyarrow.parquet import write_table

    for part in range(3):
        table = pyarrow.Table.from_pylist(rows[part * 100 : part * 100 + 100])
        write_table(table, parquet / f"{part}.parquet", row_group_size=33)
    for source in (Source(str(texts / "short.jsonl"), 1.0), Source(str(parquet), 1.0)):
        reader = Reader(source, 0, lambda found: found, Position())
        positions, documents = [reader.position], []
        for found in islice(reader.documents(), 650):
            documents.append(found)
            positions.append(reader.position)
        for taken in (0, 1, 15, 16, 17, 99, 100, 101, 299, 300, 301, 640):
            again = Reader(source, 0, lambda found: found, positions[taken])
            assert list(islice(again.documents(), 10)) == documents[taken : taken + 10]


def test_a_data_set_on_the_hub_is_streamed_and_taken_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trl_dsmath.pretrain.sources.WINDOW", 8)
    asked: list[tuple] = []
    rows = Dataset.from_list([{"body": str(n) if n % 5 else None} for n in range(20)])

    def load(path: str, **named: object) -> object:
        asked.append((path, named))
        return rows.to_iterable_dataset()

    monkeypatch.setattr("datasets.load_dataset", load)
    source = Source("owner/name", 1.0, name="config", split="some", text_column="body")
    reader = Reader(source, 0, lambda found: found, Position())
    positions, documents = [reader.position], []
    for found in islice(reader.documents(), 40):
        documents.append(found)
        positions.append(reader.position)
    assert asked[0] == ("owner/name", {"name": "config", "split": "some", "streaming": True})
    assert sorted(documents[:16]) == sorted(documents[16:32]) == sorted(str(n) for n in range(20) if n % 5)
    assert (positions[-1].epoch, positions[-1].skipped) == (2, 10)  # 4 an epoch, 2 in the first window of the third
    for taken in (0, 5, 6, 7, 15, 16, 20, 35):
        again = Reader(source, 0, lambda found: found, positions[taken])
        assert list(islice(again.documents(), 5)) == documents[taken : taken + 5]

    def gone(*_: object, **__: object) -> None:
        raise ValueError("\nno such config\nChoose one")

    monkeypatch.setattr("datasets.load_dataset", gone)
    with pytest.raises(DataError, match=r"owner/name cannot be opened: no such config$"):
        next(Reader(source, 0, lambda found: found, Position()).documents())


def test_sources_by_arguments_and_their_first_texts(texts: Path) -> None:
    one = PretrainScriptArguments("d", dataset_config="c", dataset_train_split="s", text_column="body")
    assert read_sources(one) == [Source("d", 1.0, name="c", split="s", text_column="body")]
    keys = [{"path": str(texts / f"{name}.jsonl"), "fraction": 0.5} for name in ("short", "long")]
    two = read_sources(PretrainScriptArguments(sources=keys))
    assert two == [Source(**key) for key in keys]
    assert [text.split()[0] for text in first_texts(two, documents=7)] == ["short"] * 3 + ["long"] * 3
    for wrong, message in (
        ({}, "Which text"),
        ({"dataset_name": "d", "sources": keys}, "give one"),
        ({"sources": [keys[0], {"path": "b"}]}, r"Source 2 \({'path': 'b'}\).*fraction"),
    ):
        with pytest.raises(ConfigError, match=message):
            read_sources(PretrainScriptArguments(**wrong))


def test_broken_rows_are_counted_and_passed_over(tmp_path: Path) -> None:
    good = b'{"text": "one"}\n{"text": "two"}\n'
    (tmp_path / "rows.jsonl").write_bytes(
        b'{"text": \n' + good + b'\xff\xfe\n{"text": null}\n{"other": 1}\n[]\n{"text": ""}\n'
    )
    reader = Reader(Source(str(tmp_path / "rows.jsonl"), 1.0), 0, lambda found: found, Position())
    assert sorted(islice(reader.documents(), 2)) == ["one", "two"]
    next(reader.documents())
    assert (reader.position.epoch, reader.position.skipped) == (1, 6)


def test_what_cannot_be_read_says_so(texts: Path, tmp_path: Path, tokenizer) -> None:
    good = Source(str(texts / "short.jsonl"), 0.5)
    with pytest.raises(ConfigError, match=r"add up to 0.75, not to 1. Scaled: short 0.6667, long 0.3333"):
        Mixture([good, Source(str(texts / "long.jsonl"), 0.25)], tokenizer, 64)
    with pytest.raises(ConfigError, match="same name"):
        Mixture([good, good], tokenizer, 64)
    with pytest.raises(ConfigError, match="above 0"):
        Source("x.jsonl", 0)
    with pytest.raises(ConfigError, match="Scaled: none"):
        Mixture([], tokenizer, 64)
    third = Source(str(texts / "short.jsonl"), 1 / 3)
    Mixture([third, *(replace(third, label=label) for label in "ab")], tokenizer, 64)  # to within rounding
    with pytest.raises(ConfigError, match="no end-of-text token"):
        Mixture([Source(str(texts / "short.jsonl"), 1.0)], SimpleNamespace(eos_token_id=None), 64)
    with pytest.raises(DataError, match=r"there is no \.jsonl"):
        Mixture([Source(str(tmp_path / "none.jsonl"), 1.0)], tokenizer, 64)
    with pytest.raises(DataError, match="text_column"):
        next(iter(Mixture([Source(str(texts / "short.jsonl"), 1.0, text_column="body")], tokenizer, 64)))
    cut = gzip.compress((texts / "long.jsonl").read_bytes())[:-2000]
    (tmp_path / "cut.jsonl.gz").write_bytes(cut)
    with pytest.raises(DataError, match=r"cut\.jsonl\.gz cannot be read"):
        list(islice(Mixture([Source(str(tmp_path / "cut.jsonl.gz"), 1.0)], tokenizer, 64), 10_000))
