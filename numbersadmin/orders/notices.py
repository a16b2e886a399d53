"""Who is told what about orders by mail: a function for each occasion, which returns the mails and sends none.

Each looks at things as they are when it is asked: what is over by then is not told. Whoever did something is not
told of it.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from django.core.mail import EmailMessage

from numbersadmin.accounts.models import User
from numbersadmin.accounts.selectors import holders_of
from numbersadmin.accounts.services import mails
from numbersadmin.formats import look, money_text, phone_intl, when
from numbersadmin.orders.detail import changes, price_lines
from numbersadmin.orders.mailing import card, first_of, link, quoted, what
from numbersadmin.orders.models import (
    LIVE,
    Decision,
    Kind,
    Mode,
    Order,
    OrderItem,
    Outcome,
    Resolution,
    State,
    Verdict,
)
from numbersadmin.orders.quotes import Quote
from numbersadmin.orders.recording import APPROVED_HOURS, PENDING_DAYS
from numbersadmin.orders.similar import wants_similar
from numbersadmin.orders.standing import waiting_persons
from numbersadmin.orders.talking import last_event
from numbersadmin.orders.words import PROVIDER, happened, listed, why_unknown

Mails = list[EmailMessage]
MOST_REASONS = 50  # why so many numbers of an order were not bought stands in a mail


def _items(order: Order) -> list[OrderItem]:
    return list(order.items.order_by("id"))


def _name(order: Order) -> str:
    return order.requester.display_name


# What waits for a decision ---------------------------------------------------------------------------------------


def submitted(order: Order, now: datetime) -> Mails:
    """To everyone who may decide on it."""
    items = _items(order)
    asks = f"{_name(order)} asks to {what(order, items)}"
    return mails(
        waiting_persons(order),
        f"Order {order.pk} waits for you: {asks}",
        lambda _: [f"{asks}. You can approve or reject it.", *card(order, items, now)],
    )


def reminded(order: Order, now: datetime) -> Mails:
    """To everyone who may still decide on it, but for who reminds them."""
    last = last_event(order, "order.reminded")
    if last is None:
        return []
    by = User.objects.get(pk=last.actor_id or 0)
    items = _items(order)
    return mails(
        [person for person in waiting_persons(order) if person != by],
        f"Order {order.pk} still waits for you: {what(order, items)}",
        lambda _: [
            f"{by.display_name} reminds you of this order. It waits since {when(order.created_at, 'full')}.",
            *card(order, items, now),
        ],
    )


def agreed(order: Order, now: datetime) -> Mails:
    """To the requester and to whose decision is still missing: one person has approved, another is needed."""
    items, people = _items(order), waiting_persons(order)
    if all(item.state != State.PENDING for item in items):
        return []
    names = listed([one.approver.display_name for one in _decisions(order, Verdict.APPROVE)])
    still = listed([person.display_name for person in people], "or") or "an approver who does not exist yet"
    return mails(
        [order.requester, *people],
        f"Order {order.pk}: {names} approved, one more decision is needed",
        lambda _: [f"{names} approved it. It still waits for {still}.", *card(order, items, now)],
    )


def price_changed(order: Order, now: datetime) -> Mails:
    """To the requester and to who may decide on the new price."""
    items = _items(order)
    moved = [item for item in items if item.state == State.PENDING and item.changed_quote]
    if not moved:
        return []

    def write(_: User) -> Iterator[str]:
        yield "An offer has changed, so nothing was bought. The new one waits for a decision."
        yield from first_of(["\n".join(("", phone_intl(one.number), *_difference(one))) for one in moved])
        yield from card(order, items, now)

    title = phone_intl(moved[0].number) if len(moved) == 1 else f"{len(moved)} numbers"
    return mails(
        [order.requester, *waiting_persons(order)],
        f"Order {order.pk}: the price of {title} changed, nothing was bought",
        write,
    )


def _difference(item: OrderItem) -> Iterator[str]:
    """What it was, and what the provider offers now. The first month's part falls by itself, and is left out."""
    was, now = Quote.from_json(item.approved_quote or item.quote), Quote.from_json(item.changed_quote or {})
    for line in price_lines(was, now):
        if line.part != "initial_month_price" and (line.was, line.was_currency) != (
            line.now,
            line.now_currency,
        ):
            before = money_text(line.was, line.was_currency)
            yield f"  {line.label}: was {before}, now {money_text(line.now, line.now_currency)}"
    for change in changes(was, now):
        yield f"  {change.name}: was {change.was}, now {change.now}"


# What was decided ------------------------------------------------------------------------------------------------


def approved(order: Order, now: datetime) -> Mails:
    """To the requester: who approved it, and when it is carried out."""
    items = _items(order)
    going = [item for item in items if item.approved_at and item.state not in (State.PENDING, State.REJECTED)]
    left_out = [item for item in items if item.state == State.REJECTED]
    if not going:
        return []
    decisions = _decisions(order, Verdict.APPROVE)
    by = listed([one.approver.display_name for one in decisions]) or "Its rule"

    def write(_: User) -> Iterator[str]:
        auto = order.mode == Mode.AUTO and not decisions
        yield f"{by} approved your order. {order.rule_words if auto else ''}".strip()
        due = max((item.execute_after for item in going if item.execute_after), default=None)
        doing = "It is bought" if order.kind == Kind.PURCHASE else "It is cancelled"
        yield f"{doing} on {when(due, 'full')}." if due and due > now else f"{doing} within a minute."
        for one in decisions:
            yield from quoted(one.comment)
        if left_out:
            yield from ("Left out:", *first_of([f"  {phone_intl(item.number)}" for item in left_out]))
        yield from card(order, going, now)

    return mails([order.requester], f"Order {order.pk} is approved: {what(order, going)}", write)


def rejected(order: Order, now: datetime) -> Mails:
    """To the requester: who rejected it, and why."""
    last = _decisions(order, Verdict.REJECT)[-1:]
    if not last:
        return []
    items, by = _items(order), last[0].approver.display_name
    return mails(
        [order.requester],
        f"Order {order.pk} is rejected: {what(order, items)}",
        lambda _: [f"{by} rejected your order:", *quoted(last[0].comment), *card(order, items, now)],
    )


def _decisions(order: Order, verdict: Verdict) -> list[Decision]:
    """The decisions of the present round, oldest first."""
    found = order.decisions.filter(round=order.round, verdict=verdict)
    return list(found.select_related("approver").order_by("id"))


def expired(item: OrderItem, now: datetime) -> Mails:
    """To the requester, once for an order: at the last of its items to expire."""
    order, items = item.order, _items(item.order)
    over = [one for one in items if one.state == State.EXPIRED]
    if not _is_last(item, over) or any(one.state in (State.PENDING, State.APPROVED) for one in items):
        return []

    def write(_: User) -> Iterator[str]:
        hours = f"approved, and not carried out within {APPROVED_HOURS} hours"
        days = f"nobody decided within {PENDING_DAYS} days"
        yield from first_of(
            [f"{phone_intl(one.number)}: {hours if one.approved_at else days}." for one in over]
        )
        yield "Nothing was sent for what expired. You can order it again."
        yield from card(order, over, now)

    return mails([order.requester], f"Order {order.pk} has expired: {what(order, over)}", write)


# What became of it -----------------------------------------------------------------------------------------------


def finished(item: OrderItem, now: datetime) -> Mails:
    """To the requester, once for an order: at the last of its items, when nothing of it is under way any more."""
    order, items = item.order, _items(item.order)
    carried = [one for one in items if one.state in (State.DONE, State.FAILED)]
    if not carried or not _is_last(item, items) or any(one.state in LIVE for one in items):
        return []
    done = [one for one in items if one.state == State.DONE]
    rest = [one for one in items if one.state != State.DONE]
    did = "bought" if order.kind == Kind.PURCHASE else "cancelled"

    def write(_: User) -> Iterator[str]:
        if done:
            lines = [f"  {phone_intl(one.number)}: {happened(one)}" for one in done]
            yield from (f"Was {did}:", *first_of(lines), "")
        if rest:
            yield from (f"Was not {did}:", *first_of([_not_done(order, one) for one in rest], MOST_REASONS))
        yield from card(order, items, now)

    return mails([order.requester], f"Order {order.pk}: {_sum_up(items, len(done), did)}", write)


def _not_done(order: Order, item: OrderItem) -> str:
    """Why, and where there are others like it."""
    why = f"  {phone_intl(item.number)}: {happened(item) or look(item.state, order.kind).text}"
    if not wants_similar(item):
        return why
    return f"{why}\n    Similar numbers for sale: {link(order, 'order-similar', item.pk)}"


def _sum_up(items: list[OrderItem], done: int, did: str) -> str:
    """`+7 902 955 55 51 was not bought`, `2 of 3 numbers were bought`."""
    if len(items) == 1:
        return f"{phone_intl(items[0].number)} was {did if done else f'not {did}'}"
    return f"{f'all {done}' if done == len(items) else f'{done} of {len(items)}'} numbers were {did}"


def _is_last(item: OrderItem, among: Iterable[OrderItem]) -> bool:
    """Did it change as the last of them? So two that end at once are one mail."""
    last = max(among, key=lambda one: (one.updated_at, one.pk), default=None)
    return last == item


def unknown(item: OrderItem, now: datetime) -> Mails:
    """To the requester and to all who look after it: what was sent and when, and that it is not sent again."""
    sent = item.attempts.filter(outcome=Outcome.UNKNOWN).order_by("-id").first()
    if item.state != State.UNKNOWN or sent is None:
        return []
    order, buying = item.order, item.kind == Kind.PURCHASE
    number, did = phone_intl(item.number), "bought" if buying else "cancelled"
    again = "It is not sent again, because that could buy twice." if buying else "It is not sent again."

    def write(_: User) -> Iterator[str]:
        yield f"We do not know whether {number} was {did}."
        yield f"The {'purchase' if buying else 'cancellation'} was sent on {when(sent.started_at, 'full')}."
        yield f"{why_unknown(sent.error_kind)}, so it may or may not have gone through."
        yield f"{again} {PROVIDER} is asked until it is found, or proved not to have happened."
        yield from card(order, [item], now)

    people = [order.requester, *holders_of("orders.confirm_outcome"), *holders_of("orders.resolve")]
    return mails(people, f"Order {order.pk}: outcome unknown, was {number} {did}?", write)


def paused(order: Order, now: datetime) -> Mails:
    """To approvers and administrators: two outcomes in a row are unknown, the rest waits for one of them."""
    items = _items(order)
    waiting = [item for item in items if item.state == State.APPROVED]
    if not order.paused_at or not waiting:
        return []
    count = f"{len(waiting)} number{'s' * (len(waiting) > 1)}"
    return mails(
        [*holders_of("orders.approve"), *holders_of("orders.resume")],
        f"Order {order.pk} is paused: two outcomes in a row are unknown",
        lambda _: [
            f"Two answers in a row were lost, so {count} of this order wait until somebody lets them go on.",
            "Nothing of what is unknown is sent again.",
            *card(order, items, now),
        ],
    )


def proposed(item: OrderItem, now: datetime) -> Mails:
    """To those who may confirm what somebody found out about an unknown outcome, but never to that person."""
    said = Resolution.objects.filter(item=item, decided_at__isnull=True).select_related("proposed_by").first()
    if said is None or item.state != State.UNKNOWN:
        return []
    by, number = said.proposed_by.display_name, phone_intl(item.number)
    did = f"was {'' if said.done else 'not '}{'bought' if item.kind == Kind.PURCHASE else 'cancelled'}"
    return mails(
        [person for person in holders_of("orders.confirm_outcome") if person.pk != said.proposed_by_id],
        f"Order {item.order_id}: confirm that {number} {did}",
        lambda _: [
            f"{by} says that {number} {did}, and how they know:",
            *quoted(said.evidence),
            "Look it up yourself, then confirm it or not. Until then nothing changes.",
            *card(item.order, [item], now),
        ],
    )


# For everyone ----------------------------------------------------------------------------------------------------


ABOUT_ORDERS: dict[str, Callable[[Order, datetime], Mails]] = {
    "submitted": submitted,
    "reminded": reminded,
    "agreed": agreed,
    "price_changed": price_changed,
    "approved": approved,
    "rejected": rejected,
    "paused": paused,
}
ABOUT_ITEMS: dict[str, Callable[[OrderItem, datetime], Mails]] = {
    "expired": expired,
    "finished": finished,
    "unknown": unknown,
    "proposed": proposed,
}


def mails_for(occasion: str, *, order_id: int = 0, item_id: int = 0, now: datetime) -> Mails:
    """The mails of an occasion: one about an order, or one about an item."""
    if occasion in ABOUT_ORDERS:
        order = Order.objects.select_related("requester", "owner").get(pk=order_id)
        return ABOUT_ORDERS[occasion](order, now)
    item = OrderItem.objects.select_related("order__requester", "order__owner").get(pk=item_id)
    return ABOUT_ITEMS[occasion](item, now)
