"""The facts around every page: what waits, how the provider is, what is wrong everywhere."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from numbersadmin.accounts.models import User
from numbersadmin.attestation.selectors import asks_of
from numbersadmin.formats import ago, when
from numbersadmin.orders.selectors import waiting_for
from numbersadmin.policies.selectors import current_stop, waiting_for_confirmation
from numbersadmin.provider.client import get_provider
from numbersadmin.sync.selectors import drifts_waiting_for, freshness_of, last_complete


@dataclass(frozen=True, slots=True)
class Health:
    """The line at the foot of the menu: a dot (ok, warn, bad, none), how the provider is, how old the list is."""

    tone: str
    title: str
    detail: str


@dataclass(frozen=True, slots=True)
class Banner:
    """Trouble that concerns every page."""

    tone: str
    title: str
    text: str
    url: str = ""
    action: str = ""
    icon: str = "plug-connected-x"


def shell(request: HttpRequest) -> dict[str, Any]:
    """Template context `shell`; nothing for people who are not signed in."""
    person = getattr(request, "user", None)
    if not isinstance(person, User):
        return {}
    now = timezone.now()
    health, banners = provider_health(person, now)
    if on := current_stop():
        who = f"{on.stopped_by.display_name}, {when(on.stopped_at)}: {on.reason}"
        banners.append(
            Banner("warn", "Buying and cancelling are stopped.", who, "/policies/", "Look", "player-pause")
        )
    return {
        "shell": {
            "waiting": waiting_for(person).count(),
            "policies": waiting_for_confirmation(person).count(),
            "sync": drifts_waiting_for(person),
            "attestation": asks_of(person).count,
            "health": health,
            "banners": banners,
            "sandbox": settings.SANDBOX,
            "provider_name": settings.PROVIDER_NAME,
            "theme": person.theme,
            "keys": person.shortcuts,
        }
    }


def provider_health(person: User, now: datetime) -> tuple[Health, list[Banner]]:
    """How the provider is, and what to tell everyone about it."""
    name, seen = settings.PROVIDER_NAME, get_provider().health()
    run = last_complete()
    synced = f"Synced {ago(run.started_at, now)}" if run else "Never synced"
    if seen.refused_since:
        who = (
            "Set the new credentials and restart."
            if person.can("provider.credentials")
            else "Tell an administrator."
        )
        text = f"{who} Buying and cancelling wait. Few tries are made, so that the account is not locked."
        return Health("bad", f"{name} refuses our sign-in", synced), [
            Banner("bad", f"{name} refuses our sign-in.", text, "/sync/", "Look", "lock")
        ]
    if seen.down_since:
        as_of = f" You can browse everything last synced at {when(run.started_at, '')}." if run else ""
        text = f"Searching, buying and cancelling wait until it is back.{as_of}"
        since = f"{name} has not answered since {when(seen.down_since, 'clock_zone')}."
        return Health("bad", f"{name} does not answer", synced), [
            Banner("warn", since, text, "/sync/", "Look")
        ]
    tone = {"fresh": "ok", "stale": "warn"}.get(freshness_of(run, now), "none")
    return Health(tone, f"{name} connected" if seen.ok_at else name, synced), []
