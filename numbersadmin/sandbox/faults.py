"""Misbehaviour on demand: which call it befalls, and what then goes over the wire instead of the answer."""

import gzip
import os
import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from numbersadmin.sandbox.answers import Answer, error
from numbersadmin.sandbox.numbers import dump
from numbersadmin.sandbox.traffic import ENDPOINTS

KINDS = (
    "status", "delay", "hang", "drop", "reset", "truncate", "garbage", "html", "empty", "redirect",
    "nan_price", "wrong_key", "drip", "huge",
)  # fmt: skip
WITHOUT_ANSWER = ("hang", "drop", "reset", "truncate")  # no whole answer goes out
WRONG_KEY = b'"numberKey":"00000000000000000000000000000BAD"'
GARBAGE = bytes(range(128, 256)) + b"\x00{]not json"
HTML = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1><hr>edge</body></html>"
DRIP_PIECES = 100


@dataclass
class Fault:
    """One misbehaviour; `times` is how often it is still to happen, -1 = until it is cleared."""

    id: int
    endpoint: str
    kind: str
    act: bool = False
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 3
    times: int = 1
    skip: int = 0
    megabytes: int = 11
    gzip: bool = False
    happened: int = 0

    def facts(self) -> dict[str, Any]:
        """As JSON tells it."""
        return asdict(self)


def parse(fault_id: int, given: dict[str, Any]) -> Fault:
    """A fault from JSON. Raises ValueError naming what is wrong."""
    known = [name.name for name in fields(Fault) if name.name not in ("id", "happened")]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(f"unknown field: {unknown[0]}; known are {', '.join(known)}")
    if given.get("endpoint") not in (*ENDPOINTS, "*"):
        raise ValueError(f"endpoint must be one of {', '.join(ENDPOINTS)}, *")
    if given.get("kind") not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}")
    fault = Fault(fault_id, **given)
    for name, kinds in (
        ("act", bool),
        ("times", int),
        ("skip", int),
        ("seconds", int | float),
        ("headers", dict),
    ):
        if not isinstance(getattr(fault, name), kinds):
            raise ValueError(f"{name} is of the wrong type")
    if fault.status is not None and not (isinstance(fault.status, int) and 200 <= fault.status <= 599):
        raise ValueError("status must be a number from 200 to 599")
    return fault


class Plan:
    """The faults that are still to happen, oldest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._next = 1
        self.over = threading.Event()  # set when calls that wait are to end, undone

    def add(self, given: dict[str, Any]) -> int:
        """Plan a fault; returns its id. Raises ValueError."""
        with self._lock:
            fault = parse(self._next, given)
            self._next += 1
            if fault.times:
                self._faults.append(fault)
            return fault.id

    def take(self, endpoint: str) -> Fault | None:
        """The fault that befalls this call, if one does; every fault it passes counts down its `skip`."""
        with self._lock:
            for fault in self._faults:
                if fault.endpoint not in (endpoint, "*"):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.happened += 1
                if fault.times > 0:
                    fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                return replace(fault)
        return None

    def clear(self, fault_id: int | None = None) -> bool:
        """Forget one fault or all; says whether there was one."""
        with self._lock:
            kept = [fault for fault in self._faults if fault_id not in (None, fault.id)]
            found = len(kept) < len(self._faults)
            self._faults = kept
            return found

    def let_go(self) -> None:
        """Forget all faults and end the calls that hang or wait, without an answer and without an act."""
        self.clear()
        over, self.over = self.over, threading.Event()
        over.set()

    def facts(self) -> list[dict[str, Any]]:
        """All that are still to happen."""
        with self._lock:
            return [fault.facts() for fault in self._faults]


# --- answers that stand in for the right one


def _status(fault: Fault, answer: Answer, endpoint: str) -> Answer:
    status = fault.status or 500
    if fault.body is None:
        silent = status < 300 or (status == 404 and endpoint != "cancel")
        return Answer(status) if silent else error(status)
    if isinstance(fault.body, str):
        return Answer(status, fault.body.encode(), content_type="text/plain;charset=UTF-8")
    return Answer(status, dump(fault.body).encode())


def _html(fault: Fault, answer: Answer, endpoint: str) -> Answer:
    status = fault.status or 502
    title = fault.body if isinstance(fault.body, str) else f"{status} Bad Gateway"
    return Answer(status, HTML.format(title).encode(), content_type="text/html")


def _empty(fault: Fault, answer: Answer, endpoint: str) -> Answer:
    return Answer(fault.status or (201 if endpoint == "purchase" else 200))


def _garbage(fault: Fault, answer: Answer, endpoint: str) -> Answer:
    return Answer(fault.status or 200, GARBAGE)


def _redirect(fault: Fault, answer: Answer, endpoint: str) -> Answer:
    return Answer(fault.status or 302, headers={"Location": "/elsewhere"})


def _nan_price(fault: Fault, answer: Answer, endpoint: str) -> Answer:
    body = re.sub(rb'"pricePerMonth":[^,}]+', b'"pricePerMonth":NaN', answer.body)
    return replace(answer, body=body)


def _wrong_key(fault: Fault, answer: Answer, endpoint: str) -> Answer:
    body = re.sub(rb'"numberKey":"(\\.|[^"\\])*"', WRONG_KEY, answer.body, count=1)
    return replace(answer, body=body)


def _huge(fault: Fault, answer: Answer, endpoint: str) -> Answer:
    body = b'{"numbers":[' + b" " * (fault.megabytes * 1024 * 1024) + b'],"numberCount":0}'
    if fault.gzip:
        return Answer(fault.status or 200, gzip.compress(body, 1), {"Content-Encoding": "gzip"})
    return Answer(fault.status or 200, body)


STAND_INS: dict[str, Callable[[Fault, Answer, str], Answer]] = {
    "status": _status,
    "html": _html,
    "empty": _empty,
    "garbage": _garbage,
    "redirect": _redirect,
    "nan_price": _nan_price,
    "wrong_key": _wrong_key,
    "huge": _huge,
}


def stand_in(fault: Fault, answer: Answer, endpoint: str) -> Answer:
    """What is answered instead of the right answer, with the fault's own headers."""
    answer = STAND_INS[fault.kind](fault, answer, endpoint) if fault.kind in STAND_INS else answer
    return replace(answer, headers={**answer.headers, **fault.headers})


# --- what goes wrong on the wire


def send(
    fault: Fault, raw: bytes, head_length: int, connection: socket.socket, over: threading.Event
) -> bool:
    """Put an answer on the wire as the fault says; True = the connection can go on."""
    if fault.kind == "drip":
        return _drip(fault, raw, connection, over)
    if fault.kind not in WITHOUT_ANSWER:
        connection.sendall(raw)
        return True
    if fault.kind == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(connection.detach())  # at once, and without the shutdown that would say good-bye
        return False
    if fault.kind == "truncate":
        body = len(raw) - head_length
        connection.sendall(raw[: head_length + body // 2] if body else raw[: head_length // 2])
    connection.shutdown(socket.SHUT_RDWR)
    return False


def _drip(fault: Fault, raw: bytes, connection: socket.socket, over: threading.Event) -> bool:
    size = max(1, len(raw) // DRIP_PIECES)
    pieces = [raw[start : start + size] for start in range(0, len(raw), size)]
    for piece in pieces[:-1]:
        connection.sendall(piece)
        if over.wait(fault.seconds / len(pieces)):
            return False
    connection.sendall(pieces[-1])
    return True
