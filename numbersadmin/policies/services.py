"""Every write to policies, budgets and stops. A rule is in force only after a second person, finance, confirms it."""

import hashlib
import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import record
from numbersadmin.formats import when
from numbersadmin.policies.models import ApprovalPolicy, Budget, Change, PolicyMode, PolicyState, Stop
from numbersadmin.policies.selectors import scope_of

LONGEST_REASON = 500
TERMS = ("kind", "country", "currency", "max_monthly", "max_setup", "mode")


class PolicyError(Exception):
    """Something could not be done with a policy, a budget or a stop; the text says what to do, `field` where."""

    def __init__(self, text: str, *, field: str = "") -> None:
        super().__init__(text)
        self.field = field


class Refused(PolicyError):
    """This person may not do it."""


class Overtaken(PolicyError):
    """Somebody else was first; nothing was done."""


def terms_of(policy: ApprovalPolicy) -> dict[str, Any]:
    """What a rule says, as the log keeps it and as a change is compared: amounts as exact text."""
    terms = {name: getattr(policy, name) for name in TERMS}
    for name in ("max_monthly", "max_setup"):
        terms[name] = None if terms[name] is None else format(terms[name].normalize(), "f")
    return terms


def fingerprint_of(policy: ApprovalPolicy) -> str:
    """Of everything that confirming a proposal does: what was seen is what is confirmed."""
    old = policy.replaces and [policy.replaces_id, policy.replaces.state, terms_of(policy.replaces)]
    seen = [policy.pk, policy.state, policy.change, terms_of(policy), old]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()


def propose_policy(
    *, actor: User, terms: dict[str, Any], reason: str, now: datetime, replaces: ApprovalPolicy | None = None
) -> ApprovalPolicy:
    """Propose a new rule, or with `replaces` a change of one. `terms` has the fields of TERMS."""
    change = Change.CHANGE if replaces else Change.ADD
    return _propose(actor, terms, reason, now, replaces, change)


def propose_retirement(*, actor: User, policy: ApprovalPolicy, reason: str, now: datetime) -> ApprovalPolicy:
    """Propose that a rule ends."""
    terms = {name: getattr(policy, name) for name in TERMS}
    return _propose(actor, terms, reason, now, policy, Change.RETIRE)


def _propose(
    actor: User,
    terms: dict[str, Any],
    reason: str,
    now: datetime,
    replaces: ApprovalPolicy | None,
    change: Change,
) -> ApprovalPolicy:
    if not actor.can("policies.propose"):
        raise Refused("Only an administrator proposes rules.")
    _check_reason(reason)
    _check_terms(terms)
    if replaces and replaces.state != PolicyState.ACTIVE:
        raise Overtaken(f"Rule {replaces.pk} is not in force any more, so it cannot be changed.")
    proposed = ApprovalPolicy(
        **terms, change=change, replaces=replaces, reason=reason.strip(), proposed_by=actor, proposed_at=now
    )
    try:
        with transaction.atomic():
            proposed.save(force_insert=True)
            record(
                actor=actor,
                verb="policy.proposed",
                subject=proposed,
                at=now,
                before=terms_of(replaces) if replaces else None,
                after={**terms_of(proposed), "change": change, "replaces": replaces.pk if replaces else None},
                reason=proposed.reason,
            )
    except IntegrityError as error:
        raise Overtaken(
            "Another change of this rule waits for finance already. Withdraw it first."
        ) from error
    return proposed


def _check_terms(terms: dict[str, Any]) -> None:
    """What the database would refuse, in words; and a rule that can never apply."""
    auto = terms["mode"] == PolicyMode.AUTO
    if auto and not terms["currency"]:
        raise PolicyError("A rule that approves by itself names its currency.", field="currency")
    if auto and terms["max_monthly"] is None:
        raise PolicyError("A rule that approves by itself has a limit per month.", field="max_monthly")
    if auto and terms["max_setup"] is None:
        raise PolicyError("A rule that approves by itself has a limit for the set-up.", field="max_setup")
    for name in ("max_monthly", "max_setup"):
        if terms[name] is not None and terms[name] < 0:
            raise PolicyError("A limit is not below zero.", field=name)


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise PolicyError("Say why. It goes on record.", field="reason")
    if len(reason.strip()) > LONGEST_REASON:
        raise PolicyError(f"Keep the reason to {LONGEST_REASON} characters.", field="reason")


def confirm_policy(*, actor: User, policy: ApprovalPolicy, fingerprint: str, now: datetime) -> None:
    """Put a proposal in force as it was shown (`fingerprint`); the rule it replaces ends in the same moment."""
    _check_confirmer(actor, policy)
    policy.refresh_from_db()
    if policy.state != PolicyState.PROPOSED:
        raise _decided(policy)
    if fingerprint_of(policy) != fingerprint:
        raise Overtaken("The rule has changed since you opened this page. Look at it as it is now.")
    ends = policy.change == Change.RETIRE
    with transaction.atomic():
        if policy.replaces_id:
            old = ApprovalPolicy.objects.filter(pk=policy.replaces_id, state=PolicyState.ACTIVE)
            if old.update(state=PolicyState.RETIRED, retired_at=now) != 1:
                policy.refresh_from_db()
                if policy.state != PolicyState.PROPOSED:  # somebody confirmed it at the same moment
                    raise _decided(policy)
                raise Overtaken(f"Rule {policy.replaces_id} is not in force any more.")
        state = PolicyState.RETIRED if ends else PolicyState.ACTIVE
        _decide(policy, actor, state, "policy.retired" if ends else "policy.confirmed", "", now)


def reject_policy(*, actor: User, policy: ApprovalPolicy, reason: str, now: datetime) -> None:
    """Turn a proposal down; the rules stay as they are."""
    _check_confirmer(actor, policy)
    _check_reason(reason)
    with transaction.atomic():
        _decide(policy, actor, PolicyState.REJECTED, "policy.rejected", reason.strip(), now)


def withdraw_policy(*, actor: User, policy: ApprovalPolicy, now: datetime) -> None:
    """Take a proposal back; any administrator may."""
    if not actor.can("policies.propose"):
        raise Refused("Only an administrator withdraws a proposal.")
    with transaction.atomic():
        _decide(policy, actor, PolicyState.WITHDRAWN, "policy.withdrawn", "", now)


def _check_confirmer(actor: User, policy: ApprovalPolicy) -> None:
    if not actor.can("policies.confirm"):
        raise Refused("Only finance confirms rules.")
    if actor.pk == policy.proposed_by_id:
        raise Refused("You proposed it yourself, so somebody else has to confirm it.")


def _decide(
    policy: ApprovalPolicy, actor: User, state: PolicyState, verb: str, reason: str, now: datetime
) -> None:
    """One conditional UPDATE: of two at once the second is told who was first."""
    waits = ApprovalPolicy.objects.filter(pk=policy.pk, state=PolicyState.PROPOSED)
    if waits.update(state=state, decided_by=actor, decided_at=now, decision_reason=reason) != 1:
        policy.refresh_from_db()
        raise _decided(policy)
    policy.refresh_from_db()
    record(
        actor=actor,
        verb=verb,
        subject=policy,
        at=now,
        before={"state": PolicyState.PROPOSED},
        after={
            "state": state,
            "scope": scope_of(policy),
            "mode": policy.mode,
            "replaces": policy.replaces_id,
        },
        reason=reason,
    )


def _decided(policy: ApprovalPolicy) -> Overtaken:
    """The error for who comes second: who was first, when, and what they decided."""
    who, at = policy.decided_by, when(policy.decided_at)
    return Overtaken(f"{who} has decided on it already, on {at}: {policy.get_state_display().lower()}.")


def set_budget(
    *,
    actor: User,
    cost_centre: str,
    currency: str,
    month: date,
    amount: Decimal | None,
    reason: str,
    now: datetime,
) -> Budget:
    """Set what a cost centre may commit per month from `month` on; no amount ends the budget."""
    if not actor.can("budgets.edit"):
        raise Refused("Only finance sets budgets.")
    _check_reason(reason)
    if amount is not None and amount < 0:
        raise PolicyError("A budget is not below zero.", field="amount")
    row = Budget(
        cost_centre=cost_centre.strip(),
        currency=currency,
        month=month.replace(day=1),
        amount=amount,  # type: ignore[misc]
        set_by=actor,
        set_at=now,
        reason=reason.strip(),
    )
    with transaction.atomic():
        row.save(force_insert=True)
        record(
            actor=actor,
            verb="budget.set",
            subject=row,
            at=now,
            after={
                "cost_centre": row.cost_centre,
                "currency": currency,
                "month": row.month.isoformat(),
                "amount": None if amount is None else format(amount.normalize(), "f"),
            },
            reason=row.reason,
        )
    return row


def stop(*, actor: User, reason: str, now: datetime) -> Stop:
    """Stop all buying and cancelling at once; what is being sent this moment finishes."""
    if not actor.can("orders.stop"):
        raise Refused("Only an administrator stops buying and cancelling.")
    _check_reason(reason)
    try:
        with transaction.atomic():
            made = Stop.objects.create(reason=reason.strip(), stopped_by=actor, stopped_at=now)
            record(actor=actor, verb="orders.stopped", subject=made, at=now, reason=made.reason)
    except IntegrityError as error:
        raise Overtaken("Buying and cancelling are stopped already.") from error
    return made


def lift(*, actor: User, stop_id: int, reason: str, now: datetime) -> None:
    """Let orders be carried out again."""
    if not actor.can("orders.stop"):
        raise Refused("Only an administrator lifts the stop.")
    _check_reason(reason)
    with transaction.atomic():
        on = Stop.objects.filter(pk=stop_id, open_mark=True)
        ended = {"lifted_by": actor, "lifted_at": now, "lift_reason": reason.strip(), "open_mark": None}
        if on.update(**ended) != 1:
            raise Overtaken("This stop has been lifted already.")
        made = Stop.objects.get(pk=stop_id)
        record(actor=actor, verb="orders.resumed", subject=made, at=now, reason=reason.strip())
