"""Everything that changes an attestation: open, fill, choose, answer, take over, extend, close.

`actor` is who acts, `now` the moment. What cannot be done raises an AttestationError (errors.py), whose text is for
people. Each act has its file; this one is the door.
"""

from datetime import datetime

from numbersadmin.attestation.answering import LONGEST_REASON, answer, note_choice
from numbersadmin.attestation.closing import close, close_if_complete, extend, mark_overdue
from numbersadmin.attestation.errors import AttestationError, Overtaken, Refused
from numbersadmin.attestation.handing import refuse, take_over
from numbersadmin.attestation.models import Sheet
from numbersadmin.attestation.opening import due_on, due_period, fill, open_round
from numbersadmin.attestation.selectors import open_round as the_open_round

__all__ = [
    "LONGEST_REASON",
    "AttestationError",
    "Overtaken",
    "Refused",
    "answer",
    "close",
    "close_if_complete",
    "due_on",
    "extend",
    "fill",
    "mark_overdue",
    "note_choice",
    "open_round",
    "refuse",
    "take_over",
    "tend",
]


def tend(*, now: datetime) -> list[Sheet]:
    """What the schedule does: open what is due, go on filling, pass on what is late; the sheets that are late now."""
    found = the_open_round()
    if found is None and (period := due_period(now)):
        try:
            found = open_round(actor=None, now=now, period=period)
        except AttestationError:  # somebody else opened it at this moment, or there is nothing to ask about
            return []
    if found is None:
        return []
    fill(round_id=found.pk, now=now)
    found.refresh_from_db()
    if close_if_complete(found, now):  # two last answers at the same moment did not see each other
        return []
    return mark_overdue(now=now)
