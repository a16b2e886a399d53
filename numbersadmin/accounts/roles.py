"""Who may do what: the permissions of each role.

Four eyes bind persons, not roles: whoever asked for something never approves it, whatever roles they hold.
"""

from django.db import models


class Role(models.TextChoices):
    """A role as stored and as typed on the command line, with its name for people."""

    VIEWER = "viewer", "Viewer"
    MANAGER = "manager", "Account manager"
    APPROVER = "approver", "Approver"
    FINANCE = "finance", "Finance"
    ADMIN = "admin", "Administrator"


SEE = {
    "overview.view",
    "available.search",
    "numbers.view",
    "orders.view",
    "policies.view",
    "costs.view",
    "invoices.view",
    "sync.view",
    "audit.view",
    "attestation.answer",  # what one owns oneself, and what is handed over to one
    "me.view",
    "sandbox.control",  # its page exists only with the sandbox, so that anyone can see how the product behaves
}

PERMISSIONS: dict[str, frozenset[str]] = {
    Role.VIEWER: frozenset(SEE),
    Role.MANAGER: frozenset(
        SEE | {"orders.submit", "orders.give_back", "numbers.edit_own", "numbers.bulk", "sync.start"}
    ),
    Role.APPROVER: frozenset(
        SEE
        | {
            "orders.submit",
            "orders.give_back",
            "orders.approve",
            "orders.decide",
            "orders.confirm_outcome",
            "orders.resume",
            "numbers.edit_own",
            "numbers.edit",
            "numbers.protect",
            "numbers.bulk",
            "sync.start",
            "sync.decide",
            "costs.export",
        }
        | {"audit.view_all", "audit.export", "attestation.view_all"}
    ),
    Role.FINANCE: frozenset(
        SEE
        | {
            "orders.approve_budget",
            "orders.decide",
            "orders.confirm_outcome",
            "policies.confirm",
            "budgets.edit",
        }
        | {"numbers.edit_own", "numbers.edit", "numbers.protect", "numbers.bulk", "numbers.state_date"}
        | {"sync.start", "sync.decide", "sync.release"}
        | {"costs.export", "audit.view_all", "audit.export", "attestation.view_all"}
        | {"costs.close", "costs.correct", "costs.reopen", "costs.note", "costs.rates", "invoices.edit"}
        | {"orders.give_back"}
    ),
    Role.ADMIN: frozenset(
        SEE
        | {
            "orders.withdraw_any",
            "orders.resolve",
            "orders.resume",
            "orders.stop",
            "policies.propose",
            "numbers.bulk",
            "numbers.undo_any",
            "sync.start",
            "sync.decide",
            "sync.release",
            "costs.export",
            "costs.reopen",  # as the second person
            "audit.view_all",
            "audit.export",
        }
        | {"provider.credentials", "attestation.view_all", "attestation.manage"}
        | {"orders.give_back"}  # in an attestation, for owners who did not answer; another person approves
    ),
}


def permissions_of(roles: frozenset[str]) -> frozenset[str]:
    """Everything that a person with these roles may do."""
    return frozenset().union(*(PERMISSIONS.get(role, frozenset()) for role in roles))
