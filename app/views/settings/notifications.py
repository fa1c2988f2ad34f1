"""Who is notified when a task fails. GUI thread."""

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QTime
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QTimeEdit, QWidget

from app.contract.notifications import NotificationRow, ReadNotifications, SetNotifications, TestSink
from app.domain.notifications import NotificationSettings, SinkKind
from app.views import style
from app.views.console import Console
from app.views.settings.card import SettingsCard
from app.views.settings.sinks import EmailDialog, WebhookDialog
from app.views.widgets.banner import Banner
from app.views.widgets.opening import open_once
from app.views.widgets.question import Question
from app.workers.answers import Failure


class NotificationsCard(SettingsCard):
    """Desktop, e-mail and webhook, each with a test."""

    def __init__(self, console: Console, parent: QWidget) -> None:
        super().__init__(parent)
        self._console = console
        self._question = Question(console.door, self)
        self._row: NotificationRow | None = None
        self.set_title(self.tr("Notifications"))
        self.desktop = QCheckBox(self)
        self.desktop.clicked.connect(self._on_desktop)
        self.test_button = self._button(self.tr("Test"), self._on_test)
        self.email = self._button(self.tr("Set up…"), self._on_email)
        self.webhook = self._button(self.tr("Set up…"), self._on_webhook)
        self.digest = QTimeEdit(self)
        self.digest.setDisplayFormat("HH:mm")
        self.digest.setFixedWidth(style.FIELD_WIDTH // 3)
        self.digest.editingFinished.connect(self._on_digest)
        self.banner = Banner(self)
        self.add_row(
            self.tr("On the desktop"),
            self.tr("A failed task raises a notification that names the VM and the reason."),
            self._side_by_side(self.test_button, self.desktop),
        )
        self._email_words = self.add_row(self.tr("By e-mail"), "", self.email)
        self._webhook_words = self.add_row(self.tr("By webhook"), "", self.webhook)
        self.add_row(
            self.tr("Daily digest at"),
            self.tr("Where a digest was chosen, it comes at this time, also when nothing failed."),
            self.digest,
        )
        self.desktop.setAccessibleName(self.tr("On the desktop"))
        self._enable(enabled=False)

    def refresh(self) -> None:
        """Ask who is notified of what."""
        self._question.ask(ReadNotifications(), self._on_read, self.banner.show_unread)

    def leave(self) -> None:
        """Stop asking, and say no longer what went wrong."""
        self._question.withdraw()
        self.banner.hide()

    def _on_read(self, row: NotificationRow) -> None:
        self._row = row
        self.banner.settle_unread()
        settings = row.settings
        self.desktop.setChecked(settings.desktop)
        off = self.tr("Off")
        email, webhook = settings.email, settings.webhook
        recipients = self.tr("To {recipients} through {host}")
        to_all = recipients.format(recipients=", ".join(email.recipients), host=email.host)
        self._email_words.setText(to_all if email.enabled else off)
        self._webhook_words.setText(webhook.url if webhook.enabled else off)
        if not self.digest.hasFocus():
            self.digest.setTime(QTime(settings.digest_at.hour, settings.digest_at.minute))
        self._enable(enabled=True)

    def _enable(self, *, enabled: bool) -> None:
        for control in (self.desktop, self.test_button, self.email, self.webhook, self.digest):
            control.setEnabled(enabled)

    def _button(self, text: str, slot: Callable[[], None]) -> QPushButton:
        button = QPushButton(text, self)
        button.clicked.connect(slot)
        return button

    def _side_by_side(self, *widgets: QWidget) -> QWidget:
        both = QWidget(self)
        layout = QHBoxLayout(both)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(style.SPACE_L)
        for widget in widgets:
            layout.addWidget(widget)
        return both

    # --- changes ----------------------------------------------------------------------------------------------

    def _on_desktop(self, wanted: bool) -> None:  # noqa: FBT001 - a slot
        if self._row is not None:
            self._save(replace(self._row.settings, desktop=wanted))

    def _on_digest(self) -> None:
        if self._row is not None:
            chosen = self.digest.time()
            moment = self._row.settings.digest_at.replace(hour=chosen.hour(), minute=chosen.minute())
            if moment != self._row.settings.digest_at:
                self._save(replace(self._row.settings, digest_at=moment))

    def _save(self, settings: NotificationSettings) -> None:
        def failed(failure: Failure) -> None:
            self.refresh()
            self.banner.show_failure(failure)

        self.banner.hide()
        self._console.door.execute(
            SetNotifications(settings=settings), owner=self, on_done=self._on_saved, on_failed=failed
        )

    def _on_saved(self, _nothing: object = None) -> None:
        self.banner.hide()
        self.refresh()

    def _on_test(self) -> None:
        def done(_nothing: None) -> None:
            """Show nothing: the notification itself is seen."""

        self.banner.hide()
        self._console.door.execute(
            TestSink(sink=SinkKind.DESKTOP), owner=self, on_done=done, on_failed=self.banner.show_failure
        )

    def _on_email(self) -> None:
        if self._row is not None:
            dialog = EmailDialog(self._console, self._row, self)
            dialog.succeeded.connect(self._on_saved)
            open_once(dialog)

    def _on_webhook(self) -> None:
        if self._row is not None:
            dialog = WebhookDialog(self._console, self._row, self)
            dialog.succeeded.connect(self._on_saved)
            open_once(dialog)
