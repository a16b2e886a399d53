"""The pages of orders: the queue, a new order, one order with its decision, and the page that cancels a number."""

import logging
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from numbersadmin.formats import phone_intl
from numbersadmin.numbers.models import OwnedNumber, Status
from numbersadmin.numbers.selectors import cost_centres_in_use
from numbersadmin.orders import confirmation, repricing, selectors, services, tasks
from numbersadmin.orders.card import decision_card
from numbersadmin.orders.detail import OrderPage, order_page
from numbersadmin.orders.forms import LISTS, ApproveForm, CancelForm, PurchaseForm, RejectForm
from numbersadmin.orders.ledger import cancel_ledgers, month_of, next_month_of
from numbersadmin.orders.models import Order, State
from numbersadmin.orders.quotes import Offer, Quote
from numbersadmin.orders.services import (
    MOST_ITEMS,
    Approval,
    Incomplete,
    Moved,
    NotAllowed,
    OrderError,
    OutOfDate,
    PriceUnread,
)
from numbersadmin.orders.talk_views import talk_context
from numbersadmin.provider.client import get_provider
from numbersadmin.web import HtmxRequest, require, wants_fragment

logger = logging.getLogger(__name__)

BOTH = ["GET", "HEAD", "POST"]
WHOLE_PAGE = {"HX-Retarget": "#main", "HX-Reselect": "#main", "HX-Reswap": "outerHTML"}
REFUSALS: dict[type[OrderError], tuple[int, str]] = {  # what a refusal answers with, and its heading
    NotAllowed: (403, "You may not do this"),
    Incomplete: (422, "Nothing was changed"),
    PriceUnread: (503, "Nothing was decided"),
    Moved: (409, "Somebody was faster"),
    OrderError: (409, "Nothing was changed"),
}


# The queue -------------------------------------------------------------------------------------------------------


@require("orders.view")
@require_safe
def order_list(request: HtmxRequest) -> HttpResponse:
    viewer, now = request.user, timezone.now()
    usual = "mine" if viewer.can("orders.submit") and not viewer.can("orders.approve") else "open"
    state, q = request.GET.get("state") or usual, request.GET.get("q", "").replace("\0", "")[:100]
    if state not in LISTS:
        raise Http404(f"no list of orders is called {state}")
    tab = LISTS[state]
    page = selectors.order_rows(viewer=viewer, tab=tab, q=q, page=request.GET.get("page", "1"))
    context = {"page": page, "state": state, "tab": tab, "q": q, "now": now, "query": request.GET}
    if wants_fragment(request):
        return _varying(render(request, "orders/_table.html", context))
    context |= {"tabs": _tabs(request, state)}
    if tab == "waiting" and not q and page.number == 1:
        midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
        context["decided"] = selectors.decided_since(midnight)
    return _varying(render(request, "orders/list.html", context))


def _tabs(request: HtmxRequest, state: str) -> list[dict[str, Any]]:
    counts = selectors.tab_counts(request.user)
    waiting = selectors.waiting_for(request.user).count()
    return [
        {
            "text": selectors.TABS[tab],
            "url": f"?state={name}",
            "current": name == state,
            "count": counts.get(tab),
            "hot": tab == "waiting" and waiting,
        }
        for name, tab in LISTS.items()
    ]


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
            messages.success(request, f"Order {order.pk} is sent for approval. Nothing is bought yet.")
            return redirect("order", order.pk)
    except OrderError as error:
        form.refuse(error)
    return _confirm(request, form, page, now, status=422)


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


# One order -------------------------------------------------------------------------------------------------------


@require("orders.view")
@require_safe
def order_detail(request: HtmxRequest, order_id: int) -> HttpResponse:
    now = timezone.now()
    page = _page(request, order_id, now)
    if wants_fragment(request) and (page.working or page.may_decide):
        return _varying(render(request, "orders/_items.html", _facts(request, page, now)))
    response = _show(request, page, now)
    if wants_fragment(request):  # the work is over: the whole page is other than before
        for name, value in WHOLE_PAGE.items():
            response.headers[name] = value
    return response


def _page(request: HtmxRequest, order_id: int, now: datetime) -> OrderPage:
    page = order_page(order_id=order_id, viewer=request.user, now=now)
    if page is None:
        raise Http404(f"there is no order {order_id}")
    return page


def _show(
    request: HtmxRequest,
    page: OrderPage,
    now: datetime,
    *,
    error: OrderError | None = None,
    reject_form: RejectForm | None = None,
) -> HttpResponse:
    """The page of an order; the prices are read again for whoever may decide, unless they just could not be."""
    status, title = next(
        known for kind, known in REFUSALS.items() if isinstance(error or OrderError(""), kind)
    )
    asking = page.may_decide and not isinstance(error, PriceUnread)
    context = _facts(request, page, now) | {
        "card": decision_card(page, provider=get_provider() if asking else None, now=now),
        "error": error,
        "error_title": title,
        "reject_form": reject_form or RejectForm(),
        "heading": _heading(page),
        **talk_context(page.order, request.user, now),
    }
    if not error:
        status = 422 if reject_form else 200
    return _varying(render(request, "orders/order.html", context, status=status))


def _facts(request: HtmxRequest, page: OrderPage, now: datetime) -> dict[str, Any]:
    """What the page and its left side both need."""
    return {
        "page": page,
        "now": now,
        "month": month_of(now),
        "cancelling": page.order.kind == "cancel",
        "approver": request.user.can("orders.approve"),
        "may_order": request.user.can("orders.submit"),
    }


def _heading(page: OrderPage) -> str:
    """What the page is about: a question to whoever decides, what is going on, or the number alone."""
    buying = page.order.kind == "purchase"
    what = phone_intl(page.first.number) if page.total == 1 else f"{page.total} numbers"
    if page.may_decide:
        return f"{'Buy' if buying else 'Cancel'} {what}?"
    if page.counts.get(State.EXECUTING) or page.counts.get(State.APPROVED):
        return f"{'Buying' if buying else 'Cancelling'} {what}"
    return what if buying else f"Cancel {what}"


@require("orders.approve")
@require_POST
def approve(request: HtmxRequest, order_id: int) -> HttpResponse:
    now, form = timezone.now(), ApproveForm(request.POST)
    order = get_object_or_404(Order, pk=order_id)
    try:
        if not form.is_valid():
            raise OutOfDate("This form is not as we made it. Look at the order below, then decide.")
        result = services.approve(
            provider=get_provider(), actor=request.user, order=order, now=now, **form.cleaned_data
        )
    except OrderError as error:
        return _show(request, _page(request, order_id, now), now, error=error)
    tasks.enqueue(item.pk for item in result.approved)
    _tell(request, order, result)
    return redirect("order", order_id)


def _tell(request: HtmxRequest, order: Order, result: Approval) -> None:
    """Say what the approval came to; what went wrong stands on the page itself."""
    if not result.approved:
        return
    what = (
        phone_intl(result.approved[0].number)
        if len(result.approved) == 1
        else f"{len(result.approved)} numbers"
    )
    doing = "Buying" if order.kind == "purchase" else "Cancelling"
    messages.success(request, f"Approved order {order.pk}. {doing} {what}.")


@require("orders.approve")
@require_POST
def reject(request: HtmxRequest, order_id: int) -> HttpResponse:
    now, form = timezone.now(), RejectForm(request.POST)
    order = get_object_or_404(Order, pk=order_id)
    if not form.is_valid():
        return _show(request, _page(request, order_id, now), now, reject_form=form)
    try:
        services.reject(actor=request.user, order=order, now=now, **form.cleaned_data)
    except OrderError as error:
        return _show(request, _page(request, order_id, now), now, error=error, reject_form=form)
    messages.success(request, f"Rejected order {order.pk}. {order.requester.display_name} sees why.")
    return redirect("order", order_id)


@require("orders.view")
@require_POST
def withdraw(request: HtmxRequest, order_id: int) -> HttpResponse:
    now, order = timezone.now(), get_object_or_404(Order, pk=order_id)
    try:
        services.withdraw(actor=request.user, order=order, now=now)
    except OrderError as error:
        return _show(request, _page(request, order_id, now), now, error=error)
    messages.success(request, f"Order {order.pk} is withdrawn.")
    return redirect("order", order_id)


@require("orders.view")
@require_POST
def reprice(request: HtmxRequest, order_id: int) -> HttpResponse:
    now, order = timezone.now(), get_object_or_404(Order, pk=order_id)
    sent = request.POST.get("round", "")
    try:
        moved = repricing.reprice(
            provider=get_provider(),
            actor=request.user,
            order=order,
            round=int(sent) if sent.isascii() and sent.isdigit() and len(sent) < 6 else 0,
            now=now,
        )
    except OrderError as error:
        return _show(request, _page(request, order_id, now), now, error=error)
    if not moved:
        messages.info(request, "The price is as it was asked. Nothing has changed.")
    return redirect("order", order_id)


# Cancelling a number ---------------------------------------------------------------------------------------------


@require("orders.submit")
@require_http_methods(BOTH)
def cancel_number(request: HtmxRequest, number_id: int) -> HttpResponse:
    now = timezone.now()
    owned = get_object_or_404(OwnedNumber.objects.select_related("owner"), pk=number_id)
    sent = request.POST if request.method == "POST" else None
    form = CancelForm(sent, number=owned.number, initial={"form_token": confirmation.new_token()})
    if form.is_valid():
        try:
            order = services.submit_cancel(actor=request.user, owned=owned, now=now, **form.cleaned_data)
        except OrderError as error:
            form.refuse(error)
        else:
            messages.success(request, f"Order {order.pk} is sent for approval. Nothing is cancelled yet.")
            return redirect("order", order.pk)
    context = {
        "owned": owned,
        "form": form,
        "ended": owned.status == Status.ENDED,
        "order_id": selectors.live_cancels([owned.pk]).get(owned.pk),
        "ledgers": cancel_ledgers([Quote.of_owned(owned, now)], now),
        "month": month_of(now),
        "next_month": next_month_of(now),
        "approvers": [one for one in selectors.approvers() if one != request.user],
    }
    return render(request, "orders/cancel.html", context, status=422 if form.errors else 200)


def _varying(response: HttpResponse) -> HttpResponse:
    """The same address answers htmx with a part of the page."""
    patch_vary_headers(response, ["HX-Request"])
    return response
