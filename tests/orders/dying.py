"""Workers that die at a line, as a killed process does, or stand still there while everybody else goes on."""

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from django.db import connection, connections

from numbersadmin.numbers import services as numbers_services
from numbersadmin.orders import execution, lookups, machine, recording, settling, sweeping
from numbersadmin.provider import client

FILES = {
    module.__file__
    for module in (
        execution,
        lookups,
        machine,
        recording,
        settling,
        sweeping,
        numbers_services,
        client,
    )
}


class Dead(BaseException):
    """The process is gone: nothing that handles errors may go on, and what was not committed is undone."""


def die() -> None:
    """What a killed process does at its line."""
    raise Dead


class AtLine:
    """A context in which `act` is called at the `nth` line of FILES that this thread comes to, once.

    `between` waits for the next line outside a transaction: whoever stands still inside one holds the others
    up on SQLite, and is seen by nobody on PostgreSQL. `lines` counts what was passed.
    """

    def __init__(self, nth: int, act: Callable[[], None], *, between: bool = False) -> None:
        self.nth, self.act, self.between = nth, act, between
        self.passed: list[tuple[str, str, int]] = []
        self.acted = False

    def __enter__(self) -> "AtLine":
        self._depth = len(connection.savepoint_ids)
        self._before = sys.gettrace()
        sys.settrace(self._call)
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        sys.settrace(self._before)
        if kind is Dead:
            self._roll_back()

    def _roll_back(self) -> None:
        """Undo what was not committed: a death at the end of a `with` passes by what would have done it."""
        while len(connection.savepoint_ids) > self._depth:
            connection.atomic_blocks.pop()
            if sid := connection.savepoint_ids.pop():
                connection.savepoint_rollback(sid)
        connection.needs_rollback = False

    def _call(self, frame: FrameType, event: str, arg: Any) -> Any:
        return self._line if frame.f_code.co_filename in FILES and not self.acted else None

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line" and not self.acted:
            self.passed.append((frame.f_code.co_filename, frame.f_code.co_name, frame.f_lineno))
            if len(self.passed) > self.nth and not (
                self.between and len(connection.savepoint_ids) > self._depth
            ):
                self.acted = True
                sys.settrace(self._before)  # the rest of the way nobody counts lines
                self.act()
        return self._line


class Sleeper:
    """A worker in a thread of its own, on the test's connection: it runs only while the test waits for it."""

    def __init__(self, work: Callable[[], object], nth: int) -> None:
        self._work, self._nth = work, nth
        self._go, self._stands = threading.Semaphore(0), threading.Semaphore(0)
        self._dead = False
        self._error: BaseException | None = None
        self.over = False
        connection.inc_thread_sharing()
        self._thread = threading.Thread(target=self._run, args=(connections["default"],), daemon=True)
        self._thread.start()
        self.go_on()

    def go_on(self) -> None:
        """Let it work until it comes to its line, or to its end. Raises what it raises."""
        self._go.release()
        self._stands.acquire()
        if self.over:
            self._thread.join()
            connection.dec_thread_sharing()
        if self._error:
            raise self._error

    def kill(self) -> None:
        """It never comes back from its line."""
        self._dead = True
        self.go_on()

    def _run(self, shared: Any) -> None:
        connections["default"] = shared
        self._go.acquire()
        try:
            with AtLine(self._nth, self._stand, between=True):
                self._work()
        except Dead:
            pass
        except BaseException as error:
            self._error = error
        self.over = True
        self._stands.release()

    def _stand(self) -> None:
        self._stands.release()
        self._go.acquire()
        if self._dead:
            raise Dead
