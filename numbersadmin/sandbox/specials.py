"""The numbers that every stock begins with: the documented ones, and one of each oddity."""

from typing import Any

# what a purchase of the documented number answers with, where keys change on purchase
DOCUMENTED_KEYS = {"58B3840032C7774BAC840EEEA2C23A44": "6FED0BC540BFADD9B05ED7D89AAC22FA"}
# keys that break careless code; all but the two that are dots must survive a round trip through path and body
ODD_KEYS = (
    "3B9D1EACAB7FBDRN%EE03592BFCD6BF", "100%", "%41", "%2F", "A%252FB", "A/B", "A?B=1", "A#B", "A B", "A+B", "A;B",
    'A"B', "A'B", "A<B>", "A&B=C", "A:B@C", "A\\B", "A,B", "A|B", "~A_B-C.D", "Ключ-1", "鍵", "ab", "AB",
    "available", ".", "..", "K" * 255,
)  # fmt: skip


def _long(
    key: str,
    number: str,
    country: str,
    price: tuple[str, str],
    currency: str,
    *capabilities: str,
    **more: Any,
) -> dict[str, Any]:
    per_month, setup = price
    prices = {"pricePerMonth": per_month, "setupPrice": setup, "currency": currency}
    more = {"capabilities": list(capabilities or ("SMS",)), **more}
    return {"numberKey": key, "number": number, "country": country, **prices, **more}


def _short(key: str, number: str, country: str, price: tuple[str, str], currency: str) -> dict[str, Any]:
    return _long(key, number, country, price, currency, type="SHORT_CODE")


def _unknown(key: str, number: str) -> dict[str, Any]:
    """A number with a type, a capability and fields that nobody has documented."""
    extra = {"note": "kept <b>as it is</b>", "carrierGrade": {"tier": 3, "since": "2019-04-01"}}
    return _long(key, number, "GB", ("7", "0"), "GBP", "SMS", "TELEPATHY", type="HOLOGRAM_NUMBER", **extra)


FOR_SALE_SPECIALS = (
    _long("78D8394AC3EG0460B4CF0E723FC31B49", "79029555551", "RU", ("15", "0"), "EUR"),
    _long("3B9D1EACAB7FBDRN%EE03592BFCD6BE", "79029555525", "RU", ("15", "0"), "EUR"),
    _long("58B3840032C7774BAC840EEEA2C23A44", "447860041117", "GB", ("5", "0"), "EUR"),
    _long("C0A1B2D37A5E4F60915D22B7E8C93F01", "40371700050", "RO", ("4", "0"), "EUR", "SMS", "VOICE"),
    _long("C0A1B2D37A5E4F60915D22B7E8C93F02", "40371700051", "RO", ("4", "0"), "EUR", "SMS", "VOICE"),
    _long("C0A1B2D37A5E4F60915D22B7E8C93F03", "40371700054", "RO", ("4", "0"), "EUR"),
    _long("5D0E6C1B7F2A4938A6B1D4E0937C2F15", "447860041200", "GB", ("0", "0"), "GBP"),
    _short("E7B1942C60D84AF3B59E08C7D1A3F624", "60777", "GB", ("120", "500"), "GBP"),
    _short("E7B1942C60D84AF3B59E08C7D1A3F625", "60777", "DE", ("180", "650"), "EUR"),
    _long("9A37D0E5C2184B6FA0D3E7B95C4F1826", "447480000123", "GB", ("2.25", "0"), "GBP", shared=True),
    _long("F4D21C8B0A6E4735B9C0D5E8A1B2C3D4", "817010000042", "JP", ("1800", "3000"), "JPY"),
    _long("0B6C8D9E1F2A4B3C8D7E6F5A4B3C2D1E", "96550000077", "KW", ("6.005", "3.125"), "KWD"),
    _unknown("D1C2B3A4958677685940312213243546", "447860041300"),
    _long("1F0E2D3C4B5A69788796A5B4C3D2E1F0", "12025550143", "US", ("1.15", "1"), "USD", "MMS", "SMS"),
)
OWNED_SPECIALS = (
    _long(
        "7C41D0E2F%2FA9B%3B55D0C1E8A4G77",
        "447860042001",
        "GB",
        ("5", "0"),
        "EUR",
        initialMonthPrice="2.903226",
    ),
    _short("AA10C2D3E4F5061728394A5B6C7D8E90", "60888", "GB", ("120", "500"), "GBP"),
    _short("AA10C2D3E4F5061728394A5B6C7D8E91", "60888", "FR", ("150", "600"), "EUR"),
    _long("AA10C2D3E4F5061728394A5B6C7D8E92", "447480000999", "GB", ("2.25", "0"), "GBP", shared=True),
    _long("AA10C2D3E4F5061728394A5B6C7D8E93", "817010000043", "JP", ("1800", "0"), "JPY"),
    _long("AA10C2D3E4F5061728394A5B6C7D8E94", "96550000078", "KW", ("6.005", "0"), "KWD"),
    _unknown("AA10C2D3E4F5061728394A5B6C7D8E95", "447860042300"),
    _long("AA10C2D3E4F5061728394A5B6C7D8E96", "447860042400", "GB", ("0", "0"), "GBP"),
)
