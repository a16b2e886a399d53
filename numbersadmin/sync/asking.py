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

    def page(self, number: int, limit: int, alive: Callable[[], None] | None = None) -> tuple[Page, datetime]:
        """One page of the purchased list, and when it had been read.

        `alive` is called between two waits for a turn, for another thread than the run's own; it raises to stop.
        Raises ProviderError, or LostRun while waiting for a turn.
        """
        page = self._patiently(
            lambda: self.provider.list_owned(page=number, limit=limit, caller="sync", wait=WAIT_SECONDS),
            alive or self.beat,
        )
        return page, self.clock()

    def look(self, number_key: str) -> ProviderNumber:
        """One number by its key. Raises NotOwned and the other ProviderErrors, or LostRun."""
        return self._patiently(
            lambda: self.provider.get_owned(number_key, caller="sync", wait=WAIT_SECONDS), self.beat
        )

    def listed(self, digits: str) -> Page:
        """What the purchased list shows of some digits. Raises ProviderError, or LostRun."""
        return self._patiently(
            lambda: self.provider.list_owned(number=digits, caller="sync", wait=WAIT_SECONDS), self.beat
        )

    def beat(self) -> None:
        """Show that the run is alive. Raises LostRun."""
        beat(self.run, self.clock())

    def _patiently(self, ask: Callable[[], Answer], alive: Callable[[], None]) -> Answer:
        self.calls += 1
        for tries_left in reversed(range(PATIENCE)):
            try:
                return ask()
            except ProviderBusy as busy:
                if busy.http_status is not None or not tries_left:
                    raise  # the provider itself said so, three times over
                alive()
        raise AssertionError("unreachable")
