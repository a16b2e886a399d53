"""The long run of tests/sync/two_sides.py: `python bench/sync_history.py [--examples 5000] [--jobs 2] [--chance N]`.

Each job is a process with a sandbox and a database of its own: SQLite in a temporary directory, or with DATABASE_URL
test databases beside the one it names. Exit code 1 when anything was violated, with the `--chance` that shows it
again. `--without GUARD` takes one of our guards away, and then a violation has to be found.
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
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SANDBOX = [sys.executable, "-m", "numbersadmin.sandbox", "--owned", "0", "--available", "0"]
AT_ONCE = 100  # histories between two lines of progress


def play(url: str, examples: int, chance: int, without: str) -> dict[str, int]:
    """So many histories in this process; what was done in them."""
    os.environ |= {"INFOBIP_BASE_URL": url, "INFOBIP_API_KEY": "sandbox", "PROVIDER_RATE_LIMITS": "off"}
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    logging.disable(logging.CRITICAL)
    from django.core.management import call_command
    from django.db import connection, transaction

    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    call_command("migrate", verbosity=0)
    from numbersadmin.provider.client import get_provider
    from tests.conftest import Cast, Sandbox
    from tests.orders.desk import Desk
    from tests.sync import careless, two_sides
    from tests.sync.conftest import Mirror

    did: Counter[str] = Counter()
    try:
        for done in range(0, examples, AT_ONCE):
            with transaction.atomic():
                transaction.get_connection().atomic_blocks[-1]._from_testcase = True  # durable may be within
                mirror = Mirror(Sandbox(url), two_sides.BEGIN)
                desk = Desk(get_provider(), Cast(), mirror.clock)
                with careless.without(without):
                    did += two_sides.run(
                        mirror, desk, examples=min(AT_ONCE, examples - done), chance=chance + done
                    )
                transaction.set_rollback(True)
    finally:
        connection.creation.destroy_test_db("", verbosity=0)
    return dict(did)


def start(
    examples: int, chance: int, folder: str, without: str, job: int
) -> tuple[subprocess.Popen[str], subprocess.Popen[str]]:
    """A sandbox, and the process that plays with it."""
    sandbox = subprocess.Popen(SANDBOX, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert sandbox.stdout
    url = sandbox.stdout.readline().split()[-1]
    command = [
        sys.executable,
        __file__,
        "--examples",
        str(examples),
        "--chance",
        str(chance),
        "--sandbox",
        url,
    ]
    ours = ("REDIS_", "INFOBIP_", "PROVIDER_", "SETTLE_", "SWEEP_", "LIST_", "SYNC_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    if "DATABASE_URL" in clean:
        clean["DATABASE_URL"] += f"_{job}"
    environment = {**clean, "VAR_DIR": folder, "DJANGO_SETTINGS_MODULE": "numbersadmin.settings"}
    player = subprocess.Popen(
        [*command, "--without", without], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    return sandbox, player


def report(results: list[dict[str, Any]], seconds: float) -> None:
    """What was done."""
    total: Counter[str] = sum((Counter(result) for result in results), Counter())
    runs = sum(count for name, count in total.items() if name.startswith("run "))
    print(f"{total['histories']} histories with {runs} runs in {seconds:.0f} s")
    for name, count in sorted(total.items()):
        print(f"  {count:7}  {name}")


def main() -> int:
    """Start the jobs, wait for them, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=5000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--chance", type=int, default=None)
    parser.add_argument("--without", default="", help="a guard of tests/sync/careless.py to take away")
    parser.add_argument("--sandbox", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.sandbox:
        print(json.dumps(play(given.sandbox, given.examples, given.chance, given.without)))
        return 0
    chance = random.randrange(10**9) if given.chance is None else given.chance
    began, each = time.monotonic(), -(-given.examples // given.jobs)
    with tempfile.TemporaryDirectory(prefix="bench-history-") as folder:
        running = [
            start(each, chance + 1_000_000 * job, f"{folder}/{job}", given.without, job)
            for job in range(given.jobs)
        ]
        said = [player.communicate()[0] for _, player in running]
        for sandbox, _ in running:
            sandbox.terminate()
            sandbox.wait()
    report([json.loads(text.splitlines()[-1]) for text in said if text], time.monotonic() - began)
    codes = [player.returncode for _, player in running]
    print(f"violations: {sum(map(bool, codes))} (chance {chance}; the jobs' exit codes: {codes})")
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
