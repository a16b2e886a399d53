"""The provider's offer for one number, its fingerprint, and what a set of offers costs."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from numbersadmin.money import Totals, days_in_month, prorate, to_micro
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.provider.schema import ProviderNumber

COUNTRY = re.compile(r"[A-Za-z0-9]{0,10}")
LONGEST_NUMBER = 64
PRICES = ("price_per_month", "setup_price", "initial_month_price")


@dataclass(frozen=True, slots=True, order=True)
class Offer:
    """A number for sale as people and links name it; the same digits may exist in two countries."""

    country: str
    number: str

    @property
    def ref(self) -> str:
        """`RU-79029555551`: the value of a checkbox and of a link's `offer`."""
        return f"{self.country}-{self.number}"

    @classmethod
    def parse(cls, ref: str) -> "Offer":
        """The offer of a reference. Raises ValueError when it is none."""
        country, dash, number = ref.strip().partition("-")
        if not dash or not COUNTRY.fullmatch(country) or not number.isprintable():
            raise ValueError(f"'{ref[:80]}' does not name a number")
        if not 0 < len(number := number.strip()) <= LONGEST_NUMBER:
            raise ValueError(f"'{ref[:80]}' does not name a number")
        return cls(country.upper(), number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What the provider asked for a number at one moment. Prices are None when it did not tell them."""

    number: str
    number_key: str
    country: str
    type: str
    capabilities: tuple[str, ...]
    shared: bool
    currency: str
    price_per_month: Decimal | None
    setup_price: Decimal | None
    initial_month_price: Decimal | None
    read_at: datetime
    problem: str = ""  # why the price was not understood

    @classmethod
    def of_provider(cls, facts: ProviderNumber, now: datetime) -> "Quote":
        """The offer as read at this moment."""
        return cls(
            number=facts.number,
            number_key=facts.number_key,
            country=facts.country,
            type=facts.type,
            capabilities=facts.capabilities,
            shared=facts.shared,
            currency=facts.price.currency,
            price_per_month=facts.price.per_month,
            setup_price=facts.price.setup,
            initial_month_price=facts.price.initial_month,
            read_at=now,
            problem=facts.price.problem,
        )

    @classmethod
    def of_owned(cls, owned: OwnedNumber, now: datetime) -> "Quote":
        """What an owned number costs, for an order that cancels it."""
        return cls(
            number=owned.number,
            number_key=owned.number_key,
            country=owned.country,
            type=owned.type,
            capabilities=tuple(owned.capability_list),
            shared=owned.shared,
            currency=owned.currency,
            price_per_month=owned.price_per_month,
            setup_price=owned.setup_price,
            initial_month_price=owned.initial_month_price,
            read_at=now,
        )

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Quote":
        """A stored quote as it was."""
        known = {name: stored[name] for name in (field.name for field in fields(cls)) if name in stored}
        known |= {name: None if stored[name] is None else Decimal(stored[name]) for name in PRICES}
        known["capabilities"] = tuple(stored["capabilities"])
        known["read_at"] = datetime.fromisoformat(stored["read_at"])
        return cls(**known)

    def to_json(self) -> dict[str, Any]:
        """The quote as it is stored: amounts as exact text, the moment in ISO form."""
        stored: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        stored |= {
            name: None if stored[name] is None else format(stored[name].normalize(), "f") for name in PRICES
        }
        return stored | {"capabilities": list(self.capabilities), "read_at": self.read_at.isoformat()}

    @property
    def offer(self) -> Offer:
        """The number it is about."""
        return Offer(self.country, self.number)

    @property
    def ref(self) -> str:
        """The reference of its number."""
        return self.offer.ref

    @property
    def fingerprint(self) -> str:
        """What is approved. The first month's price is outside: it falls by itself from day to day."""
        return _sha256(
            [
                self.number,
                self.country,
                self.type,
                sorted(self.capabilities),
                self.shared,
                self.currency,
                None if self.price_per_month is None else to_micro(self.price_per_month),
                None if self.setup_price is None else to_micro(self.setup_price),
            ]
        )

    @property
    def buyable(self) -> bool:
        """Was the price understood? What is not is not bought."""
        known = self.currency and self.price_per_month is not None and self.setup_price is not None
        return bool(known) and (self.initial_month_price is not None or not self.problem)

    @property
    def due_now(self) -> Decimal | None:
        """Set-up and this month together; None when one of them is unknown."""
        if self.setup_price is None or self.initial_month_price is None:
            return None
        return self.setup_price + self.initial_month_price

    @property
    def month_share(self) -> tuple[int, int] | None:
        """(days charged, days of the month) when the first month's price is exactly such a share."""
        price, initial = self.price_per_month, self.initial_month_price
        if not price or initial is None:
            return None
        of_days = days_in_month(self.read_at.date())
        for days in range(1, of_days + 1):
            if prorate(price, days, of_days) == initial:
                return days, of_days
        return None


def no_worse(shown: Quote, now: Quote) -> bool:
    """May what was agreed to at one quote be bought at another? The same, or cheaper with nothing less.

    Another currency, type or sharing, a missing capability, or either price above what was shown: no.
    The first month's price is not compared: it falls by itself from day to day.
    """
    if shown.fingerprint == now.fingerprint:
        return True
    same = (shown.offer, shown.type, shown.shared, shown.currency)
    if same != (now.offer, now.type, now.shared, now.currency) or not now.buyable:
        return False
    return set(shown.capabilities) <= set(now.capabilities) and (
        _at_most(now.price_per_month, shown.price_per_month) and _at_most(now.setup_price, shown.setup_price)
    )


def _at_most(now: Decimal | None, shown: Decimal | None) -> bool:
    return now is not None and shown is not None and to_micro(now) <= to_micro(shown)


@dataclass(frozen=True, slots=True)
class Costs:
    """What quotes cost together, per currency. `unknown` of them have a price that is not known in full."""

    setup: Totals
    this_month: Totals
    due_now: Totals
    per_month: Totals
    year: Totals
    unknown: int
    share: tuple[int, int] | None  # days of the month, when it is the same for all

    @property
    def currencies(self) -> list[str]:
        """The currencies it comes to, in order."""
        return sorted({*self.per_month, *self.due_now})


def costs_of(quotes: Iterable[Quote]) -> Costs:
    """Add quotes up: due now (set-up and this month), per month, and over twelve months."""
    quotes = list(quotes)
    shares = {quote.month_share for quote in quotes if quote.price_per_month}
    setup = Totals.of((quote.currency, quote.setup_price) for quote in quotes if quote.currency)
    month = Totals.of((quote.currency, quote.initial_month_price) for quote in quotes if quote.currency)
    monthly = Totals.of((quote.currency, quote.price_per_month) for quote in quotes if quote.currency)
    return Costs(
        setup=setup,
        this_month=month,
        due_now=setup + month,
        per_month=monthly,
        year=monthly.times(12),
        unknown=sum(not quote.buyable or quote.due_now is None for quote in quotes),
        share=shares.pop() if len(shares) == 1 else None,
    )


def fingerprint_of(fingerprints: Iterable[str]) -> str:
    """One fingerprint for several, whatever their order."""
    return _sha256(sorted(fingerprints))


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, separators=(",", ":")).encode()).hexdigest()
