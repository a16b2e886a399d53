"""How a month stands with its invoices, for the checklist of its close and for its FOCUS file."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, Sum

from numbersadmin.costs.selectors import Month, Records
from numbersadmin.costs.services import Item, Weight
from numbersadmin.formats import when
from numbersadmin.invoices.models import AGREED, Ignored, Invoice, State
from numbersadmin.money import ZERO, Totals


def _rows(count: int) -> str:
    return "1 row with money is" if count == 1 else f"{count:,} rows with money are"


def _differ(count: int) -> str:
    return "1 line differs" if count == 1 else f"{count:,} lines differ"


@dataclass(frozen=True, slots=True)
class Standing:
    """One compared invoice of a month in one currency, as of its last comparison.

    `differing` lines have a difference that is not posted, `rounded` of them by rounding only; `left_out` rows of the
    invoice, whatever their currency, hold money or what cannot be read, and are in no sum; `ignored` rows are so
    because a person said it.
    """

    invoice_id: int
    reference: str
    compared_at: datetime
    currency: str
    total: Decimal
    remaining: Decimal
    differing: int
    rounded: int
    left_out: int
    ignored: int

    @property
    def reconciled(self) -> bool:
        """Does it agree to the last decimal, line by line?"""
        return not self.differing and not self.left_out


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
        """The invoice that the month agrees with in a currency, every row of it; empty unless it is exactly one."""
        found = [one for one in self.standings if one.currency == currency]
        return found[0].reference if len(found) == 1 and found[0].reconciled and not found[0].ignored else ""

    @property
    def words(self) -> str:
        """For a checklist, in one sentence."""
        if not self.standings:
            return "An invoice is uploaded, not compared" if self.drafts else "No invoice is uploaded"
        names = ", ".join(dict.fromkeys(one.reference for one in self.standings))
        if self.reconciled:
            compared = min(one.compared_at for one in self.standings)
            return f"Agrees with {names}, without any difference, as compared on {when(compared, 'full')}"
        rounded = sum(one.rounded for one in self.standings)
        differing = sum(one.differing for one in self.standings) - rounded
        left_out = sum({one.invoice_id: one.left_out for one in self.standings}.values())
        told = [_differ(differing)] if differing else []
        told += [f"{_differ(rounded)} by rounding only"] if rounded else []
        told += [f"{_rows(left_out)} in no sum"] if left_out else []
        told += [f"{self.drafts:,} uploaded, not compared"] if self.drafts else []
        return f"{names}: {', '.join(told)}"


def state_of(month: Month) -> MonthInvoices:
    """How a month stands with its invoices: none, differences, or agreement."""
    drafts, standings = 0, []
    for invoice in Invoice.objects.filter(month=str(month)).order_by("id"):
        if invoice.state == State.DRAFT or invoice.compared_at is None:
            drafts += 1
            continue
        money = invoice.rows.filter(amount__isnull=False).exclude(amount=0)
        without = money.filter(ignored__in=[Ignored.NO_NUMBER, Ignored.NOT_A_NUMBER]).count()
        left_out = without + invoice.rows.filter(ignored=Ignored.UNREADABLE).count()
        ignored = money.filter(ignored=Ignored.PERSON).count()
        differing = ~Q(difference=0)
        sums: dict[str, Any] = {"total": Sum("theirs"), "remaining": Sum("difference")}
        sums["differing"] = Count("id", filter=differing)
        sums["rounded"] = Count("id", filter=differing & Q(status__in=AGREED))
        found = invoice.lines.order_by("currency").values("currency").annotate(**sums)
        standings += [
            Standing(
                invoice.pk,
                invoice.reference,
                invoice.compared_at,
                row["currency"],
                row["total"] or ZERO,
                row["remaining"] or ZERO,
                row["differing"],
                row["rounded"],
                left_out,
                ignored,
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
