"""How the audit log says what happened: a word, an icon and a tone for each verb."""

from dataclasses import dataclass

from numbersadmin.audit.models import AuditEvent


@dataclass(frozen=True, slots=True)
class Words:
    """What a verb reads as; `icon` is one of static/icons.svg, `tone` ok, warn, bad or nothing."""

    text: str
    icon: str
    tone: str = ""


VERBS = {
    "number.purchased": Words("Bought", "shopping-cart", "ok"),
    "number.appeared": Words("Appeared at Infobip", "plus", "warn"),
    "number.adopted": Words("Found to be bought", "shopping-cart", "ok"),
    "number.reacquired": Words("Owned again", "plus", "warn"),
    "number.reappeared": Words("Back at Infobip", "refresh", "warn"),
    "number.price_changed": Words("Price changed", "receipt", "warn"),
    "number.capabilities_changed": Words("Capabilities changed", "edit", "warn"),
    "number.attributes_changed": Words("Facts changed", "edit"),
    "number.key_changed": Words("Key changed", "key", "warn"),
    "number.missing": Words("Missing at Infobip", "help-circle", "warn"),
    "number.found_again": Words("Found again", "refresh", "ok"),
    "number.disappeared": Words("Gone at Infobip", "ban", "bad"),
    "number.confirmed_gone": Words("Confirmed gone by a person", "ban", "bad"),
    "number.accepted": Words("Difference accepted", "check"),
    "number.watched": Words("Being watched", "eye"),
    "number.cancelled": Words("Cancelled", "ban", "bad"),
    "number.back_after_cancel": Words("Back after it was cancelled", "alert-triangle", "bad"),
    "number.listed_twice": Words("Listed twice at Infobip", "alert-triangle", "warn"),
    "number.assigned": Words("Assigned", "tag"),
    "number.acquired_stated": Words("Purchase day entered", "edit"),
    "number.acquired_taken_back": Words("Purchase day taken back", "edit"),
    "number.asked_for": Words("Asked for", "message"),
    "number.ask_given": Words("Given to who asked", "check", "ok"),
    "number.ask_refused": Words("Not given to who asked", "circle-x"),
    "number.ask_withdrawn": Words("No longer asked for", "ban"),
    "view.saved": Words("View saved", "bookmark"),
    "view.changed": Words("View changed", "bookmark"),
    "view.deleted": Words("View deleted", "bookmark"),
    "view.list_changed": Words("List set up", "columns-3"),
    "bulk.changed": Words("Many numbers changed", "tag"),
    "bulk.imported": Words("Numbers changed from a file", "tag"),
    "bulk.undone": Words("Bulk change undone", "history", "warn"),
    "order.submitted": Words("Ordered", "plus"),
    "order.approved": Words("Approved", "check", "ok"),
    "order.rejected": Words("Rejected", "x", "bad"),
    "order.withdrawn": Words("Withdrawn", "ban"),
    "order.expired": Words("Expired", "clock", "warn"),
    "order.commented": Words("Comment on an order", "message"),
    "order.reminded": Words("Reminded of an order", "clock"),
    "order.agreed": Words("Approved, one more needed", "check", "ok"),
    "order.paused": Words("Order paused", "player-pause", "warn"),
    "order.resumed": Words("Order goes on", "refresh"),
    "order.form_refused": Words("Altered form refused", "alert-triangle", "bad"),
    "item.outcome_proposed": Words("Outcome found by hand", "eye", "warn"),
    "item.outcome_refused": Words("Outcome by hand refused", "x"),
    "number.protected": Words("Protected", "lock", "warn"),
    "number.unprotected": Words("No longer protected", "lock-open"),
    "item.executing": Words("Sent to Infobip", "receipt"),
    "item.bought": Words("Order carried out", "circle-check", "ok"),
    "item.cancelled": Words("Cancellation carried out", "circle-check"),
    "item.failed": Words("Order failed", "circle-x", "bad"),
    "item.not_sent": Words("Put off", "clock"),
    "item.price_changed": Words("Price changed", "receipt", "warn"),
    "item.unknown": Words("Outcome unknown", "help-circle", "warn"),
    "policy.proposed": Words("Rule proposed", "plus"),
    "policy.confirmed": Words("Rule in force", "check", "ok"),
    "policy.retired": Words("Rule ended", "ban"),
    "policy.rejected": Words("Rule rejected", "x", "bad"),
    "policy.withdrawn": Words("Proposal withdrawn", "ban"),
    "budget.set": Words("Budget set", "coins"),
    "cost.corrected": Words("Cost corrected", "edit", "warn"),
    "cost.month_closed": Words("Month closed", "lock", "ok"),
    "cost.price_waived": Words("Closed without a price", "receipt", "warn"),
    "cost.reopen_asked": Words("Reopening asked for", "lock-open", "warn"),
    "cost.month_reopened": Words("Month reopened", "lock-open", "warn"),
    "cost.reopen_refused": Words("Reopening refused", "x"),
    "cost.reopen_withdrawn": Words("Reopening withdrawn", "ban"),
    "invoice.uploaded": Words("Invoice uploaded", "receipt"),
    "invoice.compared": Words("Invoice compared", "arrows-diff"),
    "invoice.row_ignored": Words("Row of an invoice ignored", "ban", "warn"),
    "invoice.difference_posted": Words("Difference to an invoice posted", "edit", "warn"),
    "invoice.unknown_number": Words("Billed, not ours", "alert-triangle", "bad"),
    "invoice.discarded": Words("Invoice discarded", "x", "warn"),
    "rate.set": Words("Exchange rate set", "coins"),
    "cost.note_added": Words("Note on a month", "message"),
    "cost.note_changed": Words("Note on a month changed", "edit"),
    "cost.note_removed": Words("Note on a month removed", "x"),
    "orders.stopped": Words("Buying and cancelling stopped", "player-pause", "bad"),
    "orders.resumed": Words("Buying and cancelling go on", "refresh", "ok"),
    "sync.finished": Words("Synced", "refresh"),
    "sync.guarded": Words("Sync held", "alert-triangle", "warn"),
    "sync.released": Words("Held numbers released", "check", "warn"),
    "sync.rejected": Words("Held numbers rejected", "x"),
    "sync.abandoned": Words("Sync given up", "alert-triangle", "warn"),
    "sync.prices_withheld": Words("Most prices not told", "alert-triangle", "warn"),
    "sync.gap": Words("Gap between syncs", "alert-triangle", "warn"),
    "attestation.opened": Words("Attestation opened", "checklist"),
    "attestation.prepared": Words("Attestation prepared", "checklist"),
    "attestation.noted": Words("Choice noted", "edit"),
    "attestation.answered": Words("Sheet answered", "circle-check", "ok"),
    "attestation.overdue": Words("Sheet not answered in time", "clock", "warn"),
    "attestation.extended": Words("More time to answer", "calendar"),
    "attestation.taken_over": Words("Number taken over", "check", "ok"),
    "attestation.refused": Words("Number not taken over", "x", "warn"),
    "attestation.void": Words("Hand-over had no object", "ban"),
    "attestation.closed": Words("Attestation closed", "lock"),
    "audit.sealed": Words("Audit log sealed", "lock"),
    "audit.verified": Words("Audit log verified", "circle-check", "ok"),
    "audit.broken": Words("Audit log was changed", "alert-triangle", "bad"),
    "user.added": Words("Person added", "user"),
    "user.disabled": Words("Person disabled", "lock", "warn"),
    "user.changed": Words("Preferences changed", "user"),
    "user.signed_in": Words("Signed in", "user"),
    "user.signed_out": Words("Signed out", "logout"),
    "user.password_changed": Words("Password changed", "key"),
}
KINDS = {
    "number": "Owned numbers",
    "view": "Saved views",
    "bulk": "Bulk changes",
    "order": "Orders",
    "item": "Items of orders",
    "policy": "Rules",
    "budget": "Budgets",
    "cost": "Costs",
    "invoice": "Invoices",
    "rate": "Exchange rates",
    "orders": "Stops",
    "sync": "Syncs",
    "attestation": "Attestation",
    "audit": "Audit log",
    "user": "People",
    "sandbox": "Sandbox",
}
PAGES = {
    "approvalpolicy": "/policies/{}/",
    "budget": "/policies/budgets/",
    "reopenask": "/costs/reopenings/{}/",
    "exchangerate": "/costs/rates/",
    "stop": "/policies/",
    "ownednumber": "/numbers/{}/",
    "bulkchange": "/numbers/change/{}/",
    "order": "/orders/{}/",
    "invoice": "/invoices/{}/",
    "syncrun": "/sync/{}/",
    "round": "/attestation/rounds/{}/",
    "sheet": "/attestation/{}/",
}


def words_of(verb: str) -> Words:
    """The words for a verb; one that is not listed reads as it is written."""
    noun, _, rest = verb.partition(".")
    return VERBS.get(verb) or Words(f"{noun} {rest}".replace("_", " ").strip().capitalize(), "circle-dashed")


def page_of(event: AuditEvent) -> tuple[str, str]:
    """Address and name of the page that an event is about, both empty when it has none."""
    for kind, key, name in (
        (event.subject_type, event.subject_id, event.subject),
        (event.related_type, event.related_id, f"{event.related_type} {event.related_id}"),
    ):
        if kind in PAGES:
            return PAGES[kind].format(key), name
    return "", ""
