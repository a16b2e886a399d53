"""Talking to the sandbox's control API: misbehave, move the clock, act in the provider's own portal."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests
from django.conf import settings

SECONDS = 5
ENDPOINTS = {
    "purchase": "Buy",
    "cancel": "Cancel",
    "list_available": "List what is for sale",
    "list_owned": "List what we own",
    "get": "Get one number",
    "*": "Every call",
}
MISBEHAVIOUR: dict[str, tuple[str, dict[str, Any]]] = {
    "drop_after": ("Does it, then hangs up without an answer", {"kind": "drop", "act": True}),
    "drop_before": ("Hangs up without doing anything", {"kind": "drop"}),
    "hang": ("Says nothing for 20 seconds", {"kind": "hang", "seconds": 20}),
    "delay": ("Answers 3 seconds late", {"kind": "delay", "seconds": 3}),
    "error": ("Answers 500", {"kind": "status", "status": 500}),
    "error_after": ("Does it, then answers 502", {"kind": "status", "status": 502, "act": True}),
    "busy": (
        "Answers 429, too many requests",
        {"kind": "status", "status": 429, "headers": {"Retry-After": "5"}},
    ),
    "refused": ("Refuses our sign-in (401)", {"kind": "status", "status": 401}),
    "not_found": ("Answers 404", {"kind": "status", "status": 404}),
    "empty": ("Does it, then answers 201 without a word", {"kind": "empty", "act": True}),
    "html": ("Answers with a web page", {"kind": "html"}),
    "garbage": ("Answers garbage", {"kind": "garbage"}),
    "truncate": ("Does it, and breaks off in mid-answer", {"kind": "truncate", "act": True}),
}


class SandboxSaysNo(Exception):
    """The sandbox refused or did not answer; the message is for people."""


class SandboxSilent(SandboxSaysNo):
    """The sandbox did not answer at all."""


@dataclass(frozen=True, slots=True)
class SandboxState:
    """What the sandbox tells of itself."""

    now: datetime
    owned: int
    available: int
    faults: list[dict[str, Any]]
    calls: dict[str, int]
    acts: list[dict[str, Any]]


def _call(method: str, path: str, body: Any = None) -> Any:
    session = requests.Session()
    session.trust_env = False
    try:
        answer = session.request(
            method, f"{settings.INFOBIP_BASE_URL}/_sandbox/{path}", json=body, timeout=SECONDS
        )
        told = answer.json() if answer.content else {}
    except (requests.RequestException, ValueError) as error:
        raise SandboxSilent("The sandbox does not answer. Is ./run still running?") from error
    if not answer.ok:
        raise SandboxSaysNo(str(told.get("error", f"The sandbox answered {answer.status_code}.")))
    return told


def state() -> SandboxState:
    """The sandbox now, with the last things it did."""
    told = _call("GET", "state")
    acts = _call("GET", "ledger")["acts"]
    return SandboxState(
        now=datetime.fromisoformat(told["now"]),
        owned=told["owned"],
        available=told["available"],
        faults=told["faults"],
        calls=told["calls"],
        acts=acts[-10:][::-1],
    )


def misbehave(*, endpoint: str, behaviour: str, times: int) -> None:
    """From the next call of the endpoint on, so many times (-1: until cleared)."""
    _call("POST", "faults", {**MISBEHAVIOUR[behaviour][1], "endpoint": endpoint, "times": times})


def behave() -> None:
    """Clear every misbehaviour."""
    _call("DELETE", "faults")


def act_outside(*, act: str, number: str) -> None:
    """Buy or cancel as somebody would in the provider's own portal."""
    _call("POST", "outside", {"act": act, "number": number})


def change_price(*, number: str, price: str) -> None:
    """A new monthly price of a number, owned or for sale."""
    _call("POST", "outside", {"act": "change", "number": number, "set": {"pricePerMonth": price}})


def clock() -> str:
    """The sandbox's time as it tells it. Raises SandboxSilent when there is no sandbox."""
    return str(_call("GET", "clock").get("now", ""))


def set_clock(now: datetime | None) -> None:
    """Stop the sandbox's clock at a moment; None is real time again."""
    _call("POST", "clock", {"now": now.isoformat(), "frozen": True} if now else {"now": None})
