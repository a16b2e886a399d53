"""What we say a month cost, as an invoice is compared with it: its charges, and all corrections that are about it.

A correction counts for the month that it is about, whichever month carries it: once a difference is posted, both
sides agree, also where the month itself is closed and no longer changes.
"""

from collections.abc import Iterator

from django.db.models import Q, QuerySet

from numbersadmin.costs.models import LedgerLine, Origin
from numbersadmin.costs.selectors import Kind, Month, Records, statement
from numbersadmin.invoices.mapping import MONTHLY, SETUP
from numbersadmin.invoices.matching import Key, Ours
from numbersadmin.money import Totals

_OF = "id number currency country amount owned_number_id origin form_token".split()


def token(invoice_id: int, line_id: int, kind: str) -> str:
    """The mark of a difference that is posted: the same one is never posted twice. Its end tells the kind.

    Comparing again makes new lines, so a difference that arises later is another one.
    """
    return f"invoice:{invoice_id}:{line_id}:{kind}"


def posted_from(month: Month, invoice_id: int) -> QuerySet[LedgerLine]:
    """The corrections that were posted from one invoice of a month."""
    return corrections(month).filter(origin=Origin.INVOICE, form_token__startswith=f"invoice:{invoice_id}:")


def charges_about(known: Records, month: Month, *, by_kind: bool) -> Iterator[Ours]:
    """The charges of a month, without any correction."""
    for entry in statement(known, month):
        charge, subject = entry.charge, entry.subject
        if charge.kind is Kind.ADJUSTMENT:
            continue
        kind = "" if not by_kind else SETUP if charge.kind is Kind.SETUP else MONTHLY
        key = Key(subject.number, charge.currency, kind)
        yield Ours(key, charge.amount, subject.country, subject.id)


def corrections_about(month: Month, *, by_kind: bool) -> Iterator[Ours]:
    """The corrections about a month; those of a person count as monthly cost where kinds are told apart."""
    found = corrections(month).order_by("id")
    for pk, number, code, country, amount, owned, origin, mark in found.values_list(*_OF).iterator():
        ours = origin == Origin.INVOICE
        setup = ours and (mark or "").endswith(f":{SETUP}")
        key = Key(number, code, "" if not by_kind else SETUP if setup else MONTHLY)
        yield Ours(key, amount, country, owned, pk if ours else None)


def corrections(month: Month) -> QuerySet[LedgerLine]:
    """The rows of the ledger that correct a month."""
    about = Q(corrects=str(month)) | Q(month=str(month), corrects="")
    return LedgerLine.objects.filter(about, kind=Kind.ADJUSTMENT)


def elsewhere(month: Month) -> tuple[Totals, Totals]:
    """What the month's statement carries about other months, and what other months carry about it."""
    rows = LedgerLine.objects.filter(kind=Kind.ADJUSTMENT)
    carried = rows.filter(month=str(month)).exclude(corrects__in=["", str(month)])
    moved = rows.filter(corrects=str(month)).exclude(month=str(month))
    into, out = (
        Totals.of((row.currency, row.amount) for row in found.only("currency", "amount"))
        for found in (carried, moved)
    )
    return into, out
