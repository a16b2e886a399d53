"""A missing or wrong variable stops the start with one line that names it and shows a right value."""

import os
import runpy
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

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


def read(tmp_path: Path, variables: dict[str, str]) -> SimpleNamespace:
    """The settings as a process with just these variables reads them. A wrong one raises SystemExit with its line."""
    given = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path / "var"), **variables}
    with patch.dict(os.environ, given, clear=True):
        return SimpleNamespace(**runpy.run_path(str(ROOT / "numbersadmin" / "settings.py")))


def line_of_the_stop(tmp_path: Path, variables: dict[str, str]) -> str:
    with pytest.raises(SystemExit) as stopped:
        read(tmp_path, variables)
    return str(stopped.value.code)


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
    line = line_of_the_stop(tmp_path, variables)
    assert "\n" not in line
    assert line.startswith(f"{name}: ")
    assert f"Example: {name}=" in line


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
        timeout=60,
        check=False,
    )


def test_the_line_is_all_that_the_command_line_says(tmp_path):
    result = command(tmp_path, "check", DEBUG="maybe")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "DEBUG: 'maybe' is neither on nor off. Example: DEBUG=on\n"


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
    assert read(tmp_path, {"DEBUG": word}).DEBUG is True


@pytest.mark.parametrize("word", ["off", "False", "no", "0", ""])
def test_every_way_of_saying_off(tmp_path, word):
    assert read(tmp_path, {"DEBUG": word}).DEBUG is False


def test_the_default_is_the_sandbox_without_debug(tmp_path):
    settings = read(tmp_path, {})
    assert (settings.SANDBOX, settings.DEBUG, settings.PRODUCTION) == (True, False, False)
    assert settings.SESSION_COOKIE_NAME == "numbersadmin_session"


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
    settings = read(tmp_path, PRODUCTION | {"EMAIL_URL": "smtps://u:p@mail.example.com"})
    assert settings.PUBLIC_URL == "https://numbers.example.com"
    assert settings.DEFAULT_FROM_EMAIL == "numbersadmin@numbers.example.com"
    assert (settings.EMAIL_BACKEND, settings.EMAIL_TIMEOUT) == (SMTP, 10)


def test_production_has_secure_cookies(tmp_path):
    settings = read(tmp_path, PRODUCTION)
    assert (settings.SANDBOX, settings.SESSION_COOKIE_SECURE) == (False, True)
    assert (settings.SESSION_COOKIE_NAME, settings.SECURE_HSTS_SECONDS) == ("__Host-session", 31_536_000)


def test_the_local_secret_key_is_made_once_and_readable_by_its_owner_alone(tmp_path):
    keys = {read(tmp_path, {}).SECRET_KEY for _ in range(2)}
    assert len(keys) == 1
    assert len(keys.pop()) > 50
    assert stat.S_IMODE((tmp_path / "var" / "secret_key").stat().st_mode) == 0o600


def test_no_message_repeats_a_secret(tmp_path):
    given = {"INFOBIP_BASE_URL": "https://x.api.infobip.com", "INFOBIP_API_KEY": "Bearer hush-hush"}
    assert "hush" not in line_of_the_stop(tmp_path, given)
