"""The page of restores."""

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QMenu, QTabBar

from app.domain.ids import PointId, RuleId, TaskId, VmId
from app.domain.states import TaskKind
from app.models.rows import Column
from app.views import formatting
from app.views.console import Console
from app.views.icons import Glyph, icon
from app.views.program import Program
from app.views.proof.list import ProofList
from app.views.restore.dialog import RestoreDialog
from app.views.restore.group_dialog import GroupRestoreDialog
from app.views.restore.instant.dialog import InstantDialog
from app.views.restore.instant.list import InstantList
from app.views.restore.offer_list import OfferList
from app.views.restore.side_list import SideList
from app.views.tasks.lines import TaskLine
from app.views.tasks.task_list import TaskList
from app.views.widgets.opening import open_once

_RESTORES, _INSTANT, _PROOFS, _OFFERS = range(4)
"""The lists, by the place of their tab."""
_LISTS = {"instant": _INSTANT, "proofs": _PROOFS, "offers": _OFFERS}
"""The lists that an address names."""


class RestorePage(TaskList):
    """Restores with their progress, and the ways to begin one. Thread: GUI."""

    key = "restore"
    glyph = Glyph.RESTORE
    kinds = (TaskKind.RESTORE,)

    def __init__(self, console: Console, program: Program | None = None) -> None:
        """Build; ``program`` is what the page of an instant recovery asks how long the engine runs."""
        super().__init__(console, "restores")
        self._program = program
        self.tabs = QTabBar(self)
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(False)
        self.tabs.addTab(self.tr("Restores"))
        self.tabs.addTab(self.tr("Instant recoveries"))
        self.tabs.addTab(self.tr("Proofs of restore"))
        self.tabs.addTab(self.tr("Disks over NBD"))
        self.tabs.currentChanged.connect(self._on_tab)
        self.instant = InstantList(console, self)
        self.instant.create_wanted.connect(self.open_instant)
        self.proofs = ProofList(console, self)
        self.offers = OfferList(console, self)
        self._side_lists: dict[int, SideList[Any]] = {
            _INSTANT: self.instant,
            _PROOFS: self.proofs,
            _OFFERS: self.offers,
        }
        self.body.insertWidget(0, self.tabs)
        for part in self._side_lists.values():
            self.body.addWidget(part, 1)
            part.selection_changed.connect(self.on_selection)
            part.hide()
        self._build_tools()
        for part in self._side_lists.values():
            self.toolbar.filter_changed.connect(part.table.set_filter)
        self.toolbar.offer_columns(self._column_menu)
        self.on_selection()

    def _build_tools(self) -> None:
        bar = self.toolbar
        self.new = bar.add_primary(self.tr("New"), Glyph.ADD, self._on_new)
        self.stop = bar.add_action(self.tr("Stop"), Glyph.STOP, self._on_stop)
        self.details = bar.add_action(self.tr("Details"), Glyph.INFO, self._on_details)

    def new_menu(self) -> QMenu:
        """Return the menu of the ways to begin a restore."""
        menu = QMenu(self)
        colors = self.console.colors
        for glyph, text, slot in (
            (Glyph.RESTORE, self.tr("Restore…"), self.open_restore),
            (Glyph.GROUP_RESTORE, self.tr("Group restore…"), self.open_group),
            (Glyph.INSTANT, self.tr("Instant recovery…"), self.open_instant),
        ):
            menu.addAction(icon(glyph, colors), text).triggered.connect(slot)
        return menu

    def _on_new(self) -> None:
        self.new_menu().popup(self.new.mapToGlobal(QPoint(0, self.new.height())))

    # --- the list ---------------------------------------------------------------------------------------------

    def title(self) -> str:
        """Return the page's name."""
        return self.tr("VM recovery")

    def help_text(self) -> str:
        """Return what F1 shows."""
        return self.tr(
            "<p><b>Restore</b> copies a VM back from a restore point, as a new VM or in the place of the "
            "original. Every block is read back and compared before the original is touched.</p>"
            "<p><b>Group restore</b> brings several VMs of a rule back at once, each from a point of its own.</p>"
            "<p><b>Instant recovery</b> runs VMs straight from their restore points, at once. What they write is "
            "kept apart. <b>Move</b> takes such a VM to a datastore for good; <b>Stop</b> takes it away, and what "
            "it wrote can be kept as a restore point.</p>"
            "<p><b>Proofs of restore</b> lists the restore points that were tried: those whose VMs were started, "
            "without a network, and those whose file systems were read. A double click shows the picture of the "
            "console.</p>"
            "<p><b>Disks over NBD</b> lists the restore points whose disks other programs of this machine can "
            "read; the menu of a restore point offers them.</p>"
        )

    def columns(self) -> Sequence[Column[TaskLine]]:
        """Return the columns of the list."""
        return (
            Column(key="name", title=self.tr("Name"), text=_name, width=150, stretch=True),
            self.state_column(),
            Column(key="vm", title=self.tr("Source VM"), text=lambda line: line.task.vm_name, width=110),
            Column(
                key="target",
                title=self.tr("Target VM"),
                text=lambda line: line.task.target_name or self.tr("The original"),
                width=130,
            ),
            *self.progress_columns(),
            *self.time_columns(),
            *self.site_columns(platform_hidden=True),
        )

    def empty_state(self) -> tuple[Glyph, str, str, str]:
        """Say what the page is for."""
        return (
            Glyph.RESTORE,
            self.tr("Nothing was restored yet"),
            self.tr("Bring a VM back from one of its restore points, as a new VM or in the original's place."),
            self.tr("Restore a VM"),
        )

    def on_create(self) -> None:
        """Begin a restore."""
        self.open_restore()

    @property
    def _side(self) -> SideList[Any] | None:
        """Return the list that is shown in the place of the restores."""
        return self._side_lists.get(self.tabs.currentIndex())

    def on_selection(self) -> None:
        """Enable what fits the selection."""
        side, rows = self._side, self.chosen_rows()
        if side is not None:
            self.stop.setEnabled(side.can_stop())
            self.details.setEnabled(side.can_open())
        else:
            self.stop.setEnabled(any(row.task.state.can_be_stopped for row in rows))
            self.details.setEnabled(len(rows) == 1)

    def _on_stop(self) -> None:
        if self._side is not None:
            self._side.stop_chosen()
        else:
            self.ask_to_stop([line.task for line in self.chosen_rows()])

    def on_delete(self) -> None:
        """Ask whether to stop the chosen restores; one that has ended stays in the list."""
        self._on_stop()

    def refresh(self) -> None:
        """Load again what is shown."""
        super().refresh()
        if self._side is not None:
            self._side.refresh()

    def leave(self) -> None:
        """Stop asking."""
        super().leave()
        for part in self._side_lists.values():
            part.leave()

    def ask_to_export(self) -> None:
        """Ask where the list that is shown is to be written."""
        if self._side is not None:
            self._side.exporter.ask()
        else:
            super().ask_to_export()

    def _column_menu(self) -> QMenu:
        return (self._side or self).table.column_menu()

    def _on_details(self) -> None:
        if self._side is not None:
            self._side.open_chosen()
            return
        for line in self.chosen_rows()[:1]:
            self.on_activated(line)

    def _on_tab(self, place: int) -> None:
        self.stages.setVisible(place == _RESTORES)
        for at, part in self._side_lists.items():
            part.setVisible(at == place)
            if at == place:
                part.begin()
            else:
                part.leave()
        self.on_selection()

    # --- addresses and dialogs --------------------------------------------------------------------------------

    def open(self, path: tuple[str, ...]) -> None:
        """Show the list, and the dialog that the address names.

        ``("new", rule, vm)``, ``("group", rule)``, ``("instant", rule, vm)``, ``("instant", rule)``;
        ``("instant",)``, ``("proofs",)`` and ``("offers",)`` are lists; anything else is a restore point.
        """
        self.banner.hide()
        self.tabs.setCurrentIndex(_LISTS.get("".join(path[:1]), _RESTORES))
        super().open(())
        if not path:
            return
        what, *rest = path
        if what in _LISTS and self._side is not None:
            self._side.begin()
            if not rest:
                return
        rule = RuleId(rest[0]) if rest else None
        vm = VmId(rest[1]) if len(rest) > 1 else None
        if what == "new":
            self.open_restore(rule=rule, vm=vm)
        elif what == "group":
            self.open_group(rule=rule)
        elif what == "instant":
            self.open_instant(rule=rule, vm=vm)
        else:
            self.open_restore(point=PointId("/".join(path)))

    def open_restore(
        self,
        _checked: object = None,
        *,
        rule: RuleId | None = None,
        vm: VmId | None = None,
        point: PointId | None = None,
    ) -> None:
        """Open the restore dialog."""
        dialog = RestoreDialog(self.console, rule=rule, vm=vm, point=point, parent=self)
        dialog.queued.connect(self._on_queued)
        dialog.instant_wanted.connect(self._on_instant_wanted)
        open_once(dialog)

    def _on_queued(self, task: str) -> None:
        self.banner.show_success(self.tr("The restore was queued; it is followed in the list."))
        self._wanted = TaskId(task)
        self.tabs.setCurrentIndex(_RESTORES)
        self.refresh()

    def open_group(self, _checked: object = None, *, rule: RuleId | None = None) -> None:
        """Open the dialog of a group restore."""
        dialog = GroupRestoreDialog(self.console, rule, self)
        dialog.succeeded.connect(self.refresh)
        open_once(dialog)

    def open_instant(
        self,
        _checked: object = None,
        *,
        rule: RuleId | None = None,
        vm: VmId | None = None,
        point: PointId | None = None,
    ) -> None:
        """Open the dialog of an instant recovery."""
        dialog = InstantDialog(self.console, rule=rule, vm=vm, point=point, program=self._program, parent=self)
        dialog.queued.connect(self._on_instant_queued)
        open_once(dialog)

    def _on_instant_wanted(self, point: str) -> None:
        self.open_instant(point=PointId(point))

    def _on_instant_queued(self, tasks: tuple[TaskId, ...]) -> None:
        self.tabs.setCurrentIndex(_INSTANT)
        self.instant.expect(tasks)


def _name(line: TaskLine) -> str:
    return line.task.name or line.task.target_name or line.task.vm_name or formatting.NOTHING
