"""Deciding an unknown outcome by hand: what somebody found out, and the second person's word on it."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from numbersadmin.orders import services
from numbersadmin.orders.forms import ConfirmOutcomeForm, OutcomeForm
from numbersadmin.orders.models import OrderItem, Resolution
from numbersadmin.orders.services import OrderError
from numbersadmin.orders.views import page_or_404, show
from numbersadmin.web import HtmxRequest, require


@require("orders.resolve")
@require_POST
def propose_outcome(request: HtmxRequest, order_id: int, item_id: int) -> HttpResponse:
    now, form = timezone.now(), OutcomeForm(request.POST)
    item = get_object_or_404(OrderItem.objects.select_related("order"), pk=item_id, order=order_id)
    if not form.is_valid():
        return show(request, page_or_404(request, order_id, now), now, outcome_form=form)
    try:
        services.propose_outcome(
            actor=request.user,
            item=item,
            done=form.cleaned_data["done"] == "yes",
            evidence=form.cleaned_data["evidence"],
            number_key=form.cleaned_data["number_key"],
            now=now,
        )
    except OrderError as error:
        return show(request, page_or_404(request, order_id, now), now, error=error, outcome_form=form)
    messages.success(request, "It is on record. Nothing changes until somebody else confirms it.")
    return redirect("order", order_id)


@require("orders.confirm_outcome")
@require_POST
def confirm_outcome(request: HtmxRequest, order_id: int, resolution_id: int) -> HttpResponse:
    now, form = timezone.now(), ConfirmOutcomeForm(request.POST)
    said = get_object_or_404(Resolution, pk=resolution_id, item__order=order_id)
    try:
        if form.is_valid() and form.cleaned_data["agree"] == "yes":
            services.confirm_outcome(actor=request.user, resolution=said, now=now)
        elif form.is_valid():
            reason = form.cleaned_data["reason"]
            services.refuse_outcome(actor=request.user, resolution=said, reason=reason, now=now)
    except OrderError as error:
        form.refuse(error)
    if form.errors:
        return show(request, page_or_404(request, order_id, now), now, confirm_form=form)
    messages.success(request, "It is on record.")
    return redirect("order", order_id)
