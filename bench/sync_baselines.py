"""The same work as most people write it, and by hand as fast as it goes; bench/sync.py runs it in turn with ours."""

import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import requests
from django.db import connection, models, transaction
from django.utils import timezone

from numbersadmin.audit import append_only
from numbersadmin.audit.models import AuditEvent
from numbersadmin.money import MoneyField
from numbersadmin.numbers.models import NumberVersion, OwnedNumber
from numbersadmin.sync.models import SyncRun

SAMPLE = 1_000  # numbers for what takes hours with all of them
TABLES = [each._meta.db_table for each in (OwnedNumber, NumberVersion, AuditEvent)]


class Plain(models.Model):
    """A table as most people would make it: a row a number, no history, no events."""

    number_key = models.CharField(max_length=255, unique=True)
    number = models.CharField(max_length=255, db_index=True)
    country = models.CharField(max_length=10)
    type = models.CharField(max_length=60)
    capabilities = models.CharField(max_length=200)
    price_per_month = MoneyField(null=True)
    setup_price = MoneyField(null=True)
    initial_month_price = MoneyField(null=True)
    currency = models.CharField(max_length=10)

    class Meta:
        app_label = "sync"
        db_table = "bench_plain"


def make_tables() -> None:
    """The table above, and an empty copy of each of ours with its indexes, for COPY or executemany."""
    with connection.schema_editor() as editor:
        editor.create_model(Plain)
    with connection.cursor() as cursor:
        for table in TABLES:
            if connection.vendor == "postgresql":
                cursor.execute(f'CREATE TABLE "copy_{table}" (LIKE "{table}" INCLUDING ALL)')
                continue
            cursor.execute(
                "SELECT name, sql FROM sqlite_master WHERE tbl_name = %s AND type IN ('table', 'index')"
                " AND sql IS NOT NULL ORDER BY type DESC",
                [table],
            )
            for name, sql in cursor.fetchall():
                for each in {name, *TABLES}:
                    sql = sql.replace(f'"{each}"', f'"copy_{each}"')
                cursor.execute(sql)


def fetch_and_parse(url: str, page: int) -> Iterator[dict[str, Any]]:
    """Every row of every page with requests, decoded with exact decimals; nothing else."""
    decoder = msgspec.json.Decoder(float_hook=Decimal)
    session, rows, number = requests.Session(), 0, 0
    session.headers["Authorization"] = "App sandbox"
    while True:
        answer = session.get(f"{url}/sms/1/numbers", params={"limit": page, "page": number}, timeout=30)
        found = decoder.decode(answer.content)
        yield from found["numbers"]
        rows, number = rows + len(found["numbers"]), number + 1
        if not found["numbers"] or rows >= found["numberCount"]:
            return


def _columns(row: dict[str, Any]) -> dict[str, Any]:
    price = row.get("price") or {}
    return {
        "number": row["number"],
        "country": row.get("country") or "",
        "type": row.get("type") or "",
        "capabilities": ",".join(sorted(row.get("capabilities") or [])),
        "price_per_month": _decimal(price.get("pricePerMonth")),
        "setup_price": _decimal(price.get("setupPrice")),
        "initial_month_price": _decimal(price.get("initialMonthPrice")),
        "currency": price.get("currency") or "",
    }


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


def update_or_create(url: str, page: int) -> int:
    """What most tutorials show, for a sample."""
    rows = fetch_and_parse(url, page)
    for _ in range(SAMPLE):
        row = next(rows)
        Plain.objects.update_or_create(number_key=row["numberKey"], defaults=_columns(row))
    return SAMPLE


def bulk_upsert(url: str, page: int) -> int:
    """Every row written each time, a thousand in a statement."""
    rows = [Plain(number_key=row["numberKey"], **_columns(row)) for row in fetch_and_parse(url, page)]
    Plain.objects.bulk_create(
        rows,
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["number_key"],
        update_fields=list(_columns({"number": ""})),
    )
    return len(rows)


def load(url: str, page: int) -> int:
    """Fetch, parse, and write the same rows of the three tables by hand: COPY or executemany, one transaction."""
    now = timezone.now()
    moment: Any = now if connection.vendor == "postgresql" else now.replace(tzinfo=None).isoformat(" ")
    tables: dict[str, list[tuple[Any, ...]]] = {table: [] for table in TABLES}
    for pk, row in enumerate(fetch_and_parse(url, page), 1):
        for table, values in zip(TABLES, _by_hand(pk, row, moment, now), strict=True):
            tables[table].append(values)
    with transaction.atomic(), connection.cursor() as cursor:
        for model in (OwnedNumber, NumberVersion, AuditEvent):
            _write(cursor, model, tables[model._meta.db_table])
    return len(tables[TABLES[0]])


def _write(cursor: Any, model: type[models.Model], rows: list[tuple[Any, ...]]) -> None:
    fields = model._meta.concrete_fields
    columns = ", ".join(f'"{field.column}"' for field in fields)
    table = f'"copy_{model._meta.db_table}" ({columns})'
    if connection.vendor == "postgresql":
        with cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    else:
        cursor.executemany(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(fields))})", rows)


def _by_hand(pk: int, row: dict[str, Any], at: Any, now: datetime) -> tuple[tuple[Any, ...], ...]:
    """The columns of a number, its version and its event, in the order of the tables."""
    price = row.get("price") or {}
    key, kind = row["numberKey"], row.get("type") or ""
    can, country = ",".join(sorted(row.get("capabilities") or [])), row.get("country") or ""
    shared, currency = bool(row.get("shared")), price.get("currency") or ""
    monthly, setup, first = map(
        _micro, (price.get("pricePerMonth"), price.get("setupPrice"), price.get("initialMonthPrice"))
    )
    facts = (key, kind, can, shared, monthly, setup, first, currency)
    raw = json.dumps(row, default=str)
    after = {
        "number_key": key, "type": kind, "capabilities": can, "shared": shared, "currency": currency,
        "price_per_month": str(price.get("pricePerMonth")), "setup_price": str(price.get("setupPrice")),
        "initial_month_price": str(price.get("initialMonthPrice")), "acquired_at": None, "acquired_from": None,
        "acquired_to": now.isoformat(), "acquired_basis": "unknown", "owner": None, "cost_centre": "",
    }  # fmt: skip
    return (
        (pk, *facts, row["number"], country, "owned", hash(raw), None, None, at, "unknown", "", None, None, None,
         "", None, "", "[]", None, None, "", 1),
        (pk, *facts, pk, at, None, None, raw, "sync", 1),
        (pk, at, "provider", None, "Infobip", "", "number.appeared", "ownednumber", pk, row["number"],
         row["number"], "syncrun", 1, None, json.dumps(after), "", "", None, ""),
    )  # fmt: skip


def _micro(value: Any) -> int | None:
    return None if value is None else int(Decimal(value) * 1_000_000)


def empty_copies() -> None:
    """What `load` filled is gone."""
    with connection.cursor() as cursor:
        for table in reversed(TABLES):
            cursor.execute(
                f'TRUNCATE "copy_{table}"'
                if connection.vendor == "postgresql"
                else f'DELETE FROM "copy_{table}"'
            )


def empty() -> None:
    """What a first sync wrote is gone, though events are never removed: this database is the bench's own."""
    append_only.remove(connection, AuditEvent._meta.db_table)
    with connection.cursor() as cursor:
        for model in (NumberVersion, OwnedNumber, AuditEvent, SyncRun):
            cursor.execute(f'DELETE FROM "{model._meta.db_table}"')
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE")
    append_only.install(connection, AuditEvent._meta.db_table)
