"""How mail leaves: the addresses it needs, read strictly, and the log in place of a server where there is none."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import getaddresses
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

logger = logging.getLogger(__name__)

SMTP = "django.core.mail.backends.smtp.EmailBackend"
LOG = f"{__name__}.LogBackend"
ADDRESS = re.compile(r"[^\s@<>,;:\"\\]+@[^\s@<>,;:\"\\]+")


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over; `tls` is switched on after connecting, `ssl` from the start."""

    backend: str = LOG
    host: str = ""
    port: int = 25
    user: str = ""
    password: str = ""
    tls: bool = False
    ssl: bool = False


def mail_server(url: str) -> MailServer:
    """The server of `smtp://user:password@host:587?tls=1` or `smtps://...`; without one, mails go to the log.

    Raises ValueError, whose text never repeats the address: it can hold a password.
    """
    if not url:
        return MailServer()
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise ValueError("it is not the address of a mail server.") from None
    if parts.scheme not in ("smtp", "smtps") or not host or port == 0:
        raise ValueError("it is not the address of a mail server.")
    if parts.path not in ("", "/") or parts.fragment or query not in ([], [("tls", "1")], [("tls", "0")]):
        raise ValueError("behind the port only ?tls=1 is understood; write / ? # @ in a password as %2F ...")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    ssl, tls = parts.scheme == "smtps", query == [("tls", "1")]
    if bool(user) != bool(password):
        raise ValueError("a user name and a password go together.")
    if ssl and tls:
        raise ValueError("smtps is encrypted from the start; leave ?tls=1 out.")
    if password and not (ssl or tls):
        raise ValueError("a password is only sent encrypted: add ?tls=1, or use smtps.")
    return MailServer(SMTP, host, port or (465 if ssl else 587 if tls else 25), user, password, tls, ssl)


def sender(text: str) -> str:
    """`numbers@example.com` or `Numbers <numbers@example.com>`. Raises ValueError."""
    found = [address for _, address in getaddresses([text])]
    if not text.isprintable() or len(found) != 1 or not ADDRESS.fullmatch(found[0]):
        raise ValueError("it is not a mail address.")
    return text


def public_url(text: str) -> str:
    """The address that people open, without a slash at its end. Raises ValueError."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("it is not the address of a website.") from None
    plain = parts.scheme in ("http", "https") and parts.hostname and port != 0 and text.isprintable()
    if not plain or " " in text or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("it is not the address of a website.")
    return text.rstrip("/")


class LogBackend(BaseEmailBackend):
    """Writes mails to the log, as one does that has no mail server: who, subject, and the text below it."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Log each message; returns how many."""
        for message in email_messages:
            text = "\n".join(f"    {line}" for line in str(message.body).strip().splitlines() if line.strip())
            logger.info("mail to %s: %s\n%s", ", ".join(message.to), message.subject, text)
        return len(email_messages)
