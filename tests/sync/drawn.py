"""What the histories of two_sides.py draw from: numbers, what others do to them, and everything that goes wrong."""

from datetime import datetime
from typing import Any

from hypothesis import strategies as st

BEGIN = datetime.fromisoformat("2026-10-28T09:00:00+00:00")  # three days before a month ends
OURS = [f"4477009000{n:02}" for n in range(7)]
FOR_SALE = [f"4477009{n}" for n in ("00055", "10000", "10001", "10002")]  # the first one among ours
SHARED = "447700920000"
NUMBERS = [*OURS, *FOR_SALE, SHARED]
PROVIDER_SECONDS = 0.3  # a hanging call costs so much real time
LIST_FAULTS: list[dict[str, Any]] = [
    *({"kind": kind} for kind in ("drop", "reset", "truncate", "garbage", "empty", "redirect")),
    *({"kind": "html", "status": status} for status in (404, 502)),
    *({"kind": "status", "status": status} for status in (401, 403, 404, 429, 500, 503)),
    {"kind": "hang", "seconds": 1},
]
GET_FAULTS: list[dict[str, Any]] = [*LIST_FAULTS, {"kind": "wrong_key"}]
LIES: list[dict[str, Any]] = [
    {"wrong_count": 4},  # hides what is behind the first page, and nothing betrays that
    *({"wrong_count": count} for count in (0, 3, 99, "many", "absent")),
    {"duplicate_row": True},
    {"ignore_page": True},
    {"owned_empty": True},
    {"omit_prices": True},
    {"max_limit": 1},
]
HONEST: dict[str, Any] = {
    "wrong_count": None,
    "duplicate_row": False,
    "ignore_page": False,
    "owned_empty": False,
    "omit_prices": False,
    "max_limit": None,
}
CHANGES: list[dict[str, Any]] = [
    *({"set": {"pricePerMonth": price}} for price in ("5", "5.5", "6.000001", "0")),
    *({"set": {"capabilities": each}} for each in (["SMS"], ["VOICE", "SMS"], ["SMS", "VOICE"], [])),
    *({"set": {"numberKey": f"{key}{{}}"}} for key in ("A%2F", "b", "B")),
    {"set": {"type": "other"}},
]
BREAKS: list[dict[str, Any]] = [{"set": {"capabilities": [5]}}, {"omit": ["numberKey"]}]
ENDS = ["dies", "is overtaken"]
QUIET_RUNS = 4
WAITS = [
    1,
    30,
    900,
    900,
    900,
    5 * 3600,
    4 * 86400,
    33 * 86400,
]  # seconds from what was before to the next run

which, ours = st.sampled_from(NUMBERS), st.sampled_from(OURS)
outside = st.tuples(st.sampled_from(["purchase", "cancel"]), which) | st.tuples(
    st.sampled_from(CHANGES), ours
)
meanwhile = st.lists(st.tuples(outside, st.integers(1, 6)), max_size=3)
breaks = st.tuples(st.sampled_from(BREAKS), ours)
faults = st.tuples(
    st.tuples(st.just("list_owned"), st.sampled_from(LIST_FAULTS))
    | st.tuples(st.just("get"), st.sampled_from(GET_FAULTS)),
    st.integers(0, 3),
    st.sampled_from([1, 3, -1]),
)
lies = st.just(LIES[0]) | st.sampled_from(LIES)
waits, paces, soon = st.sampled_from(WAITS), st.sampled_from([0, 0, 40]), st.sampled_from([1, 30, 90])
lates, lags = st.sampled_from([0, 0, 100]), st.sampled_from([0, 60])  # seconds until it is done, and is shown
deaths = st.integers(0, 12) | st.integers(0, 40)  # a run without news has a dozen writes
writes = st.none() | st.tuples(st.sampled_from([{"kind": "drop"}, {"kind": "html"}]), st.booleans())
