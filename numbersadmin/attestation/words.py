"""How the states of sheets and lines look: a tone, an icon, words."""

from numbersadmin.formats import Look

SHEETS = {
    "open": Look("info", "hourglass", "Waits for its owner"),
    "overdue": Look("warn", "clock", "Not answered in time"),
    "answered": Look("ok", "circle-check", "Answered"),
    "unanswered": Look("warn", "help-circle", "Never answered"),
}
NOBODYS = Look("info", "hourglass", "Waits for an administrator")
LINES = {
    "keep": Look("", "check", "Keep"),
    "hand_over": Look("info", "users", "Hand over"),
    "give_back": Look("warn", "ban", "Give back"),
    "open": Look("", "circle-dashed", "Not answered"),
    "kept": Look("ok", "circle-check", "Kept"),
    "given_back": Look("warn", "ban", "Cancellation ordered"),
    "handing": Look("info", "hourglass", "Waits to be taken over"),
    "handed": Look("ok", "users", "Taken over"),
    "returned": Look("", "x", "Not taken over"),
    "skipped": Look("", "circle-dashed", "Nothing done"),
    "unanswered": Look("warn", "help-circle", "Never answered"),
}
