"""A year of an account, played through real orders and syncs against the sandbox, and what the story says of it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders.models import OrderItem
from numbersadmin.orders.quotes import Offer
from numbersadmin.provider.client import get_provider
from numbersadmin.sync import services as sync
from numbersadmin.sync.models import RunStatus, SyncRun
from tests.costs.reckoned import Life
from tests.orders.desk import Clock, Desk, again

BEFORE = date(2025, 12, 1)


class Account:
    """The provider, our records and the people, with one clock; a day of the story is `2026-03-16`."""

    def __init__(self, sandbox: Any, cast: Any) -> None:
        self.sandbox, self.clock = sandbox, Clock(datetime(2026, 1, 1, 9, tzinfo=UTC))
        self.desk = Desk(get_provider(), cast, self.clock)
        self.lives: dict[str, Life] = {}
        sandbox.clock(self.clock())

    @property
    def today(self) -> date:
        return self.clock().date()

    def on(self, day: str, hour: int = 9) -> None:
        """Go on to a day; the list is read on it before anything happens."""
        self.clock.now = datetime.fromisoformat(day).replace(hour=hour, tzinfo=UTC)
        self.sandbox.clock(self.clock())
        self.sync()

    def pass_time(self, **span: float) -> None:
        self.clock.now += timedelta(**span)
        self.sandbox.clock(self.clock())

    def sync(self) -> SyncRun:
        """Read the list; a complete run is what the story needs."""
        run = sync.run_sync(provider=get_provider(), actor=None, clock=self.clock)
        run.refresh_from_db()
        assert run.status == RunStatus.COMPLETE, run.status
        self.pass_time(minutes=20)
        return run

    def owned(self, number: str) -> OwnedNumber:
        return OwnedNumber.objects.filter(number=number).latest("id")

    def there(self, number: str, country: str, price: str, currency: str) -> None:
        """A number that the account has had for long."""
        self.sandbox.stock(owned=[_row(number, country, price, currency)])
        self.lives[number] = Life(number, [(BEFORE, price, currency)])

    def buy(
        self, number: str, country: str, price: str, currency: str, *, setup: str = "0", **how: Any
    ) -> OrderItem:
        """Order, approve and buy; with `lost` the provider does it and does not answer."""
        self.sandbox.stock(available=[_row(number, country, price, currency, setup)])
        return self.buy_again(number, country, price, currency, setup=setup, **how)

    def buy_again(
        self, number: str, country: str, price: str, currency: str, *, setup: str = "0", lost: bool = False
    ) -> OrderItem:
        """Buy what is for sale already."""
        if lost:
            self.sandbox.fault("purchase", "drop", act=True)
        item = self.desk.carry_out(self.desk.approved(Offer(country, number)))
        for _ in range(4 if lost else 0):
            self.pass_time(minutes=10)
            self.desk.sweep()
            item = again(item)
        assert item.state == "done", (item.state, item.failure)
        life = Life(number, [(self.today, price, currency)], self.today, setup)
        self.lives[f"{number} again" if number in self.lives else number] = life
        self.pass_time(minutes=20)
        self.sync()
        return item

    def cancel(self, number: str) -> None:
        """Order, approve and give back."""
        item = self.desk.carry_out(self.desk.approved_cancel(self.owned(number)))
        assert item.state == "done", (item.state, item.failure)
        self.lives[number].end = self.today
        self.pass_time(minutes=20)
        self.sync()

    def outside(self, act: str, number: str, **details: Any) -> None:
        """Something that happens in the provider's own portal, and is seen on the same day."""
        self.sandbox.api("outside", {"act": act, "number": number, **details})
        self.pass_time(minutes=20)
        self.sync()

    def bought_outside(
        self, number: str, country: str, price: str, currency: str, *, setup: str = "0"
    ) -> None:
        self.sandbox.stock(available=[_row(number, country, price, currency, setup)])
        self.outside("purchase", number)
        self.lives[number] = Life(number, [(self.today, price, currency)], self.today, setup)

    def price(self, number: str, price: str, currency: str) -> None:
        """The provider's list says another price from today on."""
        self.outside("change", number, set={"pricePerMonth": price, "currency": currency})
        self.lives[number].prices.append((self.today, price, currency))

    def gone(self, number: str) -> None:
        """Cancelled in the portal; two complete lists without it, and the key no longer answers."""
        self.outside("cancel", number)
        self.sync()
        assert self.owned(number).status == "ended"
        self.lives[number].gone = self.today

    def back(self, number: str) -> None:
        """On the list again under the same key."""
        self.outside("purchase", number)
        self.lives[number].back = self.today


def _row(number: str, country: str, price: str, currency: str, setup: str = "0") -> dict[str, Any]:
    money = {"pricePerMonth": price, "setupPrice": setup, "currency": currency}
    return {
        "numberKey": f"KEY{number}",
        "number": number,
        "country": country,
        "type": "VIRTUAL_LONG_NUMBER",
        "capabilities": ["SMS"],
        "price": money,
    }


DE, RU, US, JP, KW = "4930111222", "79029555551", "12025550123", "81312345678", "96522212345"
GB, FR, IT, ES, PL, NL = (
    "447860041117",
    "33612345678",
    "39061234567",
    "34911234567",
    "48221234567",
    "31201234567",
)


def begin(account: Account) -> None:
    """What was there when records began."""
    account.there(DE, "DE", "8", "EUR")
    account.there(RU, "RU", "15", "EUR")
    account.there(US, "US", "1.5", "USD")
    account.there(JP, "JP", "900", "JPY")
    account.there(KW, "KW", "1.125", "KWD")
    account.sync()


def january(a: Account) -> None:
    a.on("2026-01-14")
    a.buy(GB, "GB", "5", "EUR", setup="2")


def february(a: Account) -> None:
    a.on("2026-02-10")
    a.price(DE, "9", "EUR")
    a.on("2026-02-20")
    a.cancel(RU)


def march(a: Account) -> None:
    a.on("2026-03-16")
    a.buy(FR, "FR", "10", "EUR", setup="3")
    a.bought_outside(IT, "IT", "7.3", "EUR", setup="0.5")


def april(a: Account) -> None:
    a.on("2026-04-10")
    a.gone(US)


def may(a: Account) -> None:
    a.on("2026-05-13")
    a.buy("81398765432", "JP", "980", "JPY", setup="100")


def june(a: Account) -> None:
    a.on("2026-06-05")
    a.back(US)
    a.on("2026-06-18")
    a.price(KW, "1.2345", "KWD")


def july(a: Account) -> None:
    a.on("2026-07-31")
    a.buy(ES, "ES", "4.4", "EUR")


def august(a: Account) -> None:
    a.on("2026-08-05")
    a.cancel(FR)
    a.sandbox.switch(key_changes_on_purchase=True)
    a.on("2026-08-20")
    a.buy_again(FR, "FR", "10", "EUR", setup="3")
    a.sandbox.switch(key_changes_on_purchase=False)


def september(a: Account) -> None:
    a.on("2026-09-12")
    a.price(IT, "8.1", "USD")


def october(a: Account) -> None:
    a.on("2026-10-29")
    a.buy(PL, "PL", "0.333333", "EUR", setup="0.000001", lost=True)


def november(a: Account) -> None:
    a.on("2026-11-02")
    a.buy(NL, "NL", "6", "EUR")
    a.on("2026-11-25")
    a.cancel(NL)


def december(a: Account) -> None:
    a.on("2026-12-24")
    a.price(GB, "4.5", "EUR")


MONTHS = [january, february, march, april, may, june, july, august, september, october, november, december]
