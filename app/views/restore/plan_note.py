"""What a restore would make of a VM, said while it is being chosen."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from app.contract.restore import PlanRestore
from app.domain.display import visible
from app.domain.errors import OperationalError
from app.domain.places import PlannedVm
from app.views.console import Console
from app.views.widgets.pause import Pause
from app.views.widgets.plain import Label
from app.views.widgets.question import Question
from app.views.words import error_message, said_text
from app.workers.answers import Failure

_PAUSE_MS = 600
_SAID = frozenset({"restore.name_taken", "vm.creation_failed"})


class PlanNote(Label):
    """Asks for the plan of a restore after each change of it, and shows what is worth knowing. Thread: GUI."""

    def __init__(
        self, console: Console, wanted: Callable[[], PlanRestore | None], parent: QWidget | None = None
    ) -> None:
        """Build.

        Args:
            console: the console.
            wanted: returns the restore as it is chosen now; None while it is not complete.
            parent: the widget that it belongs to.
        """
        super().__init__(parent)
        self._question = Question(console.door, self)
        self._wanted = wanted
        self._asked: PlanRestore | None = None
        self._pause = Pause(_PAUSE_MS, self)
        self._pause.timeout.connect(self.ask)
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.hide()

    def on_changed(self, *_: object) -> None:
        """Ask once there are no changes for a moment."""
        self._pause.restart()

    def ask(self) -> None:
        """Ask for the plan now, where something has changed since the last time."""
        query = self._wanted()
        if query == self._asked:
            return
        self._asked = query
        self._question.withdraw()
        self.hide()
        if query is not None:
            self._question.ask(query, self._on_planned, self._on_refused)

    def _on_planned(self, planned: PlannedVm | None) -> None:
        if planned is not None:
            warnings = tuple(said_text(warning) for warning in planned.warnings)
            self._show(self.tr("This will not be as it was:"), warnings)

    def _on_refused(self, failure: Failure) -> None:
        # Anything else the restore itself says; here only what another choice would change counts.
        if isinstance(failure, OperationalError) and failure.code in _SAID:
            self._show(self.tr("This cannot be restored so:"), (error_message(failure),))

    def _show(self, heading: str, lines: tuple[str, ...]) -> None:
        self.setText("\n".join((heading, *(f"• {visible(line)}" for line in lines))))
        self.setVisible(bool(lines))
