"""基本设置 of a migration: the platform of the sources, and which of its VMs, each with its name in the end."""

from collections import Counter
from collections.abc import Iterable, Sequence

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.domain.display import visible
from app.domain.ids import PlatformId, VmId
from app.domain.platforms import Platform
from app.domain.vms import VmSummary
from app.views import formatting, style
from app.views.migration.member import MigrationMemberRow
from app.views.migration.picker import MigrationVmPicker
from app.views.restore.member_list import MemberList
from app.views.widgets.form import Field, FormDialog
from app.views.widgets.opening import open_once
from app.views.widgets.plain import Label


class MigrationSource(QWidget):
    """Which VMs are migrated. Thread: GUI.

    Signals:
        changed: other VMs are chosen, or another name is typed.
    """

    changed = Signal()

    def __init__(self, dialog: FormDialog) -> None:
        super().__init__(dialog)
        self._dialog = dialog
        self._before: dict[PlatformId, tuple[tuple[VmSummary, str], ...]] = {}
        """What was chosen on the platforms that are not chosen now."""
        self._shown: PlatformId | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, style.SPACE_L, 0, 0)
        form = dialog.add_form(column)
        self.platform = QComboBox(self)
        self.platform.currentIndexChanged.connect(self._on_platform)
        self._platform = dialog.add_field(form, self.tr("Source platform"), self.platform, required=True)
        self._vms = dialog.add_field(
            form,
            self.tr("Virtual machines"),
            self._build_vms(),
            required=True,
            help_text=self.tr(
                "Each gets its name in the end, once it has taken the place of its source. The source itself "
                "stays under another name."
            ),
        )
        column.addStretch(1)
        self._show_sum()

    def _build_vms(self) -> QWidget:
        box = QWidget(self)
        self.members: MemberList[MigrationMemberRow] = MemberList(box)
        self.members.setFixedHeight(style.CONTROL_HEIGHT * 10)
        self.choose = QPushButton(self.tr("Choose VMs…"), box)
        self.choose.setAutoDefault(False)
        self.choose.clicked.connect(self._on_choose)
        self.sum = Label(box)
        self.sum.setProperty("role", "secondary")
        row = QHBoxLayout()
        row.setSpacing(style.SPACE_M)
        row.addWidget(self.choose)
        row.addWidget(self.sum, 1)
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.SPACE_S)
        column.addLayout(row)
        column.addWidget(self.members, 1)
        box.setFocusProxy(self.platform)
        self._box = box
        return box

    # --- platform ---------------------------------------------------------------------------------------------

    def show_platforms(self, platforms: Sequence[Platform]) -> None:
        """Offer the registered platforms."""
        with QSignalBlocker(self.platform):
            for platform in platforms:
                self.platform.addItem(visible(f"{platform.name}  ({platform.address})"), platform)
        self._on_platform()

    @property
    def _chosen_platform(self) -> Platform | None:
        chosen: Platform | None = self.platform.currentData()
        return chosen

    @property
    def platform_id(self) -> PlatformId | None:
        """Return the platform of the sources."""
        return None if self._chosen_platform is None else self._chosen_platform.id

    def _on_platform(self) -> None:
        self._platform.set_problem("")
        if self._shown is not None:
            self._before[self._shown] = tuple((row.vm, row.name.text()) for row in self.members.members)
        self._shown = self.platform_id
        self.members.clear()
        for vm, name in self._before.get(self._shown, ()) if self._shown is not None else ():
            self._add(vm, name)
        self._on_changed()

    # --- VMs --------------------------------------------------------------------------------------------------

    @property
    def vms(self) -> tuple[VmSummary, ...]:
        """Return the VMs that are migrated."""
        return tuple(row.vm for row in self.members.members)

    def chosen(self) -> tuple[tuple[VmSummary, str], ...]:
        """Return the VMs that are migrated, each with its name in the end."""
        return tuple((row.vm, row.vm_name) for row in self.members.members)

    def show_vms(self, vms: Iterable[VmSummary]) -> None:
        """Migrate these VMs; those that were chosen before keep the names that were typed."""
        wanted = {vm.id: vm for vm in vms}
        for row in self.members.members:
            if wanted.pop(row.vm.id, None) is None:
                self.members.remove(row)
        for vm in wanted.values():
            self._add(vm, vm.name)
        self._vms.set_problem("")
        self._on_changed()

    def _add(self, vm: VmSummary, name: str) -> None:
        row = MigrationMemberRow(vm, self._dialog.console, self.members.ground)
        row.name.setText(name)
        row.changed.connect(self.changed)
        row.left_out.connect(self._on_left_out)
        self.members.add(row)

    def _on_left_out(self) -> None:
        row = self.sender()
        assert isinstance(row, MigrationMemberRow)
        self.members.remove(row)
        self._on_changed()

    def _on_changed(self) -> None:
        self._show_sum()
        self.changed.emit()

    def _show_sum(self) -> None:
        vms = self.vms
        total = formatting.size(sum(vm.disk_bytes for vm in vms))
        words = self.tr("{count} chosen, {size} in all").format(count=len(vms), size=total)
        self.sum.setText(words if vms else "")
        self.members.show_note("" if vms else self.tr("No VM chosen yet."))

    def _on_choose(self) -> None:
        platform = self._chosen_platform
        if platform is None:
            self._platform.set_problem(self.tr("Choose the platform."))
            return
        chosen: list[VmId] = [vm.id for vm in self.vms]
        self.picker = MigrationVmPicker(self._dialog.console, platform.id, platform.name, chosen, self)
        self.picker.succeeded.connect(self._on_picked)
        open_once(self.picker)

    def _on_picked(self) -> None:
        self.show_vms(self.picker.chosen)

    # --- problems ---------------------------------------------------------------------------------------------

    def problems(self) -> dict[Field, str]:
        """Return what is missing or wrong."""
        found: dict[Field, str] = {}
        if self.platform_id is None:
            found[self._platform] = self.tr("Choose the platform.")
        elif not self.members.members:
            found[self._vms] = self.tr("Choose at least one VM.")
        elif any(self._name_problems()):
            found[self._vms] = self.tr("Correct the names.")
        return found

    def show_name_problems(self) -> None:
        """Say below each name what is wrong with it; the keyboard goes to the first of them with the field."""
        problems = self._name_problems()
        for row, problem in zip(self.members.members, problems, strict=True):
            row.show_problem(problem)
        wrong = (row.name for row, problem in zip(self.members.members, problems, strict=True) if problem)
        self._box.setFocusProxy(next(wrong, self.platform))

    def _name_problems(self) -> tuple[str, ...]:
        rows = self.members.members
        counts = Counter(row.vm_name.casefold() for row in rows)
        twice = self.tr("Another of these VMs gets this name.")
        return tuple(row.problem() or (twice if counts[row.vm_name.casefold()] > 1 else "") for row in rows)
