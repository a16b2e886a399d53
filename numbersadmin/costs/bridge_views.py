"""Pages behind the figures of a month: the numbers behind one bar, and the forecast of the month ahead."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from numbersadmin.costs import selectors
from numbersadmin.costs.bridge import Part
from numbersadmin.costs.changed import changed_numbers
from numbersadmin.costs.ledger import Records, State
from numbersadmin.costs.months import Month
from numbersadmin.costs.views import on_record
from numbersadmin.costs.waterfall import words
from numbersadmin.web import HtmxRequest, require


@require("costs.view")
@require_GET
def part(request: HtmxRequest, month: str) -> HttpResponse:
    """The numbers for which a month costs more or less than the one before, for one reason or for all."""
    known = selectors.records(timezone.now())
    try:
        wanted = Month.parse(month)
    except ValueError:
        return render(request, "costs/no_month.html", {"known": known}, status=404)
    if wanted != known.current.next and not known.on_record(wanted.previous):
        context = {"known": known, "month": wanted.previous, "state": known.state(wanted.previous)}
        return render(request, "costs/no_month.html", context)
    chosen = request.GET.get("part", "")
    reason = Part(chosen) if chosen in set(Part) else None
    currency = request.GET.get("cur", "")
    ahead = known.state(wanted) is State.NOT_STARTED
    context = {
        "month": wanted,
        "ahead": ahead,
        "above": f"/costs/{known.current}/forecast/" if ahead else f"/costs/{wanted}/",
        "heading": words(reason, wanted) if reason else "All differences",
        "one_reason": reason is not None,
        "found": changed_numbers(known, wanted, currency, reason, request.GET.get("page", "1")),
        "query": request.GET,
    }
    return render(request, "costs/bridge.html", context)


@require("costs.view")
@require_GET
@on_record
def forecast(request: HtmxRequest, known: Records, month: Month) -> HttpResponse:
    """What the next month will cost, and why it differs from this one."""
    if month != known.current:
        return redirect(f"/costs/{known.current}/forecast/")
    page = selectors.forecast_page(known, request.GET.get("cur", ""), timezone.now())
    return render(request, "costs/forecast.html", {"page": page})
