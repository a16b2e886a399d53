"""The command `export_numbers`: exactly these fields, in both forms, with nothing lost and nothing made up."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from numbersadmin.numbers import services
from numbersadmin.numbers.models import AcquiredBasis, EndBasis

pytestmark = pytest.mark.django_db

FIELDS = [
    "id", "number_key", "number", "country", "type", "capabilities", "shared", "price_per_month", "setup_price",
    "initial_month_price", "currency", "status", "acquired_on", "acquired_basis", "ended_on", "owner", "cost_centre",
]  # fmt: skip


def export(form):
    out = io.StringIO()
    call_command("export_numbers", "--format", form, stdout=out)
    return out.getvalue()


@pytest.fixture
def two(own, cast, now):
    first = own(
        "447860041117",
        number_key="3B9D%EE03",
        owner=cast.manager,
        cost_centre="=1+1",
        capabilities=("SMS", "VOICE"),
        acquired_at=datetime(2026, 7, 14, 23, 30, tzinfo=UTC),
    )
    second = own(
        "60444",
        type="SHORT_CODE",
        shared=True,
        per_month=None,
        setup=None,
        initial=None,
        currency="",
        capabilities=(),
        basis=AcquiredBasis.UNKNOWN,
        acquired_at=None,
    )
    services.end_number(
        owned=first, basis=EndBasis.CANCELLED_HERE, ended_from=now, ended_to=now, actor=cast.manager, now=now
    )
    return first, second


def test_json(two):
    first, second = json.loads(export("json"))
    assert list(first) == FIELDS
    assert first == {
        "id": two[0].pk, "number_key": "3B9D%EE03", "number": "447860041117", "country": "GB",
        "type": "VIRTUAL_LONG_NUMBER", "capabilities": ["SMS", "VOICE"], "shared": False, "price_per_month": "5",
        "setup_price": "0", "initial_month_price": "2.903226", "currency": "EUR", "status": "ended",
        "acquired_on": "2026-07-14", "acquired_basis": "purchased_here", "ended_on": "2026-10-13",
        "owner": "manager", "cost_centre": "=1+1",
    }  # fmt: skip
    assert second == dict.fromkeys(FIELDS) | {
        "id": two[1].pk, "number_key": "KEY-60444", "number": "60444", "country": "GB", "type": "SHORT_CODE",
        "capabilities": [], "shared": True, "status": "owned", "acquired_basis": "unknown", "cost_centre": "",
    }  # fmt: skip


def test_csv(two):
    text = export("csv")
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert list(rows[0]) == FIELDS
    assert rows[0]["number"] == "447860041117"
    assert rows[0]["initial_month_price"] == "2.903226"
    assert rows[0]["capabilities"] == "SMS,VOICE"
    assert rows[0]["cost_centre"] == "'=1+1"  # no spreadsheet computes it
    assert rows[1]["price_per_month"] == rows[1]["owner"] == ""


def test_days_are_those_of_the_billing_time_zone(two, settings):
    settings.BILLING_TIME_ZONE = "Europe/Zagreb"
    assert json.loads(export("json"))[0]["acquired_on"] == "2026-07-15"


def test_an_empty_account_is_an_empty_list(db):
    assert json.loads(export("json")) == []
    assert export("csv").count("\n") == 1


def test_an_unknown_form_is_refused(db):
    with pytest.raises(CommandError, match="invalid choice"):
        export("xml")
