"""The pages on which a month is closed, on which one sees how it was, and on which it is opened again."""

import json
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from numbersadmin.costs import closing, reopening, rules, tasks
from numbersadmin.costs.close_forms import CloseForm, ReasonForm
from numbersadmin.costs.closing import AlreadyClosed, CannotClose, Moved, Revision
from numbersadmin.costs.corrected import as_corrected
from numbersadmin.costs.digest import totals_in
from numbersadmin.costs.ledger import Records, State
from numbersadmin.costs.models import AskState, ReopenAsk
from numbersadmin.costs.months import Month
from numbersadmin.costs.reopening import CannotReopen
from numbersadmin.costs.views import on_record
from numbersadmin.formats import money_text
from numbersadmin.money import ZERO, Totals
from numbersadmin.web import HtmxRequest, require

BOTH = ["GET", "HEAD", "POST"]


@require("costs.close")
@require_http_methods(BOTH)
@on_record
def close(request: HtmxRequest, known: Records, month: Month) -> HttpResponse:
    """The checklist and the figures; confirmed, the month is closed with exactly these."""
    if known.state(month) is State.CLOSED:
        if request.method == "POST":
            messages.warning(request, str(AlreadyClosed(known.closes[month])))
        return redirect("costs-closed", month=str(month))
    form = CloseForm(request.POST if request.method == "POST" else None)
    problem, shown = "", form.cleaned_data["shown"] if form.is_valid() else None
    if shown is not None:
        try:
            tasks.after(closing.close(month=month, shown=shown, actor=request.user, now=timezone.now()))
            messages.success(request, f"{month.label} is closed.")
            return redirect("costs-closed", month=str(month))
        except AlreadyClosed as first:
            messages.warning(request, str(first))
            return redirect("costs-closed", month=str(month))
        except (CannotClose, Moved) as error:
            problem = str(error)
    return _ask_to_close(request, known, month, problem or _first(form), shown)


def _first(form: CloseForm) -> str:
    return str(next((text for errors in form.errors.values() for text in errors), ""))


def _ask_to_close(
    request: HtmxRequest, known: Records, month: Month, problem: str, shown: dict[str, Any] | None
) -> HttpResponse:
    found = closing.review(known, month, timezone.now())
    facts = found.figures.facts
    context = {
        "month": month,
        "month_url": f"/costs/{month}/",
        "review": found,
        "shown": json.dumps(facts),
        "problem": problem,
        "moved": _moved(shown, facts) if shown is not None else [],
        "revision": known.closes[month].revision + 1 if month in known.closes else 1,
    }
    return render(request, "costs/close.html", context, status=409 if problem else 200)


def _moved(shown: dict[str, Any], facts: dict[str, Any]) -> list[str]:
    """In words, what is not as it was on the page that was confirmed."""
    now, then = totals_in(facts["totals"]), totals_in(shown["totals"])
    told = [
        f"{currency}: {money_text(then.get(currency), currency)} was shown, "
        f"it is {money_text(now.get(currency), currency)} now."
        for currency in sorted({*then, *now})
        if then.get(currency) != now.get(currency)
    ]
    if shown.get("lines") != facts["lines"]:
        told.append(f"{facts['lines']} charges now, another number was shown.")
    return told


@require("costs.view")
@require_GET
@on_record
def closed(request: HtmxRequest, known: Records, month: Month) -> HttpResponse:
    """How a month was closed: every revision, what was corrected since, and whether its lines still stand."""
    found = closing.revisions(month)
    last = next((one for one in reversed(found) if one.row.sha256), None)
    checked = closing.verify(month) if "check" in request.GET else None
    context = {
        "month": month,
        "month_url": f"/costs/{month}/",
        "revisions": found,
        "last": last,
        "totals": _compared(last, as_corrected(known, month)) if last else [],
        "rules": rules.in_words(last.row.assumptions) if last else [],
        "reopened": known.state(month) is State.REOPENED,
        "asked": reopening.waiting(month),
        "checked": checked,
        "stands": checked is not None and all(map(all, checked.values())),
    }
    return render(request, "costs/closed.html", context)


def _compared(closed: Revision, corrected: Totals) -> list[tuple[str, Decimal | None, Decimal]]:
    """Currency, as closed, as corrected; None where nothing was known, as far as the close can tell."""
    nothing = None if closed.row.unpriced else ZERO
    return [
        (code, closed.totals.get(code, nothing), corrected.get(code, ZERO))
        for code in sorted({*closed.totals, *corrected})
    ]


@require("costs.close")
@require_http_methods(BOTH)
@on_record
def reopen(request: HtmxRequest, known: Records, month: Month) -> HttpResponse:
    """Ask for a second person to open a closed month again."""
    if asked := reopening.waiting(month):
        return redirect("costs-reopening", ask_id=asked.pk)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            reason = form.cleaned_data["reason"]
            made = reopening.ask(month=month, reason=reason, actor=request.user, now=timezone.now())
            tasks.after(made)
            messages.success(request, "Asked. Another person decides.")
            return redirect("costs-reopening", ask_id=made.pk)
        except CannotReopen as problem:
            form.add_error(None, str(problem))
    possible = known.state(month) is State.CLOSED
    context = {"month": month, "month_url": f"/costs/{month}/", "form": form, "possible": possible}
    return render(request, "costs/reopen.html", context, status=422 if form.errors else 200)


@require("costs.reopen")
@require_http_methods(BOTH)
def decide(request: HtmxRequest, ask_id: int) -> HttpResponse:
    """A request to reopen a month: who did not ask confirms or refuses, who asked may withdraw."""
    asked = get_object_or_404(ReopenAsk.objects.select_related("asked_by", "decided_by"), pk=ask_id)
    month, problem = Month.parse(asked.month), ""
    reason = request.POST.get("reason", "").replace("\0", "")
    if request.method == "POST":
        try:
            _decided(request, asked, reason)
            tasks.after(asked)
            return redirect("costs-closed", month=asked.month)
        except CannotReopen as error:
            problem = str(error)
            asked.refresh_from_db()
    context = {
        "asked": asked,
        "month": month,
        "month_url": f"/costs/{month}/",
        "waits": asked.state == AskState.OPEN,
        "own": asked.asked_by_id == request.user.pk,
        "reason": reason,
        "problem": problem,
    }
    return render(request, "costs/reopening.html", context, status=409 if problem else 200)


def _decided(request: HtmxRequest, asked: ReopenAsk, reason: str) -> None:
    """Do what the button says. Raises CannotReopen."""
    now, label = timezone.now(), Month.parse(asked.month).label
    match request.POST.get("act"):
        case "confirm":
            reopening.confirm(asked=asked, actor=request.user, now=now)
            messages.success(request, f"{label} is open for corrections.")
        case "refuse":
            reopening.refuse(asked=asked, reason=reason, actor=request.user, now=now)
            messages.success(request, f"{label} stays closed.")
        case "withdraw":
            reopening.withdraw(asked=asked, actor=request.user, now=now)
            messages.success(request, f"{label} stays closed.")
        case _:
            raise CannotReopen("Choose what to do.")
