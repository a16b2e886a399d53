"""The go-to box, and the page that checks a pasted list of numbers."""

import re
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_safe

from numbersadmin import export
from numbersadmin.numbers.selectors import digits_of
from numbersadmin.overview import going, pasted
from numbersadmin.provider.client import get_provider
from numbersadmin.web import HtmxRequest, require

LONGEST = 2000  # of an address; longer lists are sent by the form
TOO_LONG = "The list is too long for the box above. Paste it here."


@require("overview.view")
@require_safe
def go(request: HtmxRequest) -> HttpResponseBase:
    """The one thing that fits, or everything that does, by kind; several numbers are answered one by one."""
    wanted = request.GET.get("q", "").strip().replace("\0", "")
    if not wanted:
        return render(request, "overview/go.html")
    if len(wanted) > LONGEST:
        return render(request, "overview/go_list.html", _page(wanted, TOO_LONG), status=422)
    if sum(bool(digits_of(one)) for one in re.split(r"[,;\t\n]", wanted)) > 1:
        return _answered(request, wanted, "")
    groups = going.find(wanted)
    if url := going.straight(groups):
        return redirect(url)
    digits = digits_of(wanted)
    for_sale = (
        f"/available/?{urlencode({'digits': digits, 'match': 'ends' if len(digits) < 8 else 'contains'})}"
    )
    context = {
        "q": wanted,
        "groups": groups,
        "for_sale": for_sale if digits else "/available/",
        "digits": digits,
    }
    return render(request, "overview/go.html", context)


@require("overview.view")
@require_http_methods(["GET", "HEAD", "POST"])
def go_list(request: HtmxRequest) -> HttpResponseBase:
    """Up to 10,000 numbers at once: what is known of each, on the page or as a file."""
    if request.method != "POST":
        return render(request, "overview/go_list.html", _page("", TOO_LONG if "long" in request.GET else ""))
    return _answered(request, request.POST.get("numbers", ""), request.POST.get("act", ""))


def _answered(request: HtmxRequest, text: str, act: str) -> HttpResponseBase:
    """The answers, with the list as it was sent: nothing that was typed is lost."""
    try:
        found = pasted.entries(text)
    except pasted.TooMany as problem:
        return render(request, "overview/go_list.html", _page(text, str(problem)), status=422)
    if not found:
        none = "There is no number on the list."
        return render(request, "overview/go_list.html", _page(text, none), status=422)
    told, trouble = pasted.answers(found), None
    if act == "look":
        told, trouble = pasted.looked_up(get_provider(), told, timezone.now())
    if act == "csv":
        return _file(told)
    context = _page(text) | {
        "count": len(found),
        "parts": pasted.parts(told),
        "askable": len(pasted.open_questions(told)),
        "trouble": trouble,
    }
    return render(request, "overview/go_list.html", context)


def _page(text: str, problem: str = "") -> dict[str, Any]:
    return {"most": f"{pasted.MOST:,}", "text": text, "problem": problem}


def _file(told: list[pasted.Answer]) -> HttpResponse | StreamingHttpResponse:
    lines = export.rows_csv(pasted.FIELDS, pasted.rows(told))
    response = StreamingHttpResponse(
        (line.encode() for line in lines), content_type="text/csv; charset=utf-8"
    )
    response.headers["Content-Disposition"] = 'attachment; filename="numbers-checked.csv"'
    return response
