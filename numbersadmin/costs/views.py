"""The costs pages: a month, its lines as a page and as a file, and what one number has cost."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from numbersadmin import export
from numbersadmin.costs import counting, selectors
from numbersadmin.costs import lines as charge_lines
from numbersadmin.costs.counting import NotCounted
from numbersadmin.costs.ledger import Records
from numbersadmin.costs.line_pages import keyed_lines
from numbersadmin.costs.lines import UNPRICED, LineFilter, value_words
from numbersadmin.costs.months import Month
from numbersadmin.costs.selectors import NONE
from numbersadmin.costs.trend import SPANS, span_of
from numbersadmin.formats import phone_intl
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.web import HtmxRequest, require, wants_fragment

Answer = TypeVar("Answer", bound=HttpResponseBase)
LONGEST_KEY = 18  # digits of an id
GROUPED = {
    "country": ("Country", "countries"),
    "type": ("Type", "types"),
    "capabilities": ("Can do", "sets"),
    "owner": ("Owner", "owners"),
    "cost_centre": ("Cost centre", "cost centres"),
    "labels": ("Labels", "sets of labels"),
}
"""What a month can be split by: the heading, and the word for several of them."""


def on_record(view: Callable[..., Answer]) -> Callable[..., Answer | HttpResponse]:
    """Hand the view a month there are figures for; for any other text or month say which there are."""

    @wraps(view)
    def found(request: HtmxRequest, month: str, **more: Any) -> Answer | HttpResponse:
        known = selectors.records(timezone.now())
        try:
            wanted = Month.parse(month)
        except ValueError:
            return render(request, "costs/no_month.html", {"known": known}, status=404)
        state = known.state(wanted)
        if not known.on_record(wanted):
            return render(request, "costs/no_month.html", {"known": known, "month": wanted, "state": state})
        try:
            return view(request, known, wanted, **more)
        except NotCounted:
            return render(request, "costs/counting.html", {"month": wanted})

    return found


def kept(request: HttpRequest) -> str:
    """The query string of what a person has chosen and keeps when they go to another month."""
    chosen = {name: request.GET[name] for name in ("cur", "by", "months") if request.GET.get(name)}
    return f"?{urlencode(chosen)}" if chosen else ""


@require("costs.view")
@require_GET
def index(request: HtmxRequest) -> HttpResponse:
    """On to the month that was picked, or to the current one."""
    current = selectors.records(timezone.now()).current
    try:
        current = Month.parse(request.GET.get("month", str(current)))
    except ValueError:
        return render(
            request, "costs/no_month.html", {"known": selectors.records(timezone.now())}, status=404
        )
    return redirect(f"/costs/{current}/{kept(request)}")


@require("costs.view")
@require_GET
@on_record
@vary_on_headers("HX-Request")
def month(request: HtmxRequest, known: Records, month: Month) -> HttpResponse:
    """What a month costs, in one currency at a time, split by one thing at a time."""
    chosen = {name: request.GET.get(name, "") for name in ("cur", "by")}
    now = timezone.now()
    page = selectors.month_page(
        known,
        month,
        now=now,
        currency=chosen["cur"],
        by=chosen["by"],
        all_groups="all" in request.GET,
        span=span_of(request.GET.get("months", "")),
    )
    context = {
        "page": page,
        "grouped": GROUPED,
        "grouped_by": GROUPED[page.by],
        "kept": kept(request),
        "spans": SPANS,
        "may_export": request.user.can("costs.export"),
        "may_note": request.user.can("costs.note"),
        "now": now,
    }
    return render(request, "costs/_month.html" if wants_fragment(request) else "costs/month.html", context)


@require("costs.view")
@require_GET
@on_record
def lines(request: HtmxRequest, known: Records, month: Month) -> HttpResponse:
    """The charges that a month, or one figure on its page, is made of."""
    wanted = LineFilter.of(request.GET.dict())
    context: dict[str, Any] = {
        "month": month,
        "month_url": f"/costs/{month}/",
        "lines_url": request.path,
        "chips": [_chip(request, name, value) for name, value in wanted.chosen.items()],
        "query": request.GET,
        "may_export": request.user.can("costs.export"),
    }
    if counting.ahead():
        after = request.GET.get("after", "")
        start = int(after) if after.isascii() and after.isdigit() and len(after) < LONGEST_KEY else 0
        context["found"] = keyed_lines(known, month, wanted, start, timezone.now())
        return render(request, "costs/keyed_lines.html", context)
    context["found"] = charge_lines.month_lines(known, month, wanted, request.GET.get("page", "1"))
    return render(request, "costs/lines.html", context)


def _chip(request: HttpRequest, name: str, value: str) -> dict[str, Any]:
    """A filter in words, with the link that takes it away."""
    rest = request.GET.copy()
    rest.pop(name, None)
    rest.pop("page", None)
    rest.pop("after", None)
    text = value_words(name, value)
    if name == "cur" and value == UNPRICED:
        text = "Without price"
    elif name == "label":
        text = f"With label {value}"
    elif name in GROUPED and value == NONE:
        text = f"No {GROUPED[name][0].lower()}"
    return {"text": text, "url": f"{request.path}?{rest.urlencode()}", "remove": True}


@require("costs.export")
@require_GET
@on_record
def export_csv(request: HtmxRequest, known: Records, month: Month) -> HttpResponse | StreamingHttpResponse:
    """Every charge of a month as a file."""
    rows = export.rows_csv(charge_lines.EXPORT_FIELDS, charge_lines.export_rows(known, month))
    response = StreamingHttpResponse((row.encode() for row in rows), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="costs-{month}.csv"'
    return response


@require("costs.view")
@require_GET
def number(request: HtmxRequest, number_id: int) -> HttpResponse:
    """What a phone number has cost so far, over every time it was ours."""
    owned = get_object_or_404(OwnedNumber, pk=number_id)
    cost = charge_lines.number_cost(selectors.records(timezone.now()), owned)
    context = {
        "owned": owned,
        "cost": cost,
        "section": "numbers",
        "number_url": f"/numbers/{owned.pk}/",
        "number_text": phone_intl(owned.number),
    }
    return render(request, "costs/number.html", context)
