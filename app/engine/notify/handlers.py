"""Notifications: their settings, and a test of each channel."""

from app.contract.notifications import NotificationRow, ReadNotifications, SetNotifications, TestSink
from app.core.clock import Clock
from app.engine.handlers import handles
from app.engine.notify.notice import Notice, NoticeKind
from app.engine.notify.settings import (
    EMAIL_SECRET,
    WEBHOOK_SECRET,
    NotificationSettingsStore,
    Secrets,
    refuse_problems,
)


class NotificationHandlers:
    """Answers about notifications. Thread: any."""

    def __init__(self, settings: NotificationSettingsStore, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    @handles(SetNotifications)
    def _set_notifications(self, command: SetNotifications) -> None:
        self._settings.change(command.settings, Secrets(command.email_password, command.webhook_secret))

    @handles(TestSink)
    def _test_sink(self, command: TestSink) -> None:
        settings = self._settings.settings() if command.settings is None else command.settings
        refuse_problems(settings)
        secrets = Secrets(command.email_password, command.webhook_secret)
        notice = Notice(kind=NoticeKind.TEST, at=self._clock.now())
        self._settings.sink(command.sink, settings, secrets).send(notice)

    @handles(ReadNotifications)
    def _read_notifications(self, _: ReadNotifications) -> NotificationRow:
        return NotificationRow(
            settings=self._settings.settings(),
            has_email_password=self._settings.has_secret(EMAIL_SECRET),
            has_webhook_secret=self._settings.has_secret(WEBHOOK_SECRET),
        )
