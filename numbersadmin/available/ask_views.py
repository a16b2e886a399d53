"""The pages on which a spare number is asked for, and on which that is answered."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from numbersadmin.available import asking, asks
from numbersadmin.available.forms import AnswerForm, AskForm
from numbersadmin.available.models import Ask, AskState
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.numbers.services import NumberHasMoved
from numbersadmin.web import HtmxRequest, require

ACTS: dict[str, Callable[..., None]] = {
    "give": asking.give,
    "refuse": asking.refuse,
    "withdraw": asking.withdraw,
}


@require("numbers.edit_own")
@require_http_methods(["GET", "POST"])
def ask(request: HtmxRequest, number_id: int) -> HttpResponse:
    """Ask for a number that nobody uses, with what it is needed for."""
    owned = get_object_or_404(OwnedNumber.objects.select_related("owner"), pk=number_id)
    form = AskForm(request.POST or None)
    if form.is_valid():
        reason = form.cleaned_data["reason"]
        try:
            asking.ask_for(actor=request.user, owned=owned, reason=reason, now=timezone.now())
        except asking.CannotAsk as problem:
            form.add_error(None, str(problem))
        else:
            messages.success(request, "Asked for. An approver or finance answers.")
            return redirect("asked-for")
    context = {"owned": owned, "form": form, "problem": asking.why_not_spare(owned)}
    return render(request, "available/ask.html", context, status=422 if form.errors else 200)


@require("numbers.edit_own")
@require_GET
def asked_for(request: HtmxRequest) -> HttpResponse:
    """What waits for an answer, and how one's own were answered."""
    context = {
        "asks": asks.open_asks(request.user),
        "answered": asks.answered(request.user),
        "gives": request.user.can("numbers.edit"),
    }
    return render(request, "available/asked.html", context)


@require("numbers.edit_own")
@require_http_methods(["GET", "POST"])
def answer(request: HtmxRequest, ask_id: int) -> HttpResponse:
    """Give the number, refuse it, or take back what one asked."""
    one = get_object_or_404(Ask.objects.select_related("owned_number__owner", "asked_by"), pk=ask_id)
    form = AnswerForm(request.POST or None)
    if form.is_valid():
        sent = form.cleaned_data
        try:
            ACTS[sent["act"]](actor=request.user, ask=one, answer=sent["answer"], now=timezone.now())
        except (asking.CannotAsk, NumberHasMoved) as problem:
            form.add_error(None, str(problem))
        else:
            messages.success(request, "Saved")
            return redirect("asked-for")
    context = {
        "ask": one,
        "form": form,
        "problem": asking.why_not_spare(one.owned_number),
        "gives": request.user.can("numbers.edit"),
        "mine": one.asked_by_id == request.user.pk,
        "open": one.state == AskState.OPEN,
    }
    return render(request, "available/answer.html", context, status=422 if form.errors else 200)
