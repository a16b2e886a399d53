"""Whatever happens at the provider, on the wire and to our worker: no number of ours is ever falsely ended."""

from typing import Any

import pytest

from numbersadmin.provider import circuit, client
from numbersadmin.provider.client import get_provider
from numbersadmin.sync import scene
from tests.orders.desk import Desk
from tests.sync import careless, two_sides
from tests.sync.conftest import Mirror


@pytest.fixture
def desk(mirror: Mirror, cast: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """People at work; what a run of the machine sets is as before after it."""
    settings.PROVIDER_TIMEOUT_SECONDS = two_sides.PROVIDER_SECONDS
    for module, name in (
        (client, "BACKOFF_SECONDS"),
        (client, "BUSY_SECONDS"),
        (circuit, "LOOK_AGAIN"),
        (scene, "BATCH"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name))
    return Desk(get_provider(), cast, mirror.clock)


def test_no_number_is_falsely_ended_and_both_sides_agree_in_the_end(mirror, desk):
    """The same each time; bench/sync_history.py goes elsewhere."""
    did = two_sides.run(mirror, desk, examples=50, chance=20261125, steps=5)
    assert did["agreed"] > 20


@pytest.mark.parametrize(
    ("guard", "chance"),
    [
        ("look-up", 1),
        ("only 404", 3),
        ("mass guard", 1),
        ("key change", 6),
        ("fence", 4),
        ("own writes", 5),
    ],
)
def test_the_histories_find_a_guard_that_is_missing(mirror, desk, guard, chance):
    """The control, with histories that find it soon; bench/sync_history.py --without takes away the others too."""
    with careless.without(guard), pytest.raises(AssertionError):
        two_sides.run(mirror, desk, examples=8, chance=chance)
