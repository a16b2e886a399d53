"""A missing or wrong variable stops the start with one line that names it and shows a right value."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from numbersadmin.accounts.mail import SMTP, MailServer, mail_server, public_url, sender

ROOT = Path(__file__).resolve().parent.parent
SECRET = "k3-" + "abcdefghij" * 6
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": SECRET,
    "ALLOWED_HOSTS": "numbers.example.com",
    "INFOBIP_BASE_URL": "https://example.api.infobip.com",
    "INFOBIP_API_KEY": "not-a-key",
}


def start(tmp_path: Path, variables: dict[str, str], show: str = "''") -> subprocess.CompletedProcess[str]:
    """Read the settings in a new process with just these variables, and print an expression over them."""
    return subprocess.run(
        [sys.executable, "-c", f"from django.conf import settings; settings.DEBUG; print({show})"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "numbersadmin.settings",
            "VAR_DIR": str(tmp_path / "var"),
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("ENVIRONMENT", {"ENVIRONMENT": "staging"}),
        ("DEBUG", {"DEBUG": "maybe"}),
        ("PROVIDER_RATE_LIMITS", {"PROVIDER_RATE_LIMITS": "2"}),
        ("SYNC_INTERVAL_SECONDS", {"SYNC_INTERVAL_SECONDS": "15m"}),
        ("SWEEP_INTERVAL_SECONDS", {"SWEEP_INTERVAL_SECONDS": "0"}),
        ("ATTESTATION_EVERY_MONTHS", {"ATTESTATION_EVERY_MONTHS": "25"}),
        ("ATTESTATION_DAYS", {"ATTESTATION_DAYS": "0"}),
        ("LIST_PAGE_SIZE", {"LIST_PAGE_SIZE": "-1"}),
        ("WEB_THREADS", {"WEB_THREADS": "1"}),
        ("TIME_ZONE", {"TIME_ZONE": "Mars/Olympus"}),
        ("BILLING_TIME_ZONE", {"BILLING_TIME_ZONE": "../etc/passwd"}),
        ("DATABASE_URL", {"DATABASE_URL": "oracle://x"}),
        ("DATABASE_URL", {"DATABASE_URL": "mysql://u:p@h/db"}),
        ("REDIS_URL", {"REDIS_URL": "http://127.0.0.1"}),
        ("REDIS_URL", {"REDIS_URL": "redis://127.0.0.1:99999/0"}),
        ("REDIS_URL", {"REDIS_URL": "redis://[bad"}),
        ("VAR_DIR", {"VAR_DIR": "/dev/null/x"}),
        ("ALLOWED_HOSTS", {"ALLOWED_HOSTS": "*"}),
        ("INFOBIP_BASE_URL", {"INFOBIP_BASE_URL": "http://api.infobip.com", "INFOBIP_API_KEY": "k"}),
        ("INFOBIP_API_KEY", {"INFOBIP_BASE_URL": "https://x.api.infobip.com"}),
        ("INFOBIP_PASSWORD", {"INFOBIP_BASE_URL": "https://x.api.infobip.com", "INFOBIP_USERNAME": "u"}),
        ("INFOBIP_PREFIX", {"INFOBIP_PREFIX": "/a b/"}),
        ("SECRET_KEY", {**PRODUCTION, "SECRET_KEY": ""}),
        ("SECRET_KEY", {**PRODUCTION, "SECRET_KEY": "short"}),
        ("ALLOWED_HOSTS", {**PRODUCTION, "ALLOWED_HOSTS": ""}),
        ("INFOBIP_BASE_URL", {**PRODUCTION, "INFOBIP_BASE_URL": ""}),
        ("EMAIL_URL", {"EMAIL_URL": "mail.example.com"}),
        ("EMAIL_FROM", {"EMAIL_FROM": "numbers"}),
        ("PUBLIC_URL", {"PUBLIC_URL": "numbers.example.com"}),
        ("PUBLIC_URL", {**PRODUCTION, "PUBLIC_URL": "http://numbers.example.com"}),
    ],
)
def test_a_wrong_variable_stops_the_start(tmp_path, name, variables):
    result = start(tmp_path, variables)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith(f"{name}: ")
    assert f"Example: {name}=" in result.stderr


def test_the_line_is_the_same_from_the_command_line(tmp_path):
    result = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), "DEBUG": "maybe"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr == "DEBUG: 'maybe' is neither on nor off. Example: DEBUG=on\n"


def command(
    tmp_path: Path, *words: str, sent: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """A command of manage.py in a place where nothing was started yet."""
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), **variables},
        input=sent,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    "url", ["postgres://u:hush@127.0.0.1:1/x", "postgres://", "sqlite:////nowhere/at/all/numbers.sqlite3"]
)
def test_a_database_that_cannot_be_used_is_one_line_too(tmp_path, url):
    result = command(tmp_path, "settle", DATABASE_URL=url)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("DATABASE_URL: the database cannot be used (")
    assert "Example: DATABASE_URL=postgres://" in result.stderr
    assert "hush" not in result.stderr


def test_a_database_without_tables_is_said_to_be_that(tmp_path):
    result = command(tmp_path, "export_numbers")
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert "no tables yet" in result.stderr


def test_the_first_person_can_be_added_before_the_first_start(tmp_path):
    words = ("add_person", "ana", "--role", "manager", "--password-stdin")
    result = command(tmp_path, *words, sent="correct horse battery\n")
    assert (result.returncode, result.stdout) == (0, "Added ana (manager).\n"), result.stderr


@pytest.mark.parametrize("word", ["on", "TRUE", "yes", "1"])
def test_every_way_of_saying_on(tmp_path, word):
    assert start(tmp_path, {"DEBUG": word}, "settings.DEBUG").stdout == "True\n"


@pytest.mark.parametrize("word", ["off", "False", "no", "0", ""])
def test_every_way_of_saying_off(tmp_path, word):
    assert start(tmp_path, {"DEBUG": word}, "settings.DEBUG").stdout == "False\n"


def test_the_default_is_the_sandbox_without_debug(tmp_path):
    shown = start(
        tmp_path, {}, "settings.SANDBOX, settings.DEBUG, settings.PRODUCTION, settings.SESSION_COOKIE_NAME"
    )
    assert shown.stdout == "True False False numbersadmin_session\n"


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("", MailServer()),
        ("smtp://mail.example.com", MailServer(SMTP, "mail.example.com", 25)),
        ("smtp://a%40b:p%2Fq@h:2525?tls=1", MailServer(SMTP, "h", 2525, "a@b", "p/q", tls=True)),
        ("smtps://a:b@h/", MailServer(SMTP, "h", 465, "a", "b", ssl=True)),
        ("smtp://h?tls=1", MailServer(SMTP, "h", 587, tls=True)),
    ],
)
def test_the_address_of_a_mail_server(url, server):
    assert mail_server(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "https://h",
        "smtp://",
        "smtp://h:0",
        "smtp://h:99999",
        "smtp://[h",
        "smtp://h/inbox",
        "smtp://h?tls=yes",
        "smtp://h?starttls",
        "smtp://h?tls=1&x=2",
        "smtps://h?tls=1",
        "smtp://hush@h?tls=1",
        "smtp://a:hush@h",
        "smtp://a:hush#b@h?tls=1",
    ],
)
def test_a_wrong_address_of_a_mail_server_is_refused_without_repeating_it(url):
    with pytest.raises(ValueError) as refusal:
        mail_server(url)
    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize(
    "url", ["ftp://h", "https://", "https://h:0", "https://h?x", "https://a:b@h", "https://h/ x"]
)
def test_a_wrong_public_address_is_refused(url):
    with pytest.raises(ValueError):
        public_url(url)


@pytest.mark.parametrize("text", ["a", "a@b, c@d", "a@b\nBcc: c@d", "@b", "<>"])
def test_a_wrong_sender_is_refused(text):
    with pytest.raises(ValueError):
        sender(text)


def test_mail_in_production_comes_from_the_site_and_leads_to_it(tmp_path):
    show = "settings.PUBLIC_URL, settings.DEFAULT_FROM_EMAIL, settings.EMAIL_BACKEND, settings.EMAIL_TIMEOUT"
    given = {"EMAIL_URL": "smtps://u:p@mail.example.com"}
    assert start(tmp_path, PRODUCTION | given, show).stdout == (
        f"https://numbers.example.com numbersadmin@numbers.example.com {SMTP} 10\n"
    )


def test_production_has_secure_cookies(tmp_path):
    shown = start(
        tmp_path,
        PRODUCTION,
        "settings.SANDBOX, settings.SESSION_COOKIE_SECURE, settings.SESSION_COOKIE_NAME, "
        "settings.SECURE_HSTS_SECONDS",
    )
    assert shown.stdout == "False True __Host-session 31536000\n"


def test_the_local_secret_key_is_made_once_and_readable_by_its_owner_alone(tmp_path):
    keys = {start(tmp_path, {}, "settings.SECRET_KEY").stdout for _ in range(2)}
    assert len(keys) == 1
    assert len(keys.pop()) > 50
    assert stat.S_IMODE((tmp_path / "var" / "secret_key").stat().st_mode) == 0o600


def test_no_message_repeats_a_secret(tmp_path):
    result = start(
        tmp_path, {"INFOBIP_BASE_URL": "https://x.api.infobip.com", "INFOBIP_API_KEY": "Bearer hush-hush"}
    )
    assert result.returncode == 1
    assert "hush" not in result.stderr
