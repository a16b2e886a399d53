"""Since when a number that somebody bought outside this program is ours, and how well that is known."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from numbersadmin.money import days_in_month, prorate
from numbersadmin.numbers.models import AcquiredBasis
from numbersadmin.provider.schema import Price

TODAY_COUNTED = 1  # the provider charges the day of purchase too; calibration.py keeps measuring it
CLOSE = Decimal("0.000001")
CLOSE_PER_UNIT = Decimal("0.0000001")
ONE_DAY = timedelta(days=1)


def acquisition(
    price: Price, since: datetime | None, seen: datetime
) -> tuple[AcquiredBasis, datetime | None]:
    """How we know since when, and noon of the inferred day if the first month's price tells one.

    The number became ours in (since, seen]: absent from the complete list begun at `since`, there at `seen`.
    Without such a list it was ours before records began. An amount is never derived from an inferred day.
    """
    if since is None:
        return AcquiredBasis.UNKNOWN, None
    day = inferred_day(price, since.astimezone(UTC), seen.astimezone(UTC))
    if day is None:
        return AcquiredBasis.BOUNDED, None
    inside = min(max(day, since + timedelta(microseconds=1)), seen)
    return AcquiredBasis.INFERRED, inside


def inferred_day(price: Price, since: datetime, seen: datetime) -> datetime | None:
    """Noon UTC of the day on which the first month's share of the price began; None when it tells nothing.

    The provider documents two meanings of the field, and a third is possible: the price as if bought today.
    So only an interval inside one month is looked at, of more than one day (else the interval says more), and
    never the day of reading itself, which the third meaning would always name.
    """
    if (since.year, since.month) != (seen.year, seen.month) or since.date() == seen.date():
        return None
    days = days_charged(price, seen)
    if days is None or days == days_in_month(seen.date()):
        return None  # a whole month: bought on the 1st, or not prorated at all
    day = days_in_month(seen.date()) - days + TODAY_COUNTED
    noon = datetime.combine(seen.date().replace(day=day), time(12), UTC)
    midnight = noon - timedelta(hours=12)
    if noon.date() == seen.date() or midnight - ONE_DAY > seen or midnight + 2 * ONE_DAY <= since:
        return None
    return noon


def days_charged(price: Price, at: datetime) -> int | None:
    """How many days of the month of `at` the first month's price stands for; None unless exactly one fits."""
    full, first = price.per_month, price.initial_month
    if not full or first is None or first < 0 or first > full:
        return None
    of_days = days_in_month(at.date())
    close = CLOSE + full * CLOSE_PER_UNIT
    fitting = [days for days in range(1, of_days + 1) if abs(prorate(full, days, of_days) - first) <= close]
    return fitting[0] if len(fitting) == 1 else None
