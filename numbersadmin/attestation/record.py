"""The record of a round as rows for a file: every number with what was decided on it."""

from collections.abc import Iterator
from typing import Any

from django.db.models import F, QuerySet

from numbersadmin.attestation.models import Decision, Round, Verdict

BATCH = 2000
EXPORT_FIELDS = (
    "attestation owner number country price_per_month currency cost_centre state choice to_person reason order"
    " answered_by answered_at followed followed_by followed_at"
).split()


_LINE_COLUMNS = {
    "owner": F("sheet__owner__username"),
    "number": F("owned_number__number"),
    "country": F("owned_number__country"),
}
_DECISION_COLUMNS = {
    "to": F("to_person__username"),
    "who": F("by__username"),
}


def export_rows(found: Round) -> Iterator[dict[str, Any]]:
    """Every number of a round with what was decided on it, some thousands at a time."""
    lines: QuerySet[Any, Any] = found.lines.order_by("pk").values(
        "pk", "price_per_month", "currency", "state", "cost_centre", **_LINE_COLUMNS
    )
    last = 0
    batch: list[Any]
    while batch := list(lines.filter(pk__gt=last)[:BATCH]):
        last = batch[-1]["pk"]
        decided: dict[int, list[dict[str, Any]]] = {}
        kept: QuerySet[Any, Any] = Decision.objects.filter(line__in=[row["pk"] for row in batch]).order_by(
            "pk"
        )
        one: Any
        for one in kept.values("line", "verdict", "order", "reason", "at", **_DECISION_COLUMNS):
            decided.setdefault(one["line"], []).append(one)
        for row in batch:
            yield _export_row(found, row, *decided.get(row["pk"], []))


def _export_row(
    found: Round,
    row: dict[str, Any],
    answer: dict[str, Any] | None = None,
    followed: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """One number; `answered_by` stays empty where the round was closed without an answer."""
    answer, followed = answer or {}, followed or {}
    answered = answer.get("verdict") != Verdict.UNANSWERED
    return {
        "attestation": found.pk,
        **{name: row[name] for name in ("owner", "number", "country", "price_per_month", "state")},
        "currency": row["currency"] or None,
        "cost_centre": row["cost_centre"],
        "choice": answer.get("verdict"),
        "to_person": answer.get("to"),
        "reason": answer.get("reason", ""),
        "order": answer.get("order"),
        "answered_by": answer.get("who") if answered else None,
        "answered_at": answer.get("at") if answered else None,
        "followed": followed.get("verdict"),
        "followed_by": followed.get("who"),
        "followed_at": followed.get("at"),
    }
