"""Times an invoice of many lines: `python bench/invoices.py [--lines 100000]`, limits 30 s of CPU and 500 MB.

Works in a state directory of its own, on SQLite, or on the database that DATABASE_URL names (it must be empty).
"""

import argparse
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from bench.costs import NOW, fill

SECONDS, MEGABYTES = 30, 500


def peak() -> int:
    """The largest resident size so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def timed(name: str, work: Callable[[], Any]) -> float:
    """Do it once; print how long it took, and return the CPU of this process."""
    start, cpu = time.perf_counter(), time.process_time()
    work()
    took, used = time.perf_counter() - start, time.process_time() - cpu
    print(f"{name:<28} {took:7.1f} s   {used:7.1f} s CPU   peak {peak():5} MB", flush=True)
    return used


def prepare(lines: int) -> bytes:
    """Numbers of ours, and an invoice: a tenth differs, a tenth is left out, a twentieth nobody knows."""
    from django.core.management import call_command

    from numbersadmin.costs import selectors as costs

    call_command("migrate", verbosity=0)
    fill(lines * 13 // 10)
    rows = ["Number;Text;Amount;Currency"]
    for at, entry in enumerate(costs.statement(costs.records(NOW), costs.Month.of(2026, 9))):
        charge, number = entry.charge, entry.subject.number
        if at % 10 == 0:
            continue
        if at % 20 == 1:
            number = f"999{number}"
        amount = charge.amount + 1 if at % 10 == 2 else charge.amount
        rows.append(f"+{number};{charge.kind} of a number;{amount:f};{charge.currency}")
    rows.append(";Total;0;EUR")
    print(f"{len(rows) - 1:,} rows")
    return "\n".join(rows).encode()


def measure(data: bytes) -> bool:
    """Upload, compare, look; are the limits kept?"""
    from numbersadmin.accounts.models import User
    from numbersadmin.costs import selectors as costs
    from numbersadmin.invoices import comparing, selectors, services
    from numbersadmin.invoices.mapping import Mapping
    from numbersadmin.invoices.models import Invoice

    known, actor = costs.records(NOW), User.objects.create_user(username="finance")
    month = costs.Month.of(2026, 9)
    facts = {"month": month, "currency": "", "reference": "INV-1", "encoding": "auto", "file_name": "a.csv"}
    by, who = Mapping(number=0, amount=2, currency=3), {"actor": actor, "now": NOW}

    def invoice() -> Invoice:
        return Invoice.objects.get()

    took = timed("upload", lambda: services.upload(file=io.BytesIO(data), **facts, **who))
    timed("preview of a choice", lambda: selectors.preview(invoice(), by))
    took += timed(
        "choose columns, compare",
        lambda: comparing.choose_columns(invoice=invoice(), by=by, known=known, **who),
    )
    timed("compare again", lambda: comparing.compare_again(invoice=invoice(), known=known, **who))
    timed("page", lambda: list(selectors.invoice_page(invoice(), "", None).page))
    for tie in selectors.tie_outs(invoice()):
        assert tie.ours + tie.remaining == tie.theirs
    print(f"upload and compare {took:.1f} s of CPU (limit {SECONDS}), peak {peak()} MB (limit {MEGABYTES})")
    return took <= SECONDS and peak() <= MEGABYTES


def main() -> None:
    """Make numbers and their invoice, then measure, each in a process of its own; exit code 1 above a limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--step", choices=["prepare", "measure"], help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if not wanted.step:
        with tempfile.TemporaryDirectory(prefix="numbersadmin-bench-") as folder:
            os.environ["VAR_DIR"] = folder
            again = [sys.executable, __file__, "--lines", str(wanted.lines), "--step"]
            subprocess.run([*again, "prepare"], check=True)
            sys.exit(subprocess.run([*again, "measure"], check=False).returncode)
    os.environ["DJANGO_SETTINGS_MODULE"] = "numbersadmin.settings"
    import django
    import time_machine

    django.setup()
    file = Path(os.environ["VAR_DIR"]) / "invoice.csv"
    with time_machine.travel(NOW, tick=True):
        if wanted.step == "prepare":
            file.write_bytes(prepare(wanted.lines))
        else:
            sys.exit(0 if measure(file.read_bytes()) else 1)


if __name__ == "__main__":
    main()
