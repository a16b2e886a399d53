"""Two at work at the same moment on PostgreSQL, each on a connection of its own, and the same way each time."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from django.db import connection

LOOKS = 20_000  # for a lock that is waited for; each is a query


def in_the_midst(first: Callable[[], Any], second: Callable[[], Any], *, after: str) -> list[Any]:
    """Do `first`; once its first statement beginning so is done, `second` begins, and `first` goes on as soon as
    that waits for it or is over. What each returned or raised.
    """
    told: list[Any] = [None, None]
    backends: SimpleQueue[int] = SimpleQueue()

    def act(at: int, what: Callable[[], Any]) -> None:
        try:
            told[at] = what()
        except Exception as error:
            told[at] = error

    def act_second() -> None:
        with connection.cursor():
            backends.put(connection.connection.info.backend_pid)
        try:
            act(1, second)
        finally:
            connection.close()

    other = threading.Thread(target=act_second)

    def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        answer = execute(sql, params, many, context)
        if sql.startswith(after) and other.ident is None:
            other.start()
            backend = backends.get(timeout=10)
            for _ in range(LOOKS):
                if not other.is_alive() or _waits(backend):
                    break
        return answer

    with connection.execute_wrapper(look):
        act(0, first)
    assert other.ident, f"no statement began with {after}"
    other.join(20)
    return told


def _waits(backend: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)", [backend])
        return bool(cursor.fetchone()[0])
