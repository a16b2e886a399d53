"""The queue of orders, and the page of one order; what changes an order is in the views beside this file."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from numbersadmin.formats import phone_intl
from numbersadmin.orders import selectors
from numbersadmin.orders.brief import briefs
from numbersadmin.orders.card import decision_card
from numbersadmin.orders.detail import OrderPage, order_page
from numbersadmin.orders.forms import LISTS, ConfirmOutcomeForm, OutcomeForm, RejectForm
from numbersadmin.orders.ledger import month_of
from numbersadmin.orders.models import State
from numbersadmin.orders.services import Incomplete, Moved, NotAllowed, OrderError, PriceUnread
from numbersadmin.provider.client import get_provider
from numbersadmin.web import HtmxRequest, require, wants_fragment

MOST_ROWS = 100  # of an order's numbers on its page, unless all are asked for or to be decided on
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
    if tab == "waiting":
        told = briefs([(row.order, row.items) for row in page.object_list], now)
        page.object_list = [replace(row, brief=told[row.order.pk]) for row in page.object_list]
        context["choosing"] = any(row.may_decide for row in page.object_list)
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


# One order -------------------------------------------------------------------------------------------------------


@require("orders.view")
@require_safe
def order_detail(request: HtmxRequest, order_id: int) -> HttpResponse:
    now = timezone.now()
    page = page_or_404(request, order_id, now)
    asks_again = wants_fragment(request) and request.htmx.target != "main"
    if asks_again and (page.working or page.may_decide):
        return _varying(render(request, "orders/_items.html", _facts(request, page, now)))
    response = show(request, page, now)
    if asks_again:  # the work is over: the whole page is other than before
        for name, value in WHOLE_PAGE.items():
            response.headers[name] = value
    return response


def page_or_404(request: HtmxRequest, order_id: int, now: datetime) -> OrderPage:
    page = order_page(order_id=order_id, viewer=request.user, now=now)
    if page is None:
        raise Http404(f"there is no order {order_id}")
    return page


def show(
    request: HtmxRequest,
    page: OrderPage,
    now: datetime,
    *,
    error: OrderError | None = None,
    reject_form: RejectForm | None = None,
    outcome_form: OutcomeForm | None = None,
    confirm_form: ConfirmOutcomeForm | None = None,
) -> HttpResponse:
    """The page of an order; the prices are read again for whoever may decide, unless they just could not be."""
    status, title = next(
        known for kind, known in REFUSALS.items() if isinstance(error or OrderError(""), kind)
    )
    asking = page.may_decide and not isinstance(error, PriceUnread)
    context = _facts(request, page, now) | {
        "card": decision_card(
            page, provider=get_provider() if asking else None, now=now, chosen=_chosen(request)
        ),
        "error": error,
        "error_title": title,
        "reject_form": reject_form or RejectForm(),
        "outcome_form": outcome_form or OutcomeForm(),
        "confirm_form": confirm_form or ConfirmOutcomeForm(),
        "heading": _heading(page),
    }
    if not error:
        status = 422 if reject_form or outcome_form or confirm_form else 200
    return _varying(render(request, "orders/order.html", context, status=status))


def _chosen(request: HtmxRequest) -> list[int]:
    """The items that an approver wants, when they leave others out."""
    sent = request.POST if request.method == "POST" else request.GET
    return [int(one) for one in sent.getlist("item") if one.isascii() and one.isdigit() and len(one) < 19]


def _facts(request: HtmxRequest, page: OrderPage, now: datetime) -> dict[str, Any]:
    """What the page and its left side both need."""
    return {
        "page": page,
        "now": now,
        "month": month_of(now),
        "cancelling": page.order.kind == "cancel",
        "approver": request.user.can("orders.decide"),
        "rows": page.shown if page.may_decide or request.GET.get("all") else page.shown[:MOST_ROWS],
        "may_leave_out": page.may_decide and page.counts.get(State.PENDING, 0) > 1,
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


def _varying(response: HttpResponse) -> HttpResponse:
    """The same address answers htmx with a part of the page."""
    patch_vary_headers(response, ["HX-Request"])
    return response
