"""What has to be true of orders, held against what the provider saw: used while they run and at their end."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from django.db import connection

from numbersadmin.audit.models import AuditEvent
from numbersadmin.orders.machine import TRANSITIONS
from numbersadmin.orders.models import Kind, OrderItem, Outcome, ProviderAttempt, State
from numbersadmin.provider.client import Provider
from numbersadmin.provider.schema import WriteResult

AT_REST = {State.DONE, State.FAILED, State.PENDING, State.WITHDRAWN, State.EXPIRED, State.REJECTED}
WRITES = ("purchase", "cancel")
Call = tuple[str, str]  # verb, number key


class Watched:
    """Our client, watched: at the moment of a write call its attempt is committed, and no transaction is open."""

    def __init__(self, provider: Provider, depth: int) -> None:
        self._provider, self._depth = provider, depth
        self._sent: Counter[Call] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    def purchase(self, *, number_key: str, **rest: Any) -> WriteResult:
        self._look(Kind.PURCHASE, number_key)
        return self._provider.purchase(number_key=number_key, **rest)

    def cancel(self, number_key: str, **rest: Any) -> WriteResult:
        self._look(Kind.CANCEL, number_key)
        return self._provider.cancel(number_key, **rest)

    def _look(self, verb: Kind, key: str) -> None:
        assert len(connection.savepoint_ids) == self._depth, "a call inside a transaction"
        attempts = ProviderAttempt.objects.filter(verb=verb, number_key=key).select_related(
            "item__owned_number"
        )
        self._sent[verb, key] += 1
        assert len(attempts) >= self._sent[verb, key], "a call without an attempt that was committed before"
        last = max(attempts, key=lambda attempt: attempt.pk)
        if verb == Kind.CANCEL and last.outcome is None:
            owned = last.item.owned_number
            assert owned is not None
            assert (owned.number_key, owned.status) == (key, "owned"), (
                "a DELETE for what is not an open number"
            )


def check(items: Sequence[OrderItem], ledger: dict[str, Any], numbers: Sequence[str]) -> Counter[str]:
    """The books at the end, when everything that could be settled is; how much they hold."""
    check_purchases(items, [act for act in ledger["acts"] if act["number"] in numbers])
    check_calls(items, ledger["requests"])
    check_events(items)
    return Counter(
        items=len(items),
        calls=sum(request["endpoint"] in WRITES for request in ledger["requests"]),
        purchases=sum(act["act"] == "purchase" for act in ledger["acts"]),
        cancellations=sum(act["act"] == "cancel" for act in ledger["acts"]),
    )


def check_purchases(items: Sequence[OrderItem], acts: Sequence[dict[str, Any]]) -> None:
    """What was bought is done, each by an item of its own; nothing else is; and all that can be is at rest."""
    done = [item for item in items if item.kind == Kind.PURCHASE and item.state == State.DONE]
    bought = Counter(act["number"] for act in acts if act["act"] == "purchase")
    shown = Counter(item.number for item in done)
    assert bought == shown, f"bought {dict(bought)}, shown as bought {dict(shown)}"
    assert len({item.owned_number_id for item in done}) == len(done), "two items share one possession"
    restless = [item for item in items if item.state not in AT_REST]
    unknown = {item.number for item in restless if item.shared and item.state == State.UNKNOWN}
    assert all(
        item.number in unknown and item.state in (State.UNKNOWN, State.APPROVED) for item in restless
    ), restless


def check_calls(items: Sequence[OrderItem], requests: Sequence[dict[str, Any]]) -> None:
    """Every write call has an attempt; one an item, unless every earlier one surely did nothing."""
    attempts = list(ProviderAttempt.objects.filter(item__in=items).order_by("id"))
    claimed = Counter((attempt.verb, attempt.number_key) for attempt in attempts)
    sent = Counter(call_of(request) for request in requests if request["endpoint"] in WRITES)
    assert not sent - claimed, f"calls without an attempt: {sent - claimed}"
    approved = set(
        AuditEvent.objects.filter(verb="order.approved", subject_type="orderitem").values_list(
            "subject_id", flat=True
        )
    )
    for item in items:
        mine = [attempt for attempt in attempts if attempt.item_id == item.pk]
        assert not mine or item.pk in approved, "a call for what nobody approved"
        assert {attempt.number_key for attempt in mine if item.kind == Kind.CANCEL} <= {item.number_key}
        for earlier in mine[:-1]:
            assert (earlier.outcome, earlier.ambiguous) == (Outcome.NOT_DONE, False), (
                "a second call for an item"
            )


def call_of(request: dict[str, Any]) -> Call:
    """What a write call in the provider's ledger was about."""
    if request["method"] == "DELETE":
        return "cancel", unquote(request["path"].rstrip("/").rpartition("/")[2])
    return "purchase", json.loads(request["body"])["numberKey"]


def check_events(items: Sequence[OrderItem]) -> None:
    """Each change of state is in the table, and has exactly one event: they join from the first to the last."""
    told = AuditEvent.objects.filter(subject_type="orderitem", subject_id__in=[item.pk for item in items])
    state: dict[int, str] = {}
    for event in told.order_by("id"):
        to = (event.after or {}).get("state")
        if to is None:
            continue
        was = (event.before or {}).get("state")
        assert was == state.get(event.subject_id), f"{event.verb} does not join: {was}"
        assert was is None or (State(was), State(to)) in TRANSITIONS, f"{was} to {to} is not listed"
        state[event.subject_id] = to
    assert state == {item.pk: item.state for item in items}
