"""The settings of notifications, kept; and the sinks they make."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from app.core.boundedcalls import BoundedCalls
from app.core.bus import EventBus
from app.core.secrets import SecretStore
from app.domain.messages import listed
from app.domain.notifications import NotificationSettings, SinkKind
from app.engine.errors import RequestRefused
from app.engine.notify.desktop import DesktopSink
from app.engine.notify.email import EmailSink
from app.engine.notify.reasons import FIELD
from app.engine.notify.sinks import Sink, Trust
from app.engine.notify.webhook import WebhookSink
from app.engine.ports import SettingsStore

_SETTINGS = "notifications"
_DIGEST = "notifications.digest"
_AT_ONCE = 4
"""Deliveries that may be under way or stuck at the same time."""
EMAIL_SECRET = "notifications/email"  # noqa: S105 - a name in the secret store
WEBHOOK_SECRET = "notifications/webhook"  # noqa: S105 - a name in the secret store


@dataclass(frozen=True, slots=True)
class Secrets:
    """Secrets that are used instead of those that are kept; None takes the kept one."""

    email_password: str | None = None
    webhook_secret: str | None = None

    def __repr__(self) -> str:
        return "Secrets(…)"


class NotificationSettingsStore:
    """Stores the settings and secrets of notifications. Thread: any."""

    def __init__(self, store: SettingsStore, secrets: SecretStore, bus: EventBus, trust: Trust) -> None:
        self._store = store
        self._secrets = secrets
        self._bus = bus
        self._trust = trust
        self._lock = threading.Lock()
        self._calls = BoundedCalls("notification", at_once=_AT_ONCE)
        self._known: NotificationSettings | None = None

    def settings(self) -> NotificationSettings:
        """Return the settings.

        Raises:
            OperationalError: the catalog cannot be read.
        """
        with self._lock:
            if self._known is None:
                self._known = self._stored() or NotificationSettings()
            return self._known

    def _stored(self) -> NotificationSettings | None:
        body = self._store.get(_SETTINGS)
        try:
            return None if body is None else msgspec.json.decode(body, type=NotificationSettings)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            self._store.note_unreadable(_SETTINGS, str(error))
            return None

    def forget(self) -> None:
        """Read the settings again at the next question: they were changed in the catalog."""
        with self._lock:
            self._known = None

    def change(self, settings: NotificationSettings, secrets: Secrets) -> None:
        """Keep other settings.

        Raises:
            RequestRefused: they cannot work.
            OperationalError: they could not be kept.
        """
        refuse_problems(settings)
        self._keep_secret(EMAIL_SECRET, secrets.email_password)
        self._keep_secret(WEBHOOK_SECRET, secrets.webhook_secret)
        with self._lock:
            self._store.put(_SETTINGS, msgspec.json.encode(settings).decode())
            self._known = settings

    def _keep_secret(self, name: str, value: str | None) -> None:
        if value:
            self._secrets.set(name, value)
        elif value is not None:
            self._secrets.delete(name)

    def has_secret(self, name: str) -> bool:
        """Return whether a secret is kept.

        Raises:
            SecretStoreUnavailable: the secret store cannot be read.
        """
        return self._secrets.get(name) is not None

    def sink(self, kind: SinkKind, settings: NotificationSettings, secrets: Secrets | None = None) -> Sink:
        """Make a sink.

        Raises:
            SecretStoreUnavailable: its secret cannot be read.
        """
        given = secrets or Secrets()
        if kind is SinkKind.EMAIL:
            password = self._secret(EMAIL_SECRET, given.email_password) if settings.email.user else None
            return EmailSink(settings.email, password, self._trust, calls=self._calls)
        if kind is SinkKind.WEBHOOK:
            secret = self._secret(WEBHOOK_SECRET, given.webhook_secret)
            return WebhookSink(settings.webhook, secret, self._trust, calls=self._calls)
        return DesktopSink(self._bus)

    def close(self) -> None:
        """Cut every delivery that is under way: the program ends."""
        self._calls.close()

    def _secret(self, name: str, given: str | None) -> str | None:
        return self._secrets.get(name) if given is None else given

    # --- digests -----------------------------------------------------------------------------------------------

    def reported_until(self, otherwise: Callable[[], datetime]) -> datetime:
        """Return up to when the last digest reported; the first time, note and return what ``otherwise`` says."""
        body = self._store.get(_DIGEST)
        until = None if body is None else _moment(body)
        if until is not None:
            return until
        moment = otherwise()
        self.note_reported(moment)
        return moment

    def note_reported(self, until: datetime) -> None:
        """Note up to when a digest reported."""
        self._store.put(_DIGEST, until.isoformat())


def _moment(text: str) -> datetime | None:
    """Read a moment; None where it is none, and the next digest begins again."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment


def refuse_problems(settings: NotificationSettings) -> None:
    """Let pass only settings that can work.

    Raises:
        RequestRefused: they cannot.
    """
    problems = settings.problems()
    if problems:
        raise RequestRefused(detail=listed(FIELD.fill(field=field, reason=reason) for field, reason in problems))
