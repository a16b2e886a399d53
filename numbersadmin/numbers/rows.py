"""One line of the list of owned numbers, and the columns that it is made of."""

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal

from django.db.models import F

from numbersadmin.numbers import since


@dataclass(frozen=True, slots=True)
class NumberRow:
    """One line of the list. `labels` and `capabilities` are lists; an unknown price is None."""

    id: int
    number: str
    country: str
    capabilities: str
    labels: list[str]
    username: str | None
    full_name: str | None
    cost_centre: str
    status: str
    price_per_month: Decimal | None
    currency: str
    acquired_at: datetime | None
    acquired_from: datetime | None
    acquired_to: datetime
    acquired_basis: str
    acquired_note: str

    @property
    def capability_list(self) -> list[str]:
        """The capabilities, sorted."""
        return self.capabilities.split(",") if self.capabilities else []

    @property
    def owner_name(self) -> str:
        """What the owner is called; empty when there is none."""
        return self.full_name or self.username or ""

    @property
    def since(self) -> str:
        """Since when it is ours, short enough for a column."""
        return since.acquired_short(self)

    @property
    def since_in_full(self) -> str:
        """Since when it is ours, and how we know."""
        return since.acquired(self)


OWNER_FIELDS = {"username": F("owner__username"), "full_name": F("owner__full_name")}
ROW_FIELDS = tuple(column.name for column in fields(NumberRow) if column.name not in OWNER_FIELDS)
