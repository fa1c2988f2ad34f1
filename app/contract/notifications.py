"""Notifications, and the settings of their channels."""

from dataclasses import dataclass

from app.contract.base import Command, Query
from app.domain.notifications import NotificationSettings, SinkKind


class SetNotifications(Command[None], frozen=True, kw_only=True):
    """Change who is notified of what. Passwords and secrets go to the secret store.

    Raises ``RequestRefused`` for settings that cannot work.
    """

    settings: NotificationSettings
    email_password: str | None = None
    """None keeps the one that is known; empty forgets it."""
    webhook_secret: str | None = None
    """None keeps the one that is known; empty forgets it, and messages are not signed."""

    def __repr__(self) -> str:
        return f"SetNotifications(settings={self.settings!r}, …)"


class TestSink(Command[None], frozen=True, kw_only=True):
    """Send a test notification at once, with the settings that are kept or with a draft of others.

    Raises ``SinkFailed`` or ``SinkRefused`` with the reason.
    """

    __test__ = False  # not a test of pytest's

    sink: SinkKind
    settings: NotificationSettings | None = None
    email_password: str | None = None
    """None takes the one that is known."""
    webhook_secret: str | None = None
    """None takes the one that is known."""

    def __repr__(self) -> str:
        return f"TestSink(sink={self.sink!r}, settings={self.settings!r}, …)"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRow:
    """Who is notified of what; whether there are secrets, but never the secrets."""

    settings: NotificationSettings
    has_email_password: bool
    has_webhook_secret: bool


class ReadNotifications(Query[NotificationRow], frozen=True, kw_only=True):
    """Return who is notified of what."""
