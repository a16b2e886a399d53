"""What the tests of attestation share: owned numbers of several people, and a round over them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from numbersadmin.attestation import services
from numbersadmin.attestation.models import Round, Sheet
from numbersadmin.numbers import services as numbers
from numbersadmin.numbers.models import AcquiredBasis, OwnedNumber
from tests.numbers.conftest import facts_of


@pytest.fixture
def own(db: None, now: datetime) -> Callable[..., OwnedNumber]:
    """Make a number somebody's: `own("447860041117", cast.manager, per_month="5")`."""

    def make(number: str, owner: Any, cost_centre: str = "", **facts: Any) -> OwnedNumber:
        opening = numbers.Opening(
            facts=facts_of(number, **facts),
            acquired_to=now,
            basis=AcquiredBasis.UNKNOWN,
            verb="number.appeared",
            owner=owner,
            cost_centre=cost_centre,
        )
        return numbers.open_numbers(openings=[opening], actor=None, now=now, source="sync", source_id=1)[0]

    return make


@pytest.fixture
def company(cast: Any, own: Callable[..., OwnedNumber]) -> dict[str, OwnedNumber]:
    """Three numbers of a manager, one of finance, one of nobody."""
    return {
        "a": own("447860041111", cast.manager, "4120 Retail", per_month="5"),
        "b": own("447860041112", cast.manager, "4120 Retail", per_month="6.25"),
        "c": own("79029555551", cast.manager, "4300 Logistics", country="RU", per_month=None, currency="USD"),
        "f": own("447860041113", cast.finance, per_month="7", currency="USD"),
        "n": own("447860041114", None, per_month="3"),
    }


@pytest.fixture
def begun(company: Any, cast: Any, now: datetime) -> Round:
    """A round over them, opened by the administrator and prepared."""
    found = services.open_round(actor=cast.admin, now=now)
    services.fill(round_id=found.pk, now=now)
    found.refresh_from_db()
    return found


def sheet_of(person: Any) -> Sheet:
    """The newest sheet of a person, or of nobody."""
    return Sheet.objects.select_related("round", "owner").filter(owner=person).latest("pk")


def note(actor: Any, sheet: Sheet, now: datetime, choice: str, *owned: OwnedNumber, **more: Any) -> int:
    """Note a choice for these numbers of a sheet."""
    ids = sheet.lines.filter(owned_number__in=owned).values_list("pk", flat=True)
    facts = {"choice": choice, "line_ids": ids, "now": now, **more}
    return services.note_choice(actor=actor, sheet=sheet, **facts)


def answer(actor: Any, sheet: Sheet, now: datetime) -> Any:
    """Answer a sheet as it stands now."""
    sheet = Sheet.objects.select_related("round", "owner").get(pk=sheet.pk)
    return services.answer(actor=actor, sheet=sheet, version=sheet.version, now=now)


def states(sheet: Sheet) -> dict[str, str]:
    """What became of each number of a sheet: number -> state."""
    return dict(sheet.lines.values_list("owned_number__number", "state"))
