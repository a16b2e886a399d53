"""The sandbox as a process: it starts, goes on after a restart, survives being killed, and ends when told."""

import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[2]
KEY = "58B3840032C7774BAC840EEEA2C23A44"


def at(caller, own):
    account = caller()
    account.url = own.url
    return account


def test_line_names_the_address(start):
    own = start("--owned", "0", "--available", "0")
    assert own.line == f"sandbox listening on {own.url}\n"
    assert own.url.startswith("http://127.0.0.1:")


def test_default_amounts_and_credentials(start, caller):
    account = at(caller, start())
    assert account.call("GET").json()["numberCount"] == 300
    assert account.call("GET", "available").json()["numberCount"] == 5000


def test_own_credentials_replace_the_default_ones(start, caller):
    own = start("--owned", "0", "--available", "0", "--api-key", "k", "--username", "u", "--password", "p")
    account = at(caller, own)
    assert account.call("GET").status_code == 401
    for authorization in ("App k", "Basic dTpw"):
        assert account.call("GET", headers={"Authorization": authorization}).status_code == 200


def test_restart_goes_on_with_numbers_clock_and_ledger(start, caller, tmp_path):
    file = str(tmp_path / "provider.sqlite3")
    own = start("--file", file, "--owned", "2", "--available", "14")
    account = at(caller, own)
    clock = {"now": "2026-10-14T00:00:00Z", "frozen": True}
    requests.post(f"{own.url}/_sandbox/clock", json=clock, timeout=5).raise_for_status()
    assert account.buy(KEY).status_code == 200
    before = account.owned()
    assert stat.S_IMODE(Path(file).stat().st_mode) == 0o600
    own.process.kill()  # without a chance to tidy up
    own.process.communicate(timeout=5)
    own = start("--file", file, "--owned", "50", "--available", "50")
    account = at(caller, own)
    assert account.owned() == before
    assert account.call("GET", "available").json()["numberCount"] == 13
    state = requests.get(f"{own.url}/_sandbox/state", timeout=5).json()
    assert state["now"] == "2026-10-14T00:00:00Z"
    acts = requests.get(f"{own.url}/_sandbox/ledger", timeout=5).json()["acts"]
    assert [act["number_key"] for act in acts] == [KEY]
    account.cancel(KEY)
    acts = requests.get(f"{own.url}/_sandbox/ledger", timeout=5).json()["acts"]
    assert acts[1]["request"] > acts[0]["request"]


def test_answered_purchases_outlive_a_kill(start, caller, tmp_path):
    file = str(tmp_path / "provider.sqlite3")
    own = start("--file", file, "--owned", "0", "--available", "200")
    account = at(caller, own)
    keys = [n["numberKey"] for n in account.available(limit=200) if not n["shared"]]
    bought = []

    def buy():
        for key in keys:
            try:
                if account.buy(key).status_code == 200:
                    bought.append(key)
            except requests.RequestException:
                return

    thread = threading.Thread(target=buy)
    thread.start()
    while len(bought) < 20:
        time.sleep(0.001)
    own.process.kill()
    thread.join(10)
    own.process.communicate(timeout=5)
    owned = {n["numberKey"] for n in at(caller, start("--file", file)).owned(limit=500)}
    assert set(bought) <= owned
    assert len(owned) <= len(bought) + 1


def test_term_and_interrupt_end_it_at_once_even_while_a_call_hangs(start, caller):
    for end in (signal.SIGTERM, signal.SIGINT):
        own = start("--owned", "0", "--available", "0")
        fault = {"endpoint": "list_owned", "kind": "hang", "seconds": 60}
        requests.post(f"{own.url}/_sandbox/faults", json=fault, timeout=5).raise_for_status()
        failed = threading.Event()

        account = at(caller, own)

        def hang(account=account, failed=failed):
            try:
                account.call("GET", timeout=30)
            except requests.RequestException:
                failed.set()

        thread = threading.Thread(target=hang)
        thread.start()
        while not requests.get(f"{own.url}/_sandbox/state", timeout=5).json()["calls"]["list_owned"]:
            time.sleep(0.005)
        begun = time.monotonic()
        own.process.send_signal(end)
        _, errors = own.process.communicate(timeout=5)
        assert time.monotonic() - begun < 1
        assert (own.process.returncode, errors) == (0, "")
        thread.join(5)
        assert failed.is_set()


def test_term_while_numbers_are_still_made_ends_it_too():
    command = [sys.executable, "-m", "numbersadmin.sandbox", "--owned", "1000000"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    status = Path(f"/proc/{process.pid}/status")
    while not int(status.read_text().split("SigCgt:")[1].split()[0], 16) & 1 << (signal.SIGTERM - 1):
        time.sleep(0.005)  # until it listens for TERM
    begun = time.monotonic()
    process.terminate()
    out, errors = process.communicate(timeout=5)
    assert time.monotonic() - begun < 1
    assert (process.returncode, out, errors) == (0, "", "")


def run(*arguments):
    command = [sys.executable, "-m", "numbersadmin.sandbox", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=10, check=False)


def test_wrong_starts_say_what_is_wrong(start, tmp_path):
    assert "--bind must be HOST:PORT" in run("--bind", "here").stderr
    other = tmp_path / "other.sqlite3"
    other.write_bytes(b"not a database" * 100)
    refused = run("--bind", "127.0.0.1:0", "--file", str(other))
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert str(other) in refused.stderr
    file = str(tmp_path / "provider.sqlite3")
    own = start("--owned", "0", "--available", "0", "--file", file)
    second = run("--bind", "127.0.0.1:0", "--file", file)
    assert (second.returncode, "database is locked" in second.stderr) == (1, True)
    taken = run("--bind", own.url.removeprefix("http://"), "--owned", "0", "--available", "0")
    assert (taken.returncode, taken.stdout) == (1, "")
    assert "Address already in use" in taken.stderr


def test_imports_nothing_of_ours_and_nothing_installed():
    code = (
        "import sys, numbersadmin.sandbox.server as s, numbersadmin.sandbox.__main__\n"
        "ours = {m for m in sys.modules if m.startswith('numbersadmin.')}\n"
        "assert all(m.startswith('numbersadmin.sandbox') for m in ours), ours\n"
        "files = [getattr(module, '__file__', '') or '' for module in sys.modules.values()]\n"
        "assert not [file for file in files if 'site-packages' in file]\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
