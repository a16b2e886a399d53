"""The kept counts of the list: equal to COUNT and SUM whatever writes, whoever writes at once, and settled or not."""

import threading
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, close_old_connections, connection, transaction
from django.db.models import F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numbersadmin.numbers import services, tally, triggers
from numbersadmin.numbers.models import EndBasis, NumberTally, OwnedNumber, Status
from numbersadmin.numbers.selectors import ACTIVE, EVERY, NOBODY, NumberFilter, matching
from tests.conftest import NOW

PLACES, MONEY, ABLE, CENTRES = ("GB", "DE"), ("EUR", "USD", ""), ("SMS", "SMS,VOICE", ""), ("", "Retail")
PRICES = st.sampled_from([None, Decimal(0), Decimal("5"), Decimal("0.000001")])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["assign", "end", "miss", "price", "delete", "move many", "settle", "undo"]),
        st.integers(0, 5),
        PRICES,
    ),
    max_size=12,
)


def act(step, at, price, people):
    """One change, as services or as a plain statement would make it."""
    rows = list(OwnedNumber.objects.order_by("id"))
    if not rows:
        return
    row = rows[at % len(rows)]
    if step == "assign":
        services.assign(
            actor=None,
            numbers=[row],
            owner=people[at % 3],
            cost_centre=CENTRES[at % 2],
            labels=["a"],
            now=NOW,
        )
    elif step == "end":
        services.end_number(
            owned=row, basis=EndBasis.CANCELLED_HERE, ended_from=NOW, ended_to=NOW, actor=None, now=NOW
        )
    elif step == "miss":
        services.mark_missing(owned=row, now=NOW)
    elif step == "price":
        OwnedNumber.objects.filter(pk=row.pk).update(price_per_month=price)
    elif step == "delete":
        row.versions.all().delete()
        row.delete()
    elif step == "move many":
        OwnedNumber.objects.filter(pk__gte=row.pk).update(country=PLACES[at % 2], cost_centre=CENTRES[at % 2])
    elif step == "settle":
        tally.settle()
    elif step == "undo":
        with transaction.atomic():
            OwnedNumber.objects.update(price_per_month=F("price_per_month") + 1)
            transaction.set_rollback(True)


def counted(wanted):
    """The filter's count and sums, from the numbers themselves."""
    rows = list(matching(wanted).values_list("status", "currency", "price_per_month"))
    paid = [(currency, price) for status, currency, price in rows if status != Status.ENDED]
    sums = {}
    for currency, price in paid:
        if currency and price is not None:
            sums[currency] = sums.get(currency, 0) + price
    return len(rows), sums, sum(not currency or price is None for currency, price in paid)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.lists(st.tuples(st.integers(0, 11), PRICES), min_size=1, max_size=6), steps=STEPS)
def test_it_equals_count_and_sum_whatever_was_done(cast, own_many, monkeypatch, first, steps):
    monkeypatch.setattr(tally, "LOOSE", 0)
    people = [None, cast.manager, cast.finance]
    with transaction.atomic():
        own_many(
            [
                {
                    "number": f"4930{at}{kind}",
                    "country": PLACES[kind % 2],
                    "currency": MONEY[kind % 3],
                    "capabilities": tuple(filter(None, ABLE[kind % 3].split(","))),
                    "per_month": None if price is None else str(price),
                }
                for at, (kind, price) in enumerate(first)
            ]
        )
        for step in steps:
            act(*step, people)
        assert tally.wrong() == 0
        kept = tally.kept()
        for state in (ACTIVE, EVERY, Status.ENDED):
            for owner in ("", NOBODY, "manager"):
                for country, centre, able in (
                    ("", "", ()),
                    ("GB", NOBODY, ()),
                    ("", "Retail", ("SMS", "VOICE")),
                ):
                    wanted = NumberFilter(
                        state=state, owner=owner, country=country, cost_centre=centre, capabilities=able
                    )
                    facets = kept.facets(wanted)
                    assert (facets.count, dict(facets.totals), facets.unknown_prices) == counted(wanted)
                    for place in PLACES:
                        there = NumberFilter(
                            state=state, owner=owner, country=place, cost_centre=centre, capabilities=able
                        )
                        assert facets.countries.get(place, 0) == counted(there)[0]
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_without_the_triggers_it_would_be_wrong_and_the_command_says_so(own):
    owned = own("447860041117")
    call_command("tally", stdout=(said := StringIO()))
    assert "agrees" in said.getvalue()
    NumberTally.objects.filter(cost_centre=owned.cost_centre).update(micro=F("micro") + 1)
    with pytest.raises(CommandError, match="1 groups differ"):
        call_command("tally", stdout=StringIO())
    call_command("tally", rebuild=True, stdout=StringIO())
    assert tally.wrong() == 0


@pytest.mark.django_db(transaction=True)
def test_two_writers_and_a_settler_lose_nothing_and_never_lock_each_other_out(own_many, monkeypatch):
    monkeypatch.setattr(tally, "LOOSE", 0)
    rows = own_many([{"number": f"4930{at:02}", "country": PLACES[at % 2]} for at in range(8)])
    failures = []
    start = threading.Barrier(3)

    def write(keys):
        try:
            start.wait()
            for turn in range(4):
                with transaction.atomic():
                    for key in keys:  # one writer goes up, the other down
                        OwnedNumber.objects.filter(pk=key).update(
                            country=PLACES[turn % 2], version=F("version") + 1
                        )
        except Exception as error:
            failures.append(error)
        finally:
            close_old_connections()
            connection.close()

    def settle():
        try:
            start.wait()
            for _ in range(6):
                tally.settle()
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    keys = [row.pk for row in rows]
    threads = [
        threading.Thread(target=write, args=[keys[:4]]),
        threading.Thread(target=write, args=[keys[:3:-1]]),
        threading.Thread(target=settle),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert tally.wrong() == 0
    assert tally.kept().facets(NumberFilter()).count == 8
    before = tally.kept()
    assert tally.kept() is before  # nothing changed, nothing is read again
    OwnedNumber.objects.filter(pk=keys[0]).update(country="FR")
    assert tally.kept().facets(NumberFilter()).countries["FR"] == 1


def test_many_at_once_are_counted_and_found_like_single_ones(own, own_many):
    own("447700900001")
    own_many([{"number": f"4930555{n:04}"} for n in range(triggers.MANY)])
    own("49305559999")
    assert tally.wrong() == 0
    assert tally.kept().facets(NumberFilter()).count == triggers.MANY + 2
    assert matching(NumberFilter(q="5550017")).count() == 1
    assert matching(NumberFilter(q="930555")).count() == triggers.MANY + 1


def test_many_at_once_that_are_refused_leave_counting_as_it_was(own, own_many):
    twice = [{"number": f"4930555{n:04}"} for n in range(triggers.MANY)] * 2
    with pytest.raises(IntegrityError), transaction.atomic():
        own_many(twice)
    own("49305550017")
    assert tally.wrong() == 0
    assert matching(NumberFilter(q="5550017")).count() == 1
