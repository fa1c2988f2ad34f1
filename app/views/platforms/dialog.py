"""Registering and editing a platform: address, account, and the certificate that the operator confirms."""

from collections.abc import Callable

from PySide6.QtWidgets import QCheckBox, QLineEdit, QPushButton, QSpinBox, QWidget

from app.contract.platforms import Certificate, InspectServer, RegisterPlatform, TryPlatform, UpdatePlatform
from app.domain.display import filled_lines
from app.domain.errors import OperationalError
from app.domain.platforms import Platform, PlatformFacts
from app.views import formatting, style
from app.views.console import Console
from app.views.widgets.checks import PORT_BOX_MAX, address_problem, name_problem, port_problem
from app.views.widgets.form import Field, FormDialog, grow_later
from app.views.widgets.pause import Pause
from app.views.widgets.plain import Label, set_title
from app.views.widgets.question import Question
from app.views.words import platform_kind_word
from app.workers.answers import Failure

_HTTPS_PORT = 443
_UNTRUSTED = ("platform.certificate_changed", "platform.certificate_untrusted")
_ADDRESS_PAUSE_MS = 700


class PlatformDialog(FormDialog):
    """Registers a platform, or edits one. The certificate is shown before any password is sent. Thread: GUI."""

    def __init__(self, console: Console, platform: Platform | None, parent: QWidget | None = None) -> None:
        self._platform = platform
        self._certificate: Certificate | None = None
        super().__init__(console, "", "", parent)
        set_title(self, self._title())
        self._build_fields()
        self._show_certificate(None)

    def _title(self) -> str:
        if self._platform is None:
            return self.tr("Register a virtual platform")
        return self.tr("Edit the platform {name}").format(name=self._platform.name)

    def _build(self, title: str, action: str) -> None:
        del title, action
        button = self.tr("Register platform") if self._platform is None else self.tr("Save changes")
        super()._build(self._title(), button)

    def _build_fields(self) -> None:
        form = self.add_form()
        known = self._platform
        self.name = QLineEdit(known.name if known else "", self)
        self._name = self.add_field(form, self.tr("Name"), self.name, required=True)
        self.address = QLineEdit(known.address if known else "", self)
        self.address.setPlaceholderText("vcenter.example.com")
        explained = self.tr("Name or IP address of a vCenter server or of a single ESXi host.")
        moved = self.tr("When the platform has moved: its backups go on, if the same one answers there.")
        self._address = self.add_field(
            form, self.tr("Address"), self.address, help_text=moved if known else explained, required=True
        )
        self.port = QSpinBox(self)
        self.port.setRange(0, PORT_BOX_MAX)
        self.port.setValue(known.port if known else _HTTPS_PORT)
        self._port = self.add_field(form, self.tr("Port"), self.port)
        self.user = QLineEdit(known.user if known else "", self)
        self.user.setPlaceholderText("backup@vsphere.local")
        self._user = self.add_field(form, self.tr("Account"), self.user, required=True)
        self.password = QLineEdit(self)
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        keeps = self.tr("Leave it empty to keep the password that is known.") if known else ""
        self._password = self.add_field(
            form,
            self.tr("Password"),
            self.password,
            help_text=keeps or self.tr("Kept in the keyring of this machine, never in a file."),
            required=known is None,
        )
        self._build_certificate()
        self._build_same()
        self._build_plain()

    def _build_same(self) -> None:
        self.same = QCheckBox(self.tr("I have checked that it is the same server under a new address"), self)
        self.same.hide()
        self.body.addWidget(self.same)

    def _build_plain(self) -> None:
        self.plain = QCheckBox(self.tr("Allow plain transport of disks (unencrypted)"), self)
        self.plain.setChecked(self._platform is not None and self._platform.allows_plain_transport)
        note = Label(
            self.tr(
                "Only for trusted networks: anyone who listens between the hosts and this machine reads the "
                "disks. It is never used because an encrypted connection failed."
            ),
            self,
        )
        note.setProperty("role", "help")
        note.setWordWrap(True)
        self.body.addWidget(self.plain)
        self.body.addWidget(note)

    def _build_certificate(self) -> None:
        self.thumbprint = Label(self)
        self.thumbprint.setFont(style.fixed_font())
        self.thumbprint.setWordWrap(True)
        self.confirmed = QCheckBox(
            self.tr("I have compared the certificate with the server's, and trust it from now on"), self
        )
        self.confirmed.toggled.connect(self._on_confirmed)
        self._certificate_problem = Field(self.confirmed, parent=self)
        self.body.addWidget(self.thumbprint)
        self.body.addWidget(self._certificate_problem)
        self.test = QPushButton(self.tr("Test connection"), self)
        self.test.setAutoDefault(False)
        self.test.clicked.connect(self._on_test)
        self.extra_buttons.addWidget(self.test)
        self.outcome = Label(self)
        self.outcome.setProperty("role", "secondary")
        self.outcome.setWordWrap(True)
        self.body.addWidget(self.outcome)
        self._question = Question(self.console.door, self)
        self._asked: tuple[str, int] | None = None
        self._pause = Pause(_ADDRESS_PAUSE_MS, self)
        self._pause.timeout.connect(self._on_address_left)
        self.address.textEdited.connect(self._pause.restart)
        self.port.valueChanged.connect(self._pause.restart)
        self.address.editingFinished.connect(self._on_address_left)
        for field in (self.address, self.user, self.password):
            field.textChanged.connect(self._on_edited)
        self.port.valueChanged.connect(self._on_edited)
        self.address.textChanged.connect(self._on_moved)
        self.port.valueChanged.connect(self._on_moved)

    # --- certificate ------------------------------------------------------------------------------------------

    def _place(self) -> tuple[str, int]:
        return self.address.text().strip(), self.port.value()

    def _is_moved(self) -> bool:
        known = self._platform
        return known is None or self._place() != (known.address, known.port)

    def _on_address_left(self) -> None:
        address, port = self._place()
        if self._asked == (address, port):
            return
        if not self._is_moved():
            if self._asked is not None:
                self._asked = None
                self._show_certificate(None)
            return
        if not address_problem(address) and not port_problem(port):
            self._ask_certificate(address, port)

    def _ask_certificate(self, address: str, port: int) -> None:
        self._asked = (address, port)
        self._show_certificate(None)
        self.thumbprint.setText(self.tr("Asking {address} for its certificate…").format(address=address))
        self.thumbprint.show()
        query = InspectServer(address=address, port=port)
        self._question.ask_instead(query, self._on_certificate, self._on_no_certificate)

    def _on_certificate(self, certificate: Certificate) -> None:
        if self._platform is None:
            self.banner.hide()
        self._show_certificate(certificate)

    def _show_certificate(self, certificate: Certificate | None) -> None:
        self._certificate = certificate
        self.confirmed.setChecked(False)
        needs_trust = certificate is not None and not certificate.trusted_by_ca
        self._certificate_problem.setVisible(needs_trust)
        self.thumbprint.setVisible(certificate is not None)
        grow_later(self)
        if certificate is None:
            return
        text = (
            self.tr("Certificate of {subject}, valid until {until}\nSHA-256 {thumbprint}")
            if needs_trust
            else self.tr(
                "Certificate of {subject}, valid until {until}, signed by an authority that this machine trusts"
            )
        )
        self.thumbprint.setText(
            filled_lines(
                text,
                subject=certificate.subject,
                until=f"{certificate.not_after.astimezone():%Y-%m-%d}",
                thumbprint=certificate.thumbprint_sha256,
            )
        )

    def _on_no_certificate(self, failure: Failure) -> None:
        self._asked = None
        self.thumbprint.hide()
        self.banner.show_failure(failure)

    def _on_confirmed(self) -> None:
        self._certificate_problem.set_problem("")

    def _pinned(self) -> str | None:
        if self._certificate is not None and not self._certificate.trusted_by_ca:
            return self._certificate.thumbprint_sha256
        if self._platform is not None and self._certificate is None and not self._is_moved():
            return self._platform.thumbprint_sha256
        return None

    # --- testing ----------------------------------------------------------------------------------------------

    def _on_test(self) -> None:
        self._complain = True
        if not self.show_problems():
            return
        self.test.setEnabled(False)
        self.outcome.setText(self.tr("Logging in…"))
        query = self._login()

        def take(facts: PlatformFacts) -> None:
            self._on_test_ended()
            if query == self._login():
                self._on_tested(facts)

        def take_failure(failure: Failure) -> None:
            self._on_test_ended()
            if query == self._login():
                self._on_test_failed(failure)

        self.console.door.ask(query, owner=self, on_done=take, on_failed=take_failure)

    def _login(self) -> TryPlatform:
        """Return the question whether one can log in with what is entered now."""
        return TryPlatform(
            address=self.address.text().strip(),
            port=self.port.value(),
            user=self.user.text().strip(),
            password=self.password.text(),
            thumbprint_sha256=self._pinned(),
        )

    def _on_test_ended(self) -> None:
        self.test.setEnabled(True)
        self.outcome.setText("")

    def _on_edited(self) -> None:
        """Take back what was found out about other entries; what is being asked is sorted out when it comes."""
        if self.test.isEnabled():
            self.outcome.setText("")

    def _on_moved(self) -> None:
        """Take back what was confirmed about another address."""
        self.same.setChecked(False)
        self.same.hide()

    def _on_tested(self, facts: PlatformFacts) -> None:
        self.banner.hide()
        grow_later(self)
        kind = platform_kind_word(facts.kind)
        text = self.tr("Login works: {full_name} ({kind}, API version {version})")
        self.outcome.setText(
            text.format(full_name=facts.full_name or formatting.NOTHING, kind=kind, version=facts.api_version)
        )

    def _on_test_failed(self, failure: Failure) -> None:
        self.show_failure(failure)
        self._show_other_certificate(failure)

    # --- saving -----------------------------------------------------------------------------------------------

    def problems(self) -> dict[Field, str]:
        """Return what is missing or wrong."""
        found: dict[Field, str] = {}
        checks = (
            (self._name, name_problem(self.name.text(), missing=self.tr("Enter a name."))),
            (self._address, address_problem(self.address.text())),
            (self._port, port_problem(self.port.value())),
        )
        found.update({field: problem for field, problem in checks if problem})
        if not self.user.text().strip():
            found[self._user] = self.tr("Enter the account.")
        if self._platform is None and not self.password.text():
            found[self._password] = self.tr("Enter the password.")
        return found

    def show_problems(self) -> bool:
        """Write each problem below its field, an unconfirmed certificate among them."""
        complete = super().show_problems()
        wants_trust = self._certificate is not None and not self._certificate.trusted_by_ca
        if wants_trust and not self.confirmed.isChecked():
            self._certificate_problem.set_problem(self.tr("Compare the certificate first, then check this box."))
            return False
        return complete

    def field_of(self, failure: OperationalError) -> Field | None:
        """Return the field that a refusal is about."""
        if failure.code == "engine.already_registered":
            is_address = failure.params["what"] == f"{self.address.text().strip()}:{self.port.value()}"
            return self._address if is_address else self._name
        places = {
            "platform.login_refused": self._password,
            "platform.unreachable": self._address,
            "engine.address_unusable": self._address,
            "engine.other_platform": self._address,
        }
        return places.get(failure.code)

    def _on_failed(self, failure: Failure) -> None:
        super()._on_failed(failure)
        self._show_other_certificate(failure)
        if isinstance(failure, OperationalError) and failure.code == "engine.platform_unproven":
            self.same.show()
            grow_later(self)

    def _show_other_certificate(self, failure: Failure) -> None:
        """Show the certificate that is not confirmed yet, so that it can be confirmed here and now."""
        if isinstance(failure, OperationalError) and failure.code in _UNTRUSTED:
            self._ask_certificate(self.address.text().strip(), self.port.value())
            self.banner.show_failure(failure)

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Register the platform, or save the changes."""
        name, user = self.name.text().strip(), self.user.text().strip()
        if self._platform is None:
            register = RegisterPlatform(
                name=name,
                address=self.address.text().strip(),
                port=self.port.value(),
                user=user,
                password=self.password.text(),
                thumbprint_sha256=self._pinned(),
                allows_plain_transport=self.plain.isChecked(),
            )
            self.console.door.execute(register, owner=self, on_done=on_done, on_failed=on_failed)
            return
        update = UpdatePlatform(
            platform=self._platform.id,
            name=name,
            address=self.address.text().strip(),
            port=self.port.value(),
            is_confirmed_same=self.same.isChecked(),
            user=user,
            password=self.password.text() or None,
            thumbprint_sha256=self._pinned(),
            allows_plain_transport=self.plain.isChecked(),
        )
        self.console.door.execute(update, owner=self, on_done=on_done, on_failed=on_failed)
