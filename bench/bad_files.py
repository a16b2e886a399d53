"""Invoices that cannot be read, uploaded over HTTP to a running product: `python bench/bad_files.py`.

Prints the seconds until each has its message, and the message. Exit code 1 when one took longer than 5 s, was not
refused, or has left an invoice behind.
"""

import re
import sys
import tempfile
import time

from running import CAST, Person, running

LIMIT = 5.0  # seconds, on a machine that does nothing else
MESSAGE = re.compile(r'class="err"[^>]*>.*?<span>([^<]*)</span>', re.DOTALL)
WIDE_ROW = b"1;" + b"x" * 1900 + b"\n"
MANY_CELLS = b";".join(b"c%d" % at for at in range(60)) + b"\n" + (b";".join([b"123"] * 60) + b"\n") * 190_000
BAD = {
    "100 MB": b"Number;Amount\n" + b"447860041117;5.00\n" * 5_555_555,
    "49 MB, 2.7 million rows": b"Number;Amount\n" + b"447860041117;5.00\n" * 2_720_000,
    "49 MB, NUL at the end": b"Number;Amount\n" + WIDE_ROW * 25_700 + b"1;\0\n",
    "49 MB, wrong encoding at the end": b"Number;Amount\n" + WIDE_ROW * 25_700 + b"1;\xe9\n",
    "49 MB, a formula at the end": b"Number;Amount\n" + WIDE_ROW * 25_700 + b"1;=1+1\n",
    "49 MB, a quote never closed": b'Number;Amount\n1;"' + b"2\n" * 24_400_000,
    "45 MB, 11 million cells, last row short": MANY_CELLS + b"1;2\n",
    "1,000,000 columns": b"a;" * 999_999 + b"a\n1;2\n",
    "24,500,000 columns": b"a;" * 24_499_999 + b"a\n",
    "a zip file": b"PK\x03\x04" + bytes(range(256)) * 1000,
    "empty": b"",
}


def upload(finance: Person, data: bytes) -> tuple[float, str]:
    """Seconds until the answer, and the message on it; empty where it was taken."""
    form = finance.fields("/invoices/upload/") | {"reference": "a bench", "currency": "EUR"}
    page = finance.get("/invoices/upload/").text
    form |= {"month": re.findall(r'<option value="(\d{4}-\d\d)"', page)[0], "encoding": "auto"}
    began = time.perf_counter()
    answer = finance.session.post(
        f"{finance.url}/invoices/upload/",
        data=form, files={"file": ("bench.csv", data)}, timeout=60, allow_redirects=False,
    )  # fmt: skip
    told = MESSAGE.findall(answer.text)
    return time.perf_counter() - began, told[0] if told and answer.status_code == 422 else ""


def begin_records() -> None:
    """A complete sync of this moment, so that there is a month to upload for."""
    from django.utils import timezone

    from numbersadmin.sync.models import RunStatus, SyncRun

    now = timezone.now()
    SyncRun.objects.create(status=RunStatus.COMPLETE, started_at=now, heartbeat_at=now, finished_at=now)


def main() -> int:
    """Upload them all; 1 when a limit is broken."""
    CAST["finance"] = "finance"
    broken = False
    with tempfile.TemporaryDirectory(prefix="bench-bad-files-") as folder, running(folder) as product:
        begin_records()
        product.start("web")
        product.wait_for_web()
        finance = Person(product.url, "finance")
        for name, data in BAD.items():
            seconds, told = upload(finance, data)
            broken |= seconds > LIMIT or not told
            print(f"{name:40}{seconds:7.2f} s  {told or 'TAKEN'}", flush=True)
        broken |= "No invoice" not in finance.get("/invoices/").text
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
