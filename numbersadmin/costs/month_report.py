"""The report of a month for paper and for the close pack: totals, groups, how we know, corrections, assumptions."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from numbersadmin.costs import rates, rules
from numbersadmin.costs.ledger import Records, State, statement
from numbersadmin.costs.lines import Line, line_of, value_words
from numbersadmin.costs.models import MonthClose, MonthNote
from numbersadmin.costs.months import Month
from numbersadmin.costs.report import Sum, basis_words
from numbersadmin.costs.selectors import notes_between
from numbersadmin.costs.summary import Summary, summarise
from numbersadmin.money import ZERO, Totals, rounded_lines

SPLITS = {"country": "Country", "cost_centre": "Cost centre", "owner": "Owner"}
GROUPS_NAMED = 40
ASSUMPTIONS = (
    "The first month is charged as Infobip said it, else by the share of days.",
    "These are list prices: the invoice is the final word.",
)


@dataclass(frozen=True, slots=True)
class Row:
    """A group in one currency; the amounts of a currency add up to its shown total. None: no amount is known."""

    words: str
    currency: str
    part: Sum
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class Split:
    """The month by one thing."""

    heading: str
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class InOne:
    """The totals in one currency, or why there is no such figure."""

    currency: str
    amount: Decimal | None
    missing: list[str]
    rates: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class MonthReport:
    """Everything on the report. `close` is None while the month was never closed."""

    month: Month
    records: Records
    close: MonthClose | None
    closed: bool
    summary: Summary
    splits: list[Split]
    bases: list[tuple[str, str]]
    corrections: list[Line]
    notes: list[MonthNote]
    assumptions: Sequence[str]
    in_one: InOne | None
    currencies_to: list[str]

    @property
    def totals(self) -> Totals:
        """Currency -> exact total."""
        return self.summary.totals

    @property
    def parts(self) -> list[tuple[str, Sum]]:
        """Each known currency with its sums."""
        return [(currency, part) for currency, part in self.summary.parts.items() if currency]

    @property
    def more_corrections(self) -> int:
        """How many corrections are not listed one by one."""
        return self.summary.corrected - len(self.corrections)


def month_report(known: Records, month: Month, *, to: str = "") -> MonthReport:
    """The report of a month on record; `to` is the currency to look at it in, if there is a rate to it."""
    found = summarise(statement(known, month), tuple(SPLITS))
    choices = rates.currencies_to(known, month)
    close = known.closes.get(month)
    kept = (close and close.assumptions) or rules.assumptions()
    return MonthReport(
        month=month,
        records=known,
        close=close,
        closed=known.state(month) is State.CLOSED,
        summary=found,
        splits=[Split(heading, _rows(found, by)) for by, heading in SPLITS.items()],
        bases=[
            (currency, ", ".join(basis_words(shares))) for currency, shares in sorted(found.bases.items())
        ],
        corrections=[line_of(entry, known.calendar) for entry in found.corrections],
        notes=notes_between(month, month),
        assumptions=[*rules.in_words(kept), *ASSUMPTIONS],
        in_one=_in_one(known, month, found.totals, to) if to in choices else None,
        currencies_to=choices,
    )


def _rows(found: Summary, by: str) -> list[Row]:
    rows: list[Row] = []
    for currency in found.parts:
        groups = found.of(by, currency)
        named, rest = groups[:GROUPS_NAMED], groups[GROUPS_NAMED:]
        parts = [(value_words(by, value), part) for value, part in named]
        if rest:
            parts.append((f"{len(rest)} more", sum((part for _, part in rest), Sum())))
        amounts = rounded_lines([part.amount for _, part in parts], currency)
        rows += [
            Row(words, currency, part, amount if currency and part.known is not None else None)
            for (words, part), amount in zip(parts, amounts, strict=True)
        ]
    return rows


def _in_one(known: Records, month: Month, totals: Totals, to: str) -> InOne:
    found = rates.converted(known, month, totals, to)
    used = [rate for rate in rates.rates_of(known, month) if rate["to"] == to and rate["from"] in totals]
    if isinstance(found, list):
        return InOne(to, None, found, used)
    return InOne(to, found if totals else ZERO, [], used)
