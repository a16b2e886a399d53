"""What the front page shows: what needs this person, what is spent, how the provider is, what happened last."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet, Sum

from numbersadmin.accounts.models import User
from numbersadmin.attestation.selectors import Asks, asks_of
from numbersadmin.audit import selectors as audit
from numbersadmin.available.selectors import asks_to_answer
from numbersadmin.costs import selectors as costs
from numbersadmin.formats import money_text
from numbersadmin.money import Totals
from numbersadmin.numbers.models import OwnedNumber, Status
from numbersadmin.orders import selectors as orders
from numbersadmin.orders.models import Order, OrderItem, Resolution, State
from numbersadmin.orders.selectors import OrderRow
from numbersadmin.policies.models import ApprovalPolicy
from numbersadmin.policies.selectors import waiting_for_confirmation

SHOWN = 8
EVENTS = 6


@dataclass(frozen=True, slots=True)
class FrontPage:
    """Everything on the front page. `needs` are orders this person may decide, `mine` their own open ones."""

    needs: list[OrderRow]
    needs_count: int
    unknown: list[OrderItem]
    confirm: list[Resolution]  # unknown outcomes that somebody found out, and this person may confirm
    rules: list[ApprovalPolicy]  # proposals that this person may confirm
    paused: list[Order]
    attests: Asks  # sheets to answer, and numbers that were handed over to them
    missing: list[OwnedNumber]
    missing_count: int
    asked_for: int  # numbers that somebody asks for and this person may give
    mine: list[OrderRow]
    month: costs.MonthPage
    per_month: Totals
    owned: int
    bought: int
    ended: int
    events: list[audit.Line]

    @property
    def asks(self) -> int:
        """How many things ask something of this person."""
        others = len(self.unknown) + len(self.confirm) + len(self.rules) + len(self.paused)
        others += self.attests.count + bool(self.missing_count) + bool(self.asked_for)
        return self.needs_count + others

    @property
    def other_totals(self) -> str:
        """This month's totals in the other currencies, as a line of text."""
        others = [one for one in self.month.totals if one.currency != self.month.currency]
        return " · ".join(
            f"{one.currency} unknown" if one.amount is None else money_text(one.amount, one.currency)
            for one in others
        )

    @property
    def other_per_month(self) -> str:
        """What the other currencies come to per month, as a line of text."""
        others = [(code, amount) for code, amount in self.per_month.items() if code != self.month.currency]
        return " · ".join(money_text(amount, code) for code, amount in others)

    @property
    def main_per_month(self) -> Decimal | None:
        """Per month from now on, in the currency that is shown large."""
        return self.per_month.get(self.month.currency)


def front_page(person: User, now: datetime) -> FrontPage:
    """The front page of this person; the number of queries does not grow with what there is."""
    waiting = orders.order_rows(viewer=person, tab="decide", per_page=SHOWN)
    mine = orders.order_rows(viewer=person, tab="open", per_page=SHOWN)
    missing = missing_numbers(person)
    known = costs.records(now)
    start = known.calendar.start(known.current)
    return FrontPage(
        needs=list(waiting.object_list),
        needs_count=waiting.paginator.count,
        unknown=unknown_items(person),
        confirm=orders.waiting_resolutions(person)[:SHOWN],
        rules=list(waiting_for_confirmation(person)[:SHOWN]),
        paused=list(orders.paused_orders()[:SHOWN]) if person.can("orders.resume") else [],
        attests=asks_of(person),
        missing=list(missing[:3]),
        missing_count=missing.count(),
        asked_for=asks_to_answer(person),
        mine=list(mine.object_list),
        month=costs.month_page(known, known.current, now=now, wide=True, wait=True),
        per_month=per_month(),
        owned=OwnedNumber.objects.open().count(),
        bought=OwnedNumber.objects.filter(acquired_from__gte=start).count(),
        ended=OwnedNumber.objects.filter(status=Status.ENDED, ended_to__gte=start).count(),
        events=audit.latest(EVENTS, only="" if person.can("audit.view_all") else person.username),
    )


def unknown_items(person: User) -> list[OrderItem]:
    """Outcomes nobody knows: all for those who may settle them, else those of one's own orders."""
    found = orders.items_in_state(State.UNKNOWN)
    if not person.can("orders.approve") and not person.can("provider.credentials"):
        found = found.filter(order__requester=person)
    return list(found[:SHOWN])


def missing_numbers(person: User) -> QuerySet[OwnedNumber]:
    """Numbers absent from the provider's list and not confirmed gone, for those who can look into it."""
    found = OwnedNumber.objects.filter(status=Status.MISSING).order_by("missing_since", "id")
    return found if person.can("sync.start") else found.none()


def per_month() -> Totals:
    """What all numbers owned now cost in a full month, per currency."""
    rows = (
        OwnedNumber.objects.open()
        .values("currency")
        .annotate(sum=Sum("price_per_month"))
        .order_by("currency")
    )
    return Totals.of((row["currency"], row["sum"]) for row in rows if row["currency"])
