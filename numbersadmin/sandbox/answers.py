"""What the provider answers: numbers as JSON, and errors in its two envelopes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from json.encoder import encode_basestring

from numbersadmin.sandbox.numbers import dump
from numbersadmin.sandbox.places import NAMES
from numbersadmin.sandbox.prices import first_month
from numbersadmin.sandbox.store import Number
from numbersadmin.sandbox.switches import Switches

JSON = "application/json;charset=UTF-8"
WORDS = {
    400: ("BAD_REQUEST", "Bad request"),
    401: ("UNAUTHORIZED", "Invalid login details"),
    403: ("FORBIDDEN", "Forbidden"),
    404: ("NOT_FOUND", "Not found"),
    405: ("METHOD_NOT_ALLOWED", "Method not allowed"),
    413: ("BAD_REQUEST", "Request too large"),
    429: ("TOO_MANY_REQUESTS", "Too many requests"),
    500: ("GENERAL_ERROR", "Something went wrong. Please contact support."),
    502: ("BAD_GATEWAY", "Bad gateway"),
    503: ("SERVICE_UNAVAILABLE", "Service unavailable"),
    504: ("GATEWAY_TIMEOUT", "Gateway timeout"),
}
# status -> description, action of the newer envelope
NEW_WORDS = {
    400: ("Request cannot be processed.", "Check the request against the documentation resource."),
    401: (
        "The request lacks valid authentication credentials for the requested resource.",
        "Check the resources and adjust authentication credentials.",
    ),
    403: (
        "Insufficient permissions to access the requested resource.",
        "Check the scopes of the credentials.",
    ),
    429: (
        "Too many requests sent.",
        "Check request rate limit specified in the API endpoint documentation resource.",
    ),
    500: ("Something went wrong.", "Contact support."),
}


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON


def error(
    status: int, *, fields: dict[str, list[str]] | None = None, envelope: str = "service_exception"
) -> Answer:
    """An error as the provider words it; `fields` says what is wrong with which parameter."""
    if envelope == "error_code" and status in NEW_WORDS:
        description, action = NEW_WORDS[status]
        violations = [
            {"property": name, "violation": text} for name, texts in (fields or {}).items() for text in texts
        ]
        body = {"errorCode": f"E{status}", "description": description, "action": action}
        return Answer(status, dump(body | {"violations": violations, "resources": []}).encode())
    message_id, text = WORDS.get(status, ("GENERAL_ERROR", "Something went wrong. Please contact support."))
    exception: dict[str, object] = {"messageId": message_id, "text": text}
    if fields:
        exception["validationErrors"] = fields
    return Answer(status, dump({"requestError": {"serviceException": exception}}).encode())


def number_json(number: Number, initial: str | None, switches: Switches, *, listed: bool = False) -> str:
    """One number; `initial` is the first month's price to tell, None = do not tell it."""
    text = "{" if number.number_key is None else f'{{"numberKey":{encode_basestring(number.number_key)},'
    text += number.facts
    if not switches.omit_prices:
        text += _price(number, initial)
    if number.status:
        text += f',"reservationStatus":{json.dumps(number.status)}'
    if listed and switches.shape == "today":
        text += today_fields(number.country)
    return text + "}"


def _price(number: Number, initial: str | None) -> str:
    parts = []
    if number.per_month is not None:
        parts.append(f'"pricePerMonth":{number.per_month}')
    if number.setup is not None:
        parts.append(f'"setupPrice":{number.setup}')
    if initial is not None:
        parts.append(f'"initialMonthPrice":{initial}')
    if number.currency is not None:
        parts.append(f'"currency":{number.currency}')
    return f',"price":{{{",".join(parts)}}}' if parts else ""


def today_fields(country: str) -> str:
    """What the owned list of today's accounts has beside the fields of the older page."""
    name = NAMES.get(country, country)
    extra = {
        "countryName": name,
        "network": f"{name} Mobile",
        "keywords": ["test", "stop"],
        "additionalSetupRequired": False,
        "editPermissions": {"canEditNumber": True, "canEditConfiguration": True},
        "applicationId": "default",
    }
    return "," + dump(extra)[1:-1]


def initial_for_sale(number: Number, today: date) -> str | None:
    """The first month's price of a number that is for sale: stated for this number, else by the rule."""
    return number.initial if number.initial is not None else first_month(number.per_month, today)


def initial_owned(number: Number, now: datetime, switches: Switches) -> str | None:
    """The first month's price as the owned list tells it, by the meaning it is switched to."""
    if switches.shape == "today" or switches.initial_price_meaning == "absent":
        return None
    if switches.initial_price_meaning == "as_if_now":
        return first_month(number.per_month, now.date())
    this_month = (number.bought_on or "")[:7] == f"{now:%Y-%m}"
    if switches.initial_price_meaning == "current" and not this_month:
        return number.per_month
    return number.initial


def list_json(rows: list[str], count: object) -> bytes:
    """A page of a list; a count of "absent" is left out."""
    total = "" if count == "absent" else f',"numberCount":{dump(count)}'
    return f'{{"numbers":[{",".join(rows)}]{total}}}'.encode()
