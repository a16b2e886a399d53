"""One rate limit over all processes, people first; see docs/decisions/0003-rate-limiter.md."""

import hashlib
import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal, TypeVar

from numbersadmin.provider import circuit
from numbersadmin.provider.circuit import Health
from numbersadmin.provider.errors import CredentialsRefused, ProviderBusy, ProviderDown
from numbersadmin.provider.store import Account, Bucket, State, Store, StoreFailed

logger = logging.getLogger(__name__)

Caller = Literal["person", "worker", "sync"]
Kind = Literal["list", "get", "write"]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: one token each `interval` seconds, at most `burst` of them."""

    interval: float
    burst: int


# The documented limits an account has, with 5 % to spare for the uneven speed of the way.
RATES: dict[str, Rate] = {"list": Rate(1.05, 2), "get": Rate(0.105, 1), "write": Rate(1.05, 1)}
LATE = {"person": 0.0, "worker": 3.0, "sync": 10.0}  # seconds by which a caller's turn is put off
LEASE = 2.0  # seconds after which a waiting caller that is not heard of loses its turn
LONGEST_PAUSE = 60.0
POLL = 0.1
OVERSLEPT = 0.01
OK_EVERY = 1.0
UNREACHABLE = 5.0


@dataclass(frozen=True, slots=True)
class Turn:
    """Leave to make one call."""

    kind: Kind
    at: float
    probe: float | None


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet: try again in about `seconds`; `ahead` callers come first."""

    seconds: float
    ahead: int


@lru_cache(maxsize=32)
def account_name(base_url: str, authorization: str) -> str:
    """A name for credentials at an address, from which nobody finds a password by guessing fast."""
    return hashlib.pbkdf2_hmac("sha256", authorization.encode(), base_url.encode(), 5_000, 12).hex()


class Limiter:
    """Gives leave to call, and keeps what the calls told about the provider.

    `enabled=False` switches off the rates only: refused credentials stop calls all the same.
    """

    def __init__(self, store: Store, account: str, *, enabled: bool = True) -> None:
        self._store = store
        self._account = account
        self._enabled = enabled
        self._ok_until = 0.0
        self._unreachable_until = 0.0
        self._sync_turn = threading.Lock()

    def take(self, kind: Kind, caller: Caller, wait: float) -> Turn:
        """Wait for a turn, `wait` seconds at most.

        Raises ProviderBusy (too long a wait, or the shared store is out of reach), CredentialsRefused,
        and for a person's reading ProviderDown. Nothing has been sent when it raises.
        """
        if not self._enabled and self._open():
            return Turn(kind, time.monotonic(), None)
        if caller != "sync":
            return self._wait(kind, caller, wait)
        # One thread of a sync waits at a time: several that had waited their ten seconds would go before people.
        ends = time.monotonic() + wait
        if not self._sync_turn.acquire(timeout=wait):
            raise ProviderBusy("too many calls at once", retry_after=RATES[kind].interval)
        try:
            return self._wait(kind, caller, max(0.0, ends - time.monotonic()))
        finally:
            self._sync_turn.release()

    def _wait(self, kind: Kind, caller: Caller, wait: float) -> Turn:
        ticket = uuid.uuid4().hex[:12]
        ends = time.monotonic() + wait
        while True:
            left = ends - time.monotonic()
            verdict = self._change(partial(self._try, kind=kind, caller=caller, ticket=ticket, patience=left))
            if isinstance(verdict, Turn):
                return verdict
            if isinstance(verdict, circuit.Stop):
                if verdict.kind != "unproven" or left <= 0:
                    raise _stopped(verdict)
                time.sleep(min(left, 0.02))
                continue
            if verdict.seconds > left:
                raise ProviderBusy("too many calls at once", retry_after=max(1.0, round(verdict.seconds, 1)))
            time.sleep(min(verdict.seconds, POLL if verdict.ahead else LEASE / 2))

    def sent(self, turn: Turn) -> None:
        """The request is out. If that took long, the next one has to come later too."""
        late = time.monotonic() - turn.at
        if self._enabled and late > OVERSLEPT:
            self._tell(lambda state, now: _put_off(_bucket(state, turn.kind, now), min(late, LEASE)))

    def pause(self, turn: Turn, seconds: float | None) -> None:
        """The provider said 429: nobody calls for so long."""
        rate = RATES[turn.kind]
        span = min(rate.interval if seconds is None else seconds, LONGEST_PAUSE)

        def act(state: State, now: float) -> None:
            bucket = _bucket(state, turn.kind, now)
            bucket.full_at = max(bucket.full_at, now + span + (rate.burst - 1) * rate.interval)
            circuit.leave(self._facts(state, now), turn.probe)

        if self._enabled or turn.probe is not None:
            self._tell(act)

    def ok(self, turn: Turn) -> None:
        """The provider answered as it should. Written down once a second at most."""
        if turn.probe is not None or time.monotonic() >= self._ok_until:
            self._tell(lambda state, now: circuit.succeeded(self._facts(state, now), time.time(), now))
            self._ok_until = time.monotonic() + OK_EVERY

    def failed(self, turn: Turn, reason: str) -> None:
        """The provider did not answer, or not as the API does."""

        def act(state: State, now: float) -> None:
            facts = self._facts(state, now)
            circuit.leave(facts, turn.probe)
            circuit.failed(facts, time.time(), reason)

        self._ok_until = 0.0
        self._tell(act)

    def refused(self, turn: Turn, text: str) -> None:
        """The provider refused the credentials."""
        self._ok_until = 0.0
        self._tell(
            lambda state, now: circuit.refused(self._facts(state, now), time.time(), now, text, turn.probe)
        )

    def health(self) -> Health:
        """What all processes have seen; empty facts if the store is out of reach.

        Pages ask: one that has just failed is not asked again by each of them.
        """
        if time.monotonic() < self._unreachable_until:
            return Health()
        try:
            account = self._store.read().accounts.get(self._account)
        except StoreFailed:
            self._unreachable_until = time.monotonic() + UNREACHABLE
            return Health()
        return circuit.health(account) if account else Health()

    def _open(self) -> bool:
        """Without rates, nothing holds back an account that works: no need to write anything down."""
        try:
            account = self._store.read().accounts.get(self._account)
        except StoreFailed:
            return False
        return account is not None and account.proven and account.failures < circuit.FAILURES

    def _try(
        self, state: State, now: float, *, kind: Kind, caller: Caller, ticket: str, patience: float
    ) -> Turn | Wait | circuit.Stop:
        facts, bucket = self._facts(state, now), _bucket(state, kind, now)
        stop = circuit.gate(facts, now, impatient=caller == "person" and kind != "write")
        if stop is not None:
            bucket.waiting.pop(ticket, None)
            return stop
        if self._enabled:
            wait = claim(bucket, RATES[kind], ticket, LATE[caller], now)
            if wait is not None:
                if wait.seconds > patience:
                    del bucket.waiting[ticket]
                return wait
        return Turn(kind, time.monotonic(), circuit.enter(facts, now))

    def _facts(self, state: State, now: float) -> Account:
        return circuit.account_of(state, self._account, now)

    def _change(self, act: Callable[[State, float], Result]) -> Result:
        try:
            return self._store.change(act)
        except StoreFailed as error:
            self._unreachable_until = (
                time.monotonic() + UNREACHABLE
            )  # the page that says so need not ask, too
            logger.error("the shared rate limiter cannot be reached: %s", error)
            raise ProviderBusy("the shared rate limiter cannot be reached", retry_after=5.0) from error

    def _tell(self, act: Callable[[State, float], object]) -> None:
        """Note what a call told; what it told its caller must not be lost if that fails."""
        try:
            self._store.change(act)
        except StoreFailed as error:
            logger.error("the provider's state cannot be noted: %s", error)


def claim(bucket: Bucket, rate: Rate, ticket: str, late: float, now: float) -> Wait | None:
    """Take a token if it is this ticket's turn, else join those who wait.

    A caller's place is its arrival plus `late`: people overtake a sync, and a sync that has waited
    its ten seconds is overtaken no more. Until then it leaves the last token of a burst to people.
    """
    place, _ = bucket.waiting.get(ticket, (now + late, 0.0))
    keep = 0 if place <= now else rate.burst - 1
    ready = bucket.full_at - (rate.burst - 1 - keep) * rate.interval
    ahead = sum(1 for other, (theirs, _) in bucket.waiting.items() if other != ticket and theirs < place)
    if ahead == 0 and now >= ready:
        bucket.waiting.pop(ticket, None)
        bucket.full_at = max(bucket.full_at, now) + rate.interval
        return None
    bucket.waiting[ticket] = (place, now + LEASE)
    return Wait(max(ready - now, 0.005) + ahead * rate.interval, ahead)


def _bucket(state: State, kind: Kind, now: float) -> Bucket:
    """The bucket, without callers that are gone and without times that a set-back clock left behind."""
    bucket = state.buckets.setdefault(kind, Bucket())
    if bucket.full_at > now + 2 * LONGEST_PAUSE:
        bucket.full_at = now
    gone = [ticket for ticket, (_, lease) in bucket.waiting.items() if not now <= lease <= now + LEASE]
    for ticket in gone:
        del bucket.waiting[ticket]
    return bucket


def _put_off(bucket: Bucket, seconds: float) -> None:
    bucket.full_at += seconds


def _stopped(stop: circuit.Stop) -> Exception:
    if stop.kind == "credentials":
        return CredentialsRefused(stop.text, retry_after=round(stop.retry_after, 1))
    if stop.kind == "down":
        return ProviderDown(stop.text, retry_after=stop.retry_after)
    return ProviderBusy(stop.text, retry_after=1.0)
