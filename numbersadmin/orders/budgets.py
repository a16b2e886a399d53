"""Budgets of cost centres: what is committed of them already, and what an order leaves.

Committed is what a full month costs: numbers owned now, and what is approved or waits ahead of the order.
Set-up fees and first months are not part of it. A cancellation frees money when it is done, not before.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q, Sum

from numbersadmin.money import ZERO, Totals
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders.models import Kind, Order, OrderItem, State
from numbersadmin.orders.quotes import Quote
from numbersadmin.orders.selectors import current_quote
from numbersadmin.policies.selectors import budgets_of

GOING_ON = (State.APPROVED, State.EXECUTING, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """The budget of one cost centre in one currency, per month; `budget` is None where nobody set one.

    `unknown` numbers of the cost centre have no known price, so that what is left may be less.
    """

    cost_centre: str
    currency: str
    budget: Decimal | None
    committed: Decimal
    asked: Decimal
    unknown: int = 0

    @property
    def after(self) -> Decimal:
        """Committed with this order."""
        return self.committed + self.asked

    @property
    def left_before(self) -> Decimal | None:
        """What is left without the order; negative when it is overdrawn."""
        return None if self.budget is None else self.budget - self.committed

    @property
    def left_after(self) -> Decimal | None:
        """What is left with it."""
        return None if self.budget is None else self.budget - self.after

    @property
    def over(self) -> bool:
        """Does the order go over the budget?"""
        return self.left_after is not None and self.left_after < 0


def budget_lines(
    *, cost_centre: str, quotes: Iterable[Quote], now: datetime, order: Order | None = None
) -> list[BudgetLine]:
    """A line a currency of what is asked for; `order` is the one asked about, once it exists."""
    asked = Totals.of((quote.currency, quote.price_per_month) for quote in quotes if quote.currency)
    currencies = sorted(asked)
    here = now.astimezone(ZoneInfo(settings.BILLING_TIME_ZONE))
    budgets = budgets_of(cost_centre, currencies, here.date().replace(day=1))
    if not budgets:
        return [BudgetLine(cost_centre, code, None, ZERO, asked[code]) for code in currencies]
    owned = _owned(cost_centre)
    ordered = _ordered(cost_centre, order)
    unknown = OwnedNumber.objects.open().filter(cost_centre=cost_centre, price_per_month=None).count()
    return [
        BudgetLine(
            cost_centre=cost_centre,
            currency=code,
            budget=budgets.get(code),
            committed=owned.get(code, ZERO) + ordered.get(code, ZERO),
            asked=asked[code],
            unknown=unknown,
        )
        for code in currencies
    ]


def over_budget(lines: Sequence[BudgetLine]) -> list[BudgetLine]:
    """The lines that the order breaks."""
    return [line for line in lines if line.over]


def _owned(cost_centre: str) -> dict[str, Decimal]:
    rows = OwnedNumber.objects.open().filter(cost_centre=cost_centre).order_by()
    sums = rows.values("currency").annotate(sum=Sum("price_per_month"))
    return {row["currency"]: row["sum"] or ZERO for row in sums if row["currency"]}


def _ordered(cost_centre: str, order: Order | None) -> dict[str, Decimal]:
    """What other orders commit: everything approved, and what waited before this one."""
    items = OrderItem.objects.filter(kind=Kind.PURCHASE, order__cost_centre=cost_centre)
    ahead = Q(state=State.PENDING) & (Q(order__lt=order.pk) if order and order.pk else Q())
    items = items.filter(Q(state__in=GOING_ON) | ahead)
    if order and order.pk:
        items = items.exclude(order=order.pk)
    quotes = [current_quote(item) for item in items]
    return dict(Totals.of((quote.currency, quote.price_per_month) for quote in quotes if quote.currency))
