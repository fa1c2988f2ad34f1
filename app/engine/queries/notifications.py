"""Queries about notifications."""

from dataclasses import dataclass

from app.domain.notifications import NotificationSettings
from app.engine.queries.base import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRow:
    """Who is told what; whether there are secrets, but never the secrets."""

    settings: NotificationSettings
    has_email_password: bool
    has_webhook_secret: bool


class ReadNotifications(Query[NotificationRow], frozen=True, kw_only=True):
    """Return who is told what."""
