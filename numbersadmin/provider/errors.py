"""What can go wrong when we ask the provider, and the provider's own words for it."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

LONGEST_TEXT = 200
UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]+")


class ProviderError(Exception):
    """No usable answer. `text` is plain (no markup is trusted), at most 200 characters."""

    kind = "bad_answer"

    def __init__(
        self,
        text: str = "",
        *,
        kind: str = "",
        http_status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.text = plain(text)
        self.kind = kind or type(self).kind
        self.http_status = http_status
        self.retry_after = retry_after
        super().__init__(self.text or self.kind)


class ProviderDown(ProviderError):
    """No connection, no answer in time, or a server error: try again later."""

    kind = "down"


class ProviderBusy(ProviderError):
    """429, or our own limiter would have to wait longer than the caller allows."""

    kind = "busy"


class CredentialsRefused(ProviderError):
    """401 or 403, or no call was made because they were refused a moment ago."""

    kind = "credentials"


class Refused(ProviderError):
    """The provider understood the question and said no (400, 422)."""

    kind = "refused"


class BadAnswer(ProviderError):
    """An answer that the API does not give: a web page, a redirect, another number's key."""

    kind = "bad_answer"


class NotOwned(ProviderError):
    """404 in the API's own form: this account does not have the number."""

    kind = "not_owned"


def plain(text: str) -> str:
    """One line of printable text, at most 200 characters."""
    line = UNPRINTABLE.sub(" ", text).strip()
    return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 1] + "…"


class Words(msgspec.Struct, frozen=True):
    """What the provider said in an error: a code to branch on, a text to show."""

    code: str = ""
    text: str = ""

    @property
    def shown(self) -> str:
        """Code and text as a person reads them."""
        return plain(f"{self.code}: {self.text}" if self.code and self.text else self.code or self.text)


def provider_words(body: bytes) -> Words | None:
    """Read either of the API's two error envelopes; None if the body is neither."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(answer, Mapping):
        return None
    request_error = answer.get("requestError")
    if isinstance(request_error, Mapping):
        return _service_exception(request_error)
    if isinstance(answer.get("errorCode"), str):
        text = _sentence(answer.get("description"), _violations(answer.get("violations")))
        return Words(code=plain(answer["errorCode"]), text=text)
    return None


def _service_exception(request_error: Mapping[str, Any]) -> Words:
    exception = request_error.get("serviceException") or request_error.get("policyException")
    if not isinstance(exception, Mapping):
        return Words()
    faults = exception.get("validationErrors")
    fields = faults.items() if isinstance(faults, Mapping) else ()
    detail = "; ".join(f"{name}: {', '.join(_strings(said))}" for name, said in fields)
    code = exception.get("messageId")
    return Words(
        code=plain(code) if isinstance(code, str) else "", text=_sentence(exception.get("text"), detail)
    )


def _violations(violations: object) -> str:
    if not isinstance(violations, list):
        return ""
    rows = [row for row in violations if isinstance(row, Mapping)]
    return "; ".join(f"{row.get('property', '')}: {row.get('violation', '')}" for row in rows)


def _strings(said: object) -> list[str]:
    return [str(each) for each in said] if isinstance(said, list) else [str(said)]


def _sentence(text: object, detail: str) -> str:
    said = text if isinstance(text, str) else ""
    return plain(f"{said} ({detail})" if said and detail else said or detail)
