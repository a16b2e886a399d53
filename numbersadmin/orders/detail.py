"""Everything the page of one order shows: items, money, what happened, and what this viewer may do."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Q

from numbersadmin.accounts.models import User
from numbersadmin.audit.models import AuditEvent
from numbersadmin.orders.models import Decision, Kind, Order, OrderItem, Outcome, ProviderAttempt, State
from numbersadmin.orders.quotes import Costs, Offer, Quote, fingerprint_of
from numbersadmin.orders.selectors import (
    approvers,
    current_quote,
    look_of,
    order_costs,
    overall_look,
    state_counts,
    waiting_for,
)
from numbersadmin.orders.similar import wants_similar
from numbersadmin.orders.timeline import Entry, timeline
from numbersadmin.orders.words import PROVIDER, happened, why_unknown

RUNNING = (State.APPROVED, State.EXECUTING)
UNDER_WAY = (State.APPROVED, State.EXECUTING, State.UNKNOWN)
NAMES = {"type": "Type", "capabilities": "Can do", "shared": "Shared", "currency": "Currency"}
PARTS = (
    ("setup_price", "Set-up, once"),
    ("initial_month_price", "This month"),
    ("price_per_month", "Per month"),
)


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One part of a price, then and now. The difference is None when a side or the currency is unknown or other."""

    part: str  # setup_price, initial_month_price or price_per_month
    label: str
    was: Decimal | None
    was_currency: str
    now: Decimal | None
    now_currency: str
    difference: Decimal | None
    was_share: tuple[int, int] | None
    now_share: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Change:
    """A fact of the number other than an amount that moved: its name, and both values as text."""

    name: str
    was: str
    now: str


@dataclass(frozen=True, slots=True)
class LookRow:
    """One look at an unknown outcome. Answers: yes, no, no_answer, pending, or "" where it was not asked."""

    index: int
    at: datetime
    owned: str
    for_sale: str


@dataclass(frozen=True, slots=True)
class UnknownFacts:
    """What is known of an outcome that is not: what was sent and when, why nobody knows, what was looked at."""

    sent_at: datetime
    why: str  # "Infobip did not answer in time"
    provider_words: str
    timeout_seconds: int
    looks: list[LookRow]  # newest first
    last_look: datetime | None
    next_look: datetime | None

    @property
    def next_is_due(self) -> bool:
        """Has nobody set a moment for the next look, because it comes at once?"""
        return self.next_look is None


@dataclass(frozen=True, slots=True)
class ItemView:
    """One item as its page shows it."""

    item: OrderItem
    look: str  # key into formats.LOOKS[order.kind]
    happened: str
    asked: Quote
    approved: Quote | None  # as last approved, even if a changed price has voided that
    current: Quote  # what counts now
    lines: list[PriceLine]  # then and now; empty unless the price or another fact moved
    changes: list[Change]
    then_was: str  # "approved" or "asked": what `lines` compare with
    then_at: datetime | None
    unknown: UnknownFacts | None
    attempts: int
    again_ref: str  # the offer to order again, when it failed and can be; else ""
    cancel_again_id: int | None  # the owned number whose cancellation can be asked for again

    @property
    def number(self) -> str:
        """Digits as stored."""
        return self.item.number


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Everything about one order for one viewer."""

    order: Order
    items: list[ItemView]
    look: str
    counts: dict[str, int]  # by state
    total: int
    settled: int  # items of a decided order that are over: done, failed, and so on
    working: bool  # something is being carried out or looked for: the page asks again by itself
    next_refresh: int  # seconds until it should
    costs: Costs
    expires_at: datetime | None
    timeline: list[Entry]
    decisions: list[Decision]
    deciders: list[User]  # who may decide on it, without the requester
    may_decide: bool
    may_withdraw: bool
    why_not: str  # why this viewer may not decide; "" when they may, or when there is nothing to decide
    round: int
    fingerprint: str
    place: int | None  # among the orders that wait for this viewer, from 1
    waiting: int
    previous_id: int | None
    next_id: int | None

    @property
    def first(self) -> ItemView:
        """The first item; most orders have one."""
        return self.items[0]

    @property
    def changed(self) -> list[ItemView]:
        """The items that wait because their price moved."""
        return [view for view in self.items if view.look == "price_changed"]

    @property
    def gone(self) -> list[ItemView]:
        """The items that somebody else bought first."""
        return [view for view in self.items if wants_similar(view.item)]

    @property
    def unknown(self) -> list[ItemView]:
        """The items whose outcome is not known."""
        return [view for view in self.items if view.unknown]


def order_page(*, order_id: int, viewer: User, now: datetime) -> OrderPage | None:
    """The page of an order, or None when there is none. The number of queries does not depend on the items."""
    order = Order.objects.select_related("requester", "owner").filter(pk=order_id).first()
    if order is None:
        return None
    items = list(order.items.select_related("owned_number").order_by("id"))
    attempts = _attempts(order)
    of_items = Q(subject_type=OrderItem._meta.model_name, subject_id__in=order.items.order_by().values("pk"))
    of_order = Q(subject_type=Order._meta.model_name, subject_id=order.pk)
    events = list(AuditEvent.objects.filter(of_items | of_order).order_by("id"))
    deciders = [person for person in approvers() if person.pk != order.requester_id]
    views = [_view(item, attempts.get(item.pk, []), events) for item in items]
    pending = [item for item in items if item.state == State.PENDING]
    why_not = _why_not(order, viewer, deciders) if pending else ""
    queue = list(waiting_for(viewer).values_list("pk", flat=True))
    at = queue.index(order.pk) if order.pk in queue else None
    running = [item for item in items if item.state in UNDER_WAY]
    return OrderPage(
        order=order,
        items=views,
        look=_whole_look(order, items, viewer),
        counts=dict(state_counts(items)),
        total=len(items),
        settled=sum(item.state not in (State.PENDING, *UNDER_WAY) for item in items),
        working=bool(running),
        next_refresh=2 if any(item.state in RUNNING for item in items) else 10,
        costs=order_costs(items),
        expires_at=order.expires_at if pending else None,
        timeline=timeline(order=order, events=events, items=items, viewer=viewer),
        decisions=list(order.decisions.select_related("approver").order_by("id")),
        deciders=deciders,
        may_decide=bool(pending) and not why_not,
        may_withdraw=_may_withdraw(order, items, viewer),
        why_not=why_not,
        round=order.round,
        fingerprint=fingerprint_of(item.fingerprint for item in pending),
        place=None if at is None else at + 1,
        waiting=len(queue),
        previous_id=queue[at - 1] if at else None,
        next_id=queue[at + 1] if at is not None and at + 1 < len(queue) else None,
    )


def _attempts(order: Order) -> dict[int, list[ProviderAttempt]]:
    by_item: dict[int, list[ProviderAttempt]] = {}
    for attempt in ProviderAttempt.objects.filter(item__order=order).order_by("id"):
        by_item.setdefault(attempt.item_id, []).append(attempt)
    return by_item


def _whole_look(order: Order, items: list[OrderItem], viewer: User) -> str:
    look = overall_look(items)
    own = order.requester_id == viewer.pk and viewer.can("orders.approve")
    return "other_approver" if own and look == State.PENDING else look


def _may_withdraw(order: Order, items: list[OrderItem], viewer: User) -> bool:
    theirs = order.requester_id == viewer.pk or viewer.can("orders.withdraw_any")
    return theirs and any(item.state in (State.PENDING, State.APPROVED) for item in items)


def _why_not(order: Order, viewer: User, deciders: list[User]) -> str:
    """Why the viewer may not decide, and who can."""
    if viewer.can("orders.approve") and viewer.pk != order.requester_id:
        return ""
    names = [person.display_name for person in deciders]
    who = f"{' or '.join([', '.join(names[:-1]), names[-1]] if len(names) > 1 else names)} can."
    who = who if names else "There is nobody else yet who can: an administrator has to add an approver."
    if viewer.pk == order.requester_id and viewer.can("orders.approve"):
        return f"You asked for it, so you cannot approve it. {who}"
    return f"Your role does not approve orders. {who}"


def _view(item: OrderItem, attempts: list[ProviderAttempt], events: Iterable[AuditEvent]) -> ItemView:
    asked, current = Quote.from_json(item.quote), current_quote(item)
    approved = Quote.from_json(item.approved_quote) if item.approved_quote else None
    then = approved if approved and not item.approved_at else asked
    moved = item.kind == Kind.PURCHASE and bool(item.changed_quote)
    return ItemView(
        item=item,
        look=look_of(item),
        happened=happened(item),
        asked=asked,
        approved=approved,
        current=current,
        lines=price_lines(then, current) if moved else [],
        changes=changes(then, current) if moved else [],
        then_was="approved" if then is approved else "asked",
        then_at=then.read_at,
        unknown=_unknown(item, attempts) if item.state == State.UNKNOWN else None,
        attempts=len(attempts),
        again_ref=_again_ref(item),
        cancel_again_id=item.owned_number_id
        if item.kind == Kind.CANCEL and item.state == State.FAILED and item.failure != "already_ended"
        else None,
    )


def _again_ref(item: OrderItem) -> str:
    again = item.kind == Kind.PURCHASE and item.state in (State.FAILED, State.EXPIRED, State.WITHDRAWN)
    return (
        Offer(item.country, item.number).ref
        if again and item.failure not in ("already_owned", "other_order")
        else ""
    )


def price_lines(was: Quote, now: Quote) -> list[PriceLine]:
    """The three parts of a price, then and now, with their differences."""
    lines = []
    for part, label in PARTS:
        before, after = getattr(was, part), getattr(now, part)
        comparable = before is not None and after is not None and was.currency == now.currency
        lines.append(
            PriceLine(
                part=part,
                label=label,
                was=before,
                was_currency=was.currency,
                now=after,
                now_currency=now.currency,
                difference=after - before if comparable else None,
                was_share=was.month_share,
                now_share=now.month_share,
            )
        )
    return lines


def changes(was: Quote, now: Quote) -> list[Change]:
    """What else of the offer moved."""
    return [
        Change(name, _text(getattr(was, field)), _text(getattr(now, field)))
        for field, name in NAMES.items()
        if getattr(was, field) != getattr(now, field)
    ]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _unknown(item: OrderItem, attempts: list[ProviderAttempt]) -> UnknownFacts | None:
    sent = next((attempt for attempt in reversed(attempts) if attempt.outcome == Outcome.UNKNOWN), None)
    if sent is None:
        return None
    looks = [
        LookRow(index, datetime.fromisoformat(look["at"]), look["owned"], look["for_sale"])
        for index, look in enumerate(sent.evidence, 1)
    ]
    return UnknownFacts(
        sent_at=sent.started_at,
        why=why_unknown(sent.error_kind),
        provider_words=(sent.response or {}).get("text", "") if sent.http_status else "",
        timeout_seconds=int(settings.PROVIDER_TIMEOUT_SECONDS),
        looks=looks[::-1],
        last_look=looks[-1].at if looks else None,
        next_look=item.not_before,
    )


__all__ = ["PROVIDER", "ItemView", "OrderPage", "PriceLine", "UnknownFacts", "order_page", "price_lines"]
