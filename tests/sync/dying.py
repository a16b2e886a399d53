"""A worker that dies before one of its statements, as a killed process does, or is overtaken there by another."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from django.db import connection

WRITES = ("INSERT", "UPDATE", "DELETE", "SAVEPOINT")
UNDOING = ("ROLLBACK", "RELEASE")


class Dead(BaseException):
    """The process is gone: no handler may write anything more, and what was not committed is undone."""


class AtWrite:
    """A context in which `act` is called before the `nth` write of this connection, once.

    A transaction's beginning counts as a write. With `between`, only writes outside of transactions count: there
    alone another worker can have been at work. `kill` lets nothing but the undoing through from then on.
    """

    def __init__(self, nth: int, act: Callable[["AtWrite"], None], *, between: bool = False) -> None:
        self.nth, self.act, self.between = nth, act, between
        self.writes, self.acted, self.dead = 0, False, False

    def __enter__(self) -> "AtWrite":
        self._depth = len(connection.savepoint_ids)
        self._stack = ExitStack()
        self._stack.enter_context(connection.execute_wrapper(self._before))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def kill(self) -> None:
        """What SIGKILL does."""
        self.dead = True

    def _before(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        counts = sql.startswith(WRITES) and not (self.between and len(connection.savepoint_ids) > self._depth)
        if counts and not self.acted:
            self.writes += 1
            if self.writes > self.nth:
                self.acted = True
                self.act(self)
        if self.dead and not sql.startswith(UNDOING):
            raise Dead
        return execute(sql, params, many, context)
