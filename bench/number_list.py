"""The list of owned numbers at 1,000,000 rows beside 1,000: `python bench/number_list.py [--numbers 1000000]`.

Both sizes in databases of their own, asked in turn by one process each: SQLite in a temporary directory, or
PostgreSQL where DATABASE_URL names a database (two more are made beside it). `--keep FOLDER` uses them again.
"""

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
NOW = datetime(2026, 10, 13, 9, 0, tzinfo=UTC)
FEW = 1000
UNCOUNTED = "?state=active&uncounted=1"
PLACES = {
    "GB": "4477", "DE": "4930", "US": "1202", "FR": "3363", "RO": "4037", "ES": "3460", "PL": "4857", "HR": "3851",
    "IT": "3934", "NL": "3161", "SE": "4673", "CZ": "4207", "AT": "4366", "BE": "3247", "PT": "3519", "RU": "7902",
    "BR": "5511", "IN": "9198", "ZA": "2782", "AU": "6140",
}  # fmt: skip
ABLE = ["SMS", "SMS,VOICE", "VOICE", "MMS,SMS"]
LABELS = ["otp", "support", "marketing", "uk-retail", "tier-1", "2fa", "hotline", "legacy"]
PEOPLE = 12
COLUMNS = (
    "id number_key number country type capabilities shared price_per_month currency status digest acquired_to"
    " acquired_basis acquired_note ended_to end_basis owner_id cost_centre labels protected_reason version"
).split()


def rows(count: int, people: list[int]) -> Iterator[list[Any]]:
    """Numbers as they are: many in few countries, an owner mostly with one cost centre, 3 % ended."""
    chance = random.Random(7)
    codes = list(PLACES)
    weights = [1 / (at + 1) for at in range(len(codes))]
    for at in range(1, count + 1):
        [country] = chance.choices(codes, weights)
        owner = chance.choice(people) if chance.random() < 0.9 else None
        centre = f"CC-{(owner or 0) % 7 if chance.random() < 0.9 else chance.randrange(7)}"
        price = chance.randrange(1, 40) * 500_000 if chance.random() < 0.98 else None
        fate = chance.random()
        status = "ended" if fate < 0.03 else "missing" if fate < 0.031 else "owned"
        labels = json.dumps(sorted(set(chance.choices(LABELS, k=chance.randrange(3)))))
        since = NOW - timedelta(minutes=chance.randrange(700_000))
        number = f"{PLACES[country]}{chance.randrange(10**8):08}"
        currency = {"US": "USD", "GB": "GBP"}.get(country, "EUR")
        yield [
            at, f"key{at}", number, country, "VIRTUAL_LONG_NUMBER", chance.choice(ABLE), False, price, currency,
            status, at, since, "unknown", "", NOW if status == "ended" else None, "", owner, centre, labels, "", 1,
        ]  # fmt: skip


def fill(count: int) -> None:
    """Make people and numbers, then let the database follow changes again."""
    from django.db import connection

    from numbersadmin.accounts.models import User
    from numbersadmin.numbers import triggers

    names = "Ana Bo Cem Dora Eli Fay Gus Hal Ina Jan Kim Lou".split()[:PEOPLE]
    people = [User.objects.create_user(username=name.lower()).pk for name in names]
    triggers.remove(connection)
    listed = ", ".join(COLUMNS)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            triggers._without_trigrams(connection)
            cursor.execute("ALTER TABLE numbers_ownednumber ALTER missing_since SET DEFAULT now()")
            with cursor.copy(f"COPY numbers_ownednumber ({listed}) FROM STDIN") as copy:
                for row in rows(count, people):
                    copy.write_row(row)
            cursor.execute("ALTER TABLE numbers_ownednumber ALTER missing_since DROP DEFAULT")
            triggers._with_trigrams(connection)
            cursor.execute("SELECT setval(pg_get_serial_sequence('numbers_ownednumber', 'id'), %s)", [count])
        else:
            marks = ", ".join(["?"] * len(COLUMNS))
            cursor.execute("PRAGMA synchronous = off")
            cursor.execute("PRAGMA cache_size = -500000")  # the indexes fill in any order
            raw = connection.connection
            raw.execute("BEGIN")
            raw.executemany(
                f"INSERT INTO numbers_ownednumber ({listed}, missing_since) VALUES ({marks}, '2026-10-13 09:00:00')",
                (
                    [str(one) if isinstance(one, datetime) else one for one in row]
                    for row in rows(count, people)
                ),
            )
            raw.execute("COMMIT")
        triggers.install(connection)
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE")


def database_of(count: int) -> str:
    """The address of a PostgreSQL database for this size, made when it is not there; empty for SQLite."""
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        return ""
    import psycopg

    name = f"{url.rsplit('/', 1)[1]}_list_{count}"
    with psycopg.connect(url, autocommit=True) as connection:
        there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if not there:
            connection.execute(f'CREATE DATABASE "{name}"')
    return url.rsplit("/", 1)[0] + "/" + name


def drop(count: int) -> None:
    """Take the database of this size away."""
    import psycopg

    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{url.rsplit("/", 1)[1]}_list_{count}" WITH (FORCE)')


def serve(count: int) -> None:
    """One size: fill it, then answer each line (a JSON list: kind, argument) with milliseconds and rows shown."""
    import django
    from django.conf import settings

    django.setup()
    Path(settings.STATIC_ROOT).mkdir(exist_ok=True)
    settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
    from django.core.management import call_command
    from django.test import Client

    from numbersadmin.accounts.models import RoleGrant, User
    from numbersadmin.numbers.models import OwnedNumber

    call_command("migrate", verbosity=0)
    if not OwnedNumber.objects.exists():
        fill(count)
    viewer, new = User.objects.get_or_create(username="viewer")
    if new:
        RoleGrant.objects.create(user=viewer, role="viewer")
    client = Client(headers={"host": "localhost"})
    client.force_login(viewer, backend="django.contrib.auth.backends.ModelBackend")
    others: dict[str, Any] = {"paginator": _paginator, "icontains": _icontains}
    print("ready", flush=True)
    for line in sys.stdin:
        kind, argument = json.loads(line)
        if kind == "middle":
            print(json.dumps(_middle(argument)), flush=True)
            continue
        began = time.perf_counter()
        if kind == "page":
            with _uncounted() if argument == UNCOUNTED else contextlib.nullcontext():
                answer = client.get(f"/numbers/{argument}")
            took, shown = time.perf_counter() - began, answer.content.count(b"<tr data-number")
            assert answer.status_code == 200, answer.status_code
        else:
            shown = others[kind](argument)
            took = time.perf_counter() - began
        print(json.dumps([took * 1000, shown]), flush=True)


def _middle(sort: str) -> str:
    """The query string of a page half way down."""
    from numbersadmin.numbers import listing
    from numbersadmin.numbers.models import OwnedNumber
    from numbersadmin.numbers.selectors import NumberFilter

    wanted = NumberFilter(sort=sort)
    half = OwnedNumber.objects.count() // 2
    row = OwnedNumber.objects.open().order_by("number", "id").values(*listing.ROW_FIELDS, "owner_id")[half]
    return f"?sort={sort}&after={listing._mark(wanted, row, half, False)}"


@contextlib.contextmanager
def _uncounted() -> Iterator[None]:
    """Pages that do not ask the database how many numbers there are, and what they cost."""
    from unittest import mock

    from numbersadmin.numbers import tally

    known = tally.kept()
    with mock.patch.object(tally, "kept", return_value=known):
        yield


def _paginator(page: int) -> int:
    """Django's Paginator with COUNT and OFFSET; page -1 is the last."""
    from django.core.paginator import Paginator

    from numbersadmin.numbers.models import OwnedNumber

    paginator = Paginator(OwnedNumber.objects.open().select_related("owner").order_by("number", "id"), 50)
    return len(list(paginator.page(paginator.num_pages if page < 0 else page)))


def _icontains(text: str) -> int:
    """What Django's admin does for a search: COUNT twice, icontains on each field."""
    from django.db.models import Q

    from numbersadmin.numbers.models import OwnedNumber

    OwnedNumber.objects.count()
    found = OwnedNumber.objects.filter(Q(number__icontains=text) | Q(cost_centre__icontains=text))
    found.count()
    return len(found.select_related("owner").order_by("number", "id")[:50])


class Size:
    """The process of one size."""

    def __init__(self, count: int, folder: str) -> None:
        environment = {
            **os.environ,
            "VAR_DIR": f"{folder}/{count}",
            "DJANGO_SETTINGS_MODULE": "numbersadmin.settings",
        }
        Path(environment["VAR_DIR"]).mkdir(parents=True, exist_ok=True)
        if url := database_of(count):
            environment["DATABASE_URL"] = url
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(count)],
            cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout
        assert self.process.stdout.readline().strip() == "ready"

    def ask(self, kind: str, argument: Any) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps([kind, argument]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def measure(sizes: list[Size], kind: str, arguments: list[Any], rounds: int) -> tuple[list[float], list[int]]:
    """The least milliseconds and the rows of each in turn: what other work adds is no part of it.

    The first round is not counted.
    """
    times: list[list[float]] = [[] for _ in sizes]
    shown = [0 for _ in sizes]
    for turn in range(rounds + 1):
        for at, size in enumerate(sizes):
            took, shown[at] = size.ask(kind, arguments[at])
            if turn:
                times[at].append(took)
    return [min(one) for one in times], shown


def cases(sizes: list[Size]) -> Iterator[tuple[str, list[Any], float]]:
    """What, its argument at each size, and the most that it may take of the plain page at 1,000."""
    both = len(sizes)
    yield "last page", ["?end=1"] * both, 1.2
    yield "middle page", [size.ask("middle", "number") for size in sizes], 1.2
    for sort in ("number", "country", "owner", "cost_centre", "since", "state", "price"):
        for down in ("", "-"):
            yield f"sort {down}{sort}", [f"?sort={down}{sort}"] * both, 1.2
        yield f"sort {sort}, last page", [f"?sort={sort}&end=1"] * both, 1.2
    filters = "country=GB country=AU capabilities=VOICE owner=ana owner=(none) cost_centre=CC-3".split()
    for one in [*filters, "state=missing", "state=ended", "state=all"]:
        yield one, [f"?{one}"] * both, 1.2
        yield f"{one}, sort -price", [f"?{one}&sort=-price"] * both, 1.2
    for digits in ("4", "79", "447", "930", "5551", "44775", "80123", "7000001"):
        yield f"digits {digits}", [f"?q={digits}"] * both, 2.0
    yield "digits 5551, sort since", ["?q=5551&sort=since"] * both, 2.0
    yield "label otp", ["?q=otp"] * both, 2.0
    yield "label nothing-like-it", ["?q=nothing-like-it"] * both, 2.0


def main() -> None:
    """Fill both sizes, ask them in turn, print the table; exit code 1 when a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--keep", help="a folder that keeps the databases for the next time")
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.serve:
        serve(wanted.serve)
        return
    with tempfile.TemporaryDirectory(prefix="numbersadmin-bench-") as folder:
        sizes = [Size(count, wanted.keep or folder) for count in (FEW, wanted.numbers)]
        late = report(sizes, wanted.rounds, wanted.only)
        for size in sizes:
            size.process.terminate()
            size.process.wait()
    if not wanted.keep and os.environ.get("DATABASE_URL", "").startswith("postgres"):
        for count in (FEW, wanted.numbers):
            drop(count)
    sys.exit(bool(late))


def report(sizes: list[Size], rounds: int, only: str) -> int:
    """Print a line each; how many are above their limit."""
    late = 0
    (plain, many), _ = measure(sizes, "page", [""] * 2, rounds)
    print(f"{'page':34}{'at 1,000':>12}{'at many':>12}{'ratio':>8}{'limit':>8}")
    print(f"{'first page':34}{plain:>9.1f} ms{many:>9.1f} ms{many / plain:>8.2f}{1.2:>8}")
    late += many > plain * 1.2
    (counted, without), _ = measure([sizes[1]] * 2, "page", ["?state=active", UNCOUNTED], rounds)
    late += counted > without * 1.1
    print(
        f"{'its count, of it without':34}{without:>9.1f} ms{counted:>9.1f} ms{counted / without:>8.2f}{1.1:>8}"
    )
    for name, arguments, limit in cases(sizes):
        if only not in name:
            continue
        (small, large, plain), shown = measure([*sizes, sizes[0]], "page", [*arguments, ""], rounds)
        base = small if shown[0] >= shown[1] else max(small, plain)  # fewer rows are quicker to write
        ratio = large / (plain if limit > 1.2 else base)
        late += ratio > limit
        print(
            f"{name:34}{base:>9.1f} ms{large:>9.1f} ms{ratio:>8.2f}{limit:>8}{'' if ratio <= limit else '  above'}"
        )
    print("as others do it, without a page around it")
    for name, kind, argument in (
        ("Paginator, first page", "paginator", 1),
        ("Paginator, last page", "paginator", -1),
        ("admin search 5551", "icontains", "5551"),
    ):
        (small, large), _ = measure(sizes, kind, [argument] * 2, 3)
        print(f"{name:34}{small:>9.1f} ms{large:>9.1f} ms{large / small:>8.2f}")
    return late


if __name__ == "__main__":
    main()
