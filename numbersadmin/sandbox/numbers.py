"""One number as it is kept, and how JSON objects like the provider's become one or change one."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from numbersadmin.sandbox.prices import NUMBER, literal

FOR_SALE, OWNED, NOT_SHOWN_YET = 0, 1, 2  # where a number stands
LONG = "VIRTUAL_LONG_NUMBER"
PRICE_COLUMNS = {
    "pricePerMonth": "per_month",
    "setupPrice": "setup",
    "initialMonthPrice": "initial",
    "currency": "currency",
}


class NewNumber(NamedTuple):
    """One number about to be kept; prices and currency are JSON text, None = the field is absent."""

    place: int
    number_key: str | None
    number: str
    country: str
    caps: str  # ",SMS,VOICE," for filtering
    shared: bool
    facts: str  # JSON members between key and price, without braces
    per_month: str | None
    setup: str | None
    currency: str | None
    initial: (
        str | None
    )  # the first month as stated: of an owned number, or of one for sale that breaks the rule
    status: str | None  # reservationStatus


def new_number(place: int, given: Mapping[str, Any], default_key: str, default_number: str = "") -> NewNumber:
    """A number from an object like the provider's. Missing fields get defaults; `omit` lists absent ones.

    Raises ValueError when nothing but a key and prices would be left of it.
    """
    omit = set(given.get("omit", ()))
    fields = {
        name: value for name, value in given.items() if name not in ("omit", "numberKey", "reservationStatus")
    }
    defaults = {
        "number": default_number,
        "country": "GB",
        "type": LONG,
        "capabilities": ["SMS"],
        "shared": False,
    }
    prices: dict[str, Any] = {"pricePerMonth": "5", "setupPrice": "0", "currency": "EUR"}
    stated, texts = _split(defaults | fields, prices)
    if place == OWNED and NUMBER.match(texts.get("pricePerMonth", "")):
        texts.setdefault("initialMonthPrice", texts["pricePerMonth"])
    columns = {
        column: texts.get(name) for name, column in PRICE_COLUMNS.items() if not omit & {name, "price"}
    }
    key = str(given.get("numberKey", default_key))
    return NewNumber(
        place=place,
        number_key=None if "numberKey" in omit else key,
        per_month=columns.get("per_month"),
        setup=columns.get("setup"),
        currency=columns.get("currency"),
        initial=columns.get("initial"),
        status=given.get("reservationStatus"),
        **_facts({name: value for name, value in stated.items() if name not in omit}),
    )


def changed_columns(facts: str, wanted: Mapping[str, Any], omit: set[str]) -> dict[str, Any]:
    """The columns that give a kept number these fields; `omit` names fields that vanish."""
    stated, texts = _split(json.loads("{" + facts + "}") | dict(wanted), {})
    columns: dict[str, Any] = {PRICE_COLUMNS[name]: text for name, text in texts.items()}
    columns |= {
        column: None for name, column in PRICE_COLUMNS.items() if omit & {name, "price"} or "price" in stated
    }
    if "numberKey" in stated:
        columns["number_key"] = str(stated.pop("numberKey"))
    if "numberKey" in omit:
        columns["number_key"] = None
    if "reservationStatus" in stated:
        columns["status"] = stated.pop("reservationStatus")
    return columns | _facts({name: value for name, value in stated.items() if name not in omit})


def _split(fields: dict[str, Any], prices: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Facts, and prices as JSON text. Prices may stand in `price` or beside it; an odd `price` is a fact."""
    facts = {name: value for name, value in fields.items() if name not in PRICE_COLUMNS and name != "price"}
    flat = {name: value for name, value in fields.items() if name in PRICE_COLUMNS}
    price = fields.get("price", {})
    if not isinstance(price, dict):
        return facts | {"price": price}, {}
    return facts, {name: _text(name, value) for name, value in {**prices, **price, **flat}.items()}


def _text(name: str, value: Any) -> str:
    if name not in PRICE_COLUMNS:
        raise ValueError(f"{name} is no part of a price; known are {', '.join(PRICE_COLUMNS)}")
    return json.dumps(value) if name == "currency" else literal(value)


def _facts(facts: dict[str, Any]) -> dict[str, Any]:
    """The columns that hold what is told of a number beside its key and its price."""
    if not facts:
        raise ValueError("leave some field of the number beside its key and price")
    capabilities = facts.get("capabilities")
    return {
        "number": str(facts.get("number") or ""),
        "country": str(facts.get("country") or "").upper(),
        "caps": caps_text(capabilities if isinstance(capabilities, list) else ()),
        "shared": facts.get("shared") is True,
        "facts": dump(facts)[1:-1],
    }


def caps_text(capabilities: list[str] | tuple[str, ...]) -> str:
    """Capabilities as one text with a comma on both sides of each, so that one of them can be found."""
    return "," + "".join(f"{name}," for name in capabilities)


def dump(value: Any) -> str:
    """Compact JSON as the provider sends it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float)
