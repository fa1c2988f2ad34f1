"""基本设置 of an instant recovery: one VM with its point, or several VMs of a rule in the order of their start."""

from collections import Counter
from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from app.contract.rules import ListRules, RuleRow
from app.domain.display import visible
from app.domain.ids import PlatformId, PointId, RuleId, VmId
from app.domain.tasks import KnownPoint
from app.views import style
from app.views.restore.instant.member import InstantMemberRow
from app.views.restore.member_list import MemberList
from app.views.restore.point_source import PointSource
from app.views.restore.rule_points import RulePoints
from app.views.widgets.choice_bar import ChoiceBar
from app.views.widgets.form import Field, FormDialog
from app.views.widgets.plain import Label
from app.workers.answers import Failure


class GroupSource(QWidget):
    """The VMs of a rule, each with its point, in the order in which they start. Thread: GUI.

    Signals:
        changed: other VMs, points, names or another order.
    """

    changed = Signal()

    def __init__(self, dialog: FormDialog, rule: RuleId | None) -> None:
        super().__init__(dialog)
        self._dialog = dialog
        self._wanted = rule
        self._rule: RuleRow | None = None
        self._is_unknown = False
        self._points = RulePoints(dialog.console.door, self)
        self._points.listed.connect(self._show_note)
        self._points.found.connect(self._on_found)
        self._points.failed.connect(self._on_unknown)
        self._build()
        dialog.console.door.ask(
            ListRules(), owner=self, on_done=self._on_rules, on_failed=dialog.banner.show_failure
        )

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.SPACE_M)
        form = self._dialog.add_form(column)
        self.rule = QComboBox(self)
        self.rule.currentIndexChanged.connect(self._on_rule)
        self.rule.activated.connect(self._on_rule_again)
        self._rule_field = self._dialog.add_field(form, self.tr("Rule"), self.rule, required=True)
        heading = Label(self.tr("VMs in the order in which they start"), self)
        heading.setProperty("role", "heading")
        column.addWidget(heading)
        self._list: MemberList[InstantMemberRow] = MemberList(self)
        column.addWidget(self._list, 1)
        self._show_note()

    # --- loading ----------------------------------------------------------------------------------------------

    def _on_rules(self, rules: Sequence[RuleRow]) -> None:
        with QSignalBlocker(self.rule):
            for row in rules:
                self.rule.addItem(visible(row.name), row)
            self.rule.setCurrentIndex(next((at for at, row in enumerate(rules) if row.id == self._wanted), -1))
        self._on_rule()

    def _on_rule(self) -> None:
        self._rule = self.rule.currentData()
        self._is_unknown = False
        self._points.forget()
        self._list.clear()
        if self._rule is not None:
            self._points.ask(self._rule.id)
        self._show_note()
        self.changed.emit()

    def _on_rule_again(self) -> None:
        if self._is_unknown:
            self._on_rule()

    def _on_unknown(self, failure: Failure) -> None:
        self._is_unknown = True
        self._dialog.banner.show_failure(failure)
        self._show_note()

    def _on_found(self) -> None:
        for row in self._points.rows:
            member = InstantMemberRow(row, self._points.points[row.vm], self._dialog.console, self._list.ground)
            member.changed.connect(self.changed)
            member.moved.connect(partial(self._on_moved, member))
            member.left_out.connect(partial(self._on_left_out, member))
            self._list.add(member)
        self._on_order()

    def _on_moved(self, member: InstantMemberRow, steps: int) -> None:
        self._list.shift(member, steps)
        self._on_order()

    def _on_left_out(self, member: InstantMemberRow) -> None:
        self._list.remove(member)
        self._on_order()

    def _on_order(self) -> None:
        for place, member in enumerate(self.members):
            member.show_place(place, len(self.members))
        self._show_note()
        self.changed.emit()

    def _show_note(self) -> None:
        if self._rule is None:
            text = self.tr("Choose a rule; its VMs appear here.")
        elif self._is_unknown:
            text = self._unknown_text()
        elif not self._points.is_complete or not (self.members or self._points.rows):
            text = self.tr("Looking for restore points…")
        else:
            text = "" if self.members else self.tr("No VM is left.")
        self._list.show_note(text)

    def _unknown_text(self) -> str:
        return self.tr("Its VMs cannot be listed now; choose the rule again.")

    # --- the choice -------------------------------------------------------------------------------------------

    @property
    def chosen_rule(self) -> RuleRow | None:
        """Return the rule."""
        return self._rule

    @property
    def members(self) -> Sequence[InstantMemberRow]:
        """Return the VMs that are still in the list, in their order."""
        return self._list.members

    def chosen(self) -> tuple[tuple[str, KnownPoint], ...]:
        """Return the names and points of the VMs that have one, in their order."""
        pairs = ((member.vm_name, member.known) for member in self.members)
        return tuple((name, known) for name, known in pairs if known is not None)

    def problems(self) -> dict[Field, str]:
        """Return what is missing; names are marked in their rows."""
        if self._rule is None:
            return {self._rule_field: self.tr("Choose a rule.")}
        if self._is_unknown:
            return {self._rule_field: self._unknown_text()}
        if not self.chosen():
            return {self._rule_field: self.tr("None of its VMs has a restore point to run from.")}
        if self._show_names():
            return {self._rule_field: self.tr("Correct the names of the VMs below.")}
        return {}

    def _show_names(self) -> bool:
        """Say what is wrong with names; return whether something is."""
        counts = Counter(name.casefold() for name, _ in self.chosen())
        is_wrong = False
        for member in self.members:
            text = member.problem()
            if not text and member.known is not None and counts[member.vm_name.casefold()] > 1:
                text = self.tr("Two VMs of this list have this name.")
            member.show_problem(text)
            is_wrong = is_wrong or bool(text)
        return is_wrong


class InstantSource(QWidget):
    """One VM, or several of a rule. Thread: GUI.

    Signals:
        changed: something else is to be started.
    """

    changed = Signal()

    def __init__(self, dialog: FormDialog, *, rule: RuleId | None, vm: VmId | None, point: PointId | None) -> None:
        super().__init__(dialog)
        is_group = rule is not None and vm is None
        self.count: ChoiceBar[bool] = ChoiceBar(
            self.tr("What is started"),
            ((False, self.tr("One VM")), (True, self.tr("Several VMs of a rule"))),
            chosen=is_group,
            parent=self,
        )
        self.count.chosen.connect(self._on_count)
        self.one = PointSource(dialog, rule=rule, vm=vm, point=point)
        self.one.point_chosen.connect(self.changed)
        self.group = GroupSource(dialog, rule)
        self.group.changed.connect(self.changed)
        line = QHBoxLayout()
        line.addWidget(self.count)
        line.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, style.SPACE_L, 0, 0)
        column.setSpacing(0)
        column.addLayout(line)
        column.addWidget(self.one, 1)
        column.addSpacing(style.SPACE_M)
        column.addWidget(self.group, 1)
        self._on_count()

    def _on_count(self, _choice: object = None) -> None:
        self.one.setVisible(not self.is_group)
        self.group.setVisible(self.is_group)
        self.changed.emit()

    @property
    def is_group(self) -> bool:
        """Return whether several VMs are started."""
        return self.count.value

    @property
    def rule(self) -> RuleId | None:
        """Return the rule from which it is started."""
        if not self.is_group:
            return self.one.rule
        row = self.group.chosen_rule
        return None if row is None else row.id

    @property
    def platform(self) -> PlatformId | None:
        """Return the platform that the points came from; None where it is not known."""
        row = self.group.chosen_rule
        if self.is_group:
            return None if row is None else row.platform
        return None if self.one.point is None else self.one.point.platform

    def points(self) -> tuple[KnownPoint, ...]:
        """Return the points that are run from."""
        if self.is_group:
            return tuple(known for _, known in self.group.chosen())
        return () if self.one.point is None else (self.one.point,)

    def problems(self) -> dict[Field, str]:
        """Return what is missing in the fields."""
        return self.group.problems() if self.is_group else self.one.problems()

    def show_point_problem(self) -> bool:
        """Say that no point is selected, where one VM is started; return whether that is so."""
        return not self.is_group and self.one.show_point_problem()
