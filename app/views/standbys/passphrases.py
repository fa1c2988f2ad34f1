"""The fields of a passphrase that is chosen: twice the same, and hard to guess."""

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QFormLayout, QLineEdit, QWidget

from app.domain.passphrases import is_strong
from app.views.widgets.form import Field, FormDialog


def secret_entry(parent: QWidget) -> QLineEdit:
    """Return an entry that does not show what is typed."""
    entry = QLineEdit(parent)
    entry.setEchoMode(QLineEdit.EchoMode.Password)
    entry.setMaxLength(1024)
    return entry


class PassphrasePair:
    """Two entries in a form. Thread: GUI."""

    def __init__(self, dialog: FormDialog, form: QFormLayout) -> None:
        self.first, self.second = secret_entry(dialog), secret_entry(dialog)
        self._fields = (
            dialog.add_field(
                form,
                QCoreApplication.translate("Passphrases", "Passphrase"),
                self.first,
                help_text=QCoreApplication.translate(
                    "Passphrases",
                    "Several words that do not belong together, or at least 12 mixed characters. Without it or a "
                    "recovery key nothing can be restored, neither by you nor by us.",
                ),
                required=True,
            ),
            dialog.add_field(
                form, QCoreApplication.translate("Passphrases", "Once more"), self.second, required=True
            ),
        )

    def text(self) -> str:
        """Return what was typed."""
        return self.first.text()

    def problems(self) -> dict[Field, str]:
        """Return what is wrong."""
        first, second = self._fields
        if not self.first.text():
            return {first: QCoreApplication.translate("Passphrases", "Enter a passphrase.")}
        if not is_strong(self.first.text()):
            return {
                first: QCoreApplication.translate(
                    "Passphrases", "This passphrase could be guessed: make it longer, or mix it more."
                )
            }
        if self.first.text() != self.second.text():
            return {second: QCoreApplication.translate("Passphrases", "The two are not the same.")}
        return {}
