"""People at work with orders: what the tests of orders have them submit, approve and carry out."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from numbersadmin.numbers.models import AcquiredBasis, OwnedNumber
from numbersadmin.numbers.services import Opening, open_numbers
from numbersadmin.orders import services
from numbersadmin.orders.lookups import read_quotes
from numbersadmin.orders.models import Order, OrderItem
from numbersadmin.orders.quotes import Offer, fingerprint_of
from numbersadmin.orders.selectors import shown_fingerprint
from numbersadmin.orders.sweeping import carry_out
from numbersadmin.policies.models import ApprovalPolicy
from numbersadmin.policies.services import confirm_policy, propose_policy, set_budget
from numbersadmin.policies.services import fingerprint_of as fingerprint
from numbersadmin.provider.client import Provider

KEY, NUMBER = "78D8394AC3EG0460B4CF0E723FC31B49", "79029555551"
SECOND_KEY, SECOND = "3B9D1EACAB7FBDRN%EE03592BFCD6BE", "79029555525"
RU = {
    "country": "RU",
    "type": "VIRTUAL_LONG_NUMBER",
    "capabilities": ["SMS"],
    "price": {"pricePerMonth": "15", "setupPrice": "0", "currency": "EUR"},
}
FOR_SALE = [
    {"numberKey": KEY, "number": NUMBER, **RU},
    {"numberKey": SECOND_KEY, "number": SECOND, **RU},
]
OFFER = Offer("RU", NUMBER)


class Clock:
    """Our clock; the provider's stands still at the same start."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def on(self, seconds: float) -> datetime:
        """Let so many seconds pass."""
        self.now += timedelta(seconds=seconds)
        return self.now


class Desk:
    """People at work: what they submit, approve and have carried out."""

    def __init__(self, provider: Provider, cast: Any, clock: Clock) -> None:
        self.provider, self.cast, self.clock = provider, cast, clock
        self.forms = 0

    def form(self) -> str:
        self.forms += 1
        return f"form-{self.forms}"

    def quotes(self, *offers: Offer) -> list[Any]:
        offers = offers or (OFFER,)
        reading = read_quotes(self.provider, offers, now=self.clock(), wait=5)
        assert not reading.problem, reading.problem
        return [reading.quotes[offer.ref] for offer in offers]

    def order(self, *offers: Offer, **given: Any) -> Order:
        facts = {
            "actor": self.cast.manager,
            "owner": self.cast.manager,
            "cost_centre": "4120 Retail",
            "reason": "Order confirmations",
            "sender_id": False,
            "form_token": self.form(),
            "now": self.clock(),
        }
        return services.submit_purchase(quotes=self.quotes(*offers), **facts | given)

    def cancel(self, owned: OwnedNumber, **given: Any) -> Order:
        facts = {
            "actor": self.cast.manager,
            "typed_number": owned.number,
            "reason": "Nobody uses it",
            "form_token": self.form(),
            "now": self.clock(),
        }
        return services.submit_cancel(owned=owned, **facts | given)

    def approve(self, order: Order, **given: Any) -> services.Approval:
        order.refresh_from_db()
        seen = fingerprint_of(order.items.filter(state="pending").values_list("fingerprint", flat=True))
        facts = {
            "actor": self.cast.approver,
            "round": order.round,
            "fingerprint": seen,
            "comment": "",
            "now": self.clock(),
        }
        return services.approve(provider=self.provider, order=order, **facts | given)

    def approve_shown(self, order: Order) -> services.Approval:
        """Approve what the page shows, the last day of the month included."""
        seen = shown_fingerprint(order, list(order.items.all()), self.clock())
        return self.approve(order, fingerprint=seen)

    def approved(self, *offers: Offer) -> OrderItem:
        """The first item of an order that was approved."""
        order = self.order(*offers)
        assert self.approve(order).approved
        return item_of(order)

    def approved_cancel(self, owned: OwnedNumber) -> OrderItem:
        order = self.cancel(owned)
        assert self.approve(order).approved
        return item_of(order)

    def carry_out(self, item: OrderItem) -> OrderItem:
        """What the worker does with an item; the item as it stands then."""
        carry_out(item_id=item.pk, provider=self.provider, clock=self.clock)
        return again(item)

    def sweep(self, **given: Any) -> services.Swept:
        return services.sweep(provider=self.provider, clock=self.clock, **given)

    def own(self, key: str = "OWNED1", number: str = "447860041117", **facts: Any) -> OwnedNumber:
        """A number of the provider's purchased list that a sync has seen two days ago."""
        listed = next(row for row in self.provider.list_owned(number=number).numbers if row.number_key == key)
        seen = self.clock() - timedelta(days=2)
        opening = Opening(
            facts=listed, acquired_to=seen, basis=AcquiredBasis.UNKNOWN, verb="number.appeared", **facts
        )
        return open_numbers(openings=[opening], actor=None, now=seen, source="sync", source_id=None)[0]


def item_of(order: Order) -> OrderItem:
    """The first item, as it stands now."""
    return order.items.order_by("id").select_related("order", "owned_number").first()


def again(item: OrderItem) -> OrderItem:
    """The same item, read anew."""
    return OrderItem.objects.select_related("order", "owned_number").get(pk=item.pk)


def rule(cast: Any, now: datetime, **terms: Any) -> ApprovalPolicy:
    """A rule in force: an administrator proposed it, finance confirmed it."""
    usual = {"kind": "purchase", "country": "", "currency": "EUR", "max_monthly": None, "max_setup": None}
    proposed = propose_policy(actor=cast.admin, terms={**usual, **terms}, reason="Because", now=now)
    confirm_policy(actor=cast.finance, policy=proposed, fingerprint=fingerprint(proposed), now=now)
    return proposed


def budget(cast: Any, now: datetime, amount: str, cost_centre: str = "4120 Retail") -> None:
    """What the cost centre may commit per month, in EUR."""
    facts = {"cost_centre": cost_centre, "currency": "EUR", "month": now.date(), "amount": Decimal(amount)}
    set_budget(actor=cast.finance, reason="The plan", now=now, **facts)
