"""Everything that changes orders: submit, approve, reject, withdraw, carry out, settle, adopt.

Functions that ask the provider do so before their transaction, never inside. `actor` is who acts, `now` the
moment. What cannot be done raises an OrderError (orders/errors.py), whose text is for people. Each verb has its
file; this one is the door for pages, tasks and other apps.
"""

from numbersadmin.orders.adopting import adopt, adopt_cancelled
from numbersadmin.orders.confirmation import seal_offers
from numbersadmin.orders.deciding import Approval, approve, may_withdraw, reject, withdraw
from numbersadmin.orders.errors import (
    AlreadyOrdered,
    AlreadyOwned,
    Expired,
    Incomplete,
    Moved,
    NotAllowed,
    NotOwnedAnyMore,
    OrderError,
    OutOfDate,
    OwnOrder,
    PriceUnread,
)
from numbersadmin.orders.ledger import Ledger, purchase_ledgers
from numbersadmin.orders.lookups import read_quotes
from numbersadmin.orders.pausing import resume
from numbersadmin.orders.quotes import Offer, Quote, fingerprint_of
from numbersadmin.orders.resolving import confirm_outcome, propose_outcome, refuse_outcome
from numbersadmin.orders.submitting import (
    LONGEST_COST_CENTRE,
    LONGEST_REASON,
    MOST_BULK,
    MOST_ITEMS,
    note_altered_form,
    submit_cancel,
    submit_give_back,
    submit_purchase,
)
from numbersadmin.orders.sweeping import Swept, sweep

__all__ = [
    "LONGEST_COST_CENTRE",
    "LONGEST_REASON",
    "MOST_BULK",
    "MOST_ITEMS",
    "AlreadyOrdered",
    "AlreadyOwned",
    "Approval",
    "Expired",
    "Incomplete",
    "Ledger",
    "Moved",
    "NotAllowed",
    "NotOwnedAnyMore",
    "Offer",
    "OrderError",
    "OutOfDate",
    "OwnOrder",
    "PriceUnread",
    "Quote",
    "Swept",
    "adopt",
    "adopt_cancelled",
    "approve",
    "confirm_outcome",
    "fingerprint_of",
    "may_withdraw",
    "note_altered_form",
    "propose_outcome",
    "purchase_ledgers",
    "read_quotes",
    "refuse_outcome",
    "reject",
    "resume",
    "seal_offers",
    "submit_cancel",
    "submit_give_back",
    "submit_purchase",
    "sweep",
    "withdraw",
]
