"""What a mail about an order says of it: the decision card in words, links, and what people wrote, quoted."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.conf import settings
from django.urls import reverse

from numbersadmin.formats import country_name, money_text, phone_intl, when
from numbersadmin.orders.brief import Brief, briefs
from numbersadmin.orders.ledger import Ledger, cancel_ledgers, purchase_ledgers
from numbersadmin.orders.models import Kind, Order, OrderItem, State
from numbersadmin.orders.quotes import Quote
from numbersadmin.orders.selectors import OVER, current_quote, shown_quote

MOST_NUMBERS = 10  # of an order are named in a mail
SENT = (State.EXECUTING, State.DONE, State.UNKNOWN)


def link(order: Order, name: str = "order", *more: int) -> str:
    """The address of the order's page, or of one below it."""
    return f"{settings.PUBLIC_URL}{reverse(name, args=[order.pk, *more])}"


def quoted(text: str) -> Iterator[str]:
    """What a person wrote, so that nobody takes it for our own words."""
    for line in text.strip().splitlines():
        yield f"> {line}".rstrip()


def what(order: Order, items: Sequence[OrderItem]) -> str:
    """`buy +7 902 955 55 51`, `cancel 3 numbers`."""
    verb = "buy" if order.kind == Kind.PURCHASE else "cancel"
    return f"{verb} {phone_intl(items[0].number) if len(items) == 1 else f'{len(items)} numbers'}"


def first_of(lines: Sequence[str], most: int = MOST_NUMBERS) -> Iterator[str]:
    """The first lines of a list that can be hundreds long; the page has all of them."""
    yield from lines[:most]
    if len(lines) > most:
        yield f"  and {len(lines) - most} more"


# The decision card in words --------------------------------------------------------------------------------------


def card(order: Order, items: Sequence[OrderItem], now: datetime) -> Iterator[str]:
    """What the order is about: why, who asks, what it costs, who decides, and where it is."""
    counted = [item for item in items if item.state not in OVER] or items
    quotes = [_quote(item) for item in counted]
    buying = order.kind == Kind.PURCHASE
    yield from ("", f"Order {order.pk}: {what(order, items)}", link(order), "", "Why")
    yield from quoted(order.reason)
    yield from ("", f"Asked by: {order.requester.display_name}, {when(order.created_at, 'full')}")
    yield f"Owner: {order.owner.display_name if order.owner else 'nobody'}"
    yield f"Cost centre: {order.cost_centre or 'none'}"
    if order.rule_words:
        yield f"Who decides: {order.rule_words}"
    yield from ("", "Numbers")
    yield from first_of([f"  {phone_intl(item.number)}, {country_name(item.country)}" for item in items])
    decided = all(item.state != State.PENDING for item in items)
    for ledger in (
        purchase_ledgers(quotes, now, decided=decided)
        if buying
        else cancel_ledgers(quotes, now, timing=order.timing)
    ):
        yield from _ledger(ledger, saving=not buying)
    if not decided:
        yield from _beside(briefs([(order, items)], now)[order.pk])
    if buying:
        read = min(quote.read_at for quote in quotes)
        yield from ("", f"Prices as read at {settings.PROVIDER_NAME} on {when(read, 'full')}.")


def _beside(brief: Brief) -> Iterator[str]:
    """The budget before and after, and owned numbers that nobody uses."""
    for line in brief.budgets:
        left = f"{money_text(line.left_before, line.currency)} left before, "
        left += f"{money_text(line.left_after, line.currency)} after"
        budget = money_text(line.budget, line.currency)
        yield from (
            "",
            f"Budget of {line.cost_centre or 'orders without a cost centre'}: {budget} a month, {left}.",
        )
    if brief.spares:
        named = ", ".join(phone_intl(spare.number) for spare in brief.spares_named)
        yield from ("", f"Owned already and used by nobody: {len(brief.spares)} like it, as {named}.")


def _ledger(ledger: Ledger, *, saving: bool) -> Iterator[str]:
    title = "What it saves" if saving else "What it costs"
    yield from ("", f"{title} in {ledger.currency}" if ledger.currency else f"{title} is unknown")
    for line in ledger.lines:
        yield (
            f"  {line.label}: {money_text(line.amount, line.currency)}{f' ({line.note})' if line.note else ''}"
        )
    once = ", and set-up" if ledger.setup else ""
    yield f"  Over 12 months: {money_text(ledger.year, ledger.currency)}{once}"


def _quote(item: OrderItem) -> Quote:
    """What it was sent at, else the offer that counts now."""
    if item.state in SENT and item.executed_quote:
        return Quote.from_json(item.executed_quote)
    return shown_quote(item) if item.state == State.PENDING else current_quote(item)
