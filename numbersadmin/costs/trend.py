"""Costs over the last months: a row and a bar for each, with what people have noted about them."""

from dataclasses import dataclass
from decimal import Decimal

from numbersadmin.costs.chart import Chart, Column, Look, chart
from numbersadmin.costs.ledger import Records, State
from numbersadmin.costs.models import MonthNote
from numbersadmin.costs.months import Month
from numbersadmin.costs.report import Figures
from numbersadmin.money import ZERO, rounded

SPANS = (12, 24, 36)


@dataclass(frozen=True, slots=True)
class TrendRow:
    """A month as text has it; amount None before records began, or unknown. `look` is that of its bar."""

    month: Month
    amount: Decimal | None
    change: Decimal | None
    state: State
    look: Look


@dataclass(frozen=True, slots=True)
class Trend:
    """The months up to one, oldest first; where that is the current one the forecast of the next comes last."""

    span: int
    rows: list[TrendRow]
    notes: list[MonthNote]
    chart: Chart

    @property
    def forecast(self) -> bool:
        """Is the last row a forecast?"""
        return self.rows[-1].look is Look.DASHED


def span_of(sent: str) -> int:
    """How many months are asked for; the usual number for anything that is not offered."""
    return next((span for span in SPANS if sent == str(span)), SPANS[0])


def trend(
    found: Figures, known: Records, month: Month, currency: str, span: int, notes: list[MonthNote], wide: bool
) -> Trend:
    """The last `span` months up to this one, and after the current one the next."""
    rows: list[TrendRow] = []
    ahead = month == known.current
    for later in range(1 - span, 1 + ahead):
        one = month.plus(later)
        total = found.totals(one).get(currency)
        amount = (total.known if total else ZERO) if known.on_record(one) or later > 0 else None
        before = rows[-1].amount if rows else None
        change = (
            None
            if amount is None or before is None
            else rounded(amount, currency) - rounded(before, currency)
        )
        rows.append(TrendRow(one, amount, change, known.state(one), _look(known, one)))
    noted = {note.month for note in notes}
    columns = [Column(row.month, row.amount, row.look, str(row.month) in noted) for row in rows]
    return Trend(span, rows, notes, chart(columns, wide=wide))


def _look(known: Records, month: Month) -> Look:
    """Closed months are pale and open ones strong, the next one is dashed."""
    if month > known.current:
        return Look.DASHED
    return Look.PALE if known.state(month) is State.CLOSED else Look.STRONG
