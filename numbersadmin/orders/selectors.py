"""What pages and other parts need to know about orders: lists, who waits for whom, what is under way."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet

from numbersadmin.accounts.models import User
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders.models import (
    LIVE,
    Decision,
    Kind,
    Order,
    OrderItem,
    ProviderAttempt,
    Resolution,
    State,
    Verdict,
)
from numbersadmin.orders.quotes import Costs, Quote, costs_of, fingerprint_of
from numbersadmin.orders.quotes import Offer as Offer  # also for other apps
from numbersadmin.orders.standing import DECIDES, standing_of
from numbersadmin.orders.standing import approvers as approvers
from numbersadmin.orders.standing import waiting_for as waiting_for
from numbersadmin.orders.standing import waiting_persons as waiting_persons
from numbersadmin.orders.timing import execute_after

OPEN = (State.PENDING, State.APPROVED, State.EXECUTING, State.UNKNOWN)
OVER = (State.REJECTED, State.WITHDRAWN, State.EXPIRED, State.FAILED)
TABS: dict[str, str] = {
    "waiting": "Needs a decision",
    "mine": "Mine",
    "approved": "Approved",
    "done": "Done",
    "rejected": "Rejected",
    "all": "All",
}
TAB_STATES: dict[str, tuple[State, ...]] = {
    "approved": (State.APPROVED, State.EXECUTING, State.UNKNOWN),
    "done": (State.DONE,),
    "rejected": OVER,
}
# An order with items in several states shows the one that asks most of people.
FIRST_STATES = (
    State.UNKNOWN,
    State.PENDING,
    State.EXECUTING,
    State.APPROVED,
    State.DONE,
    State.FAILED,
    State.REJECTED,
    State.EXPIRED,
    State.WITHDRAWN,
)


# One item --------------------------------------------------------------------------------------------------------


def current_quote(item: OrderItem) -> Quote:
    """The offer that counts now: what was approved, else the provider's changed one, else what was asked."""
    approved = item.approved_quote if item.approved_at else None
    return Quote.from_json(approved or item.changed_quote or item.quote)


def shown_quote(item: OrderItem) -> Quote:
    """The offer that a page shows for a decision: as last read for one, else the one that counts."""
    return Quote.from_json(item.checked_quote) if item.checked_quote else current_quote(item)


def shown_fingerprint(order: Order, items: Iterable[OrderItem], now: datetime) -> str:
    """What a page that asks for a decision shows: the offers, and the day that a cancellation waits for."""
    due = execute_after(order, now)
    shown = [shown_quote(item).fingerprint if item.checked_quote else item.fingerprint for item in items]
    return fingerprint_of([*shown, *([due.isoformat()] if due else [])])


def look_of(item: OrderItem) -> str:
    """The key into formats.LOOKS for an item: its state, or a more telling word for it."""
    if item.state == State.PENDING and item.changed_quote:
        return "price_changed"
    if item.state == State.FAILED and item.failure == "gone":
        return "gone"
    if item.state == State.APPROVED and item.execute_after:
        return "scheduled"
    return item.state


def order_costs(items: Iterable[OrderItem]) -> Costs:
    """What an order costs: its items that are still wanted, or all of them when none is."""
    items = list(items)
    wanted = [item for item in items if item.state not in OVER]
    return costs_of(current_quote(item) for item in wanted or items)


# What is under way -----------------------------------------------------------------------------------------------


def live_purchases(offers: Iterable[Offer]) -> dict[str, int]:
    """Which of these numbers are in an order that is still going on: reference -> order number."""
    wanted = set(offers)
    rows = OrderItem.objects.filter(
        kind=Kind.PURCHASE, state__in=LIVE, number__in={offer.number for offer in wanted}
    ).values_list("country", "number", "order_id")
    return {
        Offer(country, number).ref: order
        for country, number, order in rows
        if Offer(country, number) in wanted
    }


def live_cancels(owned_ids: Iterable[int]) -> dict[int, int]:
    """Which of these owned numbers are being cancelled: id of the number -> order number."""
    rows = OrderItem.objects.filter(kind=Kind.CANCEL, state__in=LIVE, owned_number__in=list(owned_ids))
    return dict(rows.values_list("owned_number_id", "order_id"))


def items_in_state(state: State, *, kind: Kind | None = None) -> QuerySet[OrderItem]:
    """Items that stand so, oldest first, with their order: as the front page counts and lists them."""
    items = OrderItem.objects.filter(state=state).select_related("order__requester").order_by("updated_at")
    return items.filter(kind=kind) if kind else items


def cancel_warnings(owned: OwnedNumber) -> list[str]:
    """What speaks against giving a number back, as far as the provider's list and our own records tell."""
    version = owned.versions.filter(valid_to=None).first()
    raw = version.raw if version else {}
    permissions, keywords = raw.get("editPermissions"), raw.get("keywords")
    warnings = []
    if keywords and isinstance(keywords, list):
        warnings.append("Keywords are set up on it at Infobip. They stop working with it.")
    if isinstance(permissions, dict) and permissions.get("canEditNumber") is False:
        warnings.append("Infobip says that this account may not change it, so it may refuse to release it.")
    return warnings


def waiting_resolutions(person: User) -> list[Resolution]:
    """Unknown outcomes that others found out and this person may confirm, oldest first."""
    if not person.can("orders.confirm_outcome"):
        return []
    found = Resolution.objects.filter(decided_at=None, item__state=State.UNKNOWN).exclude(proposed_by=person)
    return list(found.select_related("item__order", "proposed_by").order_by("id"))


def paused_orders() -> QuerySet[Order]:
    """Orders of which a part waits until somebody lets it go on, oldest first."""
    return Order.objects.filter(_has(State.APPROVED), paused_at__isnull=False).order_by("paused_at", "id")


# The list --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order in a list."""

    order: Order
    items: list[OrderItem]
    look: str
    costs: Costs
    may_decide: bool
    decision: Decision | None  # the last one
    brief: Any = None  # orders/brief.py, where the list shows it

    @property
    def first(self) -> OrderItem:
        """The item that the row shows."""
        return self.items[0]

    @property
    def more(self) -> int:
        """How many items there are beside it."""
        return len(self.items) - 1


def overall_look(items: list[OrderItem]) -> str:
    """The key into formats.LOOKS for a whole order."""
    return look_of(
        min(items, key=lambda item: (FIRST_STATES.index(State(item.state)), not item.changed_quote))
    )


def orders_of(viewer: User, tab: str, q: str = "") -> QuerySet[Order]:
    """The orders under a tab (a key of TABS): those that wait oldest first, all others newest first.

    The front page has two more: `decide`, what this person may decide, and `open`, what they asked for.
    """
    if tab == "decide":
        found = waiting_for(viewer)
    elif tab == "open":
        found = Order.objects.filter(_has(*OPEN), requester=viewer).order_by("created_at", "id")
    elif tab == "waiting":
        found = Order.objects.filter(_has(State.PENDING, State.UNKNOWN)).order_by("created_at", "id")
    else:
        found = Order.objects.order_by("-id")
    if tab == "mine":
        found = found.filter(requester=viewer)
    if tab in TAB_STATES:
        found = found.filter(_has(*TAB_STATES[tab]))
    if words := q.strip().removeprefix("+"):
        digits = "".join(letter for letter in words if letter in "0123456789")
        matching = Q(requester__username__icontains=words) | Q(reason__icontains=words)
        matching |= Q(cost_centre__icontains=words)
        if digits and len(digits) <= 18:
            numbers = OrderItem.objects.filter(order=OuterRef("pk"), number__contains=digits)
            matching |= Q(pk=int(digits)) | Q(Exists(numbers))
        found = found.filter(matching)
    return found


def _has(*states: State) -> Exists:
    return Exists(OrderItem.objects.filter(order=OuterRef("pk"), state__in=states))


def order_rows(
    *, viewer: User, tab: str = "waiting", q: str = "", page: int | str = 1, per_page: int = 50
) -> "Page[Any]":
    """A page of orders as Django's Page; its `object_list` holds OrderRow. Queries do not grow with rows."""
    items = OrderItem.objects.order_by("id")
    decisions = Decision.objects.select_related("approver").order_by("id")
    found = (
        orders_of(viewer, tab, q)
        .select_related("requester", "owner")
        .prefetch_related(Prefetch("items", items), Prefetch("decisions", decisions))
    )
    shown: Page[Any] = Paginator(found, per_page).get_page(page)
    shown.object_list = [_row(order, viewer) for order in shown.object_list]
    return shown


def _row(order: Order, viewer: User) -> OrderRow:
    items, decisions = list(order.items.all()), list(order.decisions.all())
    look = overall_look(items)
    waits = any(item.state == State.PENDING for item in items)
    role = standing_of(order, decisions).role_for(viewer, order.requester_id) if waits else None
    decides = any(viewer.can(permission) for permission in DECIDES.values())
    if waits and decides and role is None and look == State.PENDING:
        look = "other_approver"
    return OrderRow(
        order=order,
        items=items,
        look=look,
        costs=order_costs(items),
        may_decide=role is not None,
        decision=decisions[-1] if decisions else None,
    )


def tab_counts(viewer: User) -> dict[str, int]:
    """How many orders are under the tabs that ask for something: waiting and mine still open."""
    mine = Q(requester=viewer) & _has(*OPEN)
    return {
        **Order.objects.aggregate(
            waiting=Count("pk", filter=_has(State.PENDING, State.UNKNOWN)), mine=Count("pk", filter=mine)
        )
    }


def decided_since(since: datetime, most: int = 10) -> list[Decision]:
    """The latest decisions since a moment, newest first, each with its order and its items."""
    found = Decision.objects.filter(at__gte=since).select_related("approver", "order__requester")
    return list(found.prefetch_related("order__items").order_by("-id")[:most])


# Export ----------------------------------------------------------------------------------------------------------

EXPORT_ITEM_FIELDS = (
    "number",
    "number_key",
    "state",
    "approved_price_per_month",
    "approved_setup_price",
    "currency",
    "attempts",
    "updated_at",
)
EXPORT_COLUMNS = ("order", "kind", "requester", "approvers", "reason", "created_at", *EXPORT_ITEM_FIELDS)


def export_orders(batch: int = 500) -> Iterator[dict[str, Any]]:
    """Every order with its items as plain values, oldest first."""
    attempts = ProviderAttempt.objects.only("item_id")
    approvals = Decision.objects.filter(verdict=Verdict.APPROVE).select_related("approver").order_by("id")
    orders = (
        Order.objects.select_related("requester")
        .prefetch_related(
            Prefetch("items", OrderItem.objects.order_by("id")),
            Prefetch("items__attempts", attempts),
            Prefetch("decisions", approvals),
        )
        .order_by("id")
    )
    for order in orders.iterator(chunk_size=batch):
        yield {
            "order": order.pk,
            "kind": order.kind,
            "requester": order.requester.username,
            "approvers": list(dict.fromkeys(d.approver.username for d in order.decisions.all())),
            "reason": order.reason,
            "created_at": order.created_at,
            "items": [_export_item(item) for item in order.items.all()],
        }


def export_lines(orders: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The same, a line an item, as a table has it."""
    for order in orders:
        for item in order["items"]:
            yield {**order, **item}


def _export_item(item: OrderItem) -> dict[str, Any]:
    values = {name: getattr(item, name) for name in EXPORT_ITEM_FIELDS if name != "attempts"}
    return {**values, "attempts": len(item.attempts.all())}


def state_counts(items: Iterable[OrderItem]) -> Counter[str]:
    """How many items stand how."""
    return Counter(item.state for item in items)
