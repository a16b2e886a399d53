"""A fault in every sync: `python bench/sync_faults.py [--syncs 1000] [--chance N]`.

Each run meets one fault or lie of the sandbox, of any kind, over real HTTP, while numbers are given back, bought and
changed outside. After each run people open the pages they live in. Exit code 1 when a number ended that the provider
had all the time, when a run that was not complete ended any, when a page failed, or when a page did not tell how old
the last good data is. SQLite, or the (empty) database of DATABASE_URL.
"""

import argparse
import logging
import random
import re
import sys
import tempfile
import time
from collections import Counter
from typing import Any

from running import Running, running

NUMBERS = [f"4477009000{n:02}" for n in range(60)]
PAGE_SIZE = 15
STATUSES = (400, 401, 403, 404, 408, 429, 500, 502, 503, 504)
SECONDS = 0.3  # a hanging call costs so much real time
LIES: list[dict[str, Any]] = [
    *({"wrong_count": count} for count in (0, PAGE_SIZE, 45, 59, 61, 999, "many", "absent")),
    *(
        {name: True}
        for name in ("duplicate_row", "ignore_page", "owned_empty", "omit_prices", "refuse_credentials")
    ),
    {"max_limit": 4},
]
TAGS = re.compile(r"<[^>]+>")


class Account:
    """The account at the provider, our records, and what went wrong between them."""

    def __init__(self, product: Running, chance: random.Random) -> None:
        from django.test import Client

        from numbersadmin.accounts.models import User

        self.product, self.chance = product, chance
        self.did: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.names: dict[int, str] = {}
        self.client = Client()
        person = User.objects.get(username="viewer")
        self.client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
        self.honest = product.sandbox("switches")
        rows = [{"number": number, "numberKey": f"K{number}"} for number in NUMBERS]
        product.sandbox("numbers", {"owned": rows, "available": []})

    def others_act(self) -> None:
        """One number goes, comes back or changes, now or while the list is read."""
        number, act = self.chance.choice(NUMBERS), self.chance.choice(("cancel", "purchase", "change"))
        wanted: dict[str, Any] = {"act": act, "number": number}
        if act == "change":
            wanted["set"] = {"pricePerMonth": f"5.{self.chance.randrange(100)}"}
            if self.chance.random() < 0.3:
                wanted["set"]["numberKey"] = f"N{self.chance.randrange(10**9)}{number}"
        if self.chance.random() < 0.5:
            wanted["after"] = {"endpoint": "list_owned", "calls": self.chance.randint(1, 5)}
        try:
            self.product.sandbox("outside", wanted)
        except Exception:  # the number is not there
            self.did["nothing to do outside"] += 1
        else:
            self.did[f"{act} outside"] += 1

    def spoil(self) -> str:
        """One fault or lie for the next run; its name."""
        if self.chance.random() < 0.25:
            lie = self.chance.choice(LIES)
            self.product.sandbox("switches", lie)
            return str(lie)
        from numbersadmin.sandbox.faults import KINDS

        fault: dict[str, Any] = {
            "endpoint": self.chance.choice(("list_owned", "list_owned", "get", "*")),
            "kind": self.chance.choice(KINDS),
            "skip": self.chance.randrange(6),
            "times": self.chance.choice((1, 3, -1)),
            "seconds": self.chance.choice((0.05, 1.0)),
        }
        if fault["kind"] in ("status", "html"):
            fault["status"] = self.chance.choice(STATUSES)
        self.product.sandbox("faults", fault)
        return f"{fault['endpoint']}: {fault['kind']}"

    def sync(self) -> None:
        """One run with its trouble, and what it did to our records."""
        from django.utils import timezone

        from numbersadmin.provider.client import get_provider
        from numbersadmin.sync import services
        from tests.sync import sound, two_sides

        before, open_before = self.truth(), sound.ours()
        trouble = self.spoil()
        run = services.run_sync(provider=get_provider(), actor=None, clock=timezone.now)
        self.product.sandbox("faults", method="DELETE")
        self.product.sandbox("switches", self.honest)
        two_sides.forget_troubles()
        after, open_after = self.truth(), sound.ours()
        self.did[trouble] += 1
        self.did[f"run {run.status}"] += 1
        self.did["numbers ended"] += run.ended
        for each in sound.falsely_ended(before, after, open_before, open_after):
            self.wrong.append(f"run {run.pk} ({trouble}) ended {each}, which the provider had all the time")
        if run.status != "complete" and open_before.keys() - open_after.keys():
            self.wrong.append(f"run {run.pk} ({trouble}) is {run.status} and ended numbers")

    def truth(self) -> Any:
        from tests.sync import sound

        return sound.truth(self.product.sandbox("bought")["bought"], self.names)

    def look(self) -> None:
        """The pages people live in answer, and say since when their data is."""
        from django.utils import timezone

        from numbersadmin.formats import ago
        from numbersadmin.numbers.models import OwnedNumber
        from numbersadmin.sync.selectors import last_complete

        good = last_complete()
        assert good is not None
        number = self.chance.choice(list(OwnedNumber.objects.values_list("pk", flat=True)))
        for path in ("/", "/numbers/", "/sync/", f"/numbers/{number}/"):
            began = timezone.now()
            answer = self.client.get(path, HTTP_HOST="localhost")
            ages = {f"Synced {ago(good.started_at, now)}" for now in (began, timezone.now())}
            words = " ".join(TAGS.sub(" ", answer.content.decode()).split())
            self.did["pages"] += 1
            if answer.status_code != 200:
                self.wrong.append(f"{path} answered {answer.status_code}")
            elif not any(age in words for age in ages):
                self.wrong.append(f"{path} does not say {ages}")


def settle(account: Account) -> None:
    """In the end everything works: then both sides have the same keys."""
    from django.utils import timezone

    from numbersadmin.provider.client import get_provider
    from numbersadmin.sync import services
    from tests.sync import sound

    account.product.sandbox("outside", method="DELETE")
    for _ in range(2):
        run = services.run_sync(provider=get_provider(), actor=None, clock=timezone.now)
    keys = {each.key for each in account.truth().values()}
    if run.status != "guarded" and keys != {each.key for each in sound.ours().values()}:
        account.wrong.append(f"in the end the keys differ: {run}, {run.status}, {run.error}")


def main() -> int:
    """Sync, look, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--syncs", type=int, default=1000)
    parser.add_argument("--chance", type=int, default=random.randrange(10**6))
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="bench-faults-") as folder,
        running(folder, LIST_PAGE_SIZE=str(PAGE_SIZE)) as product,
    ):
        logging.disable(logging.CRITICAL)
        from django.conf import settings
        from django.db import connection
        from django.utils import timezone

        from numbersadmin.provider import circuit, client
        from numbersadmin.sync import services

        settings.PROVIDER_TIMEOUT_SECONDS = SECONDS
        client.BACKOFF_SECONDS = client.BUSY_SECONDS = 0.001
        circuit.LOOK_AGAIN = 0
        account = Account(product, random.Random(given.chance))
        first = services.run_sync(provider=client.get_provider(), actor=None, clock=timezone.now)
        assert first.status == "complete", first.error
        began = time.monotonic()
        for _ in range(given.syncs):
            account.others_act()
            account.sync()
            account.look()
        took = time.monotonic() - began
        settle(account)
        print(f"{connection.vendor}: {given.syncs} syncs, each with a fault, in {took:.0f} s")
        for name, count in sorted(account.did.items()):
            print(f"  {count:7}  {name}")
    print("\n".join([f"violations: {len(account.wrong)} (chance {given.chance})", *account.wrong[:20]]))
    return int(bool(account.wrong))


if __name__ == "__main__":
    sys.exit(main())
