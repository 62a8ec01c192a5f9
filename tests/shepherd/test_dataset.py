"""The dataset type: loading, types of labels, and publishing with the hub replaced at its boundary."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from datasets import Value, load_dataset

from trl_dsmath.errors import DataError
from trl_dsmath.shepherd import annotate, push_to_hub, to_dataset
from trl_dsmath.shepherd.dataset import Summary, summarize

ROW = {"prompt": "Q:", "gold": "7", "completions": ["a\n", "b\n", "\\boxed{7}"]}


@pytest.fixture(params=["hard", "soft"])
def labelled(request: Any, scripted: Any, tmp_path: Path) -> Path:
    sampler = scripted(lambda prefix, index: "\\boxed{7}" if prefix == "Q:a\n" and index < 2 else "\\boxed{1}")
    annotate([ROW], sampler, tmp_path / "train.jsonl", mode=request.param, progress=False)
    return tmp_path / "train.jsonl"


def test_types_of_labels(labelled: Path) -> None:
    dataset = to_dataset(labelled)
    kind = dataset.features["labels"].feature
    if dataset[0]["mode"] == "hard":
        assert kind == Value("bool")
        assert dataset[0]["labels"] == [True, False, True]
    else:
        assert kind == Value("float64")
        assert dataset[0]["labels"] == [0.25, 0.0, 1.0]
    assert "".join(dataset[0]["completions"]) == "a\nb\n\\boxed{7}"


def test_soft_labels_that_are_all_whole_stay_floats(scripted: Any, tmp_path: Path) -> None:
    annotate([ROW], scripted(lambda *_: "\\boxed{1}"), tmp_path / "l.jsonl", mode="soft", progress=False)
    assert to_dataset(tmp_path / "l.jsonl").features["labels"].feature == Value("float64")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "Q", "completions": ["a", "b"], "labels": [True]}, "2 steps and 1 labels"),
        ({"prompt": "Q", "completions": ["a"]}, "labels missing or empty"),
    ],
)
def test_broken_rows(row: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "l.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=message):
        to_dataset(tmp_path / "l.jsonl")


def test_broken_lines_and_rows_are_named_by_their_number(tmp_path: Path) -> None:
    good = json.dumps({"prompt": "Q", "completions": ["a"], "labels": [True]}) + "\n"
    (tmp_path / "l.jsonl").write_text(good + '{"prompt": "Q", "labels": []}\n')
    with pytest.raises(DataError, match=r"row 2: completions and labels missing or empty"):
        to_dataset(tmp_path / "l.jsonl")
    (tmp_path / "l.jsonl").write_text(good + good + '{"prompt"\n{"prompt"\n')
    with pytest.raises(DataError, match=r"line 3, is not a JSON object"):
        to_dataset(tmp_path / "l.jsonl")


@pytest.mark.parametrize(
    ("counts", "said", "unsaid"),
    [
        ({"cut_off": 10}, "100 drawn; N from each prefix would be 200 (50.0%)", "warning"),
        ({"cut_off": 11}, "11.0% of the rollouts were cut off", "the same"),
        ({"good": 0}, "all labels are the same", "cut off"),
        ({"good": 10}, "all labels are the same", "cut off"),
        ({"good": 9.5}, "95.0% good; before the last step 141.7%; solutions right 25.0%", "the same"),
        ({"finished": 3}, "1 solutions had no answer within max_new_tokens", "warning"),
        ({"steps": 4, "spent": 0, "plain": 0}, "before the last step none", "cut off"),
        ({"solutions": 0}, "no solution is labelled", "rollouts"),
    ],
)
def test_what_the_summary_says(counts: dict, said: str, unsaid: str) -> None:
    figures = {
        "solutions": 4,
        "finished": 4,
        "right": 1,
        "steps": 10,
        "good": 4.0,
        "spent": 100,
        "plain": 200,
        **counts,
    }
    text = Summary(**figures).report()
    assert said in text and unsaid not in text


def test_the_summary_counts_what_a_row_holds(tmp_path: Path) -> None:
    rows = [
        {"labels": [True, False, True], "finished": True, "spent": 5, "num_rollouts": 4, "cut_off": 1},
        {"labels": [0.5, 0.25], "finished": False, "spent": 8, "num_rollouts": 4, "cut_off": 0},
        {"labels": [0.5, 0.0], "spent": 4, "num_rollouts": 4, "cut_off": 2},  # from before `finished`
    ]
    (tmp_path / "l.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    # plain: N for each step but the last of a finished solution: 2 x 4, 2 x 4 and 1 x 4
    assert summarize(tmp_path / "l.jsonl") == Summary(3, 2, 1, 7, 3.25, 17, 20, 3)


def test_push_to_hub(labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: dict[str, Any] = {}

    class StubApi:
        def __init__(self, token: str | None = None) -> None:
            calls["token"] = token

        def create_repo(self, repo_id: str, **options: Any) -> None:
            calls["create"] = (repo_id, options)

        def upload_folder(self, folder_path: str, **options: Any) -> str:
            calls["upload"] = options
            shutil.copytree(folder_path, tmp_path / "hub", dirs_exist_ok=True)
            return "https://hub/commit"

    monkeypatch.setattr("huggingface_hub.HfApi", StubApi)
    assert push_to_hub(labelled, "me/steps", private=True, token="t") == "https://hub/commit"
    assert calls["token"] == "t"
    assert calls["create"] == ("me/steps", {"repo_type": "dataset", "private": True, "exist_ok": True})
    assert calls["upload"]["repo_id"] == "me/steps" and calls["upload"]["repo_type"] == "dataset"

    push_to_hub(labelled, "me/steps")  # open, as whoever is logged in
    assert calls["token"] is None and calls["create"][1]["private"] is False

    published = load_dataset(str(tmp_path / "hub"), split="train", cache_dir=str(tmp_path / "cache"))
    assert published.features == to_dataset(labelled).features
    assert published.to_list() == to_dataset(labelled).to_list()
    card = (tmp_path / "hub" / "README.md").read_text()
    assert "- stepwise_supervision" in card
    assert 'load_dataset("me/steps", split="train")' in card
    assert "| sampler | scripted |" in card
    assert "| num_rollouts | 8 |" in card


def test_the_card_is_valid(labelled: Path, tmp_path: Path) -> None:
    from huggingface_hub import DatasetCard

    from trl_dsmath.shepherd.dataset import dataset_card

    card = DatasetCard(dataset_card(labelled, "me/steps"))
    assert card.data.tags == ["trl-dsmath", "stepwise_supervision", "process-reward-model"]
