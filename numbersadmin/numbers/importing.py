"""Reading a file of owners, cost centres and labels: each line is understood, or named with what is wrong with it."""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection

from numbersadmin.accounts.models import User
from numbersadmin.export import uncell
from numbersadmin.numbers.bulk import Left, fields_of
from numbersadmin.numbers.models import OwnedNumber, label_list
from numbersadmin.numbers.selectors import digits_of, may_edit

MOST_LINES = {"postgresql": 100_000, "sqlite": 20_000}  # SQLite stands still while the one transaction lasts
MOST_BYTES = 10_000_000
LONGEST_COST_CENTRE = 100
CHUNK = 500
COLUMNS = ("number", "owner", "cost_centre", "labels")
NOTHING = "-"  # in a cell: nobody, no cost centre, no labels; an empty cell leaves what is there
HEADINGS = {
    "number": "number",
    "phone number": "number",
    "msisdn": "number",
    "owner": "owner",
    "user name": "owner",
    "username": "owner",
    "cost centre": "cost_centre",
    "cost center": "cost_centre",
    "labels": "labels",
    "label": "labels",
    "country": "country",
}
_SHORTENED = re.compile(r"[+-]?\d([.,]\d+)?E\+?\d+", re.IGNORECASE)
_LABEL = re.compile(r'\s*"((?:[^"]|"")*)"\s*(?:[;,]|$)|([^;,]*)(?:[;,]|$)')
SHORTENED = "A spreadsheet has shortened this number. Format its column as text, then enter the number again"


class Unreadable(Exception):
    """The file as a whole cannot be read; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that cannot be taken, with what was written there."""

    line: int
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Line:
    """What a line says of a number (digits); `wanted` as numbers.bulk knows it, the owner as a user name.

    `country` tells apart numbers that are written alike, as short codes are; empty when there is no such column.
    """

    line: int
    number: str
    country: str
    wanted: dict[str, Any]


@dataclass(slots=True)
class File:
    """The lines of a file; `ignored` are columns that are not read, `changes` ids with what each number gets.

    `same`: ids of those that have it already, whoever may change them.
    """

    lines: list[Line] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    changes: dict[int, dict[str, Any]] = field(default_factory=dict)
    same: set[int] = field(default_factory=set)


def most_lines() -> int:
    """The longest file that is done in one transaction on this database."""
    return MOST_LINES[connection.vendor]


def decoded(data: bytes) -> str:
    """The text of a file in UTF-8, UTF-16 or Windows' western letters. Raises Unreadable."""
    if len(data) > MOST_BYTES:
        raise Unreadable(f"The file is larger than {MOST_BYTES // 1_000_000} MB. Split it.")
    encodings = ["utf-8-sig", "cp1252"]
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    elif b"\0" in data[:200]:
        encodings = ["utf-16-le" if data[1:2] == b"\0" else "utf-16-be"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise Unreadable("This is not a text file. Save the sheet as CSV (UTF-8), then choose it again.")


def read(text: str) -> File:
    """The lines of a CSV text; columns are found by their headings, without any they are in the order of COLUMNS."""
    found = File()
    rows = _rows(text.lstrip("\ufeff"), found)
    first = next(rows, None)
    if first is None:
        if not found.bad:
            raise Unreadable("There is nothing in it.")
        return found
    columns = _columns(first[1], found)
    most = most_lines()
    for count, (line, cells) in enumerate(rows if columns else _again(first, rows), 1):
        if count > most:
            raise Unreadable(f"It has more than {most:,} lines. Split it.")
        _take(line, cells, columns or list(COLUMNS), found)
    if not (found.lines or found.bad):
        raise Unreadable("There is no line below the headings.")
    return found


def _again(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _rows(text: str, found: File) -> Iterator[tuple[int, list[str]]]:
    """Each line that is not empty, with its number. What csv cannot read is named."""
    lines = text.splitlines(keepends=True)
    declared = re.fullmatch(r"sep=(.)\s*", lines[0]) if lines else None
    skipped = 1 if declared else 0
    head = next((one for one in lines[skipped:] if one.strip()), "")
    delimiter = declared[1] if declared else _delimiter(head)
    reader = csv.reader(io.StringIO("".join(lines[skipped:]), newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + skipped + 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error:
            found.bad.append(Bad(line, "", "A quote in it is not closed, or the cell is too long"))
            continue
        if any(cells):
            yield line, cells


def _delimiter(head: str) -> str:
    """What ends the first cell: labels further on may hold others."""
    outside = re.sub(r'"(?:[^"]|"")*"', "", head)
    return next((letter for letter in outside if letter in ",;\t"), ",")


def _columns(cells: list[str], found: File) -> list[str]:
    """What each column holds when these are headings ("" for one that is not read), else an empty list."""
    heads = [" ".join(cell.casefold().replace("_", " ").split()) for cell in cells]
    names = [HEADINGS.get(head, "") for head in heads]
    if names.count("owner") > 1:  # our own Excel file tells the full name too
        names = ["" if head == "owner" else name for head, name in zip(heads, names, strict=True)]
    if not any(names):
        return []
    if "number" not in names:
        raise Unreadable("No column is called “number”.")
    if len(set(names) - {""}) != len([name for name in names if name]):
        raise Unreadable("Two columns have the same heading.")
    if not set(names) & set(UNDERSTAND):
        raise Unreadable("There is no column “owner”, “cost_centre” or “labels”, so nothing would change.")
    found.ignored = [cell for cell, name in zip(cells, names, strict=True) if cell and not name]
    return names


def _take(line: int, cells: list[str], columns: list[str], found: File) -> None:
    """Understand a line, or name it."""
    if any(cells[len(columns) :]):
        extra = next(cell for cell in cells[len(columns) :] if cell)
        found.bad.append(Bad(line, extra, f"More than {len(columns)} columns"))
        return
    known = dict(zip(columns, cells, strict=False))
    try:
        number = _number(known["number"])
        wanted = {
            name: understand(known[name])
            for name, understand in UNDERSTAND.items()
            if known.get(name)  # an empty cell leaves what is there
        }
    except Misunderstood as problem:
        found.bad.append(Bad(line, problem.text[:60], problem.why))
    else:
        found.lines.append(Line(line, number, known.get("country", "").upper(), wanted))


class Misunderstood(Exception):
    """A cell that makes no sense."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(why)
        self.text, self.why = text, why


def _number(cell: str) -> str:
    text = uncell(cell).removeprefix("=").strip('"')
    if _SHORTENED.fullmatch(text):
        raise Misunderstood(cell, SHORTENED)
    if re.fullmatch(r"\d+\.0+", text):  # a spreadsheet's figure, exact all the same
        text = text.partition(".")[0]
    if not text:
        raise Misunderstood(cell, "There is no number")
    return digits_of(text) or text


def _owner(cell: str) -> str | None:
    return None if cell == NOTHING else uncell(cell)


def _cost_centre(cell: str) -> str:
    text = "" if cell == NOTHING else " ".join(uncell(cell).split())
    if len(text) > LONGEST_COST_CENTRE:
        raise Misunderstood(cell, f"A cost centre has at most {LONGEST_COST_CENTRE} characters")
    return text


def _labels(cell: str) -> dict[str, list[str]]:
    if cell == NOTHING:
        return {"replace": []}
    words = [quoted.replace('""', '"') or bare for quoted, bare in _LABEL.findall(uncell(cell))]
    try:
        return {"replace": label_list(words)}
    except ValidationError as problem:
        raise Misunderstood(cell, problem.messages[0].rstrip(".")) from problem


def labels_cell(labels: Sequence[str]) -> str:
    """Labels as one cell that `read` takes apart again."""
    return ";".join(
        '"{}"'.format(one.replace('"', '""')) if re.search('[;,"]', one) else one for one in labels
    )


UNDERSTAND = {"owner": _owner, "cost_centre": _cost_centre, "labels": _labels}


def resolve(found: File, actor: User) -> None:
    """Find the numbers and people that the lines name; what cannot be found, or not be changed, is named."""
    people = _People()
    first: dict[int, Line] = {}
    for start in range(0, len(found.lines), CHUNK):
        lines = found.lines[start : start + CHUNK]
        rows = _records({line.number for line in lines})
        for line in lines:
            try:
                row = _the_one(line, rows.get(line.number, []))
                wanted = line.wanted
                if "owner" in wanted:
                    wanted = wanted | {"owner": people.find(wanted["owner"], row)}
                if not _differs(row, wanted):
                    found.same.add(row.pk)
                elif not may_edit(actor, row):
                    raise Misunderstood(line.number, Left.NOT_YOURS.label)
                before = first.setdefault(row.pk, line)
                if found.changes.setdefault(row.pk, wanted) != wanted:
                    why = f"Twice with different values: also in line {before.line}"
                    raise Misunderstood(line.number, why)
            except Misunderstood as problem:
                found.bad.append(Bad(line.line, problem.text[:60], problem.why))
    found.bad.sort(key=lambda bad: bad.line)


def _records(numbers: set[str]) -> dict[str, list[OwnedNumber]]:
    rows: dict[str, list[OwnedNumber]] = {}
    for row in OwnedNumber.objects.filter(number__in=numbers).order_by("pk"):
        rows.setdefault(row.number, []).append(row)
    return rows


def _differs(row: OwnedNumber, wanted: Mapping[str, Any]) -> bool:
    """Would anything change? A line that says what is there already is nobody's to refuse."""
    fields = fields_of(row)
    return any(
        (value["replace"] if name == "labels" else value) != fields[name] for name, value in wanted.items()
    )


def _the_one(line: Line, rows: list[OwnedNumber]) -> OwnedNumber:
    """The record that a line means."""
    ours = [row for row in rows if row.ended_to is None]
    if not rows:
        known = line.number if line.number.isdigit() else ""
        raise Misunderstood(line.number, "This is not one of our numbers" if known else "This is no number")
    if not ours:
        raise Misunderstood(line.number, "This number is no longer ours")
    if len(ours) > 1 and line.country:
        ours = [row for row in ours if row.country == line.country] or ours
    if len(ours) > 1:
        raise Misunderstood(
            line.number, "It is on record more than once: add a column “country” with its code"
        )
    return ours[0]


class _People:
    """Everybody, found by user name whatever its case."""

    def __init__(self) -> None:
        self.by_name: dict[str, tuple[int, bool]] = {}
        people = User.objects.values_list("username", "pk", "is_active")
        for name, pk, active in people:
            self.by_name[name.casefold()] = (pk, active)
        for name, pk, active in people:
            self.by_name[name] = (pk, active)

    def find(self, name: str | None, row: OwnedNumber) -> int | None:
        """The id; someone disabled may stay the owner, but does not become it."""
        if name is None:
            return None
        pk, active = self.by_name.get(name) or self.by_name.get(name.casefold()) or (None, False)
        if pk is None:
            raise Misunderstood(name, "No user name is spelled like this")
        if not active and row.owner_id != pk:
            raise Misunderstood(name, "This person is disabled")
        return pk


def by_reason(bad: Sequence[Bad]) -> list[tuple[str, int, str]]:
    """Each reason with its number of lines and the lines themselves, as `2, 5-9`."""
    lines: dict[str, list[int]] = {}
    for one in bad:
        reason = re.sub(r" in line \d+$", " in another line", one.why)
        lines.setdefault(reason, []).append(one.line)
    return [(why, len(numbers), _ranges(numbers)) for why, numbers in lines.items()]


def _ranges(numbers: list[int]) -> str:
    ends: list[list[int]] = []
    for number in numbers:
        if ends and number == ends[-1][1] + 1:
            ends[-1][1] = number
        else:
            ends.append([number, number])
    return ", ".join(f"{low:,}" if low == high else f"{low:,}-{high:,}" for low, high in ends)
