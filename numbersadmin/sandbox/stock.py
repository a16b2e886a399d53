"""A whole stock of numbers, the same for the same seed: the special ones, then ordinary ones of all countries."""

import random
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice

from numbersadmin.sandbox.numbers import FOR_SALE, LONG, OWNED, NewNumber, caps_text, new_number
from numbersadmin.sandbox.places import PLACES, PRICES, SHORT_CODE_FACTOR, Place
from numbersadmin.sandbox.prices import share
from numbersadmin.sandbox.specials import FOR_SALE_SPECIALS, OWNED_SPECIALS

DEFAULT_SEED = 1
SPECIALS = {OWNED: OWNED_SPECIALS, FOR_SALE: FOR_SALE_SPECIALS}
# twenty of a kind's chances
CAPABILITIES_OF_LONG = (
    (("SMS",),) * 10 + (("SMS", "VOICE"),) * 6 + (("VOICE",),) * 3 + (("MMS", "SMS", "VOICE"),)
)
SHORT_CODES = range(60_100, 61_000)  # so few that equal digits in two countries are common


def make(owned: int, available: int, seed: int) -> Iterator[NewNumber]:
    """Exactly so many owned and available numbers."""
    rng = random.Random(seed)  # noqa: S311 - a stock, not a secret
    taken = {str(given["number"]) for specials in SPECIALS.values() for given in specials}
    for place, wanted in ((OWNED, owned), (FOR_SALE, available)):
        specials = SPECIALS[place][:wanted]
        yield from (new_number(place, given, "") for given in specials)
        yield from islice(_ordinary(place, rng, taken), wanted - len(specials))


def _ordinary(place: int, rng: random.Random, taken: set[str]) -> Iterator[NewNumber]:
    """Endless ordinary numbers: one of each country first, then by weight."""
    spots = list(PLACES)
    weights = [spot.weight for spot in PLACES]
    while True:
        for spot in spots:
            chance = rng.random()
            if chance < 0.012:
                yield _short_code(place, spot, rng)
            else:
                yield _long(place, spot, rng, taken, free=chance > 0.996)
        spots = rng.choices(PLACES, weights, k=1000)


def _long(place: int, spot: Place, rng: random.Random, taken: set[str], *, free: bool) -> NewNumber:
    prices = PRICES[spot.currency]
    price = ("0", "0") if free else prices[int(rng.random() * len(prices))]
    capabilities = CAPABILITIES_OF_LONG[int(rng.random() * len(CAPABILITIES_OF_LONG))]
    return _row(place, spot, _unused(spot, rng, taken), LONG, capabilities, rng.random() < 0.015, price, rng)


def _short_code(place: int, spot: Place, rng: random.Random) -> NewNumber:
    dear = str(Decimal(PRICES[spot.currency][0][0]) * SHORT_CODE_FACTOR)
    shared = rng.random() < 0.3
    return _row(place, spot, str(rng.choice(SHORT_CODES)), "SHORT_CODE", ("SMS",), shared, (dear, dear), rng)


def _unused(spot: Place, rng: random.Random, taken: set[str]) -> str:
    """A number of a country that nobody has; the ranges are so wide that a few tries suffice."""
    while True:
        rest = int(rng.random() * 10**spot.digits)
        number = f"{spot.prefixes[int(rng.random() * len(spot.prefixes))]}{rest:0{spot.digits}d}"
        if number not in taken:
            taken.add(number)
            return number


def _row(
    place: int,
    spot: Place,
    number: str,
    kind: str,
    capabilities: tuple[str, ...],
    shared: bool,
    price: tuple[str, str],
    rng: random.Random,
) -> NewNumber:
    """One number, written without a detour over objects: a hundred thousand take a second."""
    listed = '","'.join(capabilities)
    facts = (
        f'"number":"{number}","country":"{spot.country}","type":"{kind}","capabilities":["{listed}"],'
        f'"shared":{"true" if shared else "false"}'
    )
    return NewNumber(
        place=place,
        number_key=f"{rng.getrandbits(128):032X}",
        number=number,
        country=spot.country,
        caps=caps_text(capabilities),
        shared=shared,
        facts=facts,
        per_month=price[0],
        setup=price[1],
        currency=f'"{spot.currency}"',
        initial=share(price[0], 1 + int(rng.random() * 30), 30) if place == OWNED else None,
        status=None,
    )
