"""The pages for those who answer: what is asked of them, their sheet, its answer, numbers handed to them."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from numbersadmin.attestation import selectors, services, tasks
from numbersadmin.attestation.errors import AttestationError, Refused
from numbersadmin.attestation.forms import KEEP_REST, AnswerForm, ChoiceForm, chosen_ids
from numbersadmin.attestation.models import Choice, Sheet
from numbersadmin.attestation.opening import next_period, today
from numbersadmin.web import HtmxRequest, require

BOTH = ["GET", "HEAD", "POST"]
MOST_HANDED = 200
EARLIER = 12


@require("attestation.answer")
@require_safe
def overview(request: HtmxRequest) -> HttpResponse:
    return _overview(request)


def _overview(request: HtmxRequest, error: AttestationError | None = None) -> HttpResponse:
    person, found = request.user, selectors.open_round()
    asks = selectors.asks_of(person)
    context = {
        "round": found,
        "next": None if found else next_period(today(timezone.now())),
        "asks": selectors.sheet_summaries(asks.sheets),
        "handed": selectors.rows_of(list(selectors.handed_to(person)[:MOST_HANDED])),
        "handed_count": asks.handed,
        "mine": selectors.sheets_of(person)[:EARLIER],
        "rounds": selectors.rounds()[:EARLIER] if person.can("attestation.view_all") else [],
        "may_start": person.can("attestation.manage") and not found,
        "error": error,
    }
    return render(request, "attestation/overview.html", context, status=_status(error))


def _status(error: AttestationError | None) -> int:
    return 200 if error is None else 403 if isinstance(error, Refused) else 409


@require("attestation.answer")
@require_POST
def handed(request: HtmxRequest) -> HttpResponse:
    """Take over, or refuse, what others handed over to this person."""
    ids, now = chosen_ids(request.POST.getlist("line")), timezone.now()
    try:
        if request.POST.get("do") == "refuse":
            reason = request.POST.get("reason", "")
            lines = services.refuse(actor=request.user, line_ids=ids, reason=reason, now=now)
            tasks.after_refusal(lines)
            messages.success(request, f"{_numbers(len(lines))} not taken over. The owner is told why.")
        else:
            taken = services.take_over(actor=request.user, line_ids=ids, now=now)
            if taken.numbers:
                messages.success(request, f"{_numbers(len(taken.numbers))} taken over. They are yours now.")
            for words in taken.void:
                messages.warning(request, words)
    except AttestationError as error:
        return _overview(request, error)
    return redirect("attestation")


def _numbers(count: int) -> str:
    return f"{count} number{'s' * (count != 1)}"


# A sheet ---------------------------------------------------------------------------------------------------------


def _sheet(request: HtmxRequest, sheet_id: int) -> Sheet:
    """A sheet that this person may see; one of somebody else's is not there for them."""
    found = get_object_or_404(Sheet.objects.select_related("round", "owner", "answered_by"), pk=sheet_id)
    if not selectors.may_see(request.user, found):
        raise Http404(f"there is no sheet {sheet_id}")
    return found


@require("attestation.answer")
@require_safe
def sheet(request: HtmxRequest, sheet_id: int) -> HttpResponse:
    return _show(request, _sheet(request, sheet_id))


def _show(request: HtmxRequest, found: Sheet, form: ChoiceForm | None = None) -> HttpResponse:
    person, show = request.user, request.GET.get("show", "")
    may = selectors.may_answer(person, found) and bool(found.round.ready_at)
    groups = selectors.groups_of(found.lines.all())
    context = {
        "sheet": found,
        "round": found.round,
        "page": selectors.sheet_page(found, show, request.GET.get("page", "1")),
        "groups": [group for group in groups.values() if group.count or (may and group.key != "skipped")],
        "count": sum(group.count for group in groups.values()),
        "left": groups[selectors.NOT_CHOSEN].count,
        "tabs": _tabs(groups, show),
        "query": request.GET,
        "form": form or _form(request, found),
        "may_answer": may,
        "may_extend": person.can("attestation.manage") and found.state in ("open", "overdue"),
        "mine": found.owner_id == person.pk,
        "sums": (("monthly", "Per month"),),
        "ticked": chosen_ids(request.POST.getlist("line")),
    }
    return render(request, "attestation/sheet.html", context, status=422 if form else 200)


def _form(request: HtmxRequest, found: Sheet, data: Any = None) -> ChoiceForm:
    may_give_back = request.user.can("orders.give_back")
    start = {"choice": Choice.KEEP}
    return ChoiceForm(data, initial=start, owner_id=found.owner_id, may_give_back=may_give_back)


def _tabs(groups: dict[str, selectors.Group], show: str) -> list[dict[str, Any]]:
    items = [{"text": "All", "url": "?", "current": show not in groups}]
    return items + [
        {
            "text": group.words,
            "url": f"?show={key}",
            "current": key == show,
            "count": group.count,
            "hot": key == selectors.NOT_CHOSEN,
        }
        for key, group in groups.items()
        if group.count or key == show
    ]


@require("attestation.answer")
@require_POST
def choose(request: HtmxRequest, sheet_id: int) -> HttpResponse:
    """Note a choice for the ticked numbers, or for all without one; nothing happens yet."""
    found = _sheet(request, sheet_id)
    form = _form(request, found, request.POST)
    facts: dict[str, Any] = {"choice": Choice.KEEP, "rest": True}
    if KEEP_REST not in request.POST:
        if not form.is_valid():
            return _show(request, found, form)
        facts = {**form.cleaned_data, "line_ids": chosen_ids(request.POST.getlist("line"))}
    try:
        count = services.note_choice(actor=request.user, sheet=found, now=timezone.now(), **facts)
    except Refused as error:
        raise PermissionDenied(str(error)) from error
    except AttestationError as error:
        form.is_valid()
        form.refuse(error)
        return _show(request, found, form)
    messages.success(request, f"Noted for {_numbers(count)}. Nothing happens before you answer.")
    query = request.GET.urlencode()
    return redirect(f"{reverse('attestation-sheet', args=[found.pk])}{'?' if query else ''}{query}")


@require("attestation.answer")
@require_http_methods(BOTH)
def answer(request: HtmxRequest, sheet_id: int) -> HttpResponse:
    """What answering does, and doing it."""
    found = _sheet(request, sheet_id)
    error: AttestationError | None = None
    if request.method == "POST":
        form = AnswerForm(request.POST)
        version = form.cleaned_data["version"] if form.is_valid() else 0
        try:
            made = services.answer(actor=request.user, sheet=found, version=version, now=timezone.now())
        except AttestationError as refused:
            error = refused
            found.refresh_from_db()
        else:
            tasks.after_answer(found, made)
            messages.success(request, "Answered. What you decided is on record.")
            return redirect("attestation-sheet", found.pk)
    context = {
        "sheet": found,
        "round": found.round,
        "seen": selectors.preview(found),
        "may_answer": selectors.may_answer(request.user, found) and bool(found.round.ready_at),
        "approvers": selectors.approvers(request.user),
        "error": error,
        "mine": found.owner_id == request.user.pk,
    }
    return render(request, "attestation/answer.html", context, status=_status(error))
