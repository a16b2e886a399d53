"""What the next month will cost: if nothing changes, with what is approved, and with what waits for approval.

It assumes what the rules say (charges.py) and no more: every order is carried out before the month ends, so that a
purchase costs a full month then and a cancelled number nothing. Set-up fees fall into the month of the purchase.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from numbersadmin.audit.models import AuditEvent, KindOf
from numbersadmin.costs.charges import charges
from numbersadmin.costs.ledger import Records
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import held_among
from numbersadmin.costs.report import Figures
from numbersadmin.money import ZERO, Totals
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders.models import LIVE, Kind, OrderItem, State
from numbersadmin.orders.selectors import current_quote

STALE = timedelta(hours=24)
COMMITTING = timedelta(minutes=1)  # what is done is on record by then


@dataclass(slots=True)
class Orders:
    """Live orders of one kind and one state of approval: per currency how many numbers, and what they come to.

    `unpriced` numbers have no known price and are in no currency.
    """

    numbers: Counter[str] = field(default_factory=Counter)
    unpriced: int = 0
    amounts: Totals = field(default_factory=Totals)

    def add(self, prices: Iterable[tuple[str, Decimal | None]]) -> None:
        """Count one number, with what it costs in the month."""
        known = [(currency, amount) for currency, amount in prices if currency and amount is not None]
        self.numbers.update({currency for currency, _ in known})
        self.unpriced += not known
        self.amounts += Totals.of(known)


@dataclass(frozen=True, slots=True)
class Forecast:
    """The month ahead. `committed` is currency -> cost of what is ours now; `listed` the last complete list.

    `unknown` are currencies in which no price of what is ours is known.
    `since`: so many numbers were bought or cancelled since that was counted, or just before, and may not be in it.
    """

    month: Month
    committed: Totals
    unknown: frozenset[str]
    approved: dict[Kind, Orders]
    pending: dict[Kind, Orders]
    by_day: date
    listed: datetime | None
    stale: bool
    since: int

    @property
    def with_approved(self) -> Totals:
        """Per currency, once all that is approved is carried out."""
        return self.committed + _change(self.approved)

    @property
    def with_pending(self) -> Totals:
        """Per currency, should all that waits be approved as well."""
        return self.with_approved + _change(self.pending)

    def waiting(self, currency: str) -> int:
        """How many numbers wait for approval, to be bought or cancelled."""
        return sum(orders.numbers[currency] for orders in self.pending.values())

    @property
    def unpriced(self) -> int:
        """How many numbers to buy have no known price."""
        return self.approved[Kind.PURCHASE].unpriced + self.pending[Kind.PURCHASE].unpriced

    @property
    def saves(self) -> Totals:
        """Per currency, what cancelling by the last day of this month saves, approved or not yet."""
        return self.approved[Kind.CANCEL].amounts + self.pending[Kind.CANCEL].amounts


def _change(orders: dict[Kind, Orders]) -> Totals:
    return orders[Kind.PURCHASE].amounts - orders[Kind.CANCEL].amounts


def forecast(known: Records, found: Figures, counted: datetime, now: datetime) -> Forecast:
    """The month after the current one; `found` has what it costs if nothing changes (counting.py)."""
    month = known.current.next
    ours = found.amounts(month), found.unknown(month)
    approved, pending = ({kind: Orders() for kind in Kind} for _ in range(2))
    items = OrderItem.objects.filter(state__in=LIVE).order_by("id")
    for item in items.filter(kind=Kind.PURCHASE):
        quote = current_quote(item)
        of = pending if item.state == State.PENDING else approved
        of[Kind.PURCHASE].add([(quote.currency, quote.price_per_month)])
    in_time = items.filter(kind=Kind.CANCEL).exclude(execute_after__gte=known.calendar.start(month))
    states: dict[int | None, str] = dict(in_time.values_list("owned_number_id", "state"))
    owned = OwnedNumber.objects.filter(id__in=in_time.order_by().values("owned_number_id"))
    for held in held_among(owned, known.listed):
        of = pending if states[held.subject.id] == State.PENDING else approved
        lines = charges(held.possession, month, month, known.calendar)
        of[Kind.CANCEL].add((line.currency, line.amount) for line in lines)
    stale = known.listed is None or now - known.listed > STALE
    by_day, since = known.current.last_day, _carried_out(counted) if counted < now else 0
    return Forecast(month, *ours, approved, pending, by_day, known.listed, stale, since)


def _carried_out(counted: datetime) -> int:
    """How many numbers were bought or cancelled since: no longer under way, and perhaps not counted yet."""
    items = AuditEvent.objects.alias(kind=KindOf("verb")).filter(kind="item", at__gte=counted - COMMITTING)
    return items.filter(verb__in=("item.bought", "item.cancelled")).count()


@dataclass(frozen=True, slots=True)
class Step:
    """One of the three figures in one currency, None where it is unknown, and how many numbers lead to it."""

    words: str
    amount: Decimal | None
    bought: int = 0
    cancelled: int = 0


def steps(found: Forecast, currency: str) -> list[Step]:
    """The three figures in one currency, as a table has them."""
    orders = (found.approved, found.pending)
    counts = [(of[Kind.PURCHASE].numbers[currency], of[Kind.CANCEL].numbers[currency]) for of in orders]
    nothing = None if currency in found.unknown else ZERO
    return [
        Step("What is ours now", found.committed.get(currency, nothing)),
        Step("With what is approved", found.with_approved.get(currency, nothing), *counts[0]),
        Step("With what waits for approval", found.with_pending.get(currency, nothing), *counts[1]),
    ]
