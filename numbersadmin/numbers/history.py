"""The life of a phone number in words: its audit events over every time it was ours, newest first."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from numbersadmin.audit.models import ActorType, AuditEvent
from numbersadmin.audit.selectors import words_of
from numbersadmin.formats import DASH, capability_label, money_text, type_name, when
from numbersadmin.numbers import since
from numbersadmin.numbers.models import AcquiredBasis, EndBasis, NumberVersion, OwnedNumber

PAGE = 50
ALL, CHANGES, ORDERS, COST = "all", "changes", "orders", "cost"
FIRST_SEEN = "already ours when records began"
NUMBER = OwnedNumber._meta.model_name or ""
ITEM = "orderitem"
GAP, EVENT, CHARGE = 0, 1, 2  # of what happened at the same moment, the higher is told above
_PLACE = re.compile(r"([0-9T:.+Z-]{1,40})_(\d{1,2})_(\d{1,18})")
Facts = Mapping[str, Any]
Place = tuple[datetime, int, int]
"""Where a moment stands in the timeline: when, of which sort (GAP, EVENT, CHARGE), and its id."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline (templates/components/timeline.html). `at` is a date where no clock is known."""

    place: Place
    at: datetime | date
    icon: str
    tone: str
    who: str
    text: str
    quote: str = ""
    href: str = ""
    link: str = ""


def written(place: Place) -> str:
    """A place as a link carries it."""
    return f"{place[0].isoformat().replace('+00:00', 'Z')}_{place[1]}_{place[2]}"


def place_of(text: str) -> Place | None:
    """The place that a link names; None for anything else."""
    found = _PLACE.fullmatch(text)
    try:
        at = parse_datetime(found[1]) if found else None
    except ValueError:
        return None
    return (at, int(found[2]), int(found[3])) if found and at and timezone.is_aware(at) else None


def events(
    owned: list[OwnedNumber],
    *,
    items: Iterable[int] = (),
    kind: str = ALL,
    before: Place | None = None,
    most: int = PAGE,
) -> list[Moment]:
    """What happened to the number, newest first, at most so many, all older than `before`. Two queries.

    `owned` is every time the same number was ours, `items` are the ids of its items in orders.
    """
    ours = Q(subject_type=NUMBER, subject_id__in=[one.pk for one in owned])
    ordered = Q(subject_type=ITEM, subject_id__in=list(items), verb__in=list(ORDER_VERBS))
    about = {
        CHANGES: ours,
        ORDERS: ordered | ours & Q(related_type="order"),
        COST: ours & Q(verb__in=["number.price_changed"]),
    }
    found = AuditEvent.objects.filter(about.get(kind, ours | ordered))
    if before:
        at, sort, pk = before
        same = Q(at=at) if sort > EVENT else Q(at=at, id__lt=pk) if sort == EVENT else Q(pk__in=[])
        found = found.filter(Q(at__lt=at) | same)
    currencies = _currencies(owned)
    return [
        moment(event, currencies(event.subject_id, event.at) if event.subject_type == NUMBER else "")
        for event in found.order_by("-at", "-id")[:most]
    ]


def _currencies(owned: list[OwnedNumber]) -> Callable[[int, datetime], str]:
    """In which currency a possession was priced at a moment."""
    rows = NumberVersion.objects.filter(owned_number__in=owned).order_by("valid_from")
    known: dict[int, tuple[list[datetime], list[str]]] = {}
    for pk, start, currency in rows.values_list("owned_number_id", "valid_from", "currency"):
        starts, names = known.setdefault(pk, ([], []))
        if not names or names[-1] != currency:
            starts.append(start)
            names.append(currency)

    def at(pk: int, moment: datetime) -> str:
        starts, names = known.get(pk, ([], [""]))
        return names[max(0, bisect_right(starts, moment) - 1)]

    return at


def gaps(owned: list[OwnedNumber]) -> list[Moment]:
    """The times between two possessions in which the number was not ours. `owned` is newest first."""
    found = []
    for later, earlier in pairwise(owned):
        began = later.acquired_at or later.acquired_to
        if earlier.ended_to is None or earlier.ended_to > began:
            continue
        place = (began, GAP, later.pk)
        text = f"Not ours from {_ended(earlier)} to {_began(later)}"
        found.append(Moment(place, timezone.localtime(began).date(), "circle-dashed", "", "", text))
    return found


def _ended(owned: OwnedNumber) -> str:
    end = owned.ended_to
    if end is None or owned.end_basis == EndBasis.CANCELLED_HERE or owned.ended_from is None:
        return when(end, "full")
    return f"some time {since.between(owned.ended_from, end)}"


def _began(owned: OwnedNumber) -> str:
    words = since.acquired(owned)
    return f"some time {words}" if words.startswith("between") else words


def moment(event: AuditEvent, currency: str) -> Moment:
    """One event in words, its amounts in `currency` unless it says otherwise; an unknown verb as the log has it."""
    plain = words_of(event.verb)
    icon, tone, words = (VERBS | ORDER_VERBS).get(
        event.verb, (plain.icon, plain.tone, _said(plain.text.lower()))
    )
    text = words({"currency": currency} | (event.before or {}), {"currency": currency} | (event.after or {}))
    person = event.actor if event.actor_type == ActorType.USER else ""
    order = event.related_id if event.related_type == "order" else None
    return Moment(
        place=(event.at, EVENT, event.pk),
        at=event.at,
        icon=icon,
        tone=tone,
        who=person,
        text=text if person else text[:1].upper() + text[1:],
        quote=event.reason,
        href=f"/orders/{order}/" if order else "",
        link=f"Order {order}" if order else "",
    )


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


def _stated(before: Facts, after: Facts) -> str:
    return f"entered the purchase day: {after.get('day')}"


def _given(before: Facts, after: Facts) -> str:
    return f"gave this number to {after.get('asked_by')}"


def _refused(before: Facts, after: Facts) -> str:
    return f"did not give this number to {after.get('asked_by')}"


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
    "order.agreed": ("check", "ok", _said("approved, one more needed")),
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
    "number.protected": ("lock", "", _said("protected this number")),
    "number.unprotected": ("lock-open", "", _said("took the protection off")),
    "number.acquired_stated": ("edit", "info", _stated),
    "number.acquired_taken_back": ("edit", "", _said("took the entered purchase day back")),
    "number.asked_for": ("message", "", _said("asked for this number")),
    "number.ask_given": ("check", "ok", _given),
    "number.ask_refused": ("circle-x", "", _refused),
    "number.ask_withdrawn": ("ban", "", _said("no longer asks for it")),
}
