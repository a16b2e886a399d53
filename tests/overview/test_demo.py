"""The demo: its story, played through the real services against the sandbox, once, again, and interrupted."""

import stat
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from numbersadmin.accounts.models import User
from numbersadmin.accounts.services import add_person
from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers.models import OwnedNumber, Status
from numbersadmin.orders.models import Order, OrderItem, ProviderAttempt, State
from numbersadmin.overview import demo
from numbersadmin.overview.demo_people import PEOPLE, sign_ins_file
from numbersadmin.overview.demo_story import Step
from numbersadmin.provider.client import Provider, get_provider
from numbersadmin.sync.models import RunStatus, SyncRun
from numbersadmin.sync.selectors import is_fresh

LENGTH = {"months": 2, "grow_to": 44}
OWNED_AT_FIRST = 30
DOCUMENTED = {"79029555551", "79029555525", "447860041117", "40371700050", "60777", "447480000123"}


@pytest.fixture
def provider(sandbox: Any, settings: Any, tmp_path: Any) -> Provider:
    """A stock of the sandbox's own, and a state directory of the test's own."""
    settings.VAR_DIR = tmp_path
    sandbox.api("reset", {"owned": OWNED_AT_FIRST, "available": 700})
    return get_provider()


@pytest.fixture
def make(provider: Provider) -> Callable[[], list[str]]:
    """Make a demo of two months, as `demo_data` does one of fourteen; returns what was skipped."""

    def made() -> list[str]:
        return demo.make(now=timezone.now(), say=lambda line: None, **LENGTH)

    return made


def story(folder: Any) -> list[Step]:
    return demo.Tale(folder / "demo").steps


def end_of(steps: list[Step], at_first: set[str]) -> set[str]:
    """What is owned when the story is over, by its steps alone."""
    ours, orders, gone = set(at_first), {}, set()
    for step in steps:
        facts = step.facts
        if step.do in ("submit", "submit_cancel"):
            orders[facts["order"]] = (
                step.do,
                [n for _, n in facts.get("offers", [])] or [facts.get("number")],
            )
        elif step.do == "approve":
            what, numbers = orders[facts["order"]]
            ours = ours | (set(numbers) - gone) if what == "submit" else ours - set(numbers)
        elif step.do == "outside":
            gone |= {facts["number"]} if facts["act"] == "taken" else set()
            ours = ours | {facts["number"]} if facts["act"] == "purchase" else ours - {facts["number"]}
    return ours


def listed(provider: Provider) -> set[tuple[str, str]]:
    """What the provider says is ours: key and number."""
    rows = [row for page in range(9) for row in provider.list_owned(page=page).numbers]
    return {(row.number_key, row.number) for row in rows}


def traces() -> dict[str, Any]:
    """Everything that a second start could double."""
    tables = (OwnedNumber, Order, OrderItem, ProviderAttempt, SyncRun, AuditEvent, User)
    return {table.__name__: table.objects.count() for table in tables}


@pytest.mark.django_db(transaction=True)
def test_the_story_is_played_once_and_ends_clean(make, provider, sandbox, settings, tmp_path):
    settings.PROVIDER_RATE_LIMITS, settings.SYNC_INTERVAL_SECONDS = True, 900
    at_first = {number for _, number in listed(provider)}
    assert make() == []
    assert (settings.PROVIDER_RATE_LIMITS, settings.SYNC_INTERVAL_SECONDS) == (True, 900)

    assert_same_at_the_provider(provider, end_of(story(tmp_path), at_first))
    assert_real_time_again(sandbox)
    assert_all_endings_are_there()
    assert_each_change_is_in_the_audit_log(sandbox)
    assert_people_sign_in()

    before, acts, sign_ins = traces(), sandbox.acts(), sign_ins_file().read_text()
    assert make() == []
    assert (traces(), sandbox.acts(), sign_ins_file().read_text()) == (before, acts, sign_ins)


def assert_same_at_the_provider(provider: Provider, numbers: set[str]) -> None:
    ours = set(OwnedNumber.objects.open().values_list("number_key", "number"))
    assert ours == listed(provider)
    assert {number for _, number in ours} == numbers
    assert set(OwnedNumber.objects.values_list("status", flat=True)) == {Status.OWNED, Status.ENDED}
    assert OwnedNumber.objects.open().filter(owner=None).exists()


def assert_real_time_again(sandbox: Any) -> None:
    assert is_fresh(timezone.now())
    ahead = datetime.fromisoformat(sandbox.api("clock")["now"]) - datetime.now(UTC)
    assert abs(ahead.total_seconds()) < 5
    assert not sandbox.api("faults")["faults"]
    assert set(SyncRun.objects.values_list("status", flat=True)) == {RunStatus.COMPLETE}


def assert_all_endings_are_there() -> None:
    endings = set(OrderItem.objects.values_list("state", flat=True))
    assert endings == {"pending", "done", "rejected", "withdrawn", "expired", "failed"}
    waiting = {item.order for item in OrderItem.objects.filter(state=State.PENDING).select_related("order")}
    assert Counter(str(order.kind) for order in waiting) == {"purchase": 3, "cancel": 1}
    assert max(order.items.count() for order in waiting) == 3
    assert set(Order.objects.values_list("requester__username", flat=True)) == {"manager"}


def assert_each_change_is_in_the_audit_log(sandbox: Any) -> None:
    for item in OrderItem.objects.select_related("order"):
        events = AuditEvent.objects.filter(subject_type="orderitem", subject_id=item.pk).order_by("id")
        assert events[0].verb == "order.submitted"
        assert events[0].at == item.created_at == item.order.created_at
        assert list(events) == sorted(events, key=lambda event: event.at)
    bought = sorted(act["number"] for act in sandbox.acts("purchase"))
    assert bought == sorted(ProviderAttempt.objects.filter(verb="purchase").values_list("number", flat=True))
    assert len(bought) == OrderItem.objects.filter(kind="purchase", state=State.DONE).count()
    verbs = set(AuditEvent.objects.values_list("verb", flat=True))
    assert {"number.price_changed", "number.disappeared", "number.adopted", "item.price_changed"} <= verbs
    assert "sync.gap" not in verbs
    assert len({at.date() for at in AuditEvent.objects.values_list("at", flat=True)}) > 25


def assert_people_sign_in() -> None:
    file = sign_ins_file()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = [line.split() for line in file.read_text().splitlines()]
    assert [(name, role) for name, role, _ in lines] == [(name, str(role)) for name, role in PEOPLE.items()]
    assert len({password for _, _, password in lines}) == 5
    for name, role, password in lines:
        person = User.objects.get(username=name)
        assert person.check_password(password)
        assert person.roles == {role}


class Dying:
    """A provider whose process dies right after so many calls: what was done there is written down nowhere."""

    def __init__(self, provider: Provider, calls: int) -> None:
        self.provider, self.left = provider, calls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.provider, name)
        if name not in ("list_available", "list_owned", "get_owned", "purchase", "cancel"):
            return found

        def call(*args: Any, **facts: Any) -> Any:
            answer = found(*args, **facts)
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt
            return answer

        return call


@pytest.mark.django_db(transaction=True)
def test_an_interrupted_demo_goes_on_where_it_was(make, provider, sandbox, tmp_path, monkeypatch):
    at_first = {number for _, number in listed(provider)}
    starts = 0
    with monkeypatch.context() as patch:
        for starts in range(1, 60):
            dying = Dying(provider, calls=9 + starts)
            patch.setattr(demo, "get_provider", lambda dying=dying: dying)
            try:
                make()
                break
            except KeyboardInterrupt:
                continue
    assert 5 < starts < 59
    assert_same_at_the_provider(provider, end_of(story(tmp_path), at_first))
    assert not OrderItem.objects.filter(state__in=["approved", "executing", "unknown"]).exists()
    bought = Counter(act["number"] for act in sandbox.acts("purchase"))
    assert set(bought.values()) == {1}
    assert Order.objects.count() == sum(step.do.startswith("submit") for step in story(tmp_path))


def test_the_whole_story_is_the_same_each_time_and_leaves_the_documented_numbers(provider, sandbox):
    sandbox.api("reset", {"owned": 120, "available": 5000})
    end = datetime(2026, 10, 13, 9, tzinfo=UTC)
    steps = demo._write(provider, end, demo.MONTHS, demo.GROW_TO)
    assert steps == demo._write(provider, end, demo.MONTHS, demo.GROW_TO)
    assert [step.at for step in steps] == sorted(step.at for step in steps)
    assert steps[0] == Step(datetime(2025, 8, 1, 8, tzinfo=UTC), "sync", {})
    assert steps[-1].at < end
    assert not DOCUMENTED & {number for step in steps for _, number in step.facts.get("offers", [])}
    at_first = {number for _, number in listed(provider)}
    assert 240 <= len(end_of(steps, at_first)) <= 265
    orders = Counter(step.at.strftime("%Y-%m") for step in steps if step.do == "submit")
    assert len(orders) >= demo.MONTHS
    assert [Step.from_json(step.to_json()) for step in steps] == steps


def test_demo_data_is_refused_with_a_real_provider(sandbox, settings, db):
    settings.SANDBOX = False
    with pytest.raises(CommandError, match="INFOBIP_BASE_URL is set"):
        call_command("demo_data")
    assert not User.objects.exists()


def test_demo_data_is_refused_when_the_sandbox_does_not_answer(settings, tmp_path, db):
    settings.VAR_DIR, settings.INFOBIP_BASE_URL = tmp_path, "http://127.0.0.1:9"
    with pytest.raises(CommandError, match="does not answer"):
        call_command("demo_data")
    assert not User.objects.exists()
    assert not sign_ins_file().exists()


def test_no_history_where_other_data_is(make, provider, db):
    SyncRun.objects.create(started_at=timezone.now(), heartbeat_at=timezone.now(), status=RunStatus.COMPLETE)
    with pytest.raises(demo.DemoNotMade, match="holds other data"):
        make()
    assert set(User.objects.values_list("username", flat=True)) == set(PEOPLE)
    assert not Order.objects.exists()


def test_nobody_is_taken_over(make, provider, db):
    add_person(
        actor=None, username="manager", password="a long password", roles=["viewer"], now=timezone.now()
    )
    with pytest.raises(demo.DemoNotMade, match="other people named manager"):
        make()
    assert "manager" not in sign_ins_file().read_text()
    assert not SyncRun.objects.exists()
