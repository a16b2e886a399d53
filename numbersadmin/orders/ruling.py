"""Which rule decides on an order, and how many people it takes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Max

from numbersadmin.accounts.models import User
from numbersadmin.formats import money_text
from numbersadmin.money import ZERO
from numbersadmin.orders.budgets import BudgetLine, lines_of
from numbersadmin.orders.models import Mode, Order, OrderItem
from numbersadmin.orders.quotes import Quote
from numbersadmin.policies.selectors import Ask, ruling

AUTO_WINDOW = timedelta(hours=24)
NEEDED = {Mode.AUTO: 0, Mode.ONE: 1, Mode.TWO: 2}
PROTECTED = "The number is protected, so two approvers decide."


def apply_rule(order: Order, quotes: Sequence[Quote], *, protected: bool = False, now: datetime) -> None:
    """Set on an unsaved order who decides on it, and why, in words; saved by the caller in one transaction.

    Two orders at once that count as the same next one without approver break the constraint
    `order_auto_in_turn`: the caller tries again, and then counts the other one too. The turn is read before
    what was spent: read after it, an order committed in between would be counted in neither.
    """
    asks = [
        Ask(
            kind=order.kind,
            country=quote.country,
            currency=quote.currency,
            per_month=quote.price_per_month,
            setup=quote.setup_price,
        )
        for quote in quotes
    ]
    serial = _next_serial(order.requester)
    found = ruling(kind=order.kind, asks=asks, auto_spent=auto_spent(order.requester, order.kind, now))
    order.mode, order.rule, order.rule_words = Mode(found.mode), found.policy_id, found.words
    if protected:
        order.mode, order.rule, order.rule_words = Mode.TWO, None, PROTECTED
    order.approvals_needed = NEEDED[Mode(order.mode)]
    order.auto_serial = serial if order.mode == Mode.AUTO else None
    over = is_over_budget(order, quotes, now)
    order.finance_needed = bool(over)
    if over:
        order.rule_words = f"{order.rule_words} {over_words(over)}"


def is_over_budget(order: Order, quotes: Sequence[Quote], now: datetime) -> list[BudgetLine]:
    """The budgets that an order breaks as things are now."""
    return [line for line in lines_of(order, quotes, now) if line.over]


def over_words(lines: Sequence[BudgetLine]) -> str:
    """`It is 12.00 EUR a month over the budget of 4120 Retail, so finance has to approve too.`"""
    parts = [f"{money_text(-line.left_after, line.currency)} per month" for line in lines]
    where = lines[0].cost_centre or "orders without a cost centre"
    return f"It is {' and '.join(parts)} over the budget of {where}, so finance has to approve too."


def auto_spent(person: User, kind: str, now: datetime) -> dict[str, tuple[Decimal, Decimal]]:
    """What the person had ordered without an approver in the last 24 hours: currency -> (monthly, set-up).

    Counted as asked for, whatever became of it, so that taking it apart or back does not help.
    """
    items = OrderItem.objects.filter(
        order__requester=person,
        order__mode=Mode.AUTO,
        order__created_at__gt=now - AUTO_WINDOW,
        kind=kind,
    )
    spent: dict[str, tuple[Decimal, Decimal]] = {}
    for item in items:
        quote = Quote.from_json(item.quote)
        monthly, setup = spent.get(quote.currency, (ZERO, ZERO))
        spent[quote.currency] = (
            monthly + (quote.price_per_month or ZERO),
            setup + (quote.setup_price or ZERO),
        )
    return spent


def _next_serial(person: User) -> int:
    last = Order.objects.filter(requester=person).aggregate(last=Max("auto_serial"))["last"]
    return (last or 0) + 1
