"""Why something could not be done in an attestation, each in words for people."""


class AttestationError(Exception):
    """Something could not be done; the text says what happened and what to do. `field` names the field concerned."""

    def __init__(self, text: str, *, field: str = "") -> None:
        super().__init__(text)
        self.field = field


class Refused(AttestationError):
    """This person may not do it."""


class Overtaken(AttestationError):
    """Somebody else was first, or things have changed; nothing was done."""
