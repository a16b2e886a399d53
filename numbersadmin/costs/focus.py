"""The lines of a month as FOCUS 1.2, the FinOps Open Cost and Usage Specification: one row a line.

Every mandatory column is there, and of the others those that we have a value for. What is read into the
specification is in docs/costs.md. A charge whose amount is not known has no row: its costs may be neither null nor 0.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings

from numbersadmin.costs.charges import Kind
from numbersadmin.costs.ledger import Entry
from numbersadmin.costs.months import Calendar
from numbersadmin.export import BOM, plain
from numbersadmin.formats import SURELY_LONG, capability_label, type_name

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


def csv_lines(entries: Iterable[Entry], calendar: Calendar) -> Iterator[str]:
    """The rows as lines of a CSV file, one at a time; an empty cell is null."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for at, cells in enumerate(_table(entries, calendar)):
        buffer.seek(0)
        buffer.truncate()
        writer.writerow(cells)
        yield buffer.getvalue() if at else BOM + buffer.getvalue()


def _table(entries: Iterable[Entry], calendar: Calendar) -> Iterator[list[str]]:
    yield COLUMNS
    for found in rows(entries, calendar):
        yield [_cell(found[name]) for name in COLUMNS]


def rows(entries: Iterable[Entry], calendar: Calendar) -> Iterator[dict[str, Any]]:
    """Each line with an amount as column -> value; None is null."""
    same = {
        "BillingAccountId": settings.BILLING_ACCOUNT_ID,
        "BillingAccountName": None,  # the provider names no account
        "InvoiceId": None,  # a row may name an invoice only when all of its rows add up to it
        "InvoiceIssuerName": settings.PROVIDER_NAME,
        "ProviderName": settings.PROVIDER_NAME,
        "PublisherName": settings.PROVIDER_NAME,
        "ServiceCategory": "Mobile",
        "ServiceName": "Phone numbers",
        "ServiceSubcategory": "Other (Mobile)",
    }
    for entry in entries:
        if entry.charge.amount is not None:
            yield same | _costs(entry) | _what(entry) | _when(entry, calendar) | _about(entry)


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
