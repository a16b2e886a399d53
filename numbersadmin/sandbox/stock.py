"""The numbers of the imitated provider, the same for the same seed: documented, odd and ordinary ones."""

import json
import random
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

from .places import PLACES, PRICES, SHORT_CODE_FACTOR, Place
from .prices import literal, share

FOR_SALE, OWNED, NOT_SHOWN_YET = 0, 1, 2  # where a number stands
DEFAULT_SEED = 1
LONG = "VIRTUAL_LONG_NUMBER"
CAPABILITIES = ("SMS", "VOICE", "MMS", "WHATSAPP", "WHATSAPP_VOICE")
# what a purchase of the documented number answers with, where keys change on purchase
DOCUMENTED_KEYS = {"58B3840032C7774BAC840EEEA2C23A44": "6FED0BC540BFADD9B05ED7D89AAC22FA"}
# keys that break careless code: each must survive a round trip through path and body
ODD_KEYS = (
    "3B9D1EACAB7FBDRN%EE03592BFCD6BF", "100%", "%41", "%2F", "A%252FB", "A/B", "A?B=1", "A#B", "A B", "A+B", "A;B",
    'A"B', "A'B", "A<B>", "A&B=C", "A:B@C", "A\\B", "A,B", "A|B", "~A_B-C.D", "Ключ-1", "鍵", "ab", "AB", "available",
    "..A", "0", "K" * 255,
)  # fmt: skip


class NewNumber(NamedTuple):
    """One number about to be kept; prices are JSON text, None = the field is absent."""

    place: int
    number_key: str | None
    number: str
    country: str
    caps: str  # ",SMS,VOICE," for filtering
    shared: bool
    facts: str  # JSON members between key and price, without braces
    per_month: str | None
    setup: str | None
    currency: str | None  # JSON text
    initial: str | None  # stated first month: frozen for an owned number, fixed for one that is for sale
    status: str | None


def new_number(place: int, given: dict[str, Any], default_key: str) -> NewNumber:
    """A number from a JSON object like the provider's; missing fields get defaults, `omit` names absent ones."""
    fields = {key: value for key, value in given.items() if key not in ("omit", "price")}
    omit = set(given.get("omit", ()))
    price = {"pricePerMonth": "5", "setupPrice": "0", "currency": "EUR"}
    price |= given["price"] if isinstance(given.get("price"), dict) else {}
    price |= {name: fields.pop(name) for name in list(fields) if name in PRICE_FIELDS}
    if "price" in omit:
        omit |= PRICE_FIELDS
    texts = {name: literal(value) for name, value in price.items() if name not in omit}
    key = fields.pop("numberKey", default_key)
    status = fields.pop("reservationStatus", None)
    defaults = {"number": "", "country": "GB", "type": LONG, "capabilities": ["SMS"], "shared": False}
    facts = {name: value for name, value in (defaults | fields).items() if name not in omit}
    return NewNumber(
        place,
        None if "numberKey" in omit else str(key),
        str(facts.get("number") or ""),
        str(facts.get("country") or "").upper(),
        caps_text(facts.get("capabilities")),
        facts.get("shared") is True,
        dump(facts)[1:-1],
        texts.get("pricePerMonth"),
        texts.get("setupPrice"),
        json.dumps(price["currency"]) if "currency" in texts else None,
        texts.get("initialMonthPrice"),
        status,
    )


PRICE_FIELDS = {"pricePerMonth", "setupPrice", "initialMonthPrice", "currency"}


def dump(value: Any) -> str:
    """Compact JSON as the provider sends it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float)


def caps_text(capabilities: Any) -> str:
    """Capabilities as one text with a comma on both sides of each, so that one of them can be found."""
    known = capabilities if isinstance(capabilities, list) else []
    return "," + "".join(f"{name}," for name in known)


def make(owned: int, available: int, seed: int) -> Iterator[NewNumber]:
    """Exactly so many owned and available numbers; the special ones come first."""
    rng = random.Random(seed)
    taken = {str(number["number"]) for number in (*FOR_SALE_SPECIALS, *OWNED_SPECIALS)}
    yield from _some(OWNED, owned, OWNED_SPECIALS, rng, taken)
    yield from _some(FOR_SALE, available, FOR_SALE_SPECIALS, rng, taken)


def _some(
    place: int, wanted: int, specials: tuple[dict[str, Any], ...], rng: random.Random, taken: set[str]
) -> Iterator[NewNumber]:
    first = [new_number(place, given, new_key(rng)) for given in specials[:wanted]]
    yield from first
    yield from islice(_ordinary(place, rng, taken), wanted - len(first))


def _ordinary(place: int, rng: random.Random, taken: set[str]) -> Iterator[NewNumber]:
    """Endless ordinary numbers: one of each country first, then by weight."""
    spots = list(PLACES)
    weights = [spot.weight for spot in PLACES]
    while True:
        for spot in spots:
            number = _free(spot, rng, taken)
            if rng.random() < 0.012:
                yield _short_code(place, spot, rng)
            else:
                yield _long(place, spot, number, rng)
        spots = rng.choices(PLACES, weights, k=1000)


def _free(spot: Place, rng: random.Random, taken: set[str]) -> str:
    """An unused number of a country; ranges are so wide that a few tries always suffice."""
    while True:
        rest = int(rng.random() * 10**spot.digits)
        number = f"{spot.prefixes[int(rng.random() * len(spot.prefixes))]}{rest:0{spot.digits}d}"
        if number not in taken:
            taken.add(number)
            return number


CAPS_OF_LONG = (("SMS",),) * 10 + (("SMS", "VOICE"),) * 6 + (("VOICE",),) * 3 + (("MMS", "SMS", "VOICE"),)


def _long(place: int, spot: Place, number: str, rng: random.Random) -> NewNumber:
    caps = CAPS_OF_LONG[int(rng.random() * 20)]
    prices = PRICES[spot.currency]
    per_month, setup = ("0", "0") if rng.random() < 0.004 else prices[int(rng.random() * len(prices))]
    shared = rng.random() < 0.015
    return _row(place, new_key(rng), number, spot, LONG, caps, shared, (per_month, setup), rng)


def _short_code(place: int, spot: Place, rng: random.Random) -> NewNumber:
    """A short code; only 900 of them exist, so equal digits in several countries are common."""
    per_month, _ = PRICES[spot.currency][0]
    dear = str(Decimal(per_month) * SHORT_CODE_FACTOR)
    shared = rng.random() < 0.3
    number = str(60_100 + rng.randrange(900))
    return _row(place, new_key(rng), number, spot, "SHORT_CODE", ("SMS",), shared, (dear, dear), rng)


def _row(
    place: int,
    key: str,
    number: str,
    spot: Place,
    kind: str,
    caps: tuple[str, ...],
    shared: bool,
    prices: tuple[str, str],
    rng: random.Random,
) -> NewNumber:
    listed = '","'.join(caps)
    facts = (
        f'"number":"{number}","country":"{spot.country}","type":"{kind}","capabilities":["{listed}"],'
        f'"shared":{"true" if shared else "false"}'
    )
    initial = share(prices[0], 1 + int(rng.random() * 30), 30) if place == OWNED else None
    caps_of = f",{','.join(caps)},"
    currency = f'"{spot.currency}"'
    return NewNumber(
        place,
        key,
        number,
        spot.country,
        caps_of,
        shared,
        facts,
        prices[0],
        prices[1],
        currency,
        initial,
        None,
    )


def new_key(rng: random.Random) -> str:
    """A key of the usual look: 32 upper-case hexadecimal digits."""
    return f"{rng.getrandbits(128):032X}"


def _special(
    key: str, number: str, country: str, per_month: str, currency: str, **more: Any
) -> dict[str, Any]:
    price = {"pricePerMonth": per_month, "setupPrice": more.pop("setup", "0"), "currency": currency}
    return {"numberKey": key, "number": number, "country": country, "price": price, **more}


_UNKNOWN = {
    "type": "HOLOGRAM_NUMBER",
    "capabilities": ["SMS", "TELEPATHY"],
    "note": "kept for tests <b>of unknown fields</b>",
    "carrierGrade": {"tier": 3, "since": "2019-04-01"},
}
FOR_SALE_SPECIALS: tuple[dict[str, Any], ...] = (
    _special("78D8394AC3EG0460B4CF0E723FC31B49", "79029555551", "RU", "15", "EUR"),
    _special("3B9D1EACAB7FBDRN%EE03592BFCD6BE", "79029555525", "RU", "15", "EUR"),
    _special("58B3840032C7774BAC840EEEA2C23A44", "447860041117", "GB", "5", "EUR"),
    _special("C0A1B2D37A5E4F60915D22B7E8C93F01", "40371700050", "RO", "4", "EUR", capabilities=["SMS", "VOICE"]),
    _special("C0A1B2D37A5E4F60915D22B7E8C93F02", "40371700051", "RO", "4", "EUR", capabilities=["SMS", "VOICE"]),
    _special("C0A1B2D37A5E4F60915D22B7E8C93F03", "40371700054", "RO", "4", "EUR"),
    _special("5D0E6C1B7F2A4938A6B1D4E0937C2F15", "447860041200", "GB", "0", "GBP"),
    _special("E7B1942C60D84AF3B59E08C7D1A3F624", "60777", "GB", "120", "GBP", setup="500", type="SHORT_CODE"),
    _special("E7B1942C60D84AF3B59E08C7D1A3F625", "60777", "DE", "180", "EUR", setup="650", type="SHORT_CODE"),
    _special("9A37D0E5C2184B6FA0D3E7B95C4F1826", "447480000123", "GB", "2.25", "GBP", shared=True),
    _special("F4D21C8B0A6E4735B9C0D5E8A1B2C3D4", "817010000042", "JP", "1800", "JPY", setup="3000"),
    _special("0B6C8D9E1F2A4B3C8D7E6F5A4B3C2D1E", "96550000077", "KW", "6.005", "KWD", setup="3.125"),
    _special("D1C2B3A4958677685940312213243546", "447860041300", "GB", "7", "GBP", **_UNKNOWN),
    _special("1F0E2D3C4B5A69788796A5B4C3D2E1F0", "12025550143", "US", "1.15", "USD", setup="1", capabilities=["MMS", "SMS"]),
)  # fmt: skip
OWNED_SPECIALS: tuple[dict[str, Any], ...] = (
    _special("7C41D0E2F%2FA9B%3B55D0C1E8A4G77", "447860042001", "GB", "5", "EUR", initialMonthPrice="2.903226"),
    _special("AA10C2D3E4F5061728394A5B6C7D8E90", "60888", "GB", "120", "GBP", setup="500", type="SHORT_CODE"),
    _special("AA10C2D3E4F5061728394A5B6C7D8E91", "60888", "FR", "150", "EUR", setup="600", type="SHORT_CODE"),
    _special("AA10C2D3E4F5061728394A5B6C7D8E92", "447480000999", "GB", "2.25", "GBP", shared=True),
    _special("AA10C2D3E4F5061728394A5B6C7D8E93", "817010000043", "JP", "1800", "JPY", initialMonthPrice="1103.225807"),
    _special("AA10C2D3E4F5061728394A5B6C7D8E94", "96550000078", "KW", "6.005", "KWD", initialMonthPrice="3.2027"),
    _special("AA10C2D3E4F5061728394A5B6C7D8E95", "447860042300", "GB", "7", "GBP", **_UNKNOWN),
    _special("AA10C2D3E4F5061728394A5B6C7D8E96", "447860042400", "GB", "0", "GBP", initialMonthPrice="0"),
)  # fmt: skip
