"""The sandbox's page: anyone can make it misbehave and see what the product does; gone with a real provider."""

import pytest

pytestmark = pytest.mark.django_db
GB = {"number": "447860041117", "numberKey": "K1", "country": "GB"}


def post(client, **data):
    return client.post("/sandbox/", data)


def test_it_misbehaves_and_behaves_again(signed_in, sandbox):
    client = signed_in("viewer")
    assert (
        post(client, what="misbehave", endpoint="purchase", behaviour="drop_after", times="3").status_code
        == 302
    )
    (fault,) = sandbox.api("state")["faults"]
    assert (fault["endpoint"], fault["kind"], fault["act"], fault["times"]) == ("purchase", "drop", True, 3)
    assert "after acting" in client.get("/sandbox/").text
    assert post(client, what="behave").status_code == 302
    assert sandbox.api("state")["faults"] == []


def test_something_happens_in_the_portal(signed_in, sandbox):
    sandbox.stock(available=[GB])
    client = signed_in("viewer")
    assert post(client, what="outside", act="purchase", number="+44 7860 041117").status_code == 302
    assert sandbox.acts("outside_purchase")[0]["number"] == "447860041117"
    assert post(client, what="outside", act="price", number="447860041117", price="9.5").status_code == 302
    assert post(client, what="outside", act="cancel", number="447860041117").status_code == 302
    assert sandbox.api("state")["owned"] == 0


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"what": "outside", "act": "price", "number": "447860041117"}, "Type the new price"),
        ({"what": "outside", "act": "cancel", "number": "hello"}, "Type the digits"),
        ({"what": "outside", "act": "cancel", "number": "1"}, "That did not work"),
        ({"what": "misbehave", "endpoint": "x", "behaviour": "drop_after", "times": "1"}, "valid choice"),
    ],
)
def test_what_cannot_be_done_is_said(signed_in, sandbox, data, words):
    response = post(signed_in("viewer"), **data)
    assert response.status_code == 422
    assert words in response.text


def test_a_sandbox_that_is_away_is_said(signed_in, sandbox, settings):
    settings.INFOBIP_BASE_URL = "http://127.0.0.1:9"
    assert "The sandbox does not answer" in signed_in("viewer").get("/sandbox/").text


def test_with_a_real_provider_there_is_no_such_page(signed_in, settings):
    settings.SANDBOX = False
    assert signed_in("admin").get("/sandbox/").status_code == 404
    assert signed_in("admin").get("/styleguide/").status_code == 404
