"""The readings of our own that computed charges rest on: as a close keeps them, and in words."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from numbersadmin.costs import charges

WORDS = {
    ("BILLING_TIME_ZONE", None): "Months begin at midnight {}.",
    ("PRICE_CHANGE", "NEXT_MONTH"): "Each month is charged at the price in force when it begins.",
    ("CANCELLATION", "NO_REFUND"): "A number that is cancelled stays charged in full for that month.",
    ("TODAY_IS_CHARGED", 1): "The day on which a number is bought is charged.",
}


def assumptions() -> dict[str, Any]:
    """The readings of today, by the names they have in the code."""
    return {
        "BILLING_TIME_ZONE": settings.BILLING_TIME_ZONE,
        "PRICE_CHANGE": charges.PRICE_CHANGE,
        "CANCELLATION": charges.CANCELLATION,
        "TODAY_IS_CHARGED": charges.TODAY_IS_CHARGED,
    }


def in_words(kept: Mapping[str, Any]) -> list[str]:
    """A sentence for each; one that has no words of its own as it was kept."""
    return [
        WORDS.get((name, value), WORDS.get((name, None), f"{name}: {{}}.")).format(value)
        for name, value in kept.items()
    ]
