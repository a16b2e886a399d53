"""The mirror under test: our records and the sandbox, with one clock that the test moves for both."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers.models import NumberVersion, OwnedNumber, Status
from numbersadmin.provider import client
from numbersadmin.provider.client import get_provider
from numbersadmin.sync import services
from numbersadmin.sync.models import SyncRun


class Mirror:
    """The sandbox and our records of it."""

    def __init__(self, sandbox: Any, now: datetime) -> None:
        self.sandbox = sandbox
        self.now = now

    def clock(self) -> datetime:
        """The moment it is for both sides."""
        return self.now

    def later(self, **span: float) -> None:
        """Let time pass (15 minutes unless said)."""
        self.now += timedelta(**(span or {"minutes": 15}))
        self.sandbox.clock(self.now)

    def sync(self, on_page: Callable[[int], None] = lambda page: None, actor: Any = None) -> SyncRun:
        """One run, now; read back from the database."""
        run = services.run_sync(provider=get_provider(), actor=actor, clock=self.clock, on_page=on_page)
        return SyncRun.objects.get(pk=run.pk)

    def next_sync(self, on_page: Callable[[int], None] = lambda page: None) -> SyncRun:
        """One run 15 minutes later."""
        self.later()
        return self.sync(on_page)

    def stock(self, *numbers: str, **fields: Any) -> None:
        """Numbers that the account has from the start; the key of 4477 is K4477."""
        self.sandbox.stock(owned=[{"number": n, "numberKey": f"K{n}", **fields} for n in numbers])

    def outside(self, act: str, number: str, **details: Any) -> None:
        """Something that happens without us."""
        self.sandbox.api("outside", {"act": act, "number": number, **details})

    def buy_outside(self, number: str, **fields: Any) -> None:
        """A number that somebody buys in the provider's portal; for sale first if it is not."""
        self.sandbox.stock(available=[{"number": number, "numberKey": f"K{number}", **fields}])
        self.outside("purchase", number)

    def owned(self, number: str) -> OwnedNumber:
        """Our latest possession of a number."""
        return OwnedNumber.objects.filter(number=number).latest("id")

    def open(self) -> set[str]:
        """The numbers that are ours by our records."""
        return set(OwnedNumber.objects.exclude(status=Status.ENDED).values_list("number", flat=True))

    def verbs(self, run: SyncRun | None = None) -> list[str]:
        """Events in their order, of one run or of all."""
        events = AuditEvent.objects.order_by("id")
        if run is not None:
            events = events.filter(at__gte=run.started_at, at__lte=run.finished_at or self.now)
        return list(events.values_list("verb", flat=True))

    def verbs_after(self, pk: int) -> list[str]:
        """Events that came after one."""
        return list(AuditEvent.objects.filter(pk__gt=pk).order_by("id").values_list("verb", flat=True))

    def event(self, verb: str) -> AuditEvent:
        """The last event of a kind."""
        return AuditEvent.objects.filter(verb=verb).latest("id")

    def facts(self) -> list[Any]:
        """Everything that a sync may write but its own run: numbers, versions, and events other than the run's."""
        return [
            list(OwnedNumber.objects.order_by("id").values_list()),
            list(NumberVersion.objects.order_by("id").values_list()),
            list(AuditEvent.objects.exclude(verb="sync.finished").order_by("id").values_list("id", "verb")),
        ]


@pytest.fixture
def mirror(db: None, sandbox: Any, now: datetime, settings: Any) -> Mirror:
    """An account without numbers, read 2 at a time."""
    settings.LIST_PAGE_SIZE = 2
    return Mirror(sandbox, now)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client repeats failed calls at once. Not by a `sleep` that returns: its watchdog would spin on that."""
    monkeypatch.setattr(client, "BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(client, "BUSY_SECONDS", 0.001)
