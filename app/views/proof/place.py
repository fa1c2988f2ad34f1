"""Where VMs are started to prove their restore points: a platform, and one of its hosts."""

from collections.abc import Sequence

from PySide6.QtCore import QObject, QSignalBlocker, Signal
from PySide6.QtWidgets import QComboBox, QWidget

from app.contract.platforms import ListPlatforms
from app.contract.restore import ListPlaces
from app.domain.display import visible
from app.domain.ids import PlatformId
from app.domain.places import PlatformPlaces
from app.domain.platforms import Platform
from app.views.console import Console
from app.views.restore.places import host_choices, host_value
from app.views.widgets.question import Question
from app.workers.answers import Failure


class ProofPlace(QObject):
    """The boxes for platform and host, whose first entries leave the choice to the program. Thread: GUI.

    Signals:
        edited: the operator chose something else.
    """

    edited = Signal()

    def __init__(self, console: Console, first: str, parent: QWidget) -> None:
        """Make them.

        Args:
            console: is asked for platforms and hosts.
            first: what the entry without a choice of a platform says.
            parent: of the boxes.
        """
        super().__init__(parent)
        self._console = console
        self._usual: PlatformId | None = None
        self._question = Question(console.door, self)
        self.platform, self.host = QComboBox(parent), QComboBox(parent)
        self.platform.addItem(first, None)
        self.host.addItem(self.tr("Any host that can run it"), "")
        self.platform.currentIndexChanged.connect(self._on_platform)
        self.platform.activated.connect(self.edited)
        self.host.activated.connect(self.edited)
        console.door.ask(ListPlatforms(), owner=self, on_done=self._on_platforms, on_failed=self._on_not_listed)

    @property
    def platform_id(self) -> PlatformId | None:
        """Return the chosen platform; None leaves it to the program."""
        chosen: PlatformId | None = self.platform.currentData()
        return chosen

    @property
    def host_value(self) -> str:
        """Return the id or the name of the chosen host; empty leaves it to the platform."""
        chosen: str = self.host.currentData()
        return chosen

    def show_usual(self, platform: PlatformId | None) -> None:
        """Say which platform the entry without a choice comes to; its hosts are offered then."""
        if platform != self._usual:
            self._usual = platform
            self._ask_hosts()

    def show_choice(self, platform: PlatformId | None, host: str) -> None:
        """Choose what is set already, also while neither is listed yet."""
        with QSignalBlocker(self.platform):
            _choose(self.platform, platform, str(platform or ""))
        with QSignalBlocker(self.host):
            _choose(self.host, host, host)
        self._ask_hosts()

    # --- what is offered --------------------------------------------------------------------------------------

    def _on_platforms(self, platforms: Sequence[Platform]) -> None:
        before = self.platform_id
        with QSignalBlocker(self.platform):
            while self.platform.count() > 1:
                self.platform.removeItem(1)
            for platform in platforms:
                self.platform.addItem(visible(f"{platform.name}  ({platform.address})"), platform.id)
            _choose(self.platform, before, str(before or ""))

    def _on_not_listed(self, _failure: Failure) -> None:
        """Without the platforms what is set already stays; the engine names what is wrong with it."""

    def _on_platform(self) -> None:
        with QSignalBlocker(self.host):
            self.host.setCurrentIndex(0)
        self._ask_hosts()

    def _ask_hosts(self) -> None:
        self._show_hosts(None)
        platform = self.platform_id or self._usual
        if platform is None:
            self._question.withdraw()
        else:
            self._question.ask_instead(ListPlaces(platform=platform), self._show_hosts, self._on_not_listed)

    def _show_hosts(self, places: PlatformPlaces | None) -> None:
        before = self.host_value
        hosts = places.hosts if places is not None else ()
        values = {host.name: host_value(host) for host in hosts}
        with QSignalBlocker(self.host):
            while self.host.count() > 1:
                self.host.removeItem(1)
            for choice in host_choices(hosts, places):
                self.host.addItem(visible(choice.text), choice.value)
            _choose(self.host, values.get(before, before), before)


def _choose(box: QComboBox, value: object, text: str) -> None:
    """Choose an entry by its value; one that is not offered is added, so that nothing set is lost unseen."""
    place = box.findData(value)
    if place < 0:
        box.addItem(visible(text), value)
        place = box.count() - 1
    box.setCurrentIndex(place)
