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
from numbersadmin.money import minor_units, rounded
from numbersadmin.policies.models import ApprovalPolicy, Budget, Change, PolicyMode, PolicyState, Stop

LONGEST_REASON = 500
TERMS = ("kind", "country", "currency", "max_monthly", "max_setup", "mode")
LIMITS = ("max_monthly", "max_setup")


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
    return terms | {name: _exact(terms[name]) for name in LIMITS}


def _exact(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount.normalize(), "f")


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
    if replaces and change == Change.CHANGE and terms_of(proposed) == terms_of(replaces):
        raise PolicyError(f"Rule {replaces.pk} says exactly this already.")
    try:
        with transaction.atomic():
            proposed.save(force_insert=True)
            record(
                actor=actor,
                verb="policy.proposed",
                subject=proposed,
                at=now,
                reason=proposed.reason,
                **_proposed(proposed),
            )
    except IntegrityError as error:
        first = ApprovalPolicy.objects.filter(replaces=replaces, state=PolicyState.PROPOSED).first()
        if replaces is None or first is None:
            raise
        raise Overtaken(
            f"A change of rule {replaces.pk} by {first.proposed_by.display_name} waits for finance already, "
            f"since {when(first.proposed_at)}. Withdraw it first."
        ) from error
    return proposed


def _proposed(policy: ApprovalPolicy) -> dict[str, Any]:
    """Before and after of a proposal, as the log keeps them: of a change only the terms that differ."""
    new, old = terms_of(policy), terms_of(policy.replaces) if policy.replaces else {}
    changed = [name for name in TERMS if new[name] != old.get(name, "")]
    told = {"change": policy.change, "replaces": policy.replaces_id}
    return {
        "before": {name: old[name] for name in changed} if old else None,
        "after": {name: new[name] for name in changed} | told,
    }


def _check_terms(terms: dict[str, Any]) -> None:
    """What the database would refuse, in words; and a rule that can never apply."""
    auto = terms["mode"] == PolicyMode.AUTO
    if auto and not terms["currency"]:
        raise PolicyError("A rule that approves by itself names its currency.", field="currency")
    if auto and terms["max_monthly"] is None:
        raise PolicyError("A rule that approves by itself has a limit per month.", field="max_monthly")
    if auto and terms["max_setup"] is None:
        raise PolicyError("A rule that approves by itself has a limit for the set-up.", field="max_setup")
    for name in LIMITS:
        if terms[name] is None:
            continue
        if terms[name] < 0:
            raise PolicyError("A limit is not below zero.", field=name)
        if not terms["currency"]:
            raise PolicyError("An amount needs a currency: say which one.", field="currency")
        _check_shown_exactly(terms[name], terms["currency"], name)


def _check_shown_exactly(amount: Decimal, currency: str, field: str) -> None:
    """Pages round to what the currency has; what a person confirms must be what counts."""
    if rounded(amount, currency) != amount:
        decimals = minor_units(currency) or "no"
        raise PolicyError(f"{currency} has {decimals} decimals, so write no more.", field=field)


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
    with transaction.atomic():
        if policy.change == Change.RETIRE:
            _decide(policy, actor, PolicyState.RETIRED, "", "", now)
        else:
            _decide(policy, actor, PolicyState.ACTIVE, "policy.confirmed", "", now)
        if policy.replaces:
            _end(policy.replaces, policy, actor, now)


def _end(old: ApprovalPolicy, by: ApprovalPolicy, actor: User, now: datetime) -> None:
    """A rule is no longer in force, because a change of it or its end was confirmed."""
    if not _move(old, PolicyState.ACTIVE, state=PolicyState.RETIRED, retired_at=now):
        raise Overtaken(f"Rule {old.pk} is not in force any more.")
    before = {"state": PolicyState.ACTIVE, **terms_of(old)}
    after = {"state": PolicyState.RETIRED}
    facts = {"subject": old, "related": by, "at": now, "reason": by.reason}
    record(actor=actor, verb="policy.retired", before=before, after=after, **facts)


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
    """Of two at once the second is told who was first. Without a verb the caller records what it meant."""
    decided = {"decided_by": actor, "decided_at": now, "decision_reason": reason}
    if not _move(policy, PolicyState.PROPOSED, state=state, **decided):
        policy.refresh_from_db()
        raise _decided(policy)
    if verb:
        after = {"state": state, **terms_of(policy), "replaces": policy.replaces_id}
        before = {"state": PolicyState.PROPOSED}
        record(actor=actor, verb=verb, subject=policy, at=now, before=before, after=after, reason=reason)


def _move(policy: ApprovalPolicy, old: PolicyState, **fields: Any) -> bool:
    """One conditional UPDATE; False when it is no longer in that state."""
    if ApprovalPolicy.objects.filter(pk=policy.pk, state=old).update(**fields) != 1:
        return False
    for name, value in fields.items():
        setattr(policy, name, value)
    return True


def _decided(policy: ApprovalPolicy) -> Overtaken:
    """The error for who comes second: who was first, when, and what they decided."""
    who, at = policy.decided_by, when(policy.decided_at)
    said = "confirmed" if policy.state in (PolicyState.ACTIVE, PolicyState.RETIRED) else policy.state
    name = who.display_name if who else "Somebody"
    return Overtaken(f"{name} has decided on it already, on {at}: {said}. Nothing more to do.")


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
    if amount is not None:
        if amount < 0:
            raise PolicyError("A budget is not below zero.", field="amount")
        _check_shown_exactly(amount, currency, "amount")
    row = Budget(
        cost_centre=" ".join(cost_centre.split()),
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
                "amount": _exact(amount),
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
        first = Stop.objects.filter(open_mark=True).select_related("stopped_by").first()
        who = f" by {first.stopped_by.display_name}, since {when(first.stopped_at)}" if first else ""
        raise Overtaken(f"Buying and cancelling are stopped already{who}.") from error
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
            raise _lifted(stop_id)
        made = Stop.objects.get(pk=stop_id)
        record(actor=actor, verb="orders.resumed", subject=made, at=now, reason=reason.strip())


def _lifted(stop_id: int) -> Overtaken:
    ended = Stop.objects.filter(pk=stop_id).select_related("lifted_by").first()
    if ended is None or ended.lifted_by is None:
        return Overtaken("There is no such stop. Look at the page as it is now.")
    return Overtaken(f"{ended.lifted_by.display_name} lifted this stop already, on {when(ended.lifted_at)}.")
