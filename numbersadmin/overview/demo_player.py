"""Does the steps of the demo's story, each at its moment, through the services that everybody uses.

Every step may be done twice: what is done already is left as it is, so an interrupted demo goes on.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from numbersadmin import web
from numbersadmin.accounts.models import User
from numbersadmin.attestation import services as attestation
from numbersadmin.attestation.models import Choice, Round, Sheet, SheetState
from numbersadmin.costs import services as costs
from numbersadmin.costs.selectors import Month, records
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.numbers.services import assign
from numbersadmin.orders import services as orders
from numbersadmin.orders.models import Order, OrderItem, State
from numbersadmin.overview import sandbox_control
from numbersadmin.overview.demo_story import Step
from numbersadmin.provider.client import Provider
from numbersadmin.sync import services as sync
from numbersadmin.sync.models import RunStatus, SyncRun
from numbersadmin.sync.selectors import outstanding

TICK = timedelta(milliseconds=400)  # passes between two looks at the clock
WAITS = (0, 90, 120, 600)  # seconds until what was begun is looked for again: a lease, and two looks apart
READ_WAIT = 20.0
LOOKED_AT_AFTER = timedelta(days=5)  # until then a difference waits
UNDER_WAY = (State.APPROVED, State.EXECUTING, State.UNKNOWN)


@dataclass
class StoryClock:
    """The moment of the story; a little passes each time somebody looks."""

    now: datetime

    def __call__(self) -> datetime:
        self.now += TICK
        return self.now


@dataclass
class Player:
    """Plays steps one after the other. `skipped` tells what could not be done, in words."""

    provider: Provider
    clock: StoryClock
    people: dict[str, User]
    skipped: list[str] = field(default_factory=list)

    def play(self, step: Step) -> None:
        """Do one step at its moment, on the provider's side too. Raises ProviderError and SandboxSilent."""
        sandbox_control.set_clock(step.at)
        self.clock.now = step.at
        with web.acting("cli"):
            try:
                getattr(self, step.do)(**step.facts)
            except sandbox_control.SandboxSilent:
                raise
            except (orders.OrderError, attestation.AttestationError, sandbox_control.SandboxSaysNo) as no:
                self.skipped.append(f"{step.at:%Y-%m-%d %H:%M} {step.do}: {no}")

    def pick_up(self, at: datetime) -> None:
        """Clear away what an interruption left at this moment: a run without a worker, a planned misbehaviour."""
        sandbox_control.behave()
        with web.acting("cli"):
            sync.abandon_dead(now=at + timedelta(minutes=10))

    # What the schedule does ---------------------------------------------------------------------------------

    def sync(self) -> None:
        """What the schedule does: a sync, and a sweep over the orders."""
        done = SyncRun.objects.filter(status=RunStatus.COMPLETE, started_at__gte=self.clock.now)
        if not done.exists():
            sync.run_sync(provider=self.provider, actor=None, clock=self.clock)
        orders.sweep(provider=self.provider, clock=self.clock)
        self._accept_differences()

    def _accept_differences(self) -> None:
        """The approver looks at what changed some days ago; who gets a number is left to be decided."""
        old = outstanding().filter(kind__in=sync.ACCEPTABLE, told_at__lt=self.clock.now - LOOKED_AT_AFTER)
        drifts = list(old.select_related("owned_number").order_by("id"))
        sync.accept(actor=self.people["approver"], drifts=drifts, note="", now=self.clock())

    # What people do -----------------------------------------------------------------------------------------

    def submit(
        self, order: str, offers: list[list[str]], owner: str, cost_centre: str, reason: str, sender_id: bool
    ) -> None:
        """The manager asks for numbers."""
        if Order.objects.filter(form_token=order).exists():
            return
        wanted = [orders.Offer(*offer) for offer in offers]
        reading = orders.read_quotes(self.provider, wanted, now=self.clock(), wait=READ_WAIT)
        if reading.problem:
            raise reading.problem
        orders.submit_purchase(
            actor=self.people["manager"],
            quotes=list(reading.quotes.values()),
            owner=self.people[owner],
            cost_centre=cost_centre,
            reason=reason,
            sender_id=sender_id,
            form_token=order,
            now=self.clock(),
        )

    def submit_cancel(self, order: str, number: str, country: str, reason: str) -> None:
        """The manager asks to give a number back."""
        owned = OwnedNumber.objects.open().filter(number=number, country=country).first()
        if owned:
            orders.submit_cancel(
                actor=self.people["manager"],
                owned=owned,
                typed_number=number,
                reason=reason,
                form_token=order,
                now=self.clock(),
            )

    def approve(self, order: str, comment: str, seen_round: int, answer_lost: bool) -> None:
        """The approver approves what was shown, and the worker carries it out."""
        found = Order.objects.filter(form_token=order).first()
        if found is None:
            return
        waiting = list(found.items.filter(state=State.PENDING))
        if waiting and found.round == seen_round:
            orders.approve(
                provider=self.provider,
                actor=self.people["approver"],
                order=found,
                round=seen_round,
                fingerprint=orders.fingerprint_of(item.fingerprint for item in waiting),
                comment=comment,
                now=self.clock(),
            )
        if answer_lost and found.items.filter(state=State.APPROVED).exists():
            sandbox_control.misbehave(endpoint="purchase", behaviour="drop_after", times=1)
        self._carry_out(found)

    def _carry_out(self, order: Order) -> None:
        """What the worker does, until nothing of the order is under way."""
        under_way = OrderItem.objects.filter(order=order, state__in=UNDER_WAY)
        for seconds in WAITS:
            self.clock.now += timedelta(seconds=seconds)
            if not under_way.exists():
                break
            orders.sweep(provider=self.provider, clock=self.clock, at_once=True)

    def reject(self, order: str, comment: str) -> None:
        """The approver says no."""
        for found in self._waiting(order):
            orders.reject(actor=self.people["approver"], order=found, comment=comment, now=self.clock())

    def withdraw(self, order: str) -> None:
        """The manager takes an order back."""
        for found in self._waiting(order):
            orders.withdraw(actor=self.people["manager"], order=found, now=self.clock())

    def _waiting(self, order: str) -> list[Order]:
        return list(Order.objects.filter(form_token=order, items__state=State.PENDING).distinct())

    def assign(
        self, numbers: list[str], owner: str, cost_centre: str, labels: list[str], reason: str
    ) -> None:
        """Finance says whose numbers are."""
        rows = OwnedNumber.objects.open().filter(number__in=numbers).select_related("owner").order_by("id")
        assign(
            actor=self.people["finance"],
            numbers=rows,
            now=self.clock(),
            owner=self.people[owner],
            cost_centre=cost_centre,
            labels=labels,
            reason=reason,
        )

    def close(self, month: str) -> None:
        """Finance closes a month; prices that the provider does not state are let through."""
        wanted, finance = Month.parse(month), self.people["finance"]
        known = records(self.clock())
        if known.to_close != wanted:
            return
        told: dict[str, Any] = {"month": wanted, "actor": finance, "now": self.clock()}
        for one in costs.unpriced(known, wanted):
            if one.waiver is None and one.line.subject.id:
                owned = OwnedNumber.objects.get(pk=one.line.subject.id)
                costs.waive(**told, owned=owned, reason="Infobip states no price, and its support is asked.")
        seen = costs.review(known, wanted, self.clock())
        if seen.ready:
            costs.close(**told, shown=seen.figures.facts)
        else:
            against = [item.text for item in seen.items if item.weight is costs.Weight.BLOCKS]
            self.skipped.append(f"{month} is not closed: {' '.join(against)}")

    def open_attestation(self) -> None:
        """The administrator asks every owner which numbers to keep."""
        found = Round.objects.first()
        if found is None:
            found = attestation.open_round(actor=self.people["admin"], now=self.clock())
        attestation.fill(round_id=found.pk, now=self.clock())

    def answer_attestation(self, who: str, to: str = "", count: int = 0) -> None:
        """An owner hands the first few numbers over to somebody, keeps the others, and answers."""
        person = self.people[who]
        sheet = (
            Sheet.objects.filter(owner=person, state=SheetState.OPEN).select_related("round", "owner").first()
        )
        if sheet is None:
            return
        facts: dict[str, Any] = {"actor": person, "sheet": sheet, "now": self.clock()}
        ids = list(sheet.lines.order_by("pk").values_list("pk", flat=True)[:count])
        if ids:
            attestation.note_choice(**facts, choice=Choice.HAND_OVER, line_ids=ids, to_person=self.people[to])
        if sheet.lines.filter(choice="").exists():
            attestation.note_choice(**facts, choice=Choice.KEEP, rest=True)
        sheet.refresh_from_db()
        attestation.answer(**facts, version=sheet.version)

    # What happens at the provider ---------------------------------------------------------------------------

    def outside(self, act: str, number: str) -> None:
        """Somebody buys or cancels in the provider's own portal, or another customer buys the number."""
        sandbox_control.act_outside(act=act, number=number)

    def reprice(self, prices: dict[str, str]) -> None:
        """The provider changes prices."""
        for number, price in sorted(prices.items()):
            sandbox_control.change_price(number=number, price=price)
