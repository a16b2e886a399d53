"""Orders that are judged again as things are now: a new price, a budget that changed, a number protected since."""

from decimal import Decimal
from typing import Any

import pytest

from numbersadmin.accounts.models import RoleGrant, User
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.numbers.protection import NotProtected, protect, unprotect
from numbersadmin.orders import repricing, services
from numbersadmin.orders.brief import briefs
from numbersadmin.orders.budgets import lines_of
from numbersadmin.orders.models import Order
from numbersadmin.orders.quotes import Offer
from numbersadmin.orders.selectors import current_quote, waiting_for
from tests.orders.desk import NUMBER, SECOND, Desk, budget, item_of, rule
from tests.orders.pages import get

pytestmark = pytest.mark.django_db
FIRST, OTHER = Offer("RU", NUMBER), Offer("RU", SECOND)


def costs(sandbox: Any, price: str, number: str = NUMBER) -> None:
    sandbox.api("outside", {"act": "change", "number": number, "set": {"pricePerMonth": price}})


def ladder(desk: Desk) -> None:
    """Up to 20.00 nobody, up to 40.00 one approver, above it two."""
    rule(desk.cast, desk.clock(), mode="auto", max_monthly=Decimal(20), max_setup=Decimal(0))
    rule(desk.cast, desk.clock(), mode="one", max_monthly=Decimal(40))
    rule(desk.cast, desk.clock(), mode="two")


# A new price -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("price", "needed"), [("16", 1), ("40", 1), ("41", 2)])
def test_what_was_let_through_needs_those_whom_its_new_price_needs(
    desk: Desk, sandbox: Any, price: str, needed: int
):
    ladder(desk)
    order = desk.order()
    costs(sandbox, price)
    desk.sweep()
    order.refresh_from_db()
    assert (item_of(order).state, order.mode, order.approvals_needed) == ("pending", "auto", needed)
    assert ("asks for two approvers" in order.rule_words) == (needed == 2)
    assert bool(desk.approve(order).approved) == (needed == 1)


def test_a_price_taken_over_while_it_waits_is_judged_too(desk: Desk, sandbox: Any):
    ladder(desk)
    order = desk.order(FIRST, OTHER)
    assert order.approvals_needed == 1
    costs(sandbox, "26")
    facts = {"provider": desk.provider, "actor": desk.cast.manager, "now": desk.clock()}
    assert repricing.reprice(order=order, round=1, **facts) == 1
    assert order.approvals_needed == 2, "26.00 and 15.00: the whole order counts"


def test_a_lower_price_does_not_take_a_person_away(desk: Desk, sandbox: Any):
    rule(desk.cast, desk.clock(), mode="one", max_monthly=Decimal(29))
    rule(desk.cast, desk.clock(), mode="two")
    order = desk.order(FIRST, OTHER)
    lower = {"pricePerMonth": "1", "setupPrice": "1"}  # a set-up that was not there before starts a new round
    sandbox.api("outside", {"act": "change", "number": NUMBER, "set": lower})
    assert desk.approve(order).changed
    order.refresh_from_db()
    assert (order.round, order.approvals_needed) == (2, 2)


def test_a_new_price_over_the_budget_asks_finance_from_the_start(desk: Desk, sandbox: Any):
    budget(desk.cast, desk.clock(), "15")
    order = desk.order()
    costs(sandbox, "16")
    assert desk.approve(order).changed
    assert order in waiting_for(desk.cast.finance)


# Budgets ---------------------------------------------------------------------------------------------------------


def test_what_is_approved_of_the_same_order_is_committed(desk: Desk, sandbox: Any):
    """One of two has to be decided on again; the other one goes on, and is money spent already."""
    budget(desk.cast, desk.clock(), "30")
    order = desk.order(FIRST, OTHER)
    assert desk.approve(order).approved
    costs(sandbox, "15.5")
    desk.carry_out(item_of(order))
    waits, approved = order.items.order_by("id")
    assert (waits.state, approved.state) == ("pending", "approved")
    [line] = lines_of(order, [current_quote(waits)], desk.clock())
    assert (line.committed, line.asked, line.left_after) == (15, Decimal("15.5"), Decimal("-0.5"))
    order.refresh_from_db()
    assert order.finance_needed


def test_a_page_shows_the_budget_while_there_is_something_to_decide(desk: Desk):
    """Afterwards the numbers are among what is owned, and would be counted twice."""
    budget(desk.cast, desk.clock(), "100")
    order = desk.order()

    def shown() -> list[tuple[Decimal, Decimal]]:
        told = briefs([(order, list(order.items.all()))], desk.clock())[order.pk]
        return [(line.committed, line.left_after) for line in told.budgets]

    assert shown() == [(0, 85)]
    desk.approve(order)
    desk.sweep()
    assert item_of(order).state == "done"
    assert shown() == []
    [line] = lines_of(Order(kind="purchase", cost_centre="4120 Retail"), desk.quotes(OTHER), desk.clock())
    assert (line.committed, line.left_after) == (15, 70)


def test_a_number_without_a_known_price_is_told_beside_the_sum(desk: Desk, owned: OwnedNumber):
    OwnedNumber.objects.filter(pk=owned.pk).update(cost_centre="4120 Retail", price_per_month=None)
    budget(desk.cast, desk.clock(), "14")
    order = desk.order()
    told = briefs([(order, list(order.items.all()))], desk.clock())[order.pk]
    [ledger] = told.budget_ledgers
    assert [(line.label, line.amount) for line in ledger.lines] == [
        ("Budget", 14),
        ("Committed", 0),
        ("Left before", 14),
        ("This order", 15),
        ("Left after", -1),
    ]
    assert ledger.lines[1].note == "and 1 without a known price"
    assert told.over == told.budgets


def test_finance_that_was_asked_is_not_one_too_many(desk: Desk):
    """The budget is raised before finance answers: the order needs nobody else then."""
    rule(desk.cast, desk.clock(), mode="auto", max_monthly=Decimal(20), max_setup=Decimal(0))
    budget(desk.cast, desk.clock(), "10")
    order = desk.order()
    budget(desk.cast, desk.clock(), "100")
    assert desk.approve(order, actor=desk.cast.finance).approved


def test_one_person_with_two_roles_counts_once(desk: Desk):
    budget(desk.cast, desk.clock(), "14")
    order = desk.order()
    RoleGrant.objects.create(user=desk.cast.approver, role="finance")
    both = User.objects.get(pk=desk.cast.approver.pk)
    assert desk.approve(order, actor=both).agreed
    assert order.decisions.get().role == "approver"
    with pytest.raises(services.Moved, match="You have decided"):
        desk.approve(order, actor=both)
    assert desk.approve(order, actor=desk.cast.finance).approved


# Protected numbers -----------------------------------------------------------------------------------------------


def test_protected_while_it_waits_it_needs_two_after_all(desk: Desk, owned: OwnedNumber, sandbox: Any):
    order = desk.cancel(owned)
    assert order.approvals_needed == 1
    owned.refresh_from_db()
    protect(actor=desk.cast.finance, owned=owned, reason="On every invoice", now=desk.clock())
    assert desk.approve(order).agreed
    desk.sweep()
    assert sandbox.requests("cancel") == []
    order.refresh_from_db()
    assert (order.approvals_needed, order.rule_words[:24]) == (2, "The number is protected,")
    assert desk.approve(order, actor=desk.cast.approver2).approved


def test_protecting_twice_does_not_change_who_did(desk: Desk, owned: OwnedNumber):
    """Else whoever put it on could have it put on by another one, and take it off themselves."""
    with pytest.raises(NotProtected, match="not protected any more"):
        unprotect(actor=desk.cast.finance, owned=owned, reason="x", now=desk.clock())
    for reason in ("", "  "):
        with pytest.raises(NotProtected, match="Say why"):
            protect(actor=desk.cast.finance, owned=owned, reason=reason, now=desk.clock())
    protect(actor=desk.cast.approver, owned=owned, reason="Printed", now=desk.clock())
    with pytest.raises(NotProtected, match="protected already"):
        protect(actor=desk.cast.finance, owned=owned, reason="x", now=desk.clock())
    owned.refresh_from_db()
    assert (owned.protected_by, owned.protected_reason) == (desk.cast.approver, "Printed")


def test_the_page_that_protects(owned: OwnedNumber, signed_in: Any, client: Any):
    at, evil = f"/numbers/{owned.pk}/protect/", "<b>Printed</b>"
    approver, finance = signed_in("approver"), signed_in("finance")
    assert (client.get(at).status_code, signed_in("manager").get(at).status_code) == (302, 403)
    assert approver.get("/numbers/987/protect/").status_code == 404
    stale = get(finance, at)
    assert get(approver, at).send(approver, "protect", reason=" ").status_code == 422
    assert get(approver, at).send(approver, "protect", reason=evil).status_code == 302
    assert "&lt;b&gt;Printed&lt;/b&gt;" in get(approver, f"/numbers/{owned.pk}/").html
    answer = stale.send(finance, "protect", reason="I mean the same")
    assert answer.status_code == 422, "it does not take off what it had not seen"
    assert b"changed by somebody else meanwhile" in answer.content
    owned.refresh_from_db()
    assert owned.protected_by.username == "approver"
