"""Invoices are uploaded, compared with our costs, put right row by row, and discarded."""

from datetime import datetime
from typing import IO

from django.db import IntegrityError, transaction

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import record
from numbersadmin.costs.selectors import Month, Records
from numbersadmin.invoices import reading
from numbersadmin.invoices.comparing import BATCH, InvoiceError, claim, compare_again
from numbersadmin.invoices.mapping import Mapping, digest_of
from numbersadmin.invoices.models import Ignored, Invoice, InvoiceRow, MappingPreset
from numbersadmin.invoices.ours import posted_from
from numbersadmin.rows import batches, insert, new


class AlreadyUploaded(InvoiceError):
    """The same file is here already; `first` is the invoice it became."""

    def __init__(self, first: Invoice) -> None:
        super().__init__(
            f"This file was uploaded already by {first.uploaded_by.display_name}, as {first.reference}."
        )
        self.first = first


def upload(
    *,
    actor: User,
    file: IO[bytes],
    file_name: str,
    encoding: str,
    month: Month,
    currency: str,
    reference: str,
    now: datetime,
) -> Invoice:
    """A draft with all rows of a file, whose columns are chosen next. The file itself is not kept.

    Raises reading.Unreadable before anything is stored, and AlreadyUploaded for the same file.
    """
    sheet = reading.check(file, encoding)
    first = Invoice.objects.select_related("uploaded_by").filter(sha256=sheet.sha256)
    if known := first.first():
        raise AlreadyUploaded(known)
    try:
        with transaction.atomic():
            invoice = Invoice.objects.create(
                month=str(month),
                currency=currency,
                reference=reference,
                sha256=sheet.sha256,
                file_name=file_name[-200:],
                encoding=sheet.encoding,
                columns=sheet.headings,
                row_count=sheet.count,
                uploaded_by=actor,
                uploaded_at=now,
            )
            for batch in batches(reading.rows(file, sheet), BATCH):
                insert([new(InvoiceRow, invoice_id=invoice.pk, row=row, raw=cells) for row, cells in batch])
            told = {"month": invoice.month, "rows": sheet.count, "file": file_name, "sha256": sheet.sha256}
            record(actor=actor, verb="invoice.uploaded", subject=invoice, after=told, at=now)
    except IntegrityError as error:
        if known := first.first():
            raise AlreadyUploaded(known) from error
        raise
    return invoice


def discard(*, actor: User, invoice: Invoice, reason: str, now: datetime) -> None:
    """Take an invoice away with its rows, so that its file can be uploaded again. Raises InvoiceError."""
    with transaction.atomic():
        claim(invoice)
        if posted_from(Month.parse(invoice.month), invoice.pk).exists():
            raise InvoiceError("Differences of this invoice were posted, so it stays on record.")
        told = {"month": invoice.month, "rows": invoice.row_count, "sha256": invoice.sha256}
        record(actor=actor, verb="invoice.discarded", subject=invoice, before=told, reason=reason, at=now)
        invoice.delete()


def save_preset(*, actor: User, name: str, invoice: Invoice, by: Mapping, now: datetime) -> None:
    """Keep the choice of columns for files with the same headings; raises InvoiceError when others have the name."""
    headings = digest_of(invoice.columns)
    facts = {"mapping": by.stored(), "saved_by": actor, "saved_at": now}
    with transaction.atomic():
        saved, made = MappingPreset.objects.get_or_create(name=name, defaults={"headings": headings, **facts})
        if made:
            return
        if not MappingPreset.objects.filter(pk=saved.pk, headings=headings).update(**facts):
            raise InvoiceError(f"“{name}” is for files with other headings. Choose another name.")


def ignore_row(
    *, actor: User, invoice: Invoice, row: int, reason: str, known: Records, now: datetime
) -> None:
    """Leave a row out of all sums, for a reason, and compare again. Raises InvoiceError."""
    with transaction.atomic():
        claim(invoice)  # before its rows, as all others do
        counted = InvoiceRow.objects.filter(invoice=invoice, row=row).exclude(ignored=Ignored.PERSON)
        if counted.update(ignored=Ignored.PERSON, reason=reason, ignored_by=actor) != 1:
            raise InvoiceError(f"Row {row} is ignored already, or not in the file. Nothing was changed.")
        told = {"row": row}
        record(actor=actor, verb="invoice.row_ignored", subject=invoice, after=told, reason=reason, at=now)
        compare_again(actor=actor, invoice=invoice, known=known, now=now)
