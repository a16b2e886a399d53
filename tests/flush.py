"""The flush after transactional tests, which append-only tables would refuse."""

import contextlib

from django.db import connection
from django.test import TransactionTestCase

from numbersadmin.audit import append_only
from numbersadmin.numbers.models import NumberTally

_flush = TransactionTestCase._fixture_teardown


def _flush_without_triggers(self: TransactionTestCase) -> None:
    for table in append_only.TABLES:
        append_only.remove(connection, table)
    with contextlib.ExitStack() as restored:
        for table in append_only.TABLES:
            restored.callback(append_only.install, connection, table)
        _flush(self)
        NumberTally.objects.all().delete()  # emptying the numbers on SQLite is counted there


def keep_append_only() -> None:
    """Take the triggers off for the flush alone; calling it again changes nothing."""
    TransactionTestCase._fixture_teardown = _flush_without_triggers  # type: ignore[method-assign]
