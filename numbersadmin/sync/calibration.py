"""One measurement per sync of how the provider counts the days of a first month."""

import logging
from datetime import UTC, datetime
from typing import Any

from numbersadmin.money import days_in_month
from numbersadmin.provider.client import Provider
from numbersadmin.provider.errors import ProviderError
from numbersadmin.sync.acquired import days_charged

logger = logging.getLogger(__name__)
WAIT_SECONDS = 5.0


def sample(provider: Provider, *, now: datetime) -> dict[str, Any] | None:
    """Days charged for a purchase now, days of the month, and when that was asked; None when nothing tells.

    Taken from the first number for sale: its first month's price is a share of its monthly price. `days + day
    of the month - days of the month` is 1 where the provider counts the day of purchase, else 0.
    """
    try:
        page = provider.list_available(limit=1, caller="sync", wait=WAIT_SECONDS)
    except ProviderError as error:
        logger.info("no calibration in this sync: %s", error)
        return None
    day = now.astimezone(UTC)
    days = days_charged(page.numbers[0].price, day) if page.numbers else None
    if days is None:
        return None
    return {"days": days, "days_in_month": days_in_month(day.date()), "at": day.isoformat()}
