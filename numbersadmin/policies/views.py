"""The pages of policies: rules and their proposals, budgets, and the stop of all buying and cancelling."""

import re
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from numbersadmin.numbers.selectors import cost_centres_in_use
from numbersadmin.policies import selectors, services
from numbersadmin.policies.forms import BudgetForm, ConfirmForm, PolicyForm, ReasonForm
from numbersadmin.policies.models import ApprovalPolicy, PolicyState
from numbersadmin.policies.services import PolicyError, Refused
from numbersadmin.web import HtmxRequest, require

BOTH = ["GET", "HEAD", "POST"]
NUMBER = re.compile(r"[0-9]{1,18}")


@require("policies.view")
@require_safe
def overview(request: HtmxRequest) -> HttpResponse:
    person = request.user
    context = {
        "rules": selectors.in_words(selectors.active_policies()),
        "proposals": selectors.in_words(selectors.proposals()),
        "stop": selectors.current_stop(),
        "may_propose": person.can("policies.propose"),
        "may_stop": person.can("orders.stop"),
        "now": timezone.now(),
    }
    return render(request, "policies/overview.html", context)


@require("policies.view")
@require_safe
def policy(request: HtmxRequest, policy_id: int) -> HttpResponse:
    found = get_object_or_404(
        ApprovalPolicy.objects.select_related("replaces", "proposed_by", "decided_by"), pk=policy_id
    )
    return _show(request, found)


def _show(
    request: HtmxRequest, found: ApprovalPolicy, *, error: PolicyError | None = None, form: Any = None
) -> HttpResponse:
    person = request.user
    waits = found.state == PolicyState.PROPOSED
    confirms = waits and person.can("policies.confirm")
    context = {
        "policy": found,
        "heading": selectors.heading_of(found),
        "words": selectors.scope_of(found),
        "terms": selectors.terms_in_words(found),
        "fingerprint": services.fingerprint_of(found),
        "may_confirm": confirms and person.pk != found.proposed_by_id,
        "own": confirms and person.pk == found.proposed_by_id,
        "may_withdraw": waits and person.can("policies.propose"),
        "may_change": found.state == PolicyState.ACTIVE and person.can("policies.propose"),
        "confirmers": selectors.confirmers(found) if waits else [],
        "error": error,
        "form": form or ReasonForm(),
    }
    status = 403 if isinstance(error, Refused) else 409 if error else 422 if form else 200
    return render(request, "policies/policy.html", context, status=status)


@require("policies.propose")
@require_http_methods(BOTH)
def propose(request: HtmxRequest, policy_id: int | None = None) -> HttpResponse:
    """A new rule, or a change of one."""
    old = get_object_or_404(ApprovalPolicy, pk=policy_id) if policy_id else None
    form = PolicyForm(request.POST if request.method == "POST" else None, policy=old)
    if form.is_valid():
        try:
            made = services.propose_policy(
                actor=request.user,
                terms=form.terms(),
                reason=form.cleaned_data["reason"],
                replaces=old,
                now=timezone.now(),
            )
        except PolicyError as error:
            form.refuse(error)
        else:
            messages.success(request, "Proposed. It is in force when finance has confirmed it.")
            return redirect("policy", made.pk)
    context = {"form": form, "old": old}
    return render(request, "policies/propose.html", context, status=422 if form.errors else 200)


@require("policies.propose")
@require_http_methods(BOTH)
def retire(request: HtmxRequest, policy_id: int) -> HttpResponse:
    old = get_object_or_404(ApprovalPolicy, pk=policy_id)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        reason = form.cleaned_data["reason"]
        try:
            made = services.propose_retirement(
                actor=request.user, policy=old, reason=reason, now=timezone.now()
            )
        except PolicyError as error:
            form.refuse(error)
        else:
            messages.success(request, "Proposed. The rule ends when finance has confirmed it.")
            return redirect("policy", made.pk)
    context = {"form": form, "old": old, "words": selectors.scope_of(old)}
    return render(request, "policies/retire.html", context, status=422 if form.errors else 200)


@require("policies.confirm")
@require_POST
def confirm(request: HtmxRequest, policy_id: int) -> HttpResponse:
    found, form = get_object_or_404(ApprovalPolicy, pk=policy_id), ConfirmForm(request.POST)
    seen = form.cleaned_data["fingerprint"] if form.is_valid() else ""
    try:
        services.confirm_policy(actor=request.user, policy=found, fingerprint=seen, now=timezone.now())
    except PolicyError as error:
        return _show(request, found, error=error)
    messages.success(request, "Confirmed. It counts from now on.")
    return redirect("policies")


@require("policies.confirm")
@require_POST
def reject(request: HtmxRequest, policy_id: int) -> HttpResponse:
    found, form = get_object_or_404(ApprovalPolicy, pk=policy_id), ReasonForm(request.POST)
    if not form.is_valid():
        return _show(request, found, form=form)
    try:
        services.reject_policy(actor=request.user, policy=found, now=timezone.now(), **form.cleaned_data)
    except PolicyError as error:
        return _show(request, found, error=error)
    messages.success(request, "Rejected. The rules stay as they are.")
    return redirect("policies")


@require("policies.propose")
@require_POST
def withdraw(request: HtmxRequest, policy_id: int) -> HttpResponse:
    found = get_object_or_404(ApprovalPolicy, pk=policy_id)
    try:
        services.withdraw_policy(actor=request.user, policy=found, now=timezone.now())
    except PolicyError as error:
        return _show(request, found, error=error)
    messages.success(request, "Withdrawn.")
    return redirect("policies")


# Budgets ---------------------------------------------------------------------------------------------------------


def _billing_month(now: datetime) -> date:
    """The month that orders are compared in, whatever zone the person reads in."""
    return now.astimezone(ZoneInfo(settings.BILLING_TIME_ZONE)).date().replace(day=1)


@require("policies.view")
@require_safe
def budgets(request: HtmxRequest) -> HttpResponse:
    month = _billing_month(timezone.now())
    context = {
        "budgets": selectors.budgets_now(month),
        "history": selectors.budget_history(),
        "month": month,
        "may_edit": request.user.can("budgets.edit"),
    }
    return render(request, "policies/budgets.html", context)


@require("budgets.edit")
@require_http_methods(BOTH)
def set_budget(request: HtmxRequest) -> HttpResponse:
    now = timezone.now()
    start = {name: request.GET.get(name, "") for name in ("cost_centre", "currency")}
    start["month"] = f"{_billing_month(now):%Y-%m}"
    form = BudgetForm(request.POST if request.method == "POST" else None, initial=start)
    if form.is_valid():
        try:
            services.set_budget(actor=request.user, now=now, **form.facts())
        except PolicyError as error:
            form.refuse(error)
        else:
            messages.success(request, "Set. Orders are compared with it from now on.")
            return redirect("budgets")
    context = {"form": form, "cost_centres": cost_centres_in_use()}
    return render(request, "policies/set_budget.html", context, status=422 if form.errors else 200)


# The stop --------------------------------------------------------------------------------------------------------


@require("orders.stop")
@require_http_methods(BOTH)
def stop(request: HtmxRequest) -> HttpResponse:
    """Stop all buying and cancelling, or with a stop on, lift it."""
    on = selectors.current_stop()
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        facts = {"actor": request.user, "reason": form.cleaned_data["reason"], "now": timezone.now()}
        lifting = request.POST.get("lift", "")
        try:
            if lifting:
                services.lift(stop_id=int(lifting) if NUMBER.fullmatch(lifting) else 0, **facts)
            else:
                services.stop(**facts)
        except PolicyError as error:
            form.refuse(error)
        else:
            messages.success(request, "Orders are carried out again." if lifting else "Stopped.")
            return redirect("policies")
    context = {"form": form, "stop": on}
    return render(request, "policies/stop.html", context, status=422 if form.errors else 200)
