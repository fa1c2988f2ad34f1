"""瞬时恢复: the dialog that starts VMs straight from their restore points."""

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtWidgets import QWidget

from app.contract.instant import StartInstantRecovery
from app.domain.ids import PointId, RuleId, TaskId, VmId
from app.views import style
from app.views.console import Console
from app.views.program import Program
from app.views.restore.instant.source import InstantSource
from app.views.restore.instant.target import InstantTarget
from app.views.widgets.form import Field, FormDialog
from app.views.widgets.tabs import form_tabs, mark_tabs
from app.workers.answers import Failure


class InstantDialog(FormDialog):
    """Starts one VM, or several of a rule, straight from their restore points. Thread: GUI.

    Signals:
        queued: the engine has accepted it; carries the ids of the tasks.
    """

    queued = Signal(object)

    def __init__(
        self,
        console: Console,
        *,
        rule: RuleId | None = None,
        vm: VmId | None = None,
        point: PointId | None = None,
        program: Program | None = None,
        parent: QWidget | None = None,
    ) -> None:
        """Build; what is given is chosen at first: a VM of a rule, all VMs of a rule, or a restore point."""
        title = QCoreApplication.translate("InstantDialog", "Run VMs from restore points")
        action = QCoreApplication.translate("InstantDialog", "Start instant recovery")
        super().__init__(console, title, action, parent)
        self.tabs = form_tabs(self)
        self.source = InstantSource(self, rule=rule, vm=vm, point=point)
        self.target = InstantTarget(self, self.source, program)
        self.tabs.addTab(self.source, self.tr("Basic settings"))
        self.tabs.addTab(self.target, self.tr("Advanced settings"))
        self.body.addWidget(self.tabs, 1)
        self.resize(style.RESTORE_WIDTH, style.EDITOR_HEIGHT + style.SPACE_XL * 2)

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
        """Queue the starts."""
        platform = self.target.platform_id
        assert platform is not None

        def note(tasks: tuple[TaskId, ...]) -> None:
            owner = self.parentWidget()
            if owner is not None:
                self.target.background.carry_out(owner)
            on_done(tasks)
            self.queued.emit(tasks)

        command = StartInstantRecovery(
            platform=platform,
            members=self.target.members(),
            address=self.target.address.address,
            rule=self.source.rule,
        )
        self.console.door.execute(command, owner=self, on_done=note, on_failed=on_failed)
