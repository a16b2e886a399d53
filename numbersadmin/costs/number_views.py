"""The page of one number: its facts now or as of a day, its figures, and the whole life of the phone number."""

from dataclasses import replace
from datetime import date, datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from numbersadmin.costs import selectors
from numbersadmin.costs.ledger import Records
from numbersadmin.costs.life import KINDS, life
from numbersadmin.costs.lines import NumberCost, number_cost
from numbersadmin.formats import e164
from numbersadmin.money import Totals, days_in_month, prorate
from numbersadmin.numbers.models import OwnedNumber, Status
from numbersadmin.numbers.selectors import as_of, history, may_edit, possessions, since
from numbersadmin.orders.selectors import live_cancels
from numbersadmin.web import HtmxRequest, require


@require("numbers.view")
@require_GET
def number(request: HtmxRequest, number_id: int) -> HttpResponse:
    """One possession of a number: its facts, its price, and the life of the phone number."""
    now = timezone.now()
    owned = OwnedNumber.objects.select_related("owner", "protected_by").filter(pk=number_id).first()
    if owned is None:
        raise Http404
    every, known = possessions(owned), selectors.records(now)
    seen, problem = _seen(request, owned, every, now, known.begin)
    cost = _up_to(number_cost(known, owned), seen.until)
    kind = request.GET.get("show", history.ALL)
    kind = kind if kind in KINDS else history.ALL
    end = (seen.until, 9, 0) if seen.until else None
    before = history.place_of(request.GET.get("before", "")) or end
    found = life(every, cost.lines, known.calendar, kind=kind, before=before)
    context = {
        "owned": seen.record,
        "seen": seen,
        "problem": problem,
        "today": timezone.localtime(now).date(),
        "cost": cost,
        "life": found,
        "show": kind,
        **_links(request, kind, found.older, paged=before != end),
        "others": [one for one in every if one.pk != seen.record.pk],
        **_words(seen, known),
        **_acts(request.user, seen),
    }
    return render(request, "numbers/detail.html", context)


def _seen(
    request: HttpRequest,
    owned: OwnedNumber,
    every: list[OwnedNumber],
    now: datetime,
    begin: datetime | None,
) -> tuple[as_of.Seen, str]:
    """The number now, or as of the day that is asked for; and what is wrong with that day."""
    asked = request.GET.get("as_of", "").strip()
    if not asked:
        return as_of.as_it_is(owned), ""
    try:
        day = as_of.day_of(asked, now)
    except as_of.NoSuchDay as problem:
        return as_of.as_it_is(owned), str(problem)
    return as_of.as_of(every, day, as_of.end_of(day, now), begin), ""


def _up_to(cost: NumberCost, until: datetime | None) -> NumberCost:
    """What it had cost by then."""
    if until is None:
        return cost
    lines = [line for line in cost.lines if line.charge.period_start <= until]
    return replace(
        cost,
        lines=lines,
        totals=Totals.of((line.charge.currency, line.charge.amount) for line in lines),
        unpriced=sum(line.charge.amount is None for line in lines),
    )


def _links(request: HttpRequest, kind: str, older: str, *, paged: bool) -> dict[str, Any]:
    """Other parts of the timeline; each link keeps the day and what is shown."""

    def query(show: str, before: str = "") -> str:
        sent = {"as_of": request.GET.get("as_of", ""), "show": show, "before": before}
        return urlencode({name: value for name, value in sent.items() if value and value != history.ALL})

    chips = [
        {"text": text, "url": f"{request.path}?{query(one)}", "current": one == kind}
        for one, text in KINDS.items()
    ]
    return {"chips": chips, "older": query(kind, older), "newest": query(kind), "paged": paged}


def _words(seen: as_of.Seen, known: Records) -> dict[str, Any]:
    """The facts about time in words, each with how it is known."""
    owned = seen.record
    ordered = live_cancels([owned.pk]).get(owned.pk)
    return {
        "copied": e164(owned.number),
        "acquired": since.acquired(owned),
        "acquired_sentence": since.acquired_sentence(owned),
        "ended": since.ended(owned.end_basis, owned.ended_from, owned.ended_to) if owned.ended_to else "",
        "leaving": str(ordered or ""),
        "set_up_hint": "Paid once" if owned.acquired_from or owned.acquired_at else "Before records began",
        "first_month_hint": _first_month_hint(owned),
        "listed": known.listed,
        "per_month_hint": _per_month_hint(seen, known),
        "up_to": seen.day,
    }


def _per_month_hint(seen: as_of.Seen, known: Records) -> str:
    if seen.day:
        ended = seen.state == as_of.ENDED
        return "The last list price" if ended else "The list price then" if seen.facts else "Not on record"
    return (
        "No longer charged" if seen.record.status == Status.ENDED else f"Renews 1 {known.current.next.name}"
    )


def _first_month_hint(owned: OwnedNumber) -> str:
    """`18 of 31 days in July` when the provider's first price is just that share of the month."""
    if owned.initial_month_price is None:
        return "The provider did not tell"
    day = since.billing_day(owned.acquired_at)
    if day and owned.price_per_month is not None and (days := _share(owned, day)):
        return f"{days} of {days_in_month(day)} days in {day:%B %Y}"
    return "As the provider stated it"


def _share(owned: OwnedNumber, day: date) -> int:
    """How many days of the month it is the price of, if that is from this day on; else 0."""
    of_days = days_in_month(day)
    days = of_days - day.day + 1
    price = owned.price_per_month
    fits = price is not None and owned.initial_month_price == prorate(price, days, of_days)
    return days if fits else 0


def _acts(person: Any, seen: as_of.Seen) -> dict[str, bool]:
    """What this person may do with the number that is shown; nothing with a day in the past."""
    owned = seen.record
    alive = owned.status != Status.ENDED and seen.day is None
    return {
        "may_edit": alive and may_edit(person, owned),
        "may_protect": alive and person.can("numbers.protect"),
        "may_cancel": alive and person.can("orders.submit"),
        "may_state": seen.day is None and person.can("numbers.state_date"),
    }
