"""The demo's story: what a company does with its numbers over many months, written down before any of it happens.

Nothing is done here: `write` draws a list of steps, always the same for the same stock, and demo_player.py does
them through the services that people and the schedule use.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any

LONG_NUMBER = "VIRTUAL_LONG_NUMBER"
DEAREST = {"JPY": Decimal(3500)}  # per month, of what is bought
DEAREST_ELSEWHERE = Decimal(30)
DOCUMENTED = ("RU", "RO")  # countries of the provider's examples, left for people to try
SIZES = (1, 1, 1, 2, 2, 3, 4, 6, 8)  # of orders
LOSSES_A_MONTH = 2
FOUND_EVERY_DAYS = 22  # so often somebody buys in the provider's own portal
RISES = ("0.98", "1.05", "1.08", "1.12")  # what becomes of prices that the provider changes
HOUR = timedelta(hours=1)

USES = (
    (
        "4120 Retail",
        "manager",
        5,
        ("Order confirmations", "Delivery slots by SMS", "Click and collect codes"),
    ),
    ("4300 Logistics", "manager", 4, ("Delivery notices", "Drivers call back here", "Parcel lockers")),
    ("4410 Banking", "approver", 3, ("One-time passwords", "Card alerts", "Payment reminders")),
    ("4500 Support", "manager", 3, ("Call centre, second line", "Support by SMS", "Night desk")),
    ("4610 Marketing", "finance", 2, ("Spring campaign", "Opt-out line", "Loyalty programme")),
)  # cost centre, owner, share, what for
UNUSED = ("No traffic for three months", "Campaign is over", "Shop closed", "Replaced by one with voice")
REJECTED = "Use the numbers of the pilot first."
AGREED = ("", "", "", "Within budget.", "Agreed in the planning meeting.")


@dataclass(frozen=True, slots=True)
class Listed:
    """A number as the provider shows it; the price is per month."""

    number: str
    country: str
    type: str
    shared: bool
    price: Decimal | None
    currency: str

    @property
    def ordinary(self) -> bool:
        """Can the story do with it what it likes?"""
        return self.type == LONG_NUMBER and not self.shared and bool(self.price)

    @property
    def affordable(self) -> bool:
        """Would the company buy it?"""
        return self.ordinary and (self.price or 0) <= DEAREST.get(self.currency, DEAREST_ELSEWHERE)

    @property
    def cheap(self) -> bool:
        """Is it one of those that the company gives back? So its costs grow from month to month."""
        return self.ordinary and 4 * (self.price or 0) <= DEAREST.get(self.currency, DEAREST_ELSEWHERE)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens: `do` names what the player does, `facts` are its arguments."""

    at: datetime
    do: str
    facts: dict[str, Any]

    def to_json(self) -> list[Any]:
        """As it is stored."""
        return [self.at.isoformat(), self.do, self.facts]

    @classmethod
    def from_json(cls, stored: Sequence[Any]) -> "Step":
        """As it was stored."""
        return cls(datetime.fromisoformat(stored[0]), stored[1], stored[2])


def begin_of(end: datetime, months: int) -> datetime:
    """Eight in the morning of the first of a month, so many calendar months before the one of `end`."""
    index = end.year * 12 + end.month - 1 - months
    return datetime(index // 12, index % 12 + 1, 1, 8, tzinfo=end.tzinfo)


def write(
    *, owned: Sequence[Listed], for_sale: Sequence[Listed], end: datetime, months: int, grow_to: int
) -> list[Step]:
    """The steps in order of time: from what is owned at the begin to about `grow_to` numbers at the end."""
    writer = _Writer(begin_of(end, months), end)
    writer.take_stock(owned, for_sale)
    writer.plan(grow_to)
    return writer.tell()


@dataclass
class _Writer:
    """The story on its way. `ours` is what the company has at the moment that is being told."""

    begin: datetime
    end: datetime
    rng: Random = field(default_factory=lambda: Random(1))  # noqa: S311 - a story, not a secret
    serial: "count[int]" = field(default_factory=lambda: count(1))
    ours: dict[str, Listed] = field(default_factory=dict)
    shelf: dict[str, list[Listed]] = field(default_factory=dict)  # for sale, by country
    busy: set[str] = field(default_factory=set)  # numbers in an order that goes on
    steps: list[Step] = field(default_factory=list)
    agenda: list[tuple[datetime, int, str, dict[str, Any]]] = field(default_factory=list)

    def take_stock(self, owned: Sequence[Listed], for_sale: Sequence[Listed]) -> None:
        """Begin with what the provider shows."""
        self.ours = {each.number: each for each in owned}
        for each in for_sale:
            if each.affordable and each.country not in DOCUMENTED:
                self.shelf.setdefault(each.country, []).append(each)
        for country in sorted(self.shelf):
            self.rng.shuffle(self.shelf[country])

    # When -----------------------------------------------------------------------------------------------------------

    def plan(self, grow_to: int) -> None:
        """Put on the agenda what will happen, and when."""
        self._on(self.begin, "sync")
        self._on(self.begin + 3 * HOUR, "share_out")
        self._plan_syncs()
        self._plan_closes()
        length = (self.end - self.begin).days
        days = [self.begin.date() + timedelta(days=day) for day in range(1, length)]
        workdays = [day for day in days if day.weekday() < 5]
        losses, found = round(LOSSES_A_MONTH * length / 30), round(length / FOUND_EVERY_DAYS)
        lost_outside = found // 3
        self._spread(days, [("find", {})] * found)
        self._spread(days[10:], [("lose", {})] * lost_outside)
        self._spread(workdays[10:], [("give_back", {})] * (losses - lost_outside))
        self._spread(days[40:], [("reprice", {"countries": 1})] * (length // 120))
        wanted = grow_to - len(self.ours) + losses - found
        self._spread(workdays, [("order", {"size": size}) for size in self._sizes(wanted)])
        self._plan_last_weeks()

    def _plan_syncs(self) -> None:
        """Weekly, daily in the last three weeks, and by the hour on the last day."""
        at = self.begin.replace(hour=5, minute=40) + timedelta(days=7)
        while at < self.end - timedelta(days=1):
            self._on(at, "sync")
            at += timedelta(days=7 if self.end - at > timedelta(days=21) else 1)
        for hours in range(23, 0, -2):
            self._on(self.end - timedelta(hours=hours, minutes=7), "sync")

    def _plan_closes(self) -> None:
        """Finance closes each month on the 9th of the next, but the last one: that is left for people to try."""
        begin, end = (at.year * 12 + at.month - 1 for at in (self.begin, self.end))
        for index in range(begin, end - 1):
            day = date((index + 1) // 12, (index + 1) % 12 + 1, 9)
            at = datetime.combine(day, time(10, 30), self.end.tzinfo)
            self._on(at, "close", month=f"{index // 12}-{index % 12 + 1:02}")

    def _sizes(self, wanted: int) -> list[int]:
        """Sizes of orders that come to so many numbers."""
        sizes: list[int] = []
        while (left := wanted - sum(sizes)) > 0:
            sizes.append(min(left, self.rng.choice(SIZES)))
        return sizes

    def _spread(self, days: Sequence[date], what: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """One after the other in working hours, evenly over the days but for a little chance."""
        for position, (do, facts) in enumerate(what):
            place = (position + self.rng.random()) / len(what) * len(days)
            morning = datetime.combine(days[min(int(place), len(days) - 1)], time(8), self.end.tzinfo)
            at = morning + timedelta(seconds=self.rng.randrange(8 * 3600))
            self._on(min(at, self.end - 30 * HOUR), do, **facts)

    def _plan_last_weeks(self) -> None:
        """What stands on the pages that people open first: odd endings, price changes, orders that wait."""
        for days, do, facts in (
            (46.3, "order", {"size": 1, "ending": "forgotten"}),
            (39.2, "order", {"size": 2, "ending": "rejected"}),
            (33.4, "order", {"size": 1, "ending": "taken"}),
            (27.6, "reprice", {"countries": 2}),
            (24.3, "order", {"size": 2, "ending": "lost"}),
            (18.2, "order", {"size": 3, "ending": "withdrawn"}),
            (12.4, "order", {"size": 1, "ending": "moved"}),
            (8.6, "give_back", {}),
            (8.4, "attest", {"act": "open_attestation"}),
            (5.2, "attest", {"act": "answer_attestation", "who": "finance"}),
            (3.1, "attest", {"act": "answer_attestation", "who": "approver", "to": "manager", "count": 2}),
            (6.5, "reprice", {"countries": 1}),
            (4.2, "find", {"kept": True}),
            (2.3, "order", {"size": 2}),
            (1.1, "order", {"size": 1, "ending": "waits"}),
            (0.35, "order", {"size": 3, "ending": "waits"}),
            (0.12, "give_back", {"ending": "waits"}),
            (0.04, "order", {"size": 1, "ending": "waits"}),
        ):
            self._on(self.end - timedelta(days=days), do, **facts)

    def _on(self, at: datetime, do: str, **facts: Any) -> None:
        if self.begin <= at < self.end:
            heapq.heappush(self.agenda, (at, next(self.serial), do, facts))

    # What -----------------------------------------------------------------------------------------------------------

    def tell(self) -> list[Step]:
        """Go through the agenda in order of time and write the steps."""
        while self.agenda:
            at, _, do, facts = heapq.heappop(self.agenda)
            getattr(self, f"_tell_{do}")(at, **facts)
        return sorted((step for step in self.steps if step.at < self.end), key=lambda step: step.at)

    def _step(self, at: datetime, do: str, **facts: Any) -> None:
        self.steps.append(Step(at, do, facts))

    def _tell_sync(self, at: datetime) -> None:
        self._step(at, "sync")

    def _tell_close(self, at: datetime, month: str) -> None:
        self._step(at, "close", month=month)

    def _tell_share_out(self, at: datetime) -> None:
        """Say whose most of the numbers are that were there before, by country."""
        places: dict[str, list[str]] = {}
        for number, each in sorted(self.ours.items()):
            if self.rng.random() < 0.92:
                places.setdefault(each.country, []).append(number)
        for position, country in enumerate(sorted(places)):
            self._assign(
                at + position * timedelta(seconds=40), places[country], "Taken over from the old list"
            )

    def _assign(self, at: datetime, numbers: list[str], reason: str) -> None:
        centre, owner, _, _ = self._use()
        labels = ["call centre"] if centre == "4500 Support" else []
        self._step(
            at, "assign", numbers=numbers, owner=owner, cost_centre=centre, labels=labels, reason=reason
        )

    def _use(self) -> tuple[str, str, int, tuple[str, ...]]:
        return self.rng.choices(USES, [use[2] for use in USES])[0]

    def _tell_order(self, at: datetime, size: int, ending: str = "approved") -> None:
        chosen = self._choose(size)
        if not chosen:
            return
        centre, owner, _, reasons = self._use()
        order = f"demo-{next(self.serial)}"
        self._step(
            at,
            "submit",
            order=order,
            offers=[[each.country, each.number] for each in chosen],
            owner=owner,
            cost_centre=centre,
            reason=self.rng.choice(reasons),
            sender_id=self.rng.random() < 0.2,
        )
        getattr(self, f"_order_{ending}")(at, order, chosen)

    def _choose(self, size: int) -> list[Listed]:
        """Numbers of one country that are for sale, more often of one where there are many."""
        countries = sorted(country for country, listed in self.shelf.items() if len(listed) >= size)
        if not countries:
            return []
        country = self.rng.choices(countries, [len(self.shelf[country]) for country in countries])[0]
        chosen, self.shelf[country] = self.shelf[country][:size], self.shelf[country][size:]
        return chosen

    def _decided(self, at: datetime) -> datetime:
        """When the approver comes to it: within two hours, or on the next workday's morning."""
        if at.hour < 15:
            decided = at + timedelta(minutes=self.rng.randrange(15, 110))
        else:
            days = 3 if at.weekday() == 4 else 2 if at.weekday() == 5 else 1
            morning = at.replace(hour=8, minute=5) + timedelta(days=days)
            decided = morning + timedelta(minutes=self.rng.randrange(150))
        return min(decided, max(at, self.end - 2 * HOUR) + timedelta(minutes=5))

    def _order_approved(self, at: datetime, order: str, chosen: list[Listed]) -> None:
        self._on(self._decided(at), "purchase", order=order, chosen=chosen)

    def _order_lost(self, at: datetime, order: str, chosen: list[Listed]) -> None:
        """The provider's answer gets lost; the program finds out by itself."""
        self._on(self._decided(at), "purchase", order=order, chosen=chosen, answer_lost=True)

    def _order_moved(self, at: datetime, order: str, chosen: list[Listed]) -> None:
        """The price rises before the approver comes to it."""
        dearer = {each.number: _changed(each.price, Decimal("1.2")) for each in chosen}
        self._step(at + HOUR, "reprice", prices=dearer)
        decided = self._decided(at) + HOUR
        self._approve(decided, order)
        self._on(decided + HOUR, "purchase", order=order, chosen=chosen, seen_round=2)

    def _order_taken(self, at: datetime, order: str, chosen: list[Listed]) -> None:
        """Another customer buys the number before the approver comes to it."""
        self._step(at + HOUR, "outside", act="taken", number=chosen[0].number)
        self._approve(self._decided(at) + HOUR, order)

    def _order_rejected(self, at: datetime, order: str, chosen: list[Listed]) -> None:
        self._step(self._decided(at), "reject", order=order, comment=REJECTED)

    def _order_withdrawn(self, at: datetime, order: str, chosen: list[Listed]) -> None:
        self._step(self._decided(at), "withdraw", order=order)

    def _order_forgotten(self, at: datetime, order: str, chosen: list[Listed]) -> None:
        """Nobody decides, so it expires by itself."""

    _order_waits = _order_forgotten

    def _approve(self, at: datetime, order: str, **more: Any) -> None:
        self._step(
            at,
            "approve",
            **{
                "order": order,
                "comment": self.rng.choice(AGREED),
                "seen_round": 1,
                "answer_lost": False,
                **more,
            },
        )

    def _tell_purchase(self, at: datetime, order: str, chosen: list[Listed], **more: Any) -> None:
        self._approve(at, order, **more)
        self.ours |= {each.number: each for each in chosen}

    def _tell_give_back(self, at: datetime, ending: str = "approved") -> None:
        if number := self._one_of_ours():
            order = f"demo-{next(self.serial)}"
            self.busy.add(number.number)
            self._step(
                at,
                "submit_cancel",
                order=order,
                number=number.number,
                country=number.country,
                reason=self.rng.choice(UNUSED),
            )
            if ending == "approved":
                self._on(self._decided(at), "part", order=order, number=number.number)

    def _tell_part(self, at: datetime, order: str, number: str) -> None:
        self._approve(at, order)
        del self.ours[number]

    def _one_of_ours(self) -> Listed | None:
        free = sorted(n for n, each in self.ours.items() if each.cheap and n not in self.busy)
        return self.ours[self.rng.choice(free)] if free else None

    def _tell_find(self, at: datetime, kept: bool = False) -> None:
        """Somebody buys in the provider's own portal, and the next sync finds it; some never get an owner."""
        for number in self._choose(1):
            self.ours[number.number] = number
            self._step(at, "outside", act="purchase", number=number.number)
            if not kept and self.rng.random() < 0.7:
                self._on(at + timedelta(days=self.rng.randrange(9, 30)), "adopt", number=number.number)

    def _tell_adopt(self, at: datetime, number: str) -> None:
        if number in self.ours:
            self._assign(at, [number], "Found by the sync, asked around")

    def _tell_lose(self, at: datetime) -> None:
        """Somebody cancels in the provider's own portal."""
        if number := self._one_of_ours():
            del self.ours[number.number]
            self._step(at, "outside", act="cancel", number=number.number)

    def _tell_attest(self, at: datetime, act: str, **facts: Any) -> None:
        """Each owner is asked which numbers to keep; some have answered, the others still have time."""
        self._step(at, act, **facts)

    def _tell_reprice(self, at: datetime, countries: int) -> None:
        """The provider changes what our numbers in some countries cost."""
        ordinary = [each for each in self.ours.values() if each.ordinary and each.number not in self.busy]
        places = sorted({each.country for each in ordinary})
        chosen = self.rng.sample(places, min(countries, len(places)))
        factor = Decimal(self.rng.choice(RISES))
        prices = {each.number: _changed(each.price, factor) for each in ordinary if each.country in chosen}
        self.ours |= {
            number: replace(self.ours[number], price=Decimal(price)) for number, price in prices.items()
        }
        self._step(at, "reprice", prices=prices)


def _changed(price: Decimal | None, factor: Decimal) -> str:
    """A price times a factor, as text with two decimals at most."""
    return format(((price or Decimal(1)) * factor).quantize(Decimal("0.01")).normalize(), "f")
