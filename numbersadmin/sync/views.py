"""The sync pages: health and runs, one run, what a run holds, and the button that starts one."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from numbersadmin.formats import waited
from numbersadmin.sync import releasing, selectors, services, tasks
from numbersadmin.sync.forms import HeldForm
from numbersadmin.sync.health import health
from numbersadmin.sync.held import held_page
from numbersadmin.sync.models import HeldDecision, RunStatus, SyncRun
from numbersadmin.sync.report import report
from numbersadmin.web import HtmxRequest, require, wants_fragment


@require("sync.view")
@require_GET
@vary_on_headers("HX-Request")
def runs(request: HtmxRequest) -> HttpResponse:
    """How current our data is, and every run."""
    now = timezone.now()
    state = selectors.state(now)
    context = {
        "now": now,
        "state": state,
        "health": health(state, now),
        "page": selectors.run_page(request.GET.get("page"), now),
        "interval": selectors.interval() if selectors.is_scheduled() else None,
        "may_start": request.user.can("sync.start"),
    }
    return render(request, "sync/_runs.html" if wants_fragment(request) else "sync/runs.html", context)


@require("sync.view")
@require_GET
@vary_on_headers("HX-Request")
def run(request: HtmxRequest, run_id: int) -> HttpResponse:
    """What one run found; while it runs, how far it is."""
    now = timezone.now()
    seen = get_object_or_404(SyncRun.objects.select_related("started_by", "released_run"), pk=run_id)
    context = {
        "now": now,
        "run": seen,
        "report": report(seen, now, request.user),
        "running": selectors.running(now) == seen,
        "may_start": request.user.can("sync.start"),
    }
    return render(request, "sync/_run.html" if wants_fragment(request) else "sync/run.html", context)


@require("sync.start")
@require_POST
def start(request: HtmxRequest) -> HttpResponse:
    """Start a run in the background and show it; one under way is shown instead."""
    now = timezone.now()
    try:
        begun = services.start(actor=request.user, now=now)
    except services.AlreadyRunning as already:
        messages.info(request, f"A sync has been running for {waited(already.run.started_at, now)}.")
        return redirect("sync-run", already.run.pk)
    if not tasks.enqueue(begun):
        services.give_up(
            run=begun,
            status=RunStatus.FAILED,
            now=timezone.now(),
            error="The background worker cannot be reached, so nothing was read. Try again later.",
        )
    return redirect("sync-run", begun.pk)


@require("sync.view")
@require_GET
def held(request: HtmxRequest, run_id: int) -> HttpResponse:
    """The numbers that a run would have ended; who may, releases or rejects them here."""
    return _held(request, get_object_or_404(SyncRun, pk=run_id, status=RunStatus.GUARDED), HeldForm())


@require("sync.release")
@require_POST
def decide_held(request: HtmxRequest, run_id: int) -> HttpResponse:
    """Release or reject what a run holds; released numbers are looked up in the background."""
    run = get_object_or_404(SyncRun, pk=run_id, status=RunStatus.GUARDED)
    form = HeldForm(request.POST)
    if not form.is_valid():
        return _held(request, run, form)
    decision = HeldDecision(form.cleaned_data["decision"])
    try:
        releasing.decide(
            actor=request.user,
            run=run,
            decision=decision,
            reason=form.cleaned_data["reason"],
            now=timezone.now(),
        )
    except releasing.CannotDecide as problem:
        form.add_error(None, str(problem))
        return _held(request, run, form)
    if decision == HeldDecision.RELEASE:
        tasks.enqueue_release()
    return redirect("sync-held", run.pk)


def _held(request: HtmxRequest, run: SyncRun, form: HeldForm) -> HttpResponse:
    context = {
        "run": run,
        "form": form,
        "held": held_page(run, request.GET.get("page")),
        "may_release": request.user.can("sync.release"),
    }
    return render(request, "sync/held.html", context, status=422 if form.errors else 200)
