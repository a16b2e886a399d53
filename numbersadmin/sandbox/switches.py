"""How the imitated provider behaves as a habit: one value each, changed over the control API."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

CHOICES = {
    "shape": ("page", "today"),
    "initial_price_meaning": ("frozen", "current", "as_if_now", "absent"),
    "purchase_answer": ("200", "201_empty", "pending"),
    "pending_ends": ("settled", "BILLING_FAILED", "ERROR", "RESERVATION_FAILED"),
    "error_envelope": ("service_exception", "error_code"),
}


@dataclass(frozen=True)
class Switches:
    """All switches with what holds until somebody changes them; docs/sandbox.md explains each."""

    rate_limits: bool = False
    key_changes_on_purchase: bool = False
    shape: str = "page"
    initial_price_meaning: str = "frozen"
    purchase_answer: str = "200"
    pending_seconds: float = 5
    pending_ends: str = "settled"
    read_lag_seconds: float = 0
    late_apply_seconds: float = 0
    max_limit: int | None = None
    wrong_count: Any = None
    ignore_page: bool = False
    duplicate_row: bool = False
    owned_empty: bool = False
    refuse_credentials: bool = False
    omit_prices: bool = False
    retry_after: str | None = None
    error_envelope: str = "service_exception"

    def changed(self, wanted: dict[str, Any]) -> "Switches":
        """These switches with some turned. Raises ValueError naming the one that is wrong."""
        names = {field.name for field in fields(self)}
        for name, value in wanted.items():
            if name not in names:
                raise ValueError(f"no such switch: {name}")
            _check(name, value, getattr(Switches, name))
        if wanted.get("retry_after") is not None:
            wanted = wanted | {"retry_after": str(wanted["retry_after"])}
        return replace(self, **wanted)

    def facts(self) -> dict[str, Any]:
        """All switches by name."""
        return asdict(self)


def _check(name: str, value: Any, default: Any) -> None:
    if name in CHOICES:
        right, hint = value in CHOICES[name], "one of " + ", ".join(CHOICES[name])
    elif isinstance(default, bool):
        right, hint = isinstance(value, bool), "true or false"
    elif name.endswith("_seconds"):
        right, hint = _is_number(value) and value >= 0, "seconds, 0 or more"
    elif name == "max_limit":
        right, hint = value is None or (isinstance(value, int) and value > 0), "null or a number above 0"
    else:
        right, hint = True, ""
    if not right:
        raise ValueError(f"{name} must be {hint}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
