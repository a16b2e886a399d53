"""Months that finance has closed, as the tests have them."""

from datetime import datetime
from typing import Any

from numbersadmin.costs import closing, selectors
from numbersadmin.costs.models import MonthClose
from numbersadmin.costs.months import Month


def freeze(month: str, by: Any, now: datetime) -> MonthClose:
    """Look at the month as the page shows it, and close it."""
    wanted = Month.parse(month)
    seen = closing.review(selectors.records(now), wanted, now)
    assert seen.ready, [item.text for item in seen.items]
    return closing.close(month=wanted, shown=seen.figures.facts, actor=by, now=now)
