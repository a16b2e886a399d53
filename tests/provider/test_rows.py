"""Rows and prices are read exactly; what is not understood is kept, flagged, and never taken for 0."""

import json
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numbersadmin.provider.errors import BadAnswer, plain, provider_words
from numbersadmin.provider.schema import (
    InvalidRow,
    ProviderNumber,
    decode_page,
    decode_row,
    digits,
    same_number,
)

AT = datetime(2026, 10, 13, tzinfo=UTC)
ROW: dict[str, Any] = {
    "numberKey": "3B9D1EACAB7FBDRN%EE03592BFCD6BE",
    "number": "447860041117",
    "country": "GB",
    "type": "VIRTUAL_LONG_NUMBER",
    "capabilities": ["VOICE", "SMS", "SMS"],
    "shared": False,
    "price": {"pricePerMonth": 15, "setupPrice": 0, "currency": "EUR"},
}


def number(**changed: Any) -> ProviderNumber:
    decoded = decode_row(json.dumps(ROW | changed).encode())
    assert isinstance(decoded, ProviderNumber), decoded
    return decoded


def priced(text: str, name: str = "pricePerMonth") -> ProviderNumber:
    """The row with this very text as one of its prices."""
    price = {"pricePerMonth": 1, "setupPrice": 1, "initialMonthPrice": 1, "currency": "EUR"}
    raw = json.dumps(ROW | {"price": price | {name: "@"}}).replace('"@"', text)
    decoded = decode_row(raw.encode())
    assert isinstance(decoded, ProviderNumber), decoded
    return decoded


def page(*rows: str, count: str = "2") -> bytes:
    return f'{{"numbers": [{", ".join(rows)}], "numberCount": {count}}}'.encode()


def test_a_row_is_read_whole() -> None:
    read = number(extra={"any": [1, 2.5]}, editPermissions={"canEditNumber": False}, keywords=["stop", 5])
    assert read.number_key == "3B9D1EACAB7FBDRN%EE03592BFCD6BE"
    assert (read.number, read.country, read.type) == ("447860041117", "GB", "VIRTUAL_LONG_NUMBER")
    assert read.capabilities == ("SMS", "VOICE")
    assert read.price.per_month == 15
    assert read.price.setup == 0
    assert read.price.initial_month is None
    assert read.price.problem == ""
    assert (read.can_edit, read.keywords) == (False, ("stop",))
    assert json.loads(json.dumps(read.raw))["extra"] == {"any": [1, "2.5"]}


@given(st.decimals(0, 10**9, places=6))
def test_every_price_of_up_to_six_places_is_exact(amount: Decimal) -> None:
    assert priced(str(amount)).price.per_month == amount
    assert priced(f"{amount.normalize():E}").price.per_month == amount


@given(st.decimals(0, 10**6, places=9))
def test_more_places_are_rounded_half_up_and_said(amount: Decimal) -> None:
    price = priced(str(amount)).price
    assert price.per_month == amount.quantize(Decimal("0.000001"), ROUND_HALF_UP)
    assert bool(price.problem) == (price.per_month != amount)


@pytest.mark.parametrize(
    ("text", "kept"),
    [("0.0000005", "0.000001"), ("9.1935485", "9.193549"), ("1.00000049", "1"), ("1.50", "1.5")],
)
def test_a_half_is_rounded_up(text: str, kept: str) -> None:
    assert priced(text).price.per_month == Decimal(kept)


@pytest.mark.parametrize("name", ["pricePerMonth", "setupPrice", "initialMonthPrice"])
@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "-1",
        "-0.000001",
        "1e400",
        "1e99999999999999999999",
        "1" * 30,
        '"15"',
        '"15,00"',
        "true",
        "[]",
        "{}",
    ],
)
def test_a_price_that_is_no_amount_is_unknown_and_the_number_stays(name: str, text: str) -> None:
    price = priced(text, name).price
    value = {
        "pricePerMonth": price.per_month,
        "setupPrice": price.setup,
        "initialMonthPrice": price.initial_month,
    }
    assert value.pop(name) is None
    assert list(value.values()) == [1, 1]
    assert price.problem.startswith(name)


def test_missing_prices_are_unknown_and_only_the_first_month_may_miss() -> None:
    assert priced("null").price.problem == "pricePerMonth is missing"
    assert priced("null", "setupPrice").price.problem == "setupPrice is missing"
    assert priced("null", "initialMonthPrice").price.problem == ""
    assert number(price=None).price.problem == "no price was given"
    assert number(price=[]).price.per_month is None


@pytest.mark.parametrize("currency", [None, "", "EURO", "E1R", 978, "€"])
def test_a_price_without_a_currency_is_unknown_as_a_whole(currency: object) -> None:
    price = number(price={"pricePerMonth": 5, "setupPrice": 1, "currency": currency}).price
    assert (price.per_month, price.setup, price.initial_month, price.currency) == (None, None, None, "")
    assert "currency" in price.problem


@pytest.mark.parametrize(
    ("said", "meant"), [("eur", "EUR"), ("XXX", "XXX"), (" KWD ", "KWD"), ("JPY", "JPY")]
)
def test_unknown_currencies_are_kept_apart(said: str, meant: str) -> None:
    assert number(price={"pricePerMonth": 5, "setupPrice": 1, "currency": said}).price.currency == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (None, ()),
        ([], ()),
        ("SMS", ("SMS",)),
        ("SMS,VOICE", ("SMS", "VOICE")),
        (["sms", "FAX"], ("FAX", "SMS")),
    ],
)
def test_capabilities_are_an_open_vocabulary(said: object, meant: tuple[str, ...]) -> None:
    assert number(capabilities=said).capabilities == meant


def test_unknown_words_are_kept() -> None:
    read = number(type="HOLOGRAM", country="zz", reservationStatus="pending", shared=None)
    assert (read.type, read.country, read.reservation_status, read.shared) == (
        "HOLOGRAM",
        "ZZ",
        "PENDING",
        False,
    )
    bare = decode_row(b'{"numberKey":"K","number":"447"}')
    assert isinstance(bare, ProviderNumber)
    assert (bare.country, bare.type, bare.capabilities, bare.can_edit) == ("", "", (), None)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("+447860041117", "447860041117"),
        (" 44 7860-041 117 ", "447860041117"),
        ("0044", "0044"),
        (447860041117, "447860041117"),
        ("my page", "my page"),
        ("@shop", "@shop"),
        ("٤٤", "٤٤"),
    ],
)
def test_phone_numbers_are_digits_and_others_stay_as_they_are(given: object, kept: str) -> None:
    assert number(number=given).number == kept


def test_numbers_are_matched_whatever_their_writing() -> None:
    assert digits("+44 7860 041117") == digits("0044 7860 041117") == "447860041117"
    assert same_number("+447860041117", "447860041117")
    assert not same_number("447860041117", "447860041118")


@pytest.mark.parametrize(
    ("row", "key"),
    [
        (b"null", ""),
        (b"5", ""),
        (b'["numberKey"]', ""),
        (b'{"number":"447"}', ""),
        (b'{"numberKey":"","number":"447"}', ""),
        (b'{"numberKey":7,"number":"447"}', ""),
        (b'{"numberKey":"' + b"K" * 256 + b'","number":"447"}', ""),
        (b'{"numberKey":"a\\u0000b","number":"447"}', ""),
        (b'{"numberKey":"K"}', "K"),
        (b'{"numberKey":"K","number":" "}', "K"),
        (b'{"numberKey":"K","number":true}', "K"),
        (b'{"numberKey":"K","number":"447","type":5}', "K"),
        (b'{"numberKey":"K","number":"447","country":"' + b"x" * 11 + b'"}', "K"),
        (b'{"numberKey":"K","number":"447","capabilities":["' + b"x" * 201 + b'"]}', "K"),
        (b'{"numberKey":"K","number":"447","capabilities":[{}]}', "K"),
        (b'{"numberKey":"K"', ""),
    ],
)
def test_a_row_that_cannot_be_understood_says_so(row: bytes, key: str) -> None:
    decoded = decode_row(row)
    assert isinstance(decoded, InvalidRow)
    assert decoded.number_key == key
    assert decoded.problem
    assert decoded.raw_text == plain(row.decode())


def test_one_bad_row_does_not_lose_the_page() -> None:
    good, nan = json.dumps(ROW), json.dumps(ROW | {"numberKey": "N"}).replace("15", "NaN")
    surrogate = json.dumps(ROW | {"numberKey": "S", "number": "\ud800"})
    read = decode_page(
        page(good, "null", nan, surrogate, json.dumps(ROW | {"numberKey": "E", "x": "😀"})), AT
    )
    assert [each.number_key for each in read.numbers] == [ROW["numberKey"], "N", "S", "E"]
    assert len(read.invalid) == 1
    assert read.numbers[1].price.per_month is None
    assert "NaN" in read.numbers[1].price.problem
    assert read.numbers[2].number == "\ufffd"
    assert read.numbers[3].raw["x"] == "😀"


def test_broken_utf8_and_nul_are_readable_and_storable() -> None:
    broken = page(json.dumps(ROW | {"note": "@"})).replace(b"@", b"\xff")
    assert decode_page(broken, AT).numbers[0].raw["note"] == "\ufffd"
    assert number(note="a\x00b").raw["note"] == "a\ufffdb"


def test_words_that_look_like_constants_stay_words() -> None:
    row = json.dumps(ROW | {"note": 'NaN "Infinity" \\'}).replace("15", "NaN")
    assert decode_page(page(row), AT).numbers[0].raw["note"] == 'NaN "Infinity" \\'


@pytest.mark.parametrize(
    ("count", "read"),
    [
        ("2", 2),
        ("0", 0),
        ('"2"', None),
        ("-1", None),
        ("2.5", None),
        ("null", None),
        ("1" * 19, None),
        ("{}", None),
    ],
)
def test_a_count_that_is_no_count_is_unknown(count: str, read: int | None) -> None:
    assert decode_page(page(json.dumps(ROW), count=count), AT).count == read
    assert decode_page(b'{"numbers":[]}', AT).count is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"numbers":null}',
        b'{"numbers":[',
        b"<html>",
        b"\xff\xfe",
        b'{"numbers":' + b"[" * 9000,
    ],
)
def test_an_answer_that_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        decode_page(body, AT)


def test_equal_bytes_have_equal_digests() -> None:
    first = decode_page(page(json.dumps(ROW), json.dumps(ROW | {"shared": True})), AT)
    again = decode_page(page(json.dumps(ROW)), AT)
    assert first.rows[0].digest == again.rows[0].digest != first.rows[1].digest
    assert all(-(2**63) <= row.digest < 2**63 for row in first.rows)
    assert {type(row.raw) for row in first.rows} == {bytes}


def test_both_error_envelopes_are_read() -> None:
    service = {
        "messageId": "BAD_REQUEST",
        "text": "Bad request",
        "validationErrors": {"numberKey": ["not found"]},
    }
    old = provider_words(json.dumps({"requestError": {"serviceException": service}}).encode())
    assert old
    assert (old.code, old.shown) == ("BAD_REQUEST", "BAD_REQUEST: Bad request (numberKey: not found)")
    violations = [{"property": "page", "violation": "below 0"}]
    new = provider_words(
        json.dumps({"errorCode": "E400", "description": "No.", "violations": violations}).encode()
    )
    assert new
    assert new.shown == "E400: No. (page: below 0)"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"5", b'{"error":"x"}', b'{"requestError":5}', b"[" * 9000, b"\xff"]
)
def test_other_bodies_are_no_error_of_the_api(body: bytes) -> None:
    assert provider_words(body) is None


@pytest.mark.parametrize("inner", [None, 5, {"text": 5, "validationErrors": []}, {"messageId": {}}])
def test_odd_envelopes_say_nothing_but_are_the_apis(inner: object) -> None:
    words = provider_words(json.dumps({"requestError": {"serviceException": inner}}).encode())
    assert words is not None
    assert words.shown == ""


def test_text_of_others_is_one_short_printable_line() -> None:
    assert plain("a\r\n\x1b[31mb\u202ec\x00") == "a [31mb c"
    assert len(plain("x" * 500)) == 200
