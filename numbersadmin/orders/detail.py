"""Everything the page of one order shows: items, money, what happened, and what this viewer may do."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import Any

from numbersadmin.accounts.models import User
from numbersadmin.orders.deciding import may_withdraw
from numbersadmin.orders.models import (
    Decision,
    Kind,
    Order,
    OrderItem,
    ProviderAttempt,
    Resolution,
    Role,
    State,
)
from numbersadmin.orders.progress import Progress, progress_of
from numbersadmin.orders.quotes import Costs, Offer, Quote
from numbersadmin.orders.selectors import (
    current_quote,
    look_of,
    order_costs,
    overall_look,
    state_counts,
    waiting_for,
)
from numbersadmin.orders.similar import wants_similar
from numbersadmin.orders.standing import DECIDES, Standing, deciders_of, standing_of
from numbersadmin.orders.timeline import Entry, events_of, timeline
from numbersadmin.orders.timing import execute_after
from numbersadmin.orders.unknown import UnknownFacts, unknown_facts
from numbersadmin.orders.words import happened, listed
from numbersadmin.policies.models import Stop
from numbersadmin.policies.selectors import current_stop

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
    progress: Progress
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
    standing: Standing
    role: Role | None  # as what this viewer may decide
    cancel_on: datetime | None  # the day a cancellation waits for, approved or as it would be
    scheduled: bool  # approved, and waiting for that day
    may_resume: bool
    stop: Stop | None
    place: int | None  # among the orders that wait for this viewer, from 1
    waiting: int
    previous_id: int | None
    next_id: int | None

    @property
    def shown(self) -> list[ItemView]:
        """The items in the order in which a person wants to see them: what needs a look first."""
        first = (State.UNKNOWN, State.EXECUTING, State.FAILED)
        return sorted(
            self.items, key=lambda view: first.index(view.item.state) if view.item.state in first else 9
        )

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
    events = events_of(order)
    decisions = list(order.decisions.select_related("approver").order_by("id"))
    standing = standing_of(order, decisions)
    deciders = deciders_of(order, standing)
    said = _resolutions(order)
    views = [_view(item, attempts.get(item.pk, []), said.get(item.pk, []), viewer) for item in items]
    pending = [item for item in items if item.state == State.PENDING]
    role = standing.role_for(viewer, order.requester_id) if pending else None
    why_not = _why_not(order, standing, viewer, deciders) if pending and role is None else ""
    scheduled = [item.execute_after for item in items if item.state == State.APPROVED and item.execute_after]
    stop = current_stop()
    running = [item for item in items if _is_under_way(item, held=bool(stop or order.paused_at), now=now)]
    return OrderPage(
        order=order,
        items=views,
        look=_whole_look(items, viewer, role),
        counts=dict(state_counts(items)),
        total=len(items),
        progress=progress_of(items, chain(*attempts.values()), now, held=not running or bool(scheduled)),
        working=bool(running),
        next_refresh=2 if any(item.state in RUNNING for item in running) else 10,
        costs=order_costs(items),
        expires_at=order.expires_at if pending else None,
        timeline=timeline(order=order, events=events, items=items, viewer=viewer, decides=bool(role)),
        decisions=decisions,
        deciders=deciders,
        may_decide=role is not None,
        may_withdraw=_may_withdraw(order, items, viewer),
        why_not=why_not,
        round=order.round,
        standing=standing,
        role=role,
        cancel_on=scheduled[0] if scheduled else execute_after(order, now) if pending else None,
        scheduled=bool(scheduled),
        may_resume=order.paused_at is not None and viewer.can("orders.resume"),
        stop=stop if pending or running or State.APPROVED in {item.state for item in items} else None,
        **_place(order, viewer),
    )


def _place(order: Order, viewer: User) -> dict[str, Any]:
    """Where the order stands among those that wait for this viewer; decided, the next one is the first left."""
    queue = list(waiting_for(viewer).values_list("pk", flat=True))
    if order.pk not in queue:
        first = queue[0] if queue else None
        return {"place": None, "waiting": len(queue), "previous_id": None, "next_id": first}
    at = queue.index(order.pk)
    return {
        "place": at + 1,
        "waiting": len(queue),
        "previous_id": queue[at - 1] if at else None,
        "next_id": queue[at + 1] if at + 1 < len(queue) else None,
    }


def _attempts(order: Order) -> dict[int, list[ProviderAttempt]]:
    by_item: dict[int, list[ProviderAttempt]] = {}
    for attempt in ProviderAttempt.objects.filter(item__order=order).order_by("id"):
        by_item.setdefault(attempt.item_id, []).append(attempt)
    return by_item


def _resolutions(order: Order) -> dict[int, list[Resolution]]:
    by_item: dict[int, list[Resolution]] = {}
    found = Resolution.objects.filter(item__order=order).select_related("proposed_by", "decided_by")
    for said in found.order_by("id"):
        by_item.setdefault(said.item_id, []).append(said)
    return by_item


def _is_under_way(item: OrderItem, *, held: bool, now: datetime) -> bool:
    """Is something going on with it by itself? Not while it is held back, or waits for its day."""
    if item.state == State.APPROVED:
        return not held and not waits_for_day(item, now)
    return item.state in UNDER_WAY


def waits_for_day(item: OrderItem, now: datetime) -> bool:
    """Is it approved, and its day not there yet?"""
    return item.state == State.APPROVED and item.execute_after is not None and item.execute_after > now


def _whole_look(items: list[OrderItem], viewer: User, role: Role | None) -> str:
    look = overall_look(items)
    decides = any(viewer.can(permission) for permission in DECIDES.values())
    return "other_approver" if decides and role is None and look == State.PENDING else look


def _may_withdraw(order: Order, items: list[OrderItem], viewer: User) -> bool:
    return may_withdraw(viewer, order) and any(
        item.state in (State.PENDING, State.APPROVED) for item in items
    )


def _why_not(order: Order, standing: Standing, viewer: User, deciders: list[User]) -> str:
    """Why the viewer may not decide, and who can."""
    names = listed([person.display_name for person in deciders], "or")
    who = (
        f"{names} can."
        if names
        else "There is nobody else yet who can: an administrator has to add an approver."
    )
    decides = any(viewer.can(permission) for permission in DECIDES.values())
    if viewer.pk == order.requester_id and decides:
        return f"You asked for it, so you cannot approve it. {who}"
    if viewer.pk in {one.approver_id for one in (*standing.approvals, *standing.finance)}:
        return f"You have approved it. One more person has to. {who}"
    if decides:
        return f"It waits for another person now. {who}"
    return f"Your role does not approve orders. {who}"


def _view(item: OrderItem, attempts: list[ProviderAttempt], said: list[Resolution], viewer: User) -> ItemView:
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
        unknown=unknown_facts(item, attempts, said, viewer) if item.state == State.UNKNOWN else None,
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
