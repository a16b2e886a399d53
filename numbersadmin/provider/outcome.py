"""What a write's answer proves: done, not done, or unknown."""

from numbersadmin.provider.errors import Words, plain, provider_words
from numbersadmin.provider.schema import (
    Outcome,
    ProviderNumber,
    WriteResult,
    decode_row,
    same_number,
)
from numbersadmin.provider.transport import Answer, SendFailed

NO_CREDIT = "NOT_ENOUGH_CREDITS"
NOT_THE_API = frozenset({"server_error", "busy", "redirect", "bad_answer", "unexpected_status"})
RESERVATION_OVER = frozenset({"BILLING_FAILED", "ERROR", "RESERVATION_FAILED"})


def of_purchase(answer: Answer, number: str) -> WriteResult:
    """What the answer to a POST proves about buying `number`."""
    if answer.status not in (200, 201):
        return _of_status(answer, gone=Outcome.NOT_DONE)
    unknown = _unknown(answer.status)
    if not answer.body.strip():
        return unknown("empty", "the provider answered without a body")
    bought = decode_row(answer.body) if answer.is_json else None
    if not isinstance(bought, ProviderNumber):
        return unknown("bad_answer", "the provider's answer cannot be read")
    if not same_number(bought.number, number):
        return unknown("other_number", f"the provider answered for another number, {bought.number}")
    if bought.reservation_status in RESERVATION_OVER:
        text = f"the provider took the order and gave it up: {bought.reservation_status}"
        return WriteResult(Outcome.NOT_DONE, bought, answer.status, "reservation_failed", plain(text))
    if bought.reservation_status:
        return unknown(
            "pending", f"still being arranged at the provider: {bought.reservation_status}", bought
        )
    return WriteResult(Outcome.DONE, bought, answer.status)


def of_cancel(answer: Answer) -> WriteResult:
    """What the answer to a DELETE proves. 404 is unknown: it may be gone, and a look has to say so."""
    if answer.status == 204:
        return WriteResult(Outcome.DONE, None, 204)
    return _of_status(answer, gone=Outcome.UNKNOWN)


def of_failure(failure: SendFailed) -> WriteResult:
    """What a missing answer proves: only a request that was never sent is surely not done."""
    if failure.never_sent:
        return WriteResult(Outcome.NOT_DONE, error_kind="down", text=plain(failure.reason), retry=True)
    return WriteResult(Outcome.UNKNOWN, error_kind=failure.kind, text=plain(failure.reason))


def not_sent(text: str) -> WriteResult:
    """We refused to send it ourselves."""
    return WriteResult(Outcome.NOT_DONE, error_kind="refused", text=plain(text))


def refuses_credentials(status: int, words: Words | None) -> bool:
    """401 or 403, unless the 403 is about money."""
    return status == 401 or (status == 403 and not (words and words.code == NO_CREDIT))


def _of_status(answer: Answer, *, gone: Outcome) -> WriteResult:
    """The outcome by status alone; `gone` is what 404 and 409 mean until someone looks."""
    status, words = answer.status, provider_words(answer.body)
    text = words.shown if words else ""
    unknown = _unknown(status)
    if status == 429 or (status == 503 and answer.retry_after is not None):
        return WriteResult(
            Outcome.NOT_DONE, None, status, "busy", text or "busy", retry=True, retry_after=answer.retry_after
        )
    if refuses_credentials(status, words):
        text = text or "the provider refused the credentials"
        return WriteResult(Outcome.NOT_DONE, None, status, "credentials", text, credentials=True)
    if status == 403:
        return WriteResult(Outcome.NOT_DONE, None, status, "no_credit", text)
    if status in (400, 422):
        return WriteResult(Outcome.NOT_DONE, None, status, "refused", text or f"refused ({status})")
    if status in (404, 409):
        kind = "not_found" if status == 404 else "conflict"
        return WriteResult(gone, None, status, kind, text or f"the provider answered {status}")
    if status == 408 or status >= 500:
        return unknown("server_error", text or f"the provider answered {status}")
    if 300 <= status < 400:
        return unknown("redirect", f"redirected ({status}); check the base URL")
    return unknown("unexpected_status", text or f"the provider answered {status}")


class _unknown:  # noqa: N801 - reads as the word it is
    """Makes UNKNOWN results of one HTTP status."""

    def __init__(self, status: int) -> None:
        self._status = status

    def __call__(self, kind: str, text: str, number: ProviderNumber | None = None) -> WriteResult:
        return WriteResult(Outcome.UNKNOWN, number, self._status, kind, plain(text))
