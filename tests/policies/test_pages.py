"""The pages of policies: proposing, confirming, budgets, and the stop."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from numbersadmin.policies.models import ApprovalPolicy, Budget, Stop
from tests.orders.desk import rule
from tests.orders.pages import Page, get

pytestmark = pytest.mark.django_db
RULE = {"kind": "purchase", "currency": "eur", "max_monthly": "100", "mode": "two", "reason": "Large ones"}


def test_a_rule_from_proposal_to_force(signed_in: Any, cast: Any):
    admin, finance = signed_in("admin"), signed_in("finance")
    answer = get(admin, "/policies/new/").send(admin, "propose-policy", **RULE)
    rule = ApprovalPolicy.objects.get()
    assert answer.url == f"/policies/{rule.pk}/"
    assert "finance can confirm it" in get(admin, answer.url).text
    page = get(finance, answer.url)
    assert "Purchases in EUR, up to 100.00 EUR per month" in page.text
    assert page.send(finance, "confirm-policy").status_code == 302
    assert f"Rule {rule.pk}" in get(signed_in("viewer"), "/policies/").text


def test_a_confirmed_change_counts_and_is_not_confirmed_twice(signed_in: Any, cast: Any, now: datetime):
    admin, finance = signed_in("admin"), signed_in("finance")
    old = rule(cast, now, mode="one", max_monthly=Decimal(100))
    answer = get(admin, f"/policies/{old.pk}/change/").send(
        admin, "propose-policy", max_monthly="80.5", reason="x"
    )
    page = get(finance, answer.url)
    assert page.send(finance, "confirm-policy").status_code == 302
    text = get(finance, "/policies/").text
    assert "up to 80.50 EUR" in text
    assert "up to 100.00 EUR" not in text
    late = page.send(finance, "confirm-policy")
    assert late.status_code == 409
    assert "finance has decided on it already" in late.content.decode()


def test_a_stale_or_altered_confirmation_does_nothing(signed_in: Any):
    admin, finance = signed_in("admin"), signed_in("finance")
    get(admin, "/policies/new/").send(admin, "propose-policy", **RULE)
    rule = ApprovalPolicy.objects.get()
    assert finance.post(f"/policies/{rule.pk}/confirm/", {"fingerprint": "x"}).status_code == 409
    assert finance.post(f"/policies/{rule.pk}/confirm/").status_code == 409
    assert finance.post(f"/policies/{rule.pk}/reject/", {"reason": " "}).status_code == 422
    rule.refresh_from_db()
    assert rule.state == "proposed"


def test_bad_input_keeps_what_was_typed_and_says_what_to_do(signed_in: Any):
    admin = signed_in("admin")
    page = get(admin, "/policies/new/")
    evil = "<script>alert(1)</script>"
    bad = {**RULE, "mode": "auto", "max_monthly": "ten", "currency": "euro", "reason": evil}
    answer = page.send(admin, "propose-policy", **bad)
    assert answer.status_code == 422
    body = answer.content.decode()
    assert "Write an amount like 100 or 12.50." in body
    assert "A currency has three letters, as EUR." in body
    assert 'value="ten"' in body
    assert evil not in body
    assert not ApprovalPolicy.objects.exists()
    answer = page.send(admin, "propose-policy", **{**RULE, "mode": "auto", "max_setup": ""})
    assert "has a limit for the set-up" in answer.content.decode()


def test_budgets(signed_in: Any):
    finance = signed_in("finance")
    facts = {"cost_centre": "4120 Retail", "currency": "EUR", "amount": "250.5", "reason": "Plan"}
    assert get(finance, "/policies/budgets/new/").send(finance, "set-budget", **facts).status_code == 302
    page = get(signed_in("viewer"), "/policies/budgets/")
    assert "250.50" in page.text
    assert Budget.objects.get().currency == "EUR"
    bad = get(finance, "/policies/budgets/new/").send(
        finance, "set-budget", **facts | {"month": "October", "amount": "-1"}
    )
    assert bad.status_code == 422
    assert "Write the month as 2026-11." in bad.content.decode()


def test_the_stop_is_on_every_page_with_its_reason(signed_in: Any):
    admin, viewer = signed_in("admin"), signed_in("viewer")
    assert get(admin, "/policies/stop/").send(admin, "stop", reason="Wrong invoices").status_code == 302
    for address in ("/", "/orders/", "/numbers/", "/policies/"):
        text = get(viewer, address).text
        assert "Buying and cancelling are stopped." in text
        assert "Wrong invoices" in text
    page = get(admin, "/policies/stop/")
    assert "Let buying and cancelling go on?" in page.text
    assert page.send(admin, "stop", reason="All well").status_code == 302
    assert Stop.objects.get().lifted_at
    assert "are stopped." not in get(viewer, "/orders/").text
    assert page.send(admin, "stop", reason="Again").status_code == 422  # somebody lifted it already


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("/policies/", {"viewer", "manager", "approver", "finance", "admin"}),
        ("/policies/budgets/", {"viewer", "manager", "approver", "finance", "admin"}),
        ("/policies/new/", {"admin"}),
        ("/policies/stop/", {"admin"}),
        ("/policies/budgets/new/", {"finance"}),
    ],
)
def test_who_may_see_what(signed_in: Any, client: Any, address: str, allowed: set[str]):
    for name in ("viewer", "manager", "approver", "finance", "admin"):
        assert signed_in(name).get(address).status_code == (200 if name in allowed else 403)
    assert client.get(address).status_code == 302


@pytest.mark.parametrize("verb", ["confirm", "reject", "withdraw", "change", "retire"])
def test_unknown_rules_are_a_page_and_deciding_is_by_post(signed_in: Any, verb: str):
    client = signed_in("admin" if verb in ("withdraw", "change", "retire") else "finance")
    assert client.post(f"/policies/987/{verb}/").status_code == 404
    if verb in ("confirm", "reject", "withdraw"):
        assert client.get(f"/policies/987/{verb}/").status_code == 405
    assert client.get("/policies/987/").status_code == 404


def test_a_change_and_an_end_of_a_rule(signed_in: Any, cast: Any, now: datetime):
    admin, finance = signed_in("admin"), signed_in("finance")
    old = rule(cast, now, mode="one", max_monthly=Decimal(100))
    at = f"/policies/{old.pk}/"
    page = get(admin, f"{at}change/")
    assert page.fields("propose-policy")["max_monthly"] == ["100"]
    answer = page.send(admin, "propose-policy", max_monthly="250.5", reason="Prices rose")
    proposed = get(finance, answer.url)
    assert "Per month Up to 100.00 EUR Up to 250.50 EUR Changed" in proposed.text
    assert len(proposed.all("data-changed")) == 1
    second = get(admin, f"{at}retire/").send(admin, "retire-policy", reason="Not needed")
    assert b"waits for finance already" in second.content
    assert proposed.send(finance, "reject-policy", reason="Too much <i>at once</i>").status_code == 302
    assert "Too much &lt;i&gt;at once&lt;/i&gt;" in get(admin, answer.url).html
    answer = get(admin, f"{at}retire/").send(admin, "retire-policy", reason="Not needed")
    assert get(admin, answer.url).send(admin, "withdraw-policy").status_code == 302
    answer = get(admin, f"{at}retire/").send(admin, "retire-policy", reason="Not needed")
    assert get(finance, answer.url).send(finance, "confirm-policy").status_code == 302
    assert "No longer in force" in get(admin, at).text
    late = get(admin, f"{at}retire/").send(admin, "retire-policy", reason="Not needed")
    assert (late.status_code, b"not in force any more" in late.content) == (422, True)


def test_what_people_write_is_shown_as_text(signed_in: Any, cast: Any, now: datetime):
    evil, shown = "<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"
    admin, finance = signed_in("admin"), signed_in("finance")
    answer = get(admin, "/policies/new/").send(admin, "propose-policy", **RULE | {"reason": evil})
    facts = {"cost_centre": evil, "currency": "EUR", "amount": "1", "reason": evil}
    get(finance, "/policies/budgets/new/").send(finance, "set-budget", **facts)
    get(admin, "/policies/stop/").send(admin, "stop", reason=evil)
    for address in (answer.url, "/policies/budgets/", "/policies/", "/policies/stop/"):
        html = get(admin, address).html
        assert shown in html, address
        assert evil not in html, address


@pytest.mark.parametrize("lift", ["²", "x", "987654", "9" * 30])
def test_a_lift_of_nothing_we_know_changes_nothing(signed_in: Any, lift: str):
    admin = signed_in("admin")
    get(admin, "/policies/stop/").send(admin, "stop", reason="Wrong invoices")
    answer = admin.post("/policies/stop/", {"lift": lift, "reason": "All well"})
    assert (answer.status_code, Stop.objects.get().lifted_at) == (422, None)


def test_a_budget_keeps_what_was_typed(signed_in: Any):
    finance = signed_in("finance")
    facts = {"cost_centre": "4120", "currency": "EURO", "month": "2026-13", "amount": "1,5", "reason": ""}
    answer = Page(get(finance, "/policies/budgets/new/").send(finance, "set-budget", **facts))
    assert answer.status == 422
    assert {name: answer.fields("set-budget")[name] for name in facts} == {n: [v] for n, v in facts.items()}
    for words in ("Three letters, as EUR.", "Write the month as 2026-11.", "Say why."):
        assert words in answer.text, words
    assert "Write an amount like 100 or 12.50." in answer.text
    assert not Budget.objects.exists()


@pytest.mark.parametrize("verb", ["confirm", "reject", "withdraw", "change", "retire"])
def test_who_may_write_what(signed_in: Any, cast: Any, now: datetime, verb: str):
    old = rule(cast, now, mode="one")
    allowed = "finance" if verb in ("confirm", "reject") else "admin"
    for name in {"viewer", "manager", "approver", "finance", "admin"} - {allowed}:
        assert signed_in(name).post(f"/policies/{old.pk}/{verb}/", {"reason": "x"}).status_code == 403
    old.refresh_from_db()
    assert (old.state, ApprovalPolicy.objects.count()) == ("active", 1)
