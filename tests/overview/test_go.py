"""The go-to box: what goes straight there, what is listed by kind, and a pasted list of numbers."""

import csv
import html
import io
import re

import pytest

from numbersadmin.numbers.models import EndBasis, OwnedNumber
from numbersadmin.numbers.services import assign
from numbersadmin.orders.models import Order, OrderItem
from numbersadmin.overview import going, pasted

pytestmark = pytest.mark.django_db


def owned(digits, now, **more):
    known = {"number_key": f"K{OwnedNumber.objects.count()}", "country": "GB", "acquired_to": now}
    return OwnedNumber.objects.create(number=digits, acquired_basis="unknown", **known | more)


@pytest.fixture
def known(cast, now):
    Order.objects.create(pk=1037, kind="purchase", requester=cast.manager, created_at=now, expires_at=now)
    owned("447860041117", now, status="ended", ended_to=now)
    return owned("447860041117", now, owner=cast.manager)


@pytest.fixture
def go(signed_in):
    client = signed_in("viewer")

    def ask(q):
        answer = client.get("/go/", {"q": q})
        if answer.status_code == 302:
            return answer.headers["Location"]
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())

    return ask


@pytest.mark.parametrize("q", ["+44 7860 041117", "00447860041117", "447860041117", "(44) 7860-041117"])
def test_a_number_in_any_notation_opens_its_newest_record(known, go, q):
    assert go(q) == f"/numbers/{known.pk}/"


@pytest.mark.parametrize("q", ["1037", "order 1037", "Order #1037", "#1037"])
def test_an_order_by_its_number(known, go, q):
    assert go(q) == "/orders/1037/"


def test_the_last_digits_open_the_only_number_and_list_several(known, go, now):
    assert go("41117") == f"/numbers/{known.pk}/"
    owned("4930141117", now, country="DE")
    said = go("41117")
    assert "Numbers that end in 41117 2" in said
    assert "+44 7860 041117" in said.replace("\u00a0", " ")
    assert "Germany, Active" in said
    assert go("17").startswith("What fits") is False, "two digits are too few"


def test_what_may_be_an_order_or_a_number_is_listed_as_both(known, go, now):
    owned("44786001037", now)
    said = go("1037")
    assert "Orders 1" in said
    assert "Numbers that end in 1037 1" in said
    assert go("#1037") == "/orders/1037/"


def test_the_same_short_code_in_two_countries_is_listed(go, now):
    owned("60444", now, country="GB")
    owned("60444", now, country="DE")
    assert "Numbers 2" in go("60444")


def test_people_labels_and_cost_centres(known, cast, go, now):
    assert go("manager") == "/numbers/?owner=manager"
    assign(
        actor=cast.approver, numbers=[known], labels=["Zweigstelle Köln"], cost_centre="4120 Retail", now=now
    )
    assert go("4120") == "/numbers/?cost_centre=4120+Retail"
    assert go("köln").startswith("/numbers/?q=Zweigstelle")
    assign(actor=cast.approver, numbers=[known], labels=["retail otp"], now=now)
    said = go("retail")
    assert "Cost centres 1" in said
    assert "retail otp 1 number" in said


@pytest.mark.parametrize("q", ["+49 30 999999", "no such thing", "%", "\\", "'", "x" * 1900])
def test_nothing_found_says_so_and_offers_what_is_for_sale(known, go, q):
    said = go(q)
    assert said.count("Nothing fits") == 1
    assert "among available numbers" in said or "Look at available numbers" in said


def test_a_list_too_long_for_an_address_is_sent_by_the_form(signed_in):
    numbers = ", ".join(str(44_700_000_000 + n) for n in range(200))
    answer = signed_in("viewer").get("/go/", {"q": numbers})
    assert answer.status_code == 422
    assert "too long for the box" in answer.text
    assert numbers in answer.text, "nothing is lost"
    assert "too long for the box" in signed_in("viewer").get("/go/list/?long=1").text


def test_without_words_it_is_a_form(known, signed_in):
    assert 'name="q"' in signed_in("viewer").get("/go/").text


# ── a list of numbers ────────────────────────────────────────────────────────────────────────────────────────────


def check(client, text, act=""):
    return client.post("/go/list/", {"numbers": text, "act": act})


def kinds(answer):
    """number or text as written -> kind"""
    found = {}
    for kind, section in re.findall(r'data-kind="(\w+)".*?<tbody>(.*?)</tbody>', answer.text, re.S):
        for row in re.findall(r"<tr data-line.*?</tr>", section, re.S):
            text = html.unescape(re.sub(r"<[^>]+>", "", re.search(r"<td>(.*?)</td>", row, re.S)[1]))
            found[text.replace("\u00a0", " ").strip()] = kind
    return found


@pytest.fixture
def shelf(known, cast, now):
    """One that is ours, one that was, one in an order."""
    owned("4930123456", now, country="DE", status="ended", ended_to=now, end_basis=EndBasis.CANCELLED_HERE)
    OrderItem.objects.create(
        order_id=1037,
        kind="purchase",
        number="33612345678",
        country="FR",
        quote={},
        created_at=now,
        updated_at=now,
    )
    return known


def test_each_number_is_answered(shelf, signed_in):
    text = "+44 7860 041117\n0049 30 123456; 33612345678,\t39061234567\n07860041117\nhello\n447860041117\n"
    answer = check(signed_in("viewer"), text)
    assert kinds(answer) == {
        "+44 7860 041117": "ours",
        "+49 30 123456": "ended",
        "+33 6 12 34 56 78": "ordered",
        "+39 06 123 4567": "not_ours",
        "07860041117": "unreadable",
        "hello": "unreadable",
    }
    for said in (
        "2 times on the list",
        "without its country code",
        "cancelled here 13 Oct 2026, 09:00 UTC",
        "before 13 Oct 2026 (already owned when records began)",
        f'href="/numbers/{shelf.pk}/"',
        'href="/orders/1037/"',
        "7 numbers checked",
    ):
        assert said in answer.text
    assert answer.text.count("not looked up at Infobip") == 2
    assert html.escape(text.strip()) in answer.text, "the list can be sent again"


def test_several_numbers_in_the_box_are_answered_as_well(shelf, go):
    said = go("+44 7860 041117, 39061234567")
    assert "2 numbers checked" in said
    assert "Nothing fits" not in said


def test_numbers_with_a_space_between_are_told_apart():
    found = pasted.entries("447860041117 39061234567\n+44 7860 041117")
    assert found == [(1, "447860041117"), (1, "39061234567"), (2, "+44 7860 041117")]


def test_ten_thousand_in_two_queries_and_one_more_is_refused(shelf, signed_in, django_assert_num_queries):
    numbers = [str(4_400_000_000_000 + n) for n in range(pasted.MOST - 1)]
    found = pasted.entries("\n".join([*numbers, "447860041117"]))
    with django_assert_num_queries(2):
        told = pasted.answers(found)
    assert len(told) == pasted.MOST
    assert sum(one.kind == "ours" for one in told) == 1
    refused = check(signed_in("viewer"), "\n".join([*numbers, "447860041117", "1234567"]))
    assert refused.status_code == 422
    assert "These are 10,001 numbers. Check at most 10,000 at once." in refused.text
    assert numbers[-1] in refused.text, "nothing that was sent is lost"
    assert check(signed_in("viewer"), " \n,").status_code == 422


def test_the_file_holds_every_answer(shelf, signed_in):
    answer = check(signed_in("viewer"), "+447860041117\nhello\n+447860041117\n39061234567", "csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode("utf-8-sig"))))
    assert [(row["line"], row["number"], row["answer"], row["for_sale"]) for row in rows] == [
        ("1", "447860041117", "ours", ""),
        ("2", "", "could not be read", ""),
        ("4", "39061234567", "not ours", "not looked up at Infobip"),
    ]
    assert rows[0]["remark"] == "2 times on the list"
    assert rows[0]["owner"] == "manager"


def test_infobip_is_asked_only_on_demand_and_a_call_each(shelf, signed_in, sandbox):
    price = {"pricePerMonth": "5", "setupPrice": "0", "currency": "EUR"}
    sale = {
        "numberKey": "S",
        "number": "39061234567",
        "country": "IT",
        "capabilities": ["SMS"],
        "price": price,
    }
    sandbox.stock(available=[sale | {"type": "VIRTUAL_LONG_NUMBER", "shared": False}])
    client, text = signed_in("viewer"), "39061234567\n39069999999\n447860041117"
    assert (
        "Looking up asks Infobip once for each number, 2 calls at one a second." in check(client, text).text
    )
    assert sandbox.requests() == []
    said = check(client, text, "look").text.replace("\u00a0", " ")
    assert "for sale, 5.00 EUR per month, asked" in said
    assert "not for sale, asked" in said
    assert len(sandbox.requests()) == 2
    sandbox.fault("list_available", "status", status=500, times=-1)
    said = check(client, text, "look").text
    assert "Infobip did not answer for all of them" in said
    assert said.count("not looked up at Infobip") == 2


def test_what_is_for_sale_is_not_asked_of_more_than_a_few(db):
    found = pasted.answers((n, str(39_000_000_000 + n)) for n in range(50))
    assert len(pasted.open_questions(found)) == pasted.MOST_LOOKED_UP == 20


def test_find_names_kinds_once(known):
    assert [group.title for group in going.find("41117")] == ["Numbers that end in 41117"]
