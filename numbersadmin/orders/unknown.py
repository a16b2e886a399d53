"""What is known of an outcome that is not, and what this viewer may do about it."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from numbersadmin.accounts.models import User
from numbersadmin.orders.models import OrderItem, Outcome, ProviderAttempt, Resolution
from numbersadmin.orders.resolving import LOOKS_ENOUGH, looks_ran_out
from numbersadmin.orders.words import why_unknown


@dataclass(frozen=True, slots=True)
class LookRow:
    """One look at an unknown outcome. Answers: yes, no, no_answer, pending, or "" where it was not asked."""

    index: int
    at: datetime
    owned: str
    for_sale: str


@dataclass(frozen=True, slots=True)
class UnknownFacts:
    """What is known of an outcome that is not: what was sent and when, why nobody knows, what was looked at."""

    sent_at: datetime
    why: str  # "Infobip did not answer in time"
    provider_words: str
    timeout_seconds: int
    looks: list[LookRow]  # newest first
    last_look: datetime | None
    next_look: datetime | None
    looks_counted: int
    looks_enough: int
    said: Resolution | None  # what somebody found out, waiting for a second person
    may_say: bool  # this viewer may decide it by hand
    may_confirm: bool
    refused: list[Resolution]


def unknown_facts(
    item: OrderItem, attempts: list[ProviderAttempt], said: list[Resolution], viewer: User
) -> UnknownFacts | None:
    """The facts for one viewer; `said` are its resolutions, oldest first. None when there was no such call."""
    sent = next((attempt for attempt in reversed(attempts) if attempt.outcome == Outcome.UNKNOWN), None)
    if sent is None:
        return None
    looks = [
        LookRow(index, datetime.fromisoformat(look["at"]), look["owned"], look["for_sale"])
        for index, look in enumerate(sent.evidence, 1)
    ]
    waiting = next((one for one in said if one.decided_at is None), None)
    confirms = viewer.can("orders.confirm_outcome")
    return UnknownFacts(
        sent_at=sent.started_at,
        why=why_unknown(sent.error_kind),
        provider_words=(sent.response or {}).get("text", "") if sent.http_status else "",
        timeout_seconds=int(settings.PROVIDER_TIMEOUT_SECONDS),
        looks=looks[::-1],
        last_look=looks[-1].at if looks else None,
        next_look=item.not_before,
        looks_counted=len(looks),
        looks_enough=LOOKS_ENOUGH,
        said=waiting,
        may_say=waiting is None and looks_ran_out(sent) and viewer.can("orders.resolve"),
        may_confirm=bool(waiting and confirms and waiting.proposed_by_id != viewer.pk),
        refused=[one for one in said if one.confirmed is False],
    )
