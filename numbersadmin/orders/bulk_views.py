"""Ordering the first so many numbers of a search at once: why and for whom, then one order of them all."""

import logging
from datetime import datetime

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from numbersadmin.numbers.selectors import cost_centres_in_use
from numbersadmin.orders import confirmation, selectors, services, tasks
from numbersadmin.orders.ask_views import submitted_words
from numbersadmin.orders.confirmation import Promise
from numbersadmin.orders.forms import PurchaseForm
from numbersadmin.orders.ledger import month_of, purchase_ledgers
from numbersadmin.orders.models import Order
from numbersadmin.orders.services import OrderError
from numbersadmin.web import HtmxRequest, require

logger = logging.getLogger(__name__)


@require("orders.submit")
@require_POST
def order_bulk(request: HtmxRequest) -> HttpResponse:
    """From the page that found them comes what was shown, sealed; with a reason it is an order."""
    now, token = timezone.now(), request.POST.get("form_token", "").replace("\0", "")
    if first := confirmation.order_made_by(request.user, token):
        return redirect("order", first.pk)
    try:
        promise = confirmation.unseal(request.POST.get("shown", ""), user=request.user, form_token=token)
    except OrderError as error:
        logger.warning("a bulk confirmation by %s was not as we made it", request.user.username)
        services.note_altered_form(actor=request.user, subject=request.user, now=now)
        return render(request, "orders/bulk_refused.html", {"error": error}, status=422)
    if "reason" not in request.POST:
        return _confirm(request, PurchaseForm(viewer=request.user), promise, now)
    form = PurchaseForm(request.POST, viewer=request.user)
    if form.is_valid() and (order := _submit(request, form, promise, now)):
        return redirect("order", order.pk)
    return _confirm(request, form, promise, now)


def _submit(request: HtmxRequest, form: PurchaseForm, promise: Promise, now: datetime) -> Order | None:
    """Make the order, or say in the form why not. Every price is read again at approval and before buying."""
    try:
        confirmation.check_read(promise, now)
        order = services.submit_purchase(
            actor=request.user,
            quotes=list(promise.quotes.values()),
            form_token=promise.form_token,
            search=promise.search or {},
            now=now,
            **form.facts(),
        )
    except OrderError as error:
        if first := confirmation.order_made_by(request.user, promise.form_token):  # made meanwhile
            return first
        form.refuse(error)
        return None
    tasks.enqueue_order(order)
    tasks.tell_what_happened()
    messages.success(request, submitted_words(order))
    return order


def _confirm(request: HtmxRequest, form: PurchaseForm, promise: Promise, now: datetime) -> HttpResponse:
    quotes = list(promise.quotes.values())
    form.promise(promise.form_token, request.POST.get("shown", ""))
    context = {
        "form": form,
        "quotes": quotes,
        "again": confirmation.search_url(promise),
        "read_at": min(quote.read_at for quote in quotes),
        "ledgers": purchase_ledgers(quotes, now),
        "month": month_of(now),
        "approvers": [one for one in selectors.approvers() if one != request.user],
        "cost_centres": cost_centres_in_use(),
    }
    return render(request, "orders/bulk.html", context, status=422 if form.errors else 200)
