"""The FOCUS export: it keeps the specification, adds up to the statement, and each rule that says so can fail."""

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numbersadmin.costs import focus, selectors
from numbersadmin.costs.ledger import statement
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import Subject
from numbersadmin.costs.services import post_correction
from numbersadmin.money import Totals
from numbersadmin.numbers.models import OwnedNumber
from tests.costs.closed import freeze
from tests.costs.conftest import at
from tests.costs.focus_rules import violations

NOW = at("2026-11-20 12:00")


def read(text: str):
    found = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    columns = next(found)
    return columns, [dict(zip(columns, row, strict=True)) for row in found]


def totals_of(rows):
    return dict(Totals.of((row["BillingCurrency"], Decimal(row["BilledCost"])) for row in rows))


@pytest.fixture
def exported(november, two_months, cast, story, signed_in):
    """Both months, with a number without a price, labels, and a correction of each sort."""
    story.found("60444", "2026-09-01 12:00", None)
    OwnedNumber.objects.filter(number="4915112345678").update(labels=["otp", 'a"b'])
    freeze("2026-09", cast.finance, NOW)
    freeze("2026-10", cast.finance, NOW)
    known = selectors.records(NOW)
    for subject, corrects in (
        (Subject(None), "2026-10"),
        (
            Subject(two_months["GB"].pk, "KEY447860041117", "447860041117", "GB", "VIRTUAL_LONG_NUMBER"),
            "2026-11",
        ),
    ):
        post_correction(
            known=known, subject=subject, amount=Decimal("-1.000001"), currency="EUR", reason="Credit\nnote 7",
            actor=cast.finance, now=NOW, corrects=Month.parse(corrects),
        )  # fmt: skip
    return {
        month: signed_in("finance").get(f"/costs/{month}/focus.csv").getvalue().decode() for month in MONTHS
    }


MONTHS = ("2026-09", "2026-10", "2026-11")


def test_it_keeps_the_specification(exported):
    for month in MONTHS:
        columns, rows = read(exported[month])
        assert rows
        assert list(violations(columns, rows)) == []


def test_it_adds_up_to_the_statement(exported):
    known = selectors.records(NOW)
    for month in MONTHS:
        lines = [one.charge for one in statement(known, Month.parse(month))]
        _, rows = read(exported[month])
        assert totals_of(rows) == dict(Totals.of((one.currency, one.amount) for one in lines))
        assert len(rows) == sum(one.amount is not None for one in lines) < len(lines)


def test_corrections_say_what_they_correct(exported):
    _, rows = read(exported["2026-11"])
    own, earlier = [row for row in rows if row["ChargeCategory"] == "Adjustment"]
    assert (own["ChargeClass"], earlier["ChargeClass"]) == ("", "Correction")
    assert earlier["ChargePeriodStart"] == "2026-10-01T00:00:00Z"
    assert earlier["BillingPeriodStart"] == "2026-11-01T00:00:00Z"
    assert earlier["ChargeDescription"] == "Correction: Credit note 7"
    assert own["ChargeDescription"] == "Correction +447860041117: Credit note 7"
    assert (own["x_CorrectsMonth"], earlier["x_CorrectsMonth"]) == ("2026-11", "2026-10")


def test_a_row_says_what_it_is_for(exported):
    _, rows = read(exported["2026-11"])
    rental = next(row for row in rows if row["ResourceName"] == "4915112345678")
    assert rental["ChargeDescription"] == "Monthly rental +4915112345678 (DE, SMS)"
    assert (
        rental["Tags"]
        == '{"cost_centre": "CC-1", "label:a\\"b": true, "label:otp": true, "owner": "manager"}'
    )
    assert (rental["ListUnitPrice"], rental["PricingQuantity"], rental["PricingUnit"]) == ("9", "1", "Months")


BROKEN = {
    "BilledCost: MUST NOT be null": {"BilledCost": ""},
    "ServiceName: NullHandling": {"ServiceName": "N/A"},
    "ListCost: NumericFormat": {"ListCost": "1,234.5"},
    "EffectiveCost: NumericFormat": {"EffectiveCost": "1E-6"},
    "ContractedCost: NumericFormat": {"ContractedCost": "+5"},
    "BillingPeriodStart: DateTimeFormat": {"BillingPeriodStart": "2026-11-01 00:00:00+00:00"},
    "BillingCurrency: CurrencyFormat": {"BillingCurrency": "euro"},
    "PricingUnit: UnitFormat": {"PricingUnit": "prorated months"},
    "Tags: KeyValueFormat, MUST be a JSON object": {"Tags": "['a']"},
    "Tags: KeyValueFormat, keys MUST be unique": {"Tags": '{"a": 1, "a": 2}'},
    "Tags: KeyValueFormat, values MUST NOT": {"Tags": '{"a": [1]}'},
    "ChargeCategory: MUST be one of": {"ChargeCategory": "Rental"},
    "ChargeClass: MUST be one of": {"ChargeClass": "Refund"},
    "ChargeFrequency: MUST be one of": {"ChargeFrequency": "Monthly"},
    "ServiceCategory: MUST be one of": {"ServiceCategory": "Telephony"},
    "ServiceSubcategory: MUST be one of": {"ServiceSubcategory": "Numbers"},
    "PricingCategory: MUST be one of": {"PricingCategory": "List"},
    "ChargeFrequency: MUST NOT be Usage-Based": {"ChargeFrequency": "Usage-Based"},
    "PricingQuantity: MUST NOT be null for": {"PricingQuantity": ""},
    "PricingUnit: MUST NOT be null for": {"PricingUnit": ""},
    "ListUnitPrice: MUST NOT be null for": {"ListUnitPrice": ""},
    "ListUnitPrice: MUST be non-negative": {"ListUnitPrice": "-5", "ListCost": "-5"},
    "ListUnitPrice: times PricingQuantity MUST equal ListCost": {"ListUnitPrice": "5.000001"},
    "ContractedUnitPrice: times PricingQuantity MUST equal": {"PricingQuantity": "2"},
    "EffectiveCost: MUST match BilledCost": {"ChargeCategory": "Credit", "EffectiveCost": "0"},
    "BillingPeriodEnd: MUST be after": {"BillingPeriodEnd": "2026-11-01T00:00:00Z"},
    "ChargePeriodEnd: MUST be after": {"ChargePeriodEnd": "2026-11-01T00:00:00Z"},
    "ChargePeriodStart: within the billing period": {"ChargePeriodStart": "2026-10-31T00:00:00Z"},
    "ChargeClass: Correction only of": {"ChargeClass": "Correction"},
    "ResourceType: MUST be null exactly": {"ResourceType": ""},
    "ResourceName: MUST be null when": {"ResourceId": "", "ResourceType": ""},
}


@pytest.mark.parametrize("rule", BROKEN)
def test_each_rule_finds_a_broken_row(exported, rule):
    columns, rows = read(exported["2026-11"])
    found = list(violations(columns, [rows[0] | BROKEN[rule]]))
    assert any(one.startswith(rule) for one in found), found


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        (focus.COLUMNS[1:], "BilledCost: MUST be present"),
        ([*focus.COLUMNS, "Basis"], "Basis: custom columns MUST be prefixed"),
        ([*focus.COLUMNS, "Tags"], "Column naming: names MUST be unique"),
    ],
)
def test_each_rule_finds_broken_columns(columns, rule):
    assert any(one.startswith(rule) for one in violations(list(columns), []))


@given(st.text(max_size=12))
def test_no_cell_begins_a_formula(text):
    written = focus._cell(text)
    assert not written.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "'="))
    assert written == text or written[3:] == text[1:]  # only the first character is ever written differently
