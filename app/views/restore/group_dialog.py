"""组恢复: several VMs of a rule over their originals, each from a point of its own."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from PySide6.QtCore import QCoreApplication, QSignalBlocker
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.contract.base import Query
from app.contract.restore import FindOriginals, GroupMember, OriginalRow, StartGroupRestore
from app.contract.rules import ListRules, ListRuleVms, ListVmPoints, RuleRow, RuleVmRow
from app.domain.display import visible
from app.domain.ids import RuleId, TaskId, VmId
from app.domain.tasks import KnownPoint
from app.views import style
from app.views.console import Console
from app.views.restore.member import MemberRow, newest_good
from app.views.widgets.checks import is_typed
from app.views.widgets.form import Field, FormDialog
from app.views.widgets.plain import Label
from app.workers.answers import Failure
from app.workers.door import OpenCall

R = TypeVar("R")


class GroupRestoreDialog(FormDialog):
    """Restores the VMs of a rule over their originals. Thread: GUI."""

    def __init__(self, console: Console, rule: RuleId | None, parent: QWidget | None = None) -> None:
        title = QCoreApplication.translate("GroupRestoreDialog", "Restore the VMs of a rule")
        action = QCoreApplication.translate("GroupRestoreDialog", "Start group restore")
        super().__init__(console, title, action, parent)
        self._wanted = rule
        self._rule: RuleRow | None = None
        self._members: list[MemberRow] = []
        self._rows: dict[VmId, RuleVmRow] = {}
        self._found: dict[VmId, tuple[KnownPoint, ...]] = {}
        self._is_asking = False
        self._calls: list[OpenCall] = []
        self._is_unknown = False
        self._build_fields()
        self.resize(style.EDITOR_WIDTH, style.EDITOR_HEIGHT)
        console.door.ask(ListRules(), owner=self, on_done=self._on_rules, on_failed=self.banner.show_failure)

    # --- construction -----------------------------------------------------------------------------------------

    def _build_fields(self) -> None:
        form = self.add_form()
        self.rule = QComboBox(self)
        self.rule.currentIndexChanged.connect(self._on_rule)
        self.rule.activated.connect(self._on_rule_again)
        self._rule_field = self.add_field(form, self.tr("Rule"), self.rule, required=True)
        self.power_on = QCheckBox(self.tr("Power the VMs on after the restore"), self)
        self.add_field(form, "", self.power_on)
        heading = Label(self.tr("VMs and their restore points"), self)
        heading.setProperty("role", "heading")
        self.body.addWidget(heading)
        self.body.addWidget(self._build_list(), 1)
        warning = Label(
            self.tr(
                "Each VM is replaced by its restore point: what was written since then is lost. The original is "
                "only deleted once the restored VM has been checked."
            ),
            self,
        )
        warning.setWordWrap(True)
        self.body.addWidget(warning)
        confirm = self.add_form()
        self.typed_name = QLineEdit(self)
        self._typed = self.add_field(
            confirm, self.tr("Confirm"), self.typed_name, help_text=self.tr("Type the rule's name."), required=True
        )

    def _build_list(self) -> QWidget:
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
        return card

    # --- loading ----------------------------------------------------------------------------------------------

    def _on_rules(self, rules: Sequence[RuleRow]) -> None:
        with QSignalBlocker(self.rule):
            for row in rules:
                self.rule.addItem(visible(row.name), row)
            place = next((at for at, row in enumerate(rules) if row.id == self._wanted), -1)
            self.rule.setCurrentIndex(place)
        self._on_rule()

    def _on_rule(self) -> None:
        self._rule = self.rule.currentData()
        self._withdraw()
        self._rows, self._found = {}, {}
        self._is_asking = self._is_unknown = False
        for member in self._members:
            member.deleteLater()
        self._members = []
        self._show_note()
        if self._rule is None:
            return
        rule = self._rule
        self._ask_for_choice(ListRuleVms(rule=rule.id), lambda rows: self._on_vms(rule, rows))

    def _on_rule_again(self) -> None:
        if self._is_unknown:
            self._on_rule()

    def _ask_for_choice(
        self, query: Query[R], take: Callable[[R], None], fail: Callable[[Failure], None] | None = None
    ) -> None:
        """Ask until a rule is chosen again, be it the same one."""
        call = self.console.door.ask(query, owner=self, on_done=take, on_failed=fail or self._on_unknown)
        self._calls.append(call)

    def _withdraw(self) -> None:
        calls, self._calls = self._calls, []
        for call in calls:
            call.cancel()

    def _on_unknown(self, failure: Failure) -> None:
        self._withdraw()  # what else was asked for is of no use now
        self._rows, self._found, self._is_unknown = {}, {}, True
        self.banner.show_failure(failure)
        self._show_note()

    def _on_vms(self, rule: RuleRow, rows: Sequence[RuleVmRow]) -> None:
        self._rows = {row.vm: row for row in rows}
        self._is_asking = bool(rows)
        self._show_note()
        for row in rows:
            self._ask_points(rule, row)

    def _ask_points(self, rule: RuleRow, row: RuleVmRow) -> None:
        def take(found: tuple[KnownPoint, ...]) -> None:
            self._found[row.vm] = found
            self._on_points(rule)

        self._ask_for_choice(ListVmPoints(rule=rule.id, vm=row.vm), take)

    def _on_points(self, rule: RuleRow) -> None:
        """Ask which VMs would be replaced, once the points of all VMs are known."""
        if len(self._found) < len(self._rows):
            return
        chosen = [point for point in (newest_good(points) for points in self._found.values()) if point is not None]
        if not chosen:
            self._show_members(())
            return
        query = FindOriginals(
            standby=rule.standby,
            target_path=chosen[0].target_path,
            points=tuple(choice.point.id for choice in chosen),
            platform=rule.platform,
        )
        self._ask_for_choice(query, self._show_members, lambda _failure: self._show_members(()))

    def _show_members(self, originals: Sequence[OriginalRow]) -> None:
        """Show the VMs in their order, each with the VM that it replaces."""
        known = {original.point: original for original in originals}
        for place, (vm, row) in enumerate(self._rows.items()):
            points = self._found[vm]
            chosen = newest_good(points)
            original = known.get(chosen.point.id) if chosen is not None else None
            member = MemberRow(row, points, original, self.console, self._list)
            member.leave_out.clicked.connect(self._on_leave_out)
            self._column.insertWidget(place, member)
            self._members.append(member)
        self._is_asking = False
        self._show_note()

    def _show_note(self) -> None:
        if self._rule is None:
            text = self.tr("Choose a rule; its VMs appear here.")
        elif self._is_unknown:
            text = self._unknown_text()
        elif self._rows and len(self._found) < len(self._rows):
            text = self.tr("Looking for restore points…")
        elif self._is_asking:
            text = self.tr("The platform is asked which VMs would be replaced…")
        elif not self._members:
            text = self.tr("No VM is left.")
        else:
            text = ""
        self._note.setText(text)
        self._note.setVisible(bool(text))

    def _unknown_text(self) -> str:
        return self.tr("Its VMs cannot be listed now; choose the rule again.")

    def _on_leave_out(self) -> None:
        button = self.sender()
        for member in [member for member in self._members if member.leave_out is button]:
            self._members.remove(member)
            self._column.removeWidget(member)
            member.hide()
            member.deleteLater()
        self._show_note()

    # --- the choice -------------------------------------------------------------------------------------------

    @property
    def members(self) -> tuple[MemberRow, ...]:
        """Return the VMs that are still in the list."""
        return tuple(self._members)

    def chosen(self) -> tuple[GroupMember, ...]:
        """Return the VMs with their points."""
        return tuple(chosen for chosen in (member.member for member in self._members) if chosen is not None)

    def problems(self) -> dict[Field, str]:
        """Return what is missing."""
        if self._rule is None:
            return {self._rule_field: self.tr("Choose a rule.")}
        if self._is_unknown:
            return {self._rule_field: self._unknown_text()}
        if not self.chosen():
            return {self._rule_field: self.tr("None of its VMs has a restore point to go back to.")}
        if not is_typed(self.typed_name.text(), self._rule.name):
            return {self._typed: self.tr("Type {name} to confirm.").format(name=self._rule.name)}
        for member in self._members:
            if member.problem():
                text = self.tr("Do what is said at {vm} above, or leave it out.").format(vm=member.row.name)
                return {self._typed: text}
        return {}

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Queue the restores."""
        assert self._rule is not None
        command = StartGroupRestore(rule=self._rule.id, members=self.chosen(), power_on=self.power_on.isChecked())

        def done(tasks: tuple[TaskId, ...]) -> None:
            on_done(tasks)

        self.console.door.execute(command, owner=self, on_done=done, on_failed=on_failed)
