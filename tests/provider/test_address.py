"""Address, prefix and credentials are put right or refused in one plain sentence."""

import pytest

from numbersadmin.provider.address import authorization, normalise_base_url, normalise_prefix


@pytest.mark.parametrize(
    ("pasted", "meant"),
    [
        ("https://xyz.api.infobip.com", "https://xyz.api.infobip.com"),
        ("https://xyz.api.infobip.com/", "https://xyz.api.infobip.com"),
        ("  XYZ.api.infobip.com\n", "https://xyz.api.infobip.com"),
        ("'https://xyz.api.infobip.com'", "https://xyz.api.infobip.com"),
        ("https://xyz.api.infobip.com:443/", "https://xyz.api.infobip.com"),
        ("https://xyz.api.infobip.com:8443", "https://xyz.api.infobip.com:8443"),
        ("https://xyz.api.infobip.com./", "https://xyz.api.infobip.com"),
        ("xyz.api.infobip.com/sms/1/numbers/", "https://xyz.api.infobip.com"),
        ("https://xyz.api.infobip.com/numbers/1/numbers/available", "https://xyz.api.infobip.com"),
        ("http://127.0.0.1:8001/", "http://127.0.0.1:8001"),
        ("127.0.0.1:8001", "http://127.0.0.1:8001"),
        ("localhost:8001", "http://localhost:8001"),
        ("http://[::1]:8001", "http://[::1]:8001"),
    ],
)
def test_a_pasted_address_is_put_right(pasted: str, meant: str) -> None:
    assert normalise_base_url(pasted) == meant
    assert normalise_base_url(meant) == meant


@pytest.mark.parametrize(
    ("pasted", "word"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("http://xyz.api.infobip.com", "https"),
        ("http://127.0.0.1.evil.example", "https"),
        ("http://127.0.0.1@evil.example", "https"),
        ("ftp://xyz.api.infobip.com", "https"),
        ("https://user:secret@xyz.api.infobip.com", "user name"),
        ("https://xyz.api.infobip.com?key=secret", "only the host"),
        ("https://xyz.api.infobip.com#x", "only the host"),
        ("https://xyz.api.infobip.com/docs", "path"),
        ("https://xyz.api.infobip.com\\@evil.example", "character"),
        ("https://xyz.api infobip.com", "character"),
        ("https://xyz.api.infobip.com\nX: y", "character"),
        ("https://xyź.api.infobip.com", "character"),
        ("https://xyz.api.infobip.com:99999", "port"),
        ("https://xyz.api.infobip.com:0", "port"),
        ("https://-xyz.api.infobip.com", "host"),
        ("https://[::1", "address"),
        ("xyz", "host"),
        ("https:xyz", "host"),
        ("https://", "host"),
    ],
)
def test_an_address_that_could_leak_or_cannot_work_is_refused(pasted: str, word: str) -> None:
    with pytest.raises(ValueError, match=word) as refusal:
        normalise_base_url(pasted)
    assert "secret" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("pasted", ["sms/1/numbers", "/sms/1/numbers/", " /sms/1/numbers"])
def test_a_prefix_is_put_right(pasted: str) -> None:
    assert normalise_prefix(pasted) == "/sms/1/numbers"


@pytest.mark.parametrize(
    "pasted", ["", "/", "../x", "/sms/../numbers", "/a?b", "/a b", "https://x/sms/1/numbers"]
)
def test_a_prefix_that_is_no_path_is_refused(pasted: str) -> None:
    with pytest.raises(ValueError, match="path"):
        normalise_prefix(pasted)


def test_credentials_take_the_documented_forms() -> None:
    key = "003026bbc133714df1834b8638bb496e-8f4b3d9a-e931-478d-a994-28a725159ab9"
    assert authorization(api_key=key) == f"App {key}"
    basic = "Basic QWxhZGRpbjpvcGVuU2VzYW1l"
    assert authorization(username="Aladdin", password="openSesame") == basic


@pytest.mark.parametrize("pasted", ["App k-1", "app  k-1", " APP k-1\n", "Authorization: App k-1", '"k-1"'])
def test_a_key_pasted_with_its_prefix_is_accepted(pasted: str) -> None:
    assert authorization(api_key=pasted) == "App k-1"


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({}, "no credentials"),
        ({"username": "u"}, "password is missing"),
        ({"password": "secret"}, "user name is missing"),
        ({"api_key": "secret", "username": "u", "password": "p"}, "not both"),
        ({"api_key": "Bearer secret"}, "scheme"),
        ({"api_key": "Basic secret"}, "scheme"),
        ({"api_key": "secret\r\nX-Other: 1"}, "character"),
        ({"api_key": "secret key"}, "space"),
        ({"api_key": "secrét"}, "character"),
        ({"username": "a:b", "password": "secret"}, "colon"),
    ],
)
def test_credentials_that_cannot_work_are_refused_without_repeating_them(
    given: dict[str, str], word: str
) -> None:
    with pytest.raises(ValueError, match=word) as refusal:
        authorization(**given)
    assert "secret" not in str(refusal.value)
