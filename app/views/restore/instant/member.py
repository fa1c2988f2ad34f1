"""One VM of several that are started together: its point, its name, and its place in the order."""

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QLineEdit, QPushButton, QSizePolicy, QWidget

from app.contract.rules import RuleVmRow
from app.domain.display import visible
from app.domain.tasks import KnownPoint
from app.views import style
from app.views.console import Console
from app.views.icons import Glyph, icon
from app.views.restore.member import newest_good
from app.views.restore.points import point_title
from app.views.widgets.checks import VM_NAME_MAX_CHARS, name_problem
from app.views.widgets.elided import ElidedLabel
from app.views.widgets.plain import Label, set_tip


class InstantMemberRow(QWidget):
    """A VM with its point and the name that it gets. Thread: GUI.

    Signals:
        changed: another point or name is chosen.
        moved: it is to change its place; carries -1 for up and 1 for down.
        left_out: it is not to be started.
    """

    changed = Signal()
    moved = Signal(int)
    left_out = Signal()

    def __init__(self, row: RuleVmRow, points: Sequence[KnownPoint], console: Console, parent: QWidget) -> None:
        super().__init__(parent)
        self.row = row
        self._known = tuple(points)
        self._console = console
        self._build_fields()
        self.up = self._button(Glyph.UP, self.tr("Start {vm} earlier").format(vm=row.name))
        self.down = self._button(Glyph.DOWN, self.tr("Start {vm} later").format(vm=row.name))
        self.leave_out = self._button(Glyph.CLOSE, self.tr("Leave {vm} out").format(vm=row.name))
        self.up.clicked.connect(self._on_up)
        self.down.clicked.connect(self._on_down)
        self.leave_out.clicked.connect(self.left_out)
        self._lay_out()

    def _build_fields(self) -> None:
        self.number = Label(self)
        self.number.setProperty("role", "secondary")
        self.number.setFont(style.tabular_font())
        self.points = QComboBox(self)
        self.points.setAccessibleName(self.tr("Restore point of {vm}").format(vm=self.row.name))
        for known in self._known:
            self.points.addItem(point_title(known), known.point.id)
        chosen = newest_good(self._known)
        self.points.setCurrentIndex(self._known.index(chosen) if chosen is not None else -1)
        if not self._known:
            self.points.addItem(self.tr("No restore point: it is not started"), None)
            self.points.setCurrentIndex(0)
            self.points.setEnabled(False)
        self.points.currentIndexChanged.connect(self.changed)
        name = self.tr("{vm}-instant").format(vm=self.row.name) if self._known else ""
        self.name = QLineEdit(name, self)
        self.name.setAccessibleName(self.tr("Name that {vm} gets").format(vm=self.row.name))
        self.name.setEnabled(bool(self._known))
        self.name.textChanged.connect(self._on_name)
        self.problem_text = Label(self)
        self.problem_text.setProperty("role", "problem")
        self.problem_text.setWordWrap(True)
        self.problem_text.hide()

    def _button(self, glyph: Glyph, text: str) -> QPushButton:
        button = QPushButton(self)
        button.setProperty("role", "quiet")
        button.setIcon(icon(glyph, self._console.colors))
        button.setAutoDefault(False)
        button.setMaximumWidth(style.CONTROL_HEIGHT)
        set_tip(button, text)
        button.setAccessibleName(visible(text))
        return button

    def _lay_out(self) -> None:
        title = ElidedLabel(parent=self)
        title.setText(self.row.name)
        for part in (title, self.points, self.name):  # so that they are below those of the other rows
            part.setSizePolicy(QSizePolicy.Policy.Ignored, part.sizePolicy().verticalPolicy())
        grid = QGridLayout(self)
        grid.setContentsMargins(style.SPACE_M, style.SPACE_XS, style.SPACE_XS, style.SPACE_XS)
        grid.setHorizontalSpacing(style.SPACE_S)
        grid.setVerticalSpacing(0)
        widgets = (self.number, title, self.points, self.name, self.up, self.down, self.leave_out)
        for column, widget in enumerate(widgets):
            grid.addWidget(widget, 0, column)
        grid.addWidget(self.problem_text, 1, 3)
        for column, stretch in ((1, 4), (2, 5), (3, 5)):
            grid.setColumnStretch(column, stretch)
        grid.setColumnMinimumWidth(0, style.SPACE_L)
        grid.setColumnMinimumWidth(2, style.FIELD_WIDTH * 4 // 5)

    def show_place(self, place: int, count: int) -> None:
        """Show at which place it is started, of how many."""
        self.number.setText(str(place + 1))
        self.up.setEnabled(place > 0)
        self.down.setEnabled(place + 1 < count)

    def _on_up(self) -> None:
        self.moved.emit(-1)

    def _on_down(self) -> None:
        self.moved.emit(1)

    def _on_name(self) -> None:
        self.problem_text.hide()
        self.changed.emit()

    # --- the choice -------------------------------------------------------------------------------------------

    @property
    def known(self) -> KnownPoint | None:
        """Return the chosen point; None where the VM has none."""
        return next((known for known in self._known if known.point.id == self.points.currentData()), None)

    @property
    def vm_name(self) -> str:
        """Return the name that the VM gets."""
        return self.name.text().strip()

    def problem(self) -> str:
        """Return what is wrong with the name; empty when nothing is."""
        if self.known is None:
            return ""
        return name_problem(self.name.text(), missing=self.tr("Enter the VM's name."), most=VM_NAME_MAX_CHARS)

    def show_problem(self, text: str) -> None:
        """Say below the name what is wrong with it; nothing where the text is empty."""
        self.problem_text.setText(text)
        self.problem_text.setVisible(bool(text))
