"""What the database keeps by itself as numbers change: the tally of the list, and the index that searches use.

Triggers and not our services, so that nothing that writes a number can forget it. PostgreSQL adds one row to the
tally per group that a statement changed, SQLite one or two per number. Nobody updates a row of the tally, so two
writers never wait for each other here and cannot lock each other out.
"""

# ruff: noqa: S608 - every name in these statements is a constant of this file

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import migrations
from django.db.utils import Error

_KEYS = "status, country, currency, capabilities, owner_id, cost_centre"
_TALLY = f"numbers_numbertally ({_KEYS}, numbers, micro, unpriced)"
_NO_EXTENSION = (
    "PostgreSQL's extension pg_trgm is missing and could not be made ({error}). "
    "It comes with PostgreSQL's contrib package. Let an administrator of the database run "
    '"CREATE EXTENSION pg_trgm" in it, then migrate again.'
)


MANY = 50  # from so many new rows on it takes less time to do without the triggers


class NoTrigrams(Exception):
    """The search of numbers needs an extension of the database that it has not; the message says what to do."""


def _group(rows: str) -> str:
    return f"""
    INSERT INTO {_TALLY}
    SELECT {_KEYS}, sum(sign), sum(sign * coalesce(price_per_month, 0)), sum(sign * unknown) FROM ({rows}) AS changed
    GROUP BY {_KEYS} HAVING sum(sign) <> 0 OR sum(sign * coalesce(price_per_month, 0)) <> 0
    OR sum(sign * unknown) <> 0;"""


def _rows(table: str, sign: str) -> str:
    unknown = "CASE WHEN price_per_month IS NULL THEN 1 ELSE 0 END AS unknown"
    return f"SELECT {_KEYS}, price_per_month, {sign} AS sign, {unknown} FROM {table}"


_POSTGRES = [
    f"""
CREATE OR REPLACE FUNCTION numbers_tally() RETURNS trigger AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN {_group(_rows("new_rows", "1"))}
    ELSIF TG_OP = 'DELETE' THEN {_group(_rows("old_rows", "-1"))}
    ELSE {_group(_rows("new_rows", "1") + " UNION ALL " + _rows("old_rows", "-1"))}
    END IF;
    RETURN NULL;
END $$ LANGUAGE plpgsql
""",
    *(
        f"CREATE TRIGGER numbers_tally_{act} AFTER {act} ON numbers_ownednumber REFERENCING {tables}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION numbers_tally()"
        for act, tables in (
            ("insert", "NEW TABLE AS new_rows"),
            ("update", "OLD TABLE AS old_rows NEW TABLE AS new_rows"),
            ("delete", "OLD TABLE AS old_rows"),
        )
    ),
]
_POSTGRES_SEARCH = [
    "CREATE INDEX owned_number_search ON numbers_ownednumber USING gin (upper(number::text) gin_trgm_ops)",
    "CREATE INDEX owned_number_label_search ON numbers_ownednumber USING gin (upper(labels::text) gin_trgm_ops)",
]


def _one(row: str, sign: int) -> str:
    keys = ", ".join(f"{row}.{key}" for key in _KEYS.split(", "))
    price = f"{row}.price_per_month"
    return f"INSERT INTO {_TALLY} VALUES ({keys}, {sign}, {sign} * coalesce({price}, 0), {sign} * ({price} IS NULL));"


def _differs(columns: str) -> str:
    return " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns.split(", "))


_COUNTED = f"{_KEYS}, price_per_month"
# each label between line ends, so that a whole label can be told from a part of one
_LABELS = "(SELECT char(10) || group_concat(value, char(10)) || char(10) FROM json_each({row}.labels))"
_SEARCHED = (
    "INSERT INTO numbers_search (rowid, number, labels)"
    f" SELECT id, number, {_LABELS.format(row='n')} FROM numbers_ownednumber AS n"
)
_SQLITE = {
    "numbers_tally_insert": f"AFTER INSERT ON numbers_ownednumber BEGIN {_one('NEW', 1)} END",
    "numbers_tally_delete": f"AFTER DELETE ON numbers_ownednumber BEGIN {_one('OLD', -1)} END",
    "numbers_tally_update": f"AFTER UPDATE OF {_COUNTED} ON numbers_ownednumber WHEN {_differs(_COUNTED)}"
    f" BEGIN {_one('OLD', -1)} {_one('NEW', 1)} END",
    "numbers_search_insert": "AFTER INSERT ON numbers_ownednumber BEGIN INSERT INTO numbers_search"
    f" (rowid, number, labels) VALUES (NEW.id, NEW.number, {_LABELS.format(row='NEW')}); END",
    "numbers_search_delete": "AFTER DELETE ON numbers_ownednumber BEGIN"
    " DELETE FROM numbers_search WHERE rowid = OLD.id; END",
    "numbers_search_update": "AFTER UPDATE OF number, labels ON numbers_ownednumber"
    f" WHEN {_differs('number, labels')} BEGIN UPDATE numbers_search"
    f" SET number = NEW.number, labels = {_LABELS.format(row='NEW')} WHERE rowid = NEW.id; END",
}


@contextmanager
def all_at_once(connection: Any, rows: int) -> Iterator[None]:
    """Count and index so many numbers that the block inserts at its end, in the transaction around it.

    For SQLite, which otherwise settles its search table after each row: more than half of what a new number costs.
    Its triggers are away meanwhile, for this transaction alone, and nobody else can write. PostgreSQL's work a
    statement at a time anyway.
    """
    if connection.vendor == "postgresql" or rows < MANY:
        yield
        return
    assert connection.in_atomic_block
    following = ("numbers_tally_insert", "numbers_search_insert")
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM numbers_ownednumber")
        [newest] = cursor.fetchone()
        for name in following:
            cursor.execute(f"DROP TRIGGER {name}")
        yield
        cursor.execute(_group(_rows("numbers_ownednumber", "1") + f" WHERE id > {newest}"))
        cursor.execute(f"{_SEARCHED} WHERE id > {newest}")
        for name in following:
            cursor.execute(f"CREATE TRIGGER {name} {_SQLITE[name]}")


def tally_anew(connection: Any) -> None:
    """Forget the tally and count all numbers again."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM numbers_numbertally")
        cursor.execute(_group(_rows("numbers_ownednumber", "1")))


def install(connection: Any) -> None:
    """Count and index what there is, and follow every change from now on."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for statement in _POSTGRES:
                cursor.execute(statement)
        else:
            cursor.execute("DROP TABLE IF EXISTS numbers_search")
            cursor.execute(
                "CREATE VIRTUAL TABLE numbers_search USING fts5(number, labels, tokenize='trigram')"
            )
            cursor.execute(_SEARCHED)
            for name, statement in _SQLITE.items():
                cursor.execute(f"CREATE TRIGGER {name} {statement}")
    tally_anew(connection)


def remove(connection: Any) -> None:
    """Follow no change any more, as a migration that alters the table has to say first."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for act in ("insert", "update", "delete"):
                cursor.execute(f"DROP TRIGGER IF EXISTS numbers_tally_{act} ON numbers_ownednumber")
        else:
            for name in _SQLITE:
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
            cursor.execute("DROP TABLE IF EXISTS numbers_search")


def _with_trigrams(connection: Any) -> None:
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        try:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        except Error as error:
            raise NoTrigrams(_NO_EXTENSION.format(error=str(error).splitlines()[0])) from error
        for statement in _POSTGRES_SEARCH:
            cursor.execute(statement)


def _without_trigrams(connection: Any) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("DROP INDEX owned_number_search, owned_number_label_search")


def follow() -> migrations.RunPython:
    """The operation that lets the database follow changes; the last one of a migration that altered the table."""
    return migrations.RunPython(
        lambda apps, editor: install(editor.connection), lambda apps, editor: remove(editor.connection)
    )


def unfollow() -> migrations.RunPython:
    """The operation before one that alters the table: SQLite builds it anew, and its triggers would be lost."""
    return migrations.RunPython(
        lambda apps, editor: remove(editor.connection), lambda apps, editor: install(editor.connection)
    )


def search_by_trigrams() -> migrations.RunPython:
    """The operation that makes PostgreSQL's indexes for parts of numbers and labels."""
    return migrations.RunPython(
        lambda apps, editor: _with_trigrams(editor.connection),
        lambda apps, editor: _without_trigrams(editor.connection),
    )
