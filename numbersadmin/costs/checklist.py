"""What has to be settled before a month is closed, and what is good to know before it is (docs/costs.md)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db.models import Q

from numbersadmin.audit.models import AuditEvent
from numbersadmin.costs import late
from numbersadmin.costs.charges import charges
from numbersadmin.costs.digest import LineSums
from numbersadmin.costs.ledger import Records
from numbersadmin.costs.models import Waiver
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import held_with
from numbersadmin.costs.rates import converted, currencies_to
from numbersadmin.formats import money_text, when
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders.models import OrderItem, State
from numbersadmin.sync.models import RunStatus, SyncRun


class Weight(StrEnum):
    """What an item of the checklist means for closing."""

    OK = "ok"
    BLOCKS = "blocks"
    NOTED = "noted"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the checklist: how it stands, and where it is dealt with (`url` and `action`, or neither)."""

    weight: Weight
    text: str
    url: str = ""
    action: str = ""


MORE: list[Callable[[Records, Month], Item | None]] = []
"""Items of parts that this one knows nothing of, such as invoices; they add themselves."""


def items(known: Records, month: Month, figures: LineSums, now: datetime) -> list[Item]:
    """The whole checklist of a month on record: what blocks it or is settled first, then what is only noted."""
    found = [*outside(known, month, now), prices(month, figures), *_notes(known, month, figures)]
    return sorted(found, key=lambda item: item.weight is Weight.NOTED)


def outside(known: Records, month: Month, now: datetime) -> list[Item]:
    """The items that do not come from the month's own lines."""
    found = [
        _over(known, month, now),
        _read_after(known, month),
        _settled(known, month),
        _earlier(known, month),
        *_cut_otherwise(known),
    ]
    return found + [item for more in MORE if (item := more(known, month))]


def waived(month: Month) -> frozenset[int]:
    """Ids of the numbers whose price need not be known in this month."""
    return frozenset(Waiver.objects.filter(month=str(month)).values_list("owned_number_id", flat=True))


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


# What blocks --------------------------------------------------------------------------------------------------------


def _over(known: Records, month: Month, now: datetime) -> Item:
    end = known.calendar.end(month)
    if now >= end:
        return Item(Weight.OK, f"{month.label} is over.")
    return Item(Weight.BLOCKS, f"{month.label} ends on {when(end, 'full')}. It can be closed after that.")


def _read_after(known: Records, month: Month) -> Item:
    if known.listed and known.listed >= known.calendar.end(month):
        return Item(Weight.OK, f"The whole list was read after its end, on {when(known.listed, 'full')}.")
    text = "No complete sync has begun since it ended, so its last days are not known yet."
    return Item(Weight.BLOCKS, text, "/sync/", "Go to Sync")


def _settled(known: Records, month: Month) -> Item:
    """Every order that was there before the month ended has an outcome, or has not been sent."""
    unsettled = OrderItem.objects.filter(
        state__in=[State.UNKNOWN, State.EXECUTING], created_at__lt=known.calendar.end(month)
    )
    if not (count := unsettled.count()):
        return Item(Weight.OK, "Every order that was sent in it has an outcome.")
    text = f"The outcome of {_count(count, 'ordered number')} is not known yet."
    return Item(Weight.BLOCKS, text, f"/orders/{unsettled.order_by('id')[0].order_id}/", "Show the order")


def _earlier(known: Records, month: Month) -> Item:
    first = known.to_close
    if first is None or first >= month:
        return Item(Weight.OK, "Every earlier month is closed.")
    return Item(
        Weight.BLOCKS,
        f"{first.label} has to be closed first.",
        f"/costs/{first}/close/",
        f"Close {first.name}",
    )


def _cut_otherwise(known: Records) -> Iterator[Item]:
    """What lies in the hours between two time zones would be in two months, or in none."""
    if closed := known.closed_otherwise:
        zone = closed.assumptions["BILLING_TIME_ZONE"]
        text = (
            f"{Month.parse(closed.month).label} was closed with months that begin at midnight {zone}, now they begin"
            f" at midnight {known.zone}. Set BILLING_TIME_ZONE back to {zone}."
        )
        yield Item(Weight.BLOCKS, text)


def prices(month: Month, figures: LineSums) -> Item:
    """Every line has an amount, or somebody said why it may go without."""
    if figures.open_prices:
        text = f"{_count(figures.open_prices, 'charge')} without a price."
        return Item(Weight.BLOCKS, text, f"/costs/{month}/unpriced/", "Say what to do")
    if figures.unpriced:
        return Item(
            Weight.OK,
            f"{_count(figures.unpriced, 'charge')} without a price, let through for a reason.",
            f"/costs/{month}/unpriced/",
            "Show reasons",
        )
    return Item(Weight.OK, "Every charge has a price.")


# What is only noted -------------------------------------------------------------------------------------------------


def _notes(known: Records, month: Month, figures: LineSums) -> Iterator[Item]:
    if figures.inferred:
        money = ", ".join(
            money_text(amount, currency) for currency, amount in figures.inferred_totals.items()
        )
        text = f"{_count(figures.inferred, 'charge')} inferred from what is known, {money}."
        yield Item(Weight.NOTED, text, f"/costs/{month}/lines/", "Show every line")
    if figures.corrections:
        text = f"{_count(figures.corrections, 'correction')} in it."
        yield Item(Weight.NOTED, text, "/costs/corrections/", "Show corrections")
    if proposed := len(late.proposals(known)):
        text = f"{_count(proposed, 'correction')} of closed months proposed and not posted."
        yield Item(Weight.NOTED, text, "/costs/corrections/", "Look at them")
    if doubtful := _doubtful(known, month):
        text = (
            f"{_count(doubtful, 'number')} may be billed for it although we charge nothing: not seen in it, "
        )
        yield Item(Weight.NOTED, f"{text}but came or went around its limits.")
    yield from _gaps(known, month)
    for to in currencies_to(known, month):
        if isinstance(missing := converted(known, month, figures.totals, to), list):
            told = f"{'; '.join(missing)}: the total in {to} is not shown."
            yield Item(Weight.NOTED, told[:1].upper() + told[1:], "/costs/rates/", "Show the rates")


def _gaps(known: Records, month: Month) -> Iterator[Item]:
    start, end = known.calendar.start(month), known.calendar.end(month)
    held = SyncRun.objects.filter(status=RunStatus.GUARDED, decision="", started_at__gte=start)
    if (count := held.count()) and (run := held.order_by("-id").first()):
        text = f"{_count(count, 'sync')} held numbers back and nobody has decided on them."
        yield Item(Weight.NOTED, text, f"/sync/{run.pk}/", "Show the sync")
    gaps = AuditEvent.objects.filter(verb="sync.gap", at__gte=start, at__lt=end + (end - start)).count()
    if gaps:
        yield Item(Weight.NOTED, f"{_count(gaps, 'long gap')} between syncs in it or right after it.")


def _doubtful(known: Records, month: Month) -> int:
    """Numbers that came or went in an interval over a limit of the month, and are not charged in it."""
    start, end = known.calendar.start(month), known.calendar.end(month)
    came = Q(acquired_at__isnull=True, acquired_from__lt=end, acquired_to__gte=end)
    went = Q(ended_from__lt=start, ended_to__gte=start)
    near = set(OwnedNumber.objects.filter(came | went).values_list("id", flat=True))
    return sum(
        not charges(held.possession, month, month, known.calendar) for held in held_with(near, known.listed)
    )
