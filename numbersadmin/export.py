"""Exports: the same rows as CSV that a spreadsheet opens unharmed, or as JSON."""

import argparse
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

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


def add_format_argument(parser: argparse.ArgumentParser) -> None:
    """The `--format json|csv` of every export command."""
    parser.add_argument(
        "--format", choices=["json", "csv"], default="json", help="form of the output (default: json)"
    )
