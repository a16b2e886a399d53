"""Months that finance has closed, as the tests have them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from numbersadmin.costs import closing, selectors, waiving
from numbersadmin.costs.digest import Digest
from numbersadmin.costs.ledger import Entry
from numbersadmin.costs.models import MonthClose
from numbersadmin.numbers.models import OwnedNumber


def digest_of(entries: Iterable[Entry]) -> str:
    """The digest of these lines."""
    digest = Digest()
    digest.add(entries)
    return digest.text


def freeze(month: str, by: Any, now: datetime) -> MonthClose:
    """Look at the month as the page shows it, and close it; those before it first, since months close in order.

    Prices that nobody knows are waived.
    """
    while (earliest := selectors.records(now).to_close) and str(earliest) <= month:
        unknown = {one.line.subject.id for one in waiving.unpriced(selectors.records(now), earliest)}
        for owned in OwnedNumber.objects.filter(pk__in=unknown):
            waiving.waive(month=earliest, owned=owned, reason="Nobody knows it", actor=by, now=now)
        seen = closing.review(selectors.records(now), earliest, now)
        assert seen.ready, [item.text for item in seen.items]
        closed = closing.close(month=earliest, shown=seen.figures.facts, actor=by, now=now)
    return closed
