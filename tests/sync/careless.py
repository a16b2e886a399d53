"""Our guards, one by one taken away: what the histories of two_sides.py have to find then."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from numbersadmin.provider.errors import NotOwned, ProviderError
from numbersadmin.sync import absence, asking, diff, lease, presence, reader, selectors, services
from numbersadmin.sync.models import SyncRun


def _believes_absence(missed: list[Any], scene: Any, look: Any) -> absence.Verdict:
    """What is not on a complete list is gone; nobody asks for it by itself."""
    return absence.Verdict(gone=list(missed))


def _takes_trouble_for_gone(missed: list[Any], scene: Any, look: Any) -> absence.Verdict:
    """Whatever is no answer about the number means that it is gone."""

    def careless(key: str) -> Any:
        try:
            return look(key)
        except ProviderError:
            raise NotOwned("no answer", http_status=404) from None

    return _look_up(missed, scene, careless)


def _forgets_the_fence(run: SyncRun, now: Any, **progress: Any) -> None:
    """A sign of life even of a run that was given up."""
    changes = {"heartbeat_at": now, **progress}
    SyncRun.objects.filter(pk=run.pk).update(**changes)
    for name, value in changes.items():
        setattr(run, name, value)


_look_up = absence.look_up
_nothing = lambda *_: None  # noqa: E731
DIGITS = (absence, "_ask_by_digits", _nothing)
NO_LOOK = [(absence, "look_up", _believes_absence), DIGITS]
# guard -> what replaces it; one that stands behind another is only missed when that is gone too
GUARDS: dict[str, list[tuple[Any, str, Any]]] = {
    "look-up": NO_LOOK,
    "only 404": [(absence, "look_up", _takes_trouble_for_gone), DIGITS],
    "canary": [(absence, "_canary_silence", lambda scene, look: ""), DIGITS],
    "digits": [DIGITS],
    "completeness": [(reader.Reading, "trouble", property(lambda self: ""))],
    "mass guard": [(diff, "too_many_gone", lambda gone, owned, listed: False)],
    "fence": [
        (module, "beat", _forgets_the_fence) for module in (lease, services, absence, presence, asking)
    ],
    "own writes": [(selectors, "own_writes", lambda since: selectors.OwnWrites(frozenset(), frozenset()))],
    "key change": [(diff.Records, "rekeyed_from", lambda self, facts, seen: None), DIGITS],
}


@contextmanager
def without(guard: str) -> Iterator[None]:
    """Take a guard away; "" takes none."""
    patches = [patch.object(*each) for each in GUARDS[guard]] if guard else []
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()
