"""The rows of the list of numbers as HTML, for the table and for a phone.

In Python and not in a template: a page has fifty of each, and they were more than half of what it cost.
"""

from collections.abc import Iterable
from functools import lru_cache
from html import escape

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from numbersadmin.formats import DASH, capability_label, flag, highlight_digits, money, phone_intl
from numbersadmin.numbers.models import Status
from numbersadmin.numbers.rows import NumberRow

TICK = '<input type="checkbox" name="id" value="{id}" data-row aria-label="Select {written}">'
FIRST_CELLS = (
    '<tr data-number="{number}" data-id="{id}">\n'
    f'  <td class="c">{TICK}</td>\n'
    '  <td><span class="num"><a href="/numbers/{id}/">{marked}</a></span></td>\n'
)
CELLS = {  # by the columns that a person can leave out (forms.COLUMNS)
    "country": "<td>{country}</td>",
    "capabilities": "<td>{capabilities}</td>",
    "labels": '<td><span class="row wrap gap-s">{labels}</span></td>',
    "owner": '<td class="nowrap">{owner}</td>',
    "cost_centre": '<td class="muted">{cost_centre}</td>',
    "since": '<td class="muted tnum nowrap" title="{since_in_full}">{since}</td>',
    "state": "<td>{state}</td>",
    "price": '<td class="r strong">{price}</td>',
}
CARD = (
    f'\n <li><span class="row">{TICK}'
    "{flag}</span>\n"
    '  <div class="t"><a class="strong tnum" href="/numbers/{id}/">{written}</a><small>{about}</small></div>\n'
    '  <div class="end"><span class="t"><span class="strong">{price}</span>{below}</span></div></li>'
)
PER_MONTH = SafeString("<small>per month</small>")
BELOW_PRICE: dict[str, SafeString] = {
    Status.MISSING: SafeString('<small class="warn">Missing</small>'),
    Status.ENDED: SafeString("<small>Ended</small>"),
}


def table_and_cards(
    rows: Iterable[NumberRow], columns: Iterable[str], digits: str
) -> tuple[SafeString, SafeString]:
    """The rows of the table with these columns of CELLS, `digits` marked in the numbers, and the same as cards."""
    line = "".join((FIRST_CELLS, *(f"  {CELLS[name]}\n" for name in columns), " </tr>"))
    escaped = [{name: _escaped(fact) for name, fact in _facts(row, digits).items()} for row in rows]
    return (
        SafeString("".join(line.format_map(row) for row in escaped)),
        SafeString("".join(CARD.format_map(row) for row in escaped)),
    )


def _escaped(fact: object) -> str:
    """As Django's conditional_escape, which takes three times as long to look for lazy texts."""
    return fact if isinstance(fact, SafeString) else escape(str(fact))


def _facts(row: NumberRow, digits: str) -> dict[str, object]:
    """Whatever the formats above name, not yet escaped."""
    able = ", ".join(map(capability_label, row.capability_list))
    return {
        "id": row.id,
        "number": row.number,
        "written": phone_intl(row.number),
        "marked": highlight_digits(row.number, digits),
        "flag": flag(row.country),
        "country": _country(row.country),
        "capabilities": _capabilities(row.capabilities),
        "labels": SafeString("".join(f'<span class="tag">{_escaped(one)}</span>' for one in row.labels)),
        "owner": row.owner_name or DASH,
        "cost_centre": row.cost_centre or DASH,
        "about": f"{row.cost_centre} · {able}" if row.cost_centre else able,
        "since": row.since,
        "since_in_full": row.since_in_full,
        "state": _state(row.status),
        "below": BELOW_PRICE.get(row.status, PER_MONTH),
        "price": money(row.price_per_month, row.currency),
    }


@lru_cache(maxsize=512)
def _country(code: str) -> SafeString:
    return render_to_string("components/country.html", {"code": code})


@lru_cache(maxsize=512)
def _capabilities(joined: str) -> SafeString:
    words = joined.split(",") if joined else []
    return render_to_string("components/capabilities.html", {"capabilities": words})


@lru_cache(maxsize=512)
def _state(status: str) -> SafeString:
    if status == Status.OWNED:
        return SafeString('<span class="muted">Active</span>')
    text = "Missing" if status == Status.MISSING else ""
    return render_to_string("components/badge.html", {"state": status, "kind": "number", "text": text})
