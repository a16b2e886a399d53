"""The five calls of the provider's number API, as the rest of the program makes them."""

import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, urlencode

from django.conf import settings

from numbersadmin.provider import outcome
from numbersadmin.provider.circuit import Health
from numbersadmin.provider.errors import (
    BadAnswer,
    CredentialsRefused,
    NotOwned,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    Refused,
    plain,
    provider_words,
)
from numbersadmin.provider.limits import Caller, Kind, Limiter, Turn, account_name
from numbersadmin.provider.schema import (
    Page,
    ProviderNumber,
    WriteResult,
    decode_page,
    decode_row,
    digits,
)
from numbersadmin.provider.store import RedisStore, SqliteStore, Store
from numbersadmin.provider.transport import Answer, SendFailed, Transport

PERSON_SECONDS = 5.0  # how long a page waits for the provider, everything included
PERSON_TRIES = 2
PERSON_RETRY_AFTER = 2.0
TRIES = 3
DEADLINE_FACTOR = 3  # a whole answer may take three times the longest silence within it
PEOPLE_QUEUE_SECONDS = 0.1  # for one of the threads that may wait; who waits for that holds one up, too
RETRY_WAIT = 5.0
BUSY_SECONDS = 1.0  # after a 429 that does not say how long
BACKOFF_SECONDS = 0.25
PAGE_SIZE = 100  # rows asked for a page of a list when neither the setting nor the caller says


class Provider:
    """The provider for one account. Safe to share between threads.

    Reads raise ProviderError; writes return a WriteResult and raise only ProviderBusy or
    CredentialsRefused, and only before anything was sent. `wait` is the longest time in seconds to
    wait for our own rate limiter. `people` is how many pages of this process may wait for the provider at
    once: the rest of its threads stay free for pages that need nobody.
    """

    def __init__(
        self,
        base_url: str,
        prefix: str,
        authorization: str,
        timeout: float,
        limiter: Limiter,
        page_size: int,
        people: int = 4,
    ) -> None:
        self.prefix = prefix
        self.page_size = page_size
        self._timeout = timeout
        self._limiter = limiter
        self._secrets = (authorization, authorization.partition(" ")[2])
        self._transport = Transport(base_url, authorization)
        self._people = threading.BoundedSemaphore(people)

    def list_available(
        self,
        *,
        page: int = 0,
        limit: int | None = None,
        country: str = "",
        capabilities: tuple[str, ...] = (),
        number: str = "",
        caller: Caller = "person",
        wait: float = 2.0,
    ) -> Page:
        """One page of the numbers for sale; pages count from 0. `number` may be a part of one."""
        fields = [*self._paging(page, limit)]
        if self.prefix.startswith("/sms/"):  # then: one value with commas; today: one field each
            fields += [("capabilities", ",".join(capabilities))]
        else:
            fields += [("capabilities", each) for each in capabilities]
        fields += [("country", country.upper()), ("number", digits(number))]
        return self._page("/available", fields, caller, wait)

    def list_owned(
        self,
        *,
        page: int = 0,
        limit: int | None = None,
        number: str = "",
        caller: Caller = "person",
        wait: float = 2.0,
    ) -> Page:
        """One page of the numbers this account has; pages count from 0."""
        return self._page("", [*self._paging(page, limit), ("number", digits(number))], caller, wait)

    def get_owned(self, number_key: str, *, caller: Caller = "person", wait: float = 2.0) -> ProviderNumber:
        """The number of exactly this key. Raises NotOwned on the API's own 404."""
        quoted = quoted_key(number_key)
        if quoted is None:
            raise Refused("this number key cannot be part of an address")
        answer, turn = self._get("get", f"{self.prefix}/{quoted}", caller, wait)
        if answer.status == 404 and (not answer.body.strip() or provider_words(answer.body)):
            self._limiter.ok(turn)
            raise NotOwned("this account does not have the number", http_status=404)
        self._need_json(answer, turn)
        number = decode_row(answer.body)
        if not isinstance(number, ProviderNumber) or number.number_key != number_key:
            self._limiter.failed(turn, "answers for another number")
            raise BadAnswer("the answer is not about the number asked for", http_status=answer.status)
        self._limiter.ok(turn)
        return number

    def purchase(
        self,
        *,
        number_key: str,
        number: str,
        country: str = "",
        caller: Caller = "worker",
        wait: float = 30.0,
    ) -> WriteResult:
        """Buy a number, once: sent at most one time whatever happens. US numbers are bought by number."""
        body = {"number": digits(number)} if country.upper() == "US" else {"numberKey": number_key}
        if not all(body.values()) or not digits(number):
            return outcome.not_sent("neither a number key nor a number to buy")
        return self._write(
            "POST", self.prefix, body, caller, wait, lambda answer: outcome.of_purchase(answer, number)
        )

    def cancel(self, number_key: str, *, caller: Caller = "worker", wait: float = 30.0) -> WriteResult:
        """Give a number back, once: sent at most one time whatever happens."""
        quoted = quoted_key(number_key)
        if quoted is None:
            return outcome.not_sent("this number key cannot be part of an address")
        return self._write("DELETE", f"{self.prefix}/{quoted}", None, caller, wait, outcome.of_cancel)

    def knock(self) -> Page:
        """One harmless GET, never repeated: whether address, prefix and credentials are right."""
        return self._page("", self._paging(0, 1), "worker", 30.0, tries=1)

    def health(self) -> Health:
        """What all processes have seen of the provider; reads one small record, calls nobody."""
        return self._limiter.health()

    def _paging(self, page: int, limit: int | None) -> list[tuple[str, str]]:
        return [("limit", str(limit or self.page_size)), ("page", str(page))]

    def _page(
        self, path: str, fields: list[tuple[str, str]], caller: Caller, wait: float, tries: int = TRIES
    ) -> Page:
        query = urlencode([each for each in fields if each[1]], safe=",", quote_via=quote)
        answer, turn = self._get("list", f"{self.prefix}{path}?{query}", caller, wait, tries)
        self._need_json(answer, turn)
        try:
            page = decode_page(answer.body, answer.asked_at)
        except BadAnswer as error:
            self._limiter.failed(turn, error.text)
            raise
        self._limiter.ok(turn)
        return page

    def _get(
        self, kind: Kind, target: str, caller: Caller, wait: float, tries: int = TRIES
    ) -> tuple[Answer, Turn]:
        """GET with retries; returns any answer that is neither busy, nor a server error, nor a redirect."""
        if caller != "person":
            return self._tries(kind, target, caller, wait, tries, None)
        ends = time.monotonic() + PERSON_SECONDS
        if not self._people.acquire(timeout=min(wait, PEOPLE_QUEUE_SECONDS)):
            raise ProviderBusy("too many pages wait for the provider", retry_after=2.0)
        try:
            return self._tries(kind, target, caller, wait, PERSON_TRIES, ends)
        finally:
            self._people.release()

    def _tries(
        self, kind: Kind, target: str, caller: Caller, wait: float, tries: int, ends: float | None
    ) -> tuple[Answer, Turn]:
        trouble: ProviderError | None = None
        for turn_number in range(tries):
            try:
                turn = self._limiter.take(kind, caller, _within(wait, ends))
            except ProviderBusy as busy:
                raise trouble or busy from None
            try:
                return self._once(target, turn, ends), turn
            except ProviderBusy as busy:
                pause = BUSY_SECONDS if busy.retry_after is None else busy.retry_after
                busy.retry_after = max(pause, 1.0)
                trouble = busy
                if ends is not None and pause > PERSON_RETRY_AFTER:
                    raise
            except ProviderDown as down:
                trouble, pause = down, _backoff(turn_number, down.retry_after)
            last = turn_number == tries - 1
            if last or (ends is not None and time.monotonic() + pause + 0.5 > ends):
                break
            time.sleep(pause)
            wait = max(wait, RETRY_WAIT + pause)
        assert trouble is not None
        raise trouble

    def _once(self, target: str, turn: Turn, ends: float | None) -> Answer:
        """One GET. Raises what its status means, but for 200 and 404."""
        try:
            answer = self._send("GET", target, None, turn, ends)
        except SendFailed as failure:
            self._limiter.failed(turn, failure.reason)
            if failure.kind == "too_large":
                raise BadAnswer(failure.reason) from failure
            raise ProviderDown(failure.reason) from failure
        status = answer.status
        if status in (200, 404):
            return answer
        words = provider_words(answer.body)
        text = self._own(words.shown if words else "")
        if status == 429:
            self._limiter.pause(turn, answer.retry_after)
            raise ProviderBusy(text or "busy", http_status=429, retry_after=answer.retry_after)
        if outcome.refuses_credentials(status, words):
            self._limiter.refused(turn, text)
            raise CredentialsRefused(text or "the provider refused the credentials", http_status=status)
        if status == 408 or status >= 500:
            reason = f"the provider answered {status}"
            self._limiter.failed(turn, reason)
            raise ProviderDown(text or reason, http_status=status, retry_after=answer.retry_after)
        if words is not None:
            self._limiter.ok(turn)
            raise Refused(text or f"refused ({status})", http_status=status)
        raise self._unlike(answer, turn)

    def _need_json(self, answer: Answer, turn: Turn) -> None:
        if answer.status != 200 or not answer.is_json:
            raise self._unlike(answer, turn)

    def _unlike(self, answer: Answer, turn: Turn) -> BadAnswer:
        """An answer that the API does not give, in words; noted as the provider's trouble."""
        kind, status = "bad_answer", answer.status
        if 300 <= status < 400:
            kind, reason = "redirect", f"redirects elsewhere ({status}); check INFOBIP_BASE_URL"
        elif status == 404:
            reason = "has nothing at this address (404); check INFOBIP_PREFIX and INFOBIP_BASE_URL"
        elif status == 200:
            reason = "answers with something that is not JSON"
        else:
            reason = f"answers {status}"
        self._limiter.failed(turn, reason)
        return BadAnswer(f"the provider {reason}", kind=kind, http_status=status)

    def _write(
        self,
        method: str,
        target: str,
        body: dict[str, str] | None,
        caller: Caller,
        wait: float,
        judge: Callable[[Answer], WriteResult],
    ) -> WriteResult:
        """One POST or DELETE, sent at most once."""
        turn = self._limiter.take("write", caller, wait)
        try:
            answer = self._send(method, target, body, turn, None)
        except SendFailed as failure:
            self._limiter.failed(turn, failure.reason)
            return outcome.of_failure(failure)
        result = judge(answer)
        if result.credentials:
            self._limiter.refused(turn, self._own(result.text))
        elif answer.status == 429:
            self._limiter.pause(turn, answer.retry_after)
        elif result.error_kind in outcome.NOT_THE_API:
            self._limiter.failed(turn, result.text)
        else:
            self._limiter.ok(turn)
        return replace(result, text=self._own(result.text))

    def _send(
        self, method: str, target: str, body: dict[str, str] | None, turn: Turn, ends: float | None
    ) -> Answer:
        deadline = _within(self._timeout * DEADLINE_FACTOR, ends)
        return self._transport.send(
            method,
            target,
            body=body,
            read_timeout=min(self._timeout, deadline),
            deadline=deadline,
            on_sent=lambda: self._limiter.sent(turn),
        )

    def _own(self, text: str) -> str:
        """The provider's words without our credentials, should it repeat them."""
        for secret in self._secrets:
            text = text.replace(secret, "***") if secret else text
        return plain(text)


def quoted_key(number_key: str) -> str | None:
    """The key as one segment of a path; None for those that would mean another address."""
    if number_key in ("", ".", ".."):
        return None
    try:
        return quote(number_key, safe="")
    except UnicodeEncodeError:
        return None


def get_provider(prefix: str = "") -> Provider:
    """The provider that the settings name; `prefix` only to find out which one answers."""
    return _provider(
        os.getpid(),
        settings.INFOBIP_BASE_URL,
        prefix or settings.INFOBIP_PREFIX,
        settings.INFOBIP_AUTHORIZATION,
        float(settings.PROVIDER_TIMEOUT_SECONDS),
        settings.PROVIDER_RATE_LIMITS,
        settings.LIST_PAGE_SIZE or PAGE_SIZE,
        Path(settings.VAR_DIR),
        settings.REDIS_URL or "",
        max(1, settings.WEB_THREADS // 2),
    )


@lru_cache(maxsize=8)
def _provider(
    process: int,
    base_url: str,
    prefix: str,
    authorization: str,
    timeout: float,
    rate_limits: bool,
    page_size: int,
    var_dir: Path,
    redis_url: str,
    people: int,
) -> Provider:
    store: Store = RedisStore(redis_url) if redis_url else SqliteStore(var_dir / "provider.sqlite3")
    limiter = Limiter(store, account_name(base_url, authorization), enabled=rate_limits)
    return Provider(base_url, prefix, authorization, timeout, limiter, page_size, people)


def _within(seconds: float, ends: float | None) -> float:
    return seconds if ends is None else max(0.05, min(seconds, ends - time.monotonic()))


def _backoff(turn_number: int, retry_after: float | None) -> float:
    if retry_after is not None:
        return retry_after
    return float(BACKOFF_SECONDS * 2**turn_number * random.uniform(0.75, 1.25))  # noqa: S311 - spreads retries
