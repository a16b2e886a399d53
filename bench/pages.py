"""Times and queries of the pages people live in, at few and many numbers: `python bench/pages.py [--numbers 10000]`.

Each size has a database of its own in a temporary directory (SQLite). The queries of a page must not depend on rows.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from costs import NOW, fill, timed

ROOT = Path(__file__).resolve().parent.parent
FEW = 100
ITEMS = 20


def an_order() -> int:
    """One order of as many items as an order may have; half the owned numbers have an audit event."""
    from numbersadmin.accounts.models import User
    from numbersadmin.audit.services import event, record_all
    from numbersadmin.numbers.models import OwnedNumber
    from numbersadmin.orders.models import Order, OrderItem

    manager = User.objects.create_user(username="manager")
    order = Order.objects.create(
        kind="purchase",
        requester=manager,
        reason="a bench",
        form_token="bench",
        created_at=NOW,
        expires_at=NOW + timedelta(days=14),
    )
    for at in range(ITEMS):
        number = str(447_860_000_000 + at)
        quote = {
            "number": number,
            "number_key": f"offer{at}",
            "country": "GB",
            "type": "VIRTUAL_LONG_NUMBER",
            "capabilities": ["SMS"],
            "shared": False,
            "currency": "EUR",
            "price_per_month": "5",
            "setup_price": "0",
            "initial_month_price": "3.064517",
            "read_at": NOW.isoformat(),
        }
        OrderItem.objects.create(
            order=order,
            kind="purchase",
            number=number,
            number_key=f"offer{at}",
            country="GB",
            state="rejected",
            quote=quote,
            fingerprint="bench",
            created_at=NOW,
            updated_at=NOW,
        )
    rows = OwnedNumber.objects.all()[:5000]
    record_all(event(actor=manager, verb="number.assigned", subject=row, at=NOW) for row in rows)
    return order.pk


def measure(numbers: int) -> None:
    """Fill a database and time each page, signed in as an approver."""
    import django
    import time_machine
    from django.conf import settings

    django.setup()
    Path(settings.STATIC_ROOT).mkdir(exist_ok=True)
    settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
    from django.core.management import call_command
    from django.test import Client

    from numbersadmin.accounts.models import RoleGrant, User

    call_command("migrate", verbosity=0)
    fill(numbers)
    order = an_order()
    approver = User.objects.create_user(username="approver")
    RoleGrant.objects.create(user=approver, role="approver")
    client = Client(headers={"host": "localhost"})
    with time_machine.travel(NOW, tick=True):
        client.force_login(approver, backend="django.contrib.auth.backends.ModelBackend")
        for path in (
            "/numbers/",
            "/numbers/?q=49150&sort=-price",
            "/numbers/1/",
            f"/orders/{order}/",
            "/orders/",
            "/audit/",
        ):
            assert client.get(path).status_code == 200, path
            timed(f"{numbers:>7} numbers  {path}", lambda path=path: client.get(path))


def main() -> None:
    """Each size in a process of its own, because settings are read once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", type=int, default=10_000)
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.only:
        sys.path.insert(0, str(ROOT))
        measure(wanted.only)
        return
    for numbers in (FEW, wanted.numbers):
        with tempfile.TemporaryDirectory(prefix="numbersadmin-bench-") as folder:
            environment = {**os.environ, "VAR_DIR": folder, "DJANGO_SETTINGS_MODULE": "numbersadmin.settings"}
            command = [sys.executable, __file__, "--only", str(numbers)]
            subprocess.run(command, env=environment, cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
