"""What it means for people when the provider could not be asked, and when to try again."""

from dataclasses import dataclass
from math import ceil

from django.conf import settings

from numbersadmin.provider.errors import ProviderBusy, ProviderError

SOON = 10  # seconds after which it is worth trying again when the provider names no time


@dataclass(frozen=True, slots=True)
class Trouble:
    """A notice: what happened, what to do, and in how many seconds another try makes sense (None: not soon)."""

    title: str
    text: str
    retry_after: int | None
    ours: bool  # it is only our own pace: the provider is well, and the rest will be read


def is_pace(problem: ProviderError | None) -> bool:
    """Did our own rate limit stop us, rather than anything at the provider?"""
    return isinstance(problem, ProviderBusy) and problem.http_status is None


def trouble_of(problem: ProviderError) -> Trouble:
    """The notice for a problem; the provider's own words stay out of it, they are for the sync page."""
    name = settings.PROVIDER_NAME
    wait = max(1, ceil(problem.retry_after or SOON))
    if is_pace(problem):
        text = f"{name} is asked one question a second, and other questions come first now and then."
        return Trouble("Some prices are not read yet", text, min(wait, SOON), True)
    match problem.kind:
        case "busy":
            return Trouble(f"{name} asks us to wait", f"Try again in {wait} seconds.", wait, False)
        case "credentials":
            text = "An administrator has to renew the credentials. We stopped trying so the account is not locked."
            return Trouble(f"{name} refuses our sign-in", text, None, False)
        case "down":
            return Trouble(
                f"{name} does not answer", "Nothing was changed. Try again in a moment.", wait, False
            )
    text = "It answers with something that is not a price. Try again later, or ask an administrator."
    return Trouble(f"{name} cannot be understood", text, wait, False)
