"""When to stop: signs that a round made the collection worse. That most of it is collected already is none of them."""

from typing import Any

# Below this the classifier hardly tells held-out seed pages from a page of the crawl. If 40 % of the crawl is
# mathematics, a perfect one reaches 0.8.
_LEAST_AUC = 0.65
_AUC_FALL = 0.1
_RECALL_FALL = 0.3
_LEAST_PRECISION = 0.5
_PRECISION_FALL = 0.1
_GROWTH = 2.0


def find_trouble(reports: list[dict[str, Any]], automatic: bool) -> str | None:
    """
    What is wrong with the last round, with the remedy; None if nothing is seen.

    Args:
        reports (`list[dict]`):
            Reports of the rounds so far.
        automatic (`bool`):
            Whether prefixes were decided without a person: then growth counts too, since figures that are estimated
            from such decisions agree with them by construction.
    """
    now, before = reports[-1], reports[:-1]
    auc = now["seed_auc"]
    if auc is not None and auc < _LEAST_AUC:
        return (
            f"the classifier has not learnt: it puts a held-out seed page above a page of the crawl in {auc:.0%} of pairs "
            "(50 % is chance). Give more seed pages, from more hosts, or leave learning_rate and epochs to the scaling."
        )
    known = now["labelled"] or (None if automatic else now["estimated"])
    source = "the labelled sample" if now["labelled"] else "pages under annotated prefixes"
    if known:
        precision = known["precision"]
        earlier = [r["labelled"] if now["labelled"] else r["estimated"] for r in before]
        best = max((e["precision"] for e in earlier if e and e["precision"] is not None), default=None)
        where = ", ".join(f"{host} ({count})" for host, count in list(known["false_positives"].items())[:4])
        if precision is None:
            return f"nothing of {source} is collected. Raise budget_tokens, or give more seed pages."
        if before and precision < _LEAST_PRECISION:
            return f"only {precision:.0%} of what is collected is mathematics by {source}. False positives: {where}."
        if best is not None and precision < best - _PRECISION_FALL:
            return f"precision fell from {best:.2f} to {precision:.2f} by {source}. False positives: {where}."
    if before:
        first = before[0]
        if auc is not None and first["seed_auc"] is not None and auc < first["seed_auc"] - _AUC_FALL:
            return f"held-out seed pages stand out less than in round 1 ({auc:.2f} after {first['seed_auc']:.2f})."
        if now["seed_recall"] is not None and now["seed_recall"] < (first["seed_recall"] or 0) - _RECALL_FALL:
            return f"of the held-out seed pages {now['seed_recall']:.0%} are collected, {first['seed_recall']:.0%} in round 1."
        if automatic and not now["labelled"] and now["tokens"] > _GROWTH * max(first["tokens"], 1):
            return (
                f"the collection grew to {now['tokens'] / max(first['tokens'], 1):.1f} times that of round 1 by automatic "
                "decisions alone."
            )
    return None
