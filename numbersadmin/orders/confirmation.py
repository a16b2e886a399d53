"""What a person is shown before they order, and the sealed promise that it is what they confirm."""

import secrets
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.core import signing

from numbersadmin.accounts.models import User
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders.detail import Change, PriceLine, changes, price_lines
from numbersadmin.orders.errors import Incomplete, OrderError, OutOfDate
from numbersadmin.orders.ledger import Ledger, purchase_ledgers
from numbersadmin.orders.lookups import Reading, read_quotes
from numbersadmin.orders.models import Order
from numbersadmin.orders.quotes import Offer, Quote
from numbersadmin.orders.selectors import live_purchases
from numbersadmin.orders.trouble import Trouble, is_pace, trouble_of
from numbersadmin.provider.client import Provider
from numbersadmin.provider.schema import digits

PAGE_WAIT = 4.0  # seconds that a page waits for turns at the provider
PROMISE_HOLDS = timedelta(minutes=15)
MEMORY_HOLDS = timedelta(minutes=1)
SALT = "orders.confirmation"
MEMORY = "prices_read"
ALTERED = (
    "This form has been altered. Nothing was ordered. Check the numbers and prices below and send it again."
)
TOO_OLD = (
    "The prices on this page were more than 15 minutes old, so they were read again. Check them and send it."
)
NOT_THE_SAME = (
    "What you confirmed is no longer what is offered. Nothing was ordered. Check the numbers below."
)
READ_LONG_AGO = (
    "These prices were read more than 15 minutes ago. Nothing was ordered. Look for the numbers again."
)
NOT_READ = "Not all prices could be read again, so nothing was ordered. Try again in a moment."


@dataclass(frozen=True, slots=True)
class Row:
    """One number on the page. `code` says why it cannot be ordered (gone, unread, owned, ordered, no_price).

    `changed` comes with what was shown before: `lines` and `changes` then hold both.
    """

    offer: Offer
    quote: Quote | None
    code: str = ""
    order_id: int | None = None
    owned_id: int | None = None
    lines: list[PriceLine] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    without_url: str = ""

    @property
    def usable(self) -> bool:
        """Is it part of the order?"""
        return self.quote is not None and self.code in ("", "changed")

    @property
    def similar_url(self) -> str:
        """A search for numbers that begin like it."""
        start = {"country": self.offer.country, "digits": self.offer.number[:-3], "match": "starts"}
        return f"/available/?{urlencode(start)}"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The page: its rows, what the usable ones cost, and why some prices are missing."""

    rows: list[Row]
    ledgers: list[Ledger]
    read_at: datetime
    trouble: Trouble | None

    @property
    def quotes(self) -> list[Quote]:
        """The offers that are part of the order."""
        return [row.quote for row in self.rows if row.usable and row.quote]

    @property
    def unread(self) -> int:
        """How many prices are not known yet; until then nothing can be sent."""
        return sum(row.code == "unread" for row in self.rows)

    @property
    def ready(self) -> bool:
        """Can it be sent for approval?"""
        return bool(self.quotes) and not self.unread

    @property
    def reload_url(self) -> str:
        """The same page with its prices read again."""
        return _url(row.offer for row in self.rows)


@dataclass(frozen=True, slots=True)
class Promise:
    """What an earlier page showed to this person: its one-time token, and the offers by reference."""

    form_token: str
    at: datetime
    quotes: dict[str, Quote]
    search: dict[str, Any] | None = None  # whose first numbers these are, of a bulk order


# What is asked for -----------------------------------------------------------------------------------------------


def offers_of(refs: Iterable[str]) -> list[Offer]:
    """The numbers that a link or form names, each once. Raises ValueError when one of them is none."""
    offers = []
    for offer in map(Offer.parse, refs):
        bare = digits(offer.number)
        offers.append(Offer(offer.country, bare) if bare.isascii() and bare.isdigit() else offer)
    return list(dict.fromkeys(offers))


def confirmation(
    *,
    provider: Provider,
    offers: Sequence[Offer],
    now: datetime,
    known: Mapping[str, Quote] | None = None,
    promised: Mapping[str, Quote] | None = None,
) -> Confirmation:
    """Read the offers' prices and lay out the page.

    `known` were read a moment ago and are not read again. `promised` is what the person was shown before: it
    is compared with, and stands in for prices that only our own pace kept us from reading again.
    """
    known, promised = known or {}, promised or {}
    ordered, owned = live_purchases(offers), _owned(offers)
    asked = [o for o in offers if o.ref not in known and o.ref not in ordered and o.ref not in owned]
    reading = read_quotes(provider, asked, now=now, wait=PAGE_WAIT) if asked else Reading()
    quotes = {**known, **reading.quotes}
    if is_pace(reading.problem):
        quotes |= {offer.ref: promised[offer.ref] for offer in reading.unread if offer.ref in promised}
    gone = {offer.ref for offer in reading.gone}
    rows = []
    for offer in offers:
        row = _row(offer, quotes.get(offer.ref), gone, ordered, owned, promised.get(offer.ref))
        rows.append(_with_url(row, offers))
    usable = [row.quote for row in rows if row.usable and row.quote]
    missing = any(row.code == "unread" for row in rows)
    return Confirmation(
        rows=rows,
        ledgers=purchase_ledgers(usable, now),
        read_at=min((quote.read_at for quote in usable), default=now),
        trouble=trouble_of(reading.problem) if missing and reading.problem else None,
    )


def _row(
    offer: Offer,
    quote: Quote | None,
    gone: set[str],
    ordered: Mapping[str, int],
    owned: Mapping[str, int],
    promised: Quote | None,
) -> Row:
    ref = offer.ref
    if ref in owned:
        return Row(offer, None, "owned", owned_id=owned[ref])
    if ref in ordered:
        return Row(offer, None, "ordered", order_id=ordered[ref])
    if quote is None:
        return Row(offer, None, "gone" if ref in gone else "unread")
    if not quote.buyable:
        return Row(offer, quote, "no_price")
    if promised and dearer_or_other(promised, quote):
        both = price_lines(promised, quote), changes(promised, quote)
        return Row(offer, quote, "changed", lines=both[0], changes=both[1])
    return Row(offer, quote)


def dearer_or_other(shown: Quote, now: Quote) -> bool:
    """Is it not what was shown? A first month that shrinks day by day is; one that grew is not."""
    grew = (
        shown.initial_month_price is not None
        and now.initial_month_price is not None
        and now.initial_month_price > shown.initial_month_price
    )
    return grew or shown.fingerprint != now.fingerprint


def _owned(offers: Sequence[Offer]) -> dict[str, int]:
    numbers = OwnedNumber.objects.open().filter(number__in={offer.number for offer in offers}, shared=False)
    found = {Offer(one.country, one.number).ref: one.pk for one in numbers}
    return {offer.ref: found[offer.ref] for offer in offers if offer.ref in found}


def _with_url(row: Row, offers: Sequence[Offer]) -> Row:
    others = [offer for offer in offers if offer != row.offer]
    return replace(row, without_url=_url(others) if others else "/available/")


def _url(offers: Iterable[Offer]) -> str:
    return f"/orders/new/?{urlencode([('offer', offer.ref) for offer in offers])}"


# The promise -----------------------------------------------------------------------------------------------------


def order_made_by(user: User, form_token: str) -> Order | None:
    """The order that this person's form has already made, should it be sent a second time."""
    return Order.objects.filter(form_token=form_token, requester=user).first() if form_token else None


def new_token() -> str:
    """The one-time token of a form."""
    return secrets.token_urlsafe(24)


def seal(
    user: User,
    form_token: str,
    quotes: Iterable[Quote],
    now: datetime,
    *,
    search: dict[str, Any] | None = None,
) -> str:
    """What this person is being shown now, as a form field that cannot be altered or used by anybody else."""
    shown = {
        "for": user.pk,
        "token": form_token,
        "at": now.isoformat(),
        "quotes": [quote.to_json() for quote in quotes],
        "search": search,
    }
    return signing.dumps(shown, salt=SALT, compress=True)


def unseal(sealed: str, *, user: User, form_token: str, offers: Sequence[Offer] | None = None) -> Promise:
    """What the form showed. Raises OutOfDate when anything of it is not as we made it, or made for another.

    `offers` are those that the form names beside it, where it does.
    """
    try:
        shown: dict[str, Any] = signing.loads(sealed, salt=SALT)
    except signing.BadSignature as error:
        raise OutOfDate(ALTERED) from error
    quotes = {quote.ref: quote for quote in map(Quote.from_json, shown["quotes"])}
    named = set(quotes) if offers is None else {offer.ref for offer in offers}
    if (shown["for"], shown["token"]) != (user.pk, form_token) or not set(quotes) <= named:
        raise OutOfDate(ALTERED)
    return Promise(form_token, datetime.fromisoformat(shown["at"]), quotes, shown.get("search"))


def seal_offers(
    user: User, quotes: Iterable[Quote], now: datetime, *, search: dict[str, Any]
) -> dict[str, str]:
    """The form fields that carry the first numbers of a search on to the page that orders them."""
    token = new_token()
    return {"form_token": token, "shown": seal(user, token, quotes, now, search=search)}


def check_read(promise: Promise, now: datetime) -> None:
    """Were the prices of a bulk order read within a quarter of an hour? They are not read again. Raises OutOfDate."""
    if now - min(quote.read_at for quote in promise.quotes.values()) > PROMISE_HOLDS:
        raise OutOfDate(READ_LONG_AGO)


def search_url(promise: Promise) -> str:
    """The page that looks for the first so many of the same search as it is now."""
    kept = dict(promise.search or {})
    asked = {
        name: kept.get(name) for name in ("country", "capabilities", "match", "type", "max_price", "count")
    }
    sent = {"digits": kept.get("number"), **asked}
    return f"/available/order/?{urlencode({name: one for name, one in sent.items() if one}, doseq=True)}"


def check(promise: Promise, page: Confirmation, now: datetime) -> None:
    """Is what the person confirmed still what is offered? Raises an OrderError with what to do."""
    if page.unread:
        raise Incomplete(NOT_READ)
    if now - promise.at > PROMISE_HOLDS:
        raise OutOfDate(TOO_OLD)
    offered = {row.offer.ref for row in page.rows if row.usable and not row.code}
    if set(promise.quotes) != offered or any(row.code == "changed" for row in page.rows):
        raise OrderError(NOT_THE_SAME)


# Going on with a page whose prices could not all be read at the provider's pace ----------------------------------


def remember(session: MutableMapping[str, Any], page: Confirmation) -> None:
    """Keep what was read while something is still missing because of our own pace, else forget it."""
    if page.unread and page.trouble and page.trouble.ours:
        session[MEMORY] = [quote.to_json() for quote in page.quotes]
    else:
        session.pop(MEMORY, None)


def remembered(session: Mapping[str, Any], now: datetime) -> dict[str, Quote]:
    """What the page before this one had read, if that was a moment ago."""
    quotes = map(Quote.from_json, session.get(MEMORY, ()))
    return {quote.ref: quote for quote in quotes if now - quote.read_at < MEMORY_HOLDS}
