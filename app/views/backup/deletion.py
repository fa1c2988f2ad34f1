"""Deleting rules, or VMs of a rule: what goes is shown first, and data goes only after the name was typed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtWidgets import QCheckBox, QFormLayout, QLineEdit, QWidget

from app.contract.base import Command
from app.contract.rules import (
    DeleteRule,
    DeletionPreview,
    DescribeRule,
    PreviewRuleDeletion,
    RemoveVmsFromRule,
    RuleDetails,
)
from app.domain.ids import RuleId, VmId
from app.domain.messages import listed
from app.domain.units import filled
from app.views import formatting, style
from app.views.console import Console
from app.views.widgets.checks import is_typed
from app.views.widgets.form import FormDialog, grow_later
from app.views.widgets.plain import Label
from app.views.words import param_text
from app.workers.answers import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """A rule to be deleted, or with ``vms`` only these VMs of it."""

    rule: RuleId
    vms: tuple[VmId, ...] = ()

    def command(self, *, delete_data: bool) -> Command[Any]:
        """Return the command that deletes it."""
        if self.vms:
            return RemoveVmsFromRule(rule=self.rule, vms=self.vms, delete_data=delete_data)
        return DeleteRule(rule=self.rule, delete_data=delete_data)


class DeletionDialog(FormDialog):
    """Asks before rules or VMs of a rule are deleted, and deletes them. Thread: GUI."""

    def __init__(
        self,
        console: Console,
        title: str,
        action: str,
        deletions: Sequence[Deletion],
        type_name: str,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(console, title, action, parent)
        self._deletions = tuple(deletions)
        self._type_name = type_name
        self._previews: list[DeletionPreview] = []
        self._wants_data: list[bool] = []
        self._is_decided = False
        self._is_unknown = False
        self.what = self._line()
        self.data = QCheckBox(self.tr("Delete the backup data, too"), self)
        self.data.clicked.connect(self._on_decided)
        self.data.toggled.connect(self._show)
        self.body.addWidget(self.data)
        self.points = self._line()
        self.blocked = self._line()
        self.blocked.setProperty("role", "problem")
        self._form: QFormLayout = self.add_form()
        self.name = QLineEdit(self)
        self.name.textChanged.connect(self._show)
        self._name = self.add_field(
            self._form, self.tr("Type {name} to confirm").format(name=type_name), self.name
        )
        self.primary.setProperty("role", "danger")
        self.setMinimumWidth(style.DIALOG_WIDTH * 3 // 4)
        self._show()
        self._ask()

    def _line(self) -> Label:
        label = Label(self)
        label.setWordWrap(True)
        self.body.addWidget(label)
        return label

    def _ask(self) -> None:
        door = self.console.door
        for deletion in self._deletions:
            query = PreviewRuleDeletion(rule=deletion.rule, vms=deletion.vms)
            door.ask(query, owner=self, on_done=self._on_preview, on_failed=self._on_unknown)
            door.ask(
                DescribeRule(rule=deletion.rule),
                owner=self,
                on_done=self._on_described,
                on_failed=self._on_unknown,
            )

    def _on_unknown(self, failure: Failure) -> None:
        self._is_unknown = True
        self.banner.show_failure(failure)
        self._show()

    def _on_preview(self, preview: DeletionPreview) -> None:
        self._previews.append(preview)
        self._show()

    def _on_described(self, details: RuleDetails) -> None:
        self._wants_data.append(details.draft.advanced.delete_data_with_rule)
        # The rule's own setting (删除备份数据) is the first answer; the operator's is the last.
        if not self._is_decided and len(self._wants_data) == len(self._deletions):
            self.data.setChecked(all(self._wants_data))

    def _on_decided(self) -> None:
        self._is_decided = True

    # --- what is shown ----------------------------------------------------------------------------------------

    @property
    def is_known(self) -> bool:
        """Return whether it is known what would go."""
        return len(self._previews) == len(self._deletions)

    def _show(self) -> None:
        with_data = self.data.isChecked()
        self.what.setText(self._what_text())
        self.points.setText(self._points_text(with_data=with_data))
        blocked = listed(user for preview in self._previews for user in preview.blocked_by) if with_data else None
        self.blocked.setText(
            self.tr("The data cannot be deleted while it is used by: {tasks}").format(
                tasks=param_text(blocked or "")
            )
        )
        self.blocked.setVisible(blocked is not None)
        needs_name = with_data and self.is_known and self._point_count > 0
        appears = needs_name and not self._form.isRowVisible(self._name)
        self._form.setRowVisible(self._name, needs_name)
        if appears:
            self.name.setFocus()  # what is typed now is meant for it
        is_named = not needs_name or is_typed(self.name.text(), self._type_name)
        self.allow(allowed=self.is_known and blocked is None and is_named)
        grow_later(self)

    def _what_text(self) -> str:
        if any(deletion.vms for deletion in self._deletions):
            return self.tr("The VMs are taken out of the rule with their statistics; their tasks are stopped.")
        if len(self._deletions) > 1:
            return self.tr("The rules go with their statistics; their tasks are stopped. VMs stay as they are.")
        return self.tr("The rule goes with its statistics; its tasks are stopped. The VMs stay as they are.")

    @property
    def _point_count(self) -> int:
        return sum(preview.point_count for preview in self._previews)

    def _points_text(self, *, with_data: bool) -> str:
        if not self.is_known:
            return "" if self._is_unknown else self.tr("Looking what would go…")
        if not self._point_count:
            return self.tr("There are no restore points.")
        size = formatting.size(sum(preview.freed_bytes for preview in self._previews))
        text = (
            self.tr(
                "Restore points that go to the trash: {count}. For {days} {days:day/days} they can be taken back "
                "and take up their space; then garbage collection frees up to {size} on the standby machine."
            )
            if with_data
            else self.tr(
                "Restore points that stay on the standby machine and can still be restored: {count} ({size})."
            )
        )
        days = max(preview.kept_days for preview in self._previews)
        return filled(text, {"count": self._point_count, "size": size, "days": days})

    # --- deleting ---------------------------------------------------------------------------------------------

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Delete one after the other; what is gone already is not asked for again after a refusal."""
        if not self._deletions:
            on_done(None)
            return

        def again(_answer: object) -> None:
            self._deletions = self._deletions[1:]
            self.submit(on_done, on_failed)

        def refused(failure: Failure) -> None:
            on_failed(failure)
            self._previews.clear()
            self._wants_data.clear()
            self._is_decided = True
            self._show()
            self._ask()

        command = self._deletions[0].command(delete_data=self.data.isChecked())
        self.console.door.execute(command, owner=self, on_done=again, on_failed=refused)
