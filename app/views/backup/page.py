"""The page 虚机备份: its parts by address."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QShortcut
from PySide6.QtWidgets import QStackedWidget

from app.domain.ids import RuleId, VmId
from app.views.backup.list_rules import RuleList
from app.views.backup.list_runs import RunList
from app.views.backup.list_vms import VmList
from app.views.backup.statistics import StatisticsView
from app.views.console import Console
from app.views.icons import Glyph
from app.views.page import Crumb, Page

_NEW, _FAILED, _STATISTICS, _TASKS, _LOG = "new", "failed", "statistics", "tasks", "log"


class BackupPage(Page):
    """Shows the part of the backup page that the address names. Thread: GUI.

    Addresses: ``()`` all rules; ``("new",)`` with the editor open; ``("failed",)`` the failed tasks of all rules;
    ``(rule,)`` its VMs, ``(rule, vm)`` with this one selected; ``(rule[, vm], "statistics")``, and behind that
    ``"tasks"``; ``(rule[, vm], "log")`` leads to the log page.
    """

    key = "backup"
    glyph = Glyph.BACKUP

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.toolbar.hide()
        # The parts have tool bars of their own; two holders of F5 and Ctrl+F would make both ambiguous.
        for shortcut in self.findChildren(QShortcut, options=Qt.FindChildOption.FindDirectChildrenOnly):
            shortcut.setEnabled(False)
        self._stack = QStackedWidget(self)
        self.body.addWidget(self._stack, 1)
        self.rules = RuleList(console)
        self.part: Page = self.rules
        self._name: tuple[str, ...] = ()
        self._stack.addWidget(self.rules)
        self.rules.crumbs_changed.connect(self.crumbs_changed)

    def title(self) -> str:
        """Return the page's name."""
        return self.tr("VM backup")

    def crumbs(self) -> tuple[Crumb, ...]:
        """Return the breadcrumb of the part that is shown."""
        return self.part.crumbs()

    def help_text(self) -> str:
        """Return what F1 shows."""
        return self.tr(
            "<p>A <b>backup rule</b> says which VMs are backed up, when, and to which standby machine. "
            "<b>New</b> makes one in three tabs.</p>"
            "<p><b>Rule list</b> shows the VMs of a rule with their traffic: live, of the day, and of the past. "
            "A failed VM says why below the list.</p>"
            "<p><b>Run now</b> backs up at once, before what waits. <b>Change rule</b> changes the policy only; "
            "<b>Add VMs</b> adds VMs under the same settings. <b>Examine</b>, in the menu of a rule, looks for "
            "what would hinder its backups.</p>"
            "<p><b>Statistics</b> counts successes and failures; opening its task list sets the unviewed errors "
            "to zero.</p>"
        )

    # --- going to a part --------------------------------------------------------------------------------------

    def open(self, path: tuple[str, ...]) -> None:
        """Show the part that the address names."""
        if path[-1:] == (_LOG,) and len(path) > 1:
            self.console.go("log", *path[:-1])
            return
        name, inner = _split(path)
        if name != self._name:
            self._change(name)
        self.part.open(inner)
        self.crumbs_changed.emit()
        if path == (_NEW,):
            self.rules.on_create()

    def _change(self, name: tuple[str, ...]) -> None:
        left = self.part
        left.leave()
        self._name = name
        self.part = self._make(name)
        if self.part is not self.rules:
            self._stack.addWidget(self.part)
            self.part.crumbs_changed.connect(self.crumbs_changed)
        self._stack.setCurrentWidget(self.part)
        if left is not self.rules:
            # A part is made for one rule, so that a late answer about another one goes nowhere.
            self._stack.removeWidget(left)
            left.deleteLater()

    def _make(self, name: tuple[str, ...]) -> Page:
        if not name:
            return self.rules
        if name == (_FAILED,):
            return RunList(self.console, None, only_failed=True)
        rule = RuleId(name[0])
        if name[-1] == _TASKS:
            return RunList(self.console, rule, VmId(name[1]) if len(name) == 4 else None)
        if name[-1] == _STATISTICS:
            return StatisticsView(self.console, rule, VmId(name[1]) if len(name) == 3 else None)
        return VmList(self.console, rule)

    def refresh(self) -> None:
        """Load the part again."""
        self.part.refresh()

    def leave(self) -> None:
        """Stop what the part does."""
        super().leave()
        self.part.leave()


def _split(path: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which part a path names, and what is left for the part itself."""
    if path in ((), (_NEW,)):
        return (), ()
    if path == (_FAILED,) or path[-1] in (_STATISTICS, _TASKS):
        return path, ()
    return path[:1], path[1:]
