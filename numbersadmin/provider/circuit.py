"""When not to call at all: refused credentials, a dead provider. And what is known of its health."""

from dataclasses import dataclass
from datetime import UTC, datetime

from numbersadmin.provider.store import Account, State

PROBES = 3
PROBE_WINDOW = 61.0  # seconds: three calls a minute, and a second for the way
FAILURES = 5
LOOK_AGAIN = 2.0  # seconds between two looks of people at a dead provider
KNOWN_ACCOUNTS = 8


@dataclass(frozen=True, slots=True)
class Health:
    """How the provider is, as all processes have seen it with these credentials."""

    ok_at: datetime | None = None
    down_since: datetime | None = None
    down_reason: str = ""
    refused_since: datetime | None = None
    refused_text: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """Why no call may be made now. `kind`: "credentials", "down" or "unproven"."""

    kind: str
    text: str
    retry_after: float


def account_of(state: State, name: str, now: float) -> Account:
    """The account's facts; the longest unused ones are forgotten."""
    account = state.accounts.get(name)
    if account is None:
        account = state.accounts[name] = Account(used_at=now)
        for old in sorted(state.accounts, key=lambda each: state.accounts[each].used_at)[:-KNOWN_ACCOUNTS]:
            del state.accounts[old]
    return account


def gate(account: Account, now: float, *, impatient: bool) -> Stop | None:
    """Whether a call may be made. `impatient`: a person reads, and gets a quick answer from a dead provider.

    While the credentials are refused, or not proven yet, at most three calls a minute go out in total.
    """
    if not account.proven:
        account.probes = [at for at in account.probes if now - PROBE_WINDOW < at <= now]
        if len(account.probes) >= PROBES:
            after = account.probes[-PROBES] + PROBE_WINDOW - now
            if account.refused_since is not None:
                return Stop("credentials", account.refused_text, after)
            return Stop("unproven", "the first answer of the provider is still awaited", after)
    if impatient and account.failures >= FAILURES and 0 <= now - account.tried_at < LOOK_AGAIN:
        return Stop("down", account.down_reason, LOOK_AGAIN)
    return None


def enter(account: Account, now: float) -> float | None:
    """A call goes out. Returns its mark among the probes, None once the credentials are proven."""
    if account.failures >= FAILURES:
        account.tried_at = now
    if account.proven:
        return None
    account.probes.append(now)
    return now


def leave(account: Account, probe: float | None) -> None:
    """The call never reached the provider, or told nothing about the credentials."""
    if probe in account.probes and account.refused_since is None:
        account.probes.remove(probe)


def succeeded(account: Account, today: float, now: float) -> None:
    """The provider did what was asked: closes the circuit."""
    account.proven = True
    account.refused_since, account.refused_text, account.probes = None, "", []
    account.down_since, account.down_reason, account.failures = None, "", 0
    account.ok_at, account.used_at = today, now


def failed(account: Account, today: float, reason: str) -> None:
    """No answer, or none that the API gives."""
    account.down_since = account.down_since or today
    account.down_reason = reason
    account.failures += 1


def refused(account: Account, today: float, now: float, text: str, probe: float | None) -> None:
    """401 or 403: opens the circuit, and this call was the first of the three."""
    if probe is None:
        account.probes.append(now)
    account.proven = False
    account.refused_since = account.refused_since or today
    account.refused_text = text
    account.down_since, account.down_reason, account.failures = None, "", 0


def health(account: Account) -> Health:
    """The facts with times as datetimes."""
    return Health(
        ok_at=_moment(account.ok_at),
        down_since=_moment(account.down_since),
        down_reason=account.down_reason,
        refused_since=_moment(account.refused_since),
        refused_text=account.refused_text,
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
