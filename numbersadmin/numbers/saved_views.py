"""Saved views of the list and each person's columns: what there is, and every write to them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import record
from numbersadmin.numbers.models import ListPreference, SavedView

MOST = 30  # of one person: they stand beside each other as chips


class NotSaved(Exception):
    """The view could not be saved; the message says why."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a person wants the list: the views offered, columns not shown, the view it opens with."""

    views: list[SavedView]
    hidden: frozenset[str]
    opens_with: SavedView | None


def wishes(person: User) -> Wishes:
    """A person's own views and those shared with a role of theirs, by name, in two queries."""
    seen = Q(maker=person) | Q(role__in=person.roles, maker__is_active=True)
    views = list(SavedView.objects.filter(seen).order_by("name", "id"))
    preference = ListPreference.objects.filter(person=person).first()
    if preference is None:
        return Wishes(views, frozenset(), None)
    opens = next((view for view in views if view.pk == preference.opens_with_id), None)
    return Wishes(views, frozenset(preference.hidden), opens)


def save_view(*, actor: User, name: str, query: str, role: str, opens: bool, now: datetime) -> SavedView:
    """Keep filters under a name. Raises NotSaved when the person has that name already, or too many."""
    if SavedView.objects.filter(maker=actor).count() >= MOST:
        raise NotSaved(f"You have {MOST} views, which is the most. Delete one first.")
    with transaction.atomic():
        try:
            with transaction.atomic():
                view = SavedView.objects.create(maker=actor, name=name, query=query, role=role)
        except IntegrityError as error:
            raise NotSaved(f"You have a view named “{name}” already.") from error
        record(actor=actor, verb="view.saved", subject=view, at=now, after=_told(view))
        if opens:
            open_with(actor=actor, view=view, now=now)
    return view


def change_view(*, actor: User, view: SavedView, name: str, role: str, now: datetime) -> None:
    """Rename a view or say who sees it. Raises NotSaved."""
    if view.maker_id != actor.pk:
        raise NotSaved("Only whoever made a view changes it.")
    changed = {
        field: value for field, value in (("name", name), ("role", role)) if getattr(view, field) != value
    }
    if not changed:
        return
    before = {field: getattr(view, field) for field in changed}
    with transaction.atomic():
        try:
            with transaction.atomic():
                as_seen = SavedView.objects.filter(pk=view.pk, version=view.version)
                touched = as_seen.update(version=F("version") + 1, **changed)
        except IntegrityError as error:
            raise NotSaved(f"You have a view named “{name}” already.") from error
        if not touched:
            raise NotSaved("This view was changed meanwhile. Look again, then decide.")
        for field, value in changed.items():
            setattr(view, field, value)
        view.version += 1
        record(actor=actor, verb="view.changed", subject=view, at=now, before=before, after=changed)


def delete_view(*, actor: User, view: SavedView, now: datetime) -> None:
    """Take a view away from everybody. Raises NotSaved."""
    if view.maker_id != actor.pk:
        raise NotSaved("Only whoever made a view deletes it.")
    told, pk = _told(view), view.pk
    with transaction.atomic():
        as_seen = SavedView.objects.filter(pk=view.pk, version=view.version)
        if not as_seen.update(version=F("version") + 1):
            raise NotSaved("This view was changed meanwhile. Look again, then decide.")
        view.delete()
        view.pk = pk
        record(actor=actor, verb="view.deleted", subject=view, at=now, before=told)


def open_with(*, actor: User, view: SavedView | None, now: datetime) -> None:
    """Let a person's list open with a view, or with all numbers."""
    _prefer(actor, now, opens_with=view)


def choose_columns(*, actor: User, hidden: Iterable[str], now: datetime) -> None:
    """Say which columns a person's list leaves out."""
    _prefer(actor, now, hidden=sorted(hidden))


def _prefer(actor: User, now: datetime, **wanted: Any) -> None:
    with transaction.atomic():
        preference, _ = ListPreference.objects.get_or_create(person=actor)
        [(field, value)] = wanted.items()
        before = getattr(preference, field)
        if before == value:
            return
        ListPreference.objects.filter(pk=preference.pk).update(**wanted)
        told = {field: str(before) if isinstance(before, SavedView) else before}
        after = {field: str(value) if isinstance(value, SavedView) else value}
        record(actor=actor, verb="view.list_changed", subject=preference, at=now, before=told, after=after)


def _told(view: SavedView) -> dict[str, Any]:
    return {"name": view.name, "query": view.query, "role": view.role}
