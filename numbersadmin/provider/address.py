"""Where the provider is and how we sign in to it: both checked once, at the start."""

import base64
import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

API_PATH = re.compile(r"/(sms|numbers)/1/numbers(/available)?", re.IGNORECASE)
HOST = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
APP_PREFIX = re.compile(r"^(authorization:\s*)?app\s+", re.IGNORECASE)
OTHER_SCHEME = re.compile(r"^(authorization:\s*)?(bearer|basic|ibsso|api|apikey)\s+", re.IGNORECASE)


def normalise_base_url(text: str) -> str:
    """Turn what a person pasted into `scheme://host[:port]`.

    A missing scheme, a trailing slash and the path of the API itself are put right. Anything that
    could send the credentials elsewhere or in the clear raises ValueError with one plain sentence.
    """
    pasted = text.strip().strip("\"'").strip()
    if not pasted:
        raise ValueError("it is empty.")
    if not pasted.isascii() or not pasted.isprintable() or " " in pasted or "\\" in pasted:
        raise ValueError("it holds a character that no address has.")
    schemeless = "://" not in pasted
    parts = _split(f"https://{pasted.lstrip('/')}" if schemeless else pasted)
    host, port = _host(parts, schemeless=schemeless), _port(parts)
    scheme = "http" if schemeless and is_loopback(host) else parts.scheme
    if scheme not in ("https", "http"):
        raise ValueError(f"it starts with {scheme}:// and has to be https.")
    if scheme == "http" and not is_loopback(host):
        raise ValueError("it is plain http, and the credentials need https.")
    _refuse_extras(parts)
    shown = f"[{host}]" if ":" in host else host
    if port is None or port == {"https": 443, "http": 80}[scheme]:
        return f"{scheme}://{shown}"
    return f"{scheme}://{shown}:{port}"


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def authorization(*, api_key: str = "", username: str = "", password: str = "") -> str:
    """Build the whole Authorization header value: `App <key>` or `Basic <base64>`.

    A key that was pasted together with its `App ` is accepted. Raises ValueError with one plain
    sentence, which never repeats the secret.
    """
    key = APP_PREFIX.sub("", api_key.strip().strip("\"'").strip())
    if key and (username or password):
        raise ValueError("set an API key, or a user name with a password, but not both.")
    if key:
        return f"App {_checked_key(key)}"
    if not username and not password:
        raise ValueError("there are no credentials: set an API key, or a user name with a password.")
    if not username or not password:
        missing = "password" if username else "user name"
        raise ValueError(f"the {missing} is missing; a user name and a password go together.")
    if ":" in username:
        raise ValueError("the user name holds a colon, which Basic authorization cannot carry.")
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


def _checked_key(key: str) -> str:
    if OTHER_SCHEME.match(key):
        raise ValueError("the API key starts with another scheme's word; give the key alone.")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("the API key holds a space or a character that no key has; copy it again.")
    return key


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError as error:
        raise ValueError("it cannot be read as an address.") from error


def _host(parts: SplitResult, *, schemeless: bool) -> str:
    host = (parts.hostname or "").rstrip(".").lower()
    if is_loopback(host) and ":" in host:
        return host
    if not HOST.fullmatch(host):
        raise ValueError("it has no proper host name.")
    if schemeless and "." not in host and host != "localhost":
        raise ValueError("it needs the whole host name.")
    return host


def _port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError("its port is not a number from 1 to 65535.") from error
    if port == 0:
        raise ValueError("its port is not a number from 1 to 65535.")
    return port


def _refuse_extras(parts: SplitResult) -> None:
    if parts.username is not None or parts.password is not None:
        raise ValueError("it holds a user name; credentials have settings of their own.")
    if parts.query or parts.fragment:
        raise ValueError("it goes on with ? or #; give only the host.")
    path = parts.path.rstrip("/")
    if path and not API_PATH.fullmatch(path):
        raise ValueError("it has a path; give only the host.")


def normalise_prefix(text: str) -> str:
    """The path that all five calls start with, as `/sms/1/numbers`; ValueError with one plain sentence."""
    path = "/" + text.strip().strip("/")
    if not re.fullmatch(r"(/[A-Za-z0-9_-]+)+", path):
        raise ValueError("the prefix is a path of letters and digits between slashes.")
    return path
