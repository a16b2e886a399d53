"""`up` before anything is started: what is in its way is said in one line. tests/browser/ starts the real thing."""

import fcntl
import socket
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from numbersadmin.overview import static_files
from numbersadmin.overview.management.commands.up import parse_bind
from numbersadmin.overview.processes import ProcessDied, Processes


@pytest.mark.parametrize(
    "bind", ["", "8000", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:0", "127.0.0.1:70000"]
)
def test_an_address_that_is_none_is_refused(bind):
    with pytest.raises(CommandError, match=r"Example: --bind 127\.0\.0\.1:8000"):
        call_command("up", bind=bind)


@pytest.mark.parametrize(
    ("bind", "host", "port"),
    [("127.0.0.1:8000", "127.0.0.1", 8000), ("[::1]:80", "::1", 80), (":8000", "127.0.0.1", 8000)],
)
def test_an_address_is_understood(bind, host, port):
    assert parse_bind(bind) == (host, port)


def test_a_taken_port_is_named_before_anything_is_done(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(CommandError, match=f"{address} cannot be used"):
            call_command("up", bind=address)
    assert [path.name for path in tmp_path.iterdir()] == ["up.lock"]


def test_one_up_for_each_state_directory(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    with (tmp_path / "up.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(CommandError, match=f"already running with VAR_DIR={tmp_path}"):
            call_command("up", bind="127.0.0.1:65535")


def test_a_process_that_ends_is_named_and_ends_the_others():
    processes = Processes()
    try:
        sleeper = processes.start("sleeper", ["sleep", "60"])
        processes.check()
        processes.start("web", ["sh", "-c", "exit 3"]).wait(5)
        with pytest.raises(ProcessDied, match="web ended with code 3"):
            processes.check()
    finally:
        processes.stop()
    assert sleeper.poll() == -15


def test_static_files_are_collected_once_and_again_when_one_changes(settings, tmp_path):
    source = tmp_path / "static"
    source.mkdir()
    (source / "page.css").write_text("a {}")
    settings.VAR_DIR, settings.STATIC_ROOT = tmp_path, tmp_path / "collected"
    settings.STATICFILES_DIRS = [source]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }
    assert static_files.collect()
    assert not static_files.collect()
    (source / "page.css").write_text("a { color: red }")
    assert static_files.collect()
    texts = {Path(file).read_text() for file in settings.STATIC_ROOT.glob("page.*.css")}
    assert "a { color: red }" in texts
    (settings.STATIC_ROOT / "staticfiles.json").unlink()
    assert static_files.collect()
