"""One VM of a group restore: its point, and which VM of the platform it replaces."""

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QPushButton, QWidget

from app.contract.restore import FindOriginals, GroupMember, OriginalRow
from app.contract.rules import RuleVmRow
from app.domain.display import visible
from app.domain.ids import PointId
from app.domain.tasks import KnownPoint, VerificationState
from app.domain.vms import VmSummary
from app.views import formatting, style
from app.views.console import Console
from app.views.icons import Glyph, icon
from app.views.restore.original import confirmed, folder_text, power_text, uncovered_text
from app.views.restore.points import point_title
from app.views.widgets.plain import Label, set_tip
from app.views.widgets.question import Question
from app.workers.answers import Failure


def newest_good(points: Sequence[KnownPoint]) -> KnownPoint | None:
    """Return the newest point that is not damaged, or the newest of all; None where there is none."""
    good = (point for point in points if point.verification is not VerificationState.DAMAGED)
    return next(good, points[0] if points else None)


class MemberRow(QWidget):
    """One VM of the group: its name, its point, the VM that it replaces, and the button that leaves it out.

    Signals:
        changed: another VM is to be replaced, or it is known now which.

    Thread: GUI.
    """

    changed = Signal()

    def __init__(
        self,
        row: RuleVmRow,
        points: Sequence[KnownPoint],
        original: OriginalRow | None,
        console: Console,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self.row = row
        self._console = console
        self._known = tuple(points)
        self._original = original
        self._question = Question(console.door, self)
        self._build_points(points)
        self._build_original()
        self._build_button()
        self._lay_out()
        self._show_original()
        self.points.currentIndexChanged.connect(self._on_point)

    # --- construction -----------------------------------------------------------------------------------------

    def _build_points(self, points: Sequence[KnownPoint]) -> None:
        self.points = QComboBox(self)
        self.points.setAccessibleName(self.tr("Restore point of {vm}").format(vm=self.row.name))
        for known in points:
            self.points.addItem(point_title(known), known.point.id)
        chosen = newest_good(points)
        self.points.setCurrentIndex(points.index(chosen) if chosen is not None else -1)
        if not points:
            self.points.addItem(self.tr("No restore point: this VM stays as it is"), None)
            self.points.setCurrentIndex(0)
            self.points.setEnabled(False)

    def _build_original(self) -> None:
        self.original = Label(self)
        self.original.setWordWrap(True)
        self.choice = QComboBox(self)
        self.choice.setAccessibleName(self.tr("VM that is replaced by {vm}").format(vm=self.row.name))
        self.choice.currentIndexChanged.connect(self._on_chosen)

    def _build_button(self) -> None:
        self.leave_out = QPushButton(self)
        self.leave_out.setProperty("role", "quiet")
        self.leave_out.setIcon(icon(Glyph.CLOSE, self._console.colors))
        self.leave_out.setAutoDefault(False)
        text = self.tr("Leave {vm} out").format(vm=self.row.name)
        set_tip(self.leave_out, text)
        self.leave_out.setAccessibleName(visible(text))

    def _lay_out(self) -> None:
        size = Label(formatting.size(self.row.disk_bytes), self)
        size.setProperty("role", "secondary")
        layout = QGridLayout(self)
        layout.setContentsMargins(style.SPACE_M, style.SPACE_XS, style.SPACE_XS, style.SPACE_XS)
        layout.setHorizontalSpacing(style.SPACE_M)
        layout.addWidget(Label(self.row.name, self), 0, 0)
        layout.addWidget(size, 0, 1)
        layout.addWidget(self.points, 0, 2)
        layout.addWidget(self.leave_out, 0, 3)
        layout.addWidget(self.original, 1, 0, 1, 3)
        layout.addWidget(self.choice, 2, 0, 1, 3)
        layout.setColumnStretch(0, 2)
        layout.setColumnStretch(2, 3)
        layout.setColumnMinimumWidth(1, style.AXIS_WIDTH)

    # --- which VM is replaced ---------------------------------------------------------------------------------

    def _on_point(self) -> None:
        """Ask again: which disks are held depends on the point."""
        wanted: PointId | None = self.points.currentData()
        known = next((known for known in self._known if known.point.id == wanted), None)
        if known is None or self._original is None:
            return
        platform = self._original.platform
        query = FindOriginals(
            standby=known.standby, target_path=known.target_path, points=(known.point.id,), platform=platform
        )
        self._question.ask_instead(query, self._on_originals, self._on_unknown)
        self._show_text()

    def _on_originals(self, rows: tuple[OriginalRow, ...]) -> None:
        self._answered(next(iter(rows), None))

    def _on_unknown(self, _failure: Failure) -> None:
        self._answered(None)

    def _answered(self, original: OriginalRow | None) -> None:
        self._original = original
        self._show_original()
        self.changed.emit()

    def _show_original(self) -> None:
        row = self._original
        with QSignalBlocker(self.choice):
            self.choice.clear()
            for vm in row.choices if row is not None else ():
                self.choice.addItem(visible(_described(vm)), vm.id)
            self.choice.setCurrentIndex(0 if row is not None and row.is_proven else -1)
            self.choice.setPlaceholderText(self.tr("Choose the VM to be replaced"))
        self.choice.setVisible(row is not None and bool(row.choices) and not row.is_proven)
        self._show_text()

    def _on_chosen(self) -> None:
        self._show_text()
        self.changed.emit()

    def _show_text(self) -> None:
        problem = self.problem()
        self.original.setText(problem or self._text())
        self.original.setProperty("role", "problem" if problem else "secondary")
        self.original.style().unpolish(self.original)
        self.original.style().polish(self.original)
        self.original.setVisible(bool(self.original.text()))

    @property
    def vm(self) -> VmSummary | None:
        """Return the VM that is replaced, as the platform has it now; None where that is not certain."""
        choices = self._original.choices if self._original is not None else ()
        return next((choice for choice in choices if choice.id == self.choice.currentData()), None)

    def _text(self) -> str:
        if self.points.currentData() is None:
            return ""
        if self._original is None:
            return self.tr(
                "The platform cannot be asked now which VM would be replaced; only one that is certainly the "
                "original is."
            )
        if self.vm is None:
            return self.tr("It is not on the platform any more and is created again.")
        return self.tr("Deleted in its place: {vm}").format(vm=_described(self.vm))

    def problem(self) -> str:
        """Return why no VM can be replaced; empty when one can."""
        row = self._original
        if self.points.currentData() is None or (row is None and not self._question.is_open):
            return ""
        if self._question.is_open or row is None:
            return self.tr("Wait until the platform has answered.")
        if row.other is not None:
            return self.tr("{vm} has its UUID, but is another VM, perhaps a copy. Leave this VM out.").format(
                vm=row.other.name
            )
        if row.choices and self.vm is None:
            return self.tr(
                "Which VM it is cannot be determined. Choose the one to be replaced, or leave this VM out."
            )
        disks = row.uncovered_of(self.vm.id) if self.vm is not None else ()
        return uncovered_text(self.vm.name, disks) if self.vm is not None and disks else ""

    @property
    def member(self) -> GroupMember | None:
        """Return the VM with its point; None where it has none."""
        point: PointId | None = self.points.currentData()
        vm = self.vm
        if point is None:
            return None
        return GroupMember(vm=self.row.vm, point=point, confirmed=None if vm is None else confirmed(vm))


def _described(vm: VmSummary) -> str:
    parts = [folder_text(vm.datacenter_path or vm.datacenter, vm.folder), vm.host, power_text(vm.power_state)]
    if vm.booted_at is not None:
        parts.append(formatting.exact_time(vm.booted_at))
    return f"{vm.name}  ({vm.id} · {' · '.join(parts)})"
