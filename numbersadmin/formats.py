"""How facts are written for people: filters and tags for numbers, money, countries, states and times.

Template builtins. Nothing here reads a clock, a database or a setting of ours; times are in Django's current zone.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path

import phonenumbers
from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django_countries import countries

from numbersadmin import money as exact

register = template.Library()
_made_once = lru_cache(maxsize=4096, typed=True)  # typed: a float is no amount though it equals one

NBSP = "\u00a0"
MINUS = "\u2212"
DASH = "\u2013"
UNKNOWN = SafeString(
    f'<span class="zero"><span aria-hidden="true">{DASH}</span><span class="vh">unknown</span></span>'
)
FLAGS = Path(__file__).resolve().parent.parent / "static" / "flags"

LONGEST_SHORT_CODE, SURELY_LONG = 6, 8
"""Digits. Up to 6 is a short code, from 8 on a number with its country code, 7 is either."""

# Numbers ---------------------------------------------------------------


@register.filter
def e164(number: str) -> str:
    """`+79029555551`, the form to copy; a short code or a name stays as it is."""
    number = str(number or "")
    return f"+{number}" if phone_intl(number) != number else number


@register.filter
def phone_intl(number: str) -> str:
    """`+7 902 955 55 51` with no-break spaces; `+` and bare digits when the number plan does not know it."""
    return _written(str(number or ""))[0]


@register.filter
def phone_national(number: str) -> str:
    """`8 (902) 955-55-51`, as people in its country write it; the international form when there is none."""
    return _written(str(number or ""))[1]


@register.simple_tag
def highlight_digits(number: str, digits: str = "", match: str = "contains") -> SafeString:
    """The grouped number with what was searched for in `<mark>`, over the spaces between its groups.

    `match` is contains (every place, left to right), starts or ends.
    """
    shown, digits = phone_intl(number), re.sub(r"\D", "", digits or "")
    if not digits:
        return conditional_escape(shown)
    places = [at for at, character in enumerate(shown) if character.isdigit()]
    plain = "".join(shown[at] for at in places)
    marked, end = [], 0
    for start in _places_of(digits, plain, match):
        first, after = places[start], places[start + len(digits) - 1] + 1
        marked.append(format_html("{}<mark>{}</mark>", shown[end:first], shown[first:after]))
        end = after
    return SafeString("".join(marked) + conditional_escape(shown[end:]))


def _places_of(digits: str, plain: str, match: str) -> list[int]:
    if not digits or digits not in plain:
        return []
    if match == "starts":
        return [0] if plain.startswith(digits) else []
    if match == "ends":
        return [len(plain) - len(digits)] if plain.endswith(digits) else []
    return [found.start() for found in re.finditer(digits, plain)]


@lru_cache(maxsize=4096)
def _written(number: str) -> tuple[str, str]:
    """International and national form. Digits never change: a form that would add or drop one is not used."""
    if not (number.isascii() and number.isdigit()) or len(number) <= LONGEST_SHORT_CODE:
        return number, number
    try:
        parsed = phonenumbers.parse(f"+{number}")
        known = phonenumbers.is_possible_number(parsed)
        sure = len(number) >= SURELY_LONG or phonenumbers.is_valid_number(parsed)
    except phonenumbers.NumberParseException:
        known, sure = False, len(number) >= SURELY_LONG
    if not sure:
        return number, number
    if known:
        grouped = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
        national = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
        if re.sub(r"\D", "", grouped) == number:
            return NBSP.join(re.findall(r"[+\d]+", grouped)), national.replace(" ", NBSP)
    return f"+{number}", f"+{number}"


# Money -----------------------------------------------------------------


@register.filter
def money(amount: Decimal | None, currency: str) -> SafeString:
    """`1,234.50 EUR` as a cell; None (or no currency) is a dash that is read as "unknown"."""
    return _money_cell(amount, currency)


@register.filter
def signed_money(amount: Decimal | None, currency: str) -> SafeString:
    """A change: always with its sign, a true minus, and no sign on zero."""
    return _money_cell(amount, currency, signed=True)


@register.filter
def bare_money(amount: Decimal | None, currency: str) -> SafeString:
    """The amount alone, for a table whose head names the one currency."""
    return _money_cell(amount, currency, bare=True)


@register.filter
def bare_signed_money(amount: Decimal | None, currency: str) -> SafeString:
    """A change without its currency, for a table whose head names the one currency."""
    return _money_cell(amount, currency, signed=True, bare=True)


@register.filter
def money_text(amount: Decimal | None, currency: str) -> str:
    """`1,234.50 EUR` as plain text, for buttons and sentences; "unknown" when it is."""
    known = _known(amount, currency)
    return "unknown" if known is None else f"{figure_text(known, currency)}{NBSP}{currency}"


@register.filter
def micro(amount: Decimal | None) -> str:
    """Whole micro-units for a data attribute; empty when unknown."""
    return "" if amount is None else str(exact.to_micro(amount))


@register.filter
def minor_units(currency: str) -> int:
    """How many decimals the currency has: EUR 2, JPY 0, KWD 3."""
    return exact.minor_units(currency)


def _known(amount: object, currency: str) -> Decimal | None:
    # A template variable that does not exist arrives as "", and must not be taken for a zero.
    return Decimal(amount) if isinstance(amount, Decimal | int) and currency else None


def figure_text(amount: Decimal, currency: str, signed: bool = False) -> str:
    """`1,234.50` or `+1,234.50`, where the currency is named elsewhere."""
    shown = exact.rounded(amount, currency)
    sign = MINUS if shown < 0 else "+" if signed and shown > 0 else ""
    return f"{sign}{abs(shown):,.{exact.minor_units(currency)}f}"


@_made_once
def _money_cell(amount: object, currency: str, signed: bool = False, bare: bool = False) -> SafeString:
    known = _known(amount, currency)
    if known is None:
        return UNKNOWN
    shown = exact.rounded(known, currency)
    exact_text = f"{known:,f}".rstrip("0").rstrip(".").replace("-", MINUS)
    full = "" if shown == known else format_html(' title="{} {}"', exact_text, currency)
    code = "" if bare else format_html(' <span class="cur">{}</span>', currency)
    zero, figure = "" if shown else " zero", figure_text(known, currency, signed)
    return format_html('<span class="money{}"{}>{}{}</span>', zero, full, figure, code)


# Countries, types, capabilities, people --------------------------------

SHORTER_NAMES = {"US": "United States", "GB": "United Kingdom", "XK": "Kosovo"}
CAPABILITIES = {
    "SMS": ("message", "SMS"),
    "VOICE": ("phone-call", "Voice"),
    "MMS": ("message", "MMS"),
    "WHATSAPP": ("message-circle", "WhatsApp"),
}


@register.filter
def country_name(code: str) -> str:
    """`Germany` for DE; an unknown code is shown as it is."""
    code = str(code or "")
    return SHORTER_NAMES.get(code.upper()) or str(countries.name(code)) or code


@register.simple_tag
@_made_once
def flag(code: str) -> SafeString:
    """The country's flag as decoration, or nothing when there is no picture of it."""
    name = str(code or "").lower()
    if name not in _flags():
        return SafeString("")
    return format_html(
        '<img class="flag" src="{}" alt="" width="20" height="15">', static(f"flags/{name}.svg")
    )


@cache
def _flags() -> frozenset[str]:
    return frozenset(path.stem for path in FLAGS.glob("*.svg"))


@register.filter
def type_name(value: str) -> str:
    """`Virtual long number` for VIRTUAL_LONG_NUMBER, and the same way for types we have never seen."""
    return str(value or "").replace("_", " ").strip().capitalize()


@register.filter
def capability_label(value: str) -> str:
    """`Voice` for VOICE; one we do not know in sentence case."""
    return CAPABILITIES[value][1] if value in CAPABILITIES else type_name(value)


@register.filter
def capability_icon(value: str) -> str:
    """The icon that stands before a capability."""
    return CAPABILITIES.get(value, ("circle-dashed", ""))[0]


@register.filter
def initials(name: str) -> str:
    """`SO` for Sales Office, `MA` for manager."""
    words = re.findall(r"\w+", str(name or ""))
    letters = words[0][:2] if len(words) == 1 else "".join(word[0] for word in words[:1] + words[-1:])
    return letters.upper()


@register.filter
def shade(name: str) -> str:
    """The class of a person's colour; the same name always has the same one."""
    return f"a{sum(map(ord, str(name or ''))) % 4 + 1}"


# Icons and states ------------------------------------------------------


@register.simple_tag
@_made_once
def icon(name: str, size: str = "", label: str = "") -> SafeString:
    """An icon of the sprite. Size "s" or "l"; decoration unless it has a label."""
    return format_html(
        '<svg class="i{}"{}><use href="{}#{}"></use></svg>',
        f" i-{size}" if size else "",
        format_html(' role="img" aria-label="{}"', label) if label else SafeString(' aria-hidden="true"'),
        static("icons.svg"),
        name,
    )


@dataclass(frozen=True, slots=True)
class Look:
    """How a state is shown: tone of its colour, icon, words. Never colour alone."""

    tone: str
    icon: str
    text: str


_WAITING = {
    "pending": Look("warn", "hourglass", "Waiting for approval"),
    "approved": Look("info", "check", "Approved"),
    "unknown": Look("warn", "help-circle", "Outcome unknown"),
    "rejected": Look("bad", "circle-x", "Rejected"),
    "withdrawn": Look("", "ban", "Withdrawn"),
    "expired": Look("", "clock", "Expired"),
    "price_changed": Look("warn", "receipt", "Price changed"),
    "scheduled": Look("info", "calendar", "Waits for its day"),
    "other_approver": Look("", "users", "Someone else must approve"),
}
LOOKS: dict[str, dict[str, Look]] = {
    "purchase": _WAITING
    | {
        "executing": Look("info", "refresh", "Buying"),
        "done": Look("ok", "circle-check", "Bought"),
        "failed": Look("bad", "circle-x", "Not bought"),
        "gone": Look("bad", "circle-x", "No longer available"),
    },
    "cancel": _WAITING
    | {
        "executing": Look("info", "refresh", "Cancelling"),
        "done": Look("", "ban", "Cancelled"),
        "failed": Look("bad", "circle-x", "Not cancelled"),
    },
    "number": {
        "owned": Look("ok", "circle-check", "Active"),
        "missing": Look("warn", "help-circle", "Missing at provider"),
        "ended": Look("", "ban", "Ended"),
    },
    "run": {
        "running": Look("info", "refresh", "Running"),
        "complete": Look("ok", "circle-check", "Completed"),
        "changed": Look("warn", "arrows-diff", "Completed with changes"),
        "incomplete": Look("warn", "alert-triangle", "Incomplete"),
        "guarded": Look("warn", "shield-check", "Held back"),
        "failed": Look("bad", "circle-x", "Failed"),
    },
    "month": {"open": Look("info", "lock-open", "Open"), "closed": Look("", "lock", "Closed")},
}


@register.filter
def look(state: str, kind: str) -> Look:
    """How a state of a kind (a key of LOOKS) looks; one not listed is shown in its own words."""
    return LOOKS.get(str(kind), {}).get(str(state)) or Look("", "circle-dashed", type_name(state))


@register.filter
def section(path: str) -> str:
    """The menu entry a path lies under: `/orders/12/` -> orders, `/` -> overview."""
    return str(path or "").strip("/").split("/")[0] or "overview"


# Times -----------------------------------------------------------------

WHEN = {
    "": "{0.day} {0:%b %Y, %H:%M}",
    "date": "{0.day} {0:%b %Y}",
    "clock": "{0:%H:%M}",
    "clock_zone": "{0:%H:%M} {zone}",
    "seconds": "{0:%H:%M:%S}",
    "full": "{0.day} {0:%b %Y, %H:%M} {zone}",
    "long_day": "{0:%A} {0.day} {0:%B %Y}",
    "month": "{0:%B %Y}",
    "month_only": "{0:%B}",
}


@register.filter
def when(value: datetime | date | None, style: str = "") -> str:
    """`13 Oct 2026, 14:32` in the person's time zone; styles: the keys of WHEN. A date has no clock."""
    if not isinstance(value, date):
        return DASH
    if isinstance(value, datetime):
        value = timezone.localtime(value)
    elif style in ("", "full"):
        style = "date"
    return WHEN[style].format(value, zone=_zone(value))


def _zone(value: date) -> str:
    name = value.tzname() if isinstance(value, datetime) else ""
    return f"UTC{name}" if name and name[0] in "+-" else name or ""


@register.filter
def ago(value: datetime | None, now: datetime | None) -> str:
    """`26 min ago` under 24 hours (`in 40 s` ahead), else the date. Without `now`: date and time."""
    if not isinstance(value, datetime) or not isinstance(now, datetime):
        return when(value)
    if abs(now - value) >= timedelta(hours=24):
        return when(value, "date")
    if value > now:
        return f"in {lasting(value - now)}"
    return "just now" if now - value < timedelta(minutes=1) else f"{lasting(now - value)} ago"


@register.filter
def waited(value: datetime | None, now: datetime) -> str:
    """How long something has been waiting: `26 min`, `3 h`, `4 days`."""
    short = isinstance(value, datetime) and now - value < timedelta(minutes=1)
    return "under 1 min" if short else lasting(now - value) if isinstance(value, datetime) else DASH


@register.filter
def lasting(duration: timedelta | float | None) -> str:
    """A length of time in its largest unit; under 10 seconds with a tenth: `3.1 s`, `26 min`, `4 days`."""
    if duration is None or duration == "":
        return DASH
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 and seconds != int(seconds) else f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600:.0f} h"
    return f"{seconds // 86400:.0f} days"
