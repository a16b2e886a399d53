"""Why something could not be done with an order, each in words for people."""


class OrderError(Exception):
    """Something could not be done; the first argument says what happened and what to do next.

    `field` names the form field concerned; `retry_after` is in seconds when trying again later helps.
    """

    def __init__(self, text: str, *, field: str = "", retry_after: float | None = None) -> None:
        super().__init__(text)
        self.field = field
        self.retry_after = retry_after


class Moved(OrderError):
    """Somebody else changed it first; nothing was done."""


class NotAllowed(OrderError):
    """This person may not do it."""


class OwnOrder(NotAllowed):
    """Nobody decides on what they asked for themselves."""


class Incomplete(OrderError):
    """Something is missing or wrong in what was sent."""


class AlreadyOrdered(OrderError):
    """Another order for the same number is still going on."""


class AlreadyOwned(OrderError):
    """The number is ours already."""


class NotOwnedAnyMore(OrderError):
    """The number to cancel is no longer ours."""


class OutOfDate(OrderError):
    """The order is not what the person saw when they decided."""


class Expired(OrderError):
    """It waited too long and can no longer be decided."""


class PriceUnread(OrderError):
    """The provider could not be asked, so nothing was decided."""
