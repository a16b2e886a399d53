"""Who asks for which spare number, as pages need to know it."""

from numbersadmin.accounts.models import User
from numbersadmin.available.models import Ask, AskState

SHOWN = 200
ANSWERED_SHOWN = 10


def open_asks(person: User) -> list[Ask]:
    """The open ones: all for those who give numbers, else one's own; the oldest first."""
    found = Ask.objects.filter(state=AskState.OPEN)
    if not person.can("numbers.edit"):
        found = found.filter(asked_by=person)
    found = found.select_related("owned_number__owner", "asked_by")
    return list(found.order_by("asked_at", "id")[:SHOWN])


def answered(person: User) -> list[Ask]:
    """One's own that were answered, the latest first."""
    found = Ask.objects.filter(asked_by=person).exclude(state=AskState.OPEN)
    return list(
        found.select_related("owned_number", "decided_by").order_by("-decided_at", "-id")[:ANSWERED_SHOWN]
    )


def asks_to_answer(person: User) -> int:
    """How many wait for somebody like this person."""
    if not person.can("numbers.edit"):
        return 0
    return Ask.objects.filter(state=AskState.OPEN).count()
