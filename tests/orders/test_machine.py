"""The state machine: only the transitions of its table, each once, each with its event."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from numbersadmin.audit.models import AuditEvent
from numbersadmin.orders import machine
from numbersadmin.orders.errors import Moved
from numbersadmin.orders.models import OrderItem, State
from tests.orders.desk import Desk, again, item_of

pytestmark = pytest.mark.django_db
APPROVE = {"verb": "order.approved", "actor": None}


@pytest.fixture
def item(desk: Desk) -> OrderItem:
    return item_of(desk.order())


def test_done_and_rejected_are_for_ever():
    assert {old for old, _ in machine.TRANSITIONS}.isdisjoint({State.DONE, State.REJECTED})


def test_what_is_over_comes_back_only_as_done():
    over = (State.FAILED, State.EXPIRED, State.WITHDRAWN)
    assert {new for old, new in machine.TRANSITIONS if old in over} == {State.DONE}


def test_an_unknown_outcome_is_never_sent_again():
    assert {new for old, new in machine.TRANSITIONS if old == State.UNKNOWN} == {State.DONE, State.FAILED}


def test_every_state_can_be_reached():
    reached, before = {State.PENDING}, set()
    while reached != before:
        before, reached = reached, reached | {new for old, new in machine.TRANSITIONS if old in reached}
    assert reached == set(State)


@pytest.mark.parametrize(
    ("old", "new"), [(old, new) for old in State for new in State if (old, new) not in machine.TRANSITIONS]
)
def test_nothing_else_leads_anywhere(old: State, new: State, clock: Any):
    with pytest.raises(ValueError, match="nothing leads from"):
        machine.move(OrderItem(state=old), new, verb="x", actor=None, now=clock())


def test_a_transition_is_recorded_with_it(item: OrderItem, desk: Desk):
    machine.move(item, State.APPROVED, now=desk.clock(), reason="fine", **APPROVE)
    assert (again(item).state, again(item).version) == ("approved", 2)
    told = AuditEvent.objects.get(verb="order.approved")
    assert (told.subject_id, told.number) == (item.pk, item.number)
    assert (told.before, told.after, told.reason) == ({"state": "pending"}, {"state": "approved"}, "fine")
    assert told.related_id == item.order_id


def test_a_transition_that_is_undone_leaves_no_event(item: OrderItem, desk: Desk):
    with transaction.atomic():
        machine.move(item, State.APPROVED, now=desk.clock(), **APPROVE)
        transaction.set_rollback(True)
    assert again(item).state == "pending"
    assert not AuditEvent.objects.filter(verb="order.approved").exists()


def test_who_comes_second_is_told_who_was_first(item: OrderItem, desk: Desk):
    mine, theirs = again(item), again(item)
    machine.move(theirs, State.REJECTED, verb="order.rejected", actor=desk.cast.approver, now=desk.clock())
    with pytest.raises(Moved, match=r"approver rejected it on 13 Oct 2026, 09:00\. Look at order"):
        machine.move(mine, State.APPROVED, now=desk.clock(), **APPROVE)
    assert again(item).state == "rejected"
    assert AuditEvent.objects.filter(subject_id=item.pk).count() == 2  # submitted, rejected


def test_an_amendment_counts_as_a_change_for_who_comes_second(item: OrderItem, desk: Desk):
    mine, theirs = again(item), again(item)
    machine.amend(theirs, now=desk.clock(), looks=1)
    with pytest.raises(Moved):
        machine.amend(mine, now=desk.clock(), looks=2)
    assert again(item).looks == 1


def test_without_the_condition_the_second_would_win(item: OrderItem, desk: Desk):
    """The negative control: it is the condition on state and version that stops who comes second."""
    mine, theirs = again(item), again(item)
    machine.move(theirs, State.REJECTED, verb="order.rejected", actor=desk.cast.approver, now=desk.clock())
    assert OrderItem.objects.filter(pk=mine.pk).update(state=State.APPROVED) == 1
    assert again(item).state == "approved"


def drawn() -> dict[tuple[str, str], str]:
    """The arrows of the diagram in docs/orders.md, with their words."""
    text = (Path(__file__).parents[2] / "docs" / "orders.md").read_text()
    arrows = re.findall(
        r"^ +(\w+) --> (\w+): (.+)$", text.partition("```mermaid")[2].partition("```")[0], re.M
    )
    return {(old, new): words for old, new, words in arrows}


def test_the_diagram_in_the_documents_is_the_table():
    assert drawn() == {(old.value, new.value): words for (old, new), words in machine.TRANSITIONS.items()}
    assert len(drawn()) == 20
