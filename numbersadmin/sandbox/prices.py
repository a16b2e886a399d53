"""Exact prices as the provider writes them: JSON literals kept as text, and the share of a first month."""

import calendar
import json
import re
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?\Z")
MICRO = 10**6
LONGEST = 40  # digits of a price beyond which nothing is computed from it


def literal(value: Any) -> str:
    """The JSON text of a price given as number or string; {"raw": "NaN"} gives that text unchecked."""
    if isinstance(value, dict) and set(value) == {"raw"}:
        return str(value["raw"])
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, str) and NUMBER.match(value):
        return value
    return json.dumps(value)


def first_month(per_month: str | None, day: date) -> str | None:
    """The price of the month that is left from `day` on, that day included; None where none can be computed.

    Rounded up at the sixth decimal, which is what the documented figures show: 15 * 19/31 = 9.193549.
    """
    days = calendar.monthrange(day.year, day.month)[1]
    return share(per_month, days - day.day + 1, days)


@lru_cache(maxsize=4096)
def share(per_month: str | None, left: int, days: int) -> str | None:
    """`left` of `days` of a monthly price as JSON text, rounded up at the sixth decimal."""
    if per_month is None or not NUMBER.match(per_month) or len(per_month) > LONGEST:
        return None
    price = Decimal(per_month)
    if abs(price.adjusted()) > LONGEST:
        return None
    top, bottom = price.as_integer_ratio()
    micro = -((-top * left * MICRO) // (bottom * days))
    sign, micro = ("-", -micro) if micro < 0 else ("", micro)
    whole, rest = divmod(micro, MICRO)
    return f"{sign}{whole}" + (f".{rest:06d}".rstrip("0") if rest else "")
