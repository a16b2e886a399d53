"""Memory of each process after some use: start `./run`, then `python bench/processes.py [--url http://127.0.0.1:8000]`.

Signs in as the demo's viewer, opens each main page 20 times, and prints the resident memory of every process of it.
"""

import argparse
import os
import re
from pathlib import Path

import psutil
import requests

PAGES = ("/", "/numbers/", "/orders/", "/costs/", "/audit/", "/sync/")
ROUNDS = 20


def sign_in(url: str, var: Path) -> requests.Session:
    """A session of the demo's viewer."""
    password = next(
        line.split()[2]
        for line in (var / "demo-sign-ins").read_text().splitlines()
        if line.startswith("viewer ")
    )
    session = requests.Session()
    session.trust_env = False
    page = session.get(f"{url}/sign-in/", timeout=10).text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token
    form = {"username": "viewer", "password": password, "csrfmiddlewaretoken": token[1]}
    answer = session.post(f"{url}/sign-in/", data=form, headers={"Referer": url}, timeout=10)
    answer.raise_for_status()
    return session


def main() -> None:
    """Use the pages, then print what each process holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    wanted = parser.parse_args()
    var = Path(os.environ.get("VAR_DIR", "var"))
    session = sign_in(wanted.url, var)
    for _ in range(ROUNDS):
        for page in PAGES:
            session.get(wanted.url + page, timeout=30).raise_for_status()
    port = wanted.url.rpartition(":")[2]
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if ("up" in line and any(port in part for part in line)) or (line[-1:] == ["up"] and port == "8000"):
            for one in [process, *process.children(recursive=True)]:
                name = " ".join(part for part in one.cmdline()[1:5] if not part.startswith("-"))
                print(f"{one.memory_info().rss / 1e6:7.0f} MB  {name}")


if __name__ == "__main__":
    main()
