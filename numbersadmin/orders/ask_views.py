"""Asking for numbers, and asking to give one back: the pages that confirm what is asked for."""

import logging
from datetime import datetime

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from numbersadmin.numbers.models import OwnedNumber, Status
from numbersadmin.numbers.selectors import cost_centres_in_use
from numbersadmin.orders import confirmation, selectors, services, tasks
from numbersadmin.orders.forms import CancelForm, PurchaseForm
from numbersadmin.orders.ledger import cancel_ledgers, month_of, next_month_of
from numbersadmin.orders.models import Order, Timing
from numbersadmin.orders.quotes import Offer, Quote
from numbersadmin.orders.selectors import cancel_warnings
from numbersadmin.orders.services import MOST_ITEMS, OrderError, OutOfDate
from numbersadmin.orders.timing import month_end
from numbersadmin.orders.views import BOTH
from numbersadmin.provider.client import get_provider
from numbersadmin.web import HtmxRequest, require

logger = logging.getLogger(__name__)

# A new order -----------------------------------------------------------------------------------------------------


@require("orders.submit")
@require_http_methods(BOTH)
def order_new(request: HtmxRequest) -> HttpResponse:
    now, sent = timezone.now(), request.POST if request.method == "POST" else None
    token = str(sent.get("form_token", "")) if sent is not None else ""
    if first := confirmation.order_made_by(request.user, token.replace("\0", "")):
        return redirect("order", first.pk)
    try:
        offers = confirmation.offers_of((request.GET if sent is None else sent).getlist("offer"))
    except ValueError as error:
        raise Http404(str(error)) from error
    if not 0 < len(offers) <= MOST_ITEMS:
        context = {"count": len(offers), "most": MOST_ITEMS}
        return render(request, "orders/nothing.html", context, status=422 if offers or sent else 200)
    form = PurchaseForm(sent, viewer=request.user)
    if sent is not None:
        return _submit(request, form, offers, now)
    known = confirmation.remembered(request.session, now)
    page = confirmation.confirmation(provider=get_provider(), offers=offers, now=now, known=known)
    confirmation.remember(request.session, page)
    return _confirm(request, form, page, now)


def _submit(request: HtmxRequest, form: PurchaseForm, offers: list[Offer], now: datetime) -> HttpResponse:
    """Make the order if what was confirmed is still what is offered, else show both."""
    token, promise, problem = str(form.data.get("form_token", "")), None, None
    try:
        promise = confirmation.unseal(
            str(form.data.get("shown", "")), user=request.user, form_token=token, offers=offers
        )
    except OrderError as error:
        logger.warning("a confirmation by %s was not as we made it", request.user.username)
        services.note_altered_form(actor=request.user, subject=request.user, now=now)
        problem = error
    shown = promise.quotes if promise else {}
    page = confirmation.confirmation(provider=get_provider(), offers=offers, now=now, promised=shown)
    try:
        if problem or promise is None:
            raise problem or OutOfDate(confirmation.ALTERED)
        confirmation.check(promise, page, now)
        if form.is_valid():
            order = services.submit_purchase(
                actor=request.user, quotes=page.quotes, form_token=token, now=now, **form.facts()
            )
            tasks.enqueue_order(order)
            messages.success(request, submitted_words(order))
            return redirect("order", order.pk)
    except OrderError as error:
        if first := confirmation.order_made_by(request.user, token.replace("\0", "")):  # made meanwhile
            return redirect("order", first.pk)
        form.refuse(error)
    return _confirm(request, form, page, now, status=422)


def submitted_words(order: Order) -> str:
    """What became of an order that was just sent."""
    buying = order.kind == "purchase"
    if order.mode == "auto" and not order.finance_needed:
        return f"Order {order.pk} is approved by its rule. {'Buying' if buying else 'Cancelling'} now."
    return f"Order {order.pk} is sent for approval. Nothing is {'bought' if buying else 'cancelled'} yet."


def _confirm(
    request: HtmxRequest,
    form: PurchaseForm,
    page: confirmation.Confirmation,
    now: datetime,
    status: int = 200,
) -> HttpResponse:
    token = confirmation.new_token()
    form.promise(token, confirmation.seal(request.user, token, page.quotes, now))
    context = {
        "page": page,
        "form": form,
        "now": now,
        "month": month_of(now),
        "approvers": [one for one in selectors.approvers() if one != request.user],
        "cost_centres": cost_centres_in_use(),
    }
    return render(request, "orders/new.html", context, status=status)


# Cancelling a number ---------------------------------------------------------------------------------------------


@require("orders.submit")
@require_http_methods(BOTH)
def cancel_number(request: HtmxRequest, number_id: int) -> HttpResponse:
    now = timezone.now()
    owned = get_object_or_404(OwnedNumber.objects.select_related("owner"), pk=number_id)
    sent = request.POST if request.method == "POST" else None
    fresh = {"form_token": confirmation.new_token(), "timing": Timing.MONTH_END}
    form = CancelForm(sent, number=owned.number, initial=fresh)
    if form.is_valid():
        try:
            order = services.submit_cancel(actor=request.user, owned=owned, now=now, **form.cleaned_data)
        except OrderError as error:
            form.refuse(error)
        else:
            tasks.enqueue_order(order)
            messages.success(request, submitted_words(order))
            return redirect("order", order.pk)
    context = {
        "owned": owned,
        "form": form,
        "ended": owned.status == Status.ENDED,
        "order_id": selectors.live_cancels([owned.pk]).get(owned.pk),
        "ledgers": cancel_ledgers([Quote.of_owned(owned, now)], now),
        "month": month_of(now),
        "next_month": next_month_of(now),
        "cancel_on": month_end(now),
        "warnings": cancel_warnings(owned),
        "approvers": [one for one in selectors.approvers() if one != request.user],
    }
    return render(request, "orders/cancel.html", context, status=422 if form.errors else 200)
