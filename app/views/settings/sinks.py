"""The dialogs that set up e-mail and webhook notifications. GUI thread."""

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QPushButton, QSpinBox, QWidget

from app.contract.notifications import NotificationRow, SetNotifications, TestSink
from app.domain.notifications import (
    EmailSettings,
    MailSecurity,
    NotificationSettings,
    SinkKind,
    WebhookSettings,
    WhenToNotify,
)
from app.views.console import Console
from app.views.widgets.checks import PORT_BOX_MAX
from app.views.widgets.form import Field, FormDialog
from app.views.widgets.plain import Label
from app.workers.answers import Failure


class SinkDialog(FormDialog):
    """What both dialogs share: on or off, how often, a test, and the secret that is never shown."""

    sink: SinkKind

    def __init__(self, console: Console, row: NotificationRow, title: str, parent: QWidget) -> None:
        super().__init__(console, title, "", parent)
        self.primary.setText(self.tr("Save settings"))
        self._row = row
        self.form = self.add_form()
        self.enabled = QCheckBox(self.tr("Send notifications"), self)
        self.form.addRow("", self.enabled)
        self.when = QComboBox(self)
        self.when.addItem(self.tr("For each failed task"), WhenToNotify.EACH_FAILURE)
        self.when.addItem(self.tr("Once a day, as a digest"), WhenToNotify.DAILY)
        self.secret = QLineEdit(self)
        self.secret.setEchoMode(QLineEdit.EchoMode.Password)
        self.test_button = QPushButton(self.tr("Send a test"), self)
        self.test_button.setAutoDefault(False)
        self.test_button.clicked.connect(self._on_test)
        self._outcome = Label(self)
        self._outcome.setProperty("role", "secondary")
        self.extra_buttons.addWidget(self.test_button)
        self.extra_buttons.addWidget(self._outcome)

    # --- for subclasses ---------------------------------------------------------------------------------------

    def draft(self, *, enabled: bool) -> NotificationSettings:
        """Return the settings as the fields say them."""
        raise NotImplementedError

    def fields(self) -> dict[str, Field]:
        """Return the field that each problem's name belongs to."""
        raise NotImplementedError

    def problem_words(self) -> dict[str, str]:
        """Return what to say below each field."""
        raise NotImplementedError

    def secrets(self) -> tuple[str | None, str | None]:
        """Return the e-mail password and the webhook secret; None keeps what is known."""
        raise NotImplementedError

    def fill(self, *, enabled: bool, when: WhenToNotify, has_secret: bool) -> None:
        """Show what both have."""
        self.enabled.setChecked(enabled)
        self.when.setCurrentIndex(self.when.findData(when))
        if has_secret:
            self.secret.setPlaceholderText(self.tr("Leave empty to keep the one that is known"))

    # --- behaviour --------------------------------------------------------------------------------------------

    def problems(self) -> dict[Field, str]:
        """Return what is wrong; a sink that is off may be incomplete."""
        return self._problems(self.draft(enabled=self.enabled.isChecked()))

    def _problems(self, draft: NotificationSettings) -> dict[Field, str]:
        words = self.problem_words()
        return {self.fields()[name]: words[name] for name, _reason in draft.problems() if name in self.fields()}

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Save the settings."""
        password, secret = self.secrets()
        command = SetNotifications(
            settings=self.draft(enabled=self.enabled.isChecked()), email_password=password, webhook_secret=secret
        )
        self.console.door.execute(command, owner=self, on_done=on_done, on_failed=on_failed)

    def _on_test(self) -> None:
        draft = self.draft(enabled=True)
        found = self._problems(draft)
        for field in self.fields().values():
            field.set_problem(found.get(field, ""))
        if found:
            return
        self.banner.hide()
        self.test_button.setEnabled(False)
        self._outcome.setText(self.tr("Sending…"))
        password, secret = self.secrets()
        command = TestSink(sink=self.sink, settings=draft, email_password=password, webhook_secret=secret)
        self.console.door.execute(command, owner=self, on_done=self._on_sent, on_failed=self._on_not_sent)

    def _on_sent(self, _nothing: None) -> None:
        self.test_button.setEnabled(True)
        self._outcome.setText(self.tr("The test was sent."))

    def _on_not_sent(self, failure: Failure) -> None:
        self.test_button.setEnabled(True)
        self._outcome.setText("")
        self.banner.show_failure(failure)


class EmailDialog(SinkDialog):
    """Sets up e-mail."""

    sink = SinkKind.EMAIL

    def __init__(self, console: Console, row: NotificationRow, parent: QWidget) -> None:
        super().__init__(console, row, "", parent)
        self.set_heading(self.tr("Set up e-mail notifications"))
        email = row.settings.email
        self.host = QLineEdit(email.host, self)
        self.port = QSpinBox(self)
        self.port.setRange(0, PORT_BOX_MAX)
        self.port.setValue(email.port)
        self.security = QComboBox(self)
        self.security.addItem("STARTTLS", MailSecurity.STARTTLS)
        self.security.addItem("TLS", MailSecurity.TLS)
        self.security.addItem(self.tr("None (without a login only)"), MailSecurity.NONE)
        self.security.setCurrentIndex(self.security.findData(email.security))
        self.user = QLineEdit(email.user, self)
        self.sender_address = QLineEdit(email.sender, self)
        self.recipients = QLineEdit(", ".join(email.recipients), self)
        add, form = self.add_field, self.form
        add(form, self.tr("When"), self.when)
        self._fields_by_name = {
            "email.host": add(form, self.tr("Mail server"), self.host, required=True),
            "email.port": add(form, self.tr("Port"), self.port),
            "email.security": add(form, self.tr("Encryption"), self.security),
            "email.sender": add(form, self.tr("Sender"), self.sender_address, required=True),
            "email.recipients": add(
                form,
                self.tr("Recipients"),
                self.recipients,
                help_text=self.tr("Several are separated by commas"),
                required=True,
            ),
        }
        add(form, self.tr("Account"), self.user, help_text=self.tr("Empty uses the server without a login"))
        add(form, self.tr("Password"), self.secret)
        self.fill(enabled=email.enabled, when=email.when, has_secret=row.has_email_password)

    def draft(self, *, enabled: bool) -> NotificationSettings:
        """Return the settings as the fields say them."""
        recipients = tuple(address.strip() for address in self.recipients.text().split(",") if address.strip())
        email = EmailSettings(
            enabled=enabled,
            when=self.when.currentData(),
            host=self.host.text().strip(),
            port=self.port.value(),
            security=self.security.currentData(),
            user=self.user.text().strip(),
            sender=self.sender_address.text().strip(),
            recipients=recipients,
        )
        return replace(self._row.settings, email=email)

    def fields(self) -> dict[str, Field]:
        """Return the field that each problem's name belongs to."""
        return self._fields_by_name

    def problem_words(self) -> dict[str, str]:
        """Return what to say below each field."""
        return {
            "email.host": self.tr("Type the mail server's address, without blanks."),
            "email.port": self.tr("A port is a number from 1 to 65535."),
            "email.security": self.tr("A login needs STARTTLS or TLS: a password is not sent in plain text."),
            "email.sender": self.tr("Type an e-mail address."),
            "email.recipients": self.tr("Type at least one e-mail address, at most 50."),
        }

    def secrets(self) -> tuple[str | None, str | None]:
        """Return the password that was typed."""
        return self.secret.text() or None, None


class WebhookDialog(SinkDialog):
    """Sets up a webhook."""

    sink = SinkKind.WEBHOOK

    def __init__(self, console: Console, row: NotificationRow, parent: QWidget) -> None:
        super().__init__(console, row, "", parent)
        self.set_heading(self.tr("Set up a webhook"))
        webhook = row.settings.webhook
        self.url = QLineEdit(webhook.url, self)
        add, form = self.add_field, self.form
        add(form, self.tr("When"), self.when)
        self._url_field = add(
            form,
            self.tr("Address"),
            self.url,
            help_text=self.tr("Failures are sent there as JSON by POST"),
            required=True,
        )
        add(
            form,
            self.tr("Secret"),
            self.secret,
            help_text=self.tr("Signs each message (HMAC-SHA-256), so that the receiver knows whom it is from"),
        )
        self.fill(enabled=webhook.enabled, when=webhook.when, has_secret=row.has_webhook_secret)

    def draft(self, *, enabled: bool) -> NotificationSettings:
        """Return the settings as the fields say them."""
        webhook = WebhookSettings(enabled=enabled, when=self.when.currentData(), url=self.url.text().strip())
        return replace(self._row.settings, webhook=webhook)

    def fields(self) -> dict[str, Field]:
        """Return the field that each problem's name belongs to."""
        return {"webhook.url": self._url_field}

    def problem_words(self) -> dict[str, str]:
        """Return what to say below the field."""
        return {
            "webhook.url": self.tr(
                "Type an address that begins with https:// or http:// and names a server, without a password "
                "in it."
            )
        }

    def secrets(self) -> tuple[str | None, str | None]:
        """Return the secret that was typed."""
        return None, self.secret.text() or None
