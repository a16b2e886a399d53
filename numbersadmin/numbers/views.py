"""The pages of owned numbers: the list, one number, and whose it is."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import EmptyPage
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers

from numbersadmin.formats import e164
from numbersadmin.money import days_in_month, prorate
from numbersadmin.numbers import history, protection, selectors, since
from numbersadmin.numbers.forms import EditForm, NumberFilterForm, ProtectForm, page_number, query_of
from numbersadmin.numbers.models import OwnedNumber, Status
from numbersadmin.numbers.selectors import NOBODY, NumberFilter
from numbersadmin.numbers.services import NumberHasMoved, assign
from numbersadmin.web import HtmxRequest, require, wants_fragment


@require("numbers.view")
@require_GET
@vary_on_headers("HX-Request")
def list_numbers(request: HtmxRequest) -> HttpResponse:
    """The owned numbers that fit the filters, with what they cost together."""
    form = NumberFilterForm(request.GET, selectors.choices())
    wanted = form.wanted()
    sent = request.GET.get("page", "1")
    number = page_number(sent)
    try:
        found = selectors.number_list(wanted, number or 0)
    except EmptyPage:
        found, number = selectors.number_list(wanted, 1), None
    context = {
        "form": form,
        "wanted": wanted,
        "digits": selectors.digits_of(wanted.q),
        "found": found,
        "total_label": f"All {found.count:,} matching, per month",
        "page": found.page,
        "no_such_page": None if number else sent,
        "filtered": wanted != NumberFilter(sort=wanted.sort),
        "views": _views(wanted, request.user.username),
        "query": request.GET,
        "selected_query": query_of(wanted),
        **_may(request.user),
    }
    fragment = wants_fragment(request)
    response = render(request, "numbers/_table.html" if fragment else "numbers/list.html", context)
    if fragment:
        query = query_of(wanted, page=found.page.number)
        response["HX-Push-Url"] = f"{request.path}?{query}" if query else request.path
    return response


def _may(person: Any) -> dict[str, bool]:
    """What the bar offers this person to do with the ticked numbers."""
    return {"may_edit": person.can("numbers.edit_own"), "may_protect": person.can("numbers.protect")}


def _views(wanted: NumberFilter, username: str) -> list[dict[str, Any]]:
    """The views everybody has, as chips; each is a filter and nothing else."""
    offered = [
        ("All", NumberFilter()),
        ("Mine", NumberFilter(owner=username)),
        ("No owner", NumberFilter(owner=NOBODY)),
        ("Missing", NumberFilter(state=Status.MISSING)),
        ("Ended", NumberFilter(state=Status.ENDED)),
    ]
    return [
        {"text": text, "url": f"/numbers/?{query_of(view)}", "current": query_of(view) == query_of(wanted)}
        for text, view in offered
    ]


@require("numbers.view")
@require_GET
def number(request: HtmxRequest, number_id: int) -> HttpResponse:
    """One possession of a number: its facts, its price, and the life of the phone number."""
    owned = get_object_or_404(OwnedNumber.objects.select_related("owner"), pk=number_id)
    every = selectors.possessions(owned)
    context = {
        "owned": owned,
        "copied": e164(owned.number),
        "acquired": since.acquired(owned),
        "acquired_sentence": since.acquired_sentence(owned),
        "ended": since.ended(owned.end_basis, owned.ended_from, owned.ended_to) if owned.ended_to else "",
        "first_month_hint": _first_month_hint(owned),
        "others": [one for one in every if one.pk != owned.pk],
        "timeline": history.timeline(every),
        "most_events": history.MOST,
        "may_edit": selectors.may_edit(request.user, owned),
        "may_protect": request.user.can("numbers.protect") and owned.status != Status.ENDED,
        "may_cancel": request.user.can("orders.submit") and owned.status != Status.ENDED,
    }
    return render(request, "numbers/detail.html", context)


def _first_month_hint(owned: OwnedNumber) -> str:
    """`18 of 31 days in July` when the provider's first price is just that share of the month."""
    day = since.billing_day(owned.acquired_at)
    if owned.initial_month_price is None:
        return "The provider did not tell"
    if day is None or owned.price_per_month is None:
        return "As the provider stated it"
    of_days = days_in_month(day)
    days = of_days - day.day + 1
    if owned.initial_month_price == prorate(owned.price_per_month, days, of_days):
        return f"{days} of {of_days} days in {day:%B %Y}"
    return f"For {day:%B %Y}, as the provider stated it"


@require("numbers.view")
@require_GET
def by_number(request: HttpRequest, digits: str) -> HttpResponse:
    """The newest record of a phone number."""
    owned = selectors.newest(selectors.digits_of(digits))
    if owned is None:
        raise Http404
    return redirect("number", number_id=owned.pk)


@require("numbers.edit_own")
@require_http_methods(["GET", "POST"])
def edit(request: HtmxRequest, number_id: int) -> HttpResponse:
    """Owner, cost centre and labels of one number."""
    owned = get_object_or_404(OwnedNumber.objects.select_related("owner"), pk=number_id)
    if not selectors.may_edit(request.user, owned):
        raise PermissionDenied(_why_not(owned))
    form = EditForm(request.POST or None, owned=owned, cost_centres=selectors.cost_centres_in_use())
    if form.is_valid() and _assigned(request, owned, form):
        return redirect("number", number_id=owned.pk)
    context = {"owned": owned, "form": form, "acquired_sentence": since.acquired_sentence(owned)}
    return render(request, "numbers/edit.html", context, status=422 if form.errors else 200)


def _assigned(request: HtmxRequest, owned: OwnedNumber, form: EditForm) -> bool:
    """Save what the form says; what somebody else did since it was opened goes before."""
    wanted = form.cleaned_data
    owned.version = wanted["version"]
    try:
        changed = assign(
            actor=request.user,
            numbers=[owned],
            owner=wanted["owner"],
            cost_centre=wanted["cost_centre"],
            labels=wanted["labels"],
            reason=wanted["reason"],
            now=timezone.now(),
        )
    except NumberHasMoved as moved:
        form.add_error(None, str(moved))
        return False
    messages.success(request, "Saved" if changed else "Nothing was changed")
    return True


def _why_not(owned: OwnedNumber) -> str:
    if owned.status == Status.ENDED:
        return "This number is no longer ours, so its record stays as it is."
    return f"This number belongs to {owned.owner}. They, an approver or finance can change it."


@require("numbers.protect")
@require_http_methods(["GET", "POST"])
def protect(request: HtmxRequest, number_id: int) -> HttpResponse:
    """Protect a number, or take its protection off; the version keeps one from undoing what one did not see."""
    owned = get_object_or_404(OwnedNumber.objects.select_related("protected_by"), pk=number_id)
    form = ProtectForm(request.POST or None)
    if form.is_valid():
        owned.version = form.cleaned_data["version"]
        change = protection.unprotect if owned.protected_at else protection.protect
        try:
            change(actor=request.user, owned=owned, reason=form.cleaned_data["reason"], now=timezone.now())
        except (protection.NotProtected, NumberHasMoved) as problem:
            form.add_error(None, str(problem))
        else:
            return redirect("number", number_id=owned.pk)
    context = {"owned": owned, "form": form, "may_unprotect": owned.protected_by_id != request.user.pk}
    return render(request, "numbers/protect.html", context, status=422 if form.errors else 200)
