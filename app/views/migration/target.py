"""目标 of a migration: platform, place, datastores and networks, with what would come of it."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QComboBox, QSizePolicy, QVBoxLayout, QWidget

from app.contract.migration import MigrationMember, PlanMigration
from app.contract.platforms import ListVms
from app.contract.restore import ListPlaces
from app.domain.display import visible
from app.domain.ids import PlatformId
from app.domain.migration import MigrationOptions
from app.domain.places import PlatformPlaces
from app.domain.platforms import Platform
from app.domain.vms import VmPlacement, VmSummary
from app.views import formatting, style
from app.views.migration.disks import DiskChoice
from app.views.migration.networks import NetworkMapping
from app.views.migration.plan import MigrationPlanNote
from app.views.migration.source import MigrationSource
from app.views.migration.words import tr
from app.views.restore.folders import FolderBox
from app.views.restore.place_boxes import PlaceBoxes
from app.views.restore.plan_note import Plan
from app.views.widgets.form import Field, FormDialog
from app.views.widgets.plain import Label
from app.views.widgets.question import Question
from app.views.widgets.scrolled import scroll_inside
from app.views.words import failure_text
from app.workers.answers import Failure


class TargetBoxes(PlaceBoxes):
    """The boxes of a target; without a choice it is like its source. Thread: GUI."""

    def first_text(self, value: str) -> str:
        """Return the words of an entry without a choice."""
        del value
        return tr("The same as the source")


class TargetFolder(FolderBox):
    """The folder of a target; without a choice it is the one of its source. Thread: GUI."""

    def first_text(self, path: str) -> str:
        """Return the words of the entry without a choice."""
        del path
        return tr("The same as the source")


class MigrationTarget(QWidget):
    """Where the VMs go. Thread: GUI."""

    def __init__(
        self, dialog: FormDialog, source: MigrationSource, options: Callable[[], MigrationOptions]
    ) -> None:
        super().__init__(dialog)
        self._dialog = dialog
        self._source = source
        self._options = options
        door = dialog.console.door
        self._places_question, self._vms_question = Question(door, self), Question(door, self)
        inner = QWidget(self)
        self._column = QVBoxLayout(inner)
        self._column.setContentsMargins(0, style.SPACE_L, style.SPACE_M, 0)
        self._column.setSpacing(style.SPACE_M)
        self._form = dialog.add_form(self._column)
        self._build_places()
        self._build_hardware()
        self.plan_note = MigrationPlanNote(dialog.console, self._planned, self)
        self._column.addWidget(self.plan_note)
        self._column.addStretch(1)
        self._watch()
        scroll_inside(self, inner)
        self._on_source()

    def _build_places(self) -> None:
        add = self._dialog.add_field
        self.platform = QComboBox(self)
        self.platform.currentIndexChanged.connect(self._on_platform)
        self._platform = add(
            self._form,
            self.tr("Target platform"),
            self.platform,
            required=True,
            help_text=self.tr("It may be the same one: then the VM moves to another host or datastore."),
        )
        self._boxes = TargetBoxes(self)
        self.datacenter, self.host = self._boxes.datacenter, self._boxes.host
        self.datastore = self._boxes.datastore
        add(self._form, self.tr("Datacenter"), self.datacenter)
        add(self._form, self.tr("Host"), self.host)
        self.folder = TargetFolder(self)
        add(self._form, self.tr("Folder"), self.folder)
        add(self._form, self.tr("Datastore"), self.datastore)

    def _build_hardware(self) -> None:
        door, add = self._dialog.console.door, self._dialog.add_field
        self.disks = DiskChoice(door, self)
        add(self._form, self.tr("Disks"), self.disks)
        self.room = Label(self)
        self.room.setProperty("role", "secondary")
        self.room.setWordWrap(True)
        wide = self.room.sizePolicy()
        wide.setHorizontalPolicy(QSizePolicy.Policy.Expanding)
        self.room.setSizePolicy(wide)
        self._form.addRow("", self.room)
        self.networks = NetworkMapping(door, self)
        add(self._form, self.tr("Network"), self.networks)

    def _watch(self) -> None:
        """Plan again after each change of what decides where the VMs go."""
        changed = self.plan_note.on_changed
        self._source.changed.connect(self._on_source)
        self._boxes.narrowed.connect(self._on_narrowed)
        self.datastore.currentIndexChanged.connect(self._show_room)
        for box in (self.platform, self.datacenter, self.host, self.folder, self.datastore):
            box.currentIndexChanged.connect(changed)
        for part in (self.disks, self.networks):
            part.changed.connect(changed)
        self.disks.changed.connect(self._show_room)

    # --- places -----------------------------------------------------------------------------------------------

    def show_platforms(self, platforms: Sequence[Platform]) -> None:
        """Offer the registered platforms; none is chosen at first where there are several."""
        with QSignalBlocker(self.platform):
            if len(platforms) > 1:
                self.platform.addItem(self.tr("Choose the target platform"), None)
            for platform in platforms:
                self.platform.addItem(visible(f"{platform.name}  ({platform.address})"), platform.id)
        self._on_platform()

    @property
    def platform_id(self) -> PlatformId | None:
        """Return the platform that the VMs go to."""
        chosen: PlatformId | None = self.platform.currentData()
        return chosen

    def _on_platform(self) -> None:
        self._platform.set_problem("")
        self._boxes.show_places(None)
        self.folder.show_vms(())
        platform = self.platform_id
        if platform is None:
            return
        self._places_question.ask_instead(ListPlaces(platform=platform), self._on_places, self._on_no_places)
        self._vms_question.ask_instead(ListVms(platform=platform), self._on_vms, _without)

    def _on_places(self, places: PlatformPlaces) -> None:
        self._boxes.show_places(places)

    def _on_no_places(self, failure: Failure) -> None:
        words = self.tr("Its hosts and datastores cannot be listed now: {reason}")
        self._platform.set_problem(words.format(reason=failure_text(failure)))

    def _on_vms(self, vms: Sequence[VmSummary]) -> None:
        self.folder.show_vms(vms)

    def _on_narrowed(self) -> None:
        self.folder.show_datacenter(self.datacenter.currentData())
        self.disks.show_places(self._boxes.datastores())
        self.networks.show_networks(self._boxes.networks())
        self._show_room()

    def _on_source(self) -> None:
        platform, vms = self._source.platform_id, self._source.vms
        self.disks.show_vms(platform, vms)
        self.networks.show_vms(platform, vms)
        self._show_room()
        self.plan_note.on_changed()

    def _show_room(self) -> None:
        """Say what the disks may come to, where that is more than what is free on the one datastore."""
        value = self.datastore.currentData()
        chosen = next((place for place in self._boxes.datastores() if value == (place.id or place.name)), None)
        free = chosen.free_bytes if chosen is not None and not self.disks.each.value else None
        needed = sum(vm.disk_bytes for vm in self._source.vms)
        is_tight = free is not None and needed > free
        if is_tight:
            words = self.tr("The disks may need up to {size}, and {free} are free there. Thin disks need less.")
            self.room.setText(words.format(size=formatting.size(needed), free=formatting.size(free)))
        self._form.setRowVisible(self.room, is_tight)

    # --- the choice -------------------------------------------------------------------------------------------

    def members(self) -> tuple[MigrationMember, ...]:
        """Return what is migrated, each with where it goes."""
        return tuple(self._member(vm, name) for vm, name in self._source.chosen())

    def _member(self, vm: VmSummary, name: str) -> MigrationMember:
        return MigrationMember(
            vm=vm.id,
            vm_name=vm.name,
            placement=VmPlacement(
                name=name,
                datacenter=self.datacenter.currentData(),
                host=self.host.currentData(),
                folder=self.folder.folder,
                datastore=self.datastore.currentData(),
                disk_datastores=self.disks.chosen(vm),
                networks=self.networks.chosen(),
            ),
        )

    def _planned(self) -> tuple[Plan, ...]:
        """Return what is chosen now, for planning it; nothing while something is missing."""
        platform, target, members = self._source.platform_id, self.platform_id, self.members()
        if platform is None or target is None or any(not member.placement.name for member in members):
            return ()
        options = self._options()
        return tuple(
            Plan(
                PlanMigration(platform=platform, target=target, member=member, options=options),
                member.vm_name if len(members) > 1 else "",
            )
            for member in members
        )

    def problems(self) -> dict[Field, str]:
        """Return what is missing."""
        if self.platform_id is None:
            return {self._platform: self.tr("Choose the platform.")}
        return {}


def _without(_failure: Failure) -> None:
    """Without the platform's VMs their folders are not offered; the two that need none are."""
