"""Budgets of cost centres: what is committed of them already, and what an order leaves.

Committed is what a full month costs: numbers owned now, and what is approved or waits ahead of the order.
Set-up fees and first months are not part of it. A cancellation frees money when it is done, not before.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Count, Q, Sum

from numbersadmin.money import ZERO, Totals
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders.models import Kind, Order, OrderItem, State
from numbersadmin.orders.quotes import Quote
from numbersadmin.orders.selectors import current_quote
from numbersadmin.policies.selectors import budgets_in

GOING_ON = (State.APPROVED, State.EXECUTING, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """The budget of one cost centre in one currency, per month.

    `unknown` numbers of the cost centre have no known price, so that what is left may be less.
    """

    cost_centre: str
    currency: str
    budget: Decimal
    committed: Decimal
    asked: Decimal
    unknown: int = 0

    @property
    def left_before(self) -> Decimal:
        """What is left without the order; negative when it is overdrawn."""
        return self.budget - self.committed

    @property
    def left_after(self) -> Decimal:
        """What is left with it."""
        return self.left_before - self.asked

    @property
    def over(self) -> bool:
        """Does the order go over the budget?"""
        return self.left_after < 0


class BudgetBook:
    """The budgets of some cost centres and what is committed of them, read in a fixed number of queries."""

    def __init__(self, cost_centres: Iterable[str], now: datetime) -> None:
        here = now.astimezone(ZoneInfo(settings.BILLING_TIME_ZONE))
        self.budgets = budgets_in(set(cost_centres), here.date().replace(day=1))
        self.owned: dict[tuple[str, str], Decimal] = {}
        self.unknown: dict[str, int] = {}
        self.ordered: list[tuple[str, int, bool, Quote]] = []
        if self.budgets:
            self._read({centre for centre, _ in self.budgets})

    def _read(self, centres: set[str]) -> None:
        owned = OwnedNumber.objects.open().filter(cost_centre__in=centres).order_by()
        sums = owned.values("cost_centre", "currency").annotate(
            sum=Sum("price_per_month"), unknown=Count("pk", filter=Q(price_per_month=None))
        )
        for row in sums:
            centre = row["cost_centre"]
            self.owned[centre, row["currency"]] = row["sum"] or ZERO
            self.unknown[centre] = self.unknown.get(centre, 0) + row["unknown"]
        items = OrderItem.objects.filter(kind=Kind.PURCHASE, order__cost_centre__in=centres)
        for item in items.filter(state__in=(State.PENDING, *GOING_ON)).select_related("order"):
            waits = item.state == State.PENDING
            self.ordered.append((item.order.cost_centre, item.order_id, waits, current_quote(item)))

    def lines(
        self, cost_centre: str, quotes: Iterable[Quote], order_id: int | None = None
    ) -> list[BudgetLine]:
        """A line for each currency of an order that has a budget; `order_id` once the order exists."""
        quotes = list(quotes)
        asked = Totals.of((quote.currency, quote.price_per_month) for quote in quotes if quote.currency)
        refs = {quote.ref for quote in quotes}
        return [
            BudgetLine(
                cost_centre=cost_centre,
                currency=code,
                budget=self.budgets[cost_centre, code],
                committed=self._committed(cost_centre, code, order_id, refs),
                asked=asked[code],
                unknown=self.unknown.get(cost_centre, 0),
            )
            for code in sorted(asked)
            if (cost_centre, code) in self.budgets
        ]

    def _committed(self, cost_centre: str, currency: str, order_id: int | None, asked: set[str]) -> Decimal:
        """Owned, approved by anybody, also of this order, and what waited before it; but not what is asked."""
        ordered = (
            quote.price_per_month or ZERO
            for centre, order, waits, quote in self.ordered
            if (centre, quote.currency) == (cost_centre, currency)
            and quote.ref not in asked
            and (not waits or order_id is None or order < order_id)
        )
        return self.owned.get((cost_centre, currency), ZERO) + sum(ordered, ZERO)


def lines_of(order: Order, quotes: Iterable[Quote], now: datetime) -> list[BudgetLine]:
    """What an order, saved or not, does to the budgets of its cost centre; none for a cancellation."""
    if order.kind != Kind.PURCHASE:
        return []
    return BudgetBook([order.cost_centre], now).lines(order.cost_centre, quotes, order.pk)
