"""The five calls of the provider: credentials, rate, parameters, existence, in this order; then the act."""

import base64
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from numbersadmin.sandbox.acts import BOUGHT, Acts
from numbersadmin.sandbox.answers import (
    Answer,
    error,
    initial_for_sale,
    initial_owned,
    list_json,
    number_json,
)
from numbersadmin.sandbox.clock import Clock
from numbersadmin.sandbox.limits import Limits
from numbersadmin.sandbox.numbers import FOR_SALE, OWNED
from numbersadmin.sandbox.store import Filter, Number, Store
from numbersadmin.sandbox.switches import Switches

OLD, NEW = "/sms/1/numbers", "/numbers/1/numbers"
DEFAULT_LIMIT = {("list_available", OLD): 50, ("list_available", NEW): 10}
OWNED_DEFAULT_LIMIT = 50
METHODS = {"collection": "GET, POST", "available": "GET", "single": "GET, DELETE"}
ENDPOINT = {
    ("collection", "GET"): "list_owned",
    ("collection", "POST"): "purchase",
    ("available", "GET"): "list_available",
    ("single", "GET"): "get",
    ("single", "DELETE"): "cancel",
}
CAPABILITIES = ("SMS", "VOICE", "MMS", "WHATSAPP", "WHATSAPP_VOICE")
LOST = ("drop", "reset", "hang")  # faults after which the caller got no answer at all


@dataclass(frozen=True)
class Request:
    """One request to the provider, taken apart."""

    number: int  # in the order in which requests came
    endpoint: str
    prefix: str
    key: str
    query: str
    authorization: str
    body: bytes


@dataclass(frozen=True)
class Route:
    """Where a path leads; endpoint "" = known path, method not allowed there."""

    prefix: str
    endpoint: str
    key: str
    allowed: str


def route(method: str, path: str) -> Route | None:
    """The call that a method and a raw path stand for; None = no such path."""
    for prefix in (OLD, NEW):
        if path in (prefix, prefix + "/"):
            place, key = "collection", ""
        elif path.startswith(prefix + "/"):
            rest = path[len(prefix) + 1 :].removesuffix("/")
            if not rest or "/" in rest:
                return None
            key = unquote(rest)
            place = "available" if rest == "available" and method != "DELETE" else "single"
        else:
            continue
        return Route(prefix, ENDPOINT.get((place, method), ""), key, METHODS[place])
    return None


class Refused(Exception):
    """A call that ends with an error; carries the answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass
class Calls:
    """Answers the five calls."""

    store: Store
    clock: Clock
    acts: Acts
    credentials: frozenset[str]  # whole Authorization values that are let in
    limits: Limits = field(default_factory=Limits)
    switches: Switches = field(default_factory=Switches)

    def answer(self, request: Request, *, fault_kind: str = "", keep: bool = True) -> Answer:
        """The answer to a request; keep=False undoes the act, as if the answer were a lie."""
        self.acts.catch_up(self.switches)
        try:
            self._let_in(request)
            handle = getattr(self, f"_{request.endpoint}")
            if request.endpoint not in ("purchase", "cancel"):
                result: Answer = handle(request)
                return result
            late = self.switches.late_apply_seconds and (fault_kind in LOST or (fault_kind and keep))
            with self.store.change(keep=keep and not late):
                result = handle(request)
            if late and result.status < 300:
                self._put_off(request)
            return result
        except Refused as refused:
            return refused.answer

    def _refuse(self, status: int, **fields: str) -> Refused:
        wrong = {name: [text] for name, text in fields.items()}
        answer = error(status, fields=wrong or None, envelope=self.switches.error_envelope)
        if status == 429 and self.switches.retry_after is not None:
            answer = Answer(status, answer.body, {"Retry-After": self.switches.retry_after})
        return Refused(answer)

    def _let_in(self, request: Request) -> None:
        if self.switches.refuse_credentials or request.authorization not in self.credentials:
            raise self._refuse(401)
        if self.switches.rate_limits and not self.limits.allows(request.endpoint):
            raise self._refuse(429)

    # --- lists

    def _list_available(self, request: Request) -> Answer:
        query = parse_qs(request.query, keep_blank_values=True)
        known = {*CAPABILITIES, *self.store.capabilities()} if "capabilities" in query else set()
        caps = tuple(
            sorted({name for text in query.get("capabilities", []) for name in text.split(",") if name})
        )
        if not known.issuperset(caps):
            raise self._refuse(400, capabilities="unknown capability")
        wanted = Filter(_first(query, "country").upper(), caps, _first(query, "number"))
        today = self.clock.now().date()
        numbers, total = self._page(request, query, FOR_SALE, wanted)
        rows = [number_json(number, initial_for_sale(number, today), self.switches) for number in numbers]
        return Answer(200, list_json(rows, total))

    def _list_owned(self, request: Request) -> Answer:
        query = parse_qs(request.query, keep_blank_values=True)
        numbers, total = self._page(request, query, OWNED, Filter(digits=_first(query, "number")))
        if self.switches.owned_empty:
            return Answer(200, list_json([], 0))
        now, switches = self.clock.now(), self.switches
        rows = [number_json(row, initial_owned(row, now, switches), switches, listed=True) for row in numbers]
        return Answer(200, list_json(rows, total))

    def _page(
        self, request: Request, query: dict[str, list[str]], place: int, wanted: Filter
    ) -> tuple[list[Number], Any]:
        default = DEFAULT_LIMIT.get((request.endpoint, request.prefix), OWNED_DEFAULT_LIMIT)
        limit, page = self._whole(query, "limit", default, 1), self._whole(query, "page", 0, 0)
        switches = self.switches
        limit = min(limit, switches.max_limit or limit)
        page = 0 if switches.ignore_page else page
        with self.store.lock:
            total: Any = self.store.count(place, wanted)
            offset = min(page * limit, total)
            numbers = self.store.page(place, wanted, limit, offset)
            if switches.duplicate_row and numbers:
                before = self.store.page(place, wanted, 1, offset - 1) if offset else []
                numbers = before + numbers if before else [*numbers, numbers[0]]
        return numbers, total if switches.wrong_count is None else switches.wrong_count

    def _whole(self, query: dict[str, list[str]], name: str, default: int, least: int) -> int:
        text = _first(query, name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= least):
            raise self._refuse(400, **{name: f"must be a whole number, {least} or more"})
        return int(text)

    # --- one number

    def _get(self, request: Request) -> Answer:
        number = self.store.find(f"number_key = ? AND place = {OWNED}", request.key)
        if not number:
            raise Refused(Answer(404))
        return Answer(200, number_json(number, None, self.switches).encode())

    def _purchase(self, request: Request) -> Answer:
        number = self._for_sale(request)
        bought = self.acts.purchase(number, self.switches, request=request.number)
        if self.switches.purchase_answer == "201_empty":
            return Answer(201)
        return Answer(200, number_json(bought, None, self.switches).encode())

    def _for_sale(self, request: Request) -> Number:
        """The number that a purchase names. US numbers are bought by number, all others by key."""
        body = _object(request.body)
        key, digits = body.get("numberKey"), body.get("number")
        if not (key and isinstance(key, str)) and not (digits and isinstance(digits, str)):
            raise self._refuse(400, numberKey="property not found or blank")
        if key and digits:
            raise self._refuse(400, number="only one of numberKey and number may be given")
        if digits:
            number = self.store.find(f"number = ? AND country = 'US' AND place = {FOR_SALE}", digits)
            if not number and self.store.find("number = ? AND country <> 'US'", digits):
                raise self._refuse(400, numberKey="property not found or blank")
        else:
            number = self.store.find(f"number_key = ? AND place = {FOR_SALE}", key)
            if number and number.country == "US" and request.prefix == NEW:
                raise self._refuse(400, number="property not found or blank")
        owned = self.store.find(f"number_key = ? AND {BOUGHT}", key or (number and number.number_key))
        if owned or (digits and self.store.find(f"number = ? AND country = 'US' AND {BOUGHT}", digits)):
            raise self._refuse(400)
        if not number:
            raise Refused(Answer(404))
        return number

    def _cancel(self, request: Request) -> Answer:
        number = self.store.find(f"number_key = ? AND {BOUGHT}", request.key)
        if not number:
            raise self._refuse(404)
        self.acts.cancel(number, request=request.number)
        return Answer(204)

    def _put_off(self, request: Request) -> None:
        """Have a write whose answer was lost happen later."""
        if request.endpoint == "purchase":
            number: Number | None = self._for_sale(request)
        else:
            number = self.store.find(f"number_key = ? AND {BOUGHT}", request.key)
        if number:
            with self.store.change():
                details = {"id": number.id, "request": request.number}
                self.acts.put_off(self.switches.late_apply_seconds, request.endpoint, details)


def credentials(api_key: str, username: str, password: str) -> frozenset[str]:
    """The Authorization values that are let in."""
    basic = base64.b64encode(f"{username}:{password}".encode()).decode()
    return frozenset({f"App {api_key}", f"Basic {basic}"})


def _first(query: dict[str, list[str]], name: str) -> str:
    return query.get(name, [""])[0].strip()


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
