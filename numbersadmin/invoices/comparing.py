"""Comparing an invoice with our costs: rows are read by the chosen columns, and lines are made anew each time."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import datetime
from itertools import chain
from typing import Any

from django.db import transaction
from django.db.models import F

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import event, record, record_all
from numbersadmin.costs.selectors import Month, Records
from numbersadmin.invoices import mapping, ours
from numbersadmin.invoices.mapping import Mapping
from numbersadmin.invoices.matching import Billed, Key, Line, compare
from numbersadmin.invoices.models import Ignored, Invoice, InvoiceLine, State, Status, Why
from numbersadmin.money import Totals
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.rows import batches, insert, new
from numbersadmin.sync.services import close_billed, tell_billed

BATCH = 2_000
FEW = 10
"""So many numbers that were never ours are told of in any case; above it, not when they are most of the invoice."""


class InvoiceError(Exception):
    """Nothing was changed; the message says why and what to do."""


def claim(invoice: Invoice, **facts: Any) -> None:
    """Take the turn at an invoice as it was seen, until the caller's transaction ends. Raises InvoiceError."""
    seen = Invoice.objects.filter(pk=invoice.pk, comparison=invoice.comparison)
    if seen.update(**(facts or {"comparison": F("comparison")})) != 1:
        raise InvoiceError("Somebody compared or discarded this invoice meanwhile. Look at it again.")


def choose_columns(*, actor: User, invoice: Invoice, by: Mapping, known: Records, now: datetime) -> None:
    """Read all rows by these columns, and compare. Raises InvoiceError when no row can be used."""
    with transaction.atomic():
        _begin(actor, invoice, by, now)
        _read_rows(invoice, by)
        if not invoice.rows.filter(ignored="").exists():
            raise InvoiceError(
                "No row holds a number and an amount. Choose other columns or another decimal sign."
            )
        _compare(actor, invoice, by, known, now)


def compare_again(*, actor: User, invoice: Invoice, known: Records, now: datetime) -> None:
    """Compare with our costs as they are now; the same costs give the same lines. Raises InvoiceError."""
    if invoice.state != State.COMPARED:
        raise InvoiceError("Choose the columns first.")
    by = Mapping(**invoice.mapping)
    with transaction.atomic():
        _begin(actor, invoice, by, now)
        _compare(actor, invoice, by, known, now)


def _begin(actor: User, invoice: Invoice, by: Mapping, now: datetime) -> None:
    facts = {"compared_by": actor, "compared_at": now, "mapping": by.stored(), "state": State.COMPARED}
    claim(invoice, comparison=invoice.comparison + 1, **facts)
    invoice.comparison += 1


def _read_rows(invoice: Invoice, by: Mapping) -> None:
    """What each row says; one that a person ignored stays so."""
    month, last = Month.parse(invoice.month), 0
    while rows := list(invoice.rows.filter(row__gt=last).order_by("row")[:BATCH]):
        last = rows[-1].row
        for row in rows:
            read = mapping.read(row.raw, by, currency=invoice.currency, month=month)
            if row.ignored == Ignored.PERSON:
                read = replace(read, ignored=row.ignored, reason=row.reason)
            for name, value in asdict(read).items():
                setattr(row, name, value)
        invoice.rows.filter(row__gte=rows[0].row, row__lte=last).delete()
        insert(rows)  # many times as fast as changing each of them


def _compare(actor: User, invoice: Invoice, by: Mapping, known: Records, now: datetime) -> None:
    month = Month.parse(invoice.month)
    charges = ours.charges_about(known, month, by_kind=by.by_kind)
    mine = chain(charges, ours.corrections_about(month, by_kind=by.by_kind))
    lines = list(compare(_billed(invoice), mine, currency=invoice.currency))
    _mark_never_ours(lines)
    invoice.lines.all().delete()
    for batch in batches(lines, BATCH):
        insert([_row_of(line, invoice.pk) for line in batch])
    counts = {str(status): sum(line.status == status for line in lines) for status in Status}
    differences = Totals.of((line.key.currency, line.difference) for line in lines)
    told = {"month": invoice.month, "lines": counts, "differences": dict(differences)}
    record(actor=actor, verb="invoice.compared", subject=invoice, after=told, at=now)
    _tell(actor, invoice, lines, now)


def _billed(invoice: Invoice) -> Iterator[Billed]:
    rows = invoice.rows.filter(ignored="", amount__isnull=False).order_by("row")
    of: Iterator[Any] = rows.values_list("number", "currency", "kind", "amount").iterator()
    for number, currency, kind, amount in of:
        yield Billed(Key(number, currency, kind), amount)


def _row_of(line: Line, invoice_id: int) -> InvoiceLine:
    return new(
        InvoiceLine,
        invoice_id=invoice_id,
        **line.key._asdict(),
        country=line.country,
        rows=line.rows,
        theirs=line.theirs,
        ours=line.ours,
        difference=line.difference,
        status=line.status,
        why=line.why,
        owned_number_id=line.owned_number,
        settled_by_id=line.settled_by,
    )


def _mark_never_ours(lines: list[Line]) -> None:
    """Numbers that are billed and that no sync has ever shown us."""
    asked = [line for line in lines if line.why == Why.NOT_CHARGED]
    for batch in batches(asked, 500):
        numbers = {line.key.number for line in batch}
        seen = set(OwnedNumber.objects.filter(number__in=numbers).values_list("number", flat=True))
        for line in batch:
            if line.key.number not in seen:
                line.why = Why.NEVER_OURS


def _tell(actor: User, invoice: Invoice, lines: list[Line], now: datetime) -> None:
    """Raise the numbers that were never ours, each once an invoice; close what has become ours meanwhile.

    When they are most of the invoice, the wrong column was chosen or it is another account's: nobody is told.
    """
    billed = {line.key.number for line in lines if line.rows}
    never = {line.key.number: line for line in lines if line.why == Why.NEVER_OURS}
    close_billed(numbers=billed - never.keys(), now=now)
    if len(never) > max(FEW, len(billed) // 2):
        return
    facts = {
        number: {
            "invoice": invoice.pk,
            "reference": invoice.reference,
            "month": invoice.month,
            "amount": line.theirs,
            "currency": line.key.currency,
        }
        for number, line in never.items()
    }
    told = tell_billed(facts=facts, now=now)
    record_all(
        event(
            actor=actor,
            verb="invoice.unknown_number",
            subject=invoice,
            after=facts[number],
            number=number,
            at=now,
        )
        for number in told
    )
