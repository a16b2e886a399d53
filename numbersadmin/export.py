"""Exports: the same rows as CSV that a spreadsheet opens unharmed, as JSON, or as an Excel file."""

import argparse
import csv
import io
import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import count, islice
from typing import Any

from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from numbersadmin.money import Money, minor_units

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_XLSX = 1_048_575  # rows of a sheet, less its heading
BOM = "\ufeff"
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")

Row = Mapping[str, Any]


def plain(amount: Decimal) -> str:
    """An exact amount without needless zeros or an exponent: `5`, `9.193549`."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def plain_value(value: Any) -> Any:
    """A value as JSON holds it: amounts and moments as strings, an unknown as null."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime | date):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {str(key): plain_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_value(inner) for inner in value]
    return value


def cell(value: Any) -> str:
    """A value as a CSV cell; what a spreadsheet would take for a formula gets an apostrophe before it."""
    value = plain_value(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        inner = [item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in value]
        value = ",".join(inner)
    elif isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False, sort_keys=True)
    text = str(value).replace("\0", "")
    return f"'{text}" if _is_risky(text) else text


def uncell(text: str) -> str:
    """What `cell` made this of: without the apostrophe that it put before a formula."""
    return text[1:] if text.startswith("'") and _is_risky(text[1:]) else text


def _is_risky(text: str) -> bool:
    # One that has apostrophes before it already gets another, so that exactly one can be taken off again.
    return text.lstrip("'").startswith(_RISKY) and not _NUMBER.fullmatch(text)


def rows_csv(fields: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """Lines of an RFC 4180 file with a byte-order mark, one at a time whatever the number of rows."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)

    def line(cells: Iterable[str]) -> str:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow(cells)
        return buffer.getvalue()

    yield BOM + line(fields)
    for row in rows:
        yield line(cell(row.get(field)) for field in fields)


def rows_json(rows: Iterable[Row]) -> Iterator[str]:
    """A JSON list, one object at a time."""
    yield "["
    for index, row in enumerate(rows):
        yield ("," if index else "") + "\n" + json.dumps(plain_value(row), ensure_ascii=False)
    yield "\n]\n"


def xlsx_chunks(
    title: str,
    columns: Sequence[tuple[str, int]],
    rows: Iterable[Sequence[Any]],
    about: Iterable[tuple[str, str]],
) -> Iterator[bytes]:
    """The rows as an Excel file, made in flat memory when its first bytes are asked for.

    `columns` are headings with their widths; a cell is text, a whole number, `Money`, or None for an empty one.
    What goes beyond MOST_XLSX rows is on a further sheet. `about` is what the last sheet says.
    """
    with tempfile.TemporaryFile() as file:
        # Each row leaves memory when the next one begins; no text is taken for a formula, a link or a number.
        book = Workbook(
            file, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        )
        _sheets(book, title, columns, rows)
        _about(book, about)
        book.close()
        file.seek(0)
        while chunk := file.read(64 * 1024):
            yield chunk


def _sheets(
    book: Workbook, title: str, columns: Sequence[tuple[str, int]], rows: Iterable[Sequence[Any]]
) -> None:
    """One sheet, and a further one whenever it is full."""
    formats, left = _Formats(book), iter(rows)
    for part in count(1):
        sheet = book.add_worksheet(title if part == 1 else f"{title} {part}")
        for place, (heading, width) in enumerate(columns):
            sheet.set_column(place, place, width)
            sheet.write_string(0, place, heading, formats.bold)
        sheet.freeze_panes(1, 1)
        last = 0
        for last, row in enumerate(islice(left, MOST_XLSX), 1):
            for place, value in enumerate(row):
                _write(sheet, last, place, value, formats)
        sheet.autofilter(0, 0, max(last, 1), len(columns) - 1)
        if last < MOST_XLSX:
            return


def _write(sheet: Worksheet, line: int, place: int, value: Any, formats: "_Formats") -> None:
    if isinstance(value, Money):
        sheet.write_number(line, place, value.amount, formats.of(value))
    elif isinstance(value, int):
        sheet.write_number(line, place, value)
    elif value:
        sheet.write_string(line, place, value)


class _Formats:
    """The cell formats in use: an amount is shown with all of its decimals, at least those of its currency."""

    def __init__(self, book: Workbook) -> None:
        self.book, self.known = book, dict[int, Format]()
        self.bold = book.add_format({"bold": True})

    def of(self, money: Money) -> Format:
        exponent = money.amount.normalize().as_tuple().exponent
        digits = max(minor_units(money.currency), -exponent if isinstance(exponent, int) else 0)
        if digits not in self.known:
            self.known[digits] = self.book.add_format(
                {"num_format": "#,##0" + ("." + "0" * digits if digits else "")}
            )
        return self.known[digits]


def _about(book: Workbook, about: Iterable[tuple[str, str]]) -> None:
    sheet = book.add_worksheet("What this is")
    sheet.set_column(0, 0, 20)
    sheet.set_column(1, 1, 80)
    bold = book.add_format({"bold": True})
    for line, (name, value) in enumerate(about):
        sheet.write_string(line, 0, name, bold)
        sheet.write_string(line, 1, value)


def add_format_argument(parser: argparse.ArgumentParser) -> None:
    """The `--format json|csv` of every export command."""
    parser.add_argument(
        "--format", choices=["json", "csv"], default="json", help="form of the output (default: json)"
    )
