"""The page that searches the numbers for sale."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from numbersadmin.available import bulk, selectors, words
from numbersadmin.available.asks import asks_to_answer
from numbersadmin.available.forms import CountForm, SearchForm, chosen_refs, query_of
from numbersadmin.available.reading import Listing
from numbersadmin.available.reuse import reuse
from numbersadmin.available.selectors import Chosen, Found, Line, Search
from numbersadmin.available.shelf import Shelf
from numbersadmin.numbers.selectors import countries_in_use
from numbersadmin.provider.client import get_provider
from numbersadmin.provider.errors import ProviderError
from numbersadmin.web import HtmxRequest, require, wants_fragment


@require("available.search")
@require_GET
@vary_on_headers("HX-Request")
def search(request: HtmxRequest) -> HttpResponse:
    """The numbers for sale that fit the filters, to choose from."""
    now, shelf = timezone.now(), _shelf()
    form = SearchForm(request.GET, seen=_seen(shelf))
    wanted = form.wanted()
    try:
        found, trouble = _found(wanted, shelf, now), None
    except ProviderError as error:
        found, trouble = None, words.trouble_of(error, now)
    shown = replace(wanted, page=found.page) if found else wanted
    refs = chosen_refs(request.GET)
    lines = selectors.lines(found.numbers if found else [], refs)
    context = {
        "form": form,
        "found": found,
        "trouble": trouble,
        "unit": shelf.currency(),
        "lines": lines,
        "no_such_page": "page" in form.errors or shown.page != wanted.page,
        **_context(request, shown, found, lines, selectors.chosen_now(refs, lines, shelf), now),
    }
    fragment = wants_fragment(request)
    response = render(request, "available/_results.html" if fragment else "available/search.html", context)
    if fragment:
        response["HX-Push-Url"] = context["links"].same
    return response


@require("orders.submit")
@require_GET
def order_first(request: HtmxRequest) -> HttpResponse:
    """The first so many numbers of a search and what they cost; from here they can be ordered at once."""
    now, shelf = timezone.now(), _shelf()
    form, counted = SearchForm(request.GET, seen=_seen(shelf)), CountForm(request.GET)
    wanted, gathered, trouble = form.wanted(), None, None
    count = counted.cleaned_data["count"] if counted.is_valid() else 0
    try:
        if count:
            size = get_provider().page_size
            gathered = bulk.gather(_listing(wanted, shelf, now), wanted, count, page_size=size, now=now)
            trouble = gathered.trouble and words.trouble_of(gathered.trouble, now)
    except ProviderError as error:
        trouble = words.trouble_of(error, now)
    quotes = gathered.quotes if gathered else []
    context = {
        "form": counted,
        "gathered": gathered,
        "trouble": trouble,
        "spread": bulk.spread(quotes),
        "query": query_of(wanted),
        "fields": parse_qsl(query_of(wanted)),
        "again": f"?{query_of(wanted)}&count={count}",
        "sealed": bulk.sealed(request.user, wanted, gathered, now) if gathered and quotes else {},
        "month": f"{now.astimezone(ZoneInfo(settings.BILLING_TIME_ZONE)):%B}",
    }
    return render(request, "available/order_first.html", context, status=422 if counted.errors else 200)


def _shelf() -> Shelf:
    return Shelf(Path(settings.VAR_DIR) / "provider_pages.sqlite3")


def _seen(shelf: Shelf) -> dict[str, list[str]]:
    """The provider's words met so far; countries also where we own numbers."""
    seen = shelf.seen()
    return seen | {"country": sorted({*seen["country"], *countries_in_use()})}


def _listing(wanted: Search, shelf: Shelf, now: datetime) -> Listing:
    account = f"{settings.INFOBIP_BASE_URL}{settings.INFOBIP_PREFIX}"
    return Listing(get_provider(), shelf, wanted.query, account=account, now=now)


def _found(wanted: Search, shelf: Shelf, now: datetime) -> Found:
    return selectors.search(_listing(wanted, shelf, now), wanted, get_provider().page_size)


def _context(
    request: HtmxRequest,
    wanted: Search,
    found: Found | None,
    lines: list[Line],
    chosen: Chosen,
    now: datetime,
) -> dict[str, Any]:
    """What the templates say around the rows."""
    today = now.astimezone(ZoneInfo(settings.BILLING_TIME_ZONE)).date()
    return {
        "wanted": wanted,
        "chosen": chosen,
        "most": selectors.MOST_CHOSEN,
        "may_choose": request.user.can("orders.submit"),
        "month": selectors.month_label(lines, today),
        "month_name": f"{today:%B}",
        "summary": words.summary(wanted, found) if found else None,
        "reuse": reuse(request.user, wanted) if wanted.page == 1 else None,
        "may_ask": request.user.can("numbers.edit_own"),
        "to_answer": asks_to_answer(request.user),
        "nothing": words.nothing(wanted, found) if found and not lines else None,
        "links": words.links(wanted, found, chosen.refs),
        "query": QueryDict(query_of(wanted, chosen.refs)),
    }
