"""The pages of exchange rates."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from numbersadmin.costs import rates as kept
from numbersadmin.costs import selectors
from numbersadmin.costs.ledger import State
from numbersadmin.costs.months import Month
from numbersadmin.costs.rate_forms import RateForm
from numbersadmin.web import HtmxRequest, require


@require("costs.view")
@require_GET
def rates(request: HtmxRequest) -> HttpResponse:
    """Every rate that was entered, by month."""
    known = selectors.records(timezone.now())
    rows = [(row, Month.parse(row.month)) for row in kept.entered()]
    context = {
        "rows": [(row, month, known.state(month) is State.CLOSED) for row, month in rows],
        "may_edit": request.user.can("costs.rates"),
    }
    return render(request, "costs/rates.html", context)


@require("costs.rates")
@require_http_methods(["GET", "POST"])
def set_rate(request: HtmxRequest) -> HttpResponse:
    """Enter or change a rate."""
    now = timezone.now()
    known = selectors.records(now)
    names = ("month", "from_currency", "to_currency")
    start = {"month": str(known.current)} | {
        name: request.GET[name] for name in names if request.GET.get(name)
    }
    form = RateForm(request.POST if request.method == "POST" else None, known=known, initial=start)
    if form.is_valid():
        try:
            kept.set_rate(actor=request.user, now=now, **form.facts())
        except kept.CannotSetRate as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Set. Reports in one currency use it from now on.")
            return redirect("rates")
    return render(request, "costs/set_rate.html", {"form": form}, status=422 if form.errors else 200)
