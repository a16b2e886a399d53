"""What one run found, for its page: numbers that appeared, changed, went missing, were found or ended."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, QuerySet

from numbersadmin.accounts.models import User
from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.sync.facts import effect_of, in_words
from numbersadmin.sync.inbox import DriftRow, of_numbers
from numbersadmin.sync.models import DriftKind, RunStatus, SyncRun
from numbersadmin.sync.selectors import RunRow, run_row

LONG = 80  # characters
SHOWN = 100  # rows of a section; the audit log has all of them
CHANGES = {
    "number.price_changed": "Price",
    "number.capabilities_changed": "Can do",
    "number.attributes_changed": "Details",
    "number.key_changed": "Provider key",
}
ORIGINS = {
    "number.appeared": "Not ordered here. Bought in the portal or by another system.",
    "number.reacquired": "Was ours before. Bought again in the portal or by another system.",
    "number.reappeared": "Had disappeared; back under the same key.",
    "number.back_after_cancel": "Cancelled here, but on the list again.",
    "number.listed_twice": "On the list twice, under two keys.",
}
KINDS = {
    "number.price_changed": DriftKind.PRICE,
    "number.capabilities_changed": DriftKind.CAPABILITIES,
    "number.key_changed": DriftKind.KEY,
    "number.appeared": DriftKind.APPEARED,
    "number.reacquired": DriftKind.APPEARED,
    "number.reappeared": DriftKind.BACK,
    "number.back_after_cancel": DriftKind.BACK,
    "number.listed_twice": DriftKind.TWICE,
    "number.missing": DriftKind.MISSING,
    "number.disappeared": DriftKind.GONE,
}
FIRST_RUN = "Already ours when records began."
GONE = ("number.disappeared", "number.cancelled")


@dataclass(frozen=True, slots=True)
class Change:
    """One row of a section. `before` and `after` are words; `effect` is per month, None when it tells nothing."""

    owned: OwnedNumber
    what: str = ""
    before: str = ""
    after: str = ""
    effect: Decimal | None = None
    drift: DriftRow | None = None  # what waits for a person, or has been decided

    @property
    def long(self) -> bool:
        """Does it need more than one line?"""
        return len(self.before + self.after) > LONG


@dataclass(frozen=True, slots=True)
class Section:
    """Some of the numbers of one kind, and how many there are."""

    rows: list[Change]
    count: int

    @property
    def more(self) -> int:
        """How many are not shown."""
        return self.count - len(self.rows)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything on the page of a run."""

    row: RunRow
    missing: Section
    held: Section
    changed: Section
    appeared: Section
    ended: Section
    found: Section
    missing_before: int

    @property
    def name(self) -> str:
        """What the run is called in a path."""
        return f"Run {self.row.run.pk}"

    @property
    def bought_here(self) -> int:
        """How many of the new ones an order of ours explains; they are on its page."""
        return max(self.row.run.appeared - self.appeared.count, 0)

    @property
    def cancelled_here(self) -> int:
        """How many of the ended ones an order of ours explains."""
        return max(self.row.run.ended - self.ended.count, 0)


def report(run: SyncRun, now: datetime, person: User) -> Report:
    """The run and what it found, for this person; the number of queries does not grow with what it found."""
    events = _events(run)
    counts: Counter[str] = Counter(dict(events.values_list("verb").annotate(count=Count("pk")).order_by()))
    first = not SyncRun.objects.filter(status=RunStatus.COMPLETE, pk__lt=run.pk).exists()
    sections = Sections(events, counts, person)
    missing = sections.of(("number.missing",))
    return Report(
        row=run_row(run, now),
        missing=missing,
        held=_held(run),
        changed=sections.of(CHANGES),
        appeared=sections.of(ORIGINS, first_run=first),
        ended=sections.of(GONE),
        found=sections.of(("number.found_again",)),
        missing_before=max(run.missing - missing.count, 0),
    )


def _events(run: SyncRun) -> QuerySet[AuditEvent]:
    """The run's own events; the times keep the query on an index."""
    events = AuditEvent.objects.filter(
        at__gte=run.started_at, related_type=SyncRun._meta.model_name, related_id=run.pk
    )
    return events.filter(at__lte=run.finished_at) if run.finished_at else events


@dataclass(frozen=True, slots=True)
class Sections:
    """Makes the sections of one run's page."""

    events: QuerySet[AuditEvent]
    counts: Mapping[str, int]
    person: User

    def of(self, verbs: Iterable[str], first_run: bool = False) -> Section:
        """The numbers of some verbs, each with the difference that waits for a person."""
        verbs = list(verbs)
        count = sum(self.counts.get(verb, 0) for verb in verbs)
        if not count:
            return Section([], 0)
        shown = list(self.events.filter(verb__in=verbs).order_by("id")[:SHOWN])
        owned = OwnedNumber.objects.select_related("owner").in_bulk({each.subject_id for each in shown})
        kinds = {KINDS[verb] for verb in verbs if verb in KINDS}
        drifts = of_numbers(list(owned), kinds, self.person) if kinds else {}
        rows = [
            replace(
                _change(each, owned[each.subject_id], first_run),
                drift=drifts.get((each.subject_id, KINDS.get(each.verb, ""))),
            )
            for each in shown
        ]
        return Section(rows, count)


def _held(run: SyncRun) -> Section:
    owned = OwnedNumber.objects.select_related("owner").in_bulk(run.held[:SHOWN])
    return Section([Change(owned[pk]) for pk in run.held[:SHOWN]], len(run.held))


def _change(event: AuditEvent, owned: OwnedNumber, first_run: bool) -> Change:
    if event.verb in ORIGINS:
        plain = first_run and event.verb == "number.appeared"
        return Change(owned, FIRST_RUN if plain else ORIGINS[event.verb])
    if event.verb not in CHANGES:
        return Change(owned)
    before, after = event.before or {}, event.after or {}
    return Change(
        owned,
        CHANGES[event.verb],
        in_words(before, owned.currency),
        in_words(after, owned.currency),
        effect_of(before, after),
    )
