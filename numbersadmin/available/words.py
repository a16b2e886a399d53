"""What the search page says: what was looked through, what went wrong, and where its links lead."""

import math
from dataclasses import dataclass
from datetime import datetime

from numbersadmin.available.forms import query_of
from numbersadmin.available.selectors import CONTAINS, ENDS, STARTS, Found, Search
from numbersadmin.export import plain_value
from numbersadmin.formats import capability_label, country_name, type_name, when
from numbersadmin.provider.errors import ProviderError
from numbersadmin.web import facts

TRY_AGAIN = {
    "busy": 2,
    "down": 10,
    "bad_answer": 30,
    "redirect": 30,
}  # seconds, where the provider tells none

VERBS = {CONTAINS: "contains", STARTS: "starts with", ENDS: "ends with"}
TROUBLES = {  # title and text by kind of error
    "busy": (
        "Infobip is busy, try again in {seconds} s",
        "It answers one list a second, and others are asking too.",
    ),
    "down": ("The search did not reach Infobip", "{said} Buying and cancelling wait too."),
    "credentials": (
        "Infobip refuses our sign-in",
        "An administrator has to renew the key, or the user name and password. Until then nothing can be"
        " searched or bought; what we last synced can be browsed.",
    ),
    "refused": ("Infobip does not accept this search", "{said} Change the filters."),
    "bad_answer": (
        "Infobip gave an answer that we do not understand",
        "{said} An administrator should look.",
    ),
}
TO = "\u2013"  # an en dash, between the first and the last row


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no answer, and what to do next. `retry_after`: seconds, None when waiting does not help."""

    kind: str
    title: str
    text: str
    reference: str
    retry_after: int | None


def trouble_of(error: ProviderError, now: datetime) -> Trouble:
    """A failed search in words."""
    seconds = TRY_AGAIN.get(error.kind)
    if seconds is not None:
        seconds = max(1, math.ceil(error.retry_after or seconds))
    title, text = TROUBLES.get(error.kind, TROUBLES["bad_answer"])
    text = f"{text} Your filters are kept.".format(said=_said(error))
    reference = f"{facts().request_id}, {when(now, 'seconds')}"
    return Trouble(error.kind, title.format(seconds=seconds), text, reference, seconds)


def _said(error: ProviderError) -> str:
    """The provider's own words as such, ours as a sentence."""
    if error.http_status and error.text and not error.text.startswith("the provider "):
        return f"It answered: {error.text.rstrip('.')}."
    return f"{error.text[:1].upper()}{error.text[1:].rstrip('.')}." if error.text else "No answer in time."


def subject(wanted: Search) -> str:
    """What the provider filtered by: `Russia numbers with SMS and Voice and 555`."""
    words = f"{country_name(wanted.country)} numbers" if wanted.country else "numbers"
    having = [capability_label(one) for one in wanted.capabilities]
    if wanted.digits:
        having.append(wanted.digits)
    return f"{words} with {' and '.join(having)}" if having else words


@dataclass(frozen=True, slots=True)
class Summary:
    """The line over the rows: `lead` in bold, the `text`, what the link to `more` says, and the pager's words."""

    lead: str
    text: str
    more: str
    rows: str


def summary(wanted: Search, found: Found) -> Summary:
    """How much of what the provider lists was looked through, and how much of it fits."""
    about, listed = subject(wanted), None if found.listed is None else f"{found.listed:,}"
    shown = f"{found.first:,}{TO}{found.first + len(found.numbers) - 1:,}" if found.numbers else "0"
    rows = shown if found.total is None else f"{shown} of {found.total:,}"
    if found.matches is None:
        text = (
            f"Infobip lists {listed} {about}."
            if listed
            else f"Infobip does not say how many {about} it lists."
        )
        return Summary("", text, "", f"{rows} numbers")
    lead = f"{found.matches:,} match{'' if found.matches == 1 else 'es'}"
    if not found.step:
        return Summary(lead, f"in all {found.checked:,} {about} that Infobip lists.", "", f"{rows} matches")
    text = f"in the {found.checked:,} {about} checked so far."
    if listed:
        text += f" Infobip lists {listed}."
    return Summary(lead, text, f"Check the next {found.step:,}", f"{rows} matches")


@dataclass(frozen=True, slots=True)
class Nothing:
    """An empty result: what there is none of, why, and what to try."""

    title: str
    text: str


def nothing(wanted: Search, found: Found) -> Nothing:
    """Why there is no row."""
    one = f"{country_name(wanted.country)} number" if wanted.country else "number"
    able = " and ".join(capability_label(word) for word in wanted.capabilities)
    parts = [f"with {able}"] if able else []
    if wanted.digits:
        parts.append(f"{VERBS[wanted.match]} {wanted.digits}")
    if wanted.type:
        parts.append(f"is of the type {type_name(wanted.type).lower()}")
    if wanted.max_price is not None:
        parts.append(f"costs up to {plain_value(wanted.max_price)} per month")
    title = f"No {one} {' and '.join(parts) or 'is for sale'}"
    if found.step:
        listed = f"of {found.listed:,} " if found.listed is not None else ""
        text = f"{found.checked:,} {listed}{subject(wanted)} were checked so far. Check more, or loosen the filters."
    elif not found.checked:
        text = f"Infobip lists no {subject(wanted)} right now. Try another country, or fewer digits."
    else:
        text = f"We checked all {found.checked:,} {subject(wanted)} that Infobip lists. Loosen the filters."
    return Nothing(title, text)


@dataclass(frozen=True, slots=True)
class Links:
    """Where the page leads; each keeps the filters and what is chosen, but for what its name says."""

    same: str
    back: str
    next: str
    more: str
    clear: str
    fewer_digits: str
    any_price: str


def links(wanted: Search, found: Found | None, kept: list[str]) -> Links:
    """The links of the page; empty where there is nothing to lead to."""
    page = wanted.page
    return Links(
        same=_url(wanted, kept),
        back=_url(wanted, kept, page=page - 1) if found and page > 1 else "",
        next=_url(wanted, kept, page=page + 1) if found and found.has_next else "",
        more=_url(wanted, kept, checked=found.checked + found.step) if found and found.step else "",
        clear=_url(wanted, []),
        fewer_digits=_url(wanted, kept, digits=wanted.digits[:-1], page=1) if len(wanted.digits) > 2 else "",
        any_price=_url(wanted, kept, max_price=None, page=1) if wanted.max_price is not None else "",
    )


def _url(wanted: Search, kept: list[str], **changes: object) -> str:
    return f"/available/?{query_of(wanted, kept, **changes)}".removesuffix("?")
