"""Which rule decides on an order, and how many people it takes."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import F, Max

from numbersadmin.accounts.models import User
from numbersadmin.formats import money_text
from numbersadmin.money import ZERO
from numbersadmin.orders.budgets import BudgetLine, lines_of
from numbersadmin.orders.models import Mode, Order, OrderItem, Role, State
from numbersadmin.orders.quotes import Quote
from numbersadmin.orders.recording import PENDING_DAYS
from numbersadmin.orders.selectors import OVER, current_quote
from numbersadmin.policies.selectors import Ask, ruling

AUTO_WINDOW = timedelta(hours=24)
NEEDED = {Mode.AUTO: 0, Mode.ONE: 1, Mode.TWO: 2}
PROTECTED = "The number is protected, so two approvers decide."


def apply_rule(order: Order, quotes: Sequence[Quote], *, protected: bool = False, now: datetime) -> None:
    """Set on an unsaved order who decides on it, and why, in words; saved by the caller in one transaction.

    Two orders at once that count as the same next one without approver break the constraint
    `order_auto_in_turn`: the caller tries again, and then counts the other one too. The turn is everybody's,
    since budgets are, and is read before what was spent and committed: read after it, an order that was made in
    between would be counted in neither.
    """
    serial = _next_serial()
    spent = auto_spent(order.requester, order.kind, now)
    found = ruling(kind=order.kind, asks=_asks(order, quotes), auto_spent=spent)
    order.mode, order.rule, order.rule_words = Mode(found.mode), found.policy_id, found.words
    if protected:
        order.mode, order.rule, order.rule_words = Mode.TWO, None, PROTECTED
    order.approvals_needed = NEEDED[Mode(order.mode)]
    order.auto_serial = serial if order.mode == Mode.AUTO else None
    over = is_over_budget(order, quotes, now)
    order.finance_needed = bool(over)
    if over:
        order.rule_words = f"{order.rule_words} {over_words(over)}"


def _asks(order: Order, quotes: Iterable[Quote]) -> list[Ask]:
    return [
        Ask(
            kind=order.kind,
            country=quote.country,
            currency=quote.currency,
            per_month=quote.price_per_month,
            setup=quote.setup_price,
        )
        for quote in quotes
    ]


def next_round(order: Order, now: datetime) -> None:
    """Void the decisions made so far; the order waits for new ones as long as a new order would.

    Its rule had judged another price: at the new one it never needs fewer people, and a person in any case.
    """
    items = list(order.items.exclude(state__in=OVER).order_by("id"))
    found = ruling(kind=order.kind, asks=_asks(order, [current_quote(item) for item in items]))
    asked = [current_quote(item) for item in items if item.state == State.PENDING]
    over = is_over_budget(order, asked, now)
    needed = max(order.approvals_needed, NEEDED[Mode(found.mode)], 1)
    fields: dict[str, Any] = {
        "round": F("round") + 1,
        "expires_at": now + timedelta(days=PENDING_DAYS),
        "approvals_needed": needed,
        "finance_needed": bool(over),
    }
    if needed > order.approvals_needed and needed == NEEDED[Mode(found.mode)]:
        fields["rule_words"] = f"{found.words} {over_words(over)}" if over else found.words
    Order.objects.filter(pk=order.pk).update(**fields)
    order.refresh_from_db(fields=list(fields))


def judge_again(
    order: Order, items: Sequence[OrderItem], quotes: Sequence[Quote], role: str, now: datetime
) -> None:
    """Who is needed as things are now: finance over a budget, two approvers for a number protected meanwhile.

    Finance that was asked stays asked while it answers, so that its own word is never the one too many.
    """
    finance = role == Role.FINANCE or bool(is_over_budget(order, quotes, now))
    fields: dict[str, Any] = {} if finance == order.finance_needed else {"finance_needed": finance}
    protected = any(item.owned_number and item.owned_number.protected_at for item in items)
    if protected and order.approvals_needed < NEEDED[Mode.TWO]:
        fields |= {"approvals_needed": NEEDED[Mode.TWO], "rule_words": PROTECTED}
    if fields:
        Order.objects.filter(pk=order.pk).update(**fields)
        order.refresh_from_db(fields=list(fields))


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


def _next_serial() -> int:
    last = Order.objects.aggregate(last=Max("auto_serial"))["last"]
    return (last or 0) + 1
