"""What changes who has which number: purchases, cancellations, and what others do outside our program."""

import hashlib
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from numbersadmin.sandbox.answers import initial_for_sale
from numbersadmin.sandbox.clock import Clock, real_now, text
from numbersadmin.sandbox.numbers import FOR_SALE, NOT_SHOWN_YET, OWNED
from numbersadmin.sandbox.specials import DOCUMENTED_KEYS
from numbersadmin.sandbox.store import Number, Store
from numbersadmin.sandbox.switches import Switches

BOUGHT = f"place IN ({OWNED}, {NOT_SHOWN_YET})"


@dataclass
class Acts:
    """Acts on the stock. Every method but `catch_up` runs inside `store.change()`."""

    store: Store
    clock: Clock

    def purchase(
        self, number: Number, switches: Switches, act: str = "purchase", request: int | None = None
    ) -> Number:
        """Buy a number that is for sale. A shared one stays for sale; the answer is the owned one."""
        now = self.clock.now()
        lag = switches.read_lag_seconds if act == "purchase" else 0
        pending = act == "purchase" and switches.purchase_answer == "pending"
        changes: dict[str, Any] = {
            "place": NOT_SHOWN_YET if lag else OWNED,
            "number_key": self._new_key(number) if switches.key_changes_on_purchase else number.number_key,
            "sale_key": number.number_key,
            "initial": initial_for_sale(number, now.date()),
            "bought_on": now.date().isoformat(),
            "status": "PENDING" if pending else number.status,
            "lives": number.lives + 1,
        }
        if number.shared:
            self.store.edit(number.id, lives=number.lives + 1)
            bought_id = self.store.copy(number, **changes)
        else:
            self.store.edit(number.id, **changes)
            bought_id = number.id
        bought = number._replace(id=bought_id, **changes)
        if lag:
            self.put_off(lag, "show", {"id": bought_id})
        if pending:
            self.put_off(
                switches.pending_seconds, "settle", {"id": bought_id, "status": switches.pending_ends}
            )
        self._record(act, bought, number.number_key, bought.number_key, request, now)
        return bought

    def cancel(self, number: Number, act: str = "cancel", request: int | None = None) -> None:
        """Give an owned number back; it is for sale again, under the key it had before it was bought."""
        self._record(act, number, number.number_key, None, request, self.clock.now())
        if number.shared and number.sale_key:
            self.store.remove(number.id)  # the shared one never left the sale
            return
        key = number.sale_key or number.number_key
        back = {"number_key": key, "sale_key": None, "initial": None, "bought_on": None, "status": None}
        self.store.edit(number.id, place=FOR_SALE, **back)

    def take_away(self, number: Number) -> None:
        """Somebody else has bought it: it is no longer for sale, and not ours."""
        self.store.remove(number.id)

    def put_off(self, seconds: float, what: str, details: dict[str, Any]) -> None:
        """Have something happen after so many seconds of real time or of the movable clock."""
        self.store.put_off(self.clock.now().timestamp() + seconds, time.time() + seconds, what, details)

    def catch_up(self, switches: Switches) -> None:
        """Do what has come due; called before anything is looked at."""
        if not self.store.waiting:
            return
        with self.store.change():
            for what, details in self.store.take_due(self.clock.now().timestamp(), time.time()):
                self._do(what, details, switches)

    def _do(self, what: str, details: dict[str, Any], switches: Switches) -> None:
        if what == "show":
            number = self.store.find(f"id = ? AND place = {NOT_SHOWN_YET}", details["id"])
            if number:
                self.store.edit(number.id, place=OWNED)
        elif what == "settle":
            status = None if details["status"] == "settled" else details["status"]
            number = self.store.find(f"id = ? AND {BOUGHT}", details["id"])
            if number and number.status == "PENDING":
                self.store.edit(number.id, status=status)
        elif what == "purchase":
            number = self.store.find(f"id = ? AND place = {FOR_SALE}", details["id"])
            if number and not self.store.find(f"number_key = ? AND {BOUGHT}", number.number_key):
                self.purchase(number, switches, request=details["request"])
        elif what == "cancel":
            number = self.store.find(f"id = ? AND {BOUGHT}", details["id"])
            if number:
                self.cancel(number, request=details["request"])

    def _new_key(self, number: Number) -> str:
        """A key of its own for each time a number is bought, the same in every run."""
        if number.lives == 0 and number.number_key in DOCUMENTED_KEYS:
            return DOCUMENTED_KEYS[number.number_key]
        source = f"{number.number_key}/{number.country}/{number.number}/{number.lives + 1}"
        return hashlib.sha256(source.encode()).hexdigest()[:32].upper()

    def _record(
        self,
        act: str,
        number: Number,
        key: str | None,
        new_key: str | None,
        request: int | None,
        now: datetime,
    ) -> None:
        details = {
            "country": number.country,
            "price_per_month": number.per_month,
            "setup_price": number.setup,
            "initial_month_price": number.initial,
            "currency": number.currency and number.currency.strip('"'),
        }
        self.store.record(
            at=text(now), real_at=text(real_now()), act=act, number=number.number, number_key=key,
            new_key=new_key, request=request, details=details,
        )  # fmt: skip
