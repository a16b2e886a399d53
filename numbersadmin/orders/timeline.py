"""What happened to an order, told from its audit events, and what comes next."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db.models import Q

from numbersadmin.accounts.models import User
from numbersadmin.audit.models import ActorType, AuditEvent
from numbersadmin.formats import money_text, phone_intl, when
from numbersadmin.orders.models import Kind, Order, OrderItem, Role, State
from numbersadmin.orders.quotes import Quote, costs_of
from numbersadmin.orders.words import FAILURES, PROVIDER, listed, why_unknown

ICONS = {
    "order.submitted": ("plus", ""),
    "order.approved": ("check", "ok"),
    "order.agreed": ("check", "ok"),
    "item.outcome_proposed": ("eye", "warn"),
    "item.outcome_refused": ("x", ""),
    "order.rejected": ("circle-x", "bad"),
    "order.withdrawn": ("ban", ""),
    "order.expired": ("clock", ""),
    "item.executing": ("receipt", "info"),
    "item.price_changed": ("receipt", "warn"),
    "item.bought": ("circle-check", "ok"),
    "item.cancelled": ("ban", ""),
    "item.failed": ("circle-x", "bad"),
    "item.unknown": ("help-circle", "warn"),
    "item.not_sent": ("clock", ""),
    "order.commented": ("message", ""),
    "order.reminded": ("clock", ""),
    "order.paused": ("player-pause", "warn"),
    "order.resumed": ("refresh", ""),
}

FEW = 20  # numbers of an order that are told one by one
OF_MANY = (
    "item.executing",
    "item.price_changed",
    "item.bought",
    "item.cancelled",
    "item.failed",
    "item.not_sent",
)
AGREED = "approved it; more approvals are needed"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a timeline, as components/timeline.html takes it; `next` is still to come."""

    text: str
    at: datetime | None = None
    who: str = ""
    icon: str = ""
    tone: str = ""
    quote: str = ""
    next: bool = False


def events_of(order: Order) -> list[AuditEvent]:
    """What happened to the items of an order, and to the order itself, oldest first."""
    items = Q(subject_type=OrderItem._meta.model_name, subject_id__in=order.items.order_by().values("pk"))
    itself = Q(subject_type=Order._meta.model_name, subject_id=order.pk, verb__in=ICONS)
    return list(AuditEvent.objects.filter(items | itself).order_by("id"))


def timeline(
    *, order: Order, events: Sequence[AuditEvent], items: Sequence[OrderItem], viewer: User, decides: bool
) -> list[Entry]:
    """What happened, oldest first, events of one act together; then what comes next.

    `decides`: the viewer may decide on the order now.
    Of an order of many numbers, what became of them is told once a kind, with how many and when the last one was.
    """
    names = _names(events)
    acts = [
        list(group)
        for _, group in groupby(events, key=lambda event: (event.verb, event.actor, event.at, event.reason))
    ]
    if len(items) > FEW:
        acts = _by_kind(order, acts, names)
    told = [_entry(order, act, len(items), names, viewer) for act in acts]
    return told + [Entry(text=text, next=True) for text in _ahead(order, items, decides)]


def _by_kind(
    order: Order, acts: list[list[AuditEvent]], names: dict[int | str, str]
) -> list[list[AuditEvent]]:
    """The acts, with those of one kind over several numbers put together at the last of them."""
    kinds: dict[tuple[str, Any], list[AuditEvent]] = {}
    for act in acts:
        first = act[0]
        kind = _text(order, [first], names) if first.verb in OF_MANY else first.pk
        kinds.setdefault((first.verb, kind), []).extend(act)
    return sorted(kinds.values(), key=lambda events: events[-1].pk)


def _names(events: Iterable[AuditEvent]) -> dict[int | str, str]:
    """How the people in the events are called now, by id and by user name."""
    ids = {event.actor_id for event in events if event.actor_id}
    told = {name for event in events for name in _told(event)}
    people = User.objects.filter(Q(pk__in=ids) | Q(username__in=told))
    return {key: one.display_name for one in people for key in (one.pk, one.username)}


def _told(event: AuditEvent) -> list[str]:
    return list((event.after or {}).get("told", []))


def _entry(
    order: Order, events: list[AuditEvent], total: int, names: dict[int | str, str], viewer: User
) -> Entry:
    first = events[0]
    icon, tone = ICONS.get(first.verb, ("circle-dashed", ""))
    who = ""
    # Items change by themselves, but for what people find out about them.
    if first.actor_type == ActorType.USER and first.verb.startswith(("order.", "item.outcome")):
        who = "You" if first.actor_id == viewer.pk else names.get(first.actor_id or 0, first.actor)
    text = _text(order, events, names)
    if total > 1 and len(events) == 1 and first.subject_type != Order._meta.model_name:
        text = f"{text} ({phone_intl(first.number)})"
    elif total > FEW and first.verb in OF_MANY:
        text = f"{text}: {len(events)} numbers"
    return Entry(text=text, at=events[-1].at, who=who, icon=icon, tone=tone, quote=first.reason)


def _text(order: Order, events: list[AuditEvent], names: dict[int | str, str]) -> str:
    first, count = events[0], len(events)
    after = first.after or {}
    buying = order.kind == Kind.PURCHASE
    things = "the number" if count == 1 else f"{count} numbers"
    match first.verb:
        case "order.submitted":
            return f"asked for {things}" if buying else f"asked to cancel {things}"
        case "order.approved":
            if not first.actor_id:
                return "Approved by its rule"
            return f"approved {_per_month(events)}" if buying else _cancel_on(after)
        case "order.agreed":
            finance = after.get("as") == Role.FINANCE
            return "approved it for finance; more approvals are needed" if finance else AGREED
        case "order.rejected":
            return "rejected it" if count == 1 else f"rejected {things}"
        case "order.withdrawn":
            return "withdrew it" if count == 1 else f"withdrew {things}"
        case "order.commented":
            return "commented"
        case "order.reminded":
            return f"reminded {listed([names.get(one, one) for one in _told(first)])}"
        case "order.paused":
            return "Two outcomes in a row are unknown. The rest waits for a person"
        case "order.resumed":
            return "let the rest go on"
        case "order.expired":
            return "Expired, because it waited too long"
        case "item.executing":
            return _sent(after) if buying else "Number checked, cancellation sent"
        case "item.price_changed":
            return f"Price check: {_per_month(events)}. Stopped before buying"
        case "item.bought":
            return "Found on the purchased list" if after.get("note") else f"Bought from {PROVIDER}"
        case "item.cancelled":
            return f"Gone at {PROVIDER}" if after.get("note") else f"Cancelled at {PROVIDER}"
        case "item.failed":
            return FAILURES.get(after.get("failure", ""), "It could not be done.")
        case "item.unknown":
            return f"Outcome unknown: {why_unknown(after.get('why', ''))}"
        case "item.outcome_proposed":
            did = "was " if after.get("done") else "was not "
            return f"says that it {did}{'bought' if buying else 'cancelled'}; somebody else has to confirm"
        case "item.outcome_refused":
            return "does not agree; it stays unknown"
        case "item.not_sent":
            return f"Not sent: {after.get('text') or 'the provider was busy'}. Trying again"
    return first.verb


def _sent(after: dict[str, Any]) -> str:
    """The price was checked right before: it was what had been approved, or less."""
    if "quote_before" not in after:
        return "Price unchanged, purchase sent"
    was, now = Quote.from_json(after["quote_before"]), Quote.from_json(after["quote"])
    if was.price_per_month == now.price_per_month or now.price_per_month is None:
        return "Offer better than approved, purchase sent"
    return (
        f"Price lower than approved, {money_text(now.price_per_month, now.currency)} per month, purchase sent"
    )


def _cancel_on(after: dict[str, Any]) -> str:
    due = after.get("execute_after")
    day = f" for {when(datetime.fromisoformat(due), 'date')}" if due else ""
    return f"approved the cancellation{day}"


def _per_month(events: Iterable[AuditEvent]) -> str:
    quotes = [Quote.from_json(event.after["quote"]) for event in events if event.after]
    totals: Any = costs_of(quotes).per_month
    return ", ".join(f"{money_text(amount, currency)} per month" for currency, amount in totals.items())


def _ahead(order: Order, items: Sequence[OrderItem], decides: bool) -> list[str]:
    """What is still to come, in the order in which it comes."""
    states = {item.state for item in items}
    buying = order.kind == Kind.PURCHASE
    ahead = []
    if State.PENDING in states:
        ahead.append("Your decision" if decides else "Decision by another person")
    if order.paused_at and State.APPROVED in states:
        ahead.append("Somebody lets the rest of the order go on")
    if states & {State.PENDING, State.APPROVED}:
        bought = f"Price checked once more, then bought from {PROVIDER}"
        ahead.append(bought if buying else f"Number checked once more, then cancelled at {PROVIDER}")
    if State.EXECUTING in states:
        ahead.append(f"{PROVIDER}'s answer")
    if State.UNKNOWN in states:
        ahead.append("Found, or proved not to have happened")
    return ahead
