"""The page of one number: facts, how we know since when, its history, and who may do what."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from numbersadmin.audit.services import record
from numbersadmin.numbers import services, since
from numbersadmin.numbers.history import PAGE
from numbersadmin.numbers.history import events as timeline
from numbersadmin.numbers.models import AcquiredBasis, EndBasis, OwnedNumber
from numbersadmin.numbers.selectors import newest
from numbersadmin.orders.models import Order, OrderItem

pytestmark = pytest.mark.django_db

KEY = "3B9D1EACAB7FBDRN%EE03592BFCD6BE"


@pytest.fixture
def gb(own, cast):
    return own(
        "447860041117",
        number_key=KEY,
        owner=cast.manager,
        cost_centre="Retail",
        labels=["otp"],
        acquired_at=datetime(2026, 7, 14, 9, 30, tzinfo=UTC),
        setup="0",
    )


def page_of(client, owned):
    return client.get(f"/numbers/{owned.pk}/").content.decode()


def test_shows_the_facts_with_the_key_as_it_is(signed_in, gb):
    page = page_of(signed_in("viewer"), gb)
    assert f'data-number="447860041117" data-id="{gb.pk}"' in page
    assert KEY in page
    for text in (
        "+447860041117",
        "07860\u00a0041117",
        "United Kingdom",
        "Virtual long number",
        "Dedicated to us",
        "otp",
    ):
        assert text in page
    assert "18 of 31 days in July 2026" in page
    assert "bought here 14 Jul 2026, 09:30 UTC" in page


def test_strangers_unknown_ids_and_wrong_methods(client, signed_in, gb):
    assert client.get(f"/numbers/{gb.pk}/").status_code == 302
    viewer = signed_in("viewer")
    assert viewer.get(f"/numbers/{gb.pk + 1}/").status_code == 404
    assert viewer.get("/numbers/99999999999999999999999/").status_code == 404
    assert viewer.get("/numbers/0/").status_code == 404
    assert viewer.get("/numbers/abc/").status_code == 404
    assert viewer.post(f"/numbers/{gb.pk}/").status_code == 405


@pytest.mark.parametrize(
    ("person", "edit", "cancel"),
    [
        ("viewer", 0, 0),
        ("manager", 1, 1),
        ("manager2", 0, 1),
        ("approver", 1, 1),
        ("finance", 1, 0),
        ("admin", 0, 0),
    ],
)
def test_offers_what_this_person_may_do(signed_in, gb, person, edit, cancel):
    page = page_of(signed_in(person), gb)
    assert (f'href="/numbers/{gb.pk}/edit/"' in page) == bool(edit)
    assert (f'href="/numbers/{gb.pk}/cancel/"' in page) == bool(cancel)


def test_a_missing_number_says_what_that_means(signed_in, gb, now):
    services.mark_missing(owned=gb, now=now)
    page = page_of(signed_in("viewer"), gb)
    assert "In our records, not on Infobip’s list since 13 Oct 2026, 09:00 UTC" in page
    assert "its cost is still counted" in page


def test_an_ended_number_offers_nothing(signed_in, gb, now):
    services.end_number(
        owned=gb, basis=EndBasis.CANCELLED_HERE, ended_from=now, ended_to=now, actor=None, now=now
    )
    page = page_of(signed_in("approver"), gb)
    assert "It was cancelled here 13 Oct 2026, 09:00 UTC" in page
    assert "/cancel/" not in page
    assert "/edit/" not in page


def test_its_digits_lead_to_the_newest_record(signed_in, own, gb, now):
    services.end_number(
        owned=gb, basis=EndBasis.DISAPPEARED, ended_from=now, ended_to=now, actor=None, now=now
    )
    viewer = signed_in("viewer")
    assert viewer.get("/numbers/+447860041117/").url == f"/numbers/{gb.pk}/"
    again = own("447860041117", number_key="OTHER", acquired_to=now - timedelta(days=900))
    assert newest("447860041117") == again  # ours now goes before what was ours later
    assert viewer.get("/numbers/+447860041117/").url == f"/numbers/{again.pk}/"
    assert viewer.get("/numbers/+447860041118/").status_code == 404
    assert viewer.get("/numbers/+abc/").status_code == 404


def at(day, hour=9, month=10):
    return datetime(2026, month, day, hour, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("known", "words", "short"),
    [
        (
            {"acquired_basis": AcquiredBasis.PURCHASED_HERE, "acquired_at": at(14)},
            "14 Oct 2026, 09:12 UTC",
            "14 Oct 2026",
        ),
        (
            {"acquired_basis": AcquiredBasis.BOUNDED, "acquired_from": at(12)},
            "between 12 and 15 Oct 2026",
            "by 15 Oct 2026",
        ),
        (
            {"acquired_basis": AcquiredBasis.BOUNDED, "acquired_from": at(28, month=9)},
            "between 28 Sep and 15 Oct 2026",
            "by 15 Oct 2026",
        ),
        (
            {"acquired_basis": AcquiredBasis.BOUNDED, "acquired_from": at(15, hour=6)},
            "between 06:12 and 09:12 UTC on 15 Oct 2026",
            "by 15 Oct 2026",
        ),
        (
            {"acquired_basis": AcquiredBasis.INFERRED, "acquired_at": at(14)},
            "about 14 Oct 2026 (inferred from the first month's price, ±1 day)",
            "about 14 Oct 2026",
        ),
        (
            {
                "acquired_basis": AcquiredBasis.STATED,
                "acquired_at": at(14),
                "acquired_note": "finance: invoice 4711",
            },
            "14 Oct 2026 (entered by finance: invoice 4711)",
            "14 Oct 2026",
        ),
        (
            {"acquired_basis": AcquiredBasis.UNKNOWN},
            "before 15 Oct 2026 (already owned when records began)",
            "by 15 Oct 2026",
        ),
    ],
)
def test_since_when_in_words_that_say_how_we_know(known, words, short):
    number = OwnedNumber(**{"acquired_to": at(15)} | known)
    assert since.acquired(number) == words
    assert since.acquired_short(number) == short


def test_the_history_covers_every_time_it_was_ours_and_no_other_number(own, cast, gb, now):
    services.assign(actor=cast.manager, numbers=[gb], cost_centre="4120", reason="new budget", now=now)
    services.end_number(
        owned=gb, basis=EndBasis.CANCELLED_HERE, ended_from=now, ended_to=now, actor=cast.manager, now=now
    )
    again = own("447860041117", number_key="OTHER", verb="number.reacquired")
    own("447860041117", country="IE", number_key="SHORT")  # same digits, another number
    told = [(moment.who, moment.text) for moment in timeline([again, gb])]
    assert told == [
        ("", "Ours again, under a new key, 5.00\u00a0EUR per month"),
        ("manager", "cancelled this number"),
        ("manager", "changed the cost centre from Retail to 4120"),
        ("", "Bought this number, 5.00\u00a0EUR per month"),
    ]
    assert timeline([gb])[1].quote == "new budget"


def test_the_history_tells_changes_with_before_and_after(gb, facts, now):
    changed = facts("447860041117", number_key="NEW", per_month="6.5", capabilities=("SMS", "VOICE"))
    services.change_facts(
        owned=gb,
        facts=changed,
        digest=None,
        now=now + timedelta(minutes=15),
        not_before=None,
        source="sync",
        source_id=None,
    )
    texts = {moment.text for moment in timeline([gb])}
    assert "Changed the price per month from 5.00\u00a0EUR to 6.50\u00a0EUR" in texts
    assert "Can do SMS and Voice, before SMS" in texts
    assert f"Changed its key from {KEY} to NEW" in texts


def ordered(cast, owned, now, country="GB"):
    """An order for a number, approved with a word."""
    order = Order.objects.create(
        kind="purchase",
        requester=cast.manager,
        created_at=now,
        expires_at=now,
        form_token=f"{owned}{country}",
    )
    item = OrderItem.objects.create(
        order=order,
        kind="purchase",
        number=owned.number,
        country=country,
        state="done",
        quote={},
        created_at=now,
        updated_at=now,
    )
    record(actor=cast.approver, verb="order.approved", subject=item, at=now, reason="fine", related=order)
    return order


def lines_of(client, owned, query=""):
    """The timeline as it is read: one text a line, without its time."""
    page = client.get(f"/numbers/{owned.pk}/{query}").text
    found = re.search(r'<ol class="tl">(.*?)</ol>', page, re.S)
    rows = re.findall(r"<li>(.*?)</li>", found[1], re.S) if found else []
    return [" ".join(re.sub(r"<time.*?</time>|<[^>]+>", " ", row).split()) for row in rows], page


def test_the_history_holds_what_people_did_in_orders(signed_in, cast, own, gb, now):
    order = ordered(cast, gb, now)
    told, page = lines_of(signed_in("viewer"), gb)
    assert f"approver approved Order {order.pk} fine" in told
    assert f'href="/orders/{order.pk}/"' in page
    short = own("60444")
    ordered(cast, short, now, country="IE")  # the same short code of another country
    assert not [line for line in lines_of(signed_in("viewer"), short)[0] if "Order" in line]


def test_the_history_is_narrowed_by_links(signed_in, cast, gb, now):
    ordered(cast, gb, now)
    services.assign(actor=cast.manager, numbers=[gb], cost_centre="4120", now=now)
    viewer = signed_in("viewer")
    shown = {kind: lines_of(viewer, gb, f"?show={kind}")[0] for kind in ("changes", "orders", "cost")}
    assert [line for line in shown["changes"] if "cost centre" in line]
    assert all("approved" in line for line in shown["orders"])
    assert shown["cost"]
    assert all("charged" in line for line in shown["cost"])
    assert len(lines_of(viewer, gb)[0]) == sum(map(len, shown.values()))
    assert lines_of(viewer, gb, "?show=nonsense")[0] == lines_of(viewer, gb)[0]


def test_charges_stand_among_the_changes_newest_first(signed_in, gb):
    with time_machine.travel(datetime(2026, 10, 20, tzinfo=UTC), tick=False):
        told, page = lines_of(signed_in("viewer"), gb)
    assert [line.replace("\u00a0", " ") for line in told] == [
        "Bought this number, 5.00 EUR per month",  # as it was written down
        "October 2026 charged 5.00 EUR",
        "September 2026 charged 5.00 EUR",
        "August 2026 charged 5.00 EUR",
        "July 2026 charged 2.90 EUR, first month, 14 to 31 Jul, inferred",
    ]
    assert "July to October 2026" in page
    assert "Renews 1 November" in page
    assert "17.90" in page


def test_a_long_history_is_read_page_by_page_and_nothing_twice(signed_in, cast, gb, now):
    for turn in range(PAGE + 7):  # all at the same moment: only their ids tell them apart
        services.assign(actor=cast.manager, numbers=[gb], cost_centre=f"C{turn:03}", now=now)
    first, page = lines_of(signed_in("viewer"), gb, "?show=changes")
    older = re.search(r'rel="next" href="([^"]*)"', page)[1].replace("&amp;", "&")
    second, last = lines_of(signed_in("viewer"), gb, older)
    assert (len(first), len(second), len(set(first + second))) == (PAGE, 8, PAGE + 8)
    assert 'rel="next"' not in last
    assert "Back to the newest" in last
    assert lines_of(signed_in("viewer"), gb, "?show=changes&before=nonsense")[0] == first


def test_between_two_possessions_it_says_not_ours(signed_in, own, gb, now):
    services.end_number(
        owned=gb, basis=EndBasis.CANCELLED_HERE, ended_from=now, ended_to=now, actor=None, now=now
    )
    lost, back = now + timedelta(days=3), now + timedelta(days=5)
    again = own(
        "447860041117",
        number_key="OTHER",
        basis=AcquiredBasis.BOUNDED,
        acquired_at=None,
        acquired_from=lost,
        acquired_to=back,
    )
    told, _ = lines_of(signed_in("viewer"), again)
    assert "Not ours from 13 Oct 2026, 09:00 UTC to some time between 16 and 18 Oct 2026" in told


def test_the_page_links_to_other_times(signed_in, own, gb, now):
    services.end_number(
        owned=gb, basis=EndBasis.DISAPPEARED, ended_from=now, ended_to=now, actor=None, now=now
    )
    again = own("447860041117", number_key="OTHER")
    page = page_of(signed_in("viewer"), again)
    assert re.search(rf'href="/numbers/{gb.pk}/">Record {gb.pk}<', page)
