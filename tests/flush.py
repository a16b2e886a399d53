"""The flush after transactional tests, which append-only tables would refuse."""

from django.core.management import call_command
from django.db import connection, transaction
from django.test import TransactionTestCase

from numbersadmin.audit import append_only
from numbersadmin.numbers.models import NumberTally


def _flush(self: TransactionTestCase) -> None:
    """Empty all tables, in one transaction and without the permissions that Django would write anew: none is used."""
    with transaction.atomic():
        for table in append_only.TABLES:
            append_only.remove(connection, table)
        call_command(
            "flush",
            verbosity=0,
            interactive=False,
            reset_sequences=False,
            allow_cascade=False,
            inhibit_post_migrate=True,
        )
        NumberTally.objects.all().delete()  # emptying the numbers on SQLite is counted there
        for table in append_only.TABLES:
            append_only.install(connection, table)


def keep_append_only() -> None:
    """Take the triggers off for the flush alone; calling it again changes nothing."""
    TransactionTestCase._fixture_teardown = _flush  # type: ignore[method-assign]
