"""Counts large accounts ahead: sums of months kept in the database, each labelled with the moment it was counted."""

from datetime import datetime

from numbersadmin.costs import figures as figures_now
from numbersadmin.costs.ledger import Records
from numbersadmin.costs.months import Month
from numbersadmin.costs.report import Figures


def figures(
    known: Records, first: Month, last: Month, *, by: str, shown: Month, now: datetime
) -> tuple[Figures, datetime]:
    """Figures of these months split by one thing, and when they were counted."""
    return figures_now.live(known, first, last, [by], shown), now
