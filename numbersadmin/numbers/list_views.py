"""The pages of the list: the numbers that fit the filters, its columns, and views saved under a name."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers

from numbersadmin.numbers import cells, listing, saved_views, selectors, tally
from numbersadmin.numbers.forms import COLUMNS, ColumnsForm, NumberFilterForm, SavedViewForm, query_of
from numbersadmin.numbers.models import SavedView, Status
from numbersadmin.numbers.saved_views import NotSaved, Wishes
from numbersadmin.numbers.selectors import NOBODY, NumberFilter
from numbersadmin.web import HtmxRequest, require, wants_fragment

FACETED = ("country", "capabilities", "owner", "cost_centre", "state")


@require("numbers.view")
@require_GET
@vary_on_headers("HX-Request")
def list_numbers(request: HtmxRequest) -> HttpResponseBase:
    """The owned numbers that fit the filters, with what they cost together."""
    wishes = saved_views.wishes(request.user)
    if not request.GET and wishes.opens_with:
        return redirect(f"{request.path}?{wishes.opens_with.query}")
    form = NumberFilterForm(request.GET)
    wanted = form.wanted()
    found, no_such_page = _page(wanted, request.GET)
    form.offer(tally.choices(found.facets, found.kept))
    fragment = wants_fragment(request)
    for name in FACETED:
        form.fields[name].widget.attrs |= {"hx-swap-oob": "true"} if fragment else {}
    context = {
        "form": form,
        "faceted": [form[name] for name in FACETED],
        "wanted": wanted,
        "digits": selectors.digits_of(wanted.q),
        "no_such_page": no_such_page,
        **_narrowing(wanted),
        **_views(wanted, request.user, wishes, found.kept),
        "query": query_of(wanted),
        **_may(request.user),
        "fragment": fragment,
        **_table(found, wishes, wanted),
    }
    response = render(request, "numbers/_found.html" if fragment else "numbers/list.html", context)
    if fragment:
        response["HX-Push-Url"] = request.path + _query(wanted, request.GET)
    return response


def _narrowing(wanted: NumberFilter) -> dict[str, bool]:
    """Is anything chosen at all, and is it more than what was typed?"""
    return {
        "filtered": wanted != NumberFilter(sort=wanted.sort),
        "narrowed": wanted != NumberFilter(sort=wanted.sort, q=wanted.q),
    }


def _may(person: Any) -> dict[str, bool]:
    """What the bar offers this person to do with ticked numbers."""
    return {"may_edit": person.can("numbers.edit_own"), "may_protect": person.can("numbers.protect")}


def _page(wanted: NumberFilter, sent: QueryDict) -> tuple[listing.NumberList, bool]:
    """The page asked for, and whether there is none: then it is the first."""
    try:
        after, before = sent.get("after", ""), sent.get("before", "")
        return listing.number_list(wanted, after=after, before=before, at_end=bool(sent.get("end"))), False
    except listing.NoSuchPage:
        return listing.number_list(wanted), True


def _query(wanted: NumberFilter, sent: QueryDict) -> str:
    """The address of what is shown; never empty, because a bare one opens a person's own view."""
    place = {name: sent[name] for name in ("after", "before", "end") if sent.get(name)}
    return f"?{query_of(wanted, **place) or 'state=active'}"


def _table(found: listing.NumberList, wishes: Wishes, wanted: NumberFilter) -> dict[str, Any]:
    """What the table shows: its columns, its words, and the links to other pages."""
    shown = {name: name not in wishes.hidden for name in COLUMNS}
    links = {
        "first_url": _query(wanted, QueryDict()) if found.back else "",
        "back_url": f"?{query_of(wanted, before=found.back)}" if found.back else "",
        "next_url": f"?{query_of(wanted, after=found.on)}" if found.on else "",
        "last_url": f"?{query_of(wanted, end=1)}" if found.on else "",
    }
    many = f"More than {listing.COUNTED:,}" if found.count is None else f"{found.count:,}"
    table_rows, cards = cells.table_and_cards(
        found.rows, [name for name in COLUMNS if shown[name]], selectors.digits_of(wanted.q)
    )
    place = f"{found.first:,}\u2013{found.last:,}" if found.first else f"{len(found.rows)}"
    return {
        "found": found,
        "table_rows": table_rows,
        "cards": cards,
        "columns": shown,
        "query_data": QueryDict(query_of(wanted)),
        "before_price": 2 + sum(shown[name] for name in COLUMNS if name != "price"),
        "count": many,
        "nothing": not found.rows,
        "place": f"{place} of {many[0].lower()}{many[1:]} number{'' if found.count == 1 else 's'}",
        "total_label": f"All {many} matching, per month",
        **links,
    }


def _views(wanted: NumberFilter, person: Any, wishes: Wishes, kept: tally.Tally) -> dict[str, Any]:
    """The views everybody has and those saved, as chips; each is a filter and nothing else."""
    offered: list[tuple[str, NumberFilter, SavedView | None]] = [
        ("All", NumberFilter(), None),
        ("Mine", NumberFilter(owner=person.username), None),
        ("No owner", NumberFilter(owner=NOBODY), None),
        ("Missing", NumberFilter(state=Status.MISSING), None),
        ("Ended", NumberFilter(state=Status.ENDED), None),
    ]
    offered += [(view.name, NumberFilterForm(QueryDict(view.query)).wanted(), view) for view in wishes.views]
    here = query_of(wanted)
    chips = [
        {
            "text": text,
            "url": f"/numbers/{_query(view, QueryDict())}",
            "current": query_of(view) == here,
            "count": "" if view.q else f"{kept.facets(view).count:,}",
            "icon": "bookmark" if saved else "",
        }
        for text, view, saved in offered
    ]
    owned = kept.facets(NumberFilter())
    return {
        "views": chips,
        "own_view": next(
            (one for one in wishes.views if one.query == here and one.maker_id == person.pk), None
        ),
        "owned": f"{owned.count:,}",
        "countries": sum(1 for code, count in owned.countries.items() if code and count),
    }


@require("numbers.view")
@require_http_methods(["GET", "POST"])
def columns(request: HtmxRequest) -> HttpResponseBase:
    """The columns that a person's list has."""
    hidden = saved_views.wishes(request.user).hidden
    form = ColumnsForm(
        request.POST or None, initial={"columns": [one for one in COLUMNS if one not in hidden]}
    )
    if request.method == "POST" and form.is_valid():
        chosen = set(COLUMNS) - set(form.cleaned_data["columns"])
        saved_views.choose_columns(actor=request.user, hidden=chosen, now=timezone.now())
        return redirect("numbers")
    return render(request, "numbers/columns.html", {"form": form}, status=422 if form.errors else 200)


@require("numbers.view")
@require_http_methods(["GET", "POST"])
def save_view(request: HtmxRequest) -> HttpResponseBase:
    """Keep the filters of the address under a name."""
    wanted = NumberFilterForm(request.GET).wanted()
    form = SavedViewForm(request.POST or None)
    if form.is_valid():
        sent = form.cleaned_data
        try:
            saved_views.save_view(
                actor=request.user,
                name=sent["name"],
                query=query_of(wanted),
                role=sent["role"],
                opens=sent["opens"],
                now=timezone.now(),
            )
        except NotSaved as problem:
            form.add_error(None, str(problem))
        else:
            return redirect(f"/numbers/{_query(wanted, QueryDict())}")
    context = {"form": form, "said": _said(wanted), "back": f"/numbers/{_query(wanted, QueryDict())}"}
    return render(request, "numbers/save_view.html", context, status=422 if form.errors else 200)


def _said(wanted: NumberFilter) -> list[dict[str, str]]:
    """The filters of a view as facts."""
    form = NumberFilterForm(QueryDict(query_of(wanted)))
    form.offer(tally.choices(None, tally.kept()))
    said = [{"label": "Text", "value": wanted.q}] if wanted.q else []
    for name in FACETED:
        value = form[name].value()
        value = value if isinstance(value, str) else ",".join(value or [])
        text = dict(form.fields[name].choices).get(value)  # type: ignore[attr-defined]
        if value and text:
            said.append({"label": str(form.fields[name].label), "value": str(text)})
    return said or [{"label": "Filters", "value": "None: every number that is ours now"}]


def _own_view(request: HttpRequest, view_id: int) -> SavedView:
    return get_object_or_404(SavedView, pk=view_id, maker=request.user)


@require("numbers.view")
@require_http_methods(["GET", "POST"])
def change_view(request: HtmxRequest, view_id: int) -> HttpResponseBase:
    """Rename one's view, share it, or let the list open with it."""
    view = _own_view(request, view_id)
    opens = saved_views.wishes(request.user).opens_with == view
    start = {"name": view.name, "role": view.role, "opens": opens, "version": view.version}
    form = SavedViewForm(request.POST or None, initial=start)
    if form.is_valid():
        sent = form.cleaned_data
        view.version, now = sent["version"] or 0, timezone.now()
        try:
            saved_views.change_view(
                actor=request.user, view=view, name=sent["name"], role=sent["role"], now=now
            )
        except NotSaved as problem:
            form.add_error(None, str(problem))
        else:
            if sent["opens"] != opens:
                saved_views.open_with(actor=request.user, view=view if sent["opens"] else None, now=now)
            return redirect(f"/numbers/?{view.query or 'state=active'}")
    wanted = NumberFilterForm(QueryDict(view.query)).wanted()
    context = {"form": form, "view": view, "said": _said(wanted), "back": f"/numbers/?{view.query}"}
    return render(request, "numbers/save_view.html", context, status=422 if form.errors else 200)


@require("numbers.view")
@require_http_methods(["GET", "POST"])
def delete_view(request: HtmxRequest, view_id: int) -> HttpResponseBase:
    """Take one's view away."""
    view = _own_view(request, view_id)
    problem = ""
    if request.method == "POST":
        try:
            saved_views.delete_view(actor=request.user, view=view, now=timezone.now())
        except NotSaved as reason:
            problem = str(reason)
        else:
            return redirect("/numbers/?state=active")
    context = {"view": view, "problem": problem}
    return render(request, "numbers/delete_view.html", context, status=409 if problem else 200)
