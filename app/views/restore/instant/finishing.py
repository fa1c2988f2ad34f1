"""迁移: the VM of an instant recovery moves to a datastore of the platform, for good."""

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QCheckBox, QComboBox, QWidget

from app.contract.instant import FinishInstantRecovery, InstantRow
from app.contract.points import ListPoints
from app.contract.restore import ListPlaces
from app.domain.instant import FinishWay
from app.domain.places import DatastorePlace, PlatformPlaces
from app.domain.tasks import KnownPoint
from app.views import formatting, style
from app.views.console import Console
from app.views.restore.hardware import DiskRows, fill_datastores
from app.views.restore.places import datastore_choices
from app.views.widgets.choice_bar import ChoiceBar
from app.views.widgets.form import Field, FormDialog, grow_later
from app.views.widgets.plain import Label
from app.views.words import failure_text
from app.workers.answers import Failure

_WIDTH: Final = style.DIALOG_WIDTH


class FinishDialog(FormDialog):
    """Asks how and where to the VM moves, and moves it. Thread: GUI."""

    def __init__(self, console: Console, row: InstantRow, parent: QWidget | None = None) -> None:
        title = QCoreApplication.translate("FinishDialog", "Move {name} to a datastore").format(name=row.name)
        action = QCoreApplication.translate("FinishDialog", "Start the move")
        super().__init__(console, title, action, parent)
        self._row = row
        self._places: tuple[DatastorePlace, ...] = ()
        self._needed: int | None = None
        self._build_fields()
        self.setMinimumWidth(_WIDTH)
        door = console.door
        door.ask(
            ListPlaces(platform=row.platform), owner=self, on_done=self._on_places, on_failed=self._on_no_places
        )
        points = ListPoints(standby=row.standby, target_path=row.target_path)
        door.ask(points, owner=self, on_done=self._on_points, on_failed=_without)

    # --- construction -----------------------------------------------------------------------------------------

    def _build_fields(self) -> None:
        self.way: ChoiceBar[FinishWay] = ChoiceBar(
            self.tr("How it moves"),
            ((FinishWay.LIVE, self.tr("Live, while it runs")), (FinishWay.COLD, self.tr("Cold, powered off"))),
            chosen=FinishWay.LIVE,
            parent=self,
        )
        self.way.chosen.connect(self._on_way)
        form = self._form = self.add_form()
        self.add_field(form, self.tr("How it moves"), self.way)
        self.about = Label(self)
        self.about.setWordWrap(True)
        form.addRow(self.about)
        self.datastore = QComboBox(self)
        self.datastore.currentIndexChanged.connect(self._on_datastore)
        self._datastore = self.add_field(form, self.tr("Datastore"), self.datastore, required=True)
        self.disks = DiskRows(self)
        self._disks = self.add_field(form, self.tr("Disks"), self.disks)
        form.setRowVisible(self._disks, False)  # noqa: FBT003 - Qt's signature
        self._room = Label(self)
        self._room.setProperty("role", "secondary")
        self._room.setWordWrap(True)
        form.addRow(self._room)
        self.power_on = QCheckBox(self.tr("Power the VM on afterwards"), self)
        self.power_on.setChecked(True)
        self._power: Field = self.add_field(form, "", self.power_on)
        self._fill()
        self._on_way()

    def _on_way(self, _way: object = None) -> None:
        is_cold = self.way.value is FinishWay.COLD
        self._form.setRowVisible(self._power, is_cold)
        self.about.setText(
            self.tr(
                "The VM is powered off meanwhile: it is copied, every block is compared, and only then is it "
                "started from the datastore. This works with every license."
            )
            if is_cold
            else self.tr(
                "The VM goes on running while the platform moves its disks (Storage vMotion). The platform's "
                "license has to have that."
            )
        )
        grow_later(self)

    # --- places -----------------------------------------------------------------------------------------------

    def _on_places(self, places: PlatformPlaces) -> None:
        """Offer the datastores of the VM's host, without the one that it runs from."""
        own = [host for host in places.hosts if host.name == self._row.host_name]
        found = datastore_choices(own or places.hosts, places)
        self._places = tuple(place for place in found if place.name != self._row.datastore)
        self._datastore.set_problem("" if self._places else self.tr("Its host has no other datastore."))
        self._fill()

    def _on_no_places(self, failure: Failure) -> None:
        words = self.tr("The datastores cannot be listed now: {reason}")
        self._datastore.set_problem(words.format(reason=failure_text(failure)))
        grow_later(self)

    def _fill(self) -> None:
        fill_datastores(self.datastore, self.tr("Choose a datastore"), self._places)
        self.disks.show_places(self._places)
        self._show_room()

    def _on_points(self, points: Sequence[KnownPoint]) -> None:
        """Offer a datastore for each disk, where there are several."""
        disks = next((known.point.disks for known in points if known.point.id == self._row.point), ())
        if not disks:
            return
        self._needed = sum(disk.capacity_bytes for disk in disks)
        if len(disks) > 1:
            self.disks.show_disks(disks, self._places)
            self._form.setRowVisible(self._disks, True)  # noqa: FBT003 - Qt's signature
        self._show_room()

    def _on_datastore(self) -> None:
        if self.datastore.currentData() is not None:
            self._datastore.set_problem("")
        self._show_room()

    def _show_room(self) -> None:
        """Say what the disks may come to, where that is more than what is free."""
        value = self.datastore.currentData()
        chosen = next((place for place in self._places if value == (place.id or place.name)), None)
        free = chosen.free_bytes if chosen is not None else None
        is_tight = self._needed is not None and free is not None and self._needed > free
        if is_tight:
            words = self.tr("The disks may need up to {size}, and {free} are free there. Thin disks need less.")
            self._room.setText(words.format(size=formatting.size(self._needed), free=formatting.size(free)))
        self._form.setRowVisible(self._room, is_tight)
        grow_later(self)

    # --- the choice -------------------------------------------------------------------------------------------

    def problems(self) -> dict[Field, str]:
        """Return what is missing."""
        if self.datastore.currentData() is None:
            return {self._datastore: self.tr("Choose a datastore.")}
        return {}

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Queue the move."""
        command = FinishInstantRecovery(
            recovery=self._row.id,
            way=self.way.value,
            datastore=self.datastore.currentData(),
            disk_datastores=self.disks.chosen(),
            power_on=self.power_on.isChecked(),
        )
        self.console.door.execute(command, owner=self, on_done=on_done, on_failed=on_failed)


def _without(_failure: Failure) -> None:
    """Without its disks the VM moves to one datastore as a whole."""
