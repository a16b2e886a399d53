"""Sentences about orders for people: what happened to an item, and what a failure means."""

from collections.abc import Sequence

from django.conf import settings

from numbersadmin.formats import when
from numbersadmin.orders.models import Kind, OrderItem, State

PROVIDER = settings.PROVIDER_NAME

FAILURES = {
    "gone": "Somebody else bought it first. Nothing was charged.",
    "not_for_sale": "It is no longer for sale. Nothing was sent.",
    "already_owned": "It is in your account already, bought elsewhere. Nothing was sent.",
    "already_ended": "The number was no longer yours. Nothing was sent.",
    "other_order": "Another order bought it. This one did not buy it again.",
    "refused": f"{PROVIDER} refused it. Nothing was charged.",
    "no_credit": f"{PROVIDER} says that the account has not enough credit. Nothing was bought.",
    "credentials": f"{PROVIDER} refused our sign-in. Nothing was done.",
    "not_sent": f"{PROVIDER} could not be reached after several tries. Nothing was done.",
    "not_bought": "It was not bought: it is not on the purchased list and still for sale.",
    "not_cancelled": f"It was not cancelled: {PROVIDER} still lists it as yours.",
    "said_not_bought": "It was not bought: two people looked into it and say so.",
    "said_not_cancelled": "It was not cancelled: two people looked into it and say so.",
    "reservation_failed": f"{PROVIDER} took the order and gave it up. Nothing was bought.",
    "key_mismatch": f"{PROVIDER} lists it under another key now. Nothing was cancelled. Sync, then ask again.",
    "key_unusable": f"Its key cannot be part of an address. Nothing was sent. Cancel it at {PROVIDER} itself.",
    "expired": "It waited too long.",
}
NOTES = {
    "settled": "No answer came, but it was found on the purchased list.",
    "adopted": "It showed up on the purchased list after its order had ended.",
    "found": f"{PROVIDER} had put it off, but it was found on the purchased list. It was not sent again.",
    "by_hand": "No answer came; two people looked into it and say so.",
    "confirmed": f"No answer came, but {PROVIDER} confirms that it is gone.",
    "already_gone": f"It was already gone at {PROVIDER}.",
}
WHY_UNKNOWN = {
    "timeout": "did not answer in time",
    "lost": "was asked, and the connection broke before the answer was whole",
    "too_large": "gave an answer that is too large to read",
    "empty": "answered without saying what became of it",
    "bad_answer": "gave an answer that cannot be read",
    "other_number": "answered for another number",
    "pending": "is still arranging it",
    "server_error": "answered with an error of its own",
    "redirect": "sent us elsewhere",
    "lease": "was asked, and then our own program stopped before the answer was written down",
    "not_found": "answered that it does not know the number",
    "conflict": "answered that something is in the way",
    "refused": "refused, and could not be asked whether it is yours",
}


def failure_words(item: OrderItem) -> str:
    """Why an item failed, with the provider's own words behind ours."""
    ours = FAILURES.get(item.failure, "It could not be done.")
    return f"{ours} {PROVIDER} says: {item.failure_text}" if item.failure_text else ours


def why_unknown(error_kind: str) -> str:
    """What the provider did instead of answering."""
    return f"{PROVIDER} {WHY_UNKNOWN.get(error_kind, 'gave no definite answer')}"


def happened(item: OrderItem) -> str:
    """What became of an item, in one sentence; empty where its state says all."""
    if item.state == State.DONE:
        return NOTES.get(item.note) or f"Confirmed by {PROVIDER} at {when(item.updated_at, 'seconds')}"
    if item.state == State.FAILED:
        return failure_words(item)
    if item.state == State.EXECUTING:
        return f"Sent, waiting for {PROVIDER}"
    if item.state == State.UNKNOWN:
        return f"No definite answer. Looking for it at {PROVIDER}"
    if item.state == State.PENDING and item.changed_quote:
        return "The price changed, so nothing was bought"
    if item.state == State.APPROVED:
        if item.execute_after and item.execute_after == item.not_before:
            return f"Will be cancelled on {when(item.execute_after)}"
        if item.order.paused_at:
            return "Waits until somebody lets the order go on"
        waits = f"Put off until {when(item.not_before, 'seconds')}" if item.not_before else ""
        return waits or ("To be bought next" if item.kind == Kind.PURCHASE else "To be cancelled next")
    return ""


def listed(names: Sequence[str], word: str = "and") -> str:
    """`Ana`, `Ana and Ben`, `Ana, Ben and Cleo`; `word` stands before the last."""
    return f" {word} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
