"""Reading the provider's file: every limit is checked row by row before anything is stored (docs/invoices.md)."""

import codecs
import csv
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from numbersadmin.invoices.models import Encoding

MOST_BYTES = 50_000_000
MOST_ROWS = 200_000
MOST_COLUMNS = 100
LONGEST_CELL = 2_000
LONGEST_ROW = 100_000
_CHUNK = 1 << 20
_DELIMITERS = ",;\t|"
_TEXT_IN_A_FORMULA = re.compile(r'="[^"]*"')  # how spreadsheets are told to leave a long number alone
_SAVE_AS_CSV = "Save the sheet as CSV (UTF-8), then choose it again."
_WRONG_LETTERS = {
    "utf-8-sig": f"The file is not written in UTF-8. {_SAVE_AS_CSV} Or choose Windows-1252, if it is text.",
    "": f"The file is not written in the encoding that was chosen. {_SAVE_AS_CSV}",
}


class Unreadable(Exception):
    """The file cannot be taken; the message says why and what to do. Nothing was stored."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file that can be taken: its digest, how it is written, its headings, and how many rows are below them."""

    sha256: str
    encoding: str
    delimiter: str
    headings: list[str]
    count: int


def check(file: IO[bytes], chosen: str) -> Sheet:
    """Read all of a file, and keep nothing of it; `chosen` is one of Encoding. Raises Unreadable."""
    sha256, encoding = _digest(file), _encoding(file, chosen)
    delimiter = _delimiter(file, encoding)
    found = _cells(file, encoding, delimiter)
    first = next(found, None)
    if first is None:
        raise Unreadable("The file is empty. Choose the file that the provider sent.")
    place, headings = first
    if len(headings) > MOST_COLUMNS:
        raise _too_wide(len(headings))
    if len(headings) < 2:
        raise Unreadable(f"Row {place} has one column only. Separate columns by comma, semicolon or tab.")
    count = sum(1 for _ in _even(found, len(headings)))
    if not count:
        raise Unreadable("There is no row below the headings. Choose the file that the provider sent.")
    return Sheet(sha256, encoding, delimiter, headings, count)


def rows(file: IO[bytes], sheet: Sheet) -> Iterator[tuple[int, list[str]]]:
    """The rows below the headings of a checked file, as many cells each as there are headings, with their places."""
    found = _cells(file, sheet.encoding, sheet.delimiter)
    next(found)
    yield from _even(found, len(sheet.headings))


def _too_wide(columns: int) -> Unreadable:
    return Unreadable(
        f"The file has {columns:,} columns; at most {MOST_COLUMNS} are read. Remove those that are not needed."
    )


def _digest(file: IO[bytes]) -> str:
    digest, size = hashlib.sha256(), 0
    file.seek(0)
    while chunk := file.read(_CHUNK):
        size += len(chunk)
        if size > MOST_BYTES:
            raise Unreadable(
                f"The file is larger than {MOST_BYTES // 1_000_000} MB."
                " Split it, or remove columns that are not needed."
            )
        digest.update(chunk)
    return digest.hexdigest()


def _encoding(file: IO[bytes], chosen: str) -> str:
    """A byte-order mark says more than a choice."""
    file.seek(0)
    start = file.read(3)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if chosen == Encoding.WINDOWS and start != codecs.BOM_UTF8:
        return "cp1252"
    return "utf-8-sig"


def _delimiter(file: IO[bytes], encoding: str) -> str:
    """What most often parts the first row that is not blank."""
    head = next((line for line in _Lines(file, encoding) if line.strip()), "")
    outside = re.sub(r'"(?:[^"]|"")*"', "", head)
    return max(_DELIMITERS, key=outside.count)


class _Lines:
    """The lines of a file as text; refuses what is no text, and a row (its letters: `in_row`) that never ends."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        file.seek(0)
        self.text = io.TextIOWrapper(file, encoding=encoding, newline="")
        self.encoding, self.in_row = encoding, 0

    def __iter__(self) -> Iterator[str]:
        first = True
        try:
            while line := self.text.readline(LONGEST_ROW + 1):
                self.in_row += len(line)
                if "\0" in line:
                    raise Unreadable(f"This is not a text file. {_SAVE_AS_CSV}")
                if self.in_row > LONGEST_ROW:
                    if first and (columns := self._columns(line)) > MOST_COLUMNS:
                        raise _too_wide(columns)
                    raise Unreadable(
                        f"A row is longer than {LONGEST_ROW:,} characters, or a quote in it is not closed."
                        " Correct it, then choose the file again."
                    )
                yield line
                first = False
        except UnicodeError as error:
            raise Unreadable(_WRONG_LETTERS.get(self.encoding, _WRONG_LETTERS[""])) from error
        finally:
            self.text.detach()  # the file stays open

    def _columns(self, line: str) -> int:
        """How many columns the row has that begins with this; 0 where quotes make it another question."""
        columns = dict.fromkeys(_DELIMITERS, 1)
        while line:
            if '"' in line:
                return 0
            for sign in columns:
                columns[sign] += line.count(sign)
            line = "" if line.endswith("\n") else self.text.readline(LONGEST_ROW)
        return max(columns.values())


def _cells(file: IO[bytes], encoding: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank, with its place as a spreadsheet counts it."""
    lines = _Lines(file, encoding)
    reader = csv.reader(iter(lines), delimiter=delimiter, strict=True)
    place = 0
    while True:
        place += 1
        lines.in_row = 0
        try:
            cells = [*map(str.strip, next(reader))]
        except StopIteration:
            return
        except csv.Error as error:
            raise Unreadable(
                f"A quote in row {place} is not closed, or stands in the middle of a cell. Correct the row."
            ) from error
        if any(cells):
            yield place, cells


def _even(found: Iterator[tuple[int, list[str]]], width: int) -> Iterator[tuple[int, list[str]]]:
    """The rows with as many cells as there are headings; refuses what is not a plain row of the table."""
    for count, (place, cells) in enumerate(found, 1):
        if count > MOST_ROWS:
            raise Unreadable(f"The file has more than {MOST_ROWS:,} rows. Split it.")
        if len(cells) != width:
            if len(cells) < width or any(cells[width:]):
                raise Unreadable(
                    f"Row {place} has {len(cells):,} cells and the headings have {width:,}."
                    " Correct the row, or remove what stands above the headings."
                )
            del cells[width:]
        if "=" in "".join(cells):  # hardly any row has one, and there may be millions of cells
            _refuse_formulas(place, cells)
        if max(map(len, cells)) > LONGEST_CELL:
            raise Unreadable(f"A cell in row {place} is longer than {LONGEST_CELL:,} characters.")
        yield place, cells


def _refuse_formulas(place: int, cells: list[str]) -> None:
    for cell in cells:
        if cell[:1] == "=" and not _TEXT_IN_A_FORMULA.fullmatch(cell):
            raise Unreadable(f"Row {place} holds a formula ({cell[:40]}). Save the sheet with values only.")
