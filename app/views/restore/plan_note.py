"""What would come of creating VMs, said while they are being chosen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from app.contract.base import Query
from app.domain.display import lines
from app.domain.errors import OperationalError
from app.domain.places import PlannedVm
from app.views.console import Console
from app.views.widgets.pause import Pause
from app.views.widgets.plain import Label
from app.views.widgets.question import Question
from app.views.words import error_message, said_text
from app.workers.answers import Failure

_PAUSE_MS = 600
_SAID: Final = frozenset({"restore.name_taken", "vm.creation_failed"})


@dataclass(frozen=True, slots=True)
class Plan:
    """A VM to be planned."""

    query: Query[Any]
    """Its answer is what the note that asks it understands."""
    name: str = ""
    """Said before what is worth knowing of it, where there are several."""


class PlanNote(Label):
    """Asks for the plans of VMs after each change of them, and shows what is worth knowing. Thread: GUI.

    Attributes:
        said: The codes of refusals that another choice would change.
    """

    said: ClassVar[frozenset[str]] = _SAID

    def __init__(
        self, console: Console, wanted: Callable[[], Sequence[Plan]], parent: QWidget | None = None
    ) -> None:
        """Build.

        Args:
            console: the console.
            wanted: returns the VMs as they are chosen now; none while something is missing.
            parent: the widget that it belongs to.
        """
        super().__init__(parent)
        self._question = Question(console.door, self)
        self._wanted = wanted
        self._asked: tuple[Plan, ...] = ()
        self._left: list[Plan] = []
        self._changes: list[str] = []
        self._refusals: list[str] = []
        self._pause = Pause(_PAUSE_MS, self)
        self._pause.timeout.connect(self.ask)
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.hide()

    # --- for subclasses ---------------------------------------------------------------------------------------

    def heading_of_refusals(self) -> str:
        """Return what stands above the reasons why a VM cannot be created."""
        return self.tr("This cannot be restored so:")

    def heading_of_changes(self) -> str:
        """Return what stands above what is worth knowing."""
        return self.tr("This will not be as it was:")

    def worth_knowing(self, planned: Any) -> tuple[str, ...]:  # noqa: ANN401 - the answer of the plan's query
        """Return what is worth knowing of a plan, a line each."""
        return _deviations(planned)

    # --- asking -----------------------------------------------------------------------------------------------

    def on_changed(self, *_: object) -> None:
        """Ask once there are no changes for a moment."""
        self._pause.restart()

    def ask(self) -> None:
        """Ask for the plans now, where something has changed since the last time."""
        plans = tuple(self._wanted())
        if plans == self._asked:
            return
        self._asked, self._left = plans, list(plans)
        self._changes, self._refusals = [], []
        self._question.withdraw()
        self.hide()
        self._go_on()

    def _go_on(self) -> None:
        """Ask for the next one; with the last answer all is shown at once."""
        if self._left:
            self._question.ask(self._left[0].query, self._on_planned, self._on_refused)
        else:
            self._show()

    def _on_planned(self, planned: object) -> None:
        self._note(self._changes, self.worth_knowing(planned))

    def _on_refused(self, failure: Failure) -> None:
        # Anything else is said when it is begun; here only what another choice would change counts.
        if isinstance(failure, OperationalError) and failure.code in self.said:
            self._note(self._refusals, (error_message(failure),))
        else:
            self._note(self._refusals, ())

    def _note(self, found: list[str], texts: tuple[str, ...]) -> None:
        plan = self._left.pop(0)
        found.extend(f"{plan.name}: {text}" if plan.name else text for text in texts)
        self._go_on()

    def _show(self) -> None:
        parts: list[str] = []
        for heading, texts in (
            (self.heading_of_refusals(), self._refusals),
            (self.heading_of_changes(), self._changes),
        ):
            parts += [heading, *(f"• {text}" for text in texts)] if texts else []
        self.setText(lines(parts))
        self.setVisible(bool(parts))


def _deviations(planned: PlannedVm | None) -> tuple[str, ...]:
    """Return what would not be as it was."""
    return () if planned is None else tuple(map(said_text, planned.warnings))
