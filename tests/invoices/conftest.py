"""Invoices of October 2026, uploaded and compared as finance does it."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from numbersadmin.costs import selectors as costs
from numbersadmin.costs.selectors import Month
from numbersadmin.invoices import comparing, services
from numbersadmin.invoices.mapping import Mapping
from numbersadmin.invoices.models import Invoice
from tests.costs.closed import freeze
from tests.costs.conftest import at, november, story, two_months

__all__ = ["november", "story", "two_months"]
NOW = at("2026-11-20 12:00")
OCTOBER = Month.parse("2026-10")
BY = Mapping(number=0, amount=1)
HEADINGS = "Number;Amount;Description\n"
AGREES = f"{HEADINGS}447860041117;2.903226;GB\n79029555551;15;RU\n4915112345678;8;DE\n"
"""What October costs in euros by the example of docs/costs.md."""


def upload(cast: Any, text: str | bytes, **more: Any) -> Invoice:
    """A file as it was uploaded for October, in euros."""
    data = text.encode() if isinstance(text, str) else text
    facts = {
        "month": OCTOBER,
        "currency": "EUR",
        "reference": "INV-7",
        "encoding": "auto",
        "file_name": "a.csv",
    }
    return services.upload(actor=cast.finance, file=io.BytesIO(data), now=NOW, **facts | more)


@pytest.fixture
def compared(two_months: Any, november: Any, cast: Any) -> Callable[..., Invoice]:
    """Upload a file and compare it: `compared(text, by=Mapping(...), currency="")`."""

    def compare(text: str | bytes, by: Mapping = BY, **more: Any) -> Invoice:
        invoice = upload(cast, text, **more)
        known = costs.records(NOW)
        comparing.choose_columns(actor=cast.finance, invoice=invoice, by=by, known=known, now=NOW)
        invoice.refresh_from_db()
        return invoice

    return compare


def again(cast: Any, invoice: Invoice) -> None:
    """Compare with our costs as they are now."""
    comparing.compare_again(actor=cast.finance, invoice=invoice, known=costs.records(NOW), now=NOW)


def lines(invoice: Invoice) -> dict[str, tuple[str, str]]:
    """number -> status and difference."""
    return {one.number: (one.status, f"{one.difference:f}") for one in invoice.lines.all()}


def close(cast: Any, text: str) -> None:
    """Finance closes the month."""
    freeze(text, cast.finance, NOW)
