"""The status bar: what runs, how fast, what failed, how much room; and the feed that it and the tray share."""

from dataclasses import replace
from typing import Final

from PySide6.QtCore import QCoreApplication, QObject, Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QWidget

from app.contract.overview import EngineStatus, ReadStatus
from app.contract.tasks import TasksProgress
from app.domain.changes import Subject
from app.domain.engine_events import EngineFound, EngineLost
from app.domain.units import filled
from app.views import formatting, style
from app.views.console import Console
from app.views.frame.freshness import Interest, Pace, Watch
from app.views.frame.history import Address
from app.views.frame.places import FAILED_TASKS, INSTANT, OFFERS, STANDBYS, TASKS
from app.views.icons import Glyph, icon
from app.views.widgets.gauge import gauge_color
from app.views.widgets.pause import Pause
from app.views.widgets.plain import set_tip
from app.views.widgets.question import Question
from app.workers.answers import Failure

_AGAIN_MS: Final = 1000
"""So long after it could not be had the status is asked for again."""
_INTEREST: Final = Interest(
    whole=frozenset(
        {Subject.TASKS, Subject.FIGURES, Subject.STANDBYS, Subject.NAMES, Subject.OFFERS, Subject.INSTANT}
    ),
    pace=Pace.SECOND,
)


class StatusFeed(QObject):
    """Asks for the engine's status whenever it may be different. Thread: GUI.

    Signals:
        answered: the status, an :class:`EngineStatus`.
        lost: the engine did not answer; it is asked again all the same.
    """

    answered = Signal(object)
    lost = Signal()

    def __init__(self, console: Console, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._console = console
        self._question = Question(console.door, self)
        self.latest: EngineStatus | None = None
        self.watch = Watch(console.fresh, self, _INTEREST)
        self.watch.changed.connect(self._on_changed)
        self.watch.sampled.connect(self._on_sampled)
        self._again = Pause(_AGAIN_MS, self)
        self._again.timeout.connect(self.ask)
        console.door.events.connect(self._on_events)

    def start(self) -> None:
        """Begin to ask."""
        self.watch.begin()
        self.ask()

    def stop(self) -> None:
        """Ask no more."""
        self.watch.end()
        self._again.stop()
        self._question.withdraw()

    def ask(self) -> None:
        """Ask now; while an answer is on its way, once more afterwards."""
        self._question.ask(ReadStatus(), self._on_status, self._on_lost)

    def _on_status(self, status: EngineStatus) -> None:
        self.latest = status
        self.answered.emit(status)

    def _on_lost(self, _failure: Failure) -> None:
        self._lose()
        if self.watch.is_open:
            self._again.restart()

    def _on_changed(self, _keys: object) -> None:
        self.ask()

    def _on_sampled(self, running: TasksProgress) -> None:
        speed = running.read_bytes_per_s
        if self.latest is not None and self.latest.read_bytes_per_s != speed:
            self.latest = replace(self.latest, read_bytes_per_s=speed)
            self.answered.emit(self.latest)

    def _on_events(self, events: tuple[object, ...]) -> None:
        for event in events:
            if isinstance(event, EngineLost):
                self._lose()
            elif isinstance(event, EngineFound) and self.watch.is_open:
                self.ask()

    def _lose(self) -> None:
        self.latest = None
        self.lost.emit()


def running_words(status: EngineStatus) -> str:
    """Return how many tasks run, wait and are being stopped."""
    words = QCoreApplication.translate("Status", "{running} running · {pending} pending")
    if status.stopping:
        words = QCoreApplication.translate("Status", "{running} running · {pending} pending · {stopping} stopping")
    return words.format(running=status.running - status.stopping, pending=status.pending, stopping=status.stopping)


class StatusItem(QToolButton):
    """An icon and a few words that lead somewhere. Thread: GUI."""

    def __init__(self, console: Console, glyph: Glyph, address: Address, tooltip: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._console = console
        self._glyph, self._color = glyph, "secondary"
        self._address = address
        self.setToolButtonStyle(self.toolButtonStyle().ToolButtonTextBesideIcon)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setFont(style.tabular_font(style.SECONDARY_PX))
        set_tip(self, tooltip)
        self.clicked.connect(self._on_clicked)
        console.theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    def show_words(self, words: str, color: str = "secondary", glyph: Glyph | None = None) -> None:
        """Show other words, and another icon where one is given."""
        self.setText(words)
        self.setAccessibleName(f"{words}. {self.toolTip()}")
        wanted = glyph or self._glyph
        if (wanted, color) != (self._glyph, self._color):
            self._glyph, self._color = wanted, color
            self._on_theme_changed()

    def _on_clicked(self) -> None:
        self._console.go(self._address.page, *self._address.path)

    def _on_theme_changed(self) -> None:
        colors = self._console.colors
        self.setIcon(icon(self._glyph, colors, getattr(colors, self._color)))


class StatusItems(QObject):
    """Fills the status bar of a window from a feed. Thread: GUI."""

    def __init__(self, console: Console, feed: StatusFeed, bar: QHBoxLayout, parent: QWidget) -> None:
        super().__init__(parent)
        tasks = self.tr("Running and pending tasks")
        self.tasks = StatusItem(console, Glyph.TASKS, TASKS, tasks, parent)
        self.speed = StatusItem(console, Glyph.SPEED, TASKS, self.tr("Speed of all tasks together"), parent)
        self.errors = StatusItem(
            console, Glyph.SUCCESS, FAILED_TASKS, self.tr("Failed tasks that were not viewed yet"), parent
        )
        self.room = StatusItem(
            console, Glyph.DISK, STANDBYS, self.tr("Used and total space of the standbys"), parent
        )
        self.offers = StatusItem(
            console, Glyph.DISK, OFFERS, self.tr("Restore points whose disks other programs can read"), parent
        )
        self.instant = StatusItem(
            console, Glyph.INSTANT, INSTANT, self.tr("VMs that run from restore points"), parent
        )
        bar.setSpacing(style.SPACE_XS)
        for item in (self.tasks, self.speed, self.errors, self.offers, self.instant):
            bar.addWidget(item)
        bar.addStretch(1)
        bar.addWidget(self.room)
        feed.answered.connect(self._on_status)
        feed.lost.connect(self._on_lost)
        if feed.latest is not None:
            self._on_status(feed.latest)
        else:
            self.tasks.show_words(self.tr("Asking the engine…"))
            self._show_rest(visible=False)

    def _show_rest(self, *, visible: bool) -> None:
        for item in (self.speed, self.errors, self.room):
            item.setVisible(visible)
        if not visible:
            self.offers.hide()
            self.instant.hide()

    def _on_lost(self) -> None:
        self.tasks.show_words(self.tr("The engine cannot be reached"), "unknown", Glyph.WARNING)
        self._show_rest(visible=False)

    def _on_status(self, status: EngineStatus) -> None:
        self.tasks.show_words(
            running_words(status),
            "active" if status.running else "secondary",
            Glyph.TASKS,
        )
        self.speed.show_words(formatting.speed(status.read_bytes_per_s))
        unviewed = status.unviewed_errors
        self.errors.show_words(
            self.tr("Unviewed errors {count}").format(count=unviewed)
            if unviewed
            else self.tr("No unviewed errors"),
            "failed" if unviewed else "secondary",
            Glyph.ERROR if unviewed else Glyph.SUCCESS,
        )
        self._show_room(status)
        self._show_rest(visible=True)
        self.offers.show_words(self.tr("Over NBD {count}").format(count=status.offers), "active")
        self.offers.setVisible(status.offers > 0)
        self.instant.show_words(self.tr("Instant {count}").format(count=status.instant), "active")
        self.instant.setVisible(status.instant > 0)

    def _show_room(self, status: EngineStatus) -> None:
        known = [standby for standby in status.standbys if standby.total_bytes and standby.free_bytes is not None]
        total = sum(standby.total_bytes or 0 for standby in known)
        used = total - sum(standby.free_bytes or 0 for standby in known)
        away = sum(not standby.reachable for standby in status.standbys)
        if away:
            self.room.show_words(
                filled(self.tr("{count} {count:standby/standbys} not reachable"), {"count": away}), "failed"
            )
        elif total:
            color = gauge_color(used / total)
            words = self.tr("Standbys {used} of {total}").format(
                used=formatting.size(used), total=formatting.size(total)
            )
            self.room.show_words(words, "secondary" if color == "accent_fill" else color)
        elif status.standbys:
            self.room.show_words(self.tr("Free space unknown"), "secondary")
        else:
            self.room.show_words(self.tr("No standby yet"))
