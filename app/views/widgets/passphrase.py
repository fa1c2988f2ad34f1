"""The way to the encrypted password file, when the system has no keyring. GUI thread."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLineEdit, QPushButton, QVBoxLayout

from app.domain.errors import OperationalError
from app.domain.units import filled
from app.views import style
from app.views.widgets.banner import Banner
from app.views.widgets.dialog_help import offer_help
from app.views.widgets.form import Field
from app.views.widgets.plain import Label, set_title


class PassphraseDialog(QDialog):
    """Asks for the passphrase of the encrypted file: an existing one, or a new one after the keyring failed."""

    def __init__(self, why: OperationalError | None, *, is_new: bool, shortest: int) -> None:
        """Make the dialog.

        Args:
            why: what did not work; None when nothing was tried yet.
            is_new: whether the file is to be made, so that the passphrase is typed twice.
            shortest: how many characters a new passphrase needs.
        """
        super().__init__()
        self._is_new = is_new
        self._shortest = shortest
        title = self.tr("Keep passwords in an encrypted file") if is_new else self.tr("Open the password file")
        set_title(self, self.tr("Standfast"))
        heading = Label(title, self)
        heading.setProperty("role", "title")
        text = Label(self._explanation(), self)
        text.setWordWrap(True)
        self.banner = Banner(self)
        if why is not None:
            self.banner.show_failure(why)
        self.first, self._first_field = self._entry()
        self.second, self._second_field = self._entry()
        form = QFormLayout()
        form.setHorizontalSpacing(style.SPACE_L)
        form.setVerticalSpacing(style.SPACE_M)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow(self.tr("Passphrase"), self._first_field)
        if is_new:
            form.addRow(self.tr("Once more"), self._second_field)
        else:
            self._second_field.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(style.SPACE_XL, style.SPACE_XL, style.SPACE_XL, style.SPACE_L)
        layout.setSpacing(style.SPACE_L)
        for widget in (heading, text, self.banner):
            layout.addWidget(widget)
        layout.addLayout(form)
        layout.addWidget(self._buttons())
        offer_help(self)
        self.first.setFocus()
        self.setMinimumWidth(style.DIALOG_WIDTH * 3 // 4)
        self.setWindowFlag(Qt.WindowType.WindowContextHelpButtonHint, on=False)

    def passphrase(self) -> str:
        """Return what was typed."""
        return self.first.text()

    def accept(self) -> None:
        """Close when what was typed can be a passphrase."""
        typed = self.first.text()
        problem = mismatch = ""
        if not typed:
            problem = self.tr("Type the passphrase.")
        elif self._is_new and len(typed) < self._shortest:
            problem = filled(
                self.tr("Use at least {count} {count:character/characters}."), {"count": self._shortest}
            )
        elif self._is_new and typed != self.second.text():
            mismatch = self.tr("The two are not the same.")
        self._first_field.set_problem(problem)
        self._second_field.set_problem(mismatch)
        if not problem and not mismatch:
            super().accept()
            return
        # What is wrong needs a line of its own, which Qt's layouts do not ask for by themselves.
        layout = self.layout()
        assert layout is not None
        layout.activate()
        self.resize(self.width(), max(self.height(), layout.totalHeightForWidth(self.width())))

    def _explanation(self) -> str:
        if self._is_new:
            return self.tr(
                "Standfast keeps the passwords of platforms in the system's keyring, and here it cannot. They can "
                "be kept in a file instead, encrypted with a passphrase that is asked for at every start. Without "
                "the passphrase it cannot be read, not by you either."
            )
        return self.tr("The passwords of the platforms are in an encrypted file. Its passphrase opens it.")

    def _entry(self) -> tuple[QLineEdit, Field]:
        entry = QLineEdit(self)
        entry.setEchoMode(QLineEdit.EchoMode.Password)
        entry.setAccessibleName(self.tr("Passphrase"))
        return entry, Field(entry, "", self)

    def _buttons(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox(self)
        primary = QPushButton(self.tr("Use the file") if self._is_new else self.tr("Open the file"), self)
        primary.setProperty("role", "primary")
        primary.setDefault(True)
        leave = QPushButton(self.tr("Quit"), self)
        leave.setAutoDefault(False)
        buttons.addButton(leave, QDialogButtonBox.ButtonRole.RejectRole)
        buttons.addButton(primary, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        return buttons
