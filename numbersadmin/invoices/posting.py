"""Posting differences to an invoice: each is one correction, made once, and only while the figures still hold."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import QuerySet

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import record
from numbersadmin.costs.models import LedgerLine, Origin
from numbersadmin.costs.selectors import Month, Records
from numbersadmin.costs.services import CannotCorrect, Subject, held_with, post_correction, take_turn
from numbersadmin.invoices import ours
from numbersadmin.invoices.comparing import InvoiceError, claim
from numbersadmin.invoices.mapping import Mapping
from numbersadmin.invoices.matching import Key, Ours
from numbersadmin.invoices.models import AGREED, Invoice, InvoiceLine, Status
from numbersadmin.money import ZERO
from numbersadmin.numbers.models import OwnedNumber

AT_ONCE = 500
"""So many differences are posted in one transaction."""
_ROWS_NAMED = 5


class CannotPost(InvoiceError):
    """No difference was posted; the message says why and what to do."""


def post(*, actor: User, lines: Sequence[InvoiceLine], known: Records, now: datetime) -> list[LedgerLine]:
    """Post the differences of lines of one invoice, all or none, as they were seen. Raises CannotPost.

    Our side is read again in the turn of the month that takes the corrections: whatever was posted or learned since
    the comparison, from this invoice, from another one or by hand, makes the difference another one.
    """
    if not lines:
        raise CannotPost("There is no difference to post.")
    invoice = lines[0].invoice
    month, by = Month.parse(invoice.month), Mapping(**invoice.mapping)
    keys = {Key(line.number, line.currency, line.kind) for line in lines}
    charges = _sums(keys, ours.charges_about(known, month, by_kind=by.by_kind))
    try:
        with transaction.atomic():
            if known.to_close:
                take_turn(known.to_close)
            claim(invoice)
            corrections = ours.corrections_about(month, by_kind=by.by_kind)
            mine = _sums(keys, corrections, charges)
            subjects = _subjects(lines, known)
            return [_post(actor, line, subjects[line.pk], mine, known, now) for line in lines]
    except (CannotCorrect, InvoiceError) as problem:
        raise CannotPost(str(problem)) from problem


def post_all(
    *, actor: User, invoice: Invoice, roundings: bool, known: Records, now: datetime
) -> tuple[int, int]:
    """Post the first differences of an invoice as it was seen (`comparison`), AT_ONCE of them; returns how many
    were posted and how many wait. Raises CannotPost.
    """
    lines = postable(invoice, roundings=roundings)
    chosen = list(lines[:AT_ONCE])
    for line in chosen:
        line.invoice = invoice
    posted = post(actor=actor, lines=chosen, known=known, now=now)
    return len(posted), lines.count()


def postable(invoice: Invoice, *, roundings: bool) -> QuerySet[InvoiceLine]:
    """The lines whose difference can be posted, in the order of their numbers; roundings are those that match."""
    found = invoice.lines.exclude(difference=0).exclude(status=Status.AMBIGUOUS)
    found = found if roundings else found.exclude(status__in=AGREED)
    return found.order_by("number", "currency", "kind")


def _sums(
    keys: set[Key], parts: Iterable[Ours], start: dict[Key, Decimal] | None = None
) -> dict[Key, Decimal]:
    """What our side says of each key; one that it says nothing of is not in it."""
    sums = dict(start or {})
    for part in parts:
        if part.key in keys and part.amount is not None:
            sums[part.key] = sums.get(part.key, ZERO) + part.amount
    return sums


def _post(
    actor: User, line: InvoiceLine, subject: Subject, mine: dict[Key, Decimal], known: Records, now: datetime
) -> LedgerLine:
    name = line.number or "costs without a number"
    if mine.get(Key(line.number, line.currency, line.kind)) != line.ours:
        raise CannotPost(
            f"Our costs of {name} have changed since the comparison. Nothing was posted: compare again, then decide."
        )
    if line.status == Status.AMBIGUOUS:
        raise CannotPost(f"It is not clear which of our numbers {name} is. Correct the right one in Costs.")
    invoice = line.invoice
    posted = post_correction(
        known=known,
        subject=subject,
        amount=line.difference,
        currency=line.currency,
        reason=f"Invoice {invoice.reference}, {_place(line, invoice.mapping['description'])}",
        actor=actor,
        now=now,
        origin=Origin.INVOICE,
        corrects=Month.parse(invoice.month),
        form_token=ours.token(invoice.pk, line.pk, line.kind),
    )
    as_seen = InvoiceLine.objects.filter(pk=line.pk, difference=line.difference)
    settled = {"status": Status.SETTLED, "difference": 0, "ours": line.theirs or ZERO, "why": ""}
    if as_seen.update(settled_by=posted, **settled) != 1:
        raise CannotPost(f"Somebody was first at {name}. Nothing was posted.")
    told = {"amount": line.difference, "currency": line.currency, "corrects": invoice.month}
    record(
        actor=actor,
        verb="invoice.difference_posted",
        subject=invoice,
        after=told,
        number=line.number,
        reason=posted.note,
        at=now,
    )
    return posted


def _place(line: InvoiceLine, description: int | None) -> str:
    """Where on the invoice it stands: `row 12: Monthly fee`, `rows 12 and 13`, `not on it`."""
    if not line.rows:
        return "not on it"
    counted = line.invoice.rows.filter(ignored="", number=line.number, currency=line.currency, kind=line.kind)
    found = list(counted.order_by("row")[:_ROWS_NAMED])
    if line.rows == 1:
        said = "" if description is None else found[0].raw[description]
        return f"row {found[0].row}" + (f": {said}" if said else "")
    rows = [str(one.row) for one in found]
    last = f"{line.rows - len(rows)} more" if line.rows > len(rows) else rows.pop()
    return f"rows {', '.join(rows)} and {last}"


def _subjects(lines: Sequence[InvoiceLine], known: Records) -> dict[int, Subject]:
    """Line -> what its correction is about: the newest record of its number, or only the number without one."""
    without = {line.number for line in lines if line.owned_number_id is None and line.number}
    newest: dict[str, dict[str, int]] = defaultdict(dict)
    found = OwnedNumber.objects.filter(number__in=without).order_by("id")
    for number, country, pk in found.values_list("number", "country", "id"):
        newest[number][country] = pk
    ids = {number: max(of.values()) for number, of in newest.items() if len(of) == 1}
    owned = {line.pk: line.owned_number_id or ids.get(line.number) for line in lines}
    held = {one.subject.id: one.subject for one in held_with(filter(None, owned.values()), known.listed)}
    return {line.pk: held.get(owned[line.pk]) or Subject(None, number=line.number) for line in lines}
