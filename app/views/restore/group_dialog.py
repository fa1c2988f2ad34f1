"""组恢复: several VMs of a rule over their originals, each from a point of its own."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.domain.display import visible
from app.domain.ids import PointId, RuleId, TaskId, VmId
from app.domain.tasks import KnownPoint, VerificationState
from app.engine.api import (
    GroupMember,
    ListRules,
    ListRuleVms,
    ListVmPoints,
    RuleRow,
    RuleVmRow,
    StartGroupRestore,
)
from app.models import format as fmt
from app.views import style
from app.views.console import Console
from app.views.icons import Glyph, icon
from app.views.plain import Label, set_tip
from app.views.restore.points import point_title
from app.views.widgets.form import Field, FormDialog
from app.workers.asker import Failure


class _Member(QWidget):
    """One VM of the group: its name, its point, and the button that leaves it out."""

    def __init__(self, row: RuleVmRow, points: Sequence[KnownPoint], console: Console, parent: QWidget) -> None:
        super().__init__(parent)
        self.row = row
        self.points = QComboBox(self)
        self.points.setAccessibleName(self.tr("Restore point of {vm}").format(vm=row.name))
        for known in points:
            self.points.addItem(visible(point_title(known)), known.point.id)
        whole = [at for at, one in enumerate(points) if one.verification is not VerificationState.DAMAGED]
        self.points.setCurrentIndex(whole[0] if whole else 0 if points else -1)
        if not points:
            self.points.addItem(self.tr("No restore point: this VM stays as it is"), None)
            self.points.setCurrentIndex(0)
            self.points.setEnabled(False)
        self.leave_out = QPushButton(self)
        self.leave_out.setProperty("role", "quiet")
        self.leave_out.setIcon(icon(Glyph.CLOSE, console.colors))
        self.leave_out.setAutoDefault(False)
        text = self.tr("Leave {vm} out").format(vm=row.name)
        set_tip(self.leave_out, text)
        self.leave_out.setAccessibleName(text)
        size = Label(fmt.size(row.disk_bytes), self)
        size.setProperty("role", "secondary")
        layout = QGridLayout(self)
        layout.setContentsMargins(style.SPACE_M, style.SPACE_XS, style.SPACE_XS, style.SPACE_XS)
        layout.setHorizontalSpacing(style.SPACE_M)
        layout.addWidget(Label(row.name, self), 0, 0)
        layout.addWidget(size, 0, 1)
        layout.addWidget(self.points, 0, 2)
        layout.addWidget(self.leave_out, 0, 3)
        layout.setColumnStretch(0, 2)
        layout.setColumnStretch(2, 3)
        layout.setColumnMinimumWidth(1, style.AXIS_WIDTH)

    @property
    def member(self) -> GroupMember | None:
        """Return the VM with its point; None where it has none."""
        point: PointId | None = self.points.currentData()
        return None if point is None else GroupMember(vm=self.row.vm, point=point)


class GroupRestoreDialog(FormDialog):
    """Restores the VMs of a rule over their originals. Thread: GUI."""

    def __init__(self, console: Console, rule: RuleId | None, parent: QWidget | None = None) -> None:
        title = QCoreApplication.translate("GroupRestoreDialog", "Restore the VMs of a rule")
        action = QCoreApplication.translate("GroupRestoreDialog", "Start group restore")
        super().__init__(console, title, action, parent)
        self._wanted = rule
        self._rule: RuleRow | None = None
        self._members: list[_Member] = []
        self._rows: dict[VmId, RuleVmRow] = {}
        self._found: dict[VmId, tuple[KnownPoint, ...]] = {}
        self._build_fields()
        self.resize(style.EDITOR_WIDTH, style.EDITOR_HEIGHT)
        console.door.ask(ListRules(), owner=self, on_done=self._on_rules, on_failed=self.banner.show_failure)

    # --- construction -----------------------------------------------------------------------------------------

    def _build_fields(self) -> None:
        form = self.add_form()
        self.rule = QComboBox(self)
        self.rule.currentIndexChanged.connect(self._on_rule)
        self._rule_field = self.add_field(form, self.tr("Rule"), self.rule, required=True)
        self.power_on = QCheckBox(self.tr("Power the VMs on after the restore"), self)
        self.add_field(form, "", self.power_on)
        self._heading = Label(self.tr("VMs and their restore points"), self)
        self._heading.setProperty("role", "heading")
        self.body.addWidget(self._heading)
        card = QFrame(self)
        card.setProperty("role", "card")
        self._list = QWidget(card)
        self._column = QVBoxLayout(self._list)
        self._column.setContentsMargins(0, style.SPACE_XS, 0, style.SPACE_XS)
        self._column.setSpacing(0)
        self._note = Label(self._list)
        self._note.setProperty("role", "secondary")
        self._note.setContentsMargins(style.SPACE_M, style.SPACE_M, style.SPACE_M, style.SPACE_M)
        self._column.addWidget(self._note)
        self._column.addStretch(1)
        scroll = QScrollArea(card)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidget(self._list)
        for ground in (scroll.viewport(), self._list):
            ground.setAutoFillBackground(False)
        layout = QHBoxLayout(card)
        layout.setContentsMargins(1, 1, 1, 1)
        layout.addWidget(scroll)
        self.body.addWidget(card, 1)
        self._warning = Label(
            self.tr(
                "Each VM is replaced by its restore point: what was written since then is lost. The original is "
                "only deleted once the restored VM has been checked."
            ),
            self,
        )
        self._warning.setWordWrap(True)
        self.body.addWidget(self._warning)
        confirm = self.add_form()
        self.typed_name = QLineEdit(self)
        self._typed = self.add_field(
            confirm, self.tr("Confirm"), self.typed_name, help_text=self.tr("Type the rule's name."), required=True
        )

    # --- loading ----------------------------------------------------------------------------------------------

    def _on_rules(self, rules: Sequence[RuleRow]) -> None:
        self.rule.blockSignals(True)  # noqa: FBT003 - Qt's signature
        for row in rules:
            self.rule.addItem(visible(row.name), row)
        place = next((at for at, row in enumerate(rules) if row.id == self._wanted), -1)
        self.rule.setCurrentIndex(place)
        self.rule.blockSignals(False)  # noqa: FBT003 - Qt's signature
        self._on_rule()

    def _on_rule(self) -> None:
        self._rule = self.rule.currentData()
        self._rows, self._found = {}, {}
        for member in self._members:
            member.deleteLater()
        self._members = []
        self._show_note()
        if self._rule is None:
            return
        rule = self._rule

        def take(rows: tuple[RuleVmRow, ...]) -> None:
            if rule == self._rule:
                self._on_vms(rule, rows)

        query = ListRuleVms(rule=rule.id)
        self.console.door.ask(query, owner=self, on_done=take, on_failed=self.banner.show_failure)

    def _on_vms(self, rule: RuleRow, rows: Sequence[RuleVmRow]) -> None:
        self._rows = {row.vm: row for row in rows}
        self._show_note()
        for row in rows:
            self._ask_points(rule, row)

    def _ask_points(self, rule: RuleRow, row: RuleVmRow) -> None:
        def take(found: tuple[KnownPoint, ...]) -> None:
            if rule == self._rule:
                self._found[row.vm] = found
                self._show_members()

        query = ListVmPoints(rule=rule.id, vm=row.vm)
        self.console.door.ask(query, owner=self, on_done=take, on_failed=self.banner.show_failure)

    def _show_members(self) -> None:
        """Show the VMs in their order, once the points of all of them are known."""
        if len(self._found) < len(self._rows):
            return
        for place, (vm, row) in enumerate(self._rows.items()):
            member = _Member(row, self._found[vm], self.console, self._list)
            member.leave_out.clicked.connect(self._on_leave_out)
            self._column.insertWidget(place, member)
            self._members.append(member)
        self._show_note()

    def _show_note(self) -> None:
        if self._rule is None:
            text = self.tr("Choose a rule; its VMs appear here.")
        elif self._rows and len(self._found) < len(self._rows):
            text = self.tr("Looking for restore points…")
        elif not self._members:
            text = self.tr("No VM is left.")
        else:
            text = ""
        self._note.setText(text)
        self._note.setVisible(bool(text))

    def _on_leave_out(self) -> None:
        button = self.sender()
        for member in [one for one in self._members if one.leave_out is button]:
            self._members.remove(member)
            self._column.removeWidget(member)
            member.hide()
            member.deleteLater()
        self._show_note()

    # --- the choice -------------------------------------------------------------------------------------------

    @property
    def members(self) -> tuple[_Member, ...]:
        """Return the VMs that are still in the list."""
        return tuple(self._members)

    def chosen(self) -> tuple[GroupMember, ...]:
        """Return the VMs with their points."""
        return tuple(one for one in (member.member for member in self._members) if one is not None)

    def problems(self) -> dict[Field, str]:
        """Return what is missing."""
        if self._rule is None:
            return {self._rule_field: self.tr("Choose a rule.")}
        if not self.chosen():
            return {self._rule_field: self.tr("None of its VMs has a restore point to go back to.")}
        if self.typed_name.text().strip() != self._rule.name:
            return {self._typed: self.tr("Type {name} to confirm.").format(name=self._rule.name)}
        return {}

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Queue the restores."""
        assert self._rule is not None
        command = StartGroupRestore(rule=self._rule.id, members=self.chosen(), power_on=self.power_on.isChecked())

        def done(tasks: tuple[TaskId, ...]) -> None:
            on_done(tasks)

        self.console.door.execute(command, owner=self, on_done=done, on_failed=on_failed)
