"""What a guarded run holds, as its page shows it: the numbers, what they cost, and who said what of it."""

from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q, Sum

from numbersadmin.money import Totals
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.sync import selectors
from numbersadmin.sync.models import HeldDecision, SyncRun

ROWS = 50
CHUNK = 10_000  # ids in one query


@dataclass(frozen=True, slots=True)
class Held:
    """`totals` are per month, of the numbers that are still ours; `unpriced` of these have no known price."""

    page: Page[OwnedNumber]
    ours: int
    totals: Totals
    unpriced: int
    newer: SyncRun | None
    rejected: SyncRun | None
    release: SyncRun | None

    @property
    def waits(self) -> bool:
        """May it still be decided?"""
        return self.newer is None


def held_page(run: SyncRun, number: str | None) -> Held:
    """A page of the numbers that a run holds, as they are now, with what they cost together."""
    page: Page[Any] = Paginator(run.held, ROWS).get_page(number)
    rows = OwnedNumber.objects.select_related("owner").in_bulk(page.object_list)
    page.object_list = [rows[pk] for pk in page.object_list if pk in rows]
    ours, priced, sums = 0, 0, []
    for start in range(0, len(run.held), CHUNK):
        of_these = OwnedNumber.objects.open().filter(pk__in=run.held[start : start + CHUNK]).order_by()
        for group in of_these.values("currency").annotate(
            rows=Count("pk"),
            known=Count("pk", filter=Q(price_per_month__isnull=False) & ~Q(currency="")),
            per_month=Sum("price_per_month"),
        ):
            ours, priced = ours + group["rows"], priced + group["known"]
            if group["currency"]:
                sums.append((group["currency"], group["per_month"]))
    undecided = not run.decision
    return Held(
        page=page,
        ours=ours,
        totals=Totals.of(sums),
        unpriced=ours - priced,
        newer=selectors.superseded_by(run),
        rejected=selectors.rejected_before(run) if undecided else None,
        release=run.releases.order_by("-id").first() if run.decision == HeldDecision.RELEASE else None,
    )
