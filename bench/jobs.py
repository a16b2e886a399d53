"""Long property runs: jobs side by side, each a process with a sandbox and an empty database of its own.

That is SQLite, or with DATABASE_URL test databases beside the one it names. The bench starts itself again for each
job, with the same options and `--sandbox`.
"""

import argparse
import json
import logging
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from running import ROOT

SANDBOX = [sys.executable, "-m", "numbersadmin.sandbox", "--owned", "0", "--available", "0"]
OURS = ("REDIS_", "INFOBIP_", "PROVIDER_", "SETTLE_", "SWEEP_", "LIST_", "SYNC_")
APART = 1_000_000  # between the chances of two jobs
Result = dict[str, Any]


def run(
    parser: argparse.ArgumentParser,
    count: str,
    play: Callable[[argparse.Namespace], Result],
    report: Callable[[list[Result], float], None],
) -> int:
    """Divide what the option `count` says among the jobs and report their results; 1 when one ended badly.

    `play` does a job's share in its process; its result has to fit JSON.
    """
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--chance", type=int, default=None)
    parser.add_argument("--sandbox", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.sandbox:
        print(json.dumps(play(given)))
        return 0
    chance = random.randrange(10**9) if given.chance is None else given.chance
    share, began = -(-getattr(given, count) // given.jobs), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-jobs-") as folder:
        started = [
            _start(job, f"{folder}/{job}", [f"--{count}", str(share), "--chance", str(chance + APART * job)])
            for job in range(given.jobs)
        ]
        said = [player.communicate()[0] for _, player in started]
        for sandbox, _ in started:
            sandbox.terminate()
            sandbox.wait()
    report([json.loads(text.splitlines()[-1]) for text in said if text], time.monotonic() - began)
    codes = [player.returncode for _, player in started]
    print(f"violations: {sum(map(bool, codes))} (chance {chance}; the jobs' exit codes: {codes})")
    return int(any(codes))


def _start(
    job: int, folder: str, options: list[str]
) -> tuple["subprocess.Popen[str]", "subprocess.Popen[str]"]:
    """A sandbox, and the process that plays with it."""
    sandbox = subprocess.Popen(SANDBOX, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert sandbox.stdout
    url = sandbox.stdout.readline().split()[-1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)} | {
        "VAR_DIR": folder,
        "DJANGO_SETTINGS_MODULE": "numbersadmin.settings",
        "INFOBIP_BASE_URL": url,
        "INFOBIP_API_KEY": "sandbox",
        "PROVIDER_RATE_LIMITS": "off",
    }
    if "DATABASE_URL" in environment:
        environment["DATABASE_URL"] += f"_{job}"
    player = subprocess.Popen(
        [sys.executable, *sys.argv, *options, "--sandbox", url],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return sandbox, player


@contextmanager
def stage() -> Iterator[None]:
    """Django in this process, on an empty database that goes again."""
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    logging.disable(logging.CRITICAL)
    from django.db import connection

    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connection.creation.destroy_test_db("", verbosity=0)


@contextmanager
def undone() -> Iterator[None]:
    """What is written inside is rolled back, as after a test."""
    from django.db import transaction

    with transaction.atomic():
        transaction.get_connection().atomic_blocks[-1]._from_testcase = True  # what is durable may be within
        yield
        transaction.set_rollback(True)
