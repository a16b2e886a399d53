"""The SQLite file of the imitated provider: numbers, acts, and what is still to happen."""

# ruff: noqa: S608 - what stands in the SQL texts by name are columns and conditions of this package, values are bound

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from numbersadmin.sandbox.numbers import NewNumber

VERSION = 1
WAIT = 1  # seconds for a sandbox that is just ending to let go of the file
SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE numbers (
    id INTEGER PRIMARY KEY,
    place INTEGER NOT NULL,
    number_key TEXT,
    number TEXT NOT NULL,
    country TEXT NOT NULL,
    caps TEXT NOT NULL,
    shared INTEGER NOT NULL,
    facts TEXT NOT NULL,
    per_month TEXT,
    setup TEXT,
    currency TEXT,
    initial TEXT,
    status TEXT,
    sale_key TEXT,
    bought_on TEXT,
    lives INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE acts (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, real_at TEXT NOT NULL, act TEXT NOT NULL,
    number TEXT NOT NULL, number_key TEXT, new_key TEXT, request INTEGER, details TEXT NOT NULL
);
CREATE TABLE later (
    id INTEGER PRIMARY KEY, due REAL NOT NULL, due_real REAL NOT NULL,
    what TEXT NOT NULL, details TEXT NOT NULL
);
"""
INDEXES = """
CREATE INDEX IF NOT EXISTS by_place ON numbers (place, number, id, country, caps);
CREATE INDEX IF NOT EXISTS by_country ON numbers (place, country, number, id, caps);
CREATE INDEX IF NOT EXISTS by_key ON numbers (number_key, place);
CREATE INDEX IF NOT EXISTS by_number ON numbers (number);
"""
COLUMNS = (
    "id, place, number_key, number, country, caps, shared, facts, per_month, setup, currency, initial,"
    " status, sale_key, bought_on, lives"
)
NEW = ", ".join(NewNumber._fields)
NEW_MARKS = ", ".join("?" * len(NewNumber._fields))


class Number(NamedTuple):
    """One kept number; prices are JSON text, None = absent."""

    id: int
    place: int
    number_key: str | None
    number: str
    country: str
    caps: str
    shared: int
    facts: str
    per_month: str | None
    setup: str | None
    currency: str | None
    initial: str | None
    status: str | None
    sale_key: str | None  # the key under which it was for sale before it was bought
    bought_on: str | None
    lives: int  # how often it was bought


class Filter(NamedTuple):
    """What a list is narrowed to; empty = everything."""

    country: str = ""
    caps: tuple[str, ...] = ()
    digits: str = ""


EVERYTHING = Filter()


class StoreError(Exception):
    """The file cannot be used; the text says why."""


class Store:
    """One connection for all threads; hold `lock` (or be inside `change()`) while reading more than once."""

    def __init__(self, file: str) -> None:
        self.lock = threading.RLock()
        self._counts: dict[tuple[int, Filter], int] = {}
        self._caps: set[str] | None = None
        try:
            self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None, timeout=WAIT)
            if file != ":memory:":
                Path(file).chmod(0o600)
            self._db.execute(
                "PRAGMA locking_mode=EXCLUSIVE"
            )  # two sandboxes on one file would contradict each other
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("BEGIN EXCLUSIVE")
            self._db.execute("COMMIT")
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{file}: {error}") from error
        self.waiting = self._one("SELECT count(*) FROM later")[0]

    def _prepare(self) -> None:
        version = self._one("PRAGMA user_version")[0]
        if version == 0 and not self._one("SELECT count(*) FROM sqlite_master")[0]:
            self._db.executescript(f"BEGIN; {SCHEMA} {INDEXES} PRAGMA user_version={VERSION}; COMMIT;")
        elif version != VERSION:
            raise sqlite3.DatabaseError("not a sandbox file of this version; remove it or name another one")

    def _one(self, sql: str, *values: Any) -> Any:
        return self._db.execute(sql, values).fetchone()

    def close(self) -> None:
        """Wait for the write under way, then close."""
        with self.lock:
            self._db.close()

    @contextmanager
    def change(self, *, keep: bool = True) -> Iterator[None]:
        """A transaction, committed at the end; with keep=False everything in it is undone."""
        with self.lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            else:
                self._db.execute("COMMIT" if keep else "ROLLBACK")
            finally:
                self._forget()
                self.waiting = self._one("SELECT count(*) FROM later")[0]

    def _forget(self) -> None:
        self._counts.clear()
        self._caps = None

    # --- settings that outlive a restart

    def get(self, name: str) -> str | None:
        """A kept setting."""
        with self.lock:
            row = self._one("SELECT value FROM meta WHERE name = ?", name)
        return row[0] if row else None

    def put(self, name: str, value: str) -> None:
        """Keep a setting."""
        with self.lock:
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    # --- numbers

    def restock(self, numbers: Iterable[NewNumber]) -> None:
        """Replace all numbers, empty the ledger and forget what was to happen later."""
        with self.change():
            for table in ("numbers", "acts", "later"):
                self._db.execute(f"DELETE FROM {table}")
            for name in ("by_place", "by_country", "by_key", "by_number"):
                self._db.execute(f"DROP INDEX IF EXISTS {name}")
            self.add(numbers)
            for statement in INDEXES.strip().split("\n"):
                self._db.execute(statement)

    def add(self, numbers: Iterable[NewNumber]) -> None:
        """Add numbers as they are; inside change()."""
        self._db.executemany(f"INSERT INTO numbers ({NEW}) VALUES ({NEW_MARKS})", numbers)

    def page(self, place: int, wanted: Filter, limit: int, offset: int) -> list[Number]:
        """Numbers of one place in the order of their digits."""
        where, values = _where(place, wanted)
        ids = f"SELECT id FROM numbers WHERE {where} ORDER BY number, id LIMIT ? OFFSET ?"
        sql = f"SELECT {COLUMNS} FROM numbers WHERE id IN ({ids}) ORDER BY number, id"
        with self.lock:
            return [Number._make(row) for row in self._db.execute(sql, (*values, limit, offset))]

    def count(self, place: int, wanted: Filter = EVERYTHING) -> int:
        """How many numbers of one place there are."""
        where, values = _where(place, wanted)
        with self.lock:
            if (place, wanted) not in self._counts:
                row = self._one(f"SELECT count(*) FROM numbers WHERE {where}", *values)
                self._counts[place, wanted] = row[0]
            return self._counts[place, wanted]

    def find(self, condition: str, *values: Any) -> Number | None:
        """The oldest number that meets an SQL condition."""
        with self.lock:
            row = self._one(f"SELECT {COLUMNS} FROM numbers WHERE {condition} ORDER BY id LIMIT 1", *values)
        return Number._make(row) if row else None

    def edit(self, number_id: int, **values: Any) -> None:
        """Change columns of one number; inside change()."""
        names = ", ".join(f"{name} = ?" for name in values)
        self._db.execute(f"UPDATE numbers SET {names} WHERE id = ?", (*values.values(), number_id))

    def copy(self, number: Number, **values: Any) -> int:
        """A second row like this one but for some columns; inside change(). Returns its id."""
        row = number._replace(**values)._asdict() | {"id": None}
        marks = ", ".join("?" * len(row))
        cursor = self._db.execute(f"INSERT INTO numbers ({COLUMNS}) VALUES ({marks})", tuple(row.values()))
        return int(cursor.lastrowid or 0)

    def remove(self, number_id: int) -> None:
        """Delete one number; inside change()."""
        self._db.execute("DELETE FROM numbers WHERE id = ?", (number_id,))

    def capabilities(self) -> set[str]:
        """Every capability that some number has."""
        with self.lock:
            if self._caps is None:
                rows = self._db.execute("SELECT DISTINCT caps FROM numbers").fetchall()
                self._caps = {name for (caps,) in rows for name in caps.split(",") if name}
            return self._caps

    # --- acts and what is to happen later

    def record(self, **act: Any) -> None:
        """Write an act into the ledger; inside change()."""
        row = (
            act["at"], act["real_at"], act["act"], act["number"], act["number_key"], act["new_key"],
            act["request"], json.dumps(act["details"]),
        )  # fmt: skip
        names = "at, real_at, act, number, number_key, new_key, request, details"
        self._db.execute(f"INSERT INTO acts ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def acts(self) -> list[dict[str, Any]]:
        """The ledger, oldest first."""
        sql = "SELECT at, real_at, act, number, number_key, new_key, request, details FROM acts ORDER BY id"
        with self.lock:
            cursor = self._db.execute(sql)
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor]
        return [row | json.loads(row.pop("details")) for row in rows]

    def last_request(self) -> int:
        """The highest request number in the ledger."""
        with self.lock:
            return int(self._one("SELECT coalesce(max(request), 0) FROM acts")[0])

    def put_off(self, due: float, due_real: float, what: str, details: dict[str, Any]) -> None:
        """Have something happen later; inside change(). Times are POSIX seconds of the two clocks."""
        row = (due, due_real, what, json.dumps(details))
        self._db.execute("INSERT INTO later (due, due_real, what, details) VALUES (?, ?, ?, ?)", row)

    def take_due(self, now: float, real: float) -> list[tuple[str, dict[str, Any]]]:
        """What is due by either clock, in order, taken out; inside change()."""
        condition = "due <= ? OR due_real <= ?"
        rows = self._db.execute(
            f"SELECT what, details FROM later WHERE {condition} ORDER BY due_real, id", (now, real)
        ).fetchall()
        self._db.execute(f"DELETE FROM later WHERE {condition}", (now, real))
        return [(what, json.loads(details)) for what, details in rows]


def _where(place: int, wanted: Filter) -> tuple[str, list[Any]]:
    parts, values = ["place = ?"], [place]  # type: tuple[list[str], list[Any]]
    if wanted.country:
        parts.append("country = ?")
        values.append(wanted.country)
    for name in wanted.caps:
        parts.append("instr(caps, ?) > 0")
        values.append(f",{name},")
    if wanted.digits:
        parts.append("instr(number, ?) > 0")
        values.append(wanted.digits)
    return " AND ".join(parts), values
