"""The pages of corrections: what is proposed and was posted, entering one, and charges without a price."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from numbersadmin.costs import late, waiving
from numbersadmin.costs.charges import Kind
from numbersadmin.costs.close_forms import AmountForm, CorrectionForm, ReasonForm
from numbersadmin.costs.ledger import Records, State, entry_of
from numbersadmin.costs.lines import ROWS, line_of
from numbersadmin.costs.models import LedgerLine
from numbersadmin.costs.months import Month
from numbersadmin.costs.posting import CannotCorrect, post_correction
from numbersadmin.costs.selectors import records
from numbersadmin.costs.views import on_record
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.web import HtmxRequest, require

BOTH = ["GET", "HEAD", "POST"]
PROPOSED = 100
"""So many proposals are shown one by one; all of them can be posted together."""


@require("costs.view")
@require_GET
def corrections(request: HtmxRequest) -> HttpResponse:
    """What was learned about closed months and is not posted, and every correction that was."""
    known = records(timezone.now())
    found = late.proposals(known)
    posted = LedgerLine.objects.filter(kind=Kind.ADJUSTMENT).select_related("posted_by").order_by("-id")
    page = Paginator(posted, ROWS).get_page(request.GET.get("page", "1"))
    context = {
        "proposals": found[:PROPOSED],
        "more": len(found) - PROPOSED if len(found) > PROPOSED else 0,
        "count": len(found),
        "all": late.mark_of(found),
        "totals": late.totals_of(found),
        "takes": known.to_close,
        "otherwise": known.closed_otherwise,
        "page": page,
        "rows": [(line_of(entry_of(row), known.calendar), row) for row in page.object_list],
        "query": request.GET,
    }
    return render(request, "costs/corrections.html", context)


@require("costs.correct")
@require_POST
def post_late(request: HtmxRequest) -> HttpResponse:
    """Post one proposal, or all that were shown."""
    now = timezone.now()
    try:
        mark = request.POST.get("mark", "")
        count = late.post(known=records(now), mark=mark, actor=request.user, now=now)
        messages.success(request, f"{count} correction{'s' * (count != 1)} posted.")
    except CannotCorrect as problem:
        messages.warning(request, str(problem))
    return redirect("costs-corrections")


@require("costs.correct")
@require_http_methods(BOTH)
def correct(request: HtmxRequest) -> HttpResponse:
    """Enter a correction; it is posted in the earliest month that is not closed."""
    known = records(timezone.now())
    start = {name: request.GET.get(name, "") for name in ("number", "month", "currency")}
    start["month"] = start["month"] or str(known.to_close or known.current)
    form = CorrectionForm(request.POST if request.method == "POST" else None, known=known, initial=start)
    if form.is_valid() and _corrected(request, known, form):
        return redirect("costs-corrections")
    context = {"form": form, "takes": known.to_close}
    return render(request, "costs/correct.html", context, status=422 if form.errors else 200)


def _corrected(request: HtmxRequest, known: Records, form: CorrectionForm) -> bool:
    sent: dict[str, Any] = form.cleaned_data
    try:
        posted = post_correction(
            known=known,
            subject=sent["number"],
            amount=sent["amount"],
            currency=sent["currency"],
            reason=sent["reason"],
            corrects=sent["month"],
            form_token=sent["form_token"],
            actor=request.user,
            now=timezone.now(),
        )
    except CannotCorrect as problem:
        form.add_error(None, str(problem))
        return False
    messages.success(request, f"Posted in {Month.parse(posted.month).label}.")
    return True


@require("costs.view")
@require_GET
@on_record
def unpriced(request: HtmxRequest, known: Records, month: Month) -> HttpResponse:
    """The charges of a month without an amount, and what was decided on each."""
    context = {"month": month, "month_url": f"/costs/{month}/", "found": waiving.unpriced(known, month)}
    return render(request, "costs/unpriced.html", context)


@require("costs.correct")
@require_http_methods(BOTH)
@on_record
def price(request: HtmxRequest, known: Records, month: Month, number_id: int) -> HttpResponse:
    """Say what a charge without a price cost, or why the month may be closed without knowing it."""
    owned = get_object_or_404(OwnedNumber, pk=number_id)
    found = [one for one in waiving.unpriced(known, month) if one.line.subject.id == owned.pk]
    if not found:
        raise Http404
    waiving_it = request.POST.get("act") == "waive"
    sent = request.POST if request.method == "POST" else None
    cost_form = AmountForm(None if waiving_it else sent)
    reason_form = ReasonForm(sent if waiving_it else None, auto_id="waive_%s")
    form = reason_form if waiving_it else cost_form
    if form.is_valid() and _priced(request, known, month, owned, found[0], form):
        return redirect("costs-unpriced", month=str(month))
    context = {
        "month": month,
        "month_url": f"/costs/{month}/",
        "owned": owned,
        "found": found,
        "waiver": found[0].waiver,
        "closed": known.state(month) is State.CLOSED,
        "takes": known.to_close,
        "cost_form": cost_form,
        "reason_form": reason_form,
    }
    return render(request, "costs/price.html", context, status=422 if form.errors else 200)


def _priced(
    request: HtmxRequest,
    known: Records,
    month: Month,
    owned: OwnedNumber,
    found: waiving.Unpriced,
    form: ReasonForm,
) -> bool:
    """Do what the form says; why it could not be done is put on the form."""
    sent, who = form.cleaned_data, {"actor": request.user, "now": timezone.now()}
    try:
        if isinstance(form, AmountForm):
            cost = {name: sent[name] for name in ("amount", "currency", "reason", "form_token")}
            waiving.say_cost(known=known, month=month, subject=found.line.subject, owned=owned, **cost, **who)
            messages.success(request, "Posted.")
        else:
            waiving.waive(month=month, owned=owned, reason=sent["reason"], **who)
            messages.success(request, f"{month.label} may be closed without this price.")
    except (CannotCorrect, waiving.CannotWaive) as problem:
        form.add_error(None, str(problem))
        return False
    return True
