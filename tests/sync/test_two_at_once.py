"""Several starts at the same moment, each on a connection of its own: one runs, the others are told since when."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from numbersadmin.sync import services
from numbersadmin.sync.models import RunStatus, SyncRun

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS, AT_ONCE = 10, 4


@pytest.fixture
def starts(now) -> Callable[[], list[str]]:
    """Several threads start a run at the same moment: what each was told, "" for one that runs."""

    def start_all() -> list[str]:
        gate, told = threading.Barrier(AT_ONCE), []

        def start() -> None:
            gate.wait()
            try:
                services.start(actor=None, now=now)
                told.append("")
            except services.AlreadyRunning as running:
                told.append(str(running))
            finally:
                connection.close()

        threads = [threading.Thread(target=start) for _ in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return told

    return start_all


def end_all() -> None:
    SyncRun.objects.update(status=RunStatus.FAILED)


@contextmanager
def no_constraint() -> Iterator[None]:
    constraint = SyncRun._meta.constraints[0]
    with connection.schema_editor() as editor:
        editor.remove_constraint(SyncRun, constraint)
    try:
        yield
    finally:
        end_all()
        with connection.schema_editor() as editor:
            editor.add_constraint(SyncRun, constraint)


def test_of_several_starts_at_once_one_begins(starts):
    for _ in range(ROUNDS):
        told = starts()
        assert sorted(told)[0] == ""
        assert set(sorted(told)[1:]) == {"A sync has been running since 13 Oct 2026, 09:00:00 UTC."}
        assert SyncRun.objects.filter(status=RunStatus.RUNNING).count() == 1
        end_all()


def test_without_the_constraint_several_begin(starts):
    """The control: the race is real, and it is the database that decides it."""
    with no_constraint():
        assert starts() == [""] * AT_ONCE
