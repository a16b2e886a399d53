"""Undoing a bulk change: once, by whoever made it or an administrator, and never over what others did since."""

import pytest

from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers import bulk_applying, bulk_planning, bulk_undo, services
from numbersadmin.numbers.bulk_applying import NotConfirmed
from numbersadmin.numbers.models import BulkChange, BulkKind, EndBasis, OwnedNumber
from numbersadmin.numbers.services import assign

pytestmark = pytest.mark.django_db


@pytest.fixture
def three(own, cast):
    return [
        own("447860041110", owner=cast.manager, cost_centre="Retail", labels=["otp"]),
        own("447860041111", cost_centre="Travel"),
        own("447860041112"),
    ]


def made(actor, now, reason="", **wanted):
    """A bulk change of all numbers, done."""
    change = bulk_planning.plan_change(
        actor=actor, found=OwnedNumber.objects.all(), wanted=wanted, back="", now=now
    )
    return done(change, now, reason)


def done(change, now, reason=""):
    bulk_applying.confirm(actor=change.actor, change=change, reason=reason, now=now)
    bulk_applying.carry_out(change_id=change.pk, clock=lambda: now)
    change.refresh_from_db()
    return change


def values(name):
    return list(OwnedNumber.objects.order_by("number").values_list(name, flat=True))


def test_each_number_gets_back_what_it_had(signed_in, cast, three, now):
    client = signed_in("manager")
    change = made(
        cast.manager, now, owner=cast.finance.pk
    )  # from now on not theirs to edit, but theirs to undo
    assert values("owner__username") == ["finance"] * 3
    answer = client.post(f"/numbers/change/{change.pk}/undo/")
    page = client.get(answer.url).content.decode()
    assert "Undo the change of 3 numbers?" in page
    assert values("owner__username") == ["finance"] * 3  # a preview
    client.post(f"{answer.url}confirm/")
    assert values("owner__username") == ["manager", None, None]
    undo = BulkChange.objects.get(kind=BulkKind.UNDO)
    event = AuditEvent.objects.get(related_id=undo.pk, subject_id=three[0].pk)
    assert (event.verb, event.before, event.after) == (
        "number.assigned", {"owner": "finance"}, {"owner": "manager"},
    )  # fmt: skip
    assert event.reason == f"Undo of bulk change {change.pk}"
    assert AuditEvent.objects.get(verb="bulk.undone").related_id == change.pk
    assert "This was undone" in client.get(f"/numbers/change/{change.pk}/").content.decode()


def test_what_others_did_since_stays(cast, three, now):
    change = made(cast.approver, now, cost_centre="Bulk")
    assign(actor=cast.manager, numbers=[OwnedNumber.objects.get(pk=three[0].pk)], cost_centre="Mine", now=now)
    second = OwnedNumber.objects.get(pk=three[1].pk)  # away and back to what the change had made of it
    assign(actor=cast.manager, numbers=[second], cost_centre="Else", now=now)
    assign(actor=cast.manager, numbers=[second], cost_centre="Bulk", now=now)
    undo = bulk_undo.plan_undo(actor=cast.approver, change=change, now=now)
    assert undo.preview["left"] == [["Changed again since then", 2]]
    done(undo, now)
    assert values("cost_centre") == ["Mine", "Bulk", ""]


def test_what_the_provider_did_since_does_not_count(cast, three, now):
    change = made(cast.approver, now, cost_centre="Bulk")
    services.mark_missing(owned=OwnedNumber.objects.get(pk=three[0].pk), now=now)
    gone = OwnedNumber.objects.get(pk=three[1].pk)
    services.end_number(
        owned=gone, basis=EndBasis.DISAPPEARED, ended_from=now, ended_to=now, actor=None, now=now
    )
    undo = done(bulk_undo.plan_undo(actor=cast.approver, change=change, now=now), now)
    assert values("cost_centre") == ["Retail", "Bulk", ""]
    assert undo.preview["left"] == [["No longer ours", 1]]


def test_a_number_changed_after_the_preview_of_the_undo_is_left(cast, three, now):
    change = made(cast.approver, now, labels={"replace": ["new"]})
    undo = bulk_undo.plan_undo(actor=cast.approver, change=change, now=now)
    assign(actor=cast.manager, numbers=[OwnedNumber.objects.get(pk=three[0].pk)], labels=["mine"], now=now)
    done(undo, now)
    assert values("labels") == [["mine"], [], []]
    assert (undo.changed, undo.left) == (2, 1)


def test_a_change_is_undone_once(cast, three, now):
    change = made(cast.approver, now, cost_centre="Bulk")
    first = bulk_undo.plan_undo(actor=cast.approver, change=change, now=now)
    second = bulk_undo.plan_undo(actor=cast.admin, change=change, now=now)  # both look at its preview
    done(first, now)
    with pytest.raises(NotConfirmed, match="undone this change already"):
        bulk_applying.confirm(actor=cast.admin, change=second, reason="", now=now)
    with pytest.raises(bulk_undo.CannotUndo, match="has undone it already"):
        bulk_undo.plan_undo(actor=cast.approver, change=change, now=now)
    with pytest.raises(bulk_undo.CannotUndo, match="an undo itself"):
        bulk_undo.plan_undo(actor=cast.approver, change=first, now=now)
    assert values("cost_centre") == ["Retail", "Travel", ""]


@pytest.mark.parametrize(
    ("person", "status"), [("approver", 302), ("admin", 302), ("finance", 403), ("viewer", 403)]
)
def test_by_whoever_made_it_or_an_administrator(signed_in, cast, three, now, person, status):
    change = made(cast.approver, now, cost_centre="Bulk")
    client = signed_in(person)
    answer = client.post(f"/numbers/change/{change.pk}/undo/")
    assert answer.status_code == status
    page = client.get(f"/numbers/change/{change.pk}/").content.decode()
    assert ("Preview undo" in page) == (status == 302)
    if status == 302:
        client.post(f"{answer.url}confirm/")
    assert values("cost_centre")[0] == ("Retail" if status == 302 else "Bulk")


def test_protection_comes_back_as_it_was_and_goes_only_by_another(cast, three, now):
    protecting = made(cast.approver, now, "campaign", protection=True)
    off = made(cast.finance, now, "over", protection=False)
    done(bulk_undo.plan_undo(actor=cast.finance, change=off, now=now), now, "not over")
    row = OwnedNumber.objects.get(pk=three[0].pk)
    assert (row.protected_by, row.protected_reason, row.protected_at) == (cast.approver, "campaign", now)
    own = bulk_undo.plan_undo(actor=cast.approver, change=protecting, now=now)
    assert own.planned == 0  # changed since, by two others
    again = made(cast.finance, now, "once more", protection=False)
    assert (again.changed, values("protected_at")) == (3, [None] * 3)


def test_nobody_takes_off_their_own_protection_by_undoing(cast, three, now):
    change = made(cast.approver, now, "campaign", protection=True)
    undo = bulk_undo.plan_undo(actor=cast.approver, change=change, now=now)
    assert undo.preview["left"] == [["Protected by you: another person takes that off", 3]]
    by_admin = bulk_undo.plan_undo(actor=cast.admin, change=change, now=now)
    assert by_admin.preview["left"] == [["Only an approver or finance changes a protection", 3]]
