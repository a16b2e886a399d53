"""What pages of attestation need to know: what asks something of a person, a sheet, a round, and its export."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum

from numbersadmin.accounts.models import User
from numbersadmin.accounts.selectors import holders_of
from numbersadmin.attestation.models import (
    WAITING,
    Choice,
    Decision,
    Line,
    LineState,
    Round,
    Sheet,
    SheetState,
)
from numbersadmin.money import Totals
from numbersadmin.numbers.models import OwnedNumber, Status
from numbersadmin.numbers.selectors import rows
from numbersadmin.orders.models import LIVE, Kind, OrderItem

ROWS = 50
SHOWN = 200
NOT_CHOSEN = "not_chosen"
GROUPS = {  # what a sheet is taken apart into: key -> words
    NOT_CHOSEN: "Not answered",
    "keep": "Keep",
    "hand_over": "Hand over",
    "give_back": "Give back",
    "skipped": "Nothing done",
}
_GROUP_OF: dict[str, str] = {
    LineState.KEPT: "keep",
    LineState.GIVEN_BACK: "give_back",
    LineState.HANDING: "hand_over",
    LineState.HANDED: "hand_over",
    LineState.RETURNED: "hand_over",
    LineState.SKIPPED: "skipped",
    LineState.UNANSWERED: NOT_CHOSEN,
}


# What asks something ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asks:
    """What attestation asks of a person: sheets to answer, and numbers handed over to them."""

    sheets: list[Sheet]
    handed: int

    @property
    def count(self) -> int:
        """How many things that are; all that was handed over is one."""
        return len(self.sheets) + (1 if self.handed else 0)


def open_round() -> Round | None:
    """The round that is open, if any."""
    return Round.objects.filter(open_mark=True).first()


def asks_of(person: User) -> Asks:
    """What asks something of this person; one query while no attestation is open."""
    found = open_round()
    if not found or not found.ready_at or not person.can("attestation.answer"):
        return Asks([], 0)
    sheets = found.sheets.filter(state__in=WAITING).select_related("owner", "round")
    mine = Q(owner=person)
    if person.can("attestation.manage"):
        mine |= Q(owner=None) | Q(owner__is_active=False) | Q(state=SheetState.OVERDUE)
    return Asks(list(sheets.filter(mine).order_by("owner_id", "pk")[:SHOWN]), handed_to(person).count())


def may_answer(person: User, sheet: Sheet) -> bool:
    """Its owner; an administrator when there is none, when they left, or when they did not answer in time."""
    if sheet.state not in WAITING:
        return False
    if sheet.owner_id == person.pk:
        return person.is_active
    left = sheet.owner is None or not sheet.owner.is_active
    return person.can("attestation.manage") and (left or sheet.state == SheetState.OVERDUE)


def may_see(person: User, sheet: Sheet) -> bool:
    """Its owner, and who sees all of them."""
    return sheet.owner_id == person.pk or person.can("attestation.view_all")


def handed_to(person: User) -> QuerySet[Line]:
    """Numbers that others hand over to this person and that wait to be taken over."""
    lines = Line.objects.filter(state=LineState.HANDING, to_person=person, round__open_mark=True)
    return lines.select_related("owned_number", "sheet__owner").order_by(
        "sheet", "owned_number__number", "pk"
    )


def waiting_hand_overs(found: Round) -> QuerySet[Line]:
    """All that wait to be taken over in a round."""
    return found.lines.filter(state=LineState.HANDING).select_related(
        "owned_number", "sheet__owner", "to_person"
    )


# A sheet ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Group:
    """Some lines of a sheet or a round: how many, what they cost per month, and how many have no known price."""

    key: str
    words: str
    count: int
    totals: Totals
    unknown: int


def groups_of(lines: QuerySet[Line]) -> dict[str, Group]:
    """The lines by what was chosen for them, in one query; groups without a line are there too."""
    rows: Iterable[dict[str, Any]] = (
        lines.order_by()
        .values("state", "choice", "currency")
        .annotate(n=Count("pk"), known=Count("price_per_month"), sum=Sum("price_per_month"))
    )
    found: dict[str, list[dict[str, Any]]] = {key: [] for key in GROUPS}
    for row in rows:
        found[_GROUP_OF.get(row["state"]) or row["choice"] or NOT_CHOSEN].append(row)
    return {
        key: Group(
            key,
            GROUPS[key],
            sum(row["n"] for row in part),
            Totals.of((row["currency"], row["sum"]) for row in part if row["currency"]),
            sum(row["n"] - (row["known"] if row["currency"] else 0) for row in part),
        )
        for key, part in found.items()
    }


def in_group(lines: QuerySet[Line], key: str) -> QuerySet[Line]:
    """The lines of one of GROUPS; any other key is all of them."""
    if key not in GROUPS:
        return lines
    states = [state for state, group in _GROUP_OF.items() if group == key]
    choice = "" if key == NOT_CHOSEN else key
    return lines.filter(Q(state__in=states) | Q(state=LineState.OPEN, choice=choice))


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A line with its number as it is now, and what was decided on it."""

    line: Line
    number: rows.NumberRow
    decisions: list[Decision]

    @property
    def answer(self) -> Decision | None:
        """What its owner's answer came to."""
        return self.decisions[0] if self.decisions else None

    @property
    def followed(self) -> Decision | None:
        """What became of a hand-over."""
        return self.decisions[1] if len(self.decisions) > 1 else None


def sheet_page(sheet: Sheet, show: str, page: str) -> Page[Any]:
    """One page of a sheet's lines, by number."""
    lines = in_group(Line.objects.filter(sheet=sheet), show).select_related("to_person")
    found: Page[Any] = Paginator(lines.order_by("owned_number__number", "pk"), ROWS).get_page(page)
    found.object_list = rows_of(list(found.object_list))
    return found


def rows_of(lines: list[Line]) -> list[SheetRow]:
    """Lines with their numbers and decisions, in two more queries."""
    numbers = OwnedNumber.objects.filter(pk__in=[line.owned_number_id for line in lines])
    known = {
        row["id"]: rows.NumberRow(**row) for row in numbers.values(*rows.ROW_FIELDS, **rows.OWNER_FIELDS)
    }
    decided: dict[int, list[Decision]] = {}
    kept = Decision.objects.filter(line__in=[line.pk for line in lines])
    for decision in kept.select_related("by", "to_person").order_by("pk"):
        decided.setdefault(decision.line_id, []).append(decision)
    return [SheetRow(line, known[line.owned_number_id], decided.get(line.pk, [])) for line in lines]


def _live_cancel() -> QuerySet[OrderItem]:
    return OrderItem.objects.filter(
        kind=Kind.CANCEL, state__in=LIVE, owned_number=OuterRef("owned_number")
    ).order_by()


def _still(owner_id: int | None) -> Q:
    return Q(owned_number__owner=owner_id) if owner_id else Q(owned_number__owner__isnull=True)


def acted_on(lines: QuerySet[Line], owner_id: int | None) -> QuerySet[Line]:
    """Of these lines those for which an answer counts: still ours, still this owner's, not being cancelled."""
    free = lines.filter(_still(owner_id), ~Exists(_live_cancel()))
    return free.exclude(owned_number__status=Status.ENDED)


def passed_over(lines: QuerySet[Line], owner_id: int | None) -> QuerySet[Line]:
    """The others, for which nothing is done; `why_passed` says why."""
    elsewhere = ~_still(owner_id) | Q(owned_number__status=Status.ENDED)
    if owner_id:
        elsewhere |= Q(owned_number__owner__isnull=True)
    return (
        lines.annotate(going_on=Subquery(_live_cancel().values("order")[:1]))
        .filter(elsewhere | Q(going_on__isnull=False))
        .select_related("owned_number__owner")
    )


def why_passed(line: Line, owner_id: int | None, going_on: int | None) -> str:
    """Why nothing is done for a line; `going_on` is the order that cancels its number."""
    owned = line.owned_number
    if owned.status == Status.ENDED:
        return "It is not ours any more."
    if owned.owner_id != owner_id:
        return f"It belongs to {owned.owner.display_name if owned.owner else 'nobody'} now."
    return f"Order {going_on} to cancel it is going on."


@dataclass(frozen=True, slots=True)
class Receiver:
    """A person to whom numbers of a sheet are handed over."""

    person: User
    count: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What answering a sheet does. `passed` are lines for which nothing is done, with why."""

    groups: dict[str, Group]
    receivers: list[Receiver]
    reasons: list[tuple[str, int]]
    passed: list[tuple[Line, str]]
    passed_count: int

    @property
    def missing(self) -> int:
        """How many numbers have no choice yet."""
        return self.groups[NOT_CHOSEN].count


def preview(sheet: Sheet) -> Preview:
    """What answering would do now."""
    lines = Line.objects.filter(sheet=sheet, state=LineState.OPEN)
    acted, passed = acted_on(lines, sheet.owner_id), passed_over(lines, sheet.owner_id)
    to = acted.filter(choice=Choice.HAND_OVER).order_by().values("to_person").annotate(n=Count("pk"))
    counts = {row["to_person"]: row["n"] for row in to}
    people = User.objects.in_bulk(counts)
    return Preview(
        groups=groups_of(acted),
        receivers=[Receiver(people[pk], n) for pk, n in sorted(counts.items())],
        reasons=reasons_of(acted),
        passed=[
            (line, why_passed(line, sheet.owner_id, line.going_on))  # type: ignore[attr-defined]
            for line in passed.order_by("owned_number__number")[:SHOWN]
        ],
        passed_count=passed.count(),
    )


def reasons_of(lines: QuerySet[Line]) -> list[tuple[str, int]]:
    """Why numbers are given back, the most frequent reason first."""
    rows = lines.filter(choice=Choice.GIVE_BACK).order_by().values("reason").annotate(n=Count("pk"))
    return sorted(((row["reason"], row["n"]) for row in rows), key=lambda pair: (-pair[1], pair[0]))


# A round ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SheetSummary:
    """A sheet of a round with its counts."""

    sheet: Sheet
    counts: dict[str, int]  # by the keys of GROUPS

    @property
    def count(self) -> int:
        """How many numbers are on it."""
        return sum(self.counts.values())

    @property
    def left(self) -> int:
        """How many have no choice yet."""
        return self.counts.get(NOT_CHOSEN, 0)


def sheet_summaries(sheets: list[Sheet]) -> list[SheetSummary]:
    """These sheets with their counts, in one more query."""
    rows = Line.objects.filter(sheet__in=[sheet.pk for sheet in sheets]).order_by()
    counts: dict[int, dict[str, int]] = {}
    for row in rows.values("sheet", "state", "choice").annotate(n=Count("pk")):
        key = _GROUP_OF.get(row["state"]) or row["choice"] or NOT_CHOSEN
        mine = counts.setdefault(row["sheet"], {})
        mine[key] = mine.get(key, 0) + row["n"]
    return [SheetSummary(sheet, counts.get(sheet.pk, {})) for sheet in sheets]


def sheets_in(found: Round) -> list[Sheet]:
    """Every sheet of a round by its owner's name, that of nobody's numbers last."""
    sheets = found.sheets.select_related("owner", "answered_by", "round")
    return list(sheets.order_by(F("owner__username").asc(nulls_last=True), "pk"))


def approvers(person: User) -> list[User]:
    """Who can approve what this person orders."""
    return list(holders_of("orders.approve").exclude(pk=person.pk))


@dataclass(frozen=True, slots=True)
class StartFacts:
    """What a round that is started now asks about."""

    numbers: int
    people: int
    nobodys: int


def start_facts() -> StartFacts:
    """How many numbers, of how many people, and how many belong to nobody."""
    ours = OwnedNumber.objects.open()
    counts = ours.aggregate(n=Count("pk"), people=Count("owner", distinct=True), owned=Count("owner"))
    return StartFacts(counts["n"], counts["people"], counts["n"] - counts["owned"])


def rounds() -> QuerySet[Round]:
    """Every round, newest first."""
    return Round.objects.select_related("opened_by", "closed_by").order_by("-pk")


def sheets_of(person: User) -> QuerySet[Sheet]:
    """The sheets of one's own, newest first."""
    return Sheet.objects.filter(owner=person).select_related("round", "owner", "answered_by").order_by("-pk")
