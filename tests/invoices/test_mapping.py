"""What cells say: amounts exactly as they are written, and nothing guessed."""

from decimal import Decimal

import pytest

from numbersadmin.costs.selectors import Month
from numbersadmin.invoices.mapping import Mapping, read

OCTOBER = Month.parse("2026-10")


def told(cells, currency="EUR", **by):
    return read(cells, Mapping(**{"number": 0, "amount": 1} | by), currency=currency, month=OCTOBER)


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "amount"),
    [
        ("5", ".", "", "5"),
        ("-1.500000", ".", "", "-1.5"),
        ("+2.5", ".", "", "2.5"),
        ("1,234,567.89", ".", ",", "1234567.89"),
        ("1.234.567,89", ",", ".", "1234567.89"),
        ("1234,5", ",", ".", "1234.5"),
        ("12 345,67", ",", " ", "12345.67"),
        ("12\u00a0345,67", ",", " ", "12345.67"),
        ("12\u2019345.67", ".", "'", "12345.67"),
        ("\u22125.00", ".", "", "-5"),
        ("0.000001", ".", "", "0.000001"),
    ],
)
def test_amounts_are_read_exactly(text, decimal, thousands, amount):
    assert told(["447860041117", text], decimal=decimal, thousands=thousands).amount == Decimal(amount)


@pytest.mark.parametrize(
    ("text", "decimal", "thousands"),
    [
        ("1,5", ".", ""),
        ("1.5", ",", ""),
        ("1,5", ".", ","),  # not in threes
        ("1.23.4", ".", ""),
        ("12,34.5", ".", ","),
        ("€5", ".", ""),
        ("5 EUR", ".", ""),
        ("1e3", ".", ""),
        ("NaN", ".", ""),
        ("Infinity", ".", ""),
        ("٥", ".", ""),
        ("0.0000001", ".", ""),
        ("1000000000000", ".", ""),
        ("--5", ".", ""),
    ],
)
def test_what_is_no_amount_is_never_taken_for_one(text, decimal, thousands):
    row = told(["447860041117", text], decimal=decimal, thousands=thousands)
    assert (row.ignored, row.amount) == ("unreadable", None)
    assert row.reason


@pytest.mark.parametrize(
    ("cells", "ignored"),
    [
        (["", "5"], "no_number"),
        (["", "5", "Total"], "total"),
        (["Gesamt", "5"], "total"),
        (["", "oops", "Grand total"], "total"),
        (["Platform fee", "5"], "not_a_number"),
        (["447860041117", ""], "no_amount"),
        (["4.47860041117E+11", "5"], "unreadable"),
    ],
)
def test_rows_that_are_no_charges_say_why(cells, ignored):
    assert told(cells).ignored == ignored


@pytest.mark.parametrize(
    "text", ["+44 7860 041117", "00447860041117", "'+447860041117", '="447860041117"', "447860041117.0"]
)
def test_numbers_are_read_in_any_notation(text):
    assert told([text, "5"]).number == "447860041117"


def test_a_row_in_another_currency_is_ignored_and_one_without_cannot_be_read():
    by = Mapping(number=0, amount=1, currency=2)
    found = [
        read(["447860041117", "5", code], by, currency=only, month=OCTOBER)
        for code, only in (("usd", ""), ("USD", "EUR"), ("eur", "EUR"), ("", "EUR"), ("€", ""))
    ]
    assert [(row.currency, row.ignored) for row in found] == [
        ("USD", ""),
        ("USD", "other_currency"),
        ("EUR", ""),
        ("EUR", "unreadable"),
        ("", "unreadable"),
    ]


@pytest.mark.parametrize(
    ("day", "order", "ignored"),
    [
        ("01.10.2026", "dmy", ""),
        ("10/01/2026", "mdy", ""),
        ("10/01/2026", "dmy", "other_month"),
        ("2026-10-31T23:00:00Z", "ymd", ""),
        ("2026-11-01", "ymd", "other_month"),
        ("31.02.2026", "dmy", "unreadable"),
        ("October", "dmy", "unreadable"),
        ("", "dmy", ""),
    ],
)
def test_dates_are_read_in_the_order_that_was_chosen(day, order, ignored):
    assert told(["447860041117", "5", day], date=2, order=order).ignored == ignored


def test_kinds_are_told_by_words():
    kinds = [
        told(["447860041117", "5", kind], kind=2).kind for kind in ("SETUP fee", "Rental", "", "One-time")
    ]
    assert kinds == ["setup", "monthly", "monthly", "setup"]
