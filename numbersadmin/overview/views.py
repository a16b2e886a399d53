"""The front page, the probes, and the page of the sandbox."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from numbersadmin.overview import sandbox_control, selectors
from numbersadmin.overview.forms import MisbehaveForm, OutsideForm
from numbersadmin.overview.probes import readiness
from numbersadmin.web import HtmxRequest, require


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "ok"})


@login_not_required
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    found = readiness(timezone.now())
    return JsonResponse(found.facts(), status=200 if found.ready else 503)


@require("overview.view")
@require_safe
def overview(request: HtmxRequest) -> HttpResponse:
    now = timezone.now()
    return render(
        request, "overview/overview.html", {"front": selectors.front_page(request.user, now), "now": now}
    )


@require("overview.view")
@require_safe
def styleguide(request: HtmxRequest) -> HttpResponse:
    if not settings.DEBUG:
        raise Http404
    return render(request, "overview/styleguide.html")


@require("sandbox.control")
@require_http_methods(["GET", "HEAD", "POST"])
def sandbox(request: HtmxRequest) -> HttpResponse:
    if not settings.SANDBOX:
        raise Http404
    what = request.POST.get("what", "")
    misbehave = MisbehaveForm(request.POST if what == "misbehave" else None)
    outside = OutsideForm(request.POST if what == "outside" else None)
    context: dict[str, Any] = {
        "misbehave": misbehave,
        "outside": outside,
        "state": None,
        "problem": "",
        "now": timezone.now(),
    }
    try:
        if said := play(what, misbehave, outside):
            messages.success(request, said)
            return redirect("sandbox")
        context["state"] = sandbox_control.state()
    except sandbox_control.SandboxSaysNo as no:
        context["problem"] = str(no)
    refused = misbehave.errors or outside.errors or context["problem"]
    return render(request, "overview/sandbox.html", context, status=422 if refused and what else 200)


def play(what: str, misbehave: MisbehaveForm, outside: OutsideForm) -> str:
    """Do what the page asked the sandbox for and say what was done; nothing when the form is not in order."""
    if what == "behave":
        sandbox_control.behave()
        return "The sandbox behaves again."
    if what == "misbehave" and misbehave.is_valid():
        sandbox_control.misbehave(**misbehave.cleaned_data)
        return "The sandbox will misbehave on the next such call."
    if what == "outside" and outside.is_valid():
        given = outside.cleaned_data
        if given["act"] == "price":
            sandbox_control.change_price(number=given["number"], price=str(given["price"]))
        else:
            sandbox_control.act_outside(act=given["act"], number=given["number"])
        return "Done at the provider. The next sync will find it."
    return ""
