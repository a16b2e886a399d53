"""What the provider's JSON means: numbers, prices and pages, row by row and exact."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from functools import cached_property, lru_cache
from hashlib import blake2b
from struct import unpack
from typing import Any

import msgspec

from numbersadmin.provider.errors import BadAnswer, plain

MICRO = Decimal("0.000001")
LARGEST = Decimal(9_000_000_000_000)  # what fits into a BIGINT of micro-units
# Nothing longer is kept: what is, fits into the columns.
LONGEST_KEY = LONGEST_NUMBER = 255
LONGEST_CAPABILITIES = 200
LONGEST = {"country": 10, "type": 60, "reservationStatus": 40}
CURRENCY = re.compile(r"[A-Z]{3}")
SPACING = re.compile(r"[\s+().\-]+")


class JsonDecimal(str):
    """A JSON number that had a point or an exponent, as its exact text."""

    __slots__ = ()


class Outcome(StrEnum):
    """What is known about a write after it was sent."""

    DONE = "done"
    NOT_DONE = "not_done"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Price:
    """Money as the provider said it. None = not told or not understood; never 0 for that.

    `problem` is empty when everything was understood, else one sentence why not. A price whose
    currency is unknown is unknown as a whole.
    """

    per_month: Decimal | None
    setup: Decimal | None
    initial_month: Decimal | None
    currency: str
    problem: str


@dataclass(frozen=True, slots=True)
class ProviderNumber:
    """One number as the provider describes it; unknown types, capabilities and fields are kept.

    `number` holds digits for anything that is a phone number, else the text as given. `raw` is the
    whole row, safe to store as JSON: numbers with a point are their exact text.
    """

    number_key: str
    number: str
    country: str
    type: str
    capabilities: tuple[str, ...]
    shared: bool
    price: Price
    reservation_status: str
    can_edit: bool | None
    keywords: tuple[str, ...]
    raw: dict[str, Any] = field(compare=False)


@dataclass(frozen=True, slots=True)
class InvalidRow:
    """A row that is there but cannot be understood; `number_key` is empty if even that is missing."""

    number_key: str
    problem: str
    raw_text: str


class Row(msgspec.Struct, frozen=True):
    """One row, undecoded. Equal digests (signed 64 bit) mean equal bytes, so unchanged rows cost nothing."""

    digest: int
    raw: bytes

    def decode(self) -> ProviderNumber | InvalidRow:
        """Decode this row alone; a row that cannot be understood never harms its neighbours."""
        return decode_row(self.raw)


@dataclass(frozen=True)
class Page:
    """One page of a list. `count` is the provider's total under the filter, None if it told none.

    `raws` are its rows as they came; nothing is made of a row before somebody looks at it.
    """

    raws: Sequence[bytes | msgspec.Raw]
    count: int | None
    asked_at: datetime

    @cached_property
    def digests(self) -> tuple[int, ...]:
        """The digest of each row."""
        joined = b"".join([blake2b(raw, digest_size=8).digest() for raw in self.raws])
        return unpack(f">{len(self.raws)}q", joined)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """All rows, undecoded."""
        return tuple(self.row(place) for place in range(len(self.raws)))

    def row(self, place: int) -> Row:
        """The row at a place, from 0."""
        return Row(self.digests[place], bytes(self.raws[place]))

    @cached_property
    def decoded(self) -> tuple[ProviderNumber | InvalidRow, ...]:
        """All rows in the order given."""
        return tuple(decode_row(bytes(raw)) for raw in self.raws)

    @property
    def numbers(self) -> tuple[ProviderNumber, ...]:
        """The rows that were understood."""
        return tuple(row for row in self.decoded if isinstance(row, ProviderNumber))

    @property
    def invalid(self) -> tuple[InvalidRow, ...]:
        """The rows that were not."""
        return tuple(row for row in self.decoded if isinstance(row, InvalidRow))


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of one POST or DELETE.

    `retry`: NOT_DONE, proved never to have acted, and the same call may be sent again later.
    `look_first`: the provider said no, but asked twice or overtaken it may say so of a number that is
    ours: look at the purchased list before believing it (400, 404, 409, 422).
    """

    outcome: Outcome
    number: ProviderNumber | None = None
    http_status: int | None = None
    error_kind: str = ""
    text: str = ""
    retry: bool = False
    retry_after: float | None = None
    credentials: bool = False

    @property
    def look_first(self) -> bool:
        """Whether a look at the purchased list has to come before any conclusion."""
        return self.http_status is not None and self.error_kind in ("refused", "not_found", "conflict")


class _Envelope(msgspec.Struct):
    numbers: list[msgspec.Raw]
    numberCount: msgspec.Raw = msgspec.Raw(b"")  # noqa: N815 - the provider's name


_envelopes = msgspec.json.Decoder(_Envelope)
_rows = msgspec.json.Decoder(float_hook=JsonDecimal)
_NOT_JSON = re.compile(r'("(?:[^"\\]|\\.)*+")|(-?\bInfinity\b|-?\bNaN\b)')
_PAIR = re.compile(
    r"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def decode_page(body: bytes, asked_at: datetime) -> Page:
    """Split a list answer into rows without decoding them. Raises BadAnswer if it is no list."""
    try:
        envelope = _envelopes.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        envelope = _mended_envelope(body)
    return Page(raws=envelope.numbers, count=_count(bytes(envelope.numberCount)), asked_at=asked_at)


def decode_row(raw: bytes) -> ProviderNumber | InvalidRow:
    """Decode the bytes of one row, or of an answer that is one number."""
    try:
        row = _decoded(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _invalid("", "the row is not JSON", raw)
    if b"\\u0000" in raw:  # PostgreSQL stores no NUL
        row = _without_nul(row)
    if not isinstance(row, dict):
        return _invalid("", "the row is not an object", raw)
    key = row.get("numberKey")
    if not isinstance(key, str) or not key or len(key) > LONGEST_KEY or "\ufffd" in key:
        return _invalid("", "the row has no usable numberKey", raw)
    try:
        return _number(key, row)
    except ValueError as problem:
        return _invalid(key, str(problem), raw)


def digits(text: str) -> str:
    """A number for matching only: without spaces, punctuation, `+` and leading `00`."""
    return SPACING.sub("", text).removeprefix("00")


def same_number(one: str, other: str) -> bool:
    """Whether two writings mean the same number."""
    return digits(one) == digits(other)


def mended(body: bytes) -> bytes:
    """The same JSON with NaN, Infinity, broken UTF-8 and lone surrogates made readable as text.

    One odd row then shows as such instead of taking the whole page with it.
    """
    text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
    text = _NOT_JSON.sub(lambda found: found[1] or f'"{found[2]}"', text)
    return _PAIR.sub(lambda found: found[1] or "\\ufffd", text).encode()


def _mended_envelope(body: bytes) -> _Envelope:
    try:
        return _envelopes.decode(mended(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer("the answer is not a list of numbers", http_status=200) from error


def _decoded(raw: bytes) -> Any:
    try:
        return _rows.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _rows.decode(mended(raw))


def _count(raw: bytes) -> int | None:
    return int(raw) if raw.isdigit() and len(raw) < 19 else None


def _invalid(key: str, problem: str, raw: bytes) -> InvalidRow:
    return InvalidRow(key, plain(problem), plain(raw[:400].decode("utf-8", errors="replace")))


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, list):
        return [_without_nul(each) for each in value]
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(each) for name, each in value.items()}
    return value


def _number(key: str, row: dict[str, Any]) -> ProviderNumber:
    edit = row.get("editPermissions")
    can_edit = edit.get("canEditNumber") if isinstance(edit, Mapping) else None
    return ProviderNumber(
        number_key=key,
        number=_phone(row.get("number")),
        country=_word(row, "country"),
        type=_word(row, "type"),
        capabilities=_capabilities(row.get("capabilities")),
        shared=row.get("shared") is True or row.get("shared") == "true",
        price=_price(row.get("price")),
        reservation_status=_word(row, "reservationStatus"),
        can_edit=can_edit if isinstance(can_edit, bool) else None,
        keywords=_words(row.get("keywords")),
        raw=row,
    )


def _phone(value: object) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text.strip():
        raise ValueError("the row has no number")
    if len(text) > LONGEST_NUMBER:
        raise ValueError("the number is too long to be one")
    bare = text if text.isdigit() else SPACING.sub("", text)
    return bare if bare.isascii() and bare.isdigit() else text.strip()


def _word(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{name} is not text")
    word = value.strip() if name == "type" else value.strip().upper()
    if len(word) > LONGEST[name]:
        raise ValueError(f"{name} is too long")
    return word


def _capabilities(value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(each, str) for each in listed):
        raise ValueError("capabilities is not a list of words")
    names = {name.strip().upper() for each in listed for name in each.split(",")}
    if len(",".join(names)) > LONGEST_CAPABILITIES:
        raise ValueError("capabilities is too long a list")
    return tuple(sorted(names - {""}))


def _words(value: object) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _price(value: object) -> Price:
    if not isinstance(value, Mapping):
        return Price(None, None, None, "", "no price was given")
    currency = value.get("currency")
    currency = currency.strip().upper() if isinstance(currency, str) else ""
    if not CURRENCY.fullmatch(currency):
        return Price(None, None, None, "", plain(f"the currency {value.get('currency')!r} is not one"))
    per_month, problem = _amount(value, "pricePerMonth", needed=True)
    setup, setup_problem = _amount(value, "setupPrice", needed=True)
    initial, initial_problem = _amount(value, "initialMonthPrice", needed=False)
    problems = "; ".join(each for each in (problem, setup_problem, initial_problem) if each)
    return Price(per_month, setup, initial, currency, plain(problems))


def _amount(price: Mapping[str, Any], name: str, *, needed: bool) -> tuple[Decimal | None, str]:
    """One amount and what is wrong with it. More than 6 places are rounded half up, and said."""
    given = price.get(name)
    if given is None:
        return None, f"{name} is missing" if needed else ""
    if isinstance(given, bool) or not isinstance(given, int | JsonDecimal):
        return None, f"{name} is {given!r}, not a number"
    return _exact(name, given)


@lru_cache(maxsize=1024)  # most numbers cost the same
def _exact(name: str, given: int | JsonDecimal) -> tuple[Decimal | None, str]:
    try:
        amount = Decimal(given)
    except ArithmeticError:
        return None, f"{name} is {given}, too large or too small"
    if amount < 0:
        return None, f"{name} is {given}, below zero"
    if amount > LARGEST:
        return None, f"{name} is {given}, too large"
    exact = amount.quantize(MICRO, ROUND_HALF_UP)
    if exact != amount:
        return exact, f"{name} is {given}, rounded to 6 places"
    return (amount if -6 <= int(amount.as_tuple().exponent) <= 0 else exact.normalize() + 0), ""
