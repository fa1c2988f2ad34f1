"""The page of restores."""

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QMenu, QTabBar

from app.domain.ids import PointId, RuleId, TaskId, VmId
from app.domain.states import TaskKind
from app.models.rows import Column
from app.views import formatting
from app.views.console import Console
from app.views.icons import Glyph, icon
from app.views.restore.dialog import RestoreDialog
from app.views.restore.group_dialog import GroupRestoreDialog
from app.views.restore.instant import InstantDialog, InstantList
from app.views.restore.offer_list import OfferList
from app.views.tasks.lines import TaskLine
from app.views.tasks.task_list import TaskList
from app.views.widgets.opening import open_once

_RESTORES, _INSTANT, _OFFERS = range(3)
"""The lists, by the place of their tab."""
_LISTS = {"instant": _INSTANT, "offers": _OFFERS}
"""The lists that an address names."""


class RestorePage(TaskList):
    """Restores with their progress, and the ways to begin one. Thread: GUI."""

    key = "restore"
    glyph = Glyph.RESTORE
    kinds = (TaskKind.RESTORE,)

    def __init__(self, console: Console) -> None:
        super().__init__(console, "restores")
        self.tabs = QTabBar(self)
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(False)
        self.tabs.addTab(self.tr("Restores"))
        self.tabs.addTab(self.tr("Instant recoveries"))
        self.tabs.addTab(self.tr("Disks over NBD"))
        self.tabs.currentChanged.connect(self._on_tab)
        self.instant = InstantList(console, self)
        self.instant.create_wanted.connect(self.open_instant)
        self.instant.hide()
        self.body.insertWidget(0, self.tabs)
        self.body.addWidget(self.instant, 1)
        self.offers = OfferList(console, self)
        self.offers.selection_changed.connect(self.on_selection)
        self.offers.hide()
        self.body.addWidget(self.offers, 1)
        self._build_tools()
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
            "<p><b>Instant recovery</b> boots a VM straight from its backup; it comes with a later version.</p>"
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

    def on_selection(self) -> None:
        """Enable what fits the selection."""
        rows, place = self.chosen_rows(), self.tabs.currentIndex()
        offered = len(self.offers.chosen) if place == _OFFERS else 0
        can_stop = place == _RESTORES and any(row.task.state.can_be_stopped for row in rows)
        self.stop.setEnabled(can_stop or offered > 0)
        self.details.setEnabled((place == _RESTORES and len(rows) == 1) or offered == 1)

    def _on_stop(self) -> None:
        if self.tabs.currentIndex() == _OFFERS:
            self.offers.stop_chosen()
        else:
            self.ask_to_stop([line.task for line in self.chosen_rows()])

    def on_delete(self) -> None:
        """Ask whether to stop the chosen restores; one that has ended stays in the list."""
        self._on_stop()

    def refresh(self) -> None:
        """Load again what is shown."""
        super().refresh()
        if self.tabs.currentIndex() == _OFFERS:
            self.offers.refresh()

    def leave(self) -> None:
        """Stop asking."""
        super().leave()
        self.offers.leave()

    def _on_details(self) -> None:
        if self.tabs.currentIndex() == _OFFERS:
            for offer in self.offers.chosen[:1]:
                self.offers.open_offer(offer)
            return
        for line in self.chosen_rows()[:1]:
            self.on_activated(line)

    def _on_tab(self, place: int) -> None:
        self.stages.setVisible(place == _RESTORES)
        self.instant.setVisible(place == _INSTANT)
        self.offers.setVisible(place == _OFFERS)
        if place == _OFFERS:
            self.offers.begin()
        else:
            self.offers.leave()
        self.toolbar.show_list_tools(shown=place == _RESTORES)
        self.on_selection()

    # --- addresses and dialogs --------------------------------------------------------------------------------

    def open(self, path: tuple[str, ...]) -> None:
        """Show the list, and the dialog that the address names.

        ``("new", rule, vm)``, ``("group", rule)``, ``("instant", rule, vm)``, ``("offers",)``; anything else is a
        restore point.
        """
        self.banner.hide()
        self.tabs.setCurrentIndex(_LISTS.get("".join(path[:1]), _RESTORES))
        super().open(())
        if not path:
            return
        if path[0] == "offers":
            self.offers.begin()
            return
        what, *rest = path
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

    def open_instant(self, _checked: object = None, *, rule: RuleId | None = None, vm: VmId | None = None) -> None:
        """Open the dialog of an instant recovery."""
        dialog = InstantDialog(self.console, rule=rule, vm=vm, parent=self)
        dialog.restore_wanted.connect(partial(self.open_restore, rule=rule, vm=vm))
        open_once(dialog)


def _name(line: TaskLine) -> str:
    return line.task.name or line.task.target_name or line.task.vm_name or formatting.NOTHING
