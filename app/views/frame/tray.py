"""The tray: how it is at a glance, a notification when a task failed, and the way back into the window."""

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication, QMenu, QSystemTrayIcon

from app.contract.errors import ErrorRow
from app.contract.overview import EngineStatus
from app.domain.display import lines as text_lines
from app.domain.display import visible
from app.domain.engine_events import NotificationRaised
from app.domain.units import filled
from app.views.console import Console
from app.views.frame.brand import TrayState, tray_icon
from app.views.frame.places import FAILED_TASKS
from app.views.frame.status import StatusFeed, running_words
from app.views.widgets.pause import Pause
from app.views.widgets.plain import set_tip, show_balloon
from app.views.words import row_error_message

_GATHER_MS = 400
_SHOWN_MS = 15_000
_MOST_NAMED = 3


class Tray(QObject):
    """Shows in the system's tray how tasks go, and notifies of failures. Thread: GUI.

    Signals:
        open_wanted: the operator wants the window.
        quit_wanted: the operator wants the program to end.
        shown: a notification was shown; its title and its text.
    """

    open_wanted = Signal()
    quit_wanted = Signal()
    shown = Signal(str, str)

    def __init__(self, console: Console, feed: StatusFeed, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._console = console
        self._look: tuple[TrayState, int] | None = None
        self._failures: list[tuple[str, str]] = []
        self.icon = QSystemTrayIcon(self)
        self.menu = QMenu()
        self.open_action = self.menu.addAction(self.tr("Open Standfast"))
        self.open_action.triggered.connect(self.open_wanted)
        self.failed_action = self.menu.addAction(self.tr("Failed tasks"))
        self.failed_action.triggered.connect(self._on_failed_wanted)
        self.menu.addSeparator()
        self.quit_action = self.menu.addAction(self.tr("Quit"))
        self.quit_action.triggered.connect(self.quit_wanted)
        self.icon.setContextMenu(self.menu)
        self.icon.activated.connect(self._on_activated)
        self.icon.messageClicked.connect(self._on_failed_wanted)
        self._gathering = Pause(_GATHER_MS, self)
        self._gathering.timeout.connect(self._on_gathered)
        feed.answered.connect(self._on_status)
        feed.lost.connect(self._on_lost)
        console.door.events.connect(self._on_events)
        if feed.latest is not None:
            self._on_status(feed.latest)
        else:
            self._wear(TrayState.IDLE, 0, self.tr("Standfast"))

    @property
    def state(self) -> TrayState:
        """Return what the icon says."""
        return self._look[0] if self._look is not None else TrayState.IDLE

    @property
    def unviewed(self) -> int:
        """Return what the badge counts."""
        return self._look[1] if self._look is not None else 0

    def show(self) -> None:
        """Show the icon."""
        self.icon.show()

    def hide(self) -> None:
        """Take the icon away."""
        self.icon.hide()

    def dismiss(self) -> None:
        """Take the icon away for good, with its menu."""
        self.hide()
        self.menu.deleteLater()

    # --- how it is --------------------------------------------------------------------------------------------

    def _on_status(self, status: EngineStatus) -> None:
        unviewed = status.unviewed_errors
        calm = TrayState.RUNNING if status.running else TrayState.IDLE
        state = TrayState.ERROR if unviewed else calm
        lines = [self.tr("Standfast"), running_words(status)]
        if unviewed:
            lines.append(self.tr("Unviewed errors {count}").format(count=unviewed))
        self._wear(state, unviewed, text_lines(lines))

    def _on_lost(self) -> None:
        self._wear(TrayState.AWAY, 0, text_lines((self.tr("Standfast"), self.tr("The engine cannot be reached"))))

    def _wear(self, state: TrayState, unviewed: int, tooltip: str) -> None:
        if self._look != (state, unviewed):
            self._look = (state, unviewed)
            picture: QIcon = tray_icon(state, unviewed)
            self.icon.setIcon(picture)
        if self.icon.toolTip() != tooltip:
            set_tip(self.icon, tooltip)

    # --- failed tasks -----------------------------------------------------------------------------------------

    def _on_events(self, events: tuple[object, ...]) -> None:
        for event in events:
            if isinstance(event, NotificationRaised):
                self._failures.append(_words_of(event))
                self._gathering.start()

    def _on_gathered(self) -> None:
        failures, self._failures = self._failures, []
        title, text = self.notification(failures)
        show_balloon(self.icon, title, text, _SHOWN_MS)
        self.shown.emit(title, text)

    def notification(self, failures: list[tuple[str, str]]) -> tuple[str, str]:
        """Return title and text of one notification: each a VM's name and why its task failed, or only a text."""
        if len(failures) == 1:
            vm_name, reason = failures[0]
            if not vm_name:
                return self.tr("Standfast"), visible(reason)
            return visible(self.tr("{vm}: the task failed").format(vm=vm_name)), visible(reason)
        only_failures = all(vm_name for vm_name, _ in failures)
        words = (
            self.tr("{count} {count:task/tasks} failed")
            if only_failures
            else self.tr("{count} {count:notification/notifications}")
        )
        title = filled(words, {"count": len(failures)})
        lines = [f"{vm_name}: {reason}" if vm_name else reason for vm_name, reason in failures[:_MOST_NAMED]]
        if len(failures) > _MOST_NAMED:
            lines.append(self.tr("and {count} more").format(count=len(failures) - _MOST_NAMED))
        return title, text_lines(lines)

    # --- clicks -----------------------------------------------------------------------------------------------

    def _on_activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason in (QSystemTrayIcon.ActivationReason.Trigger, QSystemTrayIcon.ActivationReason.DoubleClick):
            self.open_wanted.emit()

    def _on_failed_wanted(self) -> None:
        self.open_wanted.emit()
        if QApplication.activeModalWidget() is not None:
            return  # a dialog is open: leaving its page would throw away what is typed there
        self._console.go(FAILED_TASKS.page, *FAILED_TASKS.path)


def _words_of(event: NotificationRaised) -> tuple[str, str]:
    """Return the VM's name, empty when it is about none, and the reason in the operator's language."""
    if not event.code:
        return event.vm_name, event.text
    row = ErrorRow(code=event.code, template=event.template, params=event.params)
    return event.vm_name, row_error_message(row)
