"""Changing whose a number is: who may, what is kept, and two people at once."""

import re

import pytest

from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers import services
from numbersadmin.numbers.models import EndBasis
from numbersadmin.numbers.services import NumberHasMoved, assign

pytestmark = pytest.mark.django_db


@pytest.fixture
def gb(own, cast):
    return own("447860041117", owner=cast.manager, cost_centre="Retail", labels=["otp"])


def send(client, owned, **changes):
    page = client.get(f"/numbers/{owned.pk}/edit/")
    version = re.search(r'name="version" value="(\d+)"', page.content.decode())
    start = {
        "owner": owned.owner_id or "",
        "cost_centre": owned.cost_centre,
        "labels": ", ".join(owned.labels),
    }
    start |= {"version": version[1] if version else "", "reason": ""}
    return client.post(f"/numbers/{owned.pk}/edit/", start | changes)


def test_saves_and_leads_back(signed_in, cast, gb):
    answer = send(
        signed_in("manager"),
        gb,
        owner=cast.finance.pk,
        cost_centre=" 4120  Retail ",
        labels="otp, uk-retail,otp ,",
        reason="hand over",
    )
    assert (answer.status_code, answer.url) == (302, f"/numbers/{gb.pk}/")
    gb.refresh_from_db()
    assert (gb.owner, gb.cost_centre, gb.labels) == (cast.finance, "4120 Retail", ["otp", "uk-retail"])
    event = AuditEvent.objects.get(verb="number.assigned")
    assert (event.actor, event.reason) == ("manager", "hand over")
    assert event.before == {"owner": "manager", "cost_centre": "Retail", "labels": ["otp"]}
    assert event.after == {"owner": "finance", "cost_centre": "4120 Retail", "labels": ["otp", "uk-retail"]}


def test_saving_what_is_there_records_nothing(signed_in, gb):
    assert send(signed_in("manager"), gb).status_code == 302
    assert not AuditEvent.objects.filter(verb="number.assigned").exists()


def test_the_form_has_its_hook(signed_in, gb):
    page = signed_in("manager").get(f"/numbers/{gb.pk}/edit/").content.decode()
    assert 'data-action="edit-number"' in page
    assert 'value="Retail"' in page


@pytest.mark.parametrize(
    ("person", "theirs", "nobodys"),
    [
        ("viewer", 403, 403),
        ("manager", 200, 200),
        ("manager2", 403, 200),
        ("approver", 200, 200),
        ("finance", 200, 200),
        ("admin", 403, 403),
    ],
)
def test_people_change_their_own_and_those_of_nobody(signed_in, own, gb, person, theirs, nobodys):
    free = own("447860041118")
    client = signed_in(person)
    assert client.get(f"/numbers/{gb.pk}/edit/").status_code == theirs
    assert client.get(f"/numbers/{free.pk}/edit/").status_code == nobodys
    answer = client.post(f"/numbers/{gb.pk}/edit/", {"cost_centre": "X", "version": 1, "labels": ""})
    assert answer.status_code == (302 if theirs == 200 else 403)
    gb.refresh_from_db()
    assert gb.cost_centre == ("X" if theirs == 200 else "Retail")


def test_a_refusal_says_who_can(signed_in, gb):
    page = signed_in("manager2").get(f"/numbers/{gb.pk}/edit/").content.decode()
    assert "This number belongs to manager. They, an approver or finance can change it." in page


def test_strangers_unknown_ids_and_wrong_methods(client, signed_in, gb):
    assert client.get(f"/numbers/{gb.pk}/edit/").status_code == 302
    manager = signed_in("manager")
    assert manager.get(f"/numbers/{gb.pk + 1}/edit/").status_code == 404
    assert manager.delete(f"/numbers/{gb.pk}/edit/").status_code == 405


def test_an_ended_number_stays_as_it_is(signed_in, gb, now):
    services.end_number(
        owned=gb, basis=EndBasis.DISAPPEARED, ended_from=now, ended_to=now, actor=None, now=now
    )
    assert signed_in("approver").get(f"/numbers/{gb.pk}/edit/").status_code == 403


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("labels", ",".join(f"l{n}" for n in range(21)), "At most 20 labels"),
        ("labels", "x" * 41, "is longer than 40 letters"),
        ("cost_centre", "c" * 101, "at most 100 characters"),
        ("owner", "999999", "Select a valid choice"),
        ("version", "", "required"),
    ],
)
def test_errors_are_at_the_field_and_in_a_summary_and_input_is_kept(signed_in, gb, field, value, said):
    answer = send(signed_in("manager"), gb, **{"reason": "because", field: value})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert said in page
    assert 'role="alert"' in page
    assert "because" in page
    gb.refresh_from_db()
    assert (gb.cost_centre, gb.labels) == ("Retail", ["otp"])


def test_of_two_people_the_second_is_told(signed_in, gb):
    first, second = signed_in("manager"), signed_in("approver")
    page = second.get(f"/numbers/{gb.pk}/edit/").content.decode()
    version = re.search(r'name="version" value="(\d+)"', page)[1]
    assert send(first, gb, cost_centre="First").status_code == 302
    late = second.post(f"/numbers/{gb.pk}/edit/", {"cost_centre": "Second", "version": version, "labels": ""})
    assert late.status_code == 422
    assert "was changed by somebody else meanwhile" in late.content.decode()
    gb.refresh_from_db()
    assert gb.cost_centre == "First"


def test_assign_keeps_what_it_is_not_told(cast, own, gb, now):
    other = own("447860041118")
    changed = assign(actor=cast.approver, numbers=[gb, other], cost_centre="Retail", now=now)
    assert changed == 1  # the first had it already
    other.refresh_from_db()
    gb.refresh_from_db()
    assert (other.cost_centre, other.owner, gb.owner) == ("Retail", None, cast.manager)
    assert AuditEvent.objects.filter(verb="number.assigned").count() == 1


def test_assign_does_all_or_nothing(cast, own, gb, now):
    other = own("447860041118")
    other.version += 1  # as if read before somebody changed it
    with pytest.raises(NumberHasMoved):
        assign(actor=cast.approver, numbers=[gb, other], cost_centre="New", now=now)
    gb.refresh_from_db()
    assert gb.cost_centre == "Retail"
    assert not AuditEvent.objects.filter(verb="number.assigned").exists()
