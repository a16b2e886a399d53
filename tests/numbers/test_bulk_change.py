"""Changing many numbers at once: what is previewed is what is done, and whoever was quicker is left alone."""

import re
import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers import bulk_applying, bulk_planning, services
from numbersadmin.numbers.models import BulkChange, BulkKind, BulkState, EndBasis, OwnedNumber
from numbersadmin.numbers.services import NumberHasMoved, assign

pytestmark = pytest.mark.django_db


@pytest.fixture
def four(own, cast, now):
    """One of the manager, one of nobody, one of finance, and one that has ended."""
    numbers = [
        own("447860041110", owner=cast.manager, cost_centre="Retail", labels=["otp"]),
        own("447860041111", labels=["otp", "old"]),
        own("447860041112", owner=cast.finance),
        own("447860041113"),
    ]
    services.end_number(
        owned=numbers[3], basis=EndBasis.DISAPPEARED, ended_from=now, ended_to=now, actor=None, now=now
    )
    return numbers


def preview(client, what, numbers=(), **fields):
    """Fill in the form for these numbers, or for all; the draft that it leads to."""
    chosen = {"id": [one.pk for one in numbers]} if numbers else {"all": "1"}
    answer = client.post("/numbers/change/", {"what": what, "filter": "", **chosen, **fields})
    assert answer.status_code == 302, answer.content.decode()
    return answer.url


def confirm(client, url, reason=""):
    return client.post(f"{url}confirm/", {"reason": reason})


def values(numbers):
    rows = OwnedNumber.objects.in_bulk([one.pk for one in numbers])
    return [(rows[one.pk].owner, rows[one.pk].cost_centre, rows[one.pk].labels) for one in numbers]


def planned(actor, now, found=None, **wanted):
    """A draft as the form makes it."""
    return bulk_planning.plan_change(
        actor=actor,
        found=OwnedNumber.objects.all() if found is None else found,
        wanted=wanted,
        back="",
        now=now,
    )


def do(change, now, reason=""):
    bulk_applying.confirm(actor=change.actor, change=change, reason=reason, now=now)
    bulk_applying.carry_out(change_id=change.pk, clock=lambda: now)
    change.refresh_from_db()
    return change


def test_the_list_offers_it_and_ticks_lead_to_the_form(signed_in, four):
    page = signed_in("manager").get("/numbers/").content.decode()
    assert page.count(f'name="id" value="{four[0].pk}"') == 2  # in the table, and in the list of a phone
    assert 'name="what" value="owner"' in page
    assert 'value="protection"' not in page
    form = signed_in("approver").get(f"/numbers/change/?what=owner&id={four[0].pk}&id={four[1].pk}")
    assert "Change 2 numbers" in form.content.decode()
    nothing = signed_in("manager").get("/numbers/change/?what=owner").content.decode()
    assert "No numbers are chosen" in nothing


def test_the_preview_tells_what_changes_and_what_does_not_and_then_it_is_done(signed_in, cast, four):
    client, heir = signed_in("manager"), cast.manager2
    url = preview(client, "owner", four, owner=heir.username)
    page = client.get(url).content.decode()
    assert "Change 2 numbers?" in page
    assert "1 from manager, 1 from nobody" in page
    assert "No longer ours" in page
    assert "Belongs to somebody else" in page
    assert values(four)[0][0] == cast.manager  # nothing yet
    assert confirm(client, url, "they take over").url == url
    assert [one[0] for one in values(four)] == [heir, heir, cast.finance, None]
    change = BulkChange.objects.get()
    events = AuditEvent.objects.filter(verb="number.assigned").order_by("pk")
    assert [(e.subject_id, e.before, e.after, e.actor, e.reason, e.related_id) for e in events] == [
        (four[0].pk, {"owner": "manager"}, {"owner": "manager2"}, "manager", "they take over", change.pk),
        (four[1].pk, {"owner": None}, {"owner": "manager2"}, "manager", "they take over", change.pk),
    ]
    assert AuditEvent.objects.get(verb="bulk.changed").subject_id == change.pk
    assert "2 numbers changed" in signed_in("viewer").get(url).content.decode()
    assert confirm(client, url).status_code == 302  # once more changes nothing
    assert AuditEvent.objects.filter(verb="number.assigned").count() == 2


@pytest.mark.parametrize(
    ("how", "words", "after"),
    [
        ("add", "new, otp", [["otp", "new"], ["otp", "old", "new"], ["new", "otp"]]),
        ("remove", "otp", [[], ["old"], []]),
        ("replace", "otp", [["otp"], ["otp"], ["otp"]]),
        ("replace", "", [[], [], []]),
    ],
)
def test_labels_are_added_removed_or_replaced(cast, signed_in, four, how, words, after):
    client = signed_in("approver")
    confirm(client, preview(client, "labels", how=how, labels=words))
    assert [one[2] for one in values(four[:3])] == after


def test_a_cost_centre_is_written_one_way_and_can_be_taken_away(signed_in, four):
    client = signed_in("finance")
    confirm(client, preview(client, "cost_centre", four, cost_centre=" 4120  Retail "))
    assert [one[1] for one in values(four)] == ["4120 Retail"] * 3 + [""]
    confirm(client, preview(client, "cost_centre", four[:1], cost_centre=""))
    assert values(four)[0][1] == ""


def test_all_that_match_are_those_of_the_filter(signed_in, cast, four):
    client = signed_in("approver")
    answer = client.post(
        "/numbers/change/", {"what": "cost_centre", "all": "1", "filter": "owner=finance", "cost_centre": "X"}
    )
    confirm(client, answer.url)
    assert [one[1] for one in values(four)] == ["Retail", "", "X", ""]


def test_protection_needs_a_reason_and_is_taken_off_by_another(signed_in, cast, four):
    client = signed_in("approver")
    url = preview(client, "protection", four[:2], protection="on")
    refused = confirm(client, url)
    assert refused.status_code == 422
    assert "Say why" in refused.content.decode()
    confirm(client, url, "campaign")
    row = OwnedNumber.objects.get(pk=four[0].pk)
    assert (row.protected_by, row.protected_reason) == (cast.approver, "campaign")
    mine = client.get(preview(client, "protection", four[:2], protection="off")).content.decode()
    assert "Nothing to change" in mine
    assert "Protected by you" in mine
    other = signed_in("finance")
    confirm(other, preview(other, "protection", four[:2], protection="off"), "over")
    assert not OwnedNumber.objects.filter(protected_at__isnull=False).exists()
    verbs = AuditEvent.objects.filter(subject_id=four[0].pk, related_type="bulkchange").order_by("pk")
    assert [event.verb for event in verbs] == ["number.protected", "number.unprotected"]
    assert signed_in("manager").get("/numbers/change/?what=protection&all=1").status_code == 403


def test_who_may_and_where(signed_in, client, four):
    assert client.get("/numbers/change/").status_code == 302
    for person in ("viewer", "admin"):
        assert signed_in(person).get("/numbers/change/").status_code == 403
    manager = signed_in("manager")
    url = preview(manager, "owner", four, owner="(none)")
    assert signed_in("approver").get(url).status_code == 404  # a preview is its maker's
    assert confirm(signed_in("approver"), url).status_code == 404
    assert manager.get("/numbers/change/?what=price&all=1").status_code == 404
    assert manager.get("/numbers/change/987654/").status_code == 404


@pytest.mark.parametrize(
    ("what", "fields", "said"),
    [
        ("owner", {"owner": ""}, "This field is required"),
        ("owner", {"owner": "ghost"}, "Select a valid choice"),
        ("labels", {"how": "add", "labels": " , "}, "Enter at least one label"),
        ("labels", {"how": "add", "labels": "x" * 41}, "is longer than 40 letters"),
        ("cost_centre", {"cost_centre": "c" * 101}, "at most 100 characters"),
    ],
)
def test_a_mistake_is_said_and_the_choice_is_kept(signed_in, four, what, fields, said):
    answer = signed_in("approver").post("/numbers/change/", {"what": what, "id": [four[0].pk], **fields})
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert re.search(rf'name="id" value="{four[0].pk}"', answer.content.decode())


def test_whoever_changed_a_number_since_the_preview_is_left_alone(cast, four, now):
    change = planned(cast.approver, now, cost_centre="Bulk")
    assign(actor=cast.manager, numbers=[four[0]], cost_centre="Mine", now=now)
    assign(actor=cast.manager, numbers=[four[0]], cost_centre="Retail", now=now)  # even back to what it was
    do(change, now)
    assert [one[1] for one in values(four)] == ["Retail", "Bulk", "Bulk", ""]
    assert (change.changed, change.left, change.state) == (2, 1, BulkState.DONE)
    assert change.batches.get().left == [[four[0].pk, "moved"]]


def test_rights_are_those_of_the_moment_it_is_done(cast, four, now):
    change = planned(cast.approver, now, cost_centre="Bulk")
    bulk_applying.confirm(actor=cast.approver, change=change, reason="", now=now)
    cast.approver.grants.all().delete()
    bulk_applying.carry_out(change_id=change.pk, clock=lambda: now)
    assert [one[1] for one in values(four)] == ["Retail", "", "", ""]


def test_a_row_that_moves_between_reading_and_writing_takes_the_whole_batch_back(cast, four, now):
    change = planned(cast.approver, now, cost_centre="Bulk", owner=None)
    bulk_applying.confirm(actor=cast.approver, change=change, reason="", now=now)
    moved = []

    def meddle(execute, sql, params, many, context):
        if sql.startswith('UPDATE "numbers_ownednumber"') and not moved:
            moved.append(sql)
            OwnedNumber.objects.filter(pk=four[2].pk).update(version=9)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(meddle):
        with pytest.raises(NumberHasMoved), transaction.atomic():
            bulk_applying.apply_batch(change=change, batch_id=change.batches.get().pk, names={}, now=now)
        assert not AuditEvent.objects.filter(verb="number.assigned").exists()
        assert (change.batches.get().done, values(four)[1][1]) == (False, "")
        moved.clear()
        bulk_applying.carry_out(change_id=change.pk, clock=lambda: now)  # tries again, and then it holds
    assert [one[:2] for one in values(four[:3])] == [(None, "Bulk")] * 3
    assert AuditEvent.objects.filter(verb="number.assigned").count() == 3


def test_after_a_kill_the_sweep_does_the_rest_and_nothing_twice(cast, own_many, now, monkeypatch):
    monkeypatch.setattr(bulk_planning, "BATCH", 2)
    numbers = own_many([{"number": f"4930{n}"} for n in range(5)])
    change = planned(cast.approver, now, cost_centre="Bulk")
    assert change.batches.count() == 3
    bulk_applying.confirm(actor=cast.approver, change=change, reason="", now=now)
    real, done = bulk_applying.apply_batch, []

    def killed(**facts):
        if done:
            raise KeyboardInterrupt
        done.append(real(**facts))

    with monkeypatch.context() as patched:
        patched.setattr(bulk_applying, "apply_batch", killed)
        with pytest.raises(KeyboardInterrupt):
            bulk_applying.carry_out(change_id=change.pk, clock=lambda: now)
    assert [one[1] for one in values(numbers)] == ["Bulk"] * 2 + [""] * 3
    bulk_applying.sweep(clock=lambda: now)  # a worker seems to be at it still
    bulk_applying.carry_out(change_id=change.pk, clock=lambda: now)  # its message comes twice
    assert BulkChange.objects.get().changed == 2
    bulk_applying.sweep(clock=lambda: now + bulk_applying.LEASE + timedelta(seconds=1))
    change.refresh_from_db()
    assert (change.state, change.changed) == (BulkState.DONE, 5)
    assert {one[1] for one in values(numbers)} == {"Bulk"}
    assert AuditEvent.objects.filter(verb="number.assigned").count() == 5


def test_a_change_of_more_than_one_batch_goes_to_the_worker(signed_in, cast, own_many, monkeypatch):
    own_many([{"number": f"4930{n}"} for n in range(3)])
    monkeypatch.setattr(bulk_applying, "AT_ONCE", 2)
    sent = []
    monkeypatch.setattr(
        "numbersadmin.numbers.tasks.change_numbers.apply_async", lambda **one: sent.append(one)
    )
    client = signed_in("approver")
    url = preview(client, "cost_centre", cost_centre="Bulk")
    confirm(client, url)
    page = client.get(url).content.decode()
    assert "Changing 3 numbers" in page
    assert 'hx-trigger="every 2s"' in page
    fragment = client.get(url, headers={"HX-Request": "true"}).content.decode()
    blank = re.compile(r'name="csrfmiddlewaretoken" value="\w+"')
    assert blank.sub("", fragment).strip() in blank.sub("", page)
    change = BulkChange.objects.get()
    assert [one["kwargs"] for one in sent] == [{"change_id": change.pk}]
    assert change.changed == 0


def test_too_many_at_once_are_refused(signed_in, four, monkeypatch):
    monkeypatch.setattr("numbersadmin.numbers.bulk.MOST", 2)
    answer = signed_in("approver").post(
        "/numbers/change/", {"what": "cost_centre", "all": "1", "filter": "state=all", "cost_centre": "X"}
    )
    assert answer.status_code == 422
    assert "At most 2 numbers are changed at once" in answer.content.decode()
    assert not BulkChange.objects.exists()


def test_drafts_are_forgotten_after_a_day(cast, four, now):
    planned(cast.approver, now, cost_centre="Bulk")
    bulk_applying.sweep(clock=lambda: now + timedelta(hours=23))
    assert BulkChange.objects.count() == 1
    bulk_applying.sweep(clock=lambda: now + timedelta(hours=25))
    assert BulkChange.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_two_workers_on_one_change_do_each_number_once(cast, own_many, now):
    numbers = own_many([{"number": f"4930{n}"} for n in range(20)])
    change = planned(cast.approver, now, cost_centre="Bulk")
    bulk_applying.confirm(actor=cast.approver, change=change, reason="", now=now)
    batch = change.batches.get()
    start, problems = threading.Barrier(2), []

    def work():
        try:
            start.wait()
            bulk_applying._do_batch(change, batch.pk, {}, now)
        except Exception as problem:
            problems.append(problem)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]
    assert problems == []
    assert AuditEvent.objects.filter(verb="number.assigned").count() == len(numbers)
    change.refresh_from_db()
    batch.refresh_from_db()
    assert (change.changed, change.left, len(batch.results)) == (len(numbers), 0, len(numbers))
    assert set(OwnedNumber.objects.values_list("version", flat=True)) == {2}


def test_the_changes_are_listed(signed_in, cast, four, now):
    do(planned(cast.approver, now, cost_centre="Bulk"), now, "tidy up")
    planned(cast.approver, now, cost_centre="Draft")
    page = signed_in("viewer").get("/numbers/changes/").content.decode()
    assert "tidy up" in page
    assert page.count("3 changed") == 1
    assert BulkChange.objects.filter(kind=BulkKind.CHANGE, state=BulkState.DRAFT).exists()
