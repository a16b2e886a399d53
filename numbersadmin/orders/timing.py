"""When a cancellation is sent: now, or on the last day of the month that is paid already."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

from numbersadmin.orders.models import Order, Timing

HOUR = 12  # of the last day: late enough to keep the day, early enough to try again on it


def month_end(now: datetime) -> datetime:
    """Noon of the last day of this month in the billing time zone; past it on that day, this very moment."""
    zone = ZoneInfo(settings.BILLING_TIME_ZONE)
    here = now.astimezone(zone)
    next_month = (here.replace(day=28) + timedelta(days=4)).replace(day=1)
    last = next_month - timedelta(days=1)
    noon = last.replace(hour=HOUR, minute=0, second=0, microsecond=0)
    return max(noon, here).astimezone(now.tzinfo)


def execute_after(order: Order, now: datetime) -> datetime | None:
    """When the order is carried out should it be approved now; None for at once."""
    if order.timing != Timing.MONTH_END:
        return None
    due = month_end(now)
    return due if due > now else None
