"""Owned numbers made as a sync makes them, for the tests of their pages."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from numbersadmin.numbers import services
from numbersadmin.numbers.models import AcquiredBasis, OwnedNumber
from numbersadmin.provider.schema import Price, ProviderNumber


def facts_of(number: str, **changes: Any) -> ProviderNumber:
    """What the provider says of a number, as it would say it of the one in the API's own example."""
    price = {"per_month": "5", "setup": "0", "initial": "2.903226", "currency": "EUR"}
    price |= {name: changes.pop(name) for name in list(changes) if name in price}
    known = {
        "number_key": f"KEY-{number}",
        "number": number,
        "country": "GB",
        "type": "VIRTUAL_LONG_NUMBER",
        "capabilities": ("SMS",),
        "shared": False,
        "reservation_status": "",
        "can_edit": None,
        "keywords": (),
        "raw": {},
    }
    amounts = [
        None if price[name] is None else Decimal(price[name]) for name in ("per_month", "setup", "initial")
    ]
    return ProviderNumber(**known | changes, price=Price(*amounts, price["currency"], ""))


@pytest.fixture
def facts() -> Callable[..., ProviderNumber]:
    """What the provider says of a number: `facts("447860041117", per_month="6.5")`."""
    return facts_of


@pytest.fixture
def own_many(db: None, now: datetime) -> Callable[..., list[OwnedNumber]]:
    """Make many numbers ours at once, each a dict of what differs: `own_many([{"number": "4930"}])`."""

    def make(differing: list[dict[str, Any]]) -> list[OwnedNumber]:
        openings = [
            services.Opening(
                facts=facts_of(**one), acquired_to=now, basis=AcquiredBasis.UNKNOWN, verb="number.appeared"
            )
            for one in differing
        ]
        return services.open_numbers(openings=openings, actor=None, now=now, source="sync", source_id=None)

    return make


@pytest.fixture
def own(db: None, now: datetime) -> Callable[..., OwnedNumber]:
    """Make a number ours: `own("447860041117", country="GB", per_month="5", owner=..., cost_centre=...)`."""

    def make(number: str, **changes: Any) -> OwnedNumber:
        opening = {"acquired_to": now, "acquired_at": now, "basis": AcquiredBasis.PURCHASED_HERE}
        opening |= {"verb": "number.purchased", "owner": None, "cost_centre": ""}
        opening |= {name: changes.pop(name) for name in list(changes) if name in {*opening, "acquired_from"}}
        labels = changes.pop("labels", None)
        [made] = services.open_numbers(
            openings=[services.Opening(facts=facts_of(number, **changes), **opening)],
            actor=None,
            now=now,
            source="sync",
            source_id=None,
        )
        if labels is not None:
            made.labels = labels
            made.save()
        return made

    return make
