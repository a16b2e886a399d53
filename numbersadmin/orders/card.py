"""The decision card of an order: what it costs now, what moved since it was asked, what the button will do."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from numbersadmin.orders.detail import Change, ItemView, OrderPage, PriceLine, changes, price_lines
from numbersadmin.orders.ledger import (
    Ledger,
    approve_words,
    approve_words_short,
    cancel_ledgers,
    purchase_ledgers,
)
from numbersadmin.orders.lookups import read_quotes
from numbersadmin.orders.models import Kind, State
from numbersadmin.orders.quotes import Quote
from numbersadmin.orders.selectors import OVER
from numbersadmin.orders.trouble import Trouble, trouble_of
from numbersadmin.provider.client import Provider

PAGE_WAIT = 4.0  # seconds that a page waits for turns at the provider


@dataclass(frozen=True, slots=True)
class MovedOffer:
    """An item whose offer is, right now, not the one that waits for a decision."""

    view: ItemView
    fresh: Quote
    lines: list[PriceLine]
    changes: list[Change]


@dataclass(frozen=True, slots=True)
class Card:
    """Cost and decision as the page shows them. `read_at` is when the prices were read for this page."""

    ledgers: list[Ledger]
    words: str
    words_short: str
    read_at: datetime | None = None
    trouble: Trouble | None = None
    moved: list[MovedOffer] = field(default_factory=list)
    gone: list[ItemView] = field(default_factory=list)
    unread: int = 0
    unknown_price: bool = False  # one of the prices is not understood, so it cannot be bought
    all_gone: bool = False

    @property
    def may_approve(self) -> bool:
        """Is there something to approve at a price that is known? (Who may is the page's question.)"""
        stuck = self.trouble and not self.trouble.ours
        return not (stuck or self.moved or self.all_gone or self.unknown_price)


def decision_card(page: OrderPage, *, provider: Provider | None, now: datetime) -> Card:
    """The card of an order. With a provider, the prices of what waits are read anew; it is asked at most once."""
    buying = page.order.kind == Kind.PURCHASE
    pending = [view for view in page.items if view.item.state == State.PENDING]
    counted = pending or [view for view in page.items if view.item.state not in OVER] or page.items
    if not (buying and pending and provider):
        return _card(page, counted, {}, now)
    reading = read_quotes(provider, [view.current.offer for view in pending], now=now, wait=PAGE_WAIT)
    gone_refs = {offer.ref for offer in reading.gone}
    gone = [view for view in pending if view.current.ref in gone_refs]
    return _card(
        page,
        [view for view in pending if view not in gone] or pending,
        reading.quotes,
        now,
        read_at=now if reading.quotes or gone else None,
        trouble=trouble_of(reading.problem) if reading.problem else None,
        gone=gone,
        unread=len(reading.unread),
        all_gone=len(gone) == len(pending),
    )


def _card(
    page: OrderPage,
    counted: Sequence[ItemView],
    fresh: dict[str, Quote],
    now: datetime,
    *,
    read_at: datetime | None = None,
    trouble: Trouble | None = None,
    gone: list[ItemView] | None = None,
    unread: int = 0,
    all_gone: bool = False,
) -> Card:
    buying = page.order.kind == Kind.PURCHASE
    quotes = [fresh.get(view.current.ref) or _quote_of(view) for view in counted]
    decided = not page.counts.get(State.PENDING)
    return Card(
        ledgers=purchase_ledgers(quotes, now, decided=decided) if buying else cancel_ledgers(quotes, now),
        words=approve_words(quotes, buying=buying, anew=bool(page.changed)),
        words_short=approve_words_short(quotes, buying=buying),
        read_at=read_at,
        trouble=trouble,
        moved=_moved(counted, fresh),
        gone=gone or [],
        unread=unread,
        unknown_price=buying and not all(quote.buyable for quote in quotes),
        all_gone=all_gone,
    )


def _quote_of(view: ItemView) -> Quote:
    """What it was bought at, else the offer that counts now."""
    item = view.item
    executed = item.executed_quote if item.state in (State.DONE, State.EXECUTING, State.UNKNOWN) else None
    return Quote.from_json(executed) if executed else view.current


def _moved(counted: Sequence[ItemView], fresh: dict[str, Quote]) -> list[MovedOffer]:
    moved = []
    for view in counted:
        quote = fresh.get(view.current.ref)
        if quote and quote.fingerprint != view.current.fingerprint:
            moved.append(
                MovedOffer(view, quote, price_lines(view.current, quote), changes(view.current, quote))
            )
    return moved
