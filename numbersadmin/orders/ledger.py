"""What numbers cost as people read it: one small account per currency, and the words of buttons."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings

from numbersadmin.formats import money_text, phone_intl, when
from numbersadmin.money import ZERO
from numbersadmin.orders.models import Timing
from numbersadmin.orders.quotes import Quote

PAID = {Timing.MONTH_END: "Paid, and used to its last day", Timing.NOW: "Already charged, not refunded"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a ledger, as components/ledger.html takes it; an unknown amount is None."""

    label: str
    amount: Decimal | None
    currency: str
    note: str = ""
    total: bool = False
    sign: bool = False
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the numbers of one currency cost: its lines, and twelve months of it without the set-up."""

    currency: str
    lines: list[Line]
    year: Decimal | None
    setup: Decimal | None


def month_of(moment: datetime) -> str:
    """The name of the month that a cost of this moment falls into (settings.BILLING_TIME_ZONE)."""
    return f"{moment.astimezone(ZoneInfo(settings.BILLING_TIME_ZONE)):%B}"


def next_month_of(moment: datetime) -> str:
    """The name of the month after it."""
    here = moment.astimezone(ZoneInfo(settings.BILLING_TIME_ZONE))
    return f"{here.replace(day=1, month=here.month % 12 + 1):%B}"


def purchase_ledgers(quotes: Iterable[Quote], now: datetime, *, decided: bool = False) -> list[Ledger]:
    """What buying costs, a ledger per currency in the order of their codes; nothing is added across them.

    `decided`: it is no longer a question of what would be if it were bought.
    """
    groups: dict[str, list[Quote]] = {}
    for quote in quotes:
        groups.setdefault(quote.currency, []).append(quote)
    return [_purchase(currency, groups[currency], now, decided) for currency in sorted(groups)]


def _purchase(currency: str, quotes: Sequence[Quote], now: datetime, decided: bool) -> Ledger:
    setup = total(quote.setup_price for quote in quotes)
    month = total(quote.initial_month_price for quote in quotes)
    monthly = total(quote.price_per_month for quote in quotes)
    due = None if setup is None or month is None else setup + month
    read = max(quote.read_at for quote in quotes)
    name = month_of(read)
    return Ledger(
        currency=currency,
        lines=[
            Line("Set-up, once", setup, currency),
            Line(name, month, currency, note=_share(quotes) + ("" if decided else _if_bought(read, now))),
            Line(f"Due in {name}" if decided else "Due this month", due, currency, total=True),
            Line("Then every month", monthly, currency, total=True),
        ],
        year=None if monthly is None else monthly * 12,
        setup=setup,
    )


def _share(quotes: Sequence[Quote]) -> str:
    """`19 of 31 days`, when the provider's first month is such a share of every number."""
    silent = sum(quote.initial_month_price is None for quote in quotes)
    if silent:
        part = f" for {silent} of {len(quotes)} numbers" if len(quotes) > 1 else ""
        return f"{settings.PROVIDER_NAME} does not say{part}, at most a full month"
    shares = {quote.month_share for quote in quotes if quote.price_per_month}
    share = shares.pop() if len(shares) == 1 else None
    return f"{share[0]} of {share[1]} days" if share else f"as {settings.PROVIDER_NAME} says"


def _if_bought(read: datetime, now: datetime) -> str:
    zone = ZoneInfo(settings.BILLING_TIME_ZONE)
    same = read.astimezone(zone).date() == now.astimezone(zone).date()
    return ", if bought today" if same else f", if bought on {when(read.astimezone(zone).date())}"


def cancel_ledgers(quotes: Iterable[Quote], now: datetime, *, timing: str = Timing.NOW) -> list[Ledger]:
    """What giving numbers back saves, a ledger per currency; nothing of the running month comes back.

    Now or on the last day of the month saves the same, so `timing` only changes the words.
    """
    groups: dict[str, list[Quote]] = {}
    for quote in quotes:
        groups.setdefault(quote.currency, []).append(quote)
    return [_saving(currency, groups[currency], now, timing) for currency in sorted(groups)]


def _saving(currency: str, quotes: Sequence[Quote], now: datetime, timing: str) -> Ledger:
    monthly = total(quote.price_per_month for quote in quotes)
    saved = None if monthly is None else -monthly
    month = Line(month_of(now), None if monthly is None else ZERO, currency, note=PAID[Timing(timing)])
    later = Line(f"From {next_month_of(now)}, per month", saved, currency, sign=True, tone="ok strong")
    return Ledger(currency, [later, month], None if monthly is None else monthly * 12, None)


def total(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """The sum of amounts of one currency; None as soon as one of them is unknown."""
    known = list(amounts)
    return None if None in known else sum((amount for amount in known if amount is not None), ZERO)


def approve_words(quotes: Sequence[Quote], *, buying: bool, anew: bool, last: bool = True) -> str:
    """What the button of an approver says: verb, what, and what it will cost each month.

    When another person has to approve after this one, it does not say that it buys.
    """
    if not last:
        count = f"{len(quotes)} numbers" if len(quotes) > 1 else phone_intl(quotes[0].number)
        per_month = _per_month(quotes) if buying else ""
        return f"Approve {count} for {per_month}/month" if per_month else f"Approve {count}"
    if not buying:
        what = phone_intl(quotes[0].number) if len(quotes) == 1 else f"{len(quotes)} numbers"
        return f"Approve and cancel {what}"
    per_month = _per_month(quotes)
    if anew and per_month:
        return f"Approve {per_month} per month"
    what = f" {len(quotes)} numbers" if len(quotes) > 1 else ""
    return f"Approve and buy{what} for {per_month}/month" if per_month else f"Approve and buy{what}"


def approve_words_short(quotes: Sequence[Quote], *, buying: bool) -> str:
    """The same for the narrow button of a phone."""
    return f"Approve {_per_month(quotes)}".strip() if buying else "Approve"


def _per_month(quotes: Sequence[Quote]) -> str:
    currencies = {quote.currency for quote in quotes}
    monthly = total(quote.price_per_month for quote in quotes) if len(currencies) == 1 else None
    return "" if monthly is None else money_text(monthly, currencies.pop())
