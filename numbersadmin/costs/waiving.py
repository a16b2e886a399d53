"""Charges without a price: finance says what they cost, or why the month may be closed without knowing it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import record
from numbersadmin.costs.ledger import Records, statement, take_turn
from numbersadmin.costs.lines import Line, line_of
from numbersadmin.costs.models import Action, LedgerLine, Origin, Waiver
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import Subject
from numbersadmin.costs.posting import CannotCorrect, last_close, post_correction
from numbersadmin.money import Totals
from numbersadmin.numbers.models import OwnedNumber


class CannotWaive(Exception):
    """The price is not waived; the message says why."""


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A charge without an amount, the waiver of its number if there is one, and what people said it cost."""

    line: Line
    waiver: Waiver | None
    told: Totals


def unpriced(known: Records, month: Month) -> list[Unpriced]:
    """Every charge of a month whose amount is not known."""
    waivers = {
        one.owned_number_id: one for one in Waiver.objects.filter(month=str(month)).select_related("by")
    }
    told: dict[int | None, Totals] = {}
    for row in LedgerLine.objects.filter(origin=Origin.PRICE, corrects=str(month)):
        told[row.owned_number_id] = told.get(row.owned_number_id, Totals()) + Totals.of(
            [(row.currency, row.amount)]
        )
    return [
        Unpriced(
            line_of(entry, known.calendar),
            waivers.get(entry.subject.id or 0),
            told.get(entry.subject.id, Totals()),
        )
        for entry in statement(known, month)
        if entry.charge.amount is None
    ]


def waive(*, month: Month, owned: OwnedNumber, reason: str, actor: User, now: datetime) -> Waiver:
    """Let the month be closed although this number's price in it is not known. Raises CannotWaive."""
    if not reason.strip():
        raise CannotWaive("Say why the month may be closed without this price.")
    try:
        with transaction.atomic():
            take_turn(month)
            last = last_close(month)
            if last is not None and last.action == Action.CLOSE:
                raise CannotWaive(f"{month.label} is closed, so there is nothing to waive.")
            return _waived(month, owned, reason.strip(), actor, now)
    except IntegrityError as error:
        raise CannotWaive("Somebody has waived this price already.") from error


def say_cost(
    *,
    known: Records,
    month: Month,
    subject: Subject,
    owned: OwnedNumber,
    amount: Decimal,
    currency: str,
    reason: str,
    actor: User,
    now: datetime,
    form_token: str | None = None,
) -> LedgerLine:
    """Post what a charge without a price cost, once, which waives the price. Raises CannotCorrect."""
    with transaction.atomic():
        take_turn(month)
        if LedgerLine.objects.filter(origin=Origin.PRICE, corrects=str(month), owned_number=owned).exists():
            raise CannotCorrect("Somebody has said what it cost already. Correct that where it is not right.")
        posted = post_correction(
            known=known,
            subject=subject,
            amount=amount,
            currency=currency,
            reason=reason,
            actor=actor,
            now=now,
            origin=Origin.PRICE,
            corrects=month,
            form_token=form_token,
        )
        told = Waiver.objects.filter(month=str(month), owned_number=owned).exists()
        if not told and posted.month == str(month):
            _waived(month, owned, posted.note, actor, now)
    return posted


def _waived(month: Month, owned: OwnedNumber, reason: str, actor: User, now: datetime) -> Waiver:
    made = Waiver.objects.create(month=str(month), owned_number=owned, reason=reason, at=now, by=actor)
    record(
        actor=actor,
        verb="cost.price_waived",
        subject=made,
        after={"month": str(month)},
        reason=reason,
        related=owned,
        number=owned.number,
        at=now,
    )
    return made
