"""Opening a round: when it is due, and putting every number on its owner's sheet, in batches that can be resumed."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import IntegrityError, transaction

from numbersadmin.accounts.models import User
from numbersadmin.attestation.errors import AttestationError, Overtaken, Refused
from numbersadmin.attestation.models import Line, Round, Sheet
from numbersadmin.audit.services import record
from numbersadmin.formats import when
from numbersadmin.numbers.models import NumberVersion, OwnedNumber

BATCH = 2000


def today(now: datetime) -> date:
    """The day in the billing time zone, in which answers are due."""
    return now.astimezone(ZoneInfo(settings.BILLING_TIME_ZONE)).date()


def period_of(day: date) -> date | None:
    """The first day of the months for which one attestation is due; None when none is scheduled."""
    if not (months := settings.ATTESTATION_EVERY_MONTHS):
        return None
    index = day.year * 12 + day.month - 1
    index -= index % months
    return date(index // 12, index % 12 + 1, 1)


def next_period(day: date) -> date | None:
    """The first day of the months after those."""
    if not (first := period_of(day)):
        return None
    index = first.year * 12 + first.month - 1 + settings.ATTESTATION_EVERY_MONTHS
    return date(index // 12, index % 12 + 1, 1)


def due_period(now: datetime) -> date | None:
    """The period for which an attestation has to be opened now: none was, and our records reach back over its start.

    So a company that begins in the middle of a quarter is first asked at the begin of the next.
    """
    if not (first := period_of(today(now))):
        return None
    start = datetime(first.year, first.month, 1, tzinfo=ZoneInfo(settings.BILLING_TIME_ZONE))
    if Round.objects.filter(opened_at__gte=start).exists() or Round.objects.filter(period=first).exists():
        return None
    oldest = NumberVersion.objects.order_by("id").first()
    return first if oldest and oldest.valid_from < start else None


def due_on(now: datetime) -> date:
    """The last day to answer a round that is opened now."""
    return today(now) + timedelta(days=settings.ATTESTATION_DAYS)


def open_round(*, actor: User | None, now: datetime, period: date | None = None) -> Round:
    """Begin a round over all numbers owned now; `fill` puts them on sheets. Raises Refused, Overtaken."""
    if actor and not actor.can("attestation.manage"):
        raise Refused("Only an administrator starts an attestation.")
    last = OwnedNumber.objects.open().order_by("-id").first()
    if last is None:
        raise AttestationError("There is no number to ask about.")
    opened = Round(
        period=period,
        opened_at=now,
        opened_by=actor,
        due_on=due_on(now),
        numbers_to=last.pk,
    )
    try:
        with transaction.atomic():
            opened.save(force_insert=True)
            record(
                actor=actor,
                verb="attestation.opened",
                subject=opened,
                at=now,
                after={"due_on": opened.due_on, "period": period},
            )
    except IntegrityError as error:
        first = Round.objects.filter(open_mark=True).first()
        if first is None and not (period and Round.objects.filter(period=period).exists()):
            raise
        since = f" since {when(first.opened_at)}" if first else ""
        raise Overtaken(
            f"An attestation is open already{since}. Close it before you start another."
        ) from error
    return opened


def fill(*, round_id: int, now: datetime) -> None:
    """Put the numbers that are left on sheets. Whoever is interrupted is continued by whoever comes next."""
    while True:
        found = Round.objects.get(pk=round_id)
        if found.ready_at or not found.open_mark:
            return
        rows = list(
            OwnedNumber.objects.open()
            .filter(pk__gt=found.filled_to, pk__lte=found.numbers_to)
            .order_by("pk")
            .values("pk", "owner_id", "price_per_month", "currency", "cost_centre")[:BATCH]
        )
        _fill_batch(found, rows, now)


def _fill_batch(found: Round, rows: Sequence[Any], now: datetime) -> None:
    """One batch and how far it reaches, together; of two that fill at once one writes each batch."""
    ready = len(rows) < BATCH
    reached = found.numbers_to if ready else rows[-1]["pk"]
    mine = Round.objects.filter(pk=found.pk, filled_to=found.filled_to, ready_at=None)
    with transaction.atomic():
        if not mine.update(filled_to=reached, ready_at=now if ready else None):
            return
        sheets = _sheets(found, {row["owner_id"] for row in rows})
        Line.objects.bulk_create(
            [
                Line(
                    sheet_id=sheets[row["owner_id"]],
                    round=found,
                    owned_number_id=row["pk"],
                    price_per_month=row["price_per_month"],
                    currency=row["currency"],
                    cost_centre=row["cost_centre"],
                )
                for row in rows
            ],
            batch_size=500,
        )
        if ready:
            counts = {"sheets": found.sheets.count(), "numbers": found.lines.count()}
            record(actor=None, verb="attestation.prepared", subject=found, at=now, after=counts)


def _sheets(found: Round, owners: set[int | None]) -> dict[int | None, int]:
    """The sheets of these owners, owner -> sheet, made where there is none yet."""
    known: dict[int | None, int] = dict(found.sheets.values_list("owner", "pk"))
    for owner_id in sorted(owners - set(known), key=lambda pk: pk or 0):
        known[owner_id] = Sheet.objects.create(round=found, owner_id=owner_id, due_on=found.due_on).pk
    return known
