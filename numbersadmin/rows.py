"""Rows among millions: many new ones at once, and conditions that an index answers.

New ones come by COPY on PostgreSQL, by one prepared statement on SQLite (docs/decisions/0009).
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any, TypeVar

from django.db import connection, models, transaction
from django.db.models import Q
from django.db.models.base import ModelState

Write = Callable[[Any], Any]
Model = TypeVar("Model", bound=models.Model)


def beginning(text: str) -> Q:
    """The `number` begins with it: as a range, which an index answers under any collation; past 9 comes no digit."""
    begins = Q(number__gte=text, number__startswith=text)
    after = str(int("1" + text) + 1) if text.isascii() and text.isdigit() else ""
    return begins & Q(number__lt=after[1:]) if after.startswith("1") else begins


@contextmanager
def by_index_only() -> Iterator[None]:
    """PostgreSQL expects to find enough soon wherever it looks, and reads the whole table when there is nothing.

    What an index finds at once needs no other processes either: starting them takes longer.
    """
    if connection.vendor != "postgresql":  # on SQLite a transaction would wait for those who write
        yield
        return
    ways = ("enable_seqscan", "max_parallel_workers_per_gather")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET LOCAL {way} = 0" for way in ways))
        yield
        cursor.execute("; ".join(f"SET LOCAL {way} TO DEFAULT" for way in ways))


def new(model: type[Model], **columns: Any) -> Model:
    """What `model(**columns)` makes, in a fifth of the time; the names are those of columns, as `owner_id`."""
    row = model.__new__(model)
    values, made = _defaults(model)
    row.__dict__.update(values)
    for name, make in made:
        row.__dict__[name] = make()
    row.__dict__.update(columns)
    row._state = ModelState()
    return row


@cache
def _defaults(model: type[models.Model]) -> tuple[dict[str, Any], list[tuple[str, Callable[[], Any]]]]:
    """Column -> its default, and the columns whose default is made anew for each row."""
    values, made = {}, []
    for field in model._meta.concrete_fields:
        if callable(field.default) and field.has_default():
            made.append((field.attname, field.default))
        else:
            values[field.attname] = field.get_default()
    return values, made


def insert(rows: Sequence[models.Model]) -> None:
    """Insert new objects of one model in the caller's transaction; afterwards each has its id.

    As bulk_create does, without its cost a row. Rules and triggers of the database hold as ever, and what they
    refuse raises the same IntegrityError.
    """
    if not rows:
        return
    assert connection.in_atomic_block  # on SQLite ids are free only while nobody else can write
    fields, table = rows[0]._meta.concrete_fields, rows[0]._meta.db_table
    for row, pk in zip(rows, _ids(table, len(rows)), strict=True):
        row.__dict__["id"] = pk
    columns = ", ".join(f'"{field.column}"' for field in fields)
    if connection.vendor == "postgresql":
        into = f'COPY "{table}" ({columns}) FROM STDIN'
        with (
            connection.cursor() as cursor,
            connection.wrap_database_errors,
            cursor.copy(into) as copy,
        ):
            for values in _values(rows):
                copy.write_row(values)
    else:
        marks = ", ".join(["%s"] * len(fields))
        with connection.cursor() as cursor:
            sql = f'INSERT INTO "{table}" ({columns}) VALUES ({marks})'  # noqa: S608 - names of our own models
            cursor.executemany(sql, _values(rows))  # type: ignore[arg-type]  # any iterable will do
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def _ids(table: str, count: int) -> Sequence[int]:
    """So many ids that nobody else gets."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            take = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
            cursor.execute(take, [table, count])
            return [pk for (pk,) in cursor.fetchall()]
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        last = cursor.fetchone()
        first = last[0] + 1 if last else 1
        return range(first, first + count)


def _values(rows: Sequence[models.Model]) -> Iterator[list[Any]]:
    """The columns of each row as the database's driver takes them.

    Many rows have the same moment or amount, which is written once.
    """
    writes = [(field.attname, _write(field)) for field in rows[0]._meta.concrete_fields]
    for row in rows:
        facts = row.__dict__
        yield [
            facts[name] if write is None or facts[name] is None else write(facts[name])
            for name, write in writes
        ]


def _write(field: "models.Field[Any, Any]") -> Write | None:
    """How a value of the field is written; None for those that go as they are."""
    kind = field.get_internal_type()
    if isinstance(field, models.JSONField):
        encode = json.JSONEncoder if field.encoder is None else field.encoder
        return encode().encode
    if kind == "DateTimeField":
        return _once(connection.ops.adapt_datetimefield_value) if connection.vendor == "sqlite" else None
    if field.choices:
        return str  # a member of an enumeration: to some drivers that is not text
    return None if type(field).__module__.startswith("django.") else _once(field.get_prep_value)


def _once(write: Write) -> Write:
    """Remembers what it wrote lately; typed, because what equals an amount need not be one."""
    return lru_cache(maxsize=1024, typed=True)(write)
