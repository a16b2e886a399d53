"""Months of records, told through the services that sync and orders use."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from numbersadmin.numbers import services
from numbersadmin.numbers.models import AcquiredBasis, EndBasis, OwnedNumber
from numbersadmin.provider.schema import Price, ProviderNumber
from numbersadmin.sync.models import RunStatus, SyncRun


def at(text: str) -> datetime:
    """A moment in UTC: `2026-10-14 09:12`, or the day's midnight."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Story:
    """What happened, in the order it is told."""

    def listed(self, *moments: str) -> None:
        """The whole list was read at these moments."""
        for moment in moments:
            SyncRun.objects.create(
                status=RunStatus.COMPLETE,
                started_at=at(moment),
                heartbeat_at=at(moment),
                finished_at=at(moment),
            )

    def bought(self, number: str, moment: str, price: str | None, **more: Any) -> OwnedNumber:
        """Bought here, at the price that was quoted."""
        opening = {"acquired_at": at(moment), "acquired_from": at(moment), "verb": "number.purchased"}
        return self._open(number, moment, price, AcquiredBasis.PURCHASED_HERE, "purchase", opening, more)

    def found(
        self, number: str, moment: str, price: str | None, *, after: str = "", **more: Any
    ) -> OwnedNumber:
        """Seen on the list first at `moment`, absent at `after`; already owned at the first sync without it."""
        opening = {"acquired_from": at(after) if after else None, "verb": "number.appeared"}
        basis = AcquiredBasis.BOUNDED if after else AcquiredBasis.UNKNOWN
        return self._open(number, moment, price, basis, "sync", opening, more)

    def _open(
        self,
        number: str,
        moment: str,
        price: str | None,
        basis: AcquiredBasis,
        source: str,
        opening: dict[str, Any],
        more: dict[str, Any],
    ) -> OwnedNumber:
        whose = {name: more.pop(name) for name in ("owner", "cost_centre") if name in more}
        (owned,) = services.open_numbers(
            openings=[
                services.Opening(
                    facts=facts(number, price, **more),
                    acquired_to=at(moment),
                    basis=basis,
                    **opening,
                    **whose,
                )
            ],
            actor=None,
            now=at(moment),
            source=source,
            source_id=None,
        )
        return owned

    def changed(self, owned: OwnedNumber, moment: str, price: str | None, *, after: str, **more: Any) -> None:
        """The list says another price at `moment` than it did at `after`."""
        known = {"country": owned.country, "type": owned.type}
        services.change_facts(
            owned=owned,
            facts=facts(owned.number, price, **known | more),
            digest=None,
            now=at(moment),
            not_before=at(after),
            source="sync",
            source_id=None,
        )

    def cancelled(self, owned: OwnedNumber, moment: str) -> None:
        """Cancelled here."""
        self.gone(owned, moment, moment, EndBasis.CANCELLED_HERE)

    def gone(
        self, owned: OwnedNumber, after: str, moment: str, basis: EndBasis = EndBasis.DISAPPEARED
    ) -> None:
        """Last seen at `after`, confirmed gone at `moment`."""
        services.end_number(
            owned=owned, basis=basis, ended_from=at(after), ended_to=at(moment), actor=None, now=at(moment)
        )

    def back(self, owned: OwnedNumber, moment: str, price: str, **more: Any) -> None:
        """On the list again, under the same key."""
        services.reopen(
            owned=owned,
            facts=facts(owned.number, price, country=owned.country, **more),
            digest=None,
            now=at(moment),
            source="sync",
            source_id=None,
        )


def facts(number: str, price: str | None, **more: Any) -> ProviderNumber:
    """What the provider says of a number."""
    setup, initial = more.pop("setup", "0"), more.pop("initial", None)
    currency = more.pop("currency", "EUR" if price is not None else "")
    amounts = [None if text is None or price is None else Decimal(text) for text in (price, setup, initial)]
    known = {
        "number_key": f"KEY{number}",
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
    return ProviderNumber(**known | more, price=Price(*amounts, currency, ""))


@pytest.fixture
def story(db: None) -> Story:
    """Months of records, to be told by the test; it is 20 November 2026."""
    return Story()


@pytest.fixture
def november() -> Any:
    """The clock of the process stands on 20 November 2026, 12:00 UTC."""
    with time_machine.travel(at("2026-11-20 12:00"), tick=False) as clock:
        yield clock


@pytest.fixture
def two_months(story: Story, cast: Any) -> dict[str, OwnedNumber]:
    """The example of docs/costs.md: 25.903226 EUR in October, 22 EUR in November 2026, and some dollars."""
    story.listed("2026-09-01 12:00", "2026-11-20 11:45")
    gb = story.bought("447860041117", "2026-10-14", "5", initial="2.903226", owner=cast.manager)
    ru = story.found("79029555551", "2026-09-01 12:00", "15", country="RU", cost_centre="CC-1")
    de = story.found(
        "4915112345678", "2026-09-01 12:00", "8", country="DE", cost_centre="CC-1", owner=cast.manager
    )
    story.cancelled(ru, "2026-10-20")
    story.changed(de, "2026-10-25", "9", after="2026-10-24")
    fr = story.bought(
        "33612345678", "2026-11-16", "10", setup="3", initial="5", country="FR", type="NATIONAL"
    )
    us = story.found(
        "12025550123", "2026-09-01 12:00", "1.5", country="US", currency="USD", capabilities=("SMS", "VOICE")
    )
    return {"GB": gb, "RU": ru, "DE": de, "FR": fr, "US": us}
