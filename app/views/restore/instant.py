"""瞬时恢复: its dialog and its list as they will be; the engine's part comes with a later version."""

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QLineEdit,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from app.contract.platforms import ListPlatforms
from app.contract.restore import ListPlaces
from app.domain.display import visible
from app.domain.ids import PlatformId, RuleId, VmId
from app.domain.places import PlatformPlaces
from app.domain.platforms import Platform
from app.domain.tasks import KnownPoint
from app.models.rows import Column, RowModel
from app.views import style
from app.views.console import Console
from app.views.icons import Glyph
from app.views.restore.source_tab import SourceTab
from app.views.widgets.checks import VM_NAME_MAX_CHARS, name_problem
from app.views.widgets.form import Field, FormDialog
from app.views.widgets.plain import Label
from app.views.widgets.stages import Notice
from app.views.widgets.table import Table
from app.workers.answers import Failure


def not_yet() -> tuple[str, str]:
    """Return what is said about instant recovery while it is not there: a line and what to do instead."""
    return (
        QCoreApplication.translate("Instant", "Instant recovery is not part of this version yet."),
        QCoreApplication.translate(
            "Instant",
            "Until a later version brings it, use a restore: it copies the VM back and checks every block.",
        ),
    )


class InstantDialog(FormDialog):
    """Prepares booting a VM straight from its backup; says that this version cannot do it yet. Thread: GUI.

    Signals:
        restore_wanted: the operator takes a restore instead.
    """

    restore_wanted = Signal()

    def __init__(
        self,
        console: Console,
        *,
        rule: RuleId | None = None,
        vm: VmId | None = None,
        parent: QWidget | None = None,
    ) -> None:
        title = QCoreApplication.translate("Instant", "Boot a VM from its backup")
        action = QCoreApplication.translate("Instant", "Start instant recovery")
        super().__init__(console, title, action, parent)
        self._is_named_by_hand = False
        self.banner.show_text(*not_yet())
        self.tabs = QTabWidget(self)
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        self.source = SourceTab(self, rule=rule, vm=vm)
        self.source.point_chosen.connect(self._on_point)
        self.tabs.addTab(self.source, self.tr("Basic settings"))
        self.tabs.addTab(self._build_target(), self.tr("Advanced settings"))
        self.body.addWidget(self.tabs, 1)
        self.instead = QPushButton(self.tr("Restore instead…"), self)
        self.instead.setAutoDefault(False)
        self.instead.clicked.connect(self._on_instead)
        self.extra_buttons.addWidget(self.instead)
        self.resize(style.EDITOR_WIDTH, style.EDITOR_HEIGHT)
        self.source.name.setFocus()
        console.door.ask(
            ListPlatforms(), owner=self, on_done=self._on_platforms, on_failed=self.banner.show_failure
        )

    def _build_target(self) -> QWidget:
        tab = QWidget(self)
        column = QVBoxLayout(tab)
        column.setContentsMargins(0, style.SPACE_L, 0, 0)
        form = self.add_form(column)
        self.vm_name = QLineEdit(self)
        self.vm_name.textEdited.connect(self._on_name_typed)
        self._vm_name = self.add_field(form, self.tr("VM name"), self.vm_name, required=True)
        self.platform, self.host, self.network = QComboBox(self), QComboBox(self), QComboBox(self)
        self.platform.currentIndexChanged.connect(self._on_platform)
        self.add_field(form, self.tr("Virtual platform"), self.platform, required=True)
        self.add_field(form, self.tr("Host"), self.host, required=True)
        self.add_field(form, self.tr("Network"), self.network)
        self.power_on = QCheckBox(self.tr("Power the VM on at once"), self)
        self.power_on.setChecked(True)
        self.add_field(form, "", self.power_on)
        text = Label(
            self.tr(
                "The backup itself is never changed: what the VM writes is kept in an overlay at the standby "
                "machine. Finishing moves the VM to a real datastore; stopping deletes it with its overlay."
            ),
            self,
        )
        text.setWordWrap(True)
        text.setProperty("role", "secondary")
        column.addWidget(text)
        column.addStretch(1)
        return tab

    def _on_point(self, known: KnownPoint | None) -> None:
        if known is not None and not self._is_named_by_hand:
            self.vm_name.setText(self.tr("{vm}-instant").format(vm=known.point.facts.name))

    def _on_name_typed(self) -> None:
        self._is_named_by_hand = True

    def _on_platforms(self, platforms: tuple[Platform, ...]) -> None:
        for platform in platforms:
            self.platform.addItem(visible(f"{platform.name}  ({platform.address})"), platform.id)

    def _on_platform(self) -> None:
        self.host.clear()
        self.network.clear()
        platform = self.platform.currentData()
        if platform is not None:
            self._ask_places(platform)

    def _ask_places(self, platform: PlatformId) -> None:
        def take(places: PlatformPlaces) -> None:
            if platform == self.platform.currentData():
                self._on_places(places)

        def fail(failure: Failure) -> None:
            if platform == self.platform.currentData():
                self.banner.show_failure(failure)

        self.console.door.ask(ListPlaces(platform=platform), owner=self, on_done=take, on_failed=fail)

    def _on_places(self, places: PlatformPlaces) -> None:
        self.host.clear()
        self.host.addItems([host.name for host in places.hosts])
        self.network.clear()
        self.network.addItems(sorted({name for host in places.hosts for name in host.networks}))

    def problems(self) -> dict[Field, str]:
        """Return what is missing."""
        found = self.source.problems()
        missing = self.tr("Enter the VM's name.")
        problem = name_problem(self.vm_name.text(), missing=missing, most=VM_NAME_MAX_CHARS)
        if self.source.point is not None and problem:
            found[self._vm_name] = problem
        return found

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Say that it is not there yet; nothing is sent to the engine."""
        del on_done, on_failed
        self._set_busy(busy=False)
        self.banner.show_text(*not_yet())
        self.instead.setFocus()

    def _on_instead(self) -> None:
        self.reject()
        self.restore_wanted.emit()


@dataclass(frozen=True, slots=True, kw_only=True)
class InstantRow:
    """An instant recovery in the list: documented columns."""

    name: str
    state: str
    vm_name: str
    point: str
    host: str
    started: str
    overlay: str


class InstantList(QWidget):
    """The list of instant recoveries; no engine of this version fills it. Thread: GUI.

    Signals:
        create_wanted: the operator wants the dialog.
    """

    create_wanted = Signal()

    def __init__(self, console: Console, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        model = RowModel[InstantRow](self._columns(), lambda row: row.name)
        table: Table[InstantRow] = Table[InstantRow]("instant", model, console.memory)
        table.setMaximumHeight(style.ROW_HEIGHT)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        notice = Notice(console.theme, self)
        title, text = not_yet()
        notice.show_message(Glyph.INSTANT, title, text, action=self.tr("Look at the dialog"))
        notice.action_wanted.connect(self.create_wanted)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(table)
        layout.addWidget(notice, 1)

    def _columns(self) -> tuple[Column[InstantRow], ...]:
        return (
            Column(key="name", title=self.tr("Name"), text=lambda row: row.name, stretch=True),
            Column(key="state", title=self.tr("State"), text=lambda row: row.state, width=152),
            Column(key="vm", title=self.tr("VM"), text=lambda row: row.vm_name, width=140),
            Column(key="point", title=self.tr("Restore point"), text=lambda row: row.point, width=160),
            Column(key="host", title=self.tr("Host"), text=lambda row: row.host, width=140),
            Column(key="start", title=self.tr("Start time"), text=lambda row: row.started, width=112),
            Column(key="overlay", title=self.tr("Overlay"), text=lambda row: row.overlay, width=96, numeric=True),
        )
