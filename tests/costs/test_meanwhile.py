"""What happens to a month while somebody looks at it: nothing is posted twice, nothing is counted twice."""

from decimal import Decimal

import pytest

from numbersadmin.costs import waiving
from numbersadmin.costs.figures import figures
from numbersadmin.costs.ledger import statement
from numbersadmin.costs.line_pages import keyed_lines
from numbersadmin.costs.lines import LineFilter, number_cost
from numbersadmin.costs.models import LedgerLine
from numbersadmin.costs.months import Month
from numbersadmin.costs.selectors import records
from numbersadmin.costs.services import CannotCorrect
from numbersadmin.money import Totals
from tests.costs.closed import freeze
from tests.costs.conftest import at

pytestmark = pytest.mark.usefixtures("november")
NOW = at("2026-11-20 12:00")
SEPTEMBER, OCTOBER = Month.parse("2026-09"), Month.parse("2026-10")


def test_what_a_charge_without_a_price_cost_is_said_once(story, cast):
    """Two people have the page open, each with a form of their own."""
    story.listed("2026-10-01 12:00", "2026-11-02")
    owned = story.found("447860041117", "2026-10-01 12:00", None)
    (found,) = waiving.unpriced(records(NOW), OCTOBER)
    cost = {"amount": Decimal("4.2"), "currency": "EUR", "reason": "Invoice 8", "actor": cast.finance}
    about = {"known": records(NOW), "month": OCTOBER, "subject": found.line.subject, "owned": owned}
    waiving.say_cost(**about, **cost, now=NOW, form_token="hers")
    with pytest.raises(CannotCorrect, match="said what it cost already"):
        waiving.say_cost(**about, **cost, now=NOW, form_token="his")
    assert LedgerLine.objects.count() == 1


def test_a_month_that_is_closed_while_a_page_is_made_does_not_count_twice(two_months, cast):
    """What was read as open is computed; the rows that a close has just written are the same charges."""

    def seen(known):
        numbers = two_months.values()
        return (
            Totals.of((entry.charge.currency, entry.charge.amount) for entry in statement(known, SEPTEMBER)),
            figures(known, SEPTEMBER, OCTOBER, ["owner"], shown=OCTOBER, alike=False).amounts(SEPTEMBER),
            [number_cost(known, owned).totals for owned in numbers],
            [one.charge for one in keyed(known)],
        )

    def keyed(known):
        return keyed_lines(known, SEPTEMBER, LineFilter(country="DE", owner="manager"), 0, NOW).lines

    stale = records(NOW)
    before = seen(stale)
    freeze("2026-09", cast.finance, NOW)
    assert seen(stale) == before
    assert seen(records(NOW)) == before
