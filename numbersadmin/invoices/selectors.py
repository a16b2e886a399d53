"""What the pages of invoices show: the list, a choice of columns, how an invoice ties out, how a month stands."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q, Sum

from numbersadmin.costs.selectors import Month
from numbersadmin.invoices import mapping
from numbersadmin.invoices.mapping import KINDS, Mapping, Read
from numbersadmin.invoices.models import (
    AGREED,
    Ignored,
    Invoice,
    InvoiceLine,
    InvoiceRow,
    MappingPreset,
    Status,
)
from numbersadmin.invoices.ours import elsewhere, posted_from
from numbersadmin.money import ZERO, Totals

ROWS = 50
FIRST = 10
RESULT = ("status", "number", "kind", "currency", "invoice", "ours", "difference", "why", "row")


def invoices(page: str | None) -> Page[Any]:
    """All invoices, the latest month first, with how many lines differ, and how many by rounding only."""
    differing = ~Q(lines__difference=0)
    agreed = Q(lines__status__in=AGREED)
    found = Invoice.objects.select_related("uploaded_by").annotate(
        differing=Count("lines", filter=differing & ~agreed),
        rounded=Count("lines", filter=differing & agreed),
    )
    return Paginator(found.order_by("-month", "-id"), ROWS).get_page(page)


# Choosing columns ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Preview:
    """What a choice of columns reads from all rows, with the first ones as an example."""

    first: list[tuple[InvoiceRow, Read]] = field(default_factory=list)
    used: int = 0
    totals: Totals = field(default_factory=Totals)
    ignored: Counter[str] = field(default_factory=Counter)
    unreadable: list[tuple[int, str]] = field(default_factory=list)

    @property
    def left_out(self) -> int:
        """How many rows are ignored."""
        return self.ignored.total()

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """Why rows are ignored, and how many for each reason."""
        return [(Ignored(reason).label, count) for reason, count in self.ignored.most_common()]


def preview(invoice: Invoice, by: Mapping) -> Preview:
    """Read every row, and change nothing."""
    found, sums = Preview(), dict[str, Decimal]()
    month = Month.parse(invoice.month)
    for row in invoice.rows.order_by("row").iterator():
        read = mapping.read(row.raw, by, currency=invoice.currency, month=month)
        ignored = row.ignored if row.ignored == Ignored.PERSON else read.ignored
        if len(found.first) < FIRST:
            found.first.append((row, read))
        if ignored:
            found.ignored[ignored] += 1
            if ignored == Ignored.UNREADABLE and len(found.unreadable) < FIRST:
                found.unreadable.append((row.row, read.reason))
        else:
            found.used += 1
            sums[read.currency] = sums.get(read.currency, ZERO) + (read.amount or ZERO)
    found.totals = Totals(sums)
    return found


def preset_for(invoice: Invoice) -> MappingPreset | None:
    """The newest choice of columns that was saved for files with these headings."""
    found = MappingPreset.objects.select_related("saved_by").order_by("-saved_at", "-id")
    return found.filter(headings=mapping.digest_of(invoice.columns)).first()


# One invoice --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """The differences of one status in one currency."""

    status: Status
    count: int
    amount: Decimal

    @property
    def label(self) -> str:
        """In words; what a matched line differs by was rounded."""
        return "Rounding in matched lines" if self.status == Status.MATCHED else self.status.label


@dataclass(frozen=True, slots=True)
class TieOut:
    """One currency of an invoice: our costs, and what is to be added to them to have the invoice's total.

    `posted`: the corrections from this invoice, which are in our costs.
    """

    currency: str
    ours: Decimal
    theirs: Decimal
    parts: list[Part]
    posted: Decimal

    @property
    def remaining(self) -> Decimal:
        """The sum of all differences that are not posted."""
        return sum((part.amount for part in self.parts), ZERO)

    @property
    def rounded(self) -> bool:
        """Is rounding all that is left, so that shown amounts are the same?"""
        return bool(self.parts) and all(part.status in AGREED for part in self.parts)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """As the table has it."""
        code = self.currency
        told = [
            {"label": part.label, "amount": part.amount, "note": _lines(part.count), "sign": True}
            for part in self.parts
            if part.amount or part.status != Status.MATCHED
        ]
        ours = {
            "label": "Our costs",
            "amount": self.ours,
            "note": "What was posted is in it" if self.posted else "",
        }
        total = {"label": "Invoice", "amount": self.theirs, "total": True}
        return [line | {"currency": code} for line in (ours, *told, total)]


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count:,} lines"


def tie_outs(invoice: Invoice) -> list[TieOut]:
    """How the compared rows add up, a currency each, in the order of the codes."""
    # a line that matches is counted where it was rounded, any other always
    counted = ~Q(status=Status.MATCHED) | ~Q(difference=0)
    sums = {
        "count": Count("id", filter=counted),
        "diff": Sum("difference"),
        "mine": Sum("ours"),
        "their": Sum("theirs"),
    }
    found = invoice.lines.order_by("currency").values("currency", "status").annotate(**sums)
    corrections = posted_from(Month.parse(invoice.month), invoice.pk).only("currency", "amount")
    posted = Totals.of((one.currency, one.amount) for one in corrections)
    by_currency: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        by_currency.setdefault(row["currency"], []).append(row)
    order = {status: at for at, status in enumerate(Status)}
    return [
        TieOut(
            currency,
            ours=sum((row["mine"] or ZERO for row in rows), ZERO),
            theirs=sum((row["their"] or ZERO for row in rows), ZERO),
            parts=[
                Part(Status(row["status"]), row["count"], row["diff"])
                for row in sorted(rows, key=lambda row: order[row["status"]])
                if row["diff"] or row["status"] not in (Status.MATCHED, Status.SETTLED)
            ],
            posted=posted.get(currency, ZERO),
        )
        for currency, rows in by_currency.items()
    ]


@dataclass(frozen=True, slots=True)
class InvoicePage:
    """One invoice: how it ties out, and the lines of one status, or the rows that are ignored."""

    invoice: Invoice
    month: Month
    tie_outs: list[TieOut]
    tabs: list[dict[str, Any]]
    show: str
    page: Page[Any]
    unreadable: int
    never_ours: int
    carried: Totals  # corrections of other months that the month's statement holds
    moved: Totals  # corrections of this month that later ones hold

    @property
    def remains(self) -> bool:
        """Is there any difference that is not posted, be it by rounding?"""
        return any(part.amount for tie_out in self.tie_outs for part in tie_out.parts)


IGNORED = "ignored"
_TROUBLE = (Status.DIFFERENT, Status.ONLY_INVOICE, Status.ONLY_LEDGER, Status.AMBIGUOUS)


def invoice_page(invoice: Invoice, show: str, number: str | None) -> InvoicePage:
    """The page of a compared invoice; an unknown tab is answered with the first that needs somebody."""
    found = invoice.lines.order_by().values_list("status").annotate(count=Count("id"))
    counts: dict[str, int] = dict(found)
    counts[IGNORED] = invoice.rows.exclude(ignored="").count()
    first = next((status for status in _TROUBLE if counts.get(status)), Status.MATCHED)
    show = show if show in (*Status.values, IGNORED) else first
    labels = [*Status.choices, (IGNORED, "Ignored rows")]
    tabs = [
        {
            "text": label,
            "url": f"?show={status}",
            "current": status == show,
            "count": counts.get(status, 0),
            "hot": status in _TROUBLE and bool(counts.get(status)),
        }
        for status, label in labels
    ]
    listed: Any = invoice.rows.exclude(ignored="").select_related("ignored_by").order_by("row")
    if show != IGNORED:
        lines = invoice.lines.filter(status=show).select_related("settled_by", "owned_number")
        listed = lines.order_by("number", "currency", "kind")
    carried, moved = elsewhere(Month.parse(invoice.month))
    return InvoicePage(
        invoice,
        Month.parse(invoice.month),
        tie_outs(invoice),
        tabs,
        show,
        Paginator(listed, ROWS).get_page(number),
        invoice.rows.filter(ignored=Ignored.UNREADABLE).count(),
        invoice.lines.filter(why="never_ours").count(),
        carried,
        moved,
    )


def rows_of(line: InvoiceLine) -> list[InvoiceRow]:
    """The rows of the file that a line counts."""
    found = line.invoice.rows.filter(ignored="", number=line.number, currency=line.currency, kind=line.kind)
    return list(found.order_by("row")[:ROWS])


def result_rows(invoice: Invoice) -> Iterator[dict[str, Any]]:
    """The comparison as a file: every line, then every row that is ignored."""
    for line in invoice.lines.order_by("status", "number", "currency", "kind").iterator():
        yield {
            "status": line.status,
            "number": line.number,
            "kind": KINDS.get(line.kind, ""),
            "currency": line.currency,
            "invoice": line.theirs,
            "ours": line.ours,
            "difference": line.difference,
            "why": line.get_why_display(),
        }
    for row in invoice.rows.exclude(ignored="").order_by("row").iterator():
        why = f"{row.get_ignored_display()}: {row.reason}" if row.reason else row.get_ignored_display()
        facts = {"status": IGNORED, "number": row.number, "currency": row.currency, "invoice": row.amount}
        yield facts | {"why": why, "row": row.row}
