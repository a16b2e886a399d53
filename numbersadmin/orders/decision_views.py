"""Deciding on orders: approve, reject, withdraw, take over a price, let a paused order go on, review several."""

import time
from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from numbersadmin.formats import phone_intl
from numbersadmin.orders import repricing, services, tasks
from numbersadmin.orders.card import Card, decision_card
from numbersadmin.orders.detail import OrderPage, order_page
from numbersadmin.orders.forms import ApproveForm, RejectForm
from numbersadmin.orders.models import Order
from numbersadmin.orders.services import Approval, OrderError, OutOfDate, PriceUnread
from numbersadmin.orders.views import BOTH, page_or_404, show
from numbersadmin.provider.client import get_provider
from numbersadmin.web import HtmxRequest, require

MOST_AT_ONCE = 20
READING = 6.0  # seconds in which the page of several orders begins to read another price: one call a second
DECIDING = (
    25.0  # and in which it begins to approve another order: it has to answer within the server's minute
)
LATER = "There was no time left to read its price again, so nothing was decided on it. Approve it once more."
ALTERED = "This form is not as we made it. Look at the order below, then decide."


@require("orders.decide")
@require_POST
def approve(request: HtmxRequest, order_id: int) -> HttpResponse:
    now, form = timezone.now(), ApproveForm(request.POST)
    order = get_object_or_404(Order, pk=order_id)
    try:
        if not form.is_valid():
            services.note_altered_form(actor=request.user, subject=order, now=now)
            raise OutOfDate(ALTERED)
        result = services.approve(
            provider=get_provider(), actor=request.user, order=order, now=now, **form.facts()
        )
    except OrderError as error:
        return show(request, page_or_404(request, order_id, now), now, error=error)
    if result.approved:
        tasks.enqueue_order(order)
    tasks.tell_what_happened()
    if words := told(order, result):
        messages.success(request, words)
    return redirect("order", order_id)


def told(order: Order, result: Approval) -> str:
    """What an approval came to, in a sentence; what went wrong stands on the order's page itself."""
    items = result.approved or result.agreed
    if not items:
        return ""
    what = phone_intl(items[0].number) if len(items) == 1 else f"{len(items)} numbers"
    if result.agreed:
        return f"You approved order {order.pk}. It needs one more approval before anything happens."
    if items[0].execute_after:
        return f"Approved order {order.pk}. {what} can still be kept until its day."
    return f"Approved order {order.pk}. {'Buying' if order.kind == 'purchase' else 'Cancelling'} {what}."


@require("orders.decide")
@require_POST
def reject(request: HtmxRequest, order_id: int) -> HttpResponse:
    now, form = timezone.now(), RejectForm(request.POST)
    order = get_object_or_404(Order, pk=order_id)
    if not form.is_valid():
        return show(request, page_or_404(request, order_id, now), now, reject_form=form)
    try:
        services.reject(actor=request.user, order=order, now=now, **form.cleaned_data)
    except OrderError as error:
        return show(request, page_or_404(request, order_id, now), now, error=error, reject_form=form)
    tasks.tell_what_happened()
    messages.success(request, f"Rejected order {order.pk}. {order.requester.display_name} sees why.")
    return redirect("order", order_id)


@require("orders.view")
@require_POST
def withdraw(request: HtmxRequest, order_id: int) -> HttpResponse:
    now, order = timezone.now(), get_object_or_404(Order, pk=order_id)
    try:
        services.withdraw(actor=request.user, order=order, now=now)
    except OrderError as error:
        return show(request, page_or_404(request, order_id, now), now, error=error)
    words = "The number is kept." if order.kind == "cancel" else f"Order {order.pk} is withdrawn."
    messages.success(request, words)
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
        return show(request, page_or_404(request, order_id, now), now, error=error)
    if not moved:
        messages.info(request, "The price is as it was asked. Nothing has changed.")
    return redirect("order", order_id)


@require("orders.view")
@require_POST
def resume(request: HtmxRequest, order_id: int) -> HttpResponse:
    now, order = timezone.now(), get_object_or_404(Order, pk=order_id)
    try:
        services.resume(actor=request.user, order=order, now=now)
    except OrderError as error:
        return show(request, page_or_404(request, order_id, now), now, error=error)
    tasks.enqueue_order(order)
    messages.success(request, f"Order {order.pk} goes on.")
    return redirect("order", order_id)


# Several at once -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One of several orders on the page that approves them together; `problem` says why it was not approved."""

    page: OrderPage
    card: Card
    problem: str = ""

    @property
    def ready(self) -> bool:
        """Can it be approved as it is shown?"""
        return self.page.may_decide and self.card.may_approve


@require("orders.decide")
@require_http_methods(BOTH)
def review(request: HtmxRequest) -> HttpResponse:
    now, problems = timezone.now(), {}
    sent = request.POST if request.method == "POST" else request.GET
    ids = [int(one) for one in dict.fromkeys(sent.getlist("id")) if one.isascii() and one.isdigit()]
    ids = [one for one in ids if one < 2**62][:MOST_AT_ONCE]
    if request.method == "POST":
        problems = _approve_each(request, ids, now)
        tasks.tell_what_happened()
        if not problems:
            return redirect("orders")
    shown = [one for one in (problems or ids) if one in ids]
    ends = time.monotonic() + READING
    reviewed = [_reviewed(request, one, now, problems.get(one, ""), ends) for one in shown]
    found = [one for one in reviewed if one]
    context = {
        "reviewed": found,
        "ready": [one for one in found if one.ready],
        "numbers": sum(len(one.card.chosen) for one in found if one.ready),
        "now": now,
        "problems": bool(problems),
    }
    return render(request, "orders/review.html", context, status=409 if problems else 200)


def _reviewed(
    request: HtmxRequest, order_id: int, now: datetime, problem: str, ends: float
) -> Reviewed | None:
    """The order with its prices read again while there is time; then as asked, and read when it is approved."""
    page = order_page(order_id=order_id, viewer=request.user, now=now)
    if page is None:
        return None
    provider = get_provider() if page.may_decide and time.monotonic() < ends else None
    return Reviewed(page, decision_card(page, provider=provider, now=now), problem)


def _approve_each(request: HtmxRequest, ids: list[int], now: datetime) -> dict[int, str]:
    """Approve the orders as they were shown, one after the other; why some were not, by order."""
    problems: dict[int, str] = {}
    ends = time.monotonic() + DECIDING
    for order in Order.objects.filter(pk__in=ids).order_by("created_at", "id"):
        fields = QueryDict(mutable=True)
        fields.update({name: request.POST.get(f"{name}-{order.pk}", "") for name in ("round", "fingerprint")})
        form = ApproveForm(fields)
        try:
            if not form.is_valid():
                services.note_altered_form(actor=request.user, subject=order, now=now)
                raise OutOfDate(ALTERED)
            if time.monotonic() > ends:
                raise PriceUnread(LATER)
            facts = form.facts() | {"item_ids": None}
            result = services.approve(
                provider=get_provider(), actor=request.user, order=order, now=now, **facts
            )
        except OrderError as error:
            problems[order.pk] = str(error)
            continue
        if result.approved:
            tasks.enqueue_order(order)
        if words := told(order, result):
            messages.success(request, words)
        else:
            problems[order.pk] = "Its offer has changed. Look at it as it is now, then decide."
    return problems
