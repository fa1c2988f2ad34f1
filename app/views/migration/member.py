"""One VM of those that are migrated together, with the name that it has in the end."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QLineEdit, QPushButton, QSizePolicy, QWidget

from app.domain.display import visible
from app.domain.vms import VmSummary
from app.views import formatting, style
from app.views.console import Console
from app.views.icons import Glyph, icon
from app.views.widgets.checks import VM_NAME_MAX_CHARS, name_problem
from app.views.widgets.elided import ElidedLabel
from app.views.widgets.plain import Label, set_tip


class MigrationMemberRow(QWidget):
    """A VM with its size and the name that it has in the end. Thread: GUI.

    Signals:
        changed: another name is typed.
        left_out: it is not to be migrated.
    """

    changed = Signal()
    left_out = Signal()

    def __init__(self, vm: VmSummary, console: Console, parent: QWidget) -> None:
        super().__init__(parent)
        self.vm = vm
        self.name = QLineEdit(vm.name, self)
        self.name.setAccessibleName(visible(self.tr("Name of {vm} in the end").format(vm=vm.name)))
        self.name.textChanged.connect(self._on_name)
        self.problem_text = Label(self)
        self.problem_text.setProperty("role", "problem")
        self.problem_text.setWordWrap(True)
        self.problem_text.hide()
        self.leave_out = QPushButton(self)
        self.leave_out.setProperty("role", "quiet")
        self.leave_out.setIcon(icon(Glyph.CLOSE, console.colors))
        self.leave_out.setAutoDefault(False)
        self.leave_out.setMaximumWidth(style.CONTROL_HEIGHT)
        text = self.tr("Leave {vm} out").format(vm=vm.name)
        set_tip(self.leave_out, text)
        self.leave_out.setAccessibleName(visible(text))
        self.leave_out.clicked.connect(self.left_out)
        self._lay_out()

    def _lay_out(self) -> None:
        title = ElidedLabel(parent=self)
        title.setText(self.vm.name)
        size = Label(formatting.size(self.vm.disk_bytes), self)
        size.setProperty("role", "secondary")
        size.setFont(style.tabular_font())
        for part in (title, self.name):  # so that they are below those of the other rows
            part.setSizePolicy(QSizePolicy.Policy.Ignored, part.sizePolicy().verticalPolicy())
        grid = QGridLayout(self)
        grid.setContentsMargins(style.SPACE_M, style.SPACE_XS, style.SPACE_XS, style.SPACE_XS)
        grid.setHorizontalSpacing(style.SPACE_M)
        grid.setVerticalSpacing(0)
        for column, widget in enumerate((title, size, self.name, self.leave_out)):
            grid.addWidget(widget, 0, column)
        grid.addWidget(self.problem_text, 1, 2)
        for column in (0, 2):
            grid.setColumnStretch(column, 1)
        grid.setColumnMinimumWidth(1, style.FIELD_WIDTH // 5)

    def _on_name(self) -> None:
        self.show_problem("")
        self.changed.emit()

    @property
    def vm_name(self) -> str:
        """Return the name that it has in the end."""
        return self.name.text().strip()

    def problem(self) -> str:
        """Return what is wrong with the name; empty when nothing is."""
        return name_problem(self.name.text(), missing=self.tr("Enter the VM's name."), most=VM_NAME_MAX_CHARS)

    def show_problem(self, text: str) -> None:
        """Say below the name what is wrong with it; nothing where the text is empty."""
        self.problem_text.setText(text)
        self.problem_text.setVisible(bool(text))
