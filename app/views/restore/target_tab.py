"""高级设置: as a new VM or over the original; where to, and made of what."""

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from app.contract.platforms import ListPlatforms
from app.contract.restore import DescribeSavedVm, ListPlaces, NewVm, OverOriginal, PlanRestore
from app.domain.display import visible
from app.domain.ids import PlatformId
from app.domain.places import PlatformPlaces, SavedHardware
from app.domain.platforms import Platform
from app.domain.tasks import KnownPoint
from app.domain.vms import VmPlacement
from app.views import style
from app.views.restore.hardware import AdapterRows, DiskRows, Processors
from app.views.restore.original import OriginalPane
from app.views.restore.place_boxes import PlaceBoxes
from app.views.restore.plan_note import Plan, PlanNote
from app.views.widgets.checks import VM_NAME_MAX_CHARS, name_problem
from app.views.widgets.choice_bar import ChoiceBar
from app.views.widgets.form import Field, FormDialog
from app.views.widgets.plain import set_tip
from app.views.widgets.scrolled import scroll_inside
from app.views.words import failure_text
from app.workers.answers import Failure


class TargetTab(QWidget):
    """Where a restored VM goes and what it is made of. Thread: GUI."""

    def __init__(self, dialog: FormDialog) -> None:
        super().__init__(dialog)
        self._dialog = dialog
        self._door = dialog.console.door
        self._known: KnownPoint | None = None
        self._platforms: tuple[Platform, ...] = ()
        self._hardware: SavedHardware | None = None
        self._is_named_by_hand = False
        self._build()
        self._show_kind()
        self._door.ask(ListPlatforms(), owner=self, on_done=self._on_platforms, on_failed=self._on_no_platforms)

    # --- construction -----------------------------------------------------------------------------------------

    def _build(self) -> None:
        inner = QWidget(self)
        self._column = QVBoxLayout(inner)
        self._column.setContentsMargins(0, style.SPACE_L, style.SPACE_M, 0)
        self._column.setSpacing(style.SPACE_M)
        self.kind: ChoiceBar[bool] = ChoiceBar(
            self.tr("Target"),
            ((False, self.tr("Create a new VM")), (True, self.tr("Overwrite the original VM"))),
            chosen=False,
            parent=self,
        )
        self.kind.chosen.connect(self._show_kind)
        kinds = QHBoxLayout()
        kinds.addWidget(self.kind)
        kinds.addStretch(1)
        self._column.addLayout(kinds)
        self._build_options()
        self._build_original()
        self._build_new()
        self.plan_note = PlanNote(self._dialog.console, self._planned, self)
        self._column.addWidget(self.plan_note)
        self._watch()
        self._column.addStretch(1)
        scroll_inside(self, inner)

    def _watch(self) -> None:
        """Plan again after each change of what decides where the VM goes and whether it fits."""
        changed = self.plan_note.on_changed
        self.kind.chosen.connect(changed)
        self.original.found.connect(changed)
        self.vm_name.textChanged.connect(changed)
        for box in (self.platform, self.datacenter, self.host, self.datastore, self.original.choice):
            box.currentIndexChanged.connect(changed)
        for number in (self.processors.cpus, self.processors.cores, self.processors.memory):
            number.valueChanged.connect(changed)
        for rows in (self.disks, self.adapters):
            rows.changed.connect(changed)

    def _planned(self) -> tuple[Plan, ...]:
        """Return the restore as it is chosen now, for planning it; nothing while something is missing."""
        known, platform = self._known, self.platform_id
        if known is None or platform is None or not (self.overwrites or self.vm_name.text().strip()):
            return ()
        query = PlanRestore(
            standby=known.standby,
            target_path=known.target_path,
            point=known.point.id,
            platform=platform,
            target=self.target(),
        )
        return (Plan(query),)

    def _build_options(self) -> None:
        self.power_on = QCheckBox(self.tr("Power the VM on after the restore"), self)
        self.lan_free = QCheckBox(self.tr("Support LAN-free"), self)
        set_tip(
            self.lan_free,
            self.tr(
                "Writes over the storage network where that is possible; elsewhere over the network, and the log "
                "says so."
            ),
        )
        row = QHBoxLayout()
        row.setSpacing(style.SPACE_XL)
        row.addWidget(self.power_on)
        row.addWidget(self.lan_free)
        row.addStretch(1)
        self._column.addLayout(row)

    def _build_original(self) -> None:
        self.original = OriginalPane(self._dialog, self._origin)
        self.original.found.connect(self._on_original_found)
        self.typed_name = self.original.typed_name
        self._column.addWidget(self.original)

    def _build_new(self) -> None:
        self._new = QWidget(self)
        column = QVBoxLayout(self._new)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.SPACE_M)
        form = self._dialog.add_form(column)
        self.vm_name = QLineEdit(self)
        self.vm_name.textEdited.connect(self._on_name_typed)
        self._vm_name = self._dialog.add_field(form, self.tr("VM name"), self.vm_name, required=True)
        self.platform = QComboBox(self)
        self.platform.currentIndexChanged.connect(self._on_platform)
        self._platform = self._dialog.add_field(form, self.tr("Virtual platform"), self.platform, required=True)
        self._boxes = PlaceBoxes(self)
        self.datacenter, self.host = self._boxes.datacenter, self._boxes.host
        self.datastore = self._boxes.datastore
        self._dialog.add_field(form, self.tr("Datacenter"), self.datacenter)
        self._dialog.add_field(form, self.tr("Host"), self.host)
        self._dialog.add_field(
            form,
            self.tr("Datastore"),
            self.datastore,
            help_text=self.tr("With its kind, and how much of it is free. Nothing chosen: where the VM was."),
        )
        self._boxes.narrowed.connect(self._on_narrowed)
        self.processors = Processors(self)
        self._processors = self._dialog.add_field(form, self.tr("Processors"), self.processors)
        self._memory = self._dialog.add_field(form, self.tr("Memory"), self.processors.memory)
        self.adapters = AdapterRows(self)
        self._adapters_caption = self._add_rows(
            form,
            self.tr("Networks and MAC"),
            self.adapters,
            self.tr("An unchanged address is kept where no other VM has it; an empty one makes a new address."),
        )
        self.disks = DiskRows(self)
        self._add_rows(form, self.tr("Disks"), self.disks, "")
        self._column.addWidget(self._new)

    def _add_rows(self, form: QFormLayout, name: str, rows: QWidget, help_text: str) -> Field:
        return self._dialog.add_field(form, name, rows, help_text=help_text)

    # --- what is restored -------------------------------------------------------------------------------------

    def show_point(self, known: KnownPoint | None) -> None:
        """Offer what fits another restore point."""
        self._known = known
        self._hardware = None
        facts = known.point.facts if known is not None else None
        if not self._is_named_by_hand:
            self.vm_name.setText(self.tr("{vm}-restored").format(vm=facts.name) if facts else "")
        self.original.show_point(known)
        self.disks.show_disks(known.point.disks if known else (), self._boxes.datastores())
        self.adapters.show_adapters((), ())
        self.processors.show_saved(None)
        self._choose_origin()
        self._boxes.show_saved(facts)
        self._ask_hardware()
        self.plan_note.on_changed()

    def _on_platforms(self, platforms: Sequence[Platform]) -> None:
        self._platforms = tuple(platforms)
        with QSignalBlocker(self.platform):
            for platform in platforms:
                self.platform.addItem(visible(f"{platform.name}  ({platform.address})"), platform.id)
        self._choose_origin()
        self._on_platform()

    def _on_no_platforms(self, failure: Failure) -> None:
        self._dialog.banner.show_failure(failure)

    def _origin(self) -> PlatformId | None:
        """Return the platform that the point came from, when it is registered."""
        return None if self._known is None else self._known.platform

    def _choose_origin(self) -> None:
        place = self.platform.findData(self._origin())
        if place >= 0:
            self.platform.setCurrentIndex(place)

    def _on_original_found(self) -> None:
        """Choose the platform that the engine knows the point to be from, where its address does not say it."""
        place = self.platform.findData(self.original.platform_id)
        if self._origin() is None and place >= 0:
            self.platform.setCurrentIndex(place)

    # --- places -----------------------------------------------------------------------------------------------

    def _on_platform(self) -> None:
        self._platform.set_problem("")
        self._boxes.show_places(None)
        platform: PlatformId | None = self.platform.currentData()
        if platform is None:
            return

        def take(places: PlatformPlaces) -> None:
            if platform == self.platform.currentData():
                self._boxes.show_places(places)

        def fail(failure: Failure) -> None:
            if platform == self.platform.currentData():
                self._platform.set_problem(
                    self.tr("Its hosts and datastores cannot be listed now: {reason}").format(
                        reason=failure_text(failure)
                    )
                )

        self._door.ask(ListPlaces(platform=platform), owner=self, on_done=take, on_failed=fail)
        self._ask_hardware()

    def _on_narrowed(self) -> None:
        self.disks.show_places(self._boxes.datastores())
        self.adapters.show_networks(self._boxes.networks())

    # --- hardware ---------------------------------------------------------------------------------------------

    def _ask_hardware(self) -> None:
        known, platform = self._known, self.platform.currentData()
        if known is None or platform is None or self._hardware is not None:
            return
        query = DescribeSavedVm(
            standby=known.standby, target_path=known.target_path, point=known.point.id, platform=platform
        )

        def take(hardware: SavedHardware) -> None:
            # Asked for twice, the second answer must not take away what was typed since the first.
            if known == self._known and self._hardware is None:
                self._show_hardware(hardware)

        self._door.ask(query, owner=self, on_done=take, on_failed=_without)

    def _show_hardware(self, hardware: SavedHardware) -> None:
        self._hardware = hardware
        self.adapters.show_adapters(hardware.adapters, self._boxes.networks())
        self.processors.show_saved(hardware)

    # --- the choice -------------------------------------------------------------------------------------------

    @property
    def overwrites(self) -> bool:
        """Return whether the original VM is to be replaced."""
        return self.kind.value

    @property
    def platform_id(self) -> PlatformId | None:
        """Return the platform that the VM goes to."""
        if self.overwrites:
            return self.original.platform_id
        chosen: PlatformId | None = self.platform.currentData()
        return chosen

    def target(self) -> NewVm | OverOriginal:
        """Return where the VM goes."""
        if self.overwrites:
            return self.original.target()
        return NewVm(
            placement=VmPlacement(
                name=self.vm_name.text().strip(),
                datacenter=self.datacenter.currentData(),
                host=self.host.currentData(),
                datastore=self.datastore.currentData(),
                disk_datastores=self.disks.chosen(),
                adapter_networks=self.adapters.networks(),
                adapter_addresses=self.adapters.addresses(),
                cpus=self.processors.cpu_count,
                cores_per_socket=self.processors.core_count,
                memory_mib=self.processors.memory_mib,
            )
        )

    def problems(self) -> dict[Field, str]:
        """Return what is wrong with the fields that are shown; nothing before there is a point to restore."""
        if self._known is None:
            return {}
        if self.overwrites:
            return self.original.problems()
        found: dict[Field, str] = {}
        missing = self.tr("Enter the VM's name.")
        if problem := name_problem(self.vm_name.text(), missing=missing, most=VM_NAME_MAX_CHARS):
            found[self._vm_name] = problem
        if self.platform.currentData() is None:
            found[self._platform] = self.tr("Choose a platform.")
        if problem := self.processors.problem():
            found[self._processors] = problem
        if problem := self.processors.memory_problem():
            found[self._memory] = problem
        if not self.adapters.show_problems():
            found[self._adapters_caption] = self.tr("Correct the MAC addresses.")
        return found

    def _show_kind(self) -> None:
        self.original.setVisible(self.overwrites)
        self._new.setVisible(not self.overwrites)

    def _on_name_typed(self) -> None:
        self._is_named_by_hand = True


def _without(_failure: Failure) -> None:
    """The fields stay "as backed up": what the VM was made of is taken over without being shown."""
