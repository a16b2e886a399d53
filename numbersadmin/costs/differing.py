"""Why a month costs another amount than the one before, number by number, of those numbers alone that can differ.

Of a million numbers most are charged the same again. Which may not be, the database says from dates, versions and
lines of the ledger; the rest is computed. A number that is left out costs the same in both months, for one reason
each that stands with the condition; tests hold that against the full computation.
"""

from collections.abc import Collection, Iterable, Iterator

from django.db.models import Exists, OuterRef, Q

from numbersadmin.costs.bridge import Change, changes
from numbersadmin.costs.charges import Kind
from numbersadmin.costs.ledger import Entry, Records, computed, entry_of, merged, posted_lines
from numbersadmin.costs.models import LedgerLine
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import Held, charged_between, held_with, named_at_once
from numbersadmin.numbers.models import NumberVersion, OwnedNumber, Status


def differences(known: Records, month: Month) -> Iterator[Change]:
    """Why a month costs another amount than the one before, by the age of the number's record.

    The month before is on record; `month` may be one ahead. What is about no number comes last.
    """
    start = known.calendar.start(month)
    for some in named_at_once(may_differ(known, month)):
        held = list(held_with(some, known.listed))
        seen = {one.subject.id for one in held if one.possession.acquired_to < start}
        of_these = Q(owned_number__in=some)
        yield from changes(
            _lines(known, month.previous, held, of_these), _lines(known, month, held, of_these), seen
        )
    about_none = Q(owned_number=None)
    yield from changes(
        _lines(known, month.previous, [], about_none), _lines(known, month, [], about_none), ()
    )


def _lines(known: Records, month: Month, held: Collection[Held], posted: Q) -> Iterator[Entry]:
    """The lines of a month for these possessions: those of the ledger, and the computed ones unless it is frozen."""
    entries = map(entry_of, posted_lines(known, month).filter(posted))
    return entries if known.frozen(month) else merged(computed(held, month, known.calendar), entries)


# Which can differ ---------------------------------------------------------------------------------------------------


def may_differ(known: Records, month: Month) -> set[int]:
    """Ids of all numbers that may cost another amount in a month than in the one before."""
    months = (month.previous, month)
    frozen = [one for one in months if known.frozen(one)]
    if len(frozen) == 2:
        found = [posted_otherwise(*months), posted_otherwise(*reversed(months))]
    else:
        found = [came_or_went(known, month), repriced(known, month)]
        found += [way(known, month, one) for one in frozen for way in (not_posted, not_as_priced)]
    return set().union(*found, *map(not_only_rent, months))


def came_or_went(known: Records, month: Month) -> Iterable[int]:
    """All of both months but those that were ours before and still were after: these have full months."""
    before, start = known.calendar.start(month.previous), known.calendar.start(month)
    ours = Q(acquired_to__lt=before) & (Q(acquired_at=None) | Q(acquired_at__lt=before))
    still = (
        Q(ended_from=None, ended_to=None) | Q(ended_from__gte=start) | Q(ended_from=None, ended_to__gte=start)
    )
    held = OwnedNumber.objects.filter(charged_between(month.previous, month, known.calendar))
    return held.exclude(ours & still).values_list("id", flat=True)


def repriced(known: Records, month: Month) -> Iterable[int]:
    """Those of which a version may have come into force in either month: without one there is one price for both."""
    before, end = known.calendar.start(month.previous), known.calendar.end(month)
    in_force = Q(not_before=None) | Q(not_before__lt=end)
    versions = NumberVersion.objects.filter(in_force, valid_from__gte=before)
    return versions.filter(owned_number__acquired_to__lt=before).values_list("owned_number_id", flat=True)


def not_posted(known: Records, month: Month, frozen: Month) -> Iterable[int]:
    """All of both months for which the ledger has no rent in the frozen one."""
    posted = LedgerLine.objects.filter(month=str(frozen), kind=Kind.RECURRING, owned_number=OuterRef("pk"))
    held = OwnedNumber.objects.filter(charged_between(month.previous, month, known.calendar))
    return held.filter(~Exists(posted)).values_list("id", flat=True)


def not_as_priced(known: Records, month: Month, frozen: Month) -> Iterable[int]:
    """Those for which the ledger has another rent than the price of those who are ours, then and now."""
    before = known.calendar.start(month.previous)
    price = NumberVersion.objects.filter(
        ~Q(owned_number__status=Status.ENDED),
        owned_number=OuterRef("owned_number"),
        owned_number__acquired_to__lt=before,
        valid_from__lt=before,
        valid_to=None,
        currency=OuterRef("currency"),
        price_per_month=OuterRef("amount"),
    ).filter(price_per_month=OuterRef("per_month"))
    rents = LedgerLine.objects.filter(month=str(frozen), kind=Kind.RECURRING, owned_number__isnull=False)
    return rents.filter(~Exists(price)).values_list("owned_number_id", flat=True)


def posted_otherwise(month: Month, other: Month) -> Iterable[int]:
    """Those whose rent in a month is not posted the same in the other."""
    rents = LedgerLine.objects.filter(kind=Kind.RECURRING)
    columns = ("owned_number", "amount", "currency", "per_month")
    same = rents.filter(month=str(other), **{name: OuterRef(name) for name in columns})
    return rents.filter(~Exists(same), month=str(month)).values_list("owned_number_id", flat=True)


def not_only_rent(month: Month) -> Iterable[int]:
    """Those of which the ledger has more than a full month: a set-up, a first month, a correction."""
    more = LedgerLine.objects.filter(month=str(month), owned_number__isnull=False).exclude(
        kind=Kind.RECURRING
    )
    return more.values_list("owned_number_id", flat=True)
