"""The pages of bulk changes: what is to become of many numbers, the preview, how far it is, and undoing it."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from numbersadmin.numbers import bulk_applying, bulk_planning, bulk_undo, selectors, tasks
from numbersadmin.numbers.bulk import Left
from numbersadmin.numbers.bulk_forms import WHAT, BulkForm, Selection
from numbersadmin.numbers.models import BulkChange, BulkState, OwnedNumber
from numbersadmin.web import HtmxRequest, require, wants_fragment

CHANGES = 50  # listed


@require("numbers.edit_own")
@require_http_methods(["GET", "POST"])
def change_numbers(request: HtmxRequest) -> HttpResponse:
    """What is to become of the numbers chosen on the list; sending it makes the preview."""
    data = request.POST if request.method == "POST" else request.GET
    selection = Selection.of(data)
    what = data.get("what", "owner")
    if what not in WHAT:
        raise Http404
    form = BulkForm(request.POST if request.method == "POST" else None, what=what)
    if what == "protection" and not request.user.can("numbers.protect"):
        raise PermissionDenied("Only an approver or finance protects numbers.")
    if form.is_valid() and (draft := _planned(request, form, selection)):
        return redirect("bulk-change", draft.pk)
    context = {
        "form": form,
        "what": what,
        "kinds": _kinds(selection, what, request.user.can("numbers.protect")),
        "selection": selection,
        "count": selection.found.order_by().count(),
        "cost_centres": selectors.cost_centres_in_use(),
    }
    return render(request, "numbers/change.html", context, status=422 if form.errors else 200)


def _planned(request: HtmxRequest, form: BulkForm, selection: Selection) -> BulkChange | None:
    """The draft, or None and why there is none in the form."""
    try:
        return bulk_planning.plan_change(
            actor=request.user,
            found=selection.found,
            wanted=form.wanted(),
            back=selection.query[:2000],
            now=timezone.now(),
        )
    except bulk_planning.TooMany as problem:
        form.add_error(None, str(problem))
        return None


def _kinds(selection: Selection, what: str, may_protect: bool) -> list[dict[str, Any]]:
    """Links to the same numbers with another thing to change."""
    query = QueryDict(mutable=True)
    for name, value in selection.fields:
        query.appendlist(name, str(value))
    offered = [key for key in WHAT if key != "protection" or may_protect]
    return [
        {"text": WHAT[key], "url": f"/numbers/change/?what={key}&{query.urlencode()}", "current": key == what}
        for key in offered
    ]


@require("numbers.view")
@require_GET
@vary_on_headers("HX-Request")
def bulk_change(request: HtmxRequest, change_id: int) -> HttpResponse:
    """A preview for whoever made it; once confirmed, for all: how far it is and what became of it."""
    change = get_object_or_404(BulkChange.objects.select_related("actor", "undoes"), pk=change_id)
    if change.state == BulkState.DRAFT:
        if change.actor_id != request.user.pk:
            raise Http404
        return _preview(request, change)
    return _progress(request, change)


def _preview(request: HtmxRequest, change: BulkChange, problem: str = "") -> HttpResponse:
    context = {
        "change": change,
        "preview": change.preview,
        "problem": problem,
        "reason": request.POST.get("reason", ""),
        "needs_reason": "protection" in change.wanted,
        "at_once": change.planned <= bulk_applying.AT_ONCE,
        "untouched": sum(count for _, count in change.preview.get("left", [])),
    }
    return render(request, "numbers/preview.html", context, status=422 if problem else 200)


def _progress(request: HtmxRequest, change: BulkChange) -> HttpResponse:
    moved = [] if not change.left else _left(change)
    moved += _named(change.preview.get("moved", []))
    context = {
        "change": change,
        "preview": change.preview,
        "done": change.changed + change.left,
        "running": change.state == BulkState.WAITING,
        "moved": moved,
        "why_not": bulk_undo.why_not(request.user, change),
        "undone": change.undoings.filter(state__in=[BulkState.WAITING, BulkState.DONE]).first(),
    }
    fragment = wants_fragment(request)
    return render(request, "numbers/_bulk.html" if fragment else "numbers/bulk.html", context)


def _left(change: BulkChange, most: int = 50) -> list[dict[str, Any]]:
    """The first of those that were planned but left as they are after all."""
    found: list[list[Any]] = []
    for left in change.batches.exclude(left=[]).order_by("pk").values_list("left", flat=True)[:most]:
        found += left
    return _named(found[:most])


def _named(left: list[list[Any]]) -> list[dict[str, Any]]:
    numbers = OwnedNumber.objects.in_bulk([pk for pk, _ in left])
    return [{"id": pk, "number": numbers[pk].number, "why": Left(why).label} for pk, why in left]


@require("numbers.bulk")
@require_POST
def confirm_change(request: HtmxRequest, change_id: int) -> HttpResponse:
    """Do what was previewed: a small change at once, a large one by the worker."""
    change = get_object_or_404(
        BulkChange.objects.select_related("actor", "undoes"), pk=change_id, actor=request.user
    )
    try:
        reason = request.POST.get("reason", "").replace("\0", "")
        bulk_applying.confirm(actor=request.user, change=change, reason=reason, now=timezone.now())
    except bulk_applying.NotConfirmed as problem:
        if not BulkChange.objects.filter(pk=change.pk, state=BulkState.DRAFT).exists():
            return redirect("bulk-change", change.pk)
        return _preview(request, change, str(problem))
    if change.planned <= bulk_applying.AT_ONCE:
        bulk_applying.carry_out(change_id=change.pk, clock=timezone.now)
    else:
        tasks.enqueue(change)
    return redirect("bulk-change", change.pk)


@require("numbers.bulk")
@require_POST
def undo_change(request: HtmxRequest, change_id: int) -> HttpResponse:
    """Plan to give each number back what it had, and show that."""
    change = get_object_or_404(BulkChange.objects.select_related("actor"), pk=change_id)
    try:
        undo = bulk_undo.plan_undo(actor=request.user, change=change, now=timezone.now())
    except bulk_undo.CannotUndo as problem:
        raise PermissionDenied(str(problem)) from problem
    return redirect("bulk-change", undo.pk)


@require("numbers.view")
@require_GET
def bulk_changes(request: HtmxRequest) -> HttpResponse:
    """The bulk changes that were confirmed, newest first."""
    made = BulkChange.objects.exclude(state=BulkState.DRAFT).select_related("actor", "undoes")
    context = {"changes": made.order_by("-confirmed_at", "-pk")[:CHANGES], "most": CHANGES}
    return render(request, "numbers/changes.html", context)
