"""The differences that wait for a person: which, what each means for the month's cost, what can be decided."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.paginator import Page, Paginator
from django.db.models import Count

from numbersadmin.accounts.models import User
from numbersadmin.formats import lasting, money_text, when
from numbersadmin.money import Totals
from numbersadmin.numbers import selectors as numbers
from numbersadmin.numbers.models import EndBasis, OwnedNumber
from numbersadmin.sync.facts import amount_of, in_words_both
from numbersadmin.sync.models import (
    Decision,
    Drift,
    DriftKind,
    DriftQuerySet,
    DriftState,
    RunStatus,
    SyncRun,
)
from numbersadmin.sync.selectors import outstanding

ROWS = 50
DAY = timedelta(days=1)
FACTS = (DriftKind.PRICE, DriftKind.CAPABILITIES, DriftKind.KEY)


@dataclass(frozen=True, slots=True)
class DriftRow:
    """One difference for a page. `effect` is per month in `currency`, None when it is none or not known."""

    drift: Drift
    what: str
    cost: str
    before: str = ""
    after: str = ""
    effect: Decimal | None = None
    decide: str = ""  # name of the page where this person decides it, empty when there is none
    action: str = ""  # the words of the link there
    may_watch: bool = False

    @property
    def owned(self) -> OwnedNumber:
        """The number that differs."""
        return self.drift.owned

    @property
    def token(self) -> str:
        """The difference as it was shown: its id and how often it had been told."""
        return f"{self.drift.pk}-{self.drift.times}"

    @property
    def by_whom(self) -> str:
        """`Accepted by Ana Silva`, `Found again by sync 12`, `Watched by Ben`; empty while nobody has looked."""
        drift = self.drift
        if drift.state == DriftState.OPEN:
            return ""
        if drift.decision == Decision.OVER or drift.decided_by is None:
            return drift.note
        word = drift.get_decision_display() if drift.decision else "Watched"
        return f"{word} by {drift.decided_by.display_name}"


ACTIONS = {
    DriftKind.APPEARED: ("sync-adopt", "Give it an owner"),
    DriftKind.MISSING: ("sync-gone", "Mark as cancelled outside…"),
}
PERMISSIONS = {"sync-adopt": "numbers.edit_own", "sync-gone": "sync.release", "sync-accept": "sync.decide"}


def action_on(kind: str, person: User, owned: OwnedNumber | None = None) -> tuple[str, str]:
    """The page on which this person decides a difference of a kind and the words of the link; empty without one."""
    page, words = ACTIONS.get(DriftKind(kind), ("sync-accept", "Accept…"))
    if not person.can(PERMISSIONS[page]):
        return "", ""
    if page == "sync-adopt" and owned is not None and not numbers.may_edit(person, owned):
        return "", ""
    return page, words


def row_of(drift: Drift, person: User) -> DriftRow:
    """A difference with what it means and what this person may say of it."""
    owned, kind = drift.owned, DriftKind(drift.kind)
    undecided = drift.state != DriftState.DECIDED
    decide, action = action_on(kind, person, owned) if undecided else ("", "")
    before, after = in_words_both(drift.before, drift.after) if kind in FACTS else ("", "")
    effect, cost = _cost(drift, owned, kind)
    return DriftRow(
        drift=drift,
        what=_what(drift, kind),
        cost=cost,
        before=before,
        after=after,
        effect=effect,
        decide=decide,
        action=action,
        may_watch=undecided and drift.state == DriftState.OPEN and person.can("sync.decide"),
    )


def _what(drift: Drift, kind: DriftKind) -> str:
    """What happened, in one sentence."""
    before = drift.before
    said = {
        DriftKind.APPEARED: "Not ordered here: bought in the portal or by another system.",
        DriftKind.MISSING: f"Not on the list since {when(drift.owned.missing_since)}, and not confirmed gone.",
        DriftKind.GONE: "Not on the list any more, and confirmed gone when asked for by itself.",
        DriftKind.TWICE: "On the list under two keys.",
        DriftKind.BACK: _back(before),
        DriftKind.BILLED: f"On invoice {drift.after.get('reference')}. No sync has ever shown it.",
    }.get(kind, "")
    if drift.times > 1 and kind in FACTS:
        over = drift.told_at - drift.created_at
        return f"Changed {drift.times} times in {lasting(over)}"
    return said


def _back(before: dict[str, Any]) -> str:
    if "cancelled_at" in before:
        return f"Cancelled here {_day(before['cancelled_at'])}, but on the list again."
    gone = "marked as cancelled outside" if before.get("end_basis") == EndBasis.STATED else "gone"
    return f"Was {gone} {_day(before.get('ended_to'))}, and is on the list again."


def _day(value: Any) -> str:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return when(moment, "date")


def _cost(drift: Drift, owned: OwnedNumber, kind: DriftKind) -> tuple[Decimal | None, str]:
    """The change per month where it is known, and what it means in words."""
    price, currency = owned.price_per_month, owned.currency
    if kind == DriftKind.PRICE:
        return _price_change(drift)
    if kind in FACTS:
        return None, "No change in cost"
    if kind == DriftKind.BILLED:
        return None, _billed(drift)
    if price is None or not currency:
        return None, "Its price is not known"
    said = f"{money_text(price, currency)} per month"
    if kind == DriftKind.MISSING:
        return None, f"{said}, counted until it is confirmed gone"
    if kind == DriftKind.GONE:
        return -price, f"from {_month_after(owned.ended_from or owned.ended_to)}"
    return price, "counted since it appeared"


def _billed(drift: Drift) -> str:
    """What the invoice asks for a number that is not ours."""
    said = drift.after
    month = when(date.fromisoformat(f"{said['month']}-01"), "month")
    return f"{money_text(amount_of(said['amount']), said['currency'])} billed for {month}"


def _price_change(drift: Drift) -> tuple[Decimal | None, str]:
    old, new = drift.before.get("currency") or "", drift.after.get("currency") or ""
    month = f"from {_month_after(drift.not_before or drift.told_at)}"
    before, after = (amount_of(facts.get("price_per_month")) for facts in (drift.before, drift.after))
    if old == new and before is not None and after is not None:
        return after - before, month if after != before else "no change in cost"
    if after is None or not new:
        return None, "The new price is not known"
    if before is None or not old:
        return None, f"{money_text(after, new)} per month {month}, before not known"
    return None, f"{money_text(after, new)} instead of {money_text(before, old)} per month {month}"


def _month_after(moment: datetime | None) -> str:
    """The month after the last sight of how it was: prices count from the month that follows (docs/costs.md)."""
    if moment is None:
        return "the next month"
    day = moment.astimezone(ZoneInfo(settings.BILLING_TIME_ZONE)).date()
    following = day.replace(day=1, year=day.year + day.month // 12, month=day.month % 12 + 1)
    return when(following, "month")


# The page ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Inbox:
    """A page of differences: chips with counts, and the decision that can be taken for several at once."""

    page: Page[DriftRow]
    chips: list[dict[str, Any]]
    kind: str
    several: str  # page for several at once, empty when this person has none here
    submit: str


WATCHED = "watched"
SEVERAL = {
    "sync-adopt": "Give them an owner",
    "sync-gone": "Mark as cancelled outside…",
    "sync-accept": "Accept…",
}


def inbox(person: User, kind: str, number: str | None) -> Inbox:
    """The outstanding differences, newest first, all or of a kind; `watched` for those somebody keeps an eye on."""
    found = outstanding()
    counts = {
        (row["kind"], row["state"]): row["count"]
        for row in found.order_by().values("kind", "state").annotate(count=Count("pk"))
    }
    watched = sum(count for (_, state), count in counts.items() if state == DriftState.WATCHED)
    kind = kind if kind in (*DriftKind.values, WATCHED) else ""
    found = found.filter(state=DriftState.WATCHED if kind == WATCHED else DriftState.OPEN)
    if kind in DriftKind.values:
        found = found.filter(kind=kind)
    waiting = {each: counts.get((each, DriftState.OPEN), 0) for each in DriftKind.values}
    chips = [{"text": "All", "url": "?", "current": not kind, "count": sum(waiting.values())}]
    chips += [
        {"text": DriftKind(each).label, "url": f"?kind={each}", "current": kind == each, "count": count}
        for each, count in waiting.items()
        if count or kind == each
    ]
    chips.append(
        {"text": "Being watched", "url": "?kind=watched", "current": kind == WATCHED, "count": watched}
    )
    page: Page[Any] = Paginator(_with_numbers(found).order_by("-id"), ROWS).get_page(number)
    page.object_list = [row_of(drift, person) for drift in page.object_list]
    several, _ = action_on(kind, person) if kind in DriftKind.values else ("", "")
    return Inbox(page, chips, kind, several, SEVERAL.get(several, ""))


def chosen(ids: Iterable[int], person: User) -> list[DriftRow]:
    """The differences with these ids that still wait, with what they mean."""
    found = _with_numbers(outstanding().filter(pk__in=list(ids)[:ROWS])).order_by("id")
    return [row_of(drift, person) for drift in found]


def of_numbers(
    owned_ids: Sequence[int], kinds: Iterable[str], person: User
) -> dict[tuple[int, str], DriftRow]:
    """The last difference of each of these numbers and kinds."""
    drifts = Drift.objects.filter(owned_number__in=owned_ids, kind__in=list(kinds))
    return {
        (drift.owned.pk, drift.kind): row_of(drift, person) for drift in _with_numbers(drifts).order_by("id")
    }


def _with_numbers(drifts: DriftQuerySet) -> DriftQuerySet:
    return drifts.select_related("owned_number__owner", "run", "decided_by")


def total_of(rows: Iterable[DriftRow]) -> Totals:
    """What differences change per month together, per currency; those without a known effect are left out."""
    return Totals.of((row.owned.currency, row.effect) for row in rows)


def evidence(rows: Sequence[DriftRow]) -> list[tuple[DriftRow, str]]:
    """For each missing number: until when it was on the list, and how often it was looked for since."""
    since = [row.owned.missing_since for row in rows if row.owned.missing_since]
    if not since:
        return []
    complete = list(
        SyncRun.objects.filter(status=RunStatus.COMPLETE, started_at__gte=min(since) - DAY)
        .order_by("started_at")
        .values_list("started_at", "finished_at")
    )
    found = []
    for row in rows:
        missed = row.owned.missing_since
        if missed is None:
            continue
        before = [start for start, end in complete if end is not None and end < missed]
        misses = len(complete) - len(before)
        seen = f"On the list {when(before[-1])}" if before else f"Not on the list since {when(missed)}"
        looked = "1 complete sync" if misses == 1 else f"{misses} complete syncs"
        found.append(
            (row, f"{seen}. Missed by {looked} since; asked for by itself, the answer was not clear.")
        )
    return found
