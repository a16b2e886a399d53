"""What a number's facts were and are, in words, and what the difference costs."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from numbersadmin.formats import capability_label, money_text, type_name


def in_words(facts: Mapping[str, Any], currency: str) -> str:
    """Changed facts in words, in the currency that they had."""
    currency = facts.get("currency", currency)
    said = [_one(name, value, currency) for name, value in facts.items()]
    return " · ".join(each for each in said if each) or "unknown"


def in_words_both(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, str]:
    """The same of facts that were compared whole: only what differs, or the first when all is as it was."""
    names = [name for name in before if _plain(name, before[name]) != _plain(name, after.get(name))]
    names = names or list(before)[:1]
    return tuple(  # type: ignore[return-value]
        in_words({name: facts.get(name) for name in names}, facts.get("currency") or "")
        for facts in (before, after)
    )


def _plain(name: str, value: Any) -> Any:
    return amount_of(value) if name.endswith(("price", "per_month")) else value


def _one(name: str, value: Any, currency: str) -> str:
    if name == "price_per_month":
        return f"{money_text(amount_of(value), currency)} per month"
    if name == "setup_price":
        return f"{money_text(amount_of(value), currency)} set-up"
    if name == "currency":
        return str(value or "")
    if name == "capabilities":
        return ", ".join(capability_label(each) for each in str(value).split(",") if each) or "nothing"
    if name == "type":
        return type_name(str(value))
    if name == "shared":
        return "shared" if value else "not shared"
    return str(value)


def amount_of(value: Any) -> Decimal | None:
    """An amount as events keep it; None when it is not known."""
    try:
        return None if value is None else Decimal(str(value))
    except InvalidOperation:
        return None


def effect_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> Decimal | None:
    """What the month costs more; None when the price did not change, or its currency did."""
    if "currency" in before:
        return None
    old, new = amount_of(before.get("price_per_month")), amount_of(after.get("price_per_month"))
    return None if old is None or new is None else new - old
