"""`up` as a whole: it ends together, leaves nobody behind, and says what is in its way."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.browser.product import ROOT, Product, await_that, environment, gone_within, running


@pytest.fixture
def real_account(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The variables of a provider that is not our own sandbox process: one that was there before."""
    command = [sys.executable, "-m", "numbersadmin.sandbox", "--owned", "3", "--available", "10"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().split()[-1]
        yield {"INFOBIP_BASE_URL": url, "INFOBIP_API_KEY": "sandbox"}
        process.terminate()


def ready(product: Product) -> dict[str, str]:
    with urllib.request.urlopen(f"{product.url}/readyz", timeout=5) as answer:
        return json.load(answer)


@pytest.mark.parametrize(
    ("words", "name"),
    [("gunicorn", "web"), ("celery worker", "worker"), ("celery beat", "beat"), ("sandbox", "sandbox")],
)
def test_a_killed_child_stops_the_rest_and_names_itself(demo_copy, words, name):
    with running(demo_copy) as product:
        family = product.family()
        product.child(words).kill()
        assert product.ended() == 1
        product.wait_for(f"{name} was killed by SIGKILL; everything else was stopped.", 5)
        gone_within(family, 2)


def test_a_killed_parent_leaves_no_orphan(demo_copy):
    with running(demo_copy) as product:
        await_that(lambda: len(product.family()) > 7, 10)  # with the children of web and worker
        family = product.family()
        product.process.kill()
        product.ended()
        gone_within(family, 40)


def test_ctrl_c_in_the_terminal_reaches_all_and_ends_clean(demo_copy):
    """A terminal signals the whole foreground group at once."""
    with running(demo_copy) as product:
        family = product.family()
        os.killpg(product.process.pid, signal.SIGINT)
        assert product.ended() == 0, product.said
        gone_within(family, 2)
        assert "Traceback" not in product.said


def test_a_start_that_is_interrupted_goes_on_at_the_next(beginning, product):
    assert "Demo data is complete" not in beginning.interrupted
    assert "Stopping." in beginning.interrupted
    assert "Going on with the demo data" in beginning.completed
    assert "Demo data is complete" in beginning.completed
    assert "demo data" not in product.said.lower(), "the third start finds everything made"


def test_a_second_up_with_the_same_state_says_so(product):
    code, said = run_up(product.folder)
    assert code == 1
    assert f"already running with VAR_DIR={product.folder}" in said
    assert ready(product)


def test_a_taken_port_says_so(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = run_up(tmp_path / "var", "--bind", f"127.0.0.1:{port}")
    assert code == 1
    assert f"127.0.0.1:{port} cannot be used" in said
    assert f"--bind 127.0.0.1:{port + 1}" in said


def test_no_demo_with_a_real_account(tmp_path, real_account):
    folder = tmp_path / "var"
    with running(folder, **real_account) as product:
        await_that(lambda: ready(product)["last_complete_sync"] == "fresh", 20)
        assert not any("numbersadmin.sandbox" in " ".join(p.cmdline()) for p in product.family())
        assert product.stop(signal.SIGTERM) == 0, product.said
    assert "emo" not in product.said
    assert not list(folder.glob("*demo*"))
    assert not (folder / "sandbox.sqlite3").exists()
    people = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", COUNT_PEOPLE],
        cwd=ROOT,
        env=environment(folder, **real_account),
        capture_output=True,
        text=True,
        check=True,
    )
    assert people.stdout.split() == ["0", "3"]


COUNT_PEOPLE = """
from numbersadmin.accounts.models import User
from numbersadmin.numbers.models import OwnedNumber
print(User.objects.count(), OwnedNumber.objects.count())
"""


def test_every_process_stays_small(product):
    for process in product.family():
        megabytes = process.memory_info().rss / 2**20
        assert megabytes < 200, (megabytes, process.cmdline())


def run_up(folder: Path, *arguments: str) -> tuple[int, str]:
    """An `up` that does not come far: its exit code and everything it says."""
    done = subprocess.run(
        [sys.executable, "manage.py", "up", *arguments],
        cwd=ROOT,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def test_the_family_is_what_it_is_meant_to_be(product):
    """A control for the tests above: they would see every process."""
    names = [" ".join(child.cmdline()) for child in psutil.Process(product.process.pid).children()]
    assert len(names) == 4
    assert all(
        any(word in name for name in names)
        for word in ("gunicorn", "celery worker", "celery beat", "numbersadmin.sandbox")
    )
