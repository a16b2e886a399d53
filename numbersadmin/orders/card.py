"""The decision card of an order: what it costs now, what moved since it was asked, what the button will do."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from numbersadmin.orders.brief import Brief, briefs
from numbersadmin.orders.detail import Change, ItemView, OrderPage, PriceLine, changes, price_lines
from numbersadmin.orders.ledger import (
    Ledger,
    approve_words,
    approve_words_short,
    cancel_ledgers,
    purchase_ledgers,
)
from numbersadmin.orders.models import Kind, State
from numbersadmin.orders.quotes import Quote, no_worse
from numbersadmin.orders.selectors import OVER, shown_fingerprint
from numbersadmin.orders.showing import Shown, look
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
    last: bool  # this viewer's approval would be the last one needed
    brief: Brief
    fingerprint: str  # of what is shown: what an approval has to be for
    chosen: list[ItemView]  # the items that the decision is about; the others are left out
    left_out: list[ItemView]
    read_at: datetime | None = None
    trouble: Trouble | None = None
    moved: list[MovedOffer] = field(default_factory=list)
    cheaper: list[MovedOffer] = field(default_factory=list)
    gone: list[ItemView] = field(default_factory=list)
    unread: int = 0
    unknown_price: bool = False  # one of the prices is not understood, so it cannot be bought
    all_gone: bool = False

    @property
    def may_approve(self) -> bool:
        """Is there something to approve at a price that is known? (Who may is the page's question.)"""
        stuck = self.trouble and not self.trouble.ours
        return not (stuck or self.moved or self.all_gone or self.unknown_price)

    @property
    def saving(self) -> bool:
        """Is it a cancellation?"""
        return self.brief.order.kind == Kind.CANCEL

    @property
    def chosen_ids(self) -> set[int]:
        """The ids of the items that the decision is about."""
        return {view.item.pk for view in self.chosen}


def decision_card(
    page: OrderPage, *, provider: Provider | None, now: datetime, chosen: Sequence[int] = ()
) -> Card:
    """The card of an order. With a provider, the prices of what waits are read anew.

    `chosen` are the items to decide on; without any, all that wait. To choose among them is the same page
    again, so what it has just read is not read once more.
    """
    buying = page.order.kind == Kind.PURCHASE
    pending = [view for view in page.items if view.item.state == State.PENDING]
    wanted = [view for view in pending if view.item.pk in chosen] or pending
    counted = wanted or [view for view in page.items if view.item.state not in OVER] or page.items
    shown, items = Shown(), [view.item for view in wanted]
    if buying and provider and pending:
        shown = look(provider, page.order, items, now=now, wait=PAGE_WAIT, again=not chosen)
    fresh = shown.quotes
    gone = [view for view in wanted if view.item.pk in shown.gone]
    here = [view for view in counted if view not in gone] or counted
    quotes = [fresh.get(view.item.pk) or _quote_of(view) for view in here]
    decided = not page.counts.get(State.PENDING)
    timing = page.order.timing
    return Card(
        ledgers=purchase_ledgers(quotes, now, decided=decided)
        if buying
        else cancel_ledgers(quotes, now, timing=timing),
        words=approve_words(quotes, buying=buying, anew=bool(page.changed), last=_is_last(page)),
        last=_is_last(page),
        words_short=approve_words_short(quotes, buying=buying),
        brief=briefs([(page.order, [view.item for view in here])], now, fresh)[page.order.pk],
        fingerprint=shown_fingerprint(page.order, items, now),
        chosen=wanted,
        left_out=[view for view in pending if view not in wanted],
        read_at=min((quote.read_at for quote in fresh.values()), default=now if gone else None),
        trouble=trouble_of(shown.problem) if shown.problem else None,
        moved=_moved(here, fresh, worse=True),
        cheaper=_moved(here, fresh, worse=False),
        gone=gone,
        unread=shown.unread,
        unknown_price=buying and not all(quote.buyable for quote in quotes),
        all_gone=bool(gone) and len(gone) == len(wanted),
    )


def _is_last(page: OrderPage) -> bool:
    """Would this viewer's approval be the last one needed?"""
    return page.standing.approvers_missing + page.standing.finance_missing <= 1


def _quote_of(view: ItemView) -> Quote:
    """What it was bought at, else the offer that counts now."""
    item = view.item
    executed = item.executed_quote if item.state in (State.DONE, State.EXECUTING, State.UNKNOWN) else None
    return Quote.from_json(executed) if executed else view.current


def _moved(counted: Sequence[ItemView], fresh: dict[int, Quote], *, worse: bool) -> list[MovedOffer]:
    moved = []
    for view in counted:
        quote = fresh.get(view.item.pk)
        if quote is None or quote.fingerprint == view.current.fingerprint:
            continue
        if no_worse(view.current, quote) != worse:
            lines = price_lines(view.current, quote)
            moved.append(MovedOffer(view, quote, lines, changes(view.current, quote)))
    return moved
