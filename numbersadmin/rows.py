"""Rows among millions: many new ones at once, and conditions that an index answers.

New ones come by COPY on PostgreSQL, by one prepared statement on SQLite (docs/decisions/0009).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from itertools import islice
from operator import itemgetter
from typing import Any, TypeVar

from django.db import connection, models, transaction
from django.db.models import Q
from django.db.models.base import ModelState

Write = Callable[[Any], Any]
Item = TypeVar("Item")
Model = TypeVar("Model", bound=models.Model)


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of so many items each; the last has what is left."""
    every = iter(items)
    while batch := list(islice(every, size)):
        yield batch


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
    with _planned(enable_seqscan="off", max_parallel_workers_per_gather="0"):
        yield


@contextmanager
def by_hash_only() -> Iterator[None]:
    """PostgreSQL takes a condition on several columns for a rare one, and then compares every row with every other.

    For queries that read whole tables and put alike rows together.
    """
    with _planned(enable_nestloop="off", enable_sort="off", work_mem="'256MB'"):
        yield


@contextmanager
def _planned(**ways: str) -> Iterator[None]:
    """How PostgreSQL plans what is asked inside."""
    if connection.vendor != "postgresql":  # on SQLite a transaction would wait for those who write
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET LOCAL {way} = {value}" for way, value in ways.items()))
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
    names = [field.attname for field in rows[0]._meta.concrete_fields]
    for row, pk in zip(rows, _ids(rows[0]._meta.db_table, len(rows)), strict=True):
        row.pk = pk
    insert_values(type(rows[0]), names, map(itemgetter(*names), (row.__dict__ for row in rows)))
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def insert_values(model: type[models.Model], names: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Insert rows that are only their values, in the order of these columns; the others have the database's default.

    For rows that nobody needs as objects afterwards, which is half the work. The names are those of `new`.
    """
    fields = {field.attname: field for field in model._meta.concrete_fields}
    columns = ", ".join(f'"{fields[name].column}"' for name in names)
    values = _taken(rows, [(at, _write(fields[name])) for at, name in enumerate(names)])
    if connection.vendor == "postgresql":
        into = f'COPY "{model._meta.db_table}" ({columns}) FROM STDIN'
        with (
            connection.cursor() as cursor,
            connection.wrap_database_errors,
            cursor.copy(into) as copy,
        ):
            for row in values:
                copy.write_row(row)
    else:
        marks = ", ".join(["%s"] * len(names))
        with connection.cursor() as cursor:
            sql = f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES ({marks})'  # noqa: S608 - our own names
            cursor.executemany(sql, values)  # type: ignore[arg-type]  # any iterable will do


def _taken(
    rows: Iterable[tuple[Any, ...]], columns: Sequence[tuple[int, Write | None]]
) -> Iterator[list[Any]]:
    """Rows as the database's driver takes them; what is the same object as in the row before is written once."""
    writes = [(at, write) for at, write in columns if write is not None]
    seen = dict.fromkeys([at for at, _ in writes])
    as_taken = dict(seen)
    for row in rows:
        values = list(row)
        for at, write in writes:
            value = values[at]
            if value is not seen[at]:
                seen[at], as_taken[at] = value, None if value is None else write(value)
            values[at] = as_taken[at]
        yield values


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


def _write(field: "models.Field[Any, Any]") -> Write | None:
    """How a value of the field is written; None for those that go as they are."""
    kind = field.get_internal_type()
    if isinstance(field, models.JSONField):
        encode = json.JSONEncoder if field.encoder is None else field.encoder
        return encode().encode
    if kind == "DateTimeField":
        return connection.ops.adapt_datetimefield_value if connection.vendor == "sqlite" else str
    if field.choices:
        return str  # a member of an enumeration: to some drivers that is not text
    return None if type(field).__module__.startswith("django.") else _once(field.get_prep_value)


def _once(write: Write) -> Write:
    """Remembers what it wrote lately; typed, because what equals an amount need not be one."""
    return lru_cache(maxsize=1024, typed=True)(write)
