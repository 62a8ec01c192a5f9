"""What the command says about labels before it trains."""

from datasets import Dataset

from trl_dsmath.prm.arguments import describe_labels, one_sided


def test_labels_of_one_kind_are_told() -> None:
    def rows(*labels: list[float | None]) -> Dataset:
        return Dataset.from_list([{"labels": one} for one in labels])

    wrong, right = one_sided(rows([0.0, None], [0.4])), one_sided(rows([1.0, None], [0.5]))
    assert wrong is not None and wrong.startswith("No step is right") and "num_rollouts" in wrong
    assert right is not None and right.startswith("Every step is right") and "harder problems" in right
    mixed = rows([1.0, 0.0], [None, 0.5])
    assert one_sided(mixed) is None and describe_labels(mixed) == "3 labelled steps, 66.7% right"
