"""The site as tests/orders/served.py has gunicorn run it; GUARD_OFF takes away what decides a race."""

import os
import secrets
from typing import Any

from django.conf import settings

settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}

from numbersadmin.wsgi import application  # noqa: E402 - the site is built with the line above

__all__ = ["application"]


def no_condition() -> None:
    """The state machine without its condition: the last one to write wins."""
    from django.db.models import F

    from numbersadmin.orders import machine
    from numbersadmin.orders.models import OrderItem

    def careless(item: OrderItem, now: Any, fields: dict[str, Any]) -> None:
        OrderItem.objects.filter(pk=item.pk).update(version=F("version") + 1, updated_at=now, **fields)
        item.version += 1
        for name, value in fields.items():
            setattr(item, name, value)

    machine._update = careless


def no_form_token() -> None:
    """Forms that can make an order each time they are sent."""
    from numbersadmin.orders import submitting

    save = submitting._save

    def careless(order: Any, *rest: Any) -> Any:
        order.form_token = secrets.token_hex()
        return save(order, *rest)

    submitting._save = careless
    submitting._check_not_ordered = lambda quotes: None


{"": lambda: None, "condition": no_condition, "form_token": no_form_token}[os.environ.get("GUARD_OFF", "")]()
