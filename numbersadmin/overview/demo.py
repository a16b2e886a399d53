"""Demo data: five people and many months of history, played through the real services against the sandbox.

The story is written at the first start and kept in VAR_DIR with how far it has been played, so that a start that
was interrupted goes on where it was, and a finished one is left alone.
"""

import fcntl
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from numbersadmin.accounts.models import User
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders.models import Order, OrderItem, State
from numbersadmin.overview import sandbox_control
from numbersadmin.overview.demo_people import PEOPLE, make_people
from numbersadmin.overview.demo_player import Player, StoryClock
from numbersadmin.overview.demo_story import Listed, Step, begin_of, write
from numbersadmin.provider.client import Provider, get_provider
from numbersadmin.provider.schema import Page, ProviderNumber
from numbersadmin.sync import services as sync
from numbersadmin.sync.models import RunStatus, SyncRun

MONTHS = 14
GROW_TO = 250
MOST_PAGES = 1000
FINISHED = "finished"

Say = Callable[[str], None]


class DemoNotMade(Exception):
    """Demo data cannot be made here; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Tale:
    """The story as it is kept in a folder: its steps, and how many of them have been played."""

    folder: Path

    @property
    def steps(self) -> list[Step]:
        """All of them; none before the story was written."""
        file = self.folder / "story.json"
        return [Step.from_json(stored) for stored in json.loads(file.read_text())] if file.exists() else []

    @property
    def done(self) -> str:
        """How many steps have been played, `finished`, or nothing."""
        file = self.folder / "done"
        return file.read_text().strip() if file.exists() else ""

    def keep(self, steps: Sequence[Step]) -> None:
        """Write the story down."""
        self._put("story.json", json.dumps([step.to_json() for step in steps], default=str))

    def note(self, done: str) -> None:
        """Note how far it has been played."""
        self._put("done", done)

    def _put(self, name: str, text: str) -> None:
        unfinished = self.folder / f"{name}.unfinished"
        unfinished.write_text(text)
        unfinished.replace(self.folder / name)


def make(*, now: datetime, say: Say, months: int = MONTHS, grow_to: int = GROW_TO) -> list[str]:
    """Make what is missing of the demo; returns what could not be done of the story, in words.

    Raises DemoNotMade, ProviderError and sandbox_control.SandboxSaysNo.
    """
    tale = Tale(Path(settings.VAR_DIR) / "demo")
    tale.folder.mkdir(mode=0o700, exist_ok=True)
    with _alone(tale.folder), _for_this_process(PROVIDER_RATE_LIMITS=False, SYNC_INTERVAL_SECONDS=0):
        sandbox_control.clock()
        fresh = not tale.steps
        begin = begin_of(now.astimezone(UTC), months)
        taken = make_people(begin if fresh and not User.objects.exists() else now)
        if tale.done == FINISHED:
            return []
        _refuse_strangers(taken, tale)
        if fresh:
            say(f"Making {months} months of demo data; some ten seconds, once.")
            tale.keep(_write(get_provider(), now.astimezone(UTC), months, grow_to))
        return _play(tale, get_provider(), say)


def _refuse_strangers(taken: Sequence[str], tale: Tale) -> None:
    """Demo data goes only where nothing else is."""
    if taken:
        raise DemoNotMade(f"No demo data was made: there are other people named {', '.join(taken)} already.")
    histories = (SyncRun.objects, OwnedNumber.objects, Order.objects)
    if not tale.steps and any(history.exists() for history in histories):
        raise DemoNotMade("No demo data was made: the database holds other data already.")
    if tale.done and not SyncRun.objects.exists():
        raise DemoNotMade(
            "No demo data was made: it was begun with another database."
            f" To start anew, remove {settings.VAR_DIR}."
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two starts at once do not play the story twice: the second waits, and finds it played."""
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _for_this_process(**wanted: object) -> Iterator[None]:
    """Other settings for a while. No rates, and no schedule against which the story's syncs would be late."""
    before = {name: getattr(settings, name) for name in wanted}
    for name, value in wanted.items():
        setattr(settings, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(settings, name, value)


def _write(provider: Provider, end: datetime, months: int, grow_to: int) -> list[Step]:
    def owned(page: int) -> Page:
        return provider.list_owned(page=page, caller="sync")

    def for_sale(page: int) -> Page:
        return provider.list_available(page=page, caller="sync")

    return write(owned=_listed(owned), for_sale=_listed(for_sale), end=end, months=months, grow_to=grow_to)


def _listed(read: Callable[[int], Page]) -> list[Listed]:
    """Everything on a list, for the story."""
    found: dict[tuple[str, str], Listed] = {}
    for number in range(MOST_PAGES):
        page = read(number)
        found |= {(each.country, each.number): _of(each) for each in page.numbers}
        if not page.rows or (page.count is not None and len(found) >= page.count):
            break
    return list(found.values())


def _of(facts: ProviderNumber) -> Listed:
    price = facts.price
    return Listed(facts.number, facts.country, facts.type, facts.shared, price.per_month, price.currency)


def _play(tale: Tale, provider: Provider, say: Say) -> list[str]:
    """Play what is left, then go back to real time with a fresh sync."""
    steps, position = tale.steps, int(tale.done or 0)
    people = {person.username: person for person in User.objects.filter(username__in=PEOPLE)}
    player = Player(provider, StoryClock(steps[0].at), people)
    if tale.done:
        say("Going on with the demo data where it was interrupted.")
        player.pick_up(steps[min(position, len(steps) - 1)].at)
    for number in range(position, len(steps)):
        step = steps[number]
        if number and step.at.month != steps[number - 1].at.month:
            say(f"  {steps[number - 1].at:%B %Y}: {OwnedNumber.objects.open().count()} numbers")
        player.play(step)
        tale.note(str(number + 1))
    sandbox_control.set_clock(None)
    run = sync.run_sync(provider=provider, actor=None, clock=timezone.now)
    if run.status != RunStatus.COMPLETE:
        raise DemoNotMade(f"The last sync of the demo data is {run.status}: {run.error}")
    tale.note(FINISHED)
    waiting = OrderItem.objects.filter(state=State.PENDING).values("order").distinct().count()
    say(
        f"Demo data is complete: {OwnedNumber.objects.open().count()} numbers,"
        f" {Order.objects.count()} orders, {waiting} of them wait for approval."
    )
    return player.skipped
