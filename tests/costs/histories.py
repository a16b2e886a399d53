"""Invented histories of numbers, and what a month says when everything is computed."""

from datetime import timedelta
from random import Random

from numbersadmin.costs import selectors, services
from numbersadmin.costs.bridge import changes
from numbersadmin.costs.ledger import computed, statement
from numbersadmin.costs.models import LedgerLine, MonthClose
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import Subject, held_between
from numbersadmin.costs.posting import about
from numbersadmin.money import from_micro
from numbersadmin.numbers.models import NumberVersion, OwnedNumber
from tests.costs.conftest import at

NOW = at("2026-11-20 12:00")
FIRST, LAST = Month.parse("2026-06"), Month.parse("2026-12")


def somewhere(chance, start, end):
    return start + (end - start) * chance.randrange(1000) / 1000


def invent(chance, lives, cast):
    """Numbers with lives of every kind, as rows: also such as no service would write; some live the same life."""
    for life in range(lives):
        facts, since, until = a_life(chance, cast)
        versions = list(some_versions(chance, since, until))
        for copy in range(chance.choice([1, 2, 4])):
            key = f"49{life}{copy}"
            owned = OwnedNumber.objects.create(number_key=key, number=key, **facts)
            NumberVersion.objects.bulk_create(
                NumberVersion(
                    owned_number=owned, number_key=key, raw={}, **version, **some_prices(chance, life)
                )
                for version in versions
            )


def a_life(chance, cast):
    """What is known of a number, since when, and until when it was ours."""
    since = somewhere(chance, at("2026-05-20"), NOW)
    until = chance.choice([None, None, somewhere(chance, since, NOW)])
    acquired = chance.choice([None, since, since - timedelta(days=chance.randrange(9))])
    status = "ended" if until else chance.choice(["owned", "owned", "missing"])
    facts = {
        "country": chance.choice(["DE", "GB"]),
        "type": chance.choice(["MOBILE", ""]),
        "capabilities": chance.choice(["SMS", "SMS,VOICE"]),
        "labels": chance.choice([[], ["b", "a"], ["a"]]),
        "owner": chance.choice([None, cast.manager]),
        "cost_centre": chance.choice(["", "CC-1"]),
        "status": status,
        "acquired_to": since,
        "acquired_at": acquired,
        "acquired_from": chance.choice([None, since - timedelta(days=chance.randrange(40)), acquired]),
        "acquired_basis": chance.choice(["purchased_here", "bounded", "inferred", "stated", "unknown"]),
        "missing_since": NOW - timedelta(days=30) if status == "missing" else None,
        "ended_from": chance.choice([None, until and since]),
        "ended_to": until,
    }
    return facts, since, until


def some_versions(chance, since, until):
    """One version after the other, to the end of the life; the last ones may be of no duration."""
    moments = sorted(
        {since, *(somewhere(chance, since, until or NOW) for _ in range(chance.choice([0, 0, 1, 2])))}
    )
    for moment, end in zip(moments, [*moments[1:], until], strict=True):
        yield {
            "valid_from": moment,
            "valid_to": end,
            "not_before": chance.choice([None, moment - timedelta(days=2)]) if moment > since else None,
            "source": chance.choice(["purchase", "sync"]),
        }


def some_prices(chance, life):
    """Prices, of which those of one life differ in their amounts only, or in more."""
    alike = Random(life) if chance.random() < 0.8 else chance
    amounts = [alike.choice([None, 0, 5, 8, 8]) for _ in range(3)]
    amounts = [one and from_micro(one * 10**6 + chance.randrange(10**6)) for one in amounts]
    prices = dict(zip(("price_per_month", "setup_price", "initial_month_price"), amounts, strict=True))
    return prices | {"currency": alike.choice(["EUR", "EUR", "USD", ""])}


def freeze(known, month, cast, chance):
    """Close a month as something that nearly is what is computed: since then more has become known."""
    rows = []
    for entry in computed(held_between(month, month, known.calendar, known.listed), month, known.calendar):
        charge = entry.charge
        if chance.random() < 0.2:
            continue
        amount = chance.choice([charge.amount, charge.amount, charge.amount and charge.amount + 1])
        facts = about(entry.subject)
        facts |= {name: getattr(charge, name) for name in ("kind", "currency", "basis", "per_month")}
        facts |= {"period_start": charge.period_start, "period_end": charge.period_end}
        rows.append(
            LedgerLine(
                month=str(month),
                revision=1,
                origin="close",
                amount=amount,
                posted_at=NOW,
                posted_by=cast.finance,
                **facts,
            )
        )
    LedgerLine.objects.bulk_create(rows)
    MonthClose.objects.create(
        month=str(month), revision=1, action="close", at=NOW, by=cast.finance, sha256="0" * 64
    )


def lines_of(known, month):
    """The statement of a month, or what the next one will cost if nothing changes."""
    if month <= known.current:
        return statement(known, month)
    return computed(held_between(month, month, known.calendar, known.listed), month, known.calendar)


def differences_of_all(known, month):
    """Computed for every number there is."""
    start = known.calendar.start(month)
    seen = set(OwnedNumber.objects.filter(acquired_to__lt=start).values_list("id", flat=True))
    return list(changes(lines_of(known, month.previous), lines_of(known, month), seen))


def an_account(story, cast, number):
    """An account with a history of its own for each number."""
    chance = Random(number)
    story.listed("2026-05-20", chance.choice(["2026-10-30", "2026-11-20 11:45"]))
    invent(chance, 30, cast)
    for later in range(number % 4):
        freeze(selectors.records(NOW), Month.parse("2026-05").plus(later), cast, chance)
    for _ in range(number % 3):
        services.post_correction(
            known=selectors.records(NOW),
            subject=chance.choice([Subject(None), Subject(OwnedNumber.objects.first().pk)]),
            amount=from_micro(chance.randrange(1, 9_000_000)),
            currency="EUR",
            reason="Credit note",
            actor=cast.finance,
            now=NOW,
        )
    return selectors.records(NOW)
