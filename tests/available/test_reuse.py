"""Reuse first: what we own and nobody uses stands above what is for sale; asking for it, and the answers."""

import re

import pytest
from django.db import IntegrityError, transaction

from numbersadmin.audit.models import AuditEvent
from numbersadmin.available import asking, asks
from numbersadmin.available.models import Ask, AskState
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.numbers.services import assign, mark_missing
from numbersadmin.orders.models import Order, OrderItem

pytestmark = pytest.mark.django_db


@pytest.fixture
def spare(own_one):
    """A German number that is ours and that nobody uses."""
    return own_one("4930111222", "DE")


def offered(page):
    """The spare numbers on top: digits of each, and how many fit."""
    found = re.search(r'data-reuse="(\d+)".*?</section>', page.html, re.S)
    if not found:
        return 0, []
    return int(found[1]), re.findall(r'href="/numbers/(\d+)/"', found[0])


def cancelled_by(cast, owned, now):
    order = Order.objects.create(kind="cancel", requester=cast.manager, created_at=now, expires_at=now)
    OrderItem.objects.create(
        order=order,
        kind="cancel",
        number=owned.number,
        owned_number=owned,
        quote={},
        created_at=now,
        updated_at=now,
    )
    return order


# ── on the search page ───────────────────────────────────────────────────────────────────────────────────────────


def test_what_nobody_uses_stands_on_top_of_what_is_for_sale(shop, look, spare):
    page = look("country=DE")
    assert offered(page) == (1, [str(spare.pk)])
    assert "1 number we already own fits" in page.text
    assert "paid already, 5.00\u00a0EUR per month" in page.html
    assert f'href="/available/ask/{spare.pk}/"' in page.html
    assert page.html.index("data-reuse") < page.html.index('<tr data-number="60444"')
    assert offered(look("country=DE", live=True))[0] == 1, "in the part that htmx swaps as well"


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("country=GB", 0),
        ("country=DE&capabilities=SMS", 1),
        ("country=DE&capabilities=SMS&capabilities=VOICE", 0),
        ("digits=111&match=contains", 1),
        ("digits=4930&match=starts", 1),
        ("digits=4930&match=ends", 0),
        ("digits=222&match=ends", 1),
        ("max_price=5", 1),
        ("max_price=4.99", 0),
        ("type=SHORT_CODE", 0),
    ],
)
def test_the_same_filters_count(shop, look, spare, query, fits):
    assert offered(look(query))[0] == fits


def test_who_has_an_owner_is_missing_or_is_being_cancelled_is_not_spare(shop, look, own_one, cast, now):
    used, lost, going = (own_one(f"493011122{n}", "DE") for n in range(3))
    assert offered(look())[0] == 3
    assign(actor=cast.approver, numbers=[used], owner=cast.manager, now=now)
    mark_missing(owned=lost, now=now)
    cancelled_by(cast, going, now)
    assert offered(look())[0] == 0


def test_many_are_counted_only_so_far(shop, look, now):
    OwnedNumber.objects.bulk_create(
        OwnedNumber(
            number=f"4930{n:06}",
            number_key=f"K{n}",
            country="DE",
            acquired_to=now,
            acquired_basis="unknown",
        )
        for n in range(103)
    )
    page = look("country=DE")
    assert "More than 100 numbers we already own fit" in page.text
    assert len(offered(page)[1]) == 3
    assert 'href="/numbers/?owner=%28none%29&amp;country=DE"' in page.html


def test_they_are_shown_while_infobip_does_not_answer(shop, look, spare):
    shop.fault("list_available", "status", status=403, times=-1)
    assert offered(look("country=DE"))[0] == 1


def test_a_viewer_sees_them_and_cannot_ask(shop, look, spare, signed_in):
    page = look("country=DE", person="viewer")
    assert (offered(page)[0], "Ask for it" in page.html) == (1, False)
    assert signed_in("viewer").get(f"/available/ask/{spare.pk}/").status_code == 403


# ── asking and answering ─────────────────────────────────────────────────────────────────────────────────────────


def asked(cast, spare, now, person="manager"):
    return asking.ask_for(actor=getattr(cast, person), owned=spare, reason="a campaign", now=now)


def test_asked_for_and_given(shop, look, signed_in, cast, spare, now):
    manager = signed_in("manager")
    assert manager.post(f"/available/ask/{spare.pk}/", {"reason": " "}).status_code == 422
    answer = manager.post(f"/available/ask/{spare.pk}/", {"reason": "a campaign"})
    assert (answer.status_code, answer.url) == (302, "/available/asked/")
    assert "Asked for" in re.search(r"data-reuse.*?</section>", look("country=DE").html, re.S)[0]
    again = manager.post(f"/available/ask/{spare.pk}/", {"reason": "a campaign"})
    assert "You have asked for this number already." in again.text
    ask = Ask.objects.get()
    approver = signed_in("approver")
    assert "1 number asked for" in approver.get("/").text
    assert f"/available/asked/{ask.pk}/" in approver.get("/available/asked/").text
    assert approver.post(f"/available/asked/{ask.pk}/", {"act": "give"}).status_code == 302
    spare.refresh_from_db()
    assert spare.owner == cast.manager
    verbs = AuditEvent.objects.filter(subject_type="ownednumber").order_by("id").values_list("verb", "actor")
    assert list(verbs)[-3:] == [
        ("number.asked_for", "manager"),
        ("number.ask_given", "approver"),
        ("number.assigned", "approver"),
    ]
    assert "asked for this number" in approver.get(f"/numbers/{spare.pk}/").text
    assert "Given, approver" in manager.get("/available/asked/").text


def test_giving_closes_what_others_asked_with_the_reason(cast, spare, now):
    first, second = asked(cast, spare, now), asked(cast, spare, now, "manager2")
    asking.give(actor=cast.finance, ask=second, now=now)
    first.refresh_from_db()
    assert (first.state, first.answer, first.decided_by) == ("refused", "Given to manager2.", cast.finance)
    spare.refresh_from_db()
    assert spare.owner == cast.manager2


def test_of_two_who_answer_the_second_is_told(cast, spare, now):
    ask = asked(cast, spare, now)
    late = Ask.objects.get(pk=ask.pk)
    asking.refuse(actor=cast.approver, ask=ask, answer="kept for sales", now=now)
    with pytest.raises(asking.CannotAsk, match="Somebody answered this already"):
        asking.give(actor=cast.finance, ask=late, now=now)
    spare.refresh_from_db()
    assert spare.owner is None
    assert not AuditEvent.objects.filter(verb="number.ask_given").exists()


def test_a_number_that_got_an_owner_or_goes_is_not_given_and_stays_asked_for(cast, own_one, now):
    used, going = own_one("4930111222", "DE"), own_one("4930111223", "DE")
    taken, leaving = asked(cast, used, now), asked(cast, going, now)
    assign(actor=cast.approver, numbers=[used], owner=cast.finance, now=now)
    cancelled_by(cast, going, now)
    for ask, said in ((taken, "belongs to finance now"), (leaving, "is to be cancelled")):
        with pytest.raises(asking.CannotAsk, match=said):
            asking.give(actor=cast.approver, ask=ask, now=now)
        ask.refresh_from_db()
        assert ask.state == AskState.OPEN
    asking.refuse(actor=cast.approver, ask=taken, answer="finance has it", now=now)


def test_who_may_answer(signed_in, cast, spare, now):
    ask = asked(cast, spare, now)
    colleague = signed_in("manager2")
    assert "Give number" not in colleague.get(f"/available/asked/{ask.pk}/").text
    for act in ("give", "refuse", "withdraw", "nonsense", ""):
        assert colleague.post(f"/available/asked/{ask.pk}/", {"act": act, "answer": "x"}).status_code == 422
    assert asks.open_asks(cast.manager2) == []
    assert [one.pk for one in asks.open_asks(cast.finance)] == [ask.pk]
    assert signed_in("finance").post(f"/available/asked/{ask.pk}/", {"act": "refuse"}).status_code == 422
    ask.refresh_from_db()
    assert ask.state == AskState.OPEN
    assert signed_in("manager").post(f"/available/asked/{ask.pk}/", {"act": "withdraw"}).status_code == 302
    ask.refresh_from_db()
    assert (ask.state, ask.decided_by) == ("withdrawn", cast.manager)


def test_who_gives_numbers_may_give_one_to_themselves(cast, spare, now):
    ask = asked(cast, spare, now, "approver")  # they could assign it anyway
    asking.give(actor=cast.approver, ask=ask, now=now)
    spare.refresh_from_db()
    assert spare.owner == cast.approver


def test_the_database_keeps_asks_whole(cast, spare, now):
    asked(cast, spare, now)
    known = {"owned_number": spare, "asked_by": cast.manager, "asked_at": now, "reason": "x"}
    for wrong in (
        {},
        {"state": "given"},
        {"decided_by": cast.finance, "decided_at": now, "asked_by": cast.manager2},
        {"state": "withdrawn", "decided_by": cast.finance, "decided_at": now},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Ask.objects.create(**known | wrong)


@pytest.mark.parametrize("path", ["/available/ask/{}/", "/available/asked/", "/available/asked/{}/"])
def test_strangers_and_unknown_ids(client, signed_in, db, path):
    assert client.get(path.format(1)).status_code == 302
    if "{}" in path:
        assert signed_in("manager").get(path.format(987654)).status_code == 404
