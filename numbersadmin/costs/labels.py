"""Labels alone: a month is split by whole sets of labels, so that groups add up, and people ask for one label."""

from numbersadmin.costs.months import Month
from numbersadmin.costs.report import Figures, Sum


def single_labels(label_set: str) -> list[str]:
    """The labels of a set, each alone; a comma parts two of them, as where people enter them."""
    return label_set.split(", ") if label_set else []


def each_label(found: Figures, month: Month, currency: str) -> list[tuple[str, Sum]]:
    """Each label with all numbers that have it, the dearest first; none where no number has several."""
    sets = [
        (single_labels(value), one)
        for (code, value), one in found.of(month, "labels").items()
        if code == currency
    ]
    if all(len(labels) < 2 for labels, _ in sets):
        return []
    sums: dict[str, Sum] = {}
    for labels, one in sets:
        for label in labels:
            sums[label] = sums.get(label, Sum()) + one
    return sorted(sums.items(), key=lambda of: (-of[1].amount, of[0]))
