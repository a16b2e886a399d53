"""What all processes know together about the provider: one small document, changed one at a time."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

BUSY_SECONDS = 2.0
REDIS_SECONDS = 0.5
REDIS_KEY = "numbersadmin:provider"
REDIS_TRIES = 50

Result = TypeVar("Result")


class Bucket(msgspec.Struct):
    """One rate limit. `full_at`: when it would be full again, on the store's clock.

    `waiting`: ticket -> (virtual arrival, end of lease); see limits.py.
    """

    full_at: float = 0.0
    waiting: dict[str, tuple[float, float]] = {}


class Account(msgspec.Struct):
    """What is known about one set of credentials at one address. Times of day are epoch seconds."""

    used_at: float = 0.0
    proven: bool = False
    refused_since: float | None = None
    refused_text: str = ""
    probes: list[float] = []
    ok_at: float | None = None
    down_since: float | None = None
    down_reason: str = ""
    failures: int = 0
    tried_at: float = 0.0


class State(msgspec.Struct):
    """The whole document."""

    buckets: dict[str, Bucket] = {}
    accounts: dict[str, Account] = {}


class StoreFailed(Exception):
    """The shared document cannot be read or written."""


class Store(Protocol):
    """Where the document lives."""

    def change(self, act: Callable[[State, float], Result]) -> Result:
        """Run `act(state, now)` alone and keep what it changed. Raises StoreFailed."""
        ...

    def read(self) -> State:
        """The document as it stands. Raises StoreFailed."""
        ...


_decoder = msgspec.json.Decoder(State)
_encode = msgspec.json.encode


def _state(document: bytes | None) -> State:
    if not document:
        return State()
    try:
        return _decoder.decode(document)
    except msgspec.MsgspecError:  # written by another version: nothing in it is worth a failure
        return State()


class SqliteStore:
    """The document in a file of its own; its clock is the machine's, which no time change moves."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()

    def change(self, act: Callable[[State, float], Result]) -> Result:
        """See Store."""
        try:
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                before = self._document(connection)
                state = _state(before)
                result = act(state, time.monotonic())
                after = _encode(state)
                if after != before:
                    connection.execute("INSERT OR REPLACE INTO shared (id, document) VALUES (1, ?)", (after,))
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            return result
        except (sqlite3.Error, OSError) as error:
            self._local.connection = None
            raise StoreFailed(str(error)) from error

    def read(self) -> State:
        """See Store."""
        try:
            return _state(self._document(self._connection()))
        except (sqlite3.Error, OSError) as error:
            self._local.connection = None
            raise StoreFailed(str(error)) from error

    def _document(self, connection: sqlite3.Connection) -> bytes | None:
        row = connection.execute("SELECT document FROM shared WHERE id = 1").fetchone()
        return row[0] if row else None

    def _connection(self) -> sqlite3.Connection:
        """This thread's connection, opened anew after a fork and when the file was taken away."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None or self._local.of != self._file():
            connection = self._open()
            self._local.connection, self._local.of = connection, self._file()
        return connection

    def _file(self) -> tuple[int, int]:
        try:
            return os.getpid(), self._path.stat().st_ino
        except FileNotFoundError:
            return os.getpid(), 0

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(
            self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA synchronous = OFF")  # losing it on a power cut costs nothing
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            self._to_wal(connection)
        connection.execute(
            "CREATE TABLE IF NOT EXISTS shared (id INTEGER PRIMARY KEY, document BLOB NOT NULL)"
        )
        return connection

    def _to_wal(self, connection: sqlite3.Connection) -> None:
        """Several processes may start at once, and this one statement does not wait for its turn."""
        ends = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.01)


class RedisStore:
    """The document under one key of Redis; its clock is that of Redis, the same for all machines."""

    def __init__(self, url: str, key: str = "") -> None:
        self._key = key or REDIS_KEY
        self._redis: Any = redis.Redis.from_url(
            url,
            socket_timeout=REDIS_SECONDS,
            socket_connect_timeout=REDIS_SECONDS,
            # once: a connection that was kept may have been closed; never after a timeout
            retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        )

    def change(self, act: Callable[[State, float], Result]) -> Result:
        """See Store. Optimistic: whoever was overtaken reads again."""
        try:
            for turn in range(REDIS_TRIES):
                with self._redis.pipeline() as pipe:
                    pipe.watch(self._key)
                    before = pipe.get(self._key)
                    seconds, micros = pipe.time()
                    state = _state(before)
                    result = act(state, seconds + micros / 1e6)
                    after = _encode(state)
                    if after == before:
                        return result
                    pipe.multi()
                    pipe.set(self._key, after, ex=timedelta(days=30))
                    try:
                        pipe.execute()
                    except redis.WatchError:
                        time.sleep(0.001 * (turn % 8))
                        continue
                    return result
        except (redis.RedisError, OSError) as error:
            raise StoreFailed(str(error)) from error
        raise StoreFailed("too many processes want it at once")

    def read(self) -> State:
        """See Store."""
        try:
            return _state(self._redis.get(self._key))
        except (redis.RedisError, OSError) as error:
            raise StoreFailed(str(error)) from error
