"""Registering and editing a standby machine: a name and a directory of the engine's machine."""

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.contract.standbys import ListGroups, RegisterStandby, StandbyRow, UpdateStandby
from app.domain.display import visible
from app.domain.errors import OperationalError
from app.views import style
from app.views.console import Console
from app.views.standbys.passphrases import PassphrasePair
from app.views.widgets.checks import directory_problem, name_problem
from app.views.widgets.form import Field, FormDialog, grow_later
from app.views.widgets.plain import Label, set_title
from app.workers.answers import Failure


class StandbyDialog(FormDialog):
    """Registers a standby machine, or edits one. Thread: GUI."""

    def __init__(self, console: Console, row: StandbyRow | None, parent: QWidget | None = None) -> None:
        self._row = row
        super().__init__(console, "", "", parent)
        set_title(self, self._title())
        self._build_fields()

    def _title(self) -> str:
        if self._row is None:
            return self.tr("Register a standby machine")
        return self.tr("Edit the standby machine {name}").format(name=self._row.name)

    def _build(self, title: str, action: str) -> None:
        del title, action
        button = self.tr("Register standby machine") if self._row is None else self.tr("Save changes")
        super()._build(self._title(), button)

    def _build_fields(self) -> None:
        form = self.add_form()
        self.name = QLineEdit(self._row.name if self._row else "", self)
        self._name = self.add_field(form, self.tr("Name"), self.name, required=True)
        self.root_path = QLineEdit(self._row.root_path if self._row else "", self)
        choose = QPushButton(self.tr("Choose…"), self)
        choose.setAutoDefault(False)
        choose.clicked.connect(self._on_choose)
        line = QWidget(self)
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(style.SPACE_S)
        row.addWidget(self.root_path, 1)
        row.addWidget(choose)
        line.setFocusProxy(self.root_path)
        self._root_path = self.add_field(
            form,
            self.tr("Root path"),
            line,
            help_text=self.tr(
                "A directory of this machine, or a share that is mounted here. Rules choose a directory below it."
            ),
            required=True,
        )
        self.root_path.setAccessibleName(self.tr("Root path"))
        self.root_path.setMinimumWidth(style.FIELD_WIDTH)
        self.note = QLineEdit(self._row.note if self._row else "", self)
        self.add_field(form, self.tr("Note"), self.note)
        self._build_access(form)
        self.new_identity = QCheckBox(
            self.tr("It is a copy that stays in use: give it an identity of its own"), self
        )
        self.body.addWidget(self.new_identity)
        self.new_identity.hide()  # until a registration says that it is a copy
        if self._row is None:
            self._build_encryption()

    def _build_access(self, form: QFormLayout) -> None:
        self.access = QComboBox(self)
        self.access.addItem(self.tr("This user only"), "")
        if self._row is not None:  # what is there keeps its rights
            self.access.hide()
            return
        self._access = self.add_field(
            form,
            self.tr("Access"),
            self.access,
            help_text=self.tr(
                "Users of the group can read, change and delete what is kept there. Only for a directory without "
                "backups; one that is prepared for a group stays so."
            ),
        )
        form.setRowVisible(self._access, False)  # noqa: FBT003 - Qt's signature; until there is a choice
        self.console.door.ask(
            ListGroups(),
            owner=self,
            on_done=lambda groups: self._on_groups(form, groups),
            on_failed=lambda _: None,  # without a choice the directory is for this user only
        )

    def _on_groups(self, form: QFormLayout, groups: Sequence[str]) -> None:
        for group in groups:
            self.access.addItem(visible(self.tr("The group {group} too").format(group=group)), group)
        form.setRowVisible(self._access, bool(groups))
        grow_later(self)

    def _build_encryption(self) -> None:
        self.encrypt = QCheckBox(self.tr("Encrypt restore points"), self)
        self.body.addWidget(self.encrypt)
        self._secrets = QWidget(self)
        inside = QVBoxLayout(self._secrets)
        inside.setContentsMargins(style.SPACE_XL, 0, 0, 0)
        inside.setSpacing(style.SPACE_M)
        self.pair = PassphrasePair(self, self.add_form(inside))
        self.hide_names = QCheckBox(self.tr("Hide the names of rules, VMs and platforms too"), self._secrets)
        note = Label(
            self.tr(
                "For a directory without restore points, or with encrypted ones that this passphrase opens. "
                "Afterwards make a recovery key under Encryption."
            ),
            self._secrets,
        )
        note.setProperty("role", "help")
        note.setWordWrap(True)
        inside.addWidget(self.hide_names)
        inside.addWidget(note)
        self.body.addWidget(self._secrets)
        self._secrets.hide()
        self.encrypt.toggled.connect(self._on_encrypt)

    def _on_encrypt(self, *_: object) -> None:
        self._secrets.setVisible(self.encrypt.isChecked())
        grow_later(self)

    def _on_choose(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, self.tr("Choose a directory"), self.root_path.text())
        if chosen:
            self.root_path.setText(chosen)

    def problems(self) -> dict[Field, str]:
        """Return what is missing."""
        found: dict[Field, str] = {}
        if problem := name_problem(self.name.text(), missing=self.tr("Enter a name.")):
            found[self._name] = problem
        if problem := directory_problem(self.root_path.text()):
            found[self._root_path] = problem
        if self._row is None and self.encrypt.isChecked():
            found |= self.pair.problems()
        return found

    def field_of(self, failure: OperationalError) -> Field | None:
        """Return the field that a refusal is about."""
        if failure.code == "engine.already_registered":
            return self._root_path if failure.params["what"] == self.root_path.text().strip() else self._name
        if failure.code == "standby.copied":
            self._offer_identity()
        if failure.code in ("standby.group_unknown", "standby.group_refused"):
            return self._access
        return self._root_path if failure.code.startswith("standby.") else None

    def _offer_identity(self) -> None:
        self.new_identity.show()
        grow_later(self)

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Register the standby machine, or save the changes."""
        name, root_path = self.name.text().strip(), self.root_path.text().strip()
        note = self.note.text().strip()
        if self._row is None:
            is_encrypted = self.encrypt.isChecked()
            register = RegisterStandby(
                name=name,
                root_path=root_path,
                note=note,
                passphrase=self.pair.text() if is_encrypted else None,
                hide_names=is_encrypted and self.hide_names.isChecked(),
                new_identity=self.new_identity.isVisible() and self.new_identity.isChecked(),
                group=self.access.currentData(),
            )
            self.console.door.execute(register, owner=self, on_done=on_done, on_failed=on_failed)
            return
        update = UpdateStandby(standby=self._row.id, name=name, root_path=root_path, note=note)
        self.console.door.execute(update, owner=self, on_done=on_done, on_failed=on_failed)
