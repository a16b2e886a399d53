"""What changes what a month costs: close, correct, waive. The door for other apps; each verb has its file."""

from numbersadmin.costs.checklist import MORE, Item, Weight
from numbersadmin.costs.closing import AlreadyClosed, CannotClose, Moved, Review, close, review
from numbersadmin.costs.focus import INVOICES
from numbersadmin.costs.ledger import take_turn
from numbersadmin.costs.possessions import Subject, held_with
from numbersadmin.costs.posting import CannotCorrect, Correction, post_correction, post_corrections
from numbersadmin.costs.waiving import CannotWaive, unpriced, waive

__all__ = [
    "INVOICES",
    "MORE",
    "AlreadyClosed",
    "CannotClose",
    "CannotCorrect",
    "CannotWaive",
    "Correction",
    "Item",
    "Moved",
    "Review",
    "Subject",
    "Weight",
    "close",
    "held_with",
    "post_correction",
    "post_corrections",
    "review",
    "take_turn",
    "unpriced",
    "waive",
]
