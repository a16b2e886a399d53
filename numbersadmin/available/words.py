"""What the search page says: what was looked through, what went wrong, and where its links lead."""

import math
from dataclasses import dataclass
from datetime import datetime

from numbersadmin.available.forms import query_of
from numbersadmin.available.selectors import Found, Search
from numbersadmin.formats import capability_label, country_name, when
from numbersadmin.provider.errors import ProviderError
from numbersadmin.web import facts

TRY_AGAIN = {
    "busy": 2,
    "down": 10,
    "bad_answer": 30,
    "redirect": 30,
}  # seconds, where the provider tells none

NOT_UNDERSTOOD = "Infobip gave an answer that we do not understand"
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
    title, text = {
        "busy": (
            f"Infobip is busy, try again in {seconds} s",
            "It answers one list a second, and others are asking too.",
        ),
        "down": (
            "The search did not reach Infobip",
            f"{_sentence(error.text)} Buying and cancelling wait too.",
        ),
        "credentials": (
            "Infobip refuses our sign-in",
            "An administrator has to renew the key, or the user name and password. Until then nothing can be"
            " searched or bought; what we last synced can be browsed.",
        ),
        "refused": ("Infobip does not accept this search", f"{_sentence(error.text)} Change the filters."),
    }.get(
        error.kind,
        (
            "Infobip gave an answer that we do not understand",
            f"{_sentence(error.text)} An administrator should look.",
        ),
    )
    reference = f"{facts().request_id}, {when(now, 'seconds')}"
    return Trouble(error.kind, title, f"{text} Your filters are kept.", reference, seconds)


def _sentence(text: str) -> str:
    """The client's or the provider's own words as a sentence."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else "No answer in time."


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
