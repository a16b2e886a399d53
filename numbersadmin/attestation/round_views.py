"""The pages of rounds: their record and its export, and what administrators do: start, extend, close."""

from django.contrib import messages
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from numbersadmin import export
from numbersadmin.attestation import record, selectors, services, tasks
from numbersadmin.attestation.errors import AttestationError
from numbersadmin.attestation.forms import ExtendForm, ReasonForm
from numbersadmin.attestation.models import WAITING, Round, Sheet
from numbersadmin.attestation.views import BOTH
from numbersadmin.web import HtmxRequest, require


@require("attestation.view_all")
@require_safe
def round_page(request: HtmxRequest, round_id: int) -> HttpResponse:
    found = get_object_or_404(selectors.rounds(), pk=round_id)
    manages = bool(found.open_mark) and request.user.can("attestation.manage")
    context = {
        "round": found,
        "sheets": selectors.sheet_summaries(selectors.sheets_in(found)),
        "groups": [group for group in selectors.groups_of(found.lines.all()).values() if group.count],
        "handing": selectors.waiting_hand_overs(found)[: selectors.SHOWN] if found.open_mark else [],
        "may_close": manages and bool(found.ready_at),
    }
    return render(request, "attestation/round.html", context)


@require("attestation.view_all")
@require_GET
def export_csv(request: HtmxRequest, round_id: int) -> StreamingHttpResponse:
    """Every number of a round with its decisions, as a file."""
    found = get_object_or_404(Round, pk=round_id)
    rows = export.rows_csv(record.EXPORT_FIELDS, record.export_rows(found))
    response = StreamingHttpResponse((row.encode() for row in rows), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="attestation-{found.pk}.csv"'
    return response


@require("attestation.manage")
@require_http_methods(BOTH)
def start(request: HtmxRequest) -> HttpResponse:
    """Start a round now, without waiting for the schedule."""
    error: AttestationError | None = None
    if request.method == "POST":
        try:
            found = services.open_round(actor=request.user, now=timezone.now())
        except AttestationError as refused:
            error = refused
        else:
            tasks.after_opening()
            messages.success(request, "Started. The sheets are ready in a minute.")
            return redirect("attestation-round", found.pk)
    context = {"facts": selectors.start_facts(), "error": error, "due_on": services.due_on(timezone.now())}
    return render(request, "attestation/start.html", context, status=409 if error else 200)


@require("attestation.manage")
@require_http_methods(BOTH)
def close(request: HtmxRequest, round_id: int) -> HttpResponse:
    """Close a round as it stands."""
    found = get_object_or_404(Round, pk=round_id)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            services.close(actor=request.user, found=found, now=timezone.now(), **form.cleaned_data)
        except AttestationError as error:
            form.refuse(error)
        else:
            messages.success(request, "Closed. It is a record now.")
            return redirect("attestation-round", found.pk)
    context = {
        "round": found,
        "form": form,
        "waiting": found.sheets.filter(state__in=WAITING).count(),
        "handing": selectors.waiting_hand_overs(found).count(),
    }
    return render(request, "attestation/close.html", context, status=422 if form.errors else 200)


@require("attestation.manage")
@require_http_methods(BOTH)
def extend(request: HtmxRequest, sheet_id: int) -> HttpResponse:
    """Give the owner of a sheet more time."""
    found = get_object_or_404(Sheet.objects.select_related("round", "owner"), pk=sheet_id)
    if found.state not in WAITING:
        raise Http404(f"sheet {sheet_id} waits for nobody")
    form = ExtendForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            services.extend(actor=request.user, sheet=found, now=timezone.now(), **form.cleaned_data)
        except AttestationError as error:
            form.refuse(error)
        else:
            messages.success(request, "They have more time, and are reminded again.")
            return redirect("attestation-round", found.round_id)
    context = {"sheet": found, "round": found.round, "form": form}
    return render(request, "attestation/extend.html", context, status=422 if form.errors else 200)
