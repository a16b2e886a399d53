"""Exchange rates that finance keeps by month, and a month's totals in one currency; there are no live rates.

A sum crosses currencies only here, and only when every rate is known; a closed month has those of its close.
"""

from datetime import datetime
from decimal import Decimal, localcontext
from typing import Any

from django.db import transaction

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import record
from numbersadmin.costs.ledger import Records, State, take_turn
from numbersadmin.costs.models import Action, ExchangeRate
from numbersadmin.costs.months import Month
from numbersadmin.costs.posting import last_close
from numbersadmin.export import plain
from numbersadmin.money import ZERO, Totals, rounded


class CannotSetRate(Exception):
    """The rate was not set; the message says why and what to do."""


def set_rate(
    *,
    month: Month,
    from_currency: str,
    to_currency: str,
    rate: Decimal,
    source_note: str,
    actor: User,
    now: datetime,
) -> ExchangeRate:
    """Enter or change what one unit of `from_currency` was worth in `to_currency`; the same again changes nothing.

    Raises CannotSetRate for a closed month, one currency with itself, a rate of 0 or less, or without a source.
    """
    _check(from_currency, to_currency, rate, source_note)
    facts = {"rate": plain(rate), "source_note": source_note.strip()}
    key = {"month": str(month), "from_currency": from_currency, "to_currency": to_currency}
    with transaction.atomic():
        take_turn(month)
        if (close := last_close(month)) and close.action == Action.CLOSE:
            raise CannotSetRate(
                f"{month.label} is closed with the rates it had. Reopen it first, then set the rate."
            )
        found = ExchangeRate.objects.filter(**key).first()
        before = found and {name: getattr(found, name) for name in facts}
        if found and before == facts:
            return found
        saved = found or ExchangeRate(**key)
        saved.rate, saved.source_note, saved.at, saved.by = facts["rate"], facts["source_note"], now, actor
        saved.save()
        record(actor=actor, verb="rate.set", subject=saved, before=before, after=facts, at=now)
    return saved


def _check(from_currency: str, to_currency: str, rate: Decimal, source_note: str) -> None:
    if from_currency == to_currency:
        raise CannotSetRate("A currency needs no rate to itself. Choose two different ones.")
    if not rate.is_finite() or rate <= 0:
        raise CannotSetRate("A rate is above 0.")
    if not source_note.strip():
        raise CannotSetRate("Say where the rate is from.")


def entered() -> list[ExchangeRate]:
    """Every rate that was entered, the latest month first."""
    rows = ExchangeRate.objects.select_related("by")
    return list(rows.order_by("-month", "to_currency", "from_currency"))


def for_close(month: Month) -> list[dict[str, Any]]:
    """The rates of a month as its close keeps them (MonthClose.rates)."""
    rows = ExchangeRate.objects.filter(month=str(month)).select_related("by")
    return [
        {
            "from": row.from_currency,
            "to": row.to_currency,
            "rate": row.rate,
            "source": row.source_note,
            "by": row.by.username,
            "at": row.at.isoformat(),
        }
        for row in rows.order_by("to_currency", "from_currency")
    ]


def rates_of(known: Records, month: Month) -> list[dict[str, Any]]:
    """The rates that count for a month: of a closed one those of its close, else those entered now."""
    closed = known.state(month) is State.CLOSED
    return known.closes[month].rates if closed else for_close(month)


def currencies_to(known: Records, month: Month) -> list[str]:
    """The currencies that a month can be looked at in, as there is a rate to them."""
    return sorted({rate["to"] for rate in rates_of(known, month)})


def converted(known: Records, month: Month, totals: Totals, to: str) -> Decimal | list[str]:
    """A month's totals in one currency: each exact total times its rate, added up and rounded once.

    Without every rate there is no sum: then what is missing, as `no rate SEK to EUR for October 2026`.
    """
    rates = {rate["from"]: Decimal(rate["rate"]) for rate in rates_of(known, month) if rate["to"] == to}
    rates[to] = Decimal(1)
    missing = [currency for currency in totals if currency not in rates]
    if missing:
        return [f"no rate {currency} to {to} for {month.label}" for currency in missing]
    with localcontext(prec=60):  # so that no product is rounded before the end
        return rounded(sum((amount * rates[currency] for currency, amount in totals.items()), ZERO), to)
