"""kill -9 in the middle of a sync: `python bench/sync_kill.py [--kills 100] [--wait 1] [--database URL]`.

The real process, `manage.py sync` or the Celery worker, is killed at random moments while it records hundreds of
changes. The next `manage.py sync` has to leave the same numbers, versions and events as a second database has, which
reads the same provider and is never disturbed (times apart). Exit code 1 otherwise.

A killed run is given up when it has shown no sign of life for 100 seconds. For `--wait` of the kills the bench waits
for that with worker and beat running, and it has to happen within 120 s; for the others it moves the clock, that is
the run's last sign of life. SQLite, or with `--database` two databases that it makes beside the one it names, empty
before, and removes again.
"""

import argparse
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from typing import Any

from running import ROOT, await_that, session

MANAGE = [sys.executable, "manage.py"]
SANDBOX = [sys.executable, "-m", "numbersadmin.sandbox", "--owned", "0", "--available", "0"]
FIRST = 447_700_900_000
OWNED, FOR_SALE, CHANGES = 900, 60, 600  # more changes than one transaction holds
TIMES = (
    "acquired_at",
    "acquired_from",
    "acquired_to",
    "ended_from",
    "ended_to",
    "missing_since",
    "last_complete",
)
LONGEST = 120  # seconds until a killed run is given up
FACTS = "number_key type capabilities shared price_per_month setup_price currency".split()


class Provider:
    """The sandbox, and what others do there."""

    def __init__(self, chance: random.Random) -> None:
        self.process = subprocess.Popen(SANDBOX, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.url = self.process.stdout.readline().split()[-1]
        self.chance, self.session, self.turn = chance, session(), 0
        numbers = [str(FIRST + at) for at in range(OWNED + FOR_SALE)]
        rows = [{"number": each, "numberKey": f"K{each}"} for each in numbers]
        self.ask("numbers", {"owned": rows[:OWNED], "available": rows[OWNED:]})
        self.owned, self.sale = numbers[:OWNED], numbers[OWNED:]

    def ask(self, path: str, body: Any) -> None:
        self.session.post(f"{self.url}/_sandbox/{path}", json=body, timeout=30).raise_for_status()

    def move(self) -> None:
        """Hundreds of prices change, some keys; a few numbers come and go."""
        self.turn += 1
        for number in self.chance.sample(self.owned, CHANGES):
            self.ask(
                "outside", {"act": "change", "number": number, "set": {"pricePerMonth": f"{self.turn}.5"}}
            )
        for number in self.chance.sample(self.owned, 3):
            self.ask(
                "outside", {"act": "change", "number": number, "set": {"numberKey": f"N{self.turn}-{number}"}}
            )
        gone, come = self.chance.sample(self.owned, 5), self.chance.sample(self.sale, 5)
        for act, numbers, old, new in (
            ("cancel", gone, self.owned, self.sale),
            ("purchase", come, self.sale, self.owned),
        ):
            for number in numbers:
                self.ask("outside", {"act": act, "number": number})
                old.remove(number)
                new.append(number)


class Killed:
    """The installation whose processes are killed; its database is the alias `killed` here."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def begin(self, command: list[str]) -> "subprocess.Popen[Any]":
        return subprocess.Popen(
            command, cwd=ROOT, env=self.environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def running(self) -> Any:
        """The run under way that somebody carries out."""
        from numbersadmin.sync.models import SyncRun

        return SyncRun.objects.using("killed").filter(status="running", readings__gt=0).first()

    def die(self, with_worker: bool, moment: float) -> Any:
        """Start a sync and kill its process so many seconds into it; the run, or None when it was over before."""
        from numbersadmin.celery import app
        from numbersadmin.overview.management.commands import up

        process = self.begin(up.worker_command() if with_worker else [*MANAGE, "sync"])
        if with_worker:
            app.send_task("numbersadmin.sync.tasks.sync_periodically")
        try:
            await_that(lambda: self.running() or process.poll() is not None, 60, "the run begins")
            ends = time.monotonic() + moment
            while time.monotonic() < ends and self.running():
                time.sleep(min(0.05, max(0.0, ends - time.monotonic())))
            run = self.running()
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return run and self.running()

    def wait(self, run: Any) -> float:
        """Worker and beat are started again: seconds from the last sign of life until the run is given up."""
        from django.utils import timezone

        from numbersadmin.overview.management.commands import up

        processes = [self.begin(up.worker_command()), self.begin(up.beat_command())]
        try:
            await_that(lambda: self.running() is None, LONGEST + 60, "the run is given up")
        finally:
            for process in processes:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return (timezone.now() - run.heartbeat_at).total_seconds()

    def move_clock(self, run: Any) -> None:
        """As if the run had been silent for the length of its lease."""
        from numbersadmin.sync.lease import LEASE

        type(run).objects.using("killed").filter(pk=run.pk).update(heartbeat_at=run.heartbeat_at - LEASE)

    def sync(self) -> tuple[int, str]:
        """The next run, whole."""
        done = subprocess.run(
            [*MANAGE, "sync"],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stderr.strip()


def result(alias: str) -> dict[str, Any]:
    """Numbers, versions and events of one database by phone number, without times, ids and runs."""
    from numbersadmin.audit.models import AuditEvent
    from numbersadmin.numbers.models import NumberVersion, OwnedNumber

    found: dict[str, Any] = defaultdict(list)
    names = ["number", "status", "end_basis", "acquired_basis", *FACTS]
    for row in OwnedNumber.objects.using(alias).order_by("number", "id").values(*names):
        found[row["number"]].append(("number", row))
    for row in NumberVersion.objects.using(alias).order_by("id").values("owned_number__number", *FACTS):
        found[row["owned_number__number"]].append(("version", row))
    events = AuditEvent.objects.using(alias).filter(subject_type="ownednumber").order_by("id")
    for event in events:
        told = [
            {k: v for k, v in (each or {}).items() if k not in TIMES} for each in (event.before, event.after)
        ]
        found[event.number].append(("event", event.verb, told))
    return dict(found)


def undisturbed() -> float:
    """One run of the database that nobody disturbs; its seconds."""
    from django.utils import timezone

    from numbersadmin.provider.client import get_provider
    from numbersadmin.sync import services

    began = time.monotonic()
    run = services.run_sync(provider=get_provider(), actor=None, clock=timezone.now)
    assert run.status == "complete", run.error
    return time.monotonic() - began


def set_up(folder: str, url: str, databases: dict[str, str]) -> dict[str, str]:
    """Django in this process with both databases; the environment of the processes that are killed."""
    ours = ("INFOBIP_", "SYNC_", "SWEEP_", "SETTLE_", "PROVIDER_", "LIST_", "REDIS_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment = {
        **clean, "VAR_DIR": folder, "INFOBIP_BASE_URL": url, "INFOBIP_API_KEY": "sandbox",
        "PROVIDER_RATE_LIMITS": "off", "LIST_PAGE_SIZE": "50", "SYNC_INTERVAL_SECONDS": "0",
        "DJANGO_SETTINGS_MODULE": "numbersadmin.settings",
    }  # fmt: skip
    os.environ.update({**environment, "DATABASE_URL": databases["killed"]})
    sys.path.insert(0, str(ROOT))
    from django.conf import settings

    killed = dict(settings.DATABASES["default"])
    name = (
        databases["default"].rpartition("/")[2]
        if "postgres" in databases["default"]
        else f"{folder}/whole.sqlite3"
    )
    settings.DATABASES = {"default": {**killed, "NAME": name}, "killed": killed}
    import django

    django.setup()
    logging.disable(logging.CRITICAL)
    from django.core.management import call_command

    for alias in databases:
        call_command("migrate", verbosity=0, database=alias)
    return {**environment, "DATABASE_URL": databases["killed"]}


def make_databases(url: str, folder: str) -> dict[str, str]:
    """Where both are; on PostgreSQL they are made anew."""
    if not url:
        return {name: f"sqlite:///{folder}/{name}.sqlite3" for name in ("default", "killed")}
    made = {"default": f"{url}_whole", "killed": f"{url}_killed"}
    on_server(
        url,
        [(verb, each) for each in made.values() for verb in ("DROP DATABASE IF EXISTS", "CREATE DATABASE")],
    )
    return made


def on_server(url: str, statements: list[tuple[str, str]]) -> None:
    import psycopg

    with psycopg.connect(f"{url.rpartition('/')[0]}/postgres", autocommit=True) as server:
        for verb, database in statements:
            server.execute(f'{verb} "{database.rpartition("/")[2]}"'.encode())


class Bench:
    """One kill after the other, and what came of them."""

    def __init__(self, killed: Killed, provider: Provider, chance: random.Random, waits: int) -> None:
        self.killed, self.provider, self.chance, self.waits = killed, provider, chance, waits
        self.did: Counter[str] = Counter()
        self.waited: list[float] = []
        self.wrong: list[str] = []

    def turn(self) -> bool:
        """News, a run that is killed, the next one, both results; False when the run was over before the kill."""
        lasts = undisturbed()
        with_worker = self.chance.random() < 0.2
        run = self.killed.die(with_worker, self.chance.uniform(0, lasts))
        if run is not None:
            self.did["kills of the worker" if with_worker else "kills of manage.py sync"] += 1
            self.did["after some numbers were recorded"] += bool(run.appeared or run.changed or run.ended)
            self.give_up(run)
        code, line = self.killed.sync()
        if code:
            self.wrong.append(f"the run after a kill: {code} {line}")
        if run is not None and type(run).objects.using("killed").get(pk=run.pk).status != "abandoned":
            self.wrong.append(f"{run} was killed and is not given up")
        whole, after = result("default"), result("killed")
        for number in whole.keys() | after.keys():
            if whole.get(number) != after.get(number):
                self.wrong.append(f"{number}: {after.get(number)} instead of {whole.get(number)}")
        self.did["runs that were over before"] += run is None
        self.provider.move()
        return run is not None

    def give_up(self, run: Any) -> None:
        if self.waits <= 0:
            self.killed.move_clock(run)
            return
        self.waits -= 1
        self.waited.append(self.killed.wait(run))
        if self.waited[-1] > LONGEST:
            self.wrong.append(f"{run} was given up after {self.waited[-1]:.0f} s")


def main() -> int:
    """Kill, sync, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--wait", type=int, default=1, help="kills after which the lease is waited for")
    parser.add_argument("--database", default="", help="postgres://...; without it SQLite")
    parser.add_argument("--chance", type=int, default=random.randrange(10**6))
    given = parser.parse_args()
    chance = random.Random(given.chance)
    provider = Provider(chance)
    with tempfile.TemporaryDirectory(prefix="bench-sync-kill-") as folder:
        databases = make_databases(given.database, folder)
        try:
            bench = Bench(Killed(set_up(folder, provider.url, databases)), provider, chance, given.wait)
            began, kills = time.monotonic(), 0
            while kills < given.kills and not bench.wrong:
                kills += bench.turn()
        finally:
            provider.process.terminate()
            provider.process.wait()
            if given.database:
                from django.db import connections

                connections.close_all()
                on_server(given.database, [("DROP DATABASE IF EXISTS", each) for each in databases.values()])
    print(
        f"{'PostgreSQL' if given.database else 'SQLite'}: {kills} kills in {time.monotonic() - began:.0f} s"
    )
    for name, count in sorted(bench.did.items()):
        print(f"  {count:5}  {name}")
    for seconds in bench.waited:
        print(f"given up {seconds:.0f} s after its last sign of life (at most {LONGEST})")
    print(f"given up by moving the clock: {kills - len(bench.waited)}")
    print("\n".join([f"violations: {len(bench.wrong)} (chance {given.chance})", *bench.wrong[:10]]))
    return int(bool(bench.wrong))


if __name__ == "__main__":
    sys.exit(main())
