"""What we learned about a month after it was closed: what it would cost now, less what the ledger says of it.

Nothing closed changes by itself. Each difference is proposed as a correction, and a person posts it. Corrections that
people entered and those from invoices stand beside the computation, so they are no difference to it.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import F, Q

from numbersadmin.accounts.models import User
from numbersadmin.audit.models import AuditEvent
from numbersadmin.costs.charges import Charge, charges
from numbersadmin.costs.ledger import Records, carried
from numbersadmin.costs.models import LedgerLine, Origin
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import Held, Subject, held_with
from numbersadmin.costs.posting import CannotCorrect, Correction, post_corrections
from numbersadmin.formats import when
from numbersadmin.money import ZERO, Totals
from numbersadmin.numbers.models import NumberVersion, OwnedNumber

COMPARED = (Origin.CLOSE, Origin.LATE, Origin.PRICE)
SHORTEST_MONTH = timedelta(days=27)  # less an hour or two where clocks are changed in it
EVENTS_OF = OwnedNumber._meta.model_name
REASONS = {
    "number.reappeared": "It was back on the list under the same key, so it was probably never gone.",
    "number.acquired_stated": "The day on which it became ours was entered.",
    "number.acquired_taken_back": "A day that had been entered was taken back.",
    "number.price_changed": "Another price was read.",
    "number.disappeared": "It was gone from the list.",
    "number.confirmed_gone": "A person confirmed that it is gone.",
    "number.cancelled": "It was cancelled.",
    "number.appeared": "It was on the list for the first time.",
    "number.adopted": "It was found to be bought by an order of ours.",
    "number.reacquired": "It was bought again.",
}
"""What can change the cost of a month that has ended, in the words of a correction."""
MOVED = ("number.reappeared", "number.acquired_stated", "number.acquired_taken_back")
"""The acts that move the limits of a possession which was on record before; only the audit log says when."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A closed month would cost `amount` more for this number by what we know now. `beside`: corrected by people."""

    month: Month
    subject: Subject
    currency: str
    computed: Decimal
    posted: Decimal
    sequence: int
    why: str
    beside: Decimal | None = None

    @property
    def amount(self) -> Decimal:
        """The correction; never 0."""
        return self.computed - self.posted

    @property
    def url(self) -> str:
        """The page of the number."""
        return f"/numbers/{self.subject.id}/"

    @property
    def mark(self) -> str:
        """What a person was shown: the same text means the same correction, to be posted once."""
        return f"{self.month}/{self.subject.id}/{self.currency}/{self.sequence}/{self.amount:f}"


@dataclass(slots=True)
class Posted:
    """What the ledger has about one number and month. `unknown`: the close had a line without an amount."""

    amounts: dict[str, Decimal]
    prices: dict[str, Decimal]
    beside: dict[str, Decimal]
    sequences: dict[str, int]
    unknown: bool = False


def totals_of(found: Iterable[Proposal]) -> Totals:
    """What they change together, per currency."""
    return Totals.of((one.currency, one.amount) for one in found)


def mark_of(found: Iterable[Proposal]) -> str:
    """What a person was shown who posts all of them."""
    return hashlib.sha256("\n".join(one.mark for one in found).encode()).hexdigest()


def candidates(known: Records) -> set[int]:
    """Ids of owned numbers for which a closed month may cost something else by now; all others surely do not.

    A close knows everything that was recorded before its month ended. What is recorded later changes a month only
    when its interval reaches back: an end or a beginning across a month's limit, a price change that took longer than
    a month to be seen, or one of `MOVED`; and prices that people told may be told by the provider by now.
    """
    frozen = sorted(month for month in known.closes if known.frozen(month))
    if not frozen:
        return set(_told_prices())
    limits = [known.calendar.start(month) for month in frozen] + [known.calendar.end(frozen[-1])]
    across = Q()
    for limit in limits:
        across |= Q(ended_from__lt=limit, ended_to__gte=limit)
        across |= Q(acquired_from__lt=limit, acquired_to__gte=limit)
        across |= Q(acquired_at__lt=limit, acquired_to__gte=limit)
    ended = known.calendar.end(frozen[0])
    slow = Q(not_before__isnull=True) | Q(valid_from__gte=F("not_before") + SHORTEST_MONTH)
    prices = NumberVersion.objects.filter(slow, valid_from__gte=ended)
    events = AuditEvent.objects.filter(verb__in=MOVED, at__gte=ended, subject_type=EVENTS_OF)
    return {
        *OwnedNumber.objects.filter(across).values_list("id", flat=True),
        *prices.values_list("owned_number_id", flat=True),
        *events.values_list("subject_id", flat=True),
        *_told_prices(),
    }


def _told_prices() -> Iterable[int]:
    found = LedgerLine.objects.filter(origin=Origin.PRICE, owned_number__isnull=False)
    return found.values_list("owned_number_id", flat=True)


def proposals(known: Records, among: set[int] | None = None) -> list[Proposal]:
    """Every correction that what we know now asks for, the earliest month first; `among`: of these numbers only.

    None while months are cut in another time zone than those that were closed.
    """
    months = sorted(month for month in known.closes if known.frozen(month))
    if known.to_close and known.to_close not in months:
        months.append(known.to_close)
    ids = sorted(candidates(known) if among is None else among)
    if not months or not ids or known.closed_otherwise:
        return []
    ledger = _ledger(known, ids)
    found = [
        proposal for held in held_with(ids, known.listed) for proposal in _of(held, months, ledger, known)
    ]
    found.sort(key=lambda one: (one.month, one.subject.id or 0, one.currency))
    return _explained(found, known)


def _ledger(known: Records, ids: list[int]) -> dict[tuple[int, str], Posted]:
    """(Owned number, month it is about) -> what the ledger has of it."""
    found: dict[tuple[int, str], Posted] = defaultdict(lambda: Posted({}, {}, {}, {}))
    columns = ("owned_number_id", "month", "corrects", "origin", "currency", "amount")
    for at in range(0, len(ids), 5_000):
        rows = carried(known).filter(owned_number_id__in=ids[at : at + 5_000]).values_list(*columns)
        for number, month, corrects, origin, currency, amount in rows.iterator(chunk_size=5_000):
            posted = found[number or 0, corrects or month]
            if amount is None:
                posted.unknown = True
                continue
            sums = posted.prices if origin == Origin.PRICE else posted.amounts
            sums = sums if origin in COMPARED else posted.beside
            sums[currency] = sums.get(currency, ZERO) + amount
            posted.sequences[currency] = posted.sequences.get(currency, 0) + (origin == Origin.LATE)
    return found


def _of(
    held: Held, months: list[Month], ledger: dict[tuple[int, str], Posted], known: Records
) -> Iterator[Proposal]:
    """The differences of one possession."""
    lines: dict[Month, list[Charge]] = defaultdict(list)
    for charge in charges(held.possession, months[0], months[-1], known.calendar):
        lines[charge.month].append(charge)
    number = held.possession.id
    for month in months:
        posted = ledger.get((number, str(month)))
        if posted is None and (month not in lines or not known.frozen(month)):
            continue
        posted = posted or Posted({}, {}, {}, {})
        for currency, computed, told in _compared(lines[month], posted, frozen=known.frozen(month)):
            yield Proposal(
                month,
                held.subject,
                currency,
                computed,
                told,
                posted.sequences.get(currency, 0) + 1,
                "",
                posted.beside.get(currency),
            )


def _compared(lines: list[Charge], posted: Posted, *, frozen: bool) -> Iterator[tuple[str, Decimal, Decimal]]:
    """Currency, what it costs by what we know now, and what the ledger says, where these are not the same.

    While a price is unknown there is nothing to compare it with: what people said of it, or what was closed, holds.
    """
    unknown = any(charge.amount is None for charge in lines)
    if unknown and (not frozen or not posted.unknown):
        return
    computed: dict[str, Decimal] = {}
    for charge in lines:
        if charge.amount is not None and frozen:
            computed[charge.currency] = computed.get(charge.currency, ZERO) + charge.amount
    told = dict(posted.amounts)
    for currency, amount in {} if unknown else posted.prices.items():
        told[currency] = told.get(currency, ZERO) + amount
    for currency in sorted({*computed, *told}):
        pair = computed.get(currency, ZERO), told.get(currency, ZERO)
        if pair[0] != pair[1]:
            yield currency, *pair


def _explained(found: list[Proposal], known: Records) -> list[Proposal]:
    """Each with the newest act on record after its month that can have led to it."""
    numbers = sorted({one.subject.id or 0 for one in found})
    acts: dict[int, list[tuple[datetime, str]]] = defaultdict(list)
    for at in range(0, len(numbers), 5_000):
        events = AuditEvent.objects.filter(
            subject_type=EVENTS_OF, subject_id__in=numbers[at : at + 5_000], verb__in=REASONS
        )
        for number, moment, verb in events.order_by("id").values_list("subject_id", "at", "verb"):
            acts[number].append((moment, verb))
    return [replace(one, why=_why(one, acts[one.subject.id or 0], known)) for one in found]


def _why(proposal: Proposal, acts: list[tuple[datetime, str]], known: Records) -> str:
    if not known.frozen(proposal.month):
        return "Infobip states a price by now, so the one that was entered counts twice."
    ended = known.calendar.end(proposal.month)
    for moment, verb in reversed(acts):
        if moment >= ended:
            return f"{REASONS[verb]} Recorded on {when(moment, 'date')}."
    return "What is known of it has changed."


def post(*, known: Records, mark: str, actor: User, now: datetime) -> int:
    """Post the proposal with this mark, or all of them for `mark_of` all; how many were posted.

    Raises CannotCorrect when they are no longer what the person was shown, or somebody else posted them first.
    """
    found = proposals(known)
    chosen = [one for one in found if one.mark == mark] or (found if mark_of(found) == mark else [])
    if not chosen:
        raise CannotCorrect(
            "What is proposed has changed since the page was shown, or was posted already. Look again."
        )
    post_corrections(
        known=known,
        corrections=[_correction(one) for one in chosen],
        origin=Origin.LATE,
        actor=actor,
        now=now,
    )
    return len(chosen)


def _correction(proposal: Proposal) -> Correction:
    return Correction(
        subject=proposal.subject,
        amount=proposal.amount,
        currency=proposal.currency,
        reason=proposal.why,
        corrects=proposal.month,
        sequence=proposal.sequence,
    )
