"""How far an order that is being carried out has come: what is done, what failed and why, and the time left."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from numbersadmin.orders.models import OrderItem, ProviderAttempt, State
from numbersadmin.orders.words import FAILURES

EACH = 1.5  # seconds for a number, until this order's own pace is known: a turn to read and one to write
STALLED = 60.0  # seconds without a call after which nobody can tell when it goes on
ENOUGH = 3  # numbers after which it is
OVER = (State.DONE, State.FAILED, State.REJECTED, State.EXPIRED, State.WITHDRAWN)
LEFT = (State.APPROVED, State.EXECUTING)


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts of an order's numbers; `failures` by reason, the most frequent first.

    `seconds_left` is None when nothing is left to send, or when nothing is being sent just now.
    """

    done: int
    failed: int
    unknown: int
    settled: int
    total: int
    seconds_left: int | None
    failures: list[tuple[str, int]]


def progress_of(
    items: Sequence[OrderItem], attempts: Iterable[ProviderAttempt], now: datetime, *, held: bool
) -> Progress:
    """The progress of an order. `held`: it is paused, stopped or waits for its day, so no time can be told."""
    states = Counter(item.state for item in items)
    left = sum(states[state] for state in LEFT)
    reasons = Counter(
        FAILURES.get(item.failure, "It could not be done.") for item in items if item.state == State.FAILED
    )
    return Progress(
        done=states[State.DONE],
        failed=states[State.FAILED],
        unknown=states[State.UNKNOWN],
        settled=sum(states[state] for state in OVER),
        total=len(items),
        seconds_left=None if held or not left else _seconds(left, attempts, now),
        failures=reasons.most_common(),
    )


def _seconds(left: int, attempts: Iterable[ProviderAttempt], now: datetime) -> int | None:
    """How long `left` numbers take at the pace of the order's last ones; None when it does not go on."""
    started = sorted(attempt.started_at for attempt in attempts)[-20:]
    if started and (now - started[-1]).total_seconds() > STALLED:
        return None
    if len(started) < ENOUGH:
        return max(1, round(left * EACH))
    return max(1, round(left * (now - started[0]).total_seconds() / len(started)))
