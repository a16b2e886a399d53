"""Settings, read once and strictly from the environment; docs/operations.md lists every variable.

A missing or wrong variable stops the start with one line on stderr that names it and shows a right value.
"""

import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import dj_database_url
from csp.constants import NONE, SELF
from environs import Env

from numbersadmin.accounts.mail import mail_server, public_url, sender
from numbersadmin.accounts.secret_key import local_secret_key
from numbersadmin.provider.address import authorization, normalise_base_url, normalise_prefix

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env()
Value = TypeVar("Value")
ON, OFF = ("on", "true", "yes", "1"), ("off", "false", "no", "0")


def stop(name: str, problem: str, example: str) -> NoReturn:
    """End the process with the one line an operator needs."""
    sys.exit(f"{name}: {problem} Example: {name}={example}")


def text(name: str, default: str = "") -> str:
    """The variable's text without surrounding space; empty counts as unset."""
    return env.str(name, default).strip() or default


def switch(name: str, default: bool) -> bool:
    """A boolean written as on/off, true/false, yes/no or 1/0."""
    value = text(name).lower()
    if value and value not in (*ON, *OFF):
        stop(name, f"'{text(name)}' is neither on nor off.", "on")
    return value in ON if value else default


def seconds(name: str, default: int, least: int, most: int = 10_000_000) -> int:
    """A whole number of seconds, or of anything else counted, from `least` to `most`."""
    value = text(name, str(default))
    if not (value.isascii() and value.isdigit()) or not least <= int(value) <= most:
        stop(name, f"'{value}' is not a whole number from {least} to {most}.", str(default))
    return int(value)


def zone(name: str) -> str:
    """The name of a time zone that this machine knows."""
    value = text(name, "UTC")
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):
        stop(name, f"'{value}' is not a known time zone.", "Europe/Zagreb")
    return value


def parsed(name: str, parse: Callable[[str], Value], default: str, example: str) -> Value:
    """The variable as `parse` makes it; its ValueError stops the start."""
    try:
        return parse(text(name, default))
    except ValueError as error:
        stop(name, str(error), example)


def is_redis(url: str) -> bool:
    """Is it the address of a Redis, with a port that there is?"""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("redis", "rediss", "unix") and parts.port != 0
    except ValueError:
        return False


# Where we run ---------------------------------------------------------------------------------------------------
ENVIRONMENT = text("ENVIRONMENT", "local")
if ENVIRONMENT not in ("local", "production"):
    stop("ENVIRONMENT", f"'{ENVIRONMENT}' is neither local nor production.", "production")
PRODUCTION = ENVIRONMENT == "production"
DEBUG = switch("DEBUG", False)
VAR_DIR = Path(text("VAR_DIR", str(BASE_DIR / "var"))).expanduser().absolute()
try:
    VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
except OSError as error:
    stop("VAR_DIR", f"'{VAR_DIR}' cannot be made ({error.strerror}).", "/var/lib/numbersadmin")
SECRET_KEY = text("SECRET_KEY")
if PRODUCTION and (
    len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) < 5 or SECRET_KEY.startswith("django-insecure-")
):
    stop("SECRET_KEY", "production needs a long random one.", "<50 random characters or more>")
SECRET_KEY = SECRET_KEY or local_secret_key(VAR_DIR)
ALLOWED_HOSTS = [host.strip() for host in text("ALLOWED_HOSTS").split(",") if host.strip()]
if PRODUCTION and not ALLOWED_HOSTS:
    stop("ALLOWED_HOSTS", "production needs the names it is reached by.", "numbers.example.com")
if any("/" in host or " " in host or host == "*" for host in ALLOWED_HOSTS):
    problem = "these are host names separated by commas, without scheme or star."
    stop("ALLOWED_HOSTS", problem, "numbers.example.com")
ALLOWED_HOSTS = ALLOWED_HOSTS or ["127.0.0.1", "localhost", "[::1]"]
_site = f"https://{ALLOWED_HOSTS[0].lstrip('.')}" if PRODUCTION else "http://127.0.0.1:8000"
PUBLIC_URL = parsed("PUBLIC_URL", public_url, _site, "https://numbers.example.com")
if PRODUCTION and not PUBLIC_URL.startswith("https:"):
    stop("PUBLIC_URL", "production is reached over https.", "https://numbers.example.com")

# The provider ---------------------------------------------------------------------------------------------------
PROVIDER_NAME = "Infobip"
SANDBOX = not text("INFOBIP_BASE_URL")
SANDBOX_URL_FILE = VAR_DIR / "sandbox.url"
if PRODUCTION and SANDBOX:
    stop("INFOBIP_BASE_URL", "production does not run on the sandbox.", "https://xxxxx.api.infobip.com")
if SANDBOX:
    # `up` writes the sandbox's address before it starts the other processes.
    INFOBIP_BASE_URL = (
        SANDBOX_URL_FILE.read_text().strip() if SANDBOX_URL_FILE.exists() else "http://127.0.0.1:9"
    )
    INFOBIP_AUTHORIZATION = "App sandbox"
else:
    INFOBIP_BASE_URL = parsed("INFOBIP_BASE_URL", normalise_base_url, "", "https://xxxxx.api.infobip.com")
    try:
        INFOBIP_AUTHORIZATION = authorization(
            api_key=text("INFOBIP_API_KEY"),
            username=text("INFOBIP_USERNAME"),
            password=env.str("INFOBIP_PASSWORD", ""),
        )
    except ValueError as error:
        half = text("INFOBIP_USERNAME") and not text("INFOBIP_PASSWORD") and not text("INFOBIP_API_KEY")
        missing = "INFOBIP_PASSWORD" if half else "INFOBIP_API_KEY"
        stop(missing, str(error), "<password>" if half else "<key of the account, scope numbers:manage>")
BILLING_ACCOUNT_ID = text("BILLING_ACCOUNT_ID") or urlsplit(INFOBIP_BASE_URL).hostname
INFOBIP_PREFIX = parsed("INFOBIP_PREFIX", normalise_prefix, "/sms/1/numbers", "/numbers/1/numbers")
PROVIDER_RATE_LIMITS = switch("PROVIDER_RATE_LIMITS", True)
PROVIDER_TIMEOUT_SECONDS = seconds("PROVIDER_TIMEOUT_SECONDS", 10, 1)
LIST_PAGE_SIZE = seconds("LIST_PAGE_SIZE", 0, 0)  # 0: a sync learns it, everybody else asks for 100
SYNC_THREADS = seconds("SYNC_THREADS", 1, 1)

# Rhythm ---------------------------------------------------------------------------------------------------------
SYNC_INTERVAL_SECONDS = seconds("SYNC_INTERVAL_SECONDS", 900, 0)  # 0 switches the periodic sync off
SWEEP_INTERVAL_SECONDS = seconds("SWEEP_INTERVAL_SECONDS", 60, 1)
SETTLE_INTERVAL_SECONDS = seconds("SETTLE_INTERVAL_SECONDS", 60, 1)
ATTESTATION_EVERY_MONTHS = seconds("ATTESTATION_EVERY_MONTHS", 3, 0, 24)  # 0: when somebody starts one
ATTESTATION_DAYS = seconds("ATTESTATION_DAYS", 14, 1, 90)  # to answer

# Time -----------------------------------------------------------------------------------------------------------
USE_TZ = True
TIME_ZONE = zone("TIME_ZONE")
BILLING_TIME_ZONE = zone("BILLING_TIME_ZONE")
LANGUAGE_CODE = "en"
USE_I18N = False

# Database -------------------------------------------------------------------------------------------------------
POSTGRES = "postgres://user:password@host:5432/numbersadmin"
DATABASE_URL = text("DATABASE_URL", f"sqlite:///{VAR_DIR / 'numbersadmin.sqlite3'}")
try:
    DATABASES = {"default": dj_database_url.parse(DATABASE_URL)}
except ValueError:
    stop("DATABASE_URL", "it is not the address of a database.", POSTGRES)
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",  # a read-then-write transaction never fails with "database is locked"
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA recursive_triggers=ON;",
    }
elif DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    DATABASES["default"]["OPTIONS"] = {**DATABASES["default"].get("OPTIONS", {}), "connect_timeout": 2}
else:
    stop("DATABASE_URL", "only PostgreSQL and SQLite are supported.", POSTGRES)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Applications ---------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "numbersadmin.overview",
    "numbersadmin.invoices",
    "numbersadmin.costs",
    "numbersadmin.sync",
    "numbersadmin.attestation",
    "numbersadmin.available",
    "numbersadmin.orders",
    "numbersadmin.policies",
    "numbersadmin.numbers",
    "numbersadmin.accounts",
    "numbersadmin.audit",
    "numbersadmin.provider",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "axes",
    "csp",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "numbersadmin.web.RequestFactsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "numbersadmin.accounts.middleware.SessionAgeMiddleware",
    "numbersadmin.accounts.middleware.TimeZoneMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "numbersadmin.urls"
WSGI_APPLICATION = "numbersadmin.wsgi.application"
DATA_UPLOAD_MAX_MEMORY_SIZE = 11_000_000  # pasted lines of an import: it says itself when they are too many
FILES = "django.template.loaders.filesystem.Loader"
LOADERS: list[Any] = [FILES] if DEBUG else [("django.template.loaders.cached.Loader", [FILES])]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": LOADERS,
            "builtins": [
                "numbersadmin.formats",
                "django.templatetags.static",
                "django_htmx.templatetags.django_htmx",
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "numbersadmin.overview.shell.shell",
            ],
        },
    }
]

# People and sessions --------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "/"
SESSION_IDLE = timedelta(minutes=30)
SESSION_ABSOLUTE = timedelta(hours=12)
SESSION_COOKIE_AGE = int(SESSION_ABSOLUTE.total_seconds())
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_NAME = "__Host-session" if PRODUCTION else "numbersadmin_session"
CSRF_COOKIE_NAME = "__Host-csrf" if PRODUCTION else "numbersadmin_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "numbersadmin.web.csrf_failure"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = ["username", "ip_address"]
AXES_HTTP_RESPONSE_CODE = 429
AXES_LOCKOUT_TEMPLATE = "accounts/locked_out.html"
AXES_CLIENT_IP_CALLABLE = "numbersadmin.web.client_ip"
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False

# Security headers -----------------------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SILENCED_SYSTEM_CHECKS = [
    "security.W021"
]  # asking browsers to preload a company's domain is the company's decision
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PRODUCTION else None
CSRF_TRUSTED_ORIGINS = [f"https://{host.lstrip('.')}" for host in ALLOWED_HOSTS] if PRODUCTION else []
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# Static files ---------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_KEEP_ONLY_HASHED_FILES = True  # nothing asks for the others
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# The web server -------------------------------------------------------------------------------------------------
WEB_THREADS = seconds("WEB_THREADS", 8, 2)  # of each process; half of them may wait for the provider

# Mail -----------------------------------------------------------------------------------------------------------
_mail = parsed("EMAIL_URL", mail_server, "", "smtp://user:password@mail.example.com:587?tls=1")
EMAIL_BACKEND, EMAIL_HOST, EMAIL_PORT = _mail.backend, _mail.host, _mail.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.user, _mail.password
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.tls, _mail.ssl
EMAIL_TIMEOUT = 10  # seconds
_from = f"numbersadmin@{urlsplit(PUBLIC_URL).hostname}" if PRODUCTION else "numbersadmin@localhost"
DEFAULT_FROM_EMAIL = SERVER_EMAIL = parsed("EMAIL_FROM", sender, _from, "numbers@example.com")

# Background -----------------------------------------------------------------------------------------------------
REDIS_URL = text("REDIS_URL")
if REDIS_URL and not is_redis(REDIS_URL):
    stop("REDIS_URL", "it is not the address of a Redis.", "redis://127.0.0.1:6379/0")
CELERY_BROKER_URL = REDIS_URL or "filesystem://localhost"
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any]
if REDIS_URL:
    # A frozen Redis must not hold up a page: the row is the queue, the message only a nudge.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "socket_timeout": 0.3,
        "socket_connect_timeout": 0.3,
        "visibility_timeout": 3600,
        "max_retries": 0,
    }
else:
    BROKER_DIR = VAR_DIR / "broker"
    for folder in ("queue", "control"):
        (BROKER_DIR / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT = "numbersadmin.file_broker:Transport"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(BROKER_DIR / "queue"),
        "data_folder_out": str(BROKER_DIR / "queue"),
        "control_folder": str(BROKER_DIR / "control"),
        "polling_interval": 0.1,
    }
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_SOFT_TIME_LIMIT = 840
CELERY_TASK_TIME_LIMIT = 900
CELERY_ENABLE_UTC = True
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
# no file: one torn by a kill would keep beat from starting again
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"


def every(interval: float, task: str) -> dict[str, Any]:
    """An entry of the schedule; a message that nobody took in time is replaced by the next."""
    return {"task": f"numbersadmin.{task}", "schedule": interval, "options": {"expires": interval}}


CELERY_BEAT_SCHEDULE = {
    "sweep": every(SWEEP_INTERVAL_SECONDS, "orders.tasks.sweep"),
    "sweep_changes": every(SWEEP_INTERVAL_SECONDS, "numbers.tasks.sweep_changes"),
    "attestation": every(SWEEP_INTERVAL_SECONDS, "attestation.tasks.tend"),
    # a killed worker's run is given up within two minutes (its lease and this)
    "abandon": every(15, "sync.tasks.abandon_dead"),
    "seal": every(3600, "audit.tasks.seal_daily"),
    "settle_tally": every(60, "numbers.tasks.settle_tally"),
    "count_costs": every(SWEEP_INTERVAL_SECONDS, "costs.tasks.count"),
}
if SYNC_INTERVAL_SECONDS:
    CELERY_BEAT_SCHEDULE["sync"] = every(SYNC_INTERVAL_SECONDS, "sync.tasks.sync_periodically")

# Logs -----------------------------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "axes": {"level": "WARNING"},
        "numbersadmin.accounts.mail": {"level": "INFO"},  # also of a worker that logs warnings only
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
    },
}
