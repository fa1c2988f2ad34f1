"""即时恢复: the restore dialog with its two tabs."""

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtWidgets import QWidget

from app.contract.restore import StartRestore
from app.domain.ids import PointId, RuleId, TaskId, VmId
from app.domain.tasks import KnownPoint
from app.views import style
from app.views.console import Console
from app.views.restore.source_tab import SourceTab
from app.views.restore.target_tab import TargetTab
from app.views.widgets.form import Field, FormDialog
from app.views.widgets.tabs import form_tabs, mark_tabs
from app.workers.answers import Failure


class RestoreDialog(FormDialog):
    """Restores one restore point as a new VM, or over the original. Thread: GUI.

    Signals:
        queued: the engine has accepted the restore; carries the task's id.
        instant_wanted: the VM is to run from a restore point instead; carries its id. The dialog has closed.
    """

    queued = Signal(str)
    instant_wanted = Signal(str)

    def __init__(
        self,
        console: Console,
        *,
        rule: RuleId | None = None,
        vm: VmId | None = None,
        point: PointId | None = None,
        parent: QWidget | None = None,
    ) -> None:
        title = QCoreApplication.translate("RestoreDialog", "Restore a VM")
        action = QCoreApplication.translate("RestoreDialog", "Start restore")
        super().__init__(console, title, action, parent)
        self.tabs = form_tabs(self)
        self.source = SourceTab(self, rule=rule, vm=vm, point=point)
        self.source.actions_of_points.offers_instant = True
        self.source.actions_of_points.instant_wanted.connect(self._on_instant)
        self.target = TargetTab(self)
        self.tabs.addTab(self.source, self.tr("Basic settings"))
        self.tabs.addTab(self.target, self.tr("Advanced settings"))
        self.body.addWidget(self.tabs, 1)
        self.source.point_chosen.connect(self.target.show_point)
        self.target.show_point(None)
        self.resize(style.RESTORE_WIDTH, style.EDITOR_HEIGHT)
        self.source.name.setFocus()

    def _on_instant(self, known: KnownPoint) -> None:
        self.reject()
        self.instant_wanted.emit(known.point.id)

    def problems(self) -> dict[Field, str]:
        """Return what is wrong on either tab."""
        return {**self.source.problems(), **self.target.problems()}

    def show_problems(self) -> bool:
        """Write each problem below its field, mark the tabs that have one, and show the first of them."""
        source, target = self.source.problems(), self.target.problems()
        lacks_point = self.source.show_point_problem()
        super().show_problems()
        return mark_tabs(self.tabs, (bool(source) or lacks_point, bool(target)), self.console.colors)

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Queue the restore."""
        known, platform = self.source.point, self.target.platform_id
        assert known is not None
        assert platform is not None

        def note(task: TaskId) -> None:
            on_done(task)
            self.queued.emit(task)

        command = StartRestore(
            standby=known.standby,
            target_path=known.target_path,
            point=known.point.id,
            platform=platform,
            name=self.source.name.text().strip(),
            target=self.target.target(),
            power_on=self.target.power_on.isChecked(),
            lan_free=self.target.lan_free.isChecked(),
        )
        self.console.door.execute(command, owner=self, on_done=note, on_failed=on_failed)
