"""The sync pages: health and runs, one run, and the button that starts one."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from numbersadmin.formats import waited
from numbersadmin.sync import selectors, services, tasks
from numbersadmin.sync.models import RunStatus, SyncRun
from numbersadmin.sync.report import report
from numbersadmin.web import HtmxRequest, require, wants_fragment


@require("sync.view")
@require_GET
@vary_on_headers("HX-Request")
def runs(request: HtmxRequest) -> HttpResponse:
    """How current our data is, and every run."""
    now = timezone.now()
    context = {
        "now": now,
        "state": selectors.state(now),
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
    seen = get_object_or_404(SyncRun.objects.select_related("started_by"), pk=run_id)
    context = {
        "now": now,
        "run": seen,
        "report": report(seen, now),
        "running": selectors.running(now) == seen,
        "may_assign": request.user.can("numbers.edit_own"),
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
