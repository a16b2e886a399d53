"""Real processes on a database file: one sync at a time, and what is left when its process is killed."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.conftest import ROOT

NUMBERS = [f"4477009000{n:02}" for n in range(12)]


class Installation:
    """A database of its own, and processes that sync it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.environment = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL")} | {
            "VAR_DIR": str(folder),
            "INFOBIP_BASE_URL": url,
            "INFOBIP_API_KEY": "sandbox",
            "PROVIDER_RATE_LIMITS": "off",
            "LIST_PAGE_SIZE": "3",
        }

    def run(self, *arguments: str) -> subprocess.Popen[str]:
        """A management command, started."""
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def sync(self) -> tuple[int, str]:
        """One run to its end: exit code and the line on standard error."""
        process = self.run("sync")
        _, line = process.communicate(timeout=60)
        return process.returncode, line

    def sql(self, statement: str) -> list[Any]:
        """A statement behind the program's back."""
        with contextlib.closing(
            sqlite3.connect(self.folder / "numbersadmin.sqlite3", timeout=20, isolation_level=None)
        ) as file:
            return file.execute(statement).fetchall()


@pytest.fixture
def installation(db, sandbox, tmp_path):
    """A database file of its own, and twelve numbers at the provider."""
    sandbox.stock(owned=[{"number": n, "numberKey": f"K{n}"} for n in NUMBERS])
    made = Installation(tmp_path, sandbox.url)
    if (
        connection.vendor == "sqlite"
    ):  # the tests' own database has all tables already: quicker than to migrate
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT sql FROM sqlite_master WHERE sql NOT NULL AND name NOT LIKE 'sqlite_%'"
                " AND name NOT LIKE 'numbers_search_%'"  # which the search table makes itself
            )
            for (statement,) in cursor.fetchall():
                made.sql(statement)
    else:
        process = made.run("migrate", "--verbosity", "0")
        assert process.communicate(timeout=60)[1] == ""
    return made


def wait_until(true: Any) -> None:
    ends = time.monotonic() + 30
    while not true():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)


def test_a_killed_sync_is_given_up_and_the_next_one_is_right(installation, sandbox):
    sandbox.fault("list_owned", "delay", seconds=20, skip=2)
    process = installation.run("sync")
    wait_until(lambda: len(sandbox.requests("list_owned")) == 3)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert installation.sql("SELECT status FROM sync_syncrun") == [("running",)]
    assert installation.sql("SELECT count(*) FROM numbers_ownednumber") == [(0,)]
    installation.sql("UPDATE sync_syncrun SET heartbeat_at = datetime(heartbeat_at, '-120 seconds')")
    code, line = installation.sync()
    assert (code, "12 numbers on 4 pages" in line) == (0, True), line
    assert installation.sql("SELECT status FROM sync_syncrun ORDER BY id") == [("abandoned",), ("complete",)]
    assert installation.sql("SELECT count(*) FROM numbers_ownednumber WHERE status = 'owned'") == [(12,)]


def test_of_two_syncs_at_once_one_runs(installation, sandbox):
    sandbox.fault("list_owned", "delay", seconds=1, times=-1)
    processes = [installation.run("sync") for _ in range(2)]
    wait_until(lambda: any(process.poll() is not None for process in processes))
    sandbox.api("faults", method="DELETE")
    lines = [process.communicate(timeout=60)[1] for process in processes]
    codes = sorted(process.returncode for process in processes)
    assert codes == [0, 1], lines
    assert sum("Nothing was started" in line for line in lines) == 1
    assert sandbox.api("state")["max_in_flight"]["list_owned"] == 1
    assert installation.sql("SELECT count(*) FROM sync_syncrun") == [(1,)]
