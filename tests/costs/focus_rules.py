"""What FOCUS 1.2 demands of the rows that we export, written from the specification, not from our code.

Source: FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec, specification/columns/*.md and specification/attributes/*.md of
version 1.2. Each finding names its rule: the column or attribute, and what it must be. A cell is text; "" is null.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

Row = dict[str, str]

MANDATORY = (
    "BilledCost BillingAccountId BillingAccountName BillingCurrency BillingPeriodEnd BillingPeriodStart"
    " ChargeCategory ChargeClass ChargeDescription ChargePeriodEnd ChargePeriodStart ContractedCost EffectiveCost"
    " InvoiceIssuerName ListCost PricingQuantity PricingUnit ProviderName PublisherName ServiceCategory ServiceName"
).split()
NOT_NULL = set(MANDATORY) - {
    "BillingAccountName",
    "ChargeClass",
    "ChargeDescription",
    "PricingQuantity",
    "PricingUnit",
} | {"ChargeFrequency", "ServiceSubcategory"}
COSTS = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
PRICES = ("ContractedUnitPrice", "ListUnitPrice")
NUMBERS = (*COSTS, *PRICES, "PricingQuantity")
MOMENTS = ("BillingPeriodEnd", "BillingPeriodStart", "ChargePeriodEnd", "ChargePeriodStart")
ALLOWED = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {"Correction", ""},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {"Standard", "Dynamic", "Committed", "Other", ""},
    "ServiceCategory": {
        "AI and Machine Learning", "Analytics", "Business Applications", "Compute", "Databases", "Developer Tools",
        "Identity", "Integration", "Internet of Things", "Management and Governance", "Media", "Migration", "Mobile",
        "Multicloud", "Networking", "Security", "Storage", "Web", "Other",
    },
    "ServiceSubcategory": {"Other (Mobile)"},  # the only one below Mobile
}  # fmt: skip
NUMBER = re.compile(r"-?\d+(\.\d+)?")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
CURRENCY = re.compile(r"[A-Z]{3}")
UNITS = {"Units", "Months"}  # of UnitFormat's lists of count-based and time-based names
CUSTOM = re.compile(r"x_[A-Za-z0-9]+")
KNOWN = {
    *MANDATORY, "ChargeFrequency", "ContractedUnitPrice", "InvoiceId", "ListUnitPrice", "PricingCategory",
    "ResourceId", "ResourceName", "ResourceType", "ServiceSubcategory", "Tags",
}  # fmt: skip


def violations(columns: list[str], rows: list[Row]) -> Iterator[str]:
    """Every rule that the file breaks, with the row."""
    for name in MANDATORY:
        if name not in columns:
            yield f"{name}: MUST be present"
    for name in columns:
        if name not in KNOWN and not CUSTOM.fullmatch(name):
            yield f"{name}: custom columns MUST be prefixed with x_"
    if len(set(columns)) != len(columns):
        yield "Column naming: names MUST be unique"
    for at, row in enumerate(rows):
        yield from (f"{found} (row {at})" for check in CHECKS for found in check(row))


def nulls(row: Row) -> Iterator[str]:
    for name in sorted(NOT_NULL):
        if not row[name]:
            yield f"{name}: MUST NOT be null"
    for name, value in row.items():
        if value.lower() in ("null", "none", "n/a", "not applicable", "unknown", "nan"):
            yield f"{name}: NullHandling, no placeholder for an absent value"


def formats(row: Row) -> Iterator[str]:
    for name in NUMBERS:
        if row[name] and not NUMBER.fullmatch(row[name]):
            yield f"{name}: NumericFormat"
    for name in MOMENTS:
        if row[name] and not MOMENT.fullmatch(row[name]):
            yield f"{name}: DateTimeFormat"
    if not CURRENCY.fullmatch(row["BillingCurrency"]):
        yield "BillingCurrency: CurrencyFormat, ISO 4217"
    if row["PricingUnit"] and row["PricingUnit"] not in UNITS:
        yield "PricingUnit: UnitFormat"
    if row["Tags"]:
        yield from _tags(row["Tags"])


def _tags(text: str) -> Iterator[str]:
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except ValueError:
        pairs = None
    if not isinstance(pairs, list) or not text.startswith("{"):
        yield "Tags: KeyValueFormat, MUST be a JSON object"
        return
    if len({key for key, _ in pairs}) != len(pairs):
        yield "Tags: KeyValueFormat, keys MUST be unique"
    if any(isinstance(value, list | dict) for _, value in pairs):
        yield "Tags: KeyValueFormat, values MUST NOT be objects or arrays"


def allowed(row: Row) -> Iterator[str]:
    for name, values in ALLOWED.items():
        if row[name] and row[name] not in values:
            yield f"{name}: MUST be one of the allowed values"
    if row["ChargeCategory"] == "Purchase" and row["ChargeFrequency"] == "Usage-Based":
        yield "ChargeFrequency: MUST NOT be Usage-Based when ChargeCategory is Purchase"


def prices(row: Row) -> Iterator[str]:
    charged = row["ChargeCategory"] in ("Usage", "Purchase") and row["ChargeClass"] != "Correction"
    for name in (*PRICES, "PricingQuantity", "PricingUnit", "PricingCategory"):
        if charged and not row[name]:
            yield f"{name}: MUST NOT be null for Usage and Purchase unless it is a Correction"
    for price, cost in zip(PRICES, ("ContractedCost", "ListCost"), strict=True):
        if row[price].startswith("-"):
            yield f"{price}: MUST be non-negative"
        terms = row[price], row["PricingQuantity"], row[cost]
        known = all(NUMBER.fullmatch(term) for term in terms) and row["ChargeClass"] != "Correction"
        if known and Decimal(terms[0]) * Decimal(terms[1]) != Decimal(terms[2]):
            yield f"{price}: times PricingQuantity MUST equal {cost}"
    if (
        row["ChargeCategory"] not in ("Usage", "Purchase", "Tax")
        and row["EffectiveCost"] != row["BilledCost"]
    ):
        yield "EffectiveCost: MUST match BilledCost of a charge unrelated to others"


def periods(row: Row) -> Iterator[str]:
    if not all(MOMENT.fullmatch(row[name]) for name in MOMENTS):
        return
    until, since, end, begin = (datetime.fromisoformat(row[name]) for name in MOMENTS)
    if not since < until:
        yield "BillingPeriodEnd: MUST be after BillingPeriodStart"
    if not begin < end:
        yield "ChargePeriodEnd: MUST be after ChargePeriodStart"
    if row["ChargeClass"] != "Correction" and not (since <= begin and end <= until):
        yield "ChargePeriodStart: within the billing period unless it is a Correction"
    if row["ChargeClass"] == "Correction" and not begin < since:
        yield "ChargeClass: Correction only of a previously invoiced billing period"


def resources(row: Row) -> Iterator[str]:
    if bool(row["ResourceId"]) != bool(row["ResourceType"]):
        yield "ResourceType: MUST be null exactly when ResourceId is"
    if row["ResourceName"] and not row["ResourceId"]:
        yield "ResourceName: MUST be null when ResourceId is"


CHECKS = (nulls, formats, allowed, prices, periods, resources)
