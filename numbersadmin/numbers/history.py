"""The life of a phone number in words: its audit events over every time it was ours, newest first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from numbersadmin.audit.models import ActorType, AuditEvent
from numbersadmin.formats import DASH, LONGEST_SHORT_CODE, capability_label, money_text, type_name
from numbersadmin.numbers.models import AcquiredBasis, OwnedNumber

MOST = 200  # events on the page; the audit log has the rest
FIRST_SEEN = "already ours when records began"
Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline (templates/components/timeline.html)."""

    at: datetime
    icon: str
    tone: str
    who: str
    text: str
    quote: str = ""
    href: str = ""
    link: str = ""


def timeline(owned: list[OwnedNumber]) -> list[Moment]:
    """What happened to the number, newest first, at most MOST events. One query.

    `owned` is every time the same number was ours. What people did in orders is told by the digits, so only
    where these are unique in the world.
    """
    events = AuditEvent.objects.filter(
        subject_type=OwnedNumber._meta.model_name, subject_id__in=[one.pk for one in owned]
    )
    if len(owned[0].number) > LONGEST_SHORT_CODE:
        events |= AuditEvent.objects.filter(
            number=owned[0].number, subject_type="orderitem", verb__in=list(ORDER_VERBS)
        )
    currencies = {one.pk: one.currency for one in owned}
    moments = []
    for event in events.order_by("-at", "-id")[:MOST]:
        before = event.before or {}
        mine = event.subject_type == OwnedNumber._meta.model_name
        moments.append(moment(event, currencies[event.subject_id] if mine else ""))
        if mine and "currency" in before:  # what is older was in the currency from before this change
            currencies[event.subject_id] = before["currency"] or ""
    return moments


def moment(event: AuditEvent, currency: str) -> Moment:
    """One event in words, its amounts in `currency` unless it says otherwise; an unknown verb as the log has it."""
    icon, tone, words = (VERBS | ORDER_VERBS).get(event.verb, ("history", "", _plainly))
    text = words({"currency": currency} | (event.before or {}), {"currency": currency} | (event.after or {}))
    person = event.actor if event.actor_type == ActorType.USER else ""
    order = event.related_id if event.related_type == "order" else None
    return Moment(
        at=event.at,
        icon=icon,
        tone=tone,
        who=person,
        text=(text if person else text[:1].upper() + text[1:]) or event.verb,
        quote=event.reason,
        href=f"/orders/{order}/" if order else "",
        link=f"Order {order}" if order else "",
    )


def _plainly(before: Facts, after: Facts) -> str:
    return ""


def _said(text: str) -> Callable[[Facts, Facts], str]:
    return lambda before, after: text


def _price(facts: Facts, name: str, currency: str) -> str:
    try:
        amount = Decimal(str(facts[name]))
    except (KeyError, InvalidOperation):
        return "unknown"
    return money_text(amount, currency) if currency else f"{amount.normalize():f}"


def _price_changed(before: Facts, after: Facts) -> str:
    old, new = str(before.get("currency") or ""), str(after.get("currency") or "")
    names = {"price_per_month": "price per month", "setup_price": "set-up price"}
    parts = [
        f"{words} from {_price(before, name, old)} to {_price(after, name, new)}"
        for name, words in names.items()
        if name in after
    ]
    if old != new and not parts:
        parts = [f"currency from {old or 'unknown'} to {new or 'unknown'}"]
    return f"changed the {' and the '.join(parts)}"


def _capabilities_changed(before: Facts, after: Facts) -> str:
    return f"can do {_able(after)}, before {_able(before)}"


def _able(facts: Facts) -> str:
    words = [capability_label(one) for one in str(facts.get("capabilities") or "").split(",") if one]
    return " and ".join(words) or "nothing"


def _key_changed(before: Facts, after: Facts) -> str:
    return f"changed its key from {before.get('number_key')} to {after.get('number_key')}"


def _attributes_changed(before: Facts, after: Facts) -> str:
    parts = []
    if "type" in after:
        parts.append(f"type from {type_name(before.get('type', ''))} to {type_name(after['type'])}")
    if "shared" in after:
        parts.append("now shared with others" if after["shared"] else "no longer shared with others")
    return f"changed: {', '.join(parts)}" if parts else "changed"


def _assigned(before: Facts, after: Facts) -> str:
    parts = [
        f"{words} from {_value(before.get(name))} to {_value(after.get(name))}"
        for name, words in (("owner", "owner"), ("cost_centre", "cost centre"), ("labels", "labels"))
        if name in after
    ]
    return f"changed the {', the '.join(parts)}"


def _value(value: Any) -> str:
    if isinstance(value, list):
        value = ", ".join(str(one) for one in value)
    return str(value) if value else "none"


def _opened(said: str) -> Callable[[Facts, Facts], str]:
    def words(before: Facts, after: Facts) -> str:
        price = _price(after, "price_per_month", str(after.get("currency") or ""))
        text = FIRST_SEEN if after.get("acquired_basis") == AcquiredBasis.UNKNOWN else said
        return text if price in ("unknown", DASH) else f"{text}, {price} per month"

    return words


def _submitted(before: Facts, after: Facts) -> str:
    return f"asked to {'cancel' if after.get('kind') == 'cancel' else 'buy'} this number"


Telling = tuple[str, str, Callable[[Facts, Facts], str]]  # icon, tone, words

ORDER_VERBS: dict[str, Telling] = {
    "order.submitted": ("plus", "", _submitted),
    "order.approved": ("check", "ok", _said("approved")),
    "order.rejected": ("circle-x", "bad", _said("rejected")),
    "order.withdrawn": ("ban", "", _said("withdrew")),
    "order.expired": ("clock", "", _said("not decided in time")),
    "item.unknown": ("help-circle", "warn", _said("outcome unknown")),
    "item.failed": ("circle-x", "bad", _said("it did not work, nothing was changed")),
}
VERBS: dict[str, Telling] = {
    "number.purchased": ("shopping-cart", "ok", _opened("bought this number")),
    "number.appeared": ("refresh", "info", _opened("appeared on the purchased list, not bought here")),
    "number.adopted": (
        "refresh",
        "ok",
        _opened("found on the purchased list after a purchase without answer"),
    ),
    "number.reacquired": ("refresh", "info", _opened("ours again, under a new key")),
    "number.reappeared": ("refresh", "warn", _said("back on the purchased list after it was gone")),
    "number.back_after_cancel": (
        "alert-triangle",
        "bad",
        _said("cancelled here, but on the purchased list again"),
    ),
    "number.listed_twice": ("alert-triangle", "warn", _said("on the purchased list under two keys")),
    "number.missing": ("help-circle", "warn", _said("absent from the purchased list, not confirmed gone")),
    "number.found_again": ("refresh", "ok", _said("found again")),
    "number.disappeared": ("ban", "bad", _said("confirmed gone from the purchased list")),
    "number.confirmed_gone": ("ban", "bad", _said("confirmed that it is gone at Infobip")),
    "number.accepted": ("check", "", _said("accepted what is different")),
    "number.watched": ("eye", "", _said("keeps watching what is different")),
    "number.cancelled": ("ban", "bad", _said("cancelled this number")),
    "number.price_changed": ("receipt", "warn", _price_changed),
    "number.capabilities_changed": ("arrows-diff", "warn", _capabilities_changed),
    "number.key_changed": ("key", "info", _key_changed),
    "number.attributes_changed": ("arrows-diff", "info", _attributes_changed),
    "number.assigned": ("user", "", _assigned),
}
