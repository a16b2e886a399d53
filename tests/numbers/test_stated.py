"""Since when a number is ours, entered by finance: what is possible, what it changes, and taking it back."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import time_machine

from numbersadmin.audit.models import AuditEvent
from numbersadmin.costs.lines import number_cost
from numbersadmin.costs.selectors import records
from numbersadmin.numbers import services, since, stating
from numbersadmin.numbers.models import AcquiredBasis, EndBasis, OwnedNumber
from numbersadmin.sync.models import RunStatus, SyncRun

pytestmark = pytest.mark.django_db
NUMBER = "447860041117"


def at(month, day, hour=9):
    return datetime(2026, month, day, hour, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(at(11, 20), tick=False):
        yield


@pytest.fixture
def bounded(own):
    """Absent on 28 October, seen on 3 November; what the first month costs is not told."""
    one = own(
        NUMBER,
        per_month="15",
        initial=None,
        basis=AcquiredBasis.BOUNDED,
        verb="number.appeared",
        acquired_at=None,
        acquired_from=at(10, 28),
        acquired_to=at(11, 3),
    )
    one.versions.update(valid_from=at(11, 3))
    return one


@pytest.fixture
def before_records(own):
    one = own(
        NUMBER,
        per_month="15",
        setup="2",
        basis=AcquiredBasis.UNKNOWN,
        verb="number.appeared",
        acquired_at=None,
        acquired_to=at(9, 1),
    )
    one.versions.update(valid_from=at(9, 1))
    return one


def send(client, owned, **sent):
    page = client.get(f"/numbers/{owned.pk}/acquired/").text
    version = re.search(r'name="version" value="(\d+)"', page)
    return client.post(f"/numbers/{owned.pk}/acquired/", {"version": version[1] if version else "1"} | sent)


def charged(owned):
    """What is charged for the number up to now: month, kind, amount and basis."""
    SyncRun.objects.get_or_create(
        status=RunStatus.COMPLETE, started_at=at(11, 20), heartbeat_at=at(11, 20), finished_at=at(11, 20)
    )
    lines = number_cost(records(at(11, 20)), OwnedNumber.objects.get(pk=owned.pk)).lines
    return [
        (str(line.charge.month), str(line.charge.kind), line.charge.amount, str(line.charge.basis))
        for line in lines
    ]


def test_finance_enters_a_day_with_how_it_is_known(signed_in, cast, bounded):
    assert send(signed_in("finance"), bounded, day="2026-10-29", note="invoice 4711").status_code == 302
    bounded.refresh_from_db()
    assert since.acquired(bounded) == "29 Oct 2026 (entered by finance: invoice 4711)"
    assert bounded.acquired_from < bounded.acquired_at < bounded.acquired_to
    page = signed_in("viewer").get(f"/numbers/{bounded.pk}/").text
    assert "29 Oct 2026 (entered by finance: invoice 4711)" in page
    assert "entered the purchase day: 2026-10-29" in page
    event = AuditEvent.objects.get(verb="number.acquired_stated")
    assert (event.actor, event.reason) == ("finance", "invoice 4711")
    assert (event.before["acquired_basis"], event.after["acquired_basis"]) == ("bounded", "stated")


@pytest.mark.parametrize("person", ["viewer", "manager", "approver", "admin"])
def test_nobody_else_may(signed_in, cast, bounded, person):
    client = signed_in(person)
    assert client.get(f"/numbers/{bounded.pk}/acquired/").status_code == 403
    assert "Enter the day" not in client.get(f"/numbers/{bounded.pk}/").text
    with pytest.raises(stating.NotPossible):
        stating.state_acquired(
            actor=getattr(cast, person), owned=bounded, day=date(2026, 10, 29), note="x", now=at(11, 20)
        )


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"day": "2026-11-04", "note": "x"}, "It was seen in the account on 3 Nov 2026."),
        ({"day": "2026-10-27", "note": "x"}, "It was not ours on 28 Oct 2026."),
        ({"day": "", "note": "x"}, "Enter the day."),
        ({"day": "soon", "note": "x"}, "Write the day as 2026-10-14."),
        ({"day": "2026-10-29", "note": " "}, "Say how you know it"),
    ],
)
def test_what_is_not_possible_changes_nothing(signed_in, bounded, sent, said):
    answer = send(signed_in("finance"), bounded, **sent)
    assert (answer.status_code, said in answer.text) == (422, True)
    bounded.refresh_from_db()
    assert bounded.acquired_basis == AcquiredBasis.BOUNDED


@pytest.mark.parametrize("day", [date(2026, 10, 28), date(2026, 11, 3)])
def test_the_days_of_the_two_looks_are_possible(cast, bounded, day):
    stating.state_acquired(actor=cast.finance, owned=bounded, day=day, note="x", now=at(11, 20))
    assert bounded.acquired_from < bounded.acquired_at <= bounded.acquired_to
    assert bounded.acquired_at.date() == day


def test_a_day_before_an_earlier_possession_had_ended_is_refused(cast, own, before_records):
    gone = {"ended_from": at(10, 1), "ended_to": at(10, 2), "actor": None, "now": at(10, 2)}
    services.end_number(owned=before_records, basis=EndBasis.DISAPPEARED, **gone)
    again = own(
        NUMBER, number_key="NEW", basis=AcquiredBasis.UNKNOWN, acquired_at=None, acquired_to=at(11, 3)
    )
    with pytest.raises(stating.NotPossible, match="not ours on 1 Oct 2026"):
        stating.state_acquired(
            actor=cast.finance, owned=again, day=date(2026, 9, 30), note="x", now=at(11, 20)
        )
    stating.state_acquired(actor=cast.finance, owned=again, day=date(2026, 10, 1), note="x", now=at(11, 20))


def test_what_was_bought_here_is_known_already(signed_in, own):
    one = own(NUMBER)
    answer = send(signed_in("finance"), one, day="2026-10-01", note="x")
    assert (answer.status_code, "the moment is on record" in answer.text) == (422, True)


def test_it_is_corrected_and_taken_back_to_what_the_records_say(signed_in, bounded):
    client = signed_in("finance")
    send(client, bounded, day="2026-10-29", note="invoice 4711")
    assert send(client, bounded, day="2026-10-30", note="invoice 4712").status_code == 302
    bounded.refresh_from_db()
    assert since.acquired(bounded) == "30 Oct 2026 (entered by finance: invoice 4712)"
    assert send(client, bounded, act="take_back", note="it was another number").status_code == 302
    bounded.refresh_from_db()
    assert (bounded.acquired_basis, bounded.acquired_at, bounded.acquired_note) == ("bounded", None, "")
    assert since.acquired(bounded) == "between 28 Oct and 3 Nov 2026"
    again = client.post(
        f"/numbers/{bounded.pk}/acquired/", {"act": "take_back", "note": "x", "version": bounded.version}
    )
    assert "No day is entered any more." in again.text


def test_of_two_people_the_second_is_told(cast, bounded):
    late = OwnedNumber.objects.get(pk=bounded.pk)
    stating.state_acquired(
        actor=cast.finance, owned=bounded, day=date(2026, 10, 29), note="x", now=at(11, 20)
    )
    with pytest.raises(services.NumberHasMoved):
        stating.state_acquired(
            actor=cast.finance, owned=late, day=date(2026, 10, 30), note="y", now=at(11, 20)
        )
    assert AuditEvent.objects.filter(verb="number.acquired_stated").count() == 1


def test_from_before_records_it_explains_and_charges_nothing(cast, before_records):
    before = charged(before_records)
    assert before[-1][:3] == ("2026-09", "recurring", Decimal(15))
    stating.state_acquired(
        actor=cast.finance, owned=before_records, day=date(2024, 10, 14), note="x", now=at(11, 20)
    )
    assert charged(before_records) == before, "no set-up, no first month, nothing before records began"


def test_between_two_looks_it_tells_the_month_of_an_open_charge(cast, bounded):
    assert charged(bounded)[-1] == ("2026-11", "recurring", Decimal(15), "inferred")
    stating.state_acquired(
        actor=cast.finance, owned=bounded, day=date(2026, 10, 29), note="x", now=at(11, 20)
    )
    told = [line for line in charged(bounded) if line[1] != "setup"]
    assert told == [
        ("2026-11", "recurring", Decimal(15), "listed"),
        ("2026-10", "initial", Decimal("1.451613"), "inferred"),
    ]


def test_what_the_provider_stated_for_the_month_stays(cast, own):
    one = own(
        NUMBER,
        per_month="5",
        initial="2.903226",
        basis=AcquiredBasis.BOUNDED,
        acquired_at=None,
        acquired_from=at(10, 10),
        acquired_to=at(10, 15),
    )
    one.versions.update(valid_from=at(10, 15))
    before = charged(one)
    assert ("2026-10", "initial", Decimal("2.903226"), "listed") in before
    stating.state_acquired(actor=cast.finance, owned=one, day=date(2026, 10, 11), note="x", now=at(11, 20))
    assert charged(one) == before
