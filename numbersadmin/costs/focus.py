"""The lines of a month as FOCUS 1.2, the FinOps Open Cost and Usage Specification: one row a line.

Every mandatory column is there, and of the others those that we have a value for. What is read into the
specification is in docs/costs.md. A charge whose amount is not known has no row: its costs may be neither null nor 0.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings

from numbersadmin.costs.charges import Kind
from numbersadmin.costs.digest import totals_in
from numbersadmin.costs.ledger import Entry, Records, State, statement
from numbersadmin.costs.months import Calendar, Month
from numbersadmin.export import BOM, plain
from numbersadmin.formats import SURELY_LONG, capability_label, type_name
from numbersadmin.money import Totals

COLUMNS = (
    "BilledCost BillingAccountId BillingAccountName BillingCurrency BillingPeriodEnd BillingPeriodStart"
    " ChargeCategory ChargeClass ChargeDescription ChargeFrequency ChargePeriodEnd ChargePeriodStart"
    " ContractedCost ContractedUnitPrice EffectiveCost InvoiceId InvoiceIssuerName ListCost ListUnitPrice"
    " PricingCategory PricingQuantity PricingUnit ProviderName PublisherName ResourceId ResourceName ResourceType"
    " ServiceCategory ServiceName ServiceSubcategory Tags"
    " x_Basis x_CorrectsMonth x_MonthRevision x_NumberCountry x_Shared"
).split()
_UNITS = {Kind.SETUP: "Units", Kind.INITIAL: "Units", Kind.RECURRING: "Months"}
_WORDS = {Kind.SETUP: "Set-up", Kind.INITIAL: "First month", Kind.RECURRING: "Monthly rental"}
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")


INVOICES: list[Callable[[Month, Totals], dict[str, str]]] = []
"""What knows of invoices adds itself: a month and its exact totals -> the invoice of each currency that agrees."""


def invoices_of(known: Records, month: Month) -> dict[str, str]:
    """Currency -> the invoice that all rows of a closed month add up to, where there is one.

    A row may name an invoice only when all rows that name it add up to it (InvoiceId of the specification).
    """
    if known.state(month) is not State.CLOSED:
        return {}
    totals, found = totals_in(known.closes[month].totals), dict[str, str]()
    for agreeing in INVOICES:
        found |= agreeing(month, totals)
    return found


def csv_lines(known: Records, month: Month) -> Iterator[str]:
    """The rows of a month as lines of a CSV file, one at a time; an empty cell is null."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for at, cells in enumerate(_table(known, month)):
        buffer.seek(0)
        buffer.truncate()
        writer.writerow(cells)
        yield buffer.getvalue() if at else BOM + buffer.getvalue()


def _table(known: Records, month: Month) -> Iterator[list[str]]:
    yield COLUMNS
    for found in rows(known, month):
        yield [_cell(found[name]) for name in COLUMNS]


def rows(known: Records, month: Month) -> Iterator[dict[str, Any]]:
    """Each line with an amount as column -> value; None is null."""
    same = {
        "BillingAccountId": settings.BILLING_ACCOUNT_ID,
        "BillingAccountName": None,  # the provider names no account
        "InvoiceIssuerName": settings.PROVIDER_NAME,
        "ProviderName": settings.PROVIDER_NAME,
        "PublisherName": settings.PROVIDER_NAME,
        "ServiceCategory": "Mobile",
        "ServiceName": "Phone numbers",
        "ServiceSubcategory": "Other (Mobile)",
    }
    invoices = invoices_of(known, month)
    for entry in statement(known, month):
        if entry.charge.amount is not None:
            invoice = {"InvoiceId": invoices.get(entry.charge.currency)}
            yield same | invoice | _costs(entry) | _what(entry) | _when(entry, known.calendar) | _about(entry)


def _costs(entry: Entry) -> dict[str, Any]:
    charge = entry.charge
    costs = dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), charge.amount)
    unit = _UNITS.get(charge.kind)  # a correction has neither unit nor price of one
    price = charge.amount if unit else None
    return costs | {
        "BillingCurrency": charge.currency,
        "ContractedUnitPrice": price,
        "ListUnitPrice": price,
        "PricingCategory": "Standard" if unit else None,
        "PricingQuantity": Decimal(1) if unit else None,
        "PricingUnit": unit,
    }


def _what(entry: Entry) -> dict[str, Any]:
    charge = entry.charge
    correction = charge.kind is Kind.ADJUSTMENT
    earlier = entry.corrects is not None and entry.corrects < charge.month
    return {
        "ChargeCategory": "Adjustment" if correction else "Purchase",
        "ChargeClass": "Correction" if earlier else None,
        "ChargeDescription": _description(entry),
        "ChargeFrequency": "One-Time" if correction or charge.kind is Kind.SETUP else "Recurring",
        "x_Basis": str(charge.basis),
        "x_CorrectsMonth": str(entry.corrects) if entry.corrects else None,
        "x_MonthRevision": str(entry.revision) if entry.revision else None,
    }


def _description(entry: Entry) -> str:
    """`Monthly rental +447860041117 (GB, SMS)`; of a correction its reason."""
    subject = entry.subject
    number = subject.number
    if number.isdigit() and len(number) >= SURELY_LONG:  # as e164() has it, without asking the number plan
        number = f"+{number}"
    if entry.charge.kind is Kind.ADJUSTMENT:
        return " ".join(f"Correction {number}: {entry.charge.note}".replace(" :", ":").split())
    facts = [subject.country, *map(capability_label, filter(None, subject.capabilities.split(",")))]
    return f"{_WORDS[entry.charge.kind]} {number} ({', '.join(filter(None, facts))})"


def _when(entry: Entry, calendar: Calendar) -> dict[str, Any]:
    charge = entry.charge
    return {
        "BillingPeriodStart": calendar.start(charge.month),
        "BillingPeriodEnd": calendar.end(charge.month),
        "ChargePeriodStart": charge.period_start,
        "ChargePeriodEnd": charge.period_end,
    }


def _about(entry: Entry) -> dict[str, Any]:
    subject = entry.subject
    tags: dict[str, Any] = {f"label:{label}": True for label in subject.labels}
    whose = {"cost_centre": subject.cost_centre, "owner": subject.owner}
    tags |= {name: value for name, value in whose.items() if value}
    return {
        "ResourceId": subject.number_key or None,
        "ResourceName": subject.number or None,
        "ResourceType": (type_name(subject.type) or "Phone number") if subject.number_key else None,
        "Tags": tags or None,
        "x_NumberCountry": subject.country or None,
        "x_Shared": subject.shared if subject.number_key else None,
    }


def _cell(value: Any) -> str:
    """A value as the specification writes it: 6 decimals at most and no exponent, UTC with Z, objects as JSON."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    if isinstance(value, bool):
        return "true" if value else "false"
    return _harmless(value)


def _harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula: a first character that could begin one is percent-encoded."""
    return f"%{ord(text[0]):02X}{text[1:]}" if text.startswith(_RISKY) else text
