"""What people do around an order: comment on it, remind who decides, look for a number like one that is gone."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from numbersadmin.accounts.models import User
from numbersadmin.orders import talking, tasks
from numbersadmin.orders.errors import NotAllowed, OrderError
from numbersadmin.orders.forms import CommentForm
from numbersadmin.orders.models import Order, OrderItem
from numbersadmin.orders.similar import agreed_quote, nearest, wants_similar
from numbersadmin.orders.words import listed
from numbersadmin.provider.client import get_provider
from numbersadmin.web import HtmxRequest, require, wants_fragment


def talk_context(order: Order, viewer: User, now: datetime) -> dict[str, Any]:
    """What orders/_talk.html needs beside the order's page."""
    return {"talk": talking.talk_of(order, viewer, now), "comment_form": CommentForm()}


@require("orders.view")
@require_POST
def comment(request: HtmxRequest, order_id: int) -> HttpResponse:
    """Say something about the order."""
    order, form = get_object_or_404(Order, pk=order_id), CommentForm(request.POST)
    if form.is_valid():
        try:
            talking.comment(actor=request.user, order=order, now=timezone.now(), **form.cleaned_data)
        except NotAllowed as error:
            return _refused(request, order, error, 403)
        except OrderError as error:
            form.refuse(error)
        else:
            messages.success(request, "Comment added.")
            return redirect("order", order_id)
    return render(request, "orders/comment.html", {"order": order, "form": form}, status=422)


@require("orders.view")
@require_POST
def remind(request: HtmxRequest, order_id: int) -> HttpResponse:
    """Mail those who may decide that the order waits for them."""
    order = get_object_or_404(Order, pk=order_id)
    try:
        told = talking.remind(actor=request.user, order=order, now=timezone.now())
    except OrderError as error:
        return _refused(request, order, error, 403 if isinstance(error, NotAllowed) else 409)
    tasks.tell_later("reminded", order_id=order.pk)
    messages.success(request, f"{listed([one.display_name for one in told])} will get a mail.")
    return redirect("order", order_id)


def _refused(request: HtmxRequest, order: Order, error: OrderError, status: int) -> HttpResponse:
    return render(request, "orders/comment.html", {"order": order, "error": error}, status=status)


@require("available.search")
@require_safe
@vary_on_headers("HX-Request")
def similar(request: HtmxRequest, order_id: int, item_id: int) -> HttpResponse:
    """Numbers for sale that can stand in for one that somebody else bought first."""
    item = get_object_or_404(OrderItem.objects.select_related("order"), pk=item_id, order_id=order_id)
    if not wants_similar(item):
        raise Http404(f"item {item_id} needs no similar number")
    context = {
        "item": item,
        "order": item.order,
        "was": agreed_quote(item),
        "similar": nearest(get_provider(), item, timezone.now()),
        "may_order": request.user.can("orders.submit"),
    }
    fragment = wants_fragment(request)
    return render(request, "orders/_similar.html" if fragment else "orders/similar.html", context)
