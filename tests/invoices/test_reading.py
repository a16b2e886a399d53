"""The provider's file: every limit is told within seconds, in words that help, and nothing is stored."""

import io
import zipfile
from typing import Any

import pytest

from numbersadmin.invoices import reading
from numbersadmin.invoices.models import Invoice, InvoiceRow
from numbersadmin.invoices.reading import Unreadable
from numbersadmin.invoices.services import AlreadyUploaded
from tests.invoices.conftest import AGREES, upload

TEXT = "Number;Amount;Description\n447860041117;2,90;Zürich – Málaga\n"


def zipped() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("a", "b")
    return held.getvalue()


REFUSED = {
    "empty": (b"", "auto", "The file is empty"),
    "blank": (b"\n\n  \n", "auto", "The file is empty"),
    "headings only": (b"Number;Amount\n", "auto", "no row below the headings"),
    "one column": (b"Number\n1\n", "auto", "one column only"),
    "wrong encoding": (TEXT.encode("latin-1", "replace"), "auto", "not written in UTF-8"),
    "not Windows either": (b"a;b\n1;\x81\n", "cp1252", "not written in the encoding that was chosen"),
    "UTF-16 cut short": (TEXT.encode("utf-16")[:-1], "auto", "not written in the encoding"),
    "UTF-16 without its mark": (TEXT.encode("utf-16-le"), "auto", "not a text file|not written in UTF-8"),
    "a zip file": (zipped(), "cp1252", "not a text file|not written in the encoding"),
    "NUL": (b"Number;Amount\n1;\0\n", "auto", "not a text file"),
    "a formula": (b"Number;Amount\n1;=A1+A2\n", "auto", r"Row 2 holds a formula \(=A1\+A2\)"),
    "too few cells": (b"Number;Amount;x\n1;2;3\n1;2\n", "auto", "Row 3 has 2 cells and the headings have 3"),
    "too many cells": (b"Number;Amount\n\n1;2;3\n", "auto", "Row 3 has 3 cells and the headings have 2"),
    "a preamble": (b"Invoice;7\nNumber;Amount;x\n1;2;3\n", "auto", "what stands above the headings"),
    "an open quote": (b'Number;Amount\n1;"2\n3;4\n', "auto", "quote in row 2 is not closed"),
    "a quote within a cell": (b'Number;Amount\n1;"2"3\n', "auto", "quote in row 2"),
    "a long cell": (
        b"Number;Amount\n1;" + b"x" * 3_000 + b"\n",
        "auto",
        "cell in row 2 is longer than 2,000",
    ),
    "a million columns": (b"a," * 999_999 + b"a\n1", "auto", "The file has 1,000,000 columns; at most 100"),
    "a heading that never ends": (b'Number,"' + b"a," * 60_000, "auto", "A row is longer"),
    "many columns": (b"a," * 200 + b"\n" + b"1," * 200, "auto", "The file has 201 columns; at most 100"),
    "a quote over everything": (
        b'Number;Amount\n1;"' + b"2\n" * 100_000,
        "auto",
        "quote in it is not closed",
    ),
}


@pytest.mark.parametrize(("data", "encoding", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_says_why_and_stores_nothing(cast, data, encoding, told):
    with pytest.raises(Unreadable, match=told):
        upload(cast, data, encoding=encoding)
    assert not Invoice.objects.exists()


@pytest.mark.parametrize(
    ("limit", "told"),
    [("MOST_BYTES", "larger than"), ("MOST_ROWS", "more than 1 rows")],
    ids=["bytes", "rows"],
)
def test_a_file_that_is_too_long_is_refused(cast, monkeypatch, limit, told):
    monkeypatch.setattr(reading, limit, 1)
    with pytest.raises(Unreadable, match=told):
        upload(cast, AGREES)


class Endless(io.RawIOBase):
    """A file of zeros as large as wanted, which counts what is read of it."""

    def __init__(self) -> None:
        self.asked = 0

    def seek(self, *place: Any) -> int:
        return 0

    def read(self, size: int = -1) -> bytes:
        self.asked += size
        return b"0" * size


def test_no_more_is_read_than_the_limit(cast):
    file = Endless()
    with pytest.raises(Unreadable, match="larger than 50 MB"):
        reading.check(file, "auto")
    assert file.asked < reading.MOST_BYTES + 2_000_000


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (TEXT.encode(), "auto"),
        (TEXT.encode("utf-8-sig"), "auto"),
        (TEXT.encode("utf-8-sig"), "cp1252"),
        (TEXT.encode("utf-16"), "auto"),
        (TEXT.encode("cp1252"), "cp1252"),
        (TEXT.replace("\n", "\r\n").encode(), "auto"),
        (TEXT.replace("\n", "\r").encode(), "auto"),
        (TEXT.replace(";", "\t").encode(), "auto"),
        (TEXT.replace("\n", ";;\n").encode().replace(b"Description;;", b"Description"), "auto"),
    ],
    ids=[
        "UTF-8",
        "with its mark",
        "the mark says more",
        "UTF-16",
        "Windows",
        "CRLF",
        "CR",
        "tabs",
        "trailing",
    ],
)
def test_each_way_of_writing_it_is_read(cast, data, encoding):
    invoice = upload(cast, data, encoding=encoding)
    (row,) = InvoiceRow.objects.all()
    assert (invoice.columns, invoice.row_count) == (["Number", "Amount", "Description"], 1)
    assert (row.row, row.raw) == (2, ["447860041117", "2,90", "Zürich – Málaga"])


def test_rows_are_counted_as_a_spreadsheet_does(cast):
    upload(cast, 'a;b\n\n1;"two\nlines"\n3;4\n')
    assert list(InvoiceRow.objects.order_by("row").values_list("row", "raw")) == [
        (3, ["1", "two\nlines"]),
        (4, ["3", "4"]),
    ]


def test_the_same_file_is_taken_once(cast):
    first = upload(cast, AGREES)
    with pytest.raises(AlreadyUploaded, match="uploaded already by finance, as INV-7") as problem:
        upload(cast, AGREES, reference="Another")
    assert problem.value.first == first
    assert Invoice.objects.count() == 1
