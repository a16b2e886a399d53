"""The export of a month: JSON and CSV on the command line, CSV from the page, the same wherever it runs."""

import csv
import io
import json
import os
import time
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numbersadmin.numbers.models import NumberVersion, OwnedNumber

pytestmark = pytest.mark.usefixtures("november")
FIELDS = ["number", "kind", "amount", "currency", "basis", "period_start", "period_end"]


def exported(month: str, form: str = "json") -> str:
    out = io.StringIO()
    call_command("export_costs", month, "--format", form, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def rows_of(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def test_json_has_the_month_its_state_totals_and_every_line(two_months):
    found = json.loads(exported("2026-10"))
    assert list(found) == ["month", "state", "totals", "lines"]
    assert (found["month"], found["state"]) == ("2026-10", "open")
    assert found["totals"] == {"EUR": "25.903226", "USD": "1.5"}
    assert [list(line) for line in found["lines"]] == [FIELDS] * 4
    assert found["lines"][0] == {
        "number": "447860041117",
        "kind": "initial",
        "amount": "2.903226",
        "currency": "EUR",
        "basis": "quoted",
        "period_start": "2026-10-14T00:00:00Z",
        "period_end": "2026-11-01T00:00:00Z",
    }


def test_an_unknown_amount_is_null_and_not_in_the_total(story):
    story.listed("2026-09-01", "2026-11-20")
    story.found("447860041117", "2026-09-01", None)
    found = json.loads(exported("2026-11"))
    assert found["totals"] == {}
    assert (found["lines"][0]["amount"], found["lines"][0]["currency"]) == (None, None)
    assert rows_of(exported("2026-11", "csv"))[0]["amount"] == ""


def test_csv_holds_the_same_lines(two_months):
    lines = json.loads(exported("2026-11"))["lines"]
    assert rows_of(exported("2026-11", "csv")) == lines
    assert {line["kind"] for line in lines} == {"setup", "initial", "recurring"}


def test_the_page_hands_out_the_same_csv(two_months, signed_in):
    answer = signed_in("finance").get("/costs/2026-11/export.csv")
    assert answer.getvalue().decode() == exported("2026-11", "csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="costs-2026-11.csv"'
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"


def test_a_month_before_records_says_so(two_months):
    assert json.loads(exported("2026-08")) == {
        "month": "2026-08",
        "state": "before_records",
        "totals": {},
        "lines": [],
    }


@pytest.mark.parametrize(
    ("month", "reason"), [("2026-12", "has not begun"), ("2026-13", "no month"), ("october", "no month")]
)
def test_what_cannot_be_exported_is_refused_in_one_line(two_months, month, reason):
    with pytest.raises(CommandError, match=reason) as refused:
        exported(month)
    assert "\n" not in str(refused.value)


@pytest.fixture
def process_zone(settings, monkeypatch):
    """Put the whole process, Django and the C library, into a time zone."""

    def move(zone: str) -> None:
        settings.TIME_ZONE = zone
        timezone.get_default_timezone.cache_clear()
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    before = os.environ.get("TZ")
    yield move
    monkeypatch.undo()
    assert os.environ.get("TZ") == before
    time.tzset()
    timezone.get_default_timezone.cache_clear()


def test_the_time_zone_of_the_process_changes_nothing(two_months, process_zone):
    found = set()
    for zone in ("UTC", "Europe/Zagreb", "America/Los_Angeles", "Asia/Kathmandu", "Pacific/Kiritimati"):
        process_zone(zone)
        with timezone.override(zone):
            found.add(exported("2026-10") + exported("2026-11") + exported("2026-11", "csv"))
    assert len(found) == 1


def test_the_billing_time_zone_changes_the_months(story, settings):
    story.listed("2026-09-01", "2026-11-20")
    story.bought("447860041117", "2026-10-31 23:30", "15", initial="15")
    assert len(json.loads(exported("2026-10"))["lines"]) == 1
    settings.BILLING_TIME_ZONE = "Europe/Zagreb"
    assert json.loads(exported("2026-10"))["lines"] == []
    (line,) = json.loads(exported("2026-11"))["lines"]
    assert (line["period_start"], line["period_end"]) == ("2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z")


@given(prices=st.lists(st.decimals(0, 10**9, places=6), min_size=1, max_size=25))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_amount_comes_out_as_it_went_in(story, prices):
    NumberVersion.objects.all().delete()
    OwnedNumber.objects.all().delete()
    for index, price in enumerate(prices):
        story.found(f"4478600411{index:02}", "2026-10-01", str(price))
    found = json.loads(exported("2026-11"))
    assert [Decimal(line["amount"]) for line in found["lines"]] == prices
    assert Decimal(found["totals"]["EUR"]) == sum(prices)


# ── the whole way: seen, changed, gone, back ─────────────────────────────────────────────────────────────────────


def brief(month: str) -> list[str]:
    return [
        " ".join(str(line[name]) for name in FIELDS[1:5]) for line in json.loads(exported(month))["lines"]
    ]


def test_a_number_that_disappeared_and_came_back(story):
    story.listed("2026-08-01", "2026-11-20")
    number = story.found("447860041117", "2026-08-01", "15")
    story.gone(number, "2026-09-20 06:00", "2026-09-20 06:15")
    assert [brief(month) for month in ("2026-09", "2026-10")] == [["recurring 15 EUR listed"], []]
    story.back(number, "2026-11-05", "15")
    assert [brief(month) for month in ("2026-09", "2026-10", "2026-11")] == [
        ["recurring 15 EUR listed"],
        ["recurring 15 EUR inferred"],
        ["recurring 15 EUR inferred"],
    ]


def test_a_number_last_seen_before_the_month_is_not_charged_in_it(story):
    story.listed("2026-08-01", "2026-11-20")
    story.gone(story.found("447860041117", "2026-08-01", "15"), "2026-10-31 23:00", "2026-11-01 05:00")
    assert [brief(month) for month in ("2026-10", "2026-11")] == [["recurring 15 EUR listed"], []]


def test_a_number_first_seen_in_november_may_be_charged_in_october(story):
    story.listed("2026-08-01", "2026-11-20")
    story.found("447860041117", "2026-11-03", "15", after="2026-10-28", initial="1.451613")
    assert brief("2026-10") == ["initial 1.451613 EUR inferred"]
    assert brief("2026-11") == ["recurring 15 EUR listed"]


def test_bought_again_in_the_same_month_under_a_new_key(story):
    story.listed("2026-08-01", "2026-11-20")
    story.cancelled(
        story.bought("447860041117", "2026-10-03", "5", setup="2", initial="4.677420"), "2026-10-04"
    )
    story.bought("447860041117", "2026-10-20", "5", setup="2", initial="1.935484", number_key="OTHER")
    assert brief("2026-10") == [
        "setup 2 EUR quoted",
        "initial 4.67742 EUR quoted",
        "setup 2 EUR quoted",
        "initial 1.935484 EUR quoted",
    ]


def test_a_price_change_around_the_first_and_one_of_the_currency(story):
    story.listed("2026-08-01", "2026-11-20")
    number = story.found("447860041117", "2026-08-01", "8")
    story.changed(number, "2026-10-01 02:00", "9", after="2026-09-30 20:00")
    story.changed(number, "2026-10-10", "10", after="2026-10-09", currency="USD")
    assert [brief(month) for month in ("2026-09", "2026-10", "2026-11")] == [
        ["recurring 8 EUR listed"],
        ["recurring 9 EUR inferred"],
        ["recurring 10 USD listed"],
    ]


def test_a_missing_number_stays_charged_and_is_inferred(story):
    story.listed("2026-08-01", "2026-11-20")
    number = story.found("447860041117", "2026-08-01", "8")
    OwnedNumber.objects.filter(pk=number.pk).update(
        status="missing", missing_since=number.acquired_to.replace(month=10)
    )
    assert [brief(month) for month in ("2026-10", "2026-11")] == [
        ["recurring 8 EUR listed"],
        ["recurring 8 EUR inferred"],
    ]
