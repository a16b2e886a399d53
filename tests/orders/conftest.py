"""What the tests of orders share: our clock, two numbers for sale, people at work, a number that is ours."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
import time_machine

from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.provider.client import Provider, get_provider
from tests.orders.desk import FOR_SALE, Clock, Desk


@pytest.fixture
def clock(now: datetime) -> Clock:
    return Clock(now)


@pytest.fixture
def provider(sandbox: Any, settings: Any) -> Provider:
    """Two numbers for sale, a short timeout, and our client."""
    settings.PROVIDER_TIMEOUT_SECONDS = 0.5
    sandbox.stock(available=FOR_SALE)
    return get_provider()


@pytest.fixture
def desk(provider: Provider, cast: Any, clock: Clock) -> Desk:
    return Desk(provider, cast, clock)


@pytest.fixture
def owned(sandbox: Any, desk: Desk) -> OwnedNumber:
    """One number that is ours at the provider and in our books."""
    sandbox.stock(owned=[{"numberKey": "OWNED1", "number": "447860041117", "country": "GB"}])
    return desk.own()


@pytest.fixture
def bought_here(sandbox: Any) -> Callable[[], list[str]]:
    """The numbers that the provider sold to our program, in order."""
    return lambda: [act["number"] for act in sandbox.acts("purchase")]


@pytest.fixture
def today(now: datetime) -> Iterator[None]:
    """The pages' own clock begins at the tests' moment, as the provider's stands at it."""
    with time_machine.travel(now, tick=True):
        yield
