"""The close pack: everything about a closed month in one ZIP file, with checksums, and its way to finance."""

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from numbersadmin.accounts.models import User
from numbersadmin.accounts.selectors import holders_of
from numbersadmin.accounts.services import mails
from numbersadmin.audit.models import AuditEvent, Seal
from numbersadmin.costs import focus, groups_file, lines_file
from numbersadmin.costs.ledger import Records
from numbersadmin.costs.lines import LineFilter
from numbersadmin.costs.models import LedgerLine, MonthClose
from numbersadmin.costs.month_report import month_report
from numbersadmin.costs.months import Month
from numbersadmin.costs.report import GROUPINGS
from numbersadmin.costs.selectors import records
from numbersadmin.formats import money_text, when

MOST_ATTACHED = 5_000_000  # bytes
MOST_LINES_ATTACHED = 100_000  # more than that is surely larger
SUMS, README = "SHA256SUMS", "README.txt"
PARTS = {
    "report.html": "The report: totals, groups, corrections, assumptions. Opens in any browser and prints on A4.",
    "lines.csv": "Every charge, for programs. Amounts have all their decimals, moments are in UTC.",
    "lines.xlsx": "The same charges, for people.",
    "focus-1.2.csv": "The charges as FOCUS 1.2. Those without an amount are left out.",
    "audit.json": "How many events the audit log has of these numbers, and the seal over them.",
    **{f"by-{by.replace('_', '-')}.csv": f"The month by {by.replace('_', ' ')}." for by in GROUPINGS},
}


def write(file: IO[bytes], known: Records, month: Month, *, who: str, now: datetime) -> None:
    """Write the pack of a closed month; each part passes through memory a piece at a time."""
    parts = dict(_parts(known, month, who, now))
    parts[README] = [_readme(known.closes[month], month)]
    sums = ""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, pieces in parts.items():
            sums += f"{_add(pack, name, pieces)}  {name}\n"
        _add(pack, SUMS, [sums])


def chunks(known: Records, month: Month, *, who: str, now: datetime) -> Iterator[bytes]:
    """The pack of a closed month, made when its first bytes are asked for."""
    with tempfile.TemporaryFile() as file:
        write(file, known, month, who=who, now=now)
        file.seek(0)
        while chunk := file.read(64 * 1024):
            yield chunk


def _add(pack: zipfile.ZipFile, name: str, pieces: Iterable[str | bytes]) -> str:
    """Add a file to the pack; its SHA-256."""
    found = hashlib.sha256()
    with pack.open(name, "w", force_zip64=True) as member:
        for piece in pieces:
            content = piece.encode() if isinstance(piece, str) else piece
            found.update(content)
            member.write(content)
    return found.hexdigest()


def _parts(
    known: Records, month: Month, who: str, now: datetime
) -> Iterator[tuple[str, Iterable[str | bytes]]]:
    everything = LineFilter()
    about = lines_file.about(known, month, filters="", who=who, now=now)
    yield "report.html", [report_file(known, month, who=who, now=now)]
    yield "lines.csv", lines_file.csv_lines(known, month, everything)
    yield "lines.xlsx", lines_file.xlsx_chunks(known, month, everything, about)
    yield "focus-1.2.csv", focus.csv_lines(known, month)
    for by in GROUPINGS:
        yield f"by-{by.replace('_', '-')}.csv", groups_file.csv_lines(known, month, by)
    yield "audit.json", [json.dumps(_audit(known, month), indent=1) + "\n"]


def report_file(known: Records, month: Month, *, who: str, now: datetime) -> str:
    """The report as one HTML file that needs no other."""
    context = {"report": month_report(known, month), "now": now, "who": who}
    found = finders.find("app.css")
    look = f"<style>\n{Path(str(found)).read_text()}</style>\n</head>"
    return render_to_string("costs/report_file.html", context).replace("</head>", look, 1)


def _audit(known: Records, month: Month) -> dict[str, Any]:
    """What the audit log has of the month: events of its numbers in it, and the newest seal."""
    numbers = LedgerLine.objects.filter(month=str(month), owned_number__isnull=False).values("owned_number")
    since, until = known.calendar.start(month), known.calendar.end(month)
    events = AuditEvent.objects.filter(subject_type="ownednumber", subject_id__in=numbers)
    seal = _newest_seal(known.closes[month])
    return {
        "month": str(month),
        "revision": known.closes[month].revision,
        "lines_sha256": known.closes[month].sha256,
        "events_of_its_numbers": events.filter(at__gte=since, at__lt=until).count(),
        "from": since.isoformat(),
        "until": until.isoformat(),
        "seal": seal
        and {
            "number": seal.number,
            "at": seal.at.isoformat(),
            "through_event": seal.through_id,
            "sha256": seal.sha256,
        },
    }


def _newest_seal(close: MonthClose) -> Seal | None:
    """The newest seal, when it is over the close as well."""
    told = AuditEvent.objects.filter(subject_type="monthclose", subject_id=close.pk, verb="cost.month_closed")
    return Seal.objects.filter(through_id__gte=told.values("id")[:1]).order_by("number").last()


def _readme(close: MonthClose, month: Month) -> str:
    lines = [
        f"Costs of {month.label}, revision {close.revision}.",
        f"Closed {when(close.at, 'full')} by {close.by.display_name}.",
        f"{close.lines} charges, checksum of the lines {close.sha256}.",
        "",
        *(f"{name}: {words}" for name, words in PARTS.items()),
        f"{SUMS}: The SHA-256 of each file. Check with: sha256sum -c {SUMS}",
        "",
        "Currencies are never added together. What is not known is an empty cell, never 0.",
        "A seal in audit.json proves the log of that time: ./run verify_audit --seal <sha256>",
    ]
    return "\n".join(lines).replace("\xa0", " ") + "\n"


# To finance ---------------------------------------------------------------------------------------------------------


def mails_for(close: MonthClose, now: datetime) -> list[EmailMessage]:
    """A mail about a close, to finance and administrators: what is frozen, and the pack.

    The pack is attached up to 5 MB; the mail always says where it is. None once the month was opened again.
    """
    known, month = records(now), Month.parse(close.month)
    if known.closes[month].pk != close.pk:
        return []
    seal = _newest_seal(close)
    content = _small_pack(known, month, now)

    def text(person: User) -> Iterator[str]:
        yield f"{close.by.display_name} closed {month.label} on {when(close.at, 'full')}, revision {close.revision}."
        yield ""
        for currency, amount in sorted(close.totals.items()):
            yield f"  {money_text(Decimal(amount), currency)}"
        yield f"  {close.lines} charges{f', {close.unpriced} without an amount' if close.unpriced else ''}"
        yield from ("", "The pack of all files" + (", attached and here:" if content else ":"))
        yield f"{settings.PUBLIC_URL}/costs/{month}/pack.zip"
        yield from ("", "Keep this mail. It shows later that nothing was changed:", f"  lines {close.sha256}")
        if seal:
            yield f"  audit log, seal {seal.number} {seal.sha256}"
        else:
            yield "  The audit log is not sealed with this close yet. The next pack that you download has the seal."

    made = mails(holders_of("costs.reopen"), f"{month.label} is closed", text)
    for mail in made:
        if content:
            mail.attach(f"costs-{month}-pack.zip", content, "application/zip")
    return made


def _small_pack(known: Records, month: Month, now: datetime) -> bytes:
    """The pack, or nothing where it is too large for a mail."""
    if known.closes[month].lines > MOST_LINES_ATTACHED:
        return b""
    found = bytearray()
    for chunk in chunks(known, month, who="numbersadmin", now=now):
        found += chunk
        if len(found) > MOST_ATTACHED:
            return b""
    return bytes(found)
