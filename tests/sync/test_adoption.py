"""Numbers on the list that an order of ours explains: bought or cancelled although the answer never came."""

from datetime import timedelta

import pytest

from numbersadmin.numbers.models import AcquiredBasis, EndBasis, OwnedNumber, Status
from numbersadmin.orders.models import ProviderAttempt, State
from numbersadmin.provider.client import get_provider
from tests.orders.desk import FOR_SALE, NUMBER, Clock, Desk, again


@pytest.fixture
def desk(mirror, cast, settings):
    """People at work at the same provider and by the same clock."""
    settings.PROVIDER_TIMEOUT_SECONDS = 1
    settings.LIST_PAGE_SIZE = 50
    mirror.sandbox.stock(available=FOR_SALE)
    mirror.stock("447700900001")
    mirror.sync()
    return Desk(get_provider(), cast, Clock(mirror.now))


def later(mirror, desk, **span):
    mirror.later(**span)
    desk.clock.now = mirror.now


def test_a_purchase_with_a_lost_answer_is_adopted_by_the_next_run(mirror, desk, signed_in):
    mirror.sandbox.fault("purchase", "drop", act=True)
    mirror.sandbox.switch(read_lag_seconds=600)
    item = desk.carry_out(desk.approved())
    assert item.state == State.UNKNOWN
    later(mirror, desk)
    run = mirror.sync()
    item, owned = again(item), mirror.owned(NUMBER)
    assert (run.status, run.appeared, item.state, item.owned_number) == ("complete", 1, State.DONE, owned)
    assert (owned.acquired_basis, owned.owner) == (AcquiredBasis.PURCHASED_HERE, desk.cast.manager)
    assert "number.adopted" in mirror.verbs(run)
    assert "number.appeared" not in mirror.verbs(run)
    assert "1 new (1 by orders)" in signed_in("viewer").get(f"/sync/{run.pk}/").text
    before = mirror.facts()
    assert mirror.next_sync().changed == 0
    assert mirror.facts() == before


def test_a_purchase_here_is_no_surprise_to_the_next_run(mirror, desk):
    item = desk.carry_out(desk.approved())
    assert item.state == State.DONE
    later(mirror, desk)
    run = mirror.sync()
    assert (run.appeared, run.changed, OwnedNumber.objects.filter(number=NUMBER).count()) == (0, 0, 1)
    assert mirror.owned(NUMBER).digest is not None


def test_a_number_that_a_worker_is_buying_now_is_left_to_it(mirror, desk):
    item = desk.carry_out(desk.approved())
    owned = item.owned_number
    item.owned_number = None
    item.state = State.EXECUTING
    item.save()
    owned.versions.all().delete()
    owned.delete()
    lease = mirror.now + timedelta(minutes=20)
    ProviderAttempt.objects.update(outcome=None, finished_at=None, lease_until=lease)
    run = mirror.next_sync()
    assert (run.status, run.appeared, NUMBER in mirror.open()) == ("complete", 0, False)
    run = mirror.next_sync()  # that worker died: its order adopts the number
    assert (run.appeared, again(item).state, NUMBER in mirror.open()) == (1, State.DONE, True)


def test_a_cancellation_with_a_lost_answer_ends_as_cancelled_here(mirror, desk):
    owned = mirror.owned("447700900001")
    mirror.stock("447700900002")
    mirror.sandbox.fault("cancel", "drop", act=True)
    item = desk.carry_out(desk.approved_cancel(owned))
    assert item.state == State.UNKNOWN
    later(mirror, desk)
    run = mirror.sync()
    owned.refresh_from_db()
    assert (run.status, owned.status) == ("complete", Status.OWNED)  # the order's own looks decide
    desk.sweep()
    later(mirror, desk, minutes=2)
    desk.sweep()
    owned.refresh_from_db()
    assert (again(item).state, owned.status, owned.end_basis) == (
        State.DONE,
        Status.ENDED,
        EndBasis.CANCELLED_HERE,
    )
