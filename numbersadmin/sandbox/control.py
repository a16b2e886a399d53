"""The control API under /_sandbox/: look into the imitated provider, move its clock, make it misbehave."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import uuid4

from numbersadmin.sandbox.acts import BOUGHT
from numbersadmin.sandbox.answers import JSON, Answer
from numbersadmin.sandbox.calls import Calls
from numbersadmin.sandbox.clock import parse, text
from numbersadmin.sandbox.faults import Plan
from numbersadmin.sandbox.numbers import FOR_SALE, NOT_SHOWN_YET, OWNED, changed_columns, dump, new_number
from numbersadmin.sandbox.specials import ODD_KEYS
from numbersadmin.sandbox.stock import make
from numbersadmin.sandbox.store import EVERYTHING, Number
from numbersadmin.sandbox.switches import Switches
from numbersadmin.sandbox.traffic import ENDPOINTS, Traffic

PATH = "/_sandbox/"
EXACT = ("numbers", "outside")  # where a decimal is a price
PLACE = {"owned": OWNED, "available": FOR_SALE}


class Wrong(Exception):
    """What was asked cannot be done; the text says why."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


@dataclass
class Planned:
    """Something that others do right after so many more calls of one kind."""

    endpoint: str
    calls: int
    wanted: dict[str, Any]


@dataclass
class Control:
    """Answers the control API."""

    calls: Calls
    traffic: Traffic
    faults: Plan
    owned: int  # how many a reset makes when it names no number
    available: int
    seed: int
    switches: Switches  # what a reset goes back to
    planned: list[Planned] = field(default_factory=list)  # what others do after certain calls
    lock: threading.Lock = field(default_factory=threading.Lock)
    serial: Iterator[int] = field(default_factory=lambda: count(1))

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """The answer to a control request."""
        name, _, rest = path.removeprefix(PATH).strip("/").partition("/")
        handle: Callable[[Any], Any] | None = getattr(self, f"_{method.lower()}_{name}", None)
        try:
            if handle is None:
                raise Wrong(f"no such control: {method} {path}", 404)
            self.calls.acts.catch_up(self.calls.switches)
            return _answer(
                200, handle(rest if method == "DELETE" else _body(method, body, exact=name in EXACT))
            )
        except Wrong as wrong:
            return _answer(wrong.status, {"error": str(wrong)})
        except (ValueError, TypeError, KeyError) as wrong:
            return _answer(400, {"error": str(wrong)})

    # --- looking

    def _get_state(self, _: Any) -> dict[str, Any]:
        store = self.calls.store
        facts = {
            "now": text(self.calls.clock.now()),
            "owned": store.count(OWNED),
            "available": store.count(FOR_SALE),
            "switches": self.calls.switches.facts(),
            "faults": self.faults.facts(),
        }
        return facts | self.traffic.counts()

    def _get_ledger(self, _: Any) -> dict[str, Any]:
        return {"acts": self.calls.store.acts(), "requests": self.traffic.requests()}

    def _get_bought(self, _: Any) -> dict[str, Any]:
        """What the account really has, whatever lists say: one possession is one pair of id and lives."""
        store = self.calls.store
        with store.lock:
            rows = [
                row
                for place in (OWNED, NOT_SHOWN_YET)
                for row in store.page(place, EVERYTHING, store.count(place), 0)
            ]
        return {
            "bought": [
                {"id": row.id, "lives": row.lives, "number": row.number, "number_key": row.number_key,
                 "shared": bool(row.shared), "shown": row.place == OWNED}
                for row in rows
            ]
        }  # fmt: skip

    def _get_faults(self, _: Any) -> dict[str, Any]:
        return {"faults": self.faults.facts()}

    def _get_switches(self, _: Any) -> dict[str, Any]:
        return self.calls.switches.facts()

    def _get_clock(self, _: Any) -> dict[str, str]:
        return {"now": text(self.calls.clock.now())}

    # --- turning

    def _post_switches(self, wanted: dict[str, Any]) -> dict[str, Any]:
        if wanted.get("rate_limits"):
            self.calls.limits.fill()
        self.calls.switches = self.calls.switches.changed(wanted)
        return self.calls.switches.facts()

    def _post_clock(self, wanted: dict[str, Any]) -> dict[str, str]:
        clock = self.calls.clock
        _only(wanted, "now", "frozen", "advance_seconds")
        if "advance_seconds" in wanted:
            clock.advance(float(wanted["advance_seconds"]))
        elif "now" not in wanted:
            raise Wrong("give now or advance_seconds")
        elif wanted["now"] is None:
            clock.real()
        else:
            clock.set(parse(wanted["now"]), frozen=bool(wanted.get("frozen")))
        self.calls.store.put("clock", clock.saved())
        return {"now": text(clock.now())}

    def _post_faults(self, wanted: dict[str, Any]) -> dict[str, int]:
        return {"id": self.faults.add(wanted)}

    def _delete_faults(self, rest: str) -> dict[str, Any]:
        if rest and not (rest.isdigit() and self.faults.clear(int(rest))):
            raise Wrong("no such fault", 404)
        if not rest:
            self.faults.clear()
        return {"faults": self.faults.facts()}

    def _post_reset(self, wanted: dict[str, Any]) -> dict[str, Any]:
        _only(wanted, "owned", "available", "seed", "empty")
        owned, available = int(wanted.get("owned", self.owned)), int(wanted.get("available", self.available))
        if wanted.get("empty"):
            owned = available = 0
        self.faults.let_go()
        self.planned = []
        self.calls.switches = self.switches
        self.calls.limits.fill()
        self.calls.clock.real()
        self.calls.store.put("clock", self.calls.clock.saved())
        self.traffic.clear()
        self.calls.store.restock(make(owned, available, int(wanted.get("seed", self.seed))))
        return self._get_state(None)

    # --- numbers

    def _post_numbers(self, wanted: dict[str, Any]) -> dict[str, Any]:
        _only(wanted, "owned", "available", "odd_keys")
        numbers = [
            new_number(place, given, *self._defaults())
            for name, place in PLACE.items()
            for given in wanted.get(name, [])
        ]
        if wanted.get("odd_keys"):
            place = PLACE[wanted["odd_keys"]]
            numbers += [new_number(place, {"numberKey": key}, *self._defaults()) for key in ODD_KEYS]
        with self.calls.store.change():
            self.calls.store.add(numbers)
        return {"added": [{"number": number.number, "number_key": number.number_key} for number in numbers]}

    def _defaults(self) -> tuple[str, str]:
        """A key and a number that nobody else has."""
        return uuid4().hex.upper(), f"447500{next(self.serial) % 10**6:06d}"

    def _post_outside(self, wanted: dict[str, Any]) -> dict[str, Any]:
        _only(wanted, "act", "number", "number_key", "country", "set", "omit", "after")
        if "after" not in wanted:
            return self._outside(wanted)
        after = wanted.pop("after")
        _only(after, "endpoint", "calls")
        if after.get("endpoint") not in ENDPOINTS or int(after.get("calls", 1)) < 1:
            raise Wrong(
                f"after must be like {{'endpoint': 'list_owned', 'calls': 1}}, one of {', '.join(ENDPOINTS)}"
            )
        with self.lock:
            self.planned.append(Planned(after["endpoint"], int(after.get("calls", 1)), wanted))
            return {"planned": len(self.planned)}

    def _delete_outside(self, _: str) -> dict[str, int]:
        """Forget what others were to do after calls that have not come."""
        with self.lock:
            self.planned = []
        return {"planned": 0}

    def answered(self, endpoint: str) -> None:
        """A call has been answered, though not yet sent: do what others were to do right after it."""
        if not self.planned:
            return
        with self.lock:
            for planned in self.planned:
                planned.calls -= planned.endpoint == endpoint
            due = [planned for planned in self.planned if planned.calls == 0]
            self.planned = [planned for planned in self.planned if planned.calls > 0]
        for planned in due:
            with suppress(Wrong):  # the number is not there any more
                self._outside(planned.wanted)

    def _outside(self, wanted: dict[str, Any]) -> dict[str, Any]:
        act = wanted.get("act")
        place = {
            "purchase": f"place = {FOR_SALE}",
            "taken": f"place = {FOR_SALE}",
            "cancel": BOUGHT,
            "change": "1",
        }
        if act not in place:
            raise Wrong(f"act must be one of {', '.join(place)}")
        acts, store = self.calls.acts, self.calls.store
        with store.change():
            number = self._find(wanted, place[act])
            if act == "purchase":
                if store.find(f"number_key = ? AND {BOUGHT}", number.number_key):
                    raise Wrong("already owned")  # a shared one, which stays for sale
                number = acts.purchase(number, self.calls.switches, act="outside_purchase")
            elif act == "cancel":
                acts.cancel(number, act="outside_cancel")
            elif act == "taken":
                acts.take_away(number)
            else:
                values = changed_columns(number.facts, wanted.get("set", {}), set(wanted.get("omit", ())))
                store.edit(number.id, **values)
                number = number._replace(**values)
        return {"number": number.number, "number_key": number.number_key}

    def _find(self, wanted: dict[str, Any], condition: str) -> Number:
        values = []
        for name in ("number", "number_key", "country"):
            if name in wanted:
                condition += f" AND {name} = ?"
                values.append(str(wanted[name]))
        if not values:
            raise Wrong("name the number: number, number_key or country")
        number = self.calls.store.find(condition, *values)
        if not number:
            raise Wrong("no such number there", 404)
        return number


def _only(wanted: dict[str, Any], *names: str) -> None:
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        raise Wrong(f"unknown field: {unknown[0]}; known are {', '.join(names)}")


def _body(method: str, body: bytes, *, exact: bool) -> dict[str, Any]:
    if method == "GET" or not body:
        return {}
    value = json.loads(body, parse_float=Decimal if exact else float)
    if not isinstance(value, dict):
        raise Wrong("the body must be a JSON object")
    return value


def _answer(status: int, value: Any) -> Answer:
    return Answer(status, dump(value).encode(), content_type=JSON)
