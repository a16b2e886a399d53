"""Whether address, prefix and credentials are right, and if not, what to set."""

from collections.abc import Callable
from dataclasses import dataclass

from numbersadmin.provider.client import Provider
from numbersadmin.provider.errors import ProviderError

PREFIXES = ("/sms/1/numbers", "/numbers/1/numbers")


@dataclass(frozen=True, slots=True)
class Knock:
    """What one GET under one prefix told. `error` is None where the API answered."""

    prefix: str
    owned: int | None
    error: ProviderError | None

    @property
    def line(self) -> str:
        """For people."""
        if self.error is None:
            return f"{self.prefix}: answers" + ("" if self.owned is None else f", {self.owned} numbers owned")
        status = f" ({self.error.http_status})" if self.error.http_status else ""
        return f"{self.prefix}: {self.error.kind}{status} {self.error.text}".rstrip()


def knock(provider_of: Callable[[str], Provider], configured: str) -> list[Knock]:
    """One harmless GET under each prefix, the configured one last: its answer is what stays noted."""
    others = [prefix for prefix in PREFIXES if prefix != configured]
    return [_knock(provider_of(prefix)) for prefix in [*others, configured]]


def advice(knocks: list[Knock], configured: str) -> tuple[bool, str]:
    """Whether the configuration works, and the one sentence that says what to do."""
    answering = [each.prefix for each in knocks if each.error is None]
    if configured in answering:
        return True, "Everything is set right."
    if answering:
        return False, f"Set INFOBIP_PREFIX={answering[0]}: the account answers there, not under {configured}."
    kinds = {each.error.kind for each in knocks if each.error}
    if "credentials" in kinds:
        return False, (
            "The credentials are refused. Set INFOBIP_API_KEY to a key with the scope numbers:manage, "
            "or INFOBIP_USERNAME and INFOBIP_PASSWORD; while they are refused, three calls a minute are made."
        )
    if "busy" in kinds:
        return False, "The provider is busy, or our share of calls is used up. Try again in a minute."
    return False, (
        "The provider does not answer there. Check INFOBIP_BASE_URL "
        "(the account's own address, as https://xxxxx.api.infobip.com) and this machine's way to it."
    )


def _knock(provider: Provider) -> Knock:
    try:
        return Knock(provider.prefix, provider.knock().count, None)
    except ProviderError as error:
        return Knock(provider.prefix, None, error)
