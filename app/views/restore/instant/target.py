"""高级设置 of an instant recovery: where its VMs run, on which networks, and how hosts reach this machine."""

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QVBoxLayout, QWidget

from app.contract.instant import InstantMember, ListServingAddresses, PlanInstantRecovery, ServingAddress
from app.contract.platforms import ListPlatforms, ListVms
from app.contract.restore import ListPlaces
from app.domain.display import visible
from app.domain.ids import PlatformId
from app.domain.places import PlatformPlaces
from app.domain.platforms import Platform
from app.domain.tasks import KnownPoint
from app.domain.vms import VmPlacement, VmSummary
from app.views import style
from app.views.program import Program
from app.views.restore.folders import FolderBox
from app.views.restore.instant.addresses import AddressBox
from app.views.restore.instant.background import BackgroundNote
from app.views.restore.instant.networks import NetworkChoice, SavedAdapters
from app.views.restore.instant.source import InstantSource
from app.views.restore.place_boxes import HostBoxes
from app.views.restore.plan_note import Plan, PlanNote
from app.views.widgets.checks import VM_NAME_MAX_CHARS, name_problem
from app.views.widgets.form import Field, FormDialog
from app.views.widgets.plain import Label
from app.views.widgets.question import Question
from app.views.widgets.scrolled import scroll_inside
from app.views.words import failure_text
from app.workers.answers import Failure


class InstantTarget(QWidget):
    """Where the VMs run, and how. Thread: GUI.

    Signals:
        changed: something else is chosen.
    """

    changed = Signal()

    def __init__(self, dialog: FormDialog, source: InstantSource, program: Program | None) -> None:
        super().__init__(dialog)
        self._dialog = dialog
        self._source = source
        door = dialog.console.door
        self._is_named_by_hand = False
        self._origin: PlatformId | None = None
        self._adapters_of: object = None
        self._places_question, self._vms_question = Question(door, self), Question(door, self)
        self._addresses_question = Question(door, self)
        self._saved = SavedAdapters(door, self)
        self._saved.found.connect(self._on_saved)
        self._build(program)
        source.changed.connect(self._on_source)
        self._on_source()
        door.ask(ListPlatforms(), owner=self, on_done=self._on_platforms, on_failed=dialog.banner.show_failure)

    # --- construction -----------------------------------------------------------------------------------------

    def _build(self, program: Program | None) -> None:
        inner = QWidget(self)
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, style.SPACE_L, style.SPACE_M, 0)
        column.setSpacing(style.SPACE_M)
        self._form = self._dialog.add_form(column)
        self._build_places()
        self._build_options()
        self.background = BackgroundNote(self._dialog.console.door, program, self)
        self.plan_note = PlanNote(self._dialog.console, self._planned, self)
        for widget in (self._help_label(), self.background, self.plan_note):
            column.addWidget(widget)
        column.addStretch(1)
        self._watch()
        scroll_inside(self, inner)

    def _build_places(self) -> None:
        add = self._dialog.add_field
        form = self._form
        self.vm_name = QLineEdit(self)
        self.vm_name.textEdited.connect(self._on_name_typed)
        self._vm_name = add(form, self.tr("VM name"), self.vm_name, required=True)
        self.platform = QComboBox(self)
        self.platform.currentIndexChanged.connect(self._on_platform)
        self._platform = add(form, self.tr("Virtual platform"), self.platform, required=True)
        self._boxes = HostBoxes(self)
        self.datacenter, self.host = self._boxes.datacenter, self._boxes.host
        add(form, self.tr("Datacenter"), self.datacenter)
        add(
            form,
            self.tr("Host"),
            self.host,
            help_text=self.tr("It mounts a datastore of this machine for the VM; no other datastore is needed."),
        )
        self.folder = FolderBox(self)
        add(form, self.tr("Folder"), self.folder)

    def _build_options(self) -> None:
        add = self._dialog.add_field
        self.network = NetworkChoice(self)
        self._network = add(self._form, self.tr("Network"), self.network)
        self.power_on = QCheckBox(self.tr("Power the VM on at once"), self)
        self.power_on.setChecked(True)
        add(self._form, "", self.power_on)
        self.address = AddressBox(self)
        self._address = add(
            self._form,
            self.tr("Address of this machine"),
            self.address,
            help_text=self.tr("The host has to reach it at the TCP ports 111 and 2049 and at UDP port 111."),
        )

    def _help_label(self) -> Label:
        text = Label(
            self.tr(
                "The backup itself is never changed: what the VM writes is kept apart from it at the standby "
                "machine, unencrypted even where the repository is encrypted."
            ),
            self,
        )
        text.setProperty("role", "help")
        text.setWordWrap(True)
        return text

    def _watch(self) -> None:
        """Plan again after each change of what decides where the VMs go."""
        self._boxes.narrowed.connect(self._on_narrowed)
        self.network.wanted.connect(self._ask_adapters)
        for box in (self.platform, self.datacenter, self.host, self.folder):
            box.currentIndexChanged.connect(self.plan_note.on_changed)
        self.network.changed.connect(self.plan_note.on_changed)
        self.vm_name.textChanged.connect(self.plan_note.on_changed)

    # --- what is started --------------------------------------------------------------------------------------

    def _on_source(self) -> None:
        points, is_group = self._source.points(), self._source.is_group
        self._form.setRowVisible(self._vm_name, not is_group)
        facts = points[0].point.facts if len(points) == 1 and not is_group else None
        if not self._is_named_by_hand and not is_group:
            self.vm_name.setText(self.tr("{vm}-instant").format(vm=facts.name) if facts else "")
        self._boxes.show_saved(facts)
        self.folder.show_saved(facts)
        self._show_adapters()
        self._choose_origin()
        self.plan_note.on_changed()

    def _on_name_typed(self) -> None:
        self._is_named_by_hand = True

    def _choose_origin(self) -> None:
        """Choose the platform that the points are from, once for each."""
        origin = self._source.platform
        place = self.platform.findData(origin)
        if origin is not None and origin != self._origin and place >= 0:
            self._origin = origin
            self.platform.setCurrentIndex(place)

    # --- places -----------------------------------------------------------------------------------------------

    def _on_platforms(self, platforms: Sequence[Platform]) -> None:
        with QSignalBlocker(self.platform):
            for platform in platforms:
                self.platform.addItem(visible(f"{platform.name}  ({platform.address})"), platform.id)
        self._choose_origin()
        self._on_platform()

    def _on_platform(self) -> None:
        self._platform.set_problem("")
        self._address.set_problem("")
        self._boxes.show_places(None)
        self.folder.show_vms(())
        self.address.show_addresses(())
        platform = self.platform_id
        if platform is None:
            return
        self._places_question.ask_instead(ListPlaces(platform=platform), self._on_places, self._on_no_places)
        self._vms_question.ask_instead(ListVms(platform=platform), self._on_vms, _without)
        query = ListServingAddresses(platform=platform)
        self._addresses_question.ask_instead(query, self._on_addresses, self._on_no_addresses)
        self._show_adapters()

    def _on_places(self, places: PlatformPlaces) -> None:
        self._boxes.show_places(places)

    def _on_no_places(self, failure: Failure) -> None:
        words = self.tr("Its hosts cannot be listed now: {reason}")
        self._platform.set_problem(words.format(reason=failure_text(failure)))

    def _on_vms(self, vms: Sequence[VmSummary]) -> None:
        self.folder.show_vms(vms)

    def _on_addresses(self, addresses: Sequence[ServingAddress]) -> None:
        self.address.show_addresses(addresses)

    def _on_no_addresses(self, failure: Failure) -> None:
        words = self.tr("The addresses of this machine cannot be listed now: {reason}")
        self._address.set_problem(words.format(reason=failure_text(failure)))

    def _on_narrowed(self) -> None:
        self.folder.show_datacenter(self.datacenter.currentData())
        self.network.show_networks(self._boxes.networks())

    # --- network adapters -------------------------------------------------------------------------------------

    def _show_adapters(self) -> None:
        """Let go of the adapters of other VMs, and of another platform's reading of them."""
        now = (self.platform_id, self._source.is_group, self._source.points())
        if now != self._adapters_of:
            self._adapters_of = now
            self.network.show_nothing(is_group=self._source.is_group)

    def _ask_adapters(self) -> None:
        platform = self.platform_id
        if platform is not None and self._source.points():
            self._saved.ask(platform, self._source.points())

    def _on_saved(self) -> None:
        self.network.show_saved(self._saved.of(self._source.points()))

    # --- the choice -------------------------------------------------------------------------------------------

    @property
    def platform_id(self) -> PlatformId | None:
        """Return the platform that the VMs run on."""
        chosen: PlatformId | None = self.platform.currentData()
        return chosen

    def members(self) -> tuple[InstantMember, ...]:
        """Return what is started, in its order."""
        if self._source.is_group:
            chosen = self._source.group.chosen()
        else:
            chosen = tuple((self.vm_name.text().strip(), known) for known in self._source.points())
        return tuple(self._member(name, known) for name, known in chosen)

    def _member(self, name: str, known: KnownPoint) -> InstantMember:
        return InstantMember(
            standby=known.standby,
            target_path=known.target_path,
            point=known.point.id,
            placement=VmPlacement(
                name=name,
                datacenter=self.datacenter.currentData(),
                host=self.host.currentData(),
                folder=self.folder.folder,
                networks=self.network.networks(),
                adapter_networks=self.network.adapter_networks(),
                adapter_addresses=self.network.adapter_addresses(),
                is_isolated=self.network.is_isolated,
            ),
            power_on=self.power_on.isChecked(),
        )

    def _planned(self) -> tuple[Plan, ...]:
        """Return what is chosen now, for planning it; nothing while something is missing."""
        platform, members = self.platform_id, self.members()
        if platform is None or any(not member.placement.name for member in members):
            return ()
        return tuple(
            Plan(
                PlanInstantRecovery(platform=platform, member=member),
                member.placement.name if len(members) > 1 else "",
            )
            for member in members
        )

    def problems(self) -> dict[Field, str]:
        """Return what is wrong with the fields; nothing before there is something to start."""
        found: dict[Field, str] = {}
        if not self._source.points():
            return found
        missing = self.tr("Enter the VM's name.")
        problem = name_problem(self.vm_name.text(), missing=missing, most=VM_NAME_MAX_CHARS)
        if problem and not self._source.is_group:
            found[self._vm_name] = problem
        if self.platform_id is None:
            found[self._platform] = self.tr("Choose a platform.")
        if not self.network.show_problems():
            found[self._network] = self.tr("Correct the MAC addresses.")
        return found


def _without(_failure: Failure) -> None:
    """Without the platform's VMs their folders are not offered; the two that need none are."""
