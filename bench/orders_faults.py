"""The long run of tests/orders/company.py: `python bench/orders_faults.py [--steps 20000] [--jobs 2] [--chance N]`.

Each job is a process with a sandbox and an SQLite database of its own in a temporary directory. Exit code 1 when
anything was violated, with the `--chance` that shows it again.
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


def play(url: str, steps: int, chance: int) -> dict[str, Any]:
    """So many steps in this process; what they were."""
    os.environ |= {"INFOBIP_BASE_URL": url, "INFOBIP_API_KEY": "sandbox", "PROVIDER_RATE_LIMITS": "off"}
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    logging.disable(logging.CRITICAL)
    from django.core.management import call_command
    from django.db import transaction

    call_command("migrate", verbosity=0)
    from numbersadmin.provider.client import get_provider
    from tests.conftest import NOW, Cast, Sandbox
    from tests.orders import company
    from tests.orders.desk import Clock, Desk

    with transaction.atomic():
        transaction.get_connection().atomic_blocks[-1]._from_testcase = True  # what is durable may be within
        desk = Desk(get_provider(), Cast(), Clock(NOW))
        company.run(desk, Sandbox(url), steps=steps, chance=chance)
        transaction.set_rollback(True)
    return {"steps": company.Company.steps, "troubles": company.Company.seen, "did": company.Company.did}


def start(steps: int, chance: int, folder: str) -> tuple[subprocess.Popen[str], subprocess.Popen[str]]:
    """A sandbox, and the process that plays with it."""
    sandbox = subprocess.Popen(SANDBOX, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert sandbox.stdout
    url = sandbox.stdout.readline().split()[-1]
    command = [sys.executable, __file__, "--steps", str(steps), "--chance", str(chance), "--sandbox", url]
    ours = ("DATABASE_", "REDIS_", "INFOBIP_", "PROVIDER_", "SETTLE_", "SWEEP_", "LIST_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment = {**clean, "VAR_DIR": folder, "DJANGO_SETTINGS_MODULE": "numbersadmin.settings"}
    player = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    return sandbox, player


def report(results: list[dict[str, Any]], seconds: float) -> None:
    """What was done and what went wrong meanwhile."""
    steps = sum(result["steps"] for result in results)
    print(f"{steps} steps in {seconds:.0f} s: {steps / seconds:.0f} steps/s")
    for title in ("did", "troubles"):
        total: Counter[str] = sum((Counter(result[title]) for result in results), Counter())
        print(f"{title}, {sum(total.values())}:" if title == "troubles" else "done:")
        for name, count in sorted(total.items()):
            print(f"  {count:7}  {name}")


def main() -> int:
    """Start the jobs, wait for them, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--chance", type=int, default=None)
    parser.add_argument("--sandbox", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.sandbox:
        print(json.dumps(play(given.sandbox, given.steps, given.chance)))
        return 0
    chance = random.randrange(10**9) if given.chance is None else given.chance
    began, each = time.monotonic(), -(-given.steps // given.jobs)
    with tempfile.TemporaryDirectory(prefix="bench-faults-") as folder:
        running = [start(each, chance + 1_000_000 * job, f"{folder}/{job}") for job in range(given.jobs)]
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
