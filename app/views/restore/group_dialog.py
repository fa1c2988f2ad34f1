"""组恢复: several VMs of a rule over their originals, each from a point of its own."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QCoreApplication, QSignalBlocker
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QWidget

from app.contract.restore import FindOriginals, GroupMember, OriginalRow, StartGroupRestore
from app.contract.rules import ListRules, RuleRow
from app.domain.display import visible
from app.domain.ids import RuleId, TaskId
from app.views import style
from app.views.console import Console
from app.views.restore.member import MemberRow, newest_good
from app.views.restore.member_list import MemberList
from app.views.restore.rule_points import RulePoints
from app.views.widgets.checks import is_typed
from app.views.widgets.form import Field, FormDialog
from app.views.widgets.plain import Label
from app.workers.answers import Failure


class GroupRestoreDialog(FormDialog):
    """Restores the VMs of a rule over their originals. Thread: GUI."""

    def __init__(self, console: Console, rule: RuleId | None, parent: QWidget | None = None) -> None:
        title = QCoreApplication.translate("GroupRestoreDialog", "Restore the VMs of a rule")
        action = QCoreApplication.translate("GroupRestoreDialog", "Start group restore")
        super().__init__(console, title, action, parent)
        self._wanted = rule
        self._rule: RuleRow | None = None
        self._is_asking = False
        self._is_unknown = False
        self._points = RulePoints(console.door, self)
        self._points.listed.connect(self._on_vms)
        self._points.found.connect(self._on_points)
        self._points.failed.connect(self._on_unknown)
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
        self._list: MemberList[MemberRow] = MemberList(self)
        self.body.addWidget(self._list, 1)
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
        self._points.forget()
        self._is_asking = self._is_unknown = False
        self._list.clear()
        self._show_note()
        if self._rule is not None:
            self._points.ask(self._rule.id)

    def _on_rule_again(self) -> None:
        if self._is_unknown:
            self._on_rule()

    def _on_unknown(self, failure: Failure) -> None:
        self._is_unknown = True
        self.banner.show_failure(failure)
        self._show_note()

    def _on_vms(self) -> None:
        self._is_asking = bool(self._points.rows)
        self._show_note()

    def _on_points(self) -> None:
        """Ask which VMs would be replaced, once the points of all VMs are known."""
        found = map(newest_good, self._points.points.values())
        chosen = [point for point in found if point is not None]
        if not chosen or self._rule is None:
            self._show_members(())
            return
        query = FindOriginals(
            standby=self._rule.standby,
            target_path=chosen[0].target_path,
            points=tuple(choice.point.id for choice in chosen),
            platform=self._rule.platform,
        )
        self._points.ask_also(query, self._show_members, self._on_no_originals)

    def _on_no_originals(self, _failure: Failure) -> None:
        self._show_members(())

    def _show_members(self, originals: Sequence[OriginalRow]) -> None:
        """Show the VMs in their order, each with the VM that it replaces."""
        known = {original.point: original for original in originals}
        for row in self._points.rows:
            points = self._points.points[row.vm]
            chosen = newest_good(points)
            original = known.get(chosen.point.id) if chosen is not None else None
            member = MemberRow(row, points, original, self.console, self._list.ground)
            member.leave_out.clicked.connect(self._on_leave_out)
            self._list.add(member)
        self._is_asking = False
        self._show_note()

    def _show_note(self) -> None:
        if self._rule is None:
            text = self.tr("Choose a rule; its VMs appear here.")
        elif self._is_unknown:
            text = self._unknown_text()
        elif not self._points.is_complete:
            text = self.tr("Looking for restore points…")
        elif self._is_asking:
            text = self.tr("The platform is asked which VMs would be replaced…")
        elif not self.members:
            text = self.tr("No VM is left.")
        else:
            text = ""
        self._list.show_note(text)

    def _unknown_text(self) -> str:
        return self.tr("Its VMs cannot be listed now; choose the rule again.")

    def _on_leave_out(self) -> None:
        button = self.sender()
        for member in [member for member in self.members if member.leave_out is button]:
            self._list.remove(member)
        self._show_note()

    # --- the choice -------------------------------------------------------------------------------------------

    @property
    def members(self) -> tuple[MemberRow, ...]:
        """Return the VMs that are still in the list."""
        return tuple(self._list.members)

    def chosen(self) -> tuple[GroupMember, ...]:
        """Return the VMs with their points."""
        return tuple(chosen for chosen in (member.member for member in self.members) if chosen is not None)

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
        for member in self.members:
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
