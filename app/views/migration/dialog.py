"""新建迁移: the dialog that starts migrations."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtWidgets import QWidget

from app.contract.migration import StartMigration
from app.contract.platforms import ListPlatforms
from app.domain.ids import MigrationId
from app.domain.migration import MigrationOptions
from app.domain.platforms import Platform
from app.views import style
from app.views.console import Console
from app.views.migration.options import MigrationOptionsTab
from app.views.migration.source import MigrationSource
from app.views.migration.target import MigrationTarget
from app.views.widgets.form import Field, FormDialog
from app.views.widgets.tabs import form_tabs, mark_tabs
from app.workers.answers import Failure


class MigrationDialog(FormDialog):
    """Starts migrations of one VM or of several to one place. Thread: GUI.

    Signals:
        queued: the engine has accepted it; carries the ids of the migrations.
    """

    queued = Signal(object)

    def __init__(self, console: Console, parent: QWidget | None = None) -> None:
        title = QCoreApplication.translate("MigrationDialog", "Migrate VMs")
        action = QCoreApplication.translate("MigrationDialog", "Start migration")
        super().__init__(console, title, action, parent)
        self.tabs = form_tabs(self)
        self.source = MigrationSource(self)
        self.target = MigrationTarget(self, self.source, self._options)
        self.advanced = MigrationOptionsTab(self)
        self.tabs.addTab(self.source, self.tr("Basic settings"))
        self.tabs.addTab(self.target, self.tr("Target"))
        self.tabs.addTab(self.advanced, self.tr("Advanced settings"))
        self.body.addWidget(self.tabs, 1)
        self.tabs.currentChanged.connect(self.target.plan_note.on_changed)
        self.resize(style.EDITOR_WIDTH, style.EDITOR_HEIGHT + style.SPACE_XL * 2)
        console.door.ask(
            ListPlatforms(), owner=self, on_done=self._on_platforms, on_failed=self.banner.show_failure
        )

    def _options(self) -> MigrationOptions:
        return self.advanced.options

    def _on_platforms(self, platforms: Sequence[Platform]) -> None:
        self.source.show_platforms(platforms)
        self.target.show_platforms(platforms)

    def problems(self) -> dict[Field, str]:
        """Return what is wrong on any tab."""
        return {**self.source.problems(), **self.target.problems()}

    def show_problems(self) -> bool:
        """Write each problem below its field, mark the tabs that have one, and show the first of them."""
        source, target = self.source.problems(), self.target.problems()
        self.source.show_name_problems()
        super().show_problems()
        return mark_tabs(self.tabs, (bool(source), bool(target), False), self.console.colors)

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Queue the migrations."""
        platform, target = self.source.platform_id, self.target.platform_id
        assert platform is not None
        assert target is not None

        def note(migrations: tuple[MigrationId, ...]) -> None:
            on_done(migrations)
            self.queued.emit(migrations)

        command = StartMigration(
            platform=platform, target=target, members=self.target.members(), options=self.advanced.options
        )
        self.console.door.execute(command, owner=self, on_done=note, on_failed=on_failed)
