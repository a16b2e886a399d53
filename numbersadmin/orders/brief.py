"""The decision card in brief: who asks for what and why, what it costs, its budget, spare numbers, its rule.

One block for every place where an order is decided on: its page, the review of several, the list, and mails.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from numbersadmin.accounts.models import User
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders.budgets import BudgetBook, BudgetLine
from numbersadmin.orders.ledger import Ledger, Line, cancel_ledgers, purchase_ledgers
from numbersadmin.orders.models import Kind, Order, OrderItem, State
from numbersadmin.orders.quotes import Quote
from numbersadmin.orders.selectors import OVER, shown_quote

MOST_SPARES = 500  # looked through for a page; a company with more unassigned numbers has found its problem
SPARES_NAMED = 3


@dataclass(frozen=True, slots=True)
class Spare:
    """An owned number that nobody uses: nobody owns it."""

    pk: int
    number: str
    country: str
    type: str
    capabilities: frozenset[str]
    shared: bool

    def fits(self, quote: Quote) -> bool:
        """Could it be used instead of buying this one?"""
        same = (self.country, self.type, self.shared) == (quote.country, quote.type, quote.shared)
        return same and self.capabilities >= set(quote.capabilities)


@dataclass(frozen=True, slots=True)
class Brief:
    """What an approver needs to know of an order. Amounts are those of what is still wanted of it."""

    order: Order
    requester: User
    numbers: int
    ledgers: list[Ledger]
    budgets: list[BudgetLine]
    spares: list[Spare]

    @property
    def spares_named(self) -> list[Spare]:
        """Some of the spare numbers, to look at."""
        return self.spares[:SPARES_NAMED]

    @property
    def budget_ledgers(self) -> list[Ledger]:
        """Budget, what is committed of it, this order, and what is left, a ledger a currency."""
        return [_budget_ledger(line) for line in self.budgets]

    @property
    def over(self) -> list[BudgetLine]:
        """The budgets that it breaks."""
        return [line for line in self.budgets if line.over]


def _budget_ledger(line: BudgetLine) -> Ledger:
    unknown = f"and {line.unknown} without a known price" if line.unknown else ""
    return Ledger(
        currency=line.currency,
        lines=[
            Line("Budget", line.budget, line.currency),
            Line("Committed", line.committed, line.currency, note=unknown),
            Line("Left before", line.left_before, line.currency),
            Line("This order", line.asked, line.currency),
            Line("Left after", line.left_after, line.currency, total=True, tone="bad" if line.over else ""),
        ],
        year=None,
        setup=None,
    )


def briefs(
    orders: Sequence[tuple[Order, Sequence[OrderItem]]], now: datetime, quotes: dict[int, Quote] | None = None
) -> dict[int, Brief]:
    """Briefs by order, in a fixed number of queries. `quotes`: fresher offers by item than what is stored."""
    wanted = {order.pk: _wanted(items) for order, items in orders}
    offers = {
        pk: [(quotes or {}).get(item.pk) or shown_quote(item) for item in items]
        for pk, items in wanted.items()
    }
    buying = [order for order, _ in orders if order.kind == Kind.PURCHASE]
    book = BudgetBook([order.cost_centre for order in buying], now)
    spares = spare_numbers(quote for order in buying for quote in offers[order.pk])
    return {
        order.pk: _brief(order, wanted[order.pk], offers[order.pk], book, spares, now) for order, _ in orders
    }


def _wanted(items: Sequence[OrderItem]) -> Sequence[OrderItem]:
    pending = [item for item in items if item.state == State.PENDING]
    return pending or [item for item in items if item.state not in OVER] or items


def _brief(
    order: Order,
    items: Sequence[OrderItem],
    quotes: list[Quote],
    book: BudgetBook,
    spares: Sequence[Spare],
    now: datetime,
) -> Brief:
    buying = order.kind == Kind.PURCHASE
    waits = any(item.state == State.PENDING for item in items)
    return Brief(
        order=order,
        requester=order.requester,
        numbers=len(items),
        ledgers=purchase_ledgers(quotes, now) if buying else cancel_ledgers(quotes, now, timing=order.timing),
        budgets=book.lines(order.cost_centre, quotes, order.pk) if buying and waits else [],
        spares=[one for one in spares if any(one.fits(quote) for quote in quotes)] if buying else [],
    )


def spare_numbers(quotes: Iterable[Quote]) -> list[Spare]:
    """Owned numbers without an owner, in the countries and of the types of these offers."""
    quotes = list(quotes)
    found = OwnedNumber.objects.open().filter(
        owner=None,
        country__in={quote.country for quote in quotes},
        type__in={quote.type for quote in quotes},
    )
    return [
        Spare(row.pk, row.number, row.country, row.type, frozenset(row.capability_list), row.shared)
        for row in (found.order_by("acquired_to", "id")[:MOST_SPARES] if quotes else ())
    ]
