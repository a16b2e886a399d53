"""What the pages of invoices show: the list, a choice of columns, how an invoice ties out, how a month stands."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q, Sum

from numbersadmin.costs.selectors import Month, Records
from numbersadmin.costs.services import Item, Weight
from numbersadmin.invoices import mapping
from numbersadmin.invoices.mapping import KINDS, Mapping, Read
from numbersadmin.invoices.models import (
    AGREED,
    Ignored,
    Invoice,
    InvoiceLine,
    InvoiceRow,
    MappingPreset,
    State,
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


def _differ(count: int) -> str:
    return f"{_lines(count)} differ{'s' * (count == 1)}"


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


# A month ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """One compared invoice of a month in one currency, as of its last comparison.

    `differing` lines have a difference that is not posted, `rounded` of them by rounding only; `unreadable` rows of
    the invoice, whatever their currency, are in no sum.
    """

    invoice_id: int
    reference: str
    currency: str
    total: Decimal
    remaining: Decimal
    differing: int
    rounded: int
    unreadable: int

    @property
    def reconciled(self) -> bool:
        """Does it agree to the last decimal, line by line?"""
        return not self.differing and not self.unreadable


@dataclass(frozen=True, slots=True)
class MonthInvoices:
    """What is known of the invoices of a month; `drafts` are uploaded and not compared."""

    drafts: int
    standings: list[Standing]

    @property
    def reconciled(self) -> bool:
        """Is there an invoice, and do all of them agree?"""
        return bool(self.standings) and not self.drafts and all(one.reconciled for one in self.standings)

    @property
    def remaining(self) -> Totals:
        """What the differences that are not posted add up to."""
        return Totals.of((one.currency, one.remaining) for one in self.standings)

    def reference(self, currency: str) -> str:
        """The invoice that the month agrees with in a currency; empty unless it is exactly one."""
        found = [one for one in self.standings if one.currency == currency]
        return found[0].reference if len(found) == 1 and found[0].reconciled else ""

    @property
    def words(self) -> str:
        """For a checklist, in one sentence."""
        if not self.standings:
            return "An invoice is uploaded, not compared" if self.drafts else "No invoice is uploaded"
        names = ", ".join(dict.fromkeys(one.reference for one in self.standings))
        if self.reconciled:
            return f"Agrees with {names}, without any difference"
        rounded = sum(one.rounded for one in self.standings)
        differing = sum(one.differing for one in self.standings) - rounded
        unreadable = sum({one.invoice_id: one.unreadable for one in self.standings}.values())
        told = [_differ(differing)] if differing else []
        told += [f"{_differ(rounded)} by rounding only"] if rounded else []
        told += [f"{unreadable:,} row{'s' * (unreadable != 1)} cannot be read"] if unreadable else []
        told += [f"{self.drafts:,} uploaded, not compared"] if self.drafts else []
        return f"{names}: {', '.join(told)}"


def state_of(month: Month) -> MonthInvoices:
    """How a month stands with its invoices: none, differences, or agreement."""
    drafts, standings = 0, []
    for invoice in Invoice.objects.filter(month=str(month)).order_by("id"):
        if invoice.state == State.DRAFT:
            drafts += 1
            continue
        unreadable = invoice.rows.filter(ignored=Ignored.UNREADABLE).count()
        sums: dict[str, Any] = {"total": Sum("theirs"), "remaining": Sum("difference")}
        differing = ~Q(difference=0)
        sums["differing"] = Count("id", filter=differing)
        sums["rounded"] = Count("id", filter=differing & Q(status__in=AGREED))
        found = invoice.lines.order_by("currency").values("currency").annotate(**sums)
        standings += [
            Standing(
                invoice.pk,
                invoice.reference,
                row["currency"],
                row["total"] or ZERO,
                row["remaining"] or ZERO,
                row["differing"],
                row["rounded"],
                unreadable,
            )
            for row in found
        ]
    return MonthInvoices(drafts, standings)


def on_checklist(known: Records, month: Month) -> Item:
    """How a month stands with its invoices, for the checklist of its close. It never stands against closing."""
    weight = Weight.OK if (state := state_of(month)).reconciled else Weight.NOTED
    return Item(weight, f"{state.words}.", "/invoices/", "Show the invoices")


def reference(month: Month, totals: Totals) -> dict[str, str]:
    """Currency -> the invoice that agrees line by line and adds up to the same, to the last decimal."""
    state = state_of(month)
    exact = {one.currency: one.total for one in state.standings}
    return {
        currency: found
        for currency, amount in totals.items()
        if (found := state.reference(currency)) and exact[currency] == amount
    }
