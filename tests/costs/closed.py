"""A month that was closed, as its rows in the ledger say."""

from dataclasses import fields

from numbersadmin.costs import rates, selectors
from numbersadmin.costs.ledger import statement
from numbersadmin.costs.models import LedgerLine, MonthClose
from numbersadmin.costs.months import Month
from numbersadmin.costs.summary import summarise


def freeze(month: str, by, now) -> MonthClose:
    """Write what the month is computed as, and its close."""
    known, wanted = selectors.records(now), Month.parse(month)
    found = [entry for entry in statement(known, wanted) if entry.id is None]
    totals = summarise(statement(known, wanted)).totals
    for entry in found:
        subject = {one.name: getattr(entry.subject, one.name) for one in fields(entry.subject)}
        subject["owned_number_id"] = subject.pop("id")
        charge = {
            name: getattr(entry.charge, name)
            for name in "kind amount currency basis period_start period_end per_month note".split()
        }
        LedgerLine.objects.create(
            **subject | {"labels": list(entry.subject.labels)},
            **charge,
            month=month,
            revision=1,
            origin="close",
            posted_at=now,
            posted_by=by,
        )
    return MonthClose.objects.create(
        month=month,
        revision=1,
        action="close",
        at=now,
        by=by,
        totals={currency: str(amount) for currency, amount in totals.items()},
        lines=len(found),
        sha256="ab" * 32,
        rates=rates.for_close(wanted),
    )
