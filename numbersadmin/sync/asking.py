"""How a run asks the provider: after people, with patience for our own limiter, and counting its calls."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from numbersadmin.provider.client import Provider
from numbersadmin.provider.errors import ProviderBusy
from numbersadmin.provider.schema import Page, ProviderNumber
from numbersadmin.sync.lease import beat
from numbersadmin.sync.models import SyncRun

WAIT_SECONDS = 30.0  # for a turn at our own limiter, between two signs of life
PATIENCE = 20  # such waits before the run gives up: people search all the time
Answer = TypeVar("Answer")


@dataclass
class Asking:
    """The provider as one run asks it; `calls` counts what it was asked, without the client's repetitions."""

    provider: Provider
    run: SyncRun
    clock: Callable[[], datetime]
    calls: int = 0

    def page(self, number: int) -> Page:
        """One page of the purchased list. Raises ProviderError, or LostRun while waiting for a turn."""
        return self._patiently(
            lambda: self.provider.list_owned(page=number, caller="sync", wait=WAIT_SECONDS)
        )

    def look(self, number_key: str) -> ProviderNumber:
        """One number by its key. Raises NotOwned and the other ProviderErrors, or LostRun."""
        return self._patiently(lambda: self.provider.get_owned(number_key, caller="sync", wait=WAIT_SECONDS))

    def listed(self, digits: str) -> Page:
        """What the purchased list shows of some digits. Raises ProviderError, or LostRun."""
        return self._patiently(
            lambda: self.provider.list_owned(number=digits, caller="sync", wait=WAIT_SECONDS)
        )

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        self.calls += 1
        for tries_left in reversed(range(PATIENCE)):
            try:
                return ask()
            except ProviderBusy as busy:
                if busy.http_status is not None or not tries_left:
                    raise  # the provider itself said so, three times over
                beat(self.run, self.clock())
        raise AssertionError("unreachable")
