"""覆盖原虚机: which VM would be replaced, as the platform has it now, next to what the restore point has."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QCoreApplication, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QLineEdit, QVBoxLayout, QWidget

from app.contract.restore import ConfirmedVm, FindOriginals, OriginalRow, OverOriginal
from app.domain.display import visible
from app.domain.identity import Verdict
from app.domain.ids import PlatformId
from app.domain.restore_point import VmFacts
from app.domain.tasks import KnownPoint
from app.domain.vms import PowerState, VmSummary
from app.views import formatting, style
from app.views.widgets.checks import is_typed
from app.views.widgets.form import Field, FormDialog, grow_later
from app.views.widgets.plain import Label
from app.views.words import failure_text
from app.workers.answers import Failure


def power_text(state: PowerState) -> str:
    """Return a power state for the reader."""
    texts = {
        PowerState.ON: QCoreApplication.translate("Original", "Powered on"),
        PowerState.OFF: QCoreApplication.translate("Original", "Powered off"),
        PowerState.SUSPENDED: QCoreApplication.translate("Original", "Suspended"),
    }
    return texts[state]


def confirmed(vm: VmSummary) -> ConfirmedVm:
    """Return a VM as one that the operator saw and confirmed."""
    return ConfirmedVm(vm=vm.id, name=vm.name, instance_uuid=vm.instance_uuid)


def folder_text(datacenter: str, folder: Sequence[str] | None) -> str:
    """Return where a VM is in the inventory."""
    return " / ".join(part for part in (datacenter, *(folder or ())) if part) or formatting.NOTHING


class Comparison(QWidget):
    """A VM of the platform next to the VM in the restore point. Thread: GUI."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(style.SPACE_L)
        self._grid.setVerticalSpacing(style.SPACE_XS)
        self._grid.setColumnStretch(1, 1)
        self._grid.setColumnStretch(2, 1)
        titles = ("", self.tr("In the restore point"), self.tr("On the platform now"))
        names = (self.tr("Name"), self.tr("Folder"), self.tr("Host"), self.tr("Power"), self.tr("Last start"))
        self.cells: dict[tuple[int, int], Label] = {}
        for column, title in enumerate(titles):
            self._grid.addWidget(self._label(title, "secondary"), 0, column)
        for row, name in enumerate(names, 1):
            self._grid.addWidget(self._label(name, "secondary"), row, 0)
            for column in (1, 2):
                cell = self._label("", "")
                cell.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                self.cells[row, column] = cell
                self._grid.addWidget(cell, row, column)

    def _label(self, text: str, role: str) -> Label:
        label = Label(text, self)
        label.setWordWrap(True)
        if role:
            label.setProperty("role", role)
        return label

    def compare(self, facts: VmFacts, vm: VmSummary | None) -> None:
        """Show both; None where the operator has not chosen one yet."""
        then = (facts.name, folder_text(facts.datacenter, facts.folder), facts.host, "", "")
        now = ("", "", "", "", "")
        if vm is not None:
            now = (
                vm.name,
                folder_text(vm.datacenter_path or vm.datacenter, vm.folder),
                vm.host,
                power_text(vm.power_state),
                formatting.exact_time(vm.booted_at) if vm.booted_at is not None else "",
            )
        for column, texts in ((1, then), (2, now)):
            for row, text in enumerate(texts, 1):
                self.cells[row, column].setText(text or formatting.NOTHING)


class OriginalPane(QWidget):
    """Shows which VM a restore over the original deletes, and lets the operator type its name. Thread: GUI.

    Signals:
        found: the engine has answered.
    """

    found = Signal()

    def __init__(self, dialog: FormDialog, fallback: Callable[[], PlatformId | None]) -> None:
        """Build it.

        Args:
            dialog: whose part it is.
            fallback: returns the platform of the point while the engine has not found it.
        """
        super().__init__(dialog)
        self._dialog = dialog
        self._fallback = fallback
        self._known: KnownPoint | None = None
        self._row: OriginalRow | None = None
        self._failure: Failure | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.SPACE_M)
        self.warning = Label(self)
        self.warning.setWordWrap(True)
        column.addWidget(self.warning)
        self.comparison = Comparison(self)
        column.addWidget(self.comparison)
        form = dialog.add_form(column)
        self.choice = QComboBox(self)
        self.choice.currentIndexChanged.connect(self._on_chosen)
        self._choice = dialog.add_field(form, self.tr("VM to be replaced"), self.choice, required=True)
        self._choice_row = form
        self.typed_name = QLineEdit(self)
        self._typed = dialog.add_field(
            form, self.tr("Confirm"), self.typed_name, help_text=self.tr("Type the VM's name."), required=True
        )
        self._show()

    # --- asking -----------------------------------------------------------------------------------------------

    def show_point(self, known: KnownPoint | None) -> None:
        """Ask which VM a restore of another point would replace."""
        self._known, self._row, self._failure = known, None, None
        self._fill_choices()
        self._show()
        if known is None:
            return
        query = FindOriginals(standby=known.standby, target_path=known.target_path, points=(known.point.id,))

        def take(rows: tuple[OriginalRow, ...]) -> None:
            if known == self._known and rows:
                self._row = rows[0]
                self._fill_choices()
                self._show()
                self.found.emit()

        def fail(failure: Failure) -> None:
            if known == self._known:
                self._failure = failure
                self._show()

        self._dialog.console.door.ask(query, owner=self, on_done=take, on_failed=fail)

    def _fill_choices(self) -> None:
        row = self._row
        with QSignalBlocker(self.choice):
            self.choice.clear()
            for vm in row.choices if row is not None else ():
                where = folder_text(vm.datacenter_path or vm.datacenter, vm.folder)
                self.choice.addItem(visible(f"{vm.name}  ({vm.id}, {where}, {vm.host})"), vm.id)
            is_only_one = row is not None and (row.is_proven or len(row.choices) == 1)
            self.choice.setCurrentIndex(0 if is_only_one else -1)
            self.choice.setPlaceholderText(self.tr("Choose the VM to be replaced"))

    def _on_chosen(self) -> None:
        self.typed_name.clear()
        self._show()

    # --- showing ----------------------------------------------------------------------------------------------

    @property
    def vm(self) -> VmSummary | None:
        """Return the VM that would be replaced, as the platform has it now; None while that is not certain."""
        choices = self._row.choices if self._row is not None else ()
        return next((choice for choice in choices if choice.id == self.choice.currentData()), None)

    def _show(self) -> None:
        row, known = self._row, self._known
        asks = row is not None and bool(row.choices) and not row.is_proven
        self._choice_row.setRowVisible(self._choice, asks)
        self.comparison.setVisible(row is not None and bool(row.choices))
        if known is not None:
            self.comparison.compare(known.point.facts, self.vm)
        self.warning.setText(self._text())
        grow_later(self._dialog)

    def _text(self) -> str:
        known, row = self._known, self._row
        if known is None:
            return self.tr("Select a restore point.")
        if row is None and self._failure is None:
            return self.tr("The platform is asked which VM would be replaced…")
        if row is None and self._failure is not None:
            return self.tr(
                "The platform cannot be asked now which VM would be replaced: {reason} If you start the restore "
                "all the same, only a VM that is certainly the original is replaced."
            ).format(reason=failure_text(self._failure))
        assert row is not None
        if row.other is not None:
            return self._text_of_other(row.other)
        if not row.choices:
            return self.tr(
                "The VM {vm} is not on {address} any more: it is created again under this name."
            ).format(vm=known.point.facts.name, address=row.address)
        return self._text_of_choice(row)

    def _text_of_choice(self, row: OriginalRow) -> str:
        """Say what becomes of the VM that is to be replaced."""
        unsure = self.tr(
            "Whether this is the VM of the restore point cannot be determined: a copy may have its UUID, or it "
            "was registered again. Compare the VMs and choose the one to be replaced, or create a new VM."
        )
        if self.vm is None:
            return unsure
        if disks := row.uncovered_of(self.vm.id):
            return uncovered_text(self.vm.name, disks)
        replaced = self.tr(
            "The VM {vm} on {address} is replaced: the restored VM is created next to it and checked, then "
            "takes its place. The VM that is there now is deleted with all that was written since the backup."
        ).format(vm=self.vm.name, address=row.address)
        return f"{replaced}{self._moved_text(row)}" if row.is_proven else f"{unsure}\n{replaced}"

    def _moved_text(self, row: OriginalRow) -> str:
        if row.verdict is not Verdict.MOVED or not row.is_proven:
            return ""
        return "\n" + self.tr("It was registered again since the backup: its id is another, its UUID the same.")

    def _text_of_other(self, other: VmSummary) -> str:
        return self.tr(
            "{vm} has the UUID of the original, but is another VM, perhaps a copy. It is not replaced; create a "
            "new VM."
        ).format(vm=other.name)

    # --- the choice -------------------------------------------------------------------------------------------

    @property
    def platform_id(self) -> PlatformId | None:
        """Return the platform of the original."""
        return self._row.platform if self._row is not None else self._fallback()

    def target(self) -> OverOriginal:
        """Return what to replace: the VM that was shown."""
        vm = self.vm
        return OverOriginal(confirmed=None if vm is None else confirmed(vm))

    def problems(self) -> dict[Field, str]:
        """Return what keeps the VM from being replaced."""
        known, row = self._known, self._row
        if known is None:
            return {}
        if row is None and self._failure is None:
            return {self._typed: self.tr("Wait until the platform has answered.")}
        if self.platform_id is None:
            text = self.tr("The platform {address} is not registered; create a new VM elsewhere.")
            return {self._typed: text.format(address=known.point.facts.platform_address)}
        if row is not None and row.other is not None:
            return {self._typed: self._text_of_other(row.other)}
        vm = self.vm
        if row is not None and row.choices and vm is None:
            return {self._choice: self.tr("Choose the VM to be replaced.")}
        if row is not None and vm is not None and (disks := row.uncovered_of(vm.id)):
            return {self._typed: uncovered_text(vm.name, disks)}
        name = vm.name if vm is not None else known.point.facts.name
        if not is_typed(self.typed_name.text(), name):
            return {self._typed: self.tr("Type {name} to confirm.").format(name=name)}
        return {}


def uncovered_text(name: str, disks: Sequence[str]) -> str:
    """Say which disks keep a VM from being replaced, and what to do."""
    return QCoreApplication.translate(
        "Original",
        "{vm} has disks that the restore point does not hold: {disks}. They would be deleted with it. Detach them "
        "on the platform without deleting their files and attach them to the restored VM afterwards, or create a "
        "new VM.",
    ).format(vm=name, disks=", ".join(disks))
