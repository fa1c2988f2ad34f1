"""How long VMs go on that run from this machine, and the offer to start the program with the system."""

from PySide6.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from app.views import style
from app.views.program import Program, ProgramSettings
from app.views.widgets.plain import Label
from app.workers.answers import Failure
from app.workers.door import DoorClient


class BackgroundNote(QWidget):
    """Says that VMs need this machine, where the engine is no service; offers to start it at each login.

    Hidden where the engine runs as a service. Thread: GUI.
    """

    def __init__(self, door: DoorClient, program: Program | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._door = door
        self._program = program
        text = Label(
            self.tr(
                "VMs run from this machine only while it is on and awake. The engine is no service here: after a "
                "restart of the machine they come back once this program is started."
            ),
            self,
        )
        text.setProperty("role", "help")
        text.setWordWrap(True)
        self.starts = QCheckBox(self.tr("Start with the system from now on"), self)
        self.starts.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.SPACE_XS)
        column.addWidget(text)
        column.addWidget(self.starts)
        is_needed = program is not None and not program.facts().engine_is_elsewhere
        self.setVisible(is_needed)
        if program is not None and is_needed:
            door.run_apart(program.settings, owner=self, on_done=self._on_settings, on_failed=_unknown)

    def _on_settings(self, settings: ProgramSettings) -> None:
        self.starts.setVisible(not settings.starts_with_system)

    def carry_out(self, owner: QWidget) -> None:
        """Do what was chosen, for an owner that outlives the dialog."""
        program = self._program
        if program is None or self.starts.isHidden() or not self.starts.isChecked():
            return

        def begin() -> None:
            program.start_with_system(wanted=True)

        self._door.run_apart(begin, owner=owner, on_done=_begun, on_failed=_unknown)


def _unknown(_failure: Failure) -> None:
    """The page of settings offers the same, and says what is wrong."""


def _begun(_nothing: None) -> None:
    """The page of settings shows it."""
