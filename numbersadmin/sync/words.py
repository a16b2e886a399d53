"""What became of a run, in one sentence that says what happened and what to do next."""

from django.conf import settings

from numbersadmin.provider.errors import ProviderError
from numbersadmin.sync.models import RunStatus, SyncRun
from numbersadmin.sync.reader import Readings

LONGEST = 300


def words_for(status: RunStatus, readings: Readings, unclear: str, run: SyncRun) -> tuple[str, str]:
    """The kind of error and the sentence kept with the run; both empty when there is nothing to say.

    `unclear` says why absent numbers could not be confirmed one by one.
    """
    error = readings.last.error
    if error is not None:
        said = of_error(error)
        if status == RunStatus.INCOMPLETE:
            said = f"{said} {_pages(readings)} read before; no number was ended."
        return error.kind, said[:LONGEST]
    if status == RunStatus.INCOMPLETE:
        said = f"The list was not complete in {len(readings.all)} readings: {readings.last.trouble}."
        return "", f"{said} No number was ended."[:LONGEST]
    if status == RunStatus.GUARDED:
        return "", held(len(run.held), readings.last.distinct)
    if unclear:
        return "", unconfirmed(run.missing, unclear)
    return "", ""


def unconfirmed(missing: int, unclear: str) -> str:
    """Why absent numbers are still counted as ours."""
    return f"{_numbers(missing)} could not be confirmed as gone: {unclear.rstrip('.')}."[:LONGEST]


def line(run: SyncRun) -> str:
    """A finished run in one line, for a terminal."""
    if run.status != RunStatus.COMPLETE:
        return f"Sync {run.pk} is {RunStatus(run.status).label.lower()}: {run.error}"
    took = (run.finished_at - run.started_at).total_seconds() if run.finished_at else 0
    found = f"{run.appeared} appeared, {run.changed} changed, {run.missing} missing, {run.ended} ended"
    read = f"{_numbers(run.distinct_keys)} on {'1 page' if run.pages == 1 else f'{run.pages:,} pages'}"
    return f"Sync {run.pk} is complete: {read} in {took:.1f} s; {found}. {run.error}".rstrip()


def of_error(error: ProviderError) -> str:
    """What the provider did, and what helps."""
    name, words = settings.PROVIDER_NAME, f" ({error.text.rstrip('.')})" if error.text else ""
    return {
        "credentials": f"{name} refuses our sign-in{words}. An administrator has to renew the credentials.",
        "down": f"{name} did not answer{words}. The next sync tries again.",
        "busy": f"{name} is busy{words}. The next sync tries again.",
        "redirect": f"{name}'s address is not right{words}.",
        "refused": f"{name} refused to list the numbers{words}.",
    }.get(error.kind, f"{name}'s answer could not be read{words}. The next sync tries again.")


def held(gone: int, listed: int) -> str:
    """Why a run waits for a person."""
    next_step = (
        f"Nothing was ended. Look at the account at {settings.PROVIDER_NAME}, then release or reject it."
    )
    if not listed:
        are = "is" if gone == 1 else "are"
        return f"The list was empty although {_numbers(gone)} {are} ours. {next_step}"
    return f"{_numbers(gone)} are gone from the list at once. {next_step}"


def _numbers(count: int) -> str:
    return "1 number" if count == 1 else f"{count:,} numbers"


def _pages(readings: Readings) -> str:
    return "1 page was" if readings.pages == 1 else f"{readings.pages:,} pages were"
