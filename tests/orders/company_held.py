"""What holds a company's orders back or lets them pass: stops, pauses, rules, the last day of a month."""

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from numbersadmin.orders import services
from numbersadmin.orders.models import Mode, Order, ProviderAttempt, State
from numbersadmin.orders.quotes import Quote
from numbersadmin.orders.ruling import AUTO_WINDOW
from numbersadmin.policies.models import Stop
from numbersadmin.policies.services import lift, stop
from tests.orders.desk import Desk
from tests.orders.desk import rule as rule_in_force

MOST = Decimal(11)  # what one person orders in a day without an approver: two numbers


class Held(RuleBasedStateMachine):
    """Rules of the machine in company.py that decide whether anything is sent at all."""

    desk: Desk
    stopped: Stop | None = None
    attempts_then = 0

    def begin_held(self, with_rule: bool) -> None:
        """In some companies a rule lets small orders through."""
        if with_rule:
            cast = self.desk.cast
            rule_in_force(cast, self.desk.clock(), mode="auto", max_monthly=MOST, max_setup=Decimal(100))

    @rule()
    def stop_or_lift(self) -> None:
        """An administrator stops everything: from then on nothing is claimed until it is lifted."""
        if self.stopped:
            self.lift()
            return
        self.stopped = stop(actor=self.desk.cast.admin, reason="Why", now=self.desk.clock())
        self.attempts_then = ProviderAttempt.objects.count()

    def lift(self) -> None:
        """Let orders go on, and look that none went on before."""
        if self.stopped is None:
            return
        assert ProviderAttempt.objects.count() == self.attempts_then, "a claim while everything was stopped"
        lift(actor=self.desk.cast.admin, stop_id=self.stopped.pk, reason="Why", now=self.desk.clock())
        self.stopped = None

    @rule()
    def resume(self) -> None:
        """An approver lets orders go on that two lost answers had paused."""
        for order in Order.objects.filter(paused_at__isnull=False):
            services.resume(actor=self.desk.cast.approver, order=order, now=self.desk.clock())

    @rule(passes=st.booleans())
    def give_back_at_the_end_of_the_month(self, passes: bool) -> None:
        """Each number that is ours, on the last day; which may come before anything else happens."""
        for owned in self.owned():  # type: ignore[attr-defined]
            with suppress(services.AlreadyOrdered):
                made = self.desk.cancel(owned, timing="month_end", typed_number="")
                if made.items.filter(state=State.PENDING).exists():
                    self.desk.approve_shown(made)
        if passes:
            self.pass_month_end()

    def pass_month_end(self) -> None:
        """To a second after noon of the last day for which anything waits.

        Before such a leap the provider does what it does late, and a sync reads it, as in any quarter of an hour;
        and no worker stands still so long: its task would have been ended.
        """
        waiting = [item.execute_after for item in self.items(State.APPROVED) if item.execute_after]  # type: ignore[attr-defined]
        if not waiting:
            return
        while self.sleepers:  # type: ignore[attr-defined]
            self.sleepers.pop().kill()  # type: ignore[attr-defined]
        for _ in range(2):  # what was done late in the first time is on the list after the second
            self.wait(125, sweeps=False)  # type: ignore[attr-defined]
        self.sync()  # type: ignore[attr-defined]
        away = (max(waiting) + timedelta(seconds=1) - self.desk.clock()).total_seconds()
        self.wait(max(away, 1), sweeps=False)  # type: ignore[attr-defined]

    def check_held(self) -> None:
        """Nothing went before its day, and what rules let through in any day is within their limit."""
        attempts = ProviderAttempt.objects.filter(item__execute_after__isnull=False).select_related("item")
        assert all(attempt.started_at >= attempt.item.execute_after for attempt in attempts), "before its day"
        passed: list[tuple[Any, Decimal]] = []
        for order in Order.objects.filter(mode=Mode.AUTO).order_by("created_at", "id"):
            quotes = [Quote.from_json(item.quote) for item in order.items.all()]
            passed.append(
                (order.created_at, sum((quote.price_per_month or Decimal(0) for quote in quotes), Decimal(0)))
            )
        for end, _ in passed:
            day = sum((amount for at, amount in passed if end - AUTO_WINDOW < at <= end), Decimal(0))
            assert day <= MOST, "a rule let more pass in a day than its limit"
