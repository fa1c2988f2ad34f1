"""Asks for the instant recoveries upon changes, and once a second while a VM runs from one and it is seen."""

from typing import Final

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.contract.instant import InstantRow, ListInstantRecoveries
from app.domain.changes import Subject
from app.domain.instant import InstantState
from app.views.console import Console
from app.views.frame.freshness import Interest, Watch
from app.views.widgets.pause import Pause
from app.views.widgets.question import Question
from app.workers.answers import Failure

SAMPLE_MS: Final = 1000
"""So long after an answer the figures are asked for again while something is served."""


class InstantFeed(QObject):
    """Keeps a list of instant recoveries fresh. Thread: GUI.

    Attributes:
        rows: As they were answered last.

    Signals:
        listed: they were answered; carries the rows.
        failed: they could not be had; carries the :class:`Failure`.
    """

    listed = Signal(object)
    failed = Signal(object)

    def __init__(self, console: Console, owner: QWidget, *, sample_ms: int = SAMPLE_MS) -> None:
        super().__init__(owner)
        self.rows: tuple[InstantRow, ...] = ()
        self._question = Question(console.door, owner)
        self._watch = Watch(console.fresh, owner, Interest(whole=frozenset({Subject.INSTANT, Subject.NAMES})))
        self._watch.changed.connect(self._on_changed)
        self._sample = Pause(sample_ms, self)
        self._sample.timeout.connect(self._on_sample)

    def begin(self) -> None:
        """Ask, and go on as long as it is seen."""
        self._watch.begin()
        self.ask()

    def see(self) -> None:
        """Catch up; called by the owner whenever it is shown."""
        self._watch.see()
        self._on_sample()

    def leave(self) -> None:
        """Ask no more."""
        self._watch.end()
        self._sample.stop()
        self._question.withdraw()

    def ask(self) -> None:
        """Ask now; while an answer is on its way, once more afterwards."""
        self._question.ask(ListInstantRecoveries(), self._on_rows, self._on_failed)

    def _on_changed(self, _keys: object) -> None:
        self.ask()

    def _on_rows(self, rows: tuple[InstantRow, ...]) -> None:
        self.rows = rows
        self.listed.emit(rows)
        if any(map(_is_moving, rows)):
            self._sample.restart()

    def _on_failed(self, failure: Failure) -> None:
        self.failed.emit(failure)
        if any(map(_is_moving, self.rows)):
            self._sample.restart()

    def _on_sample(self) -> None:
        """Ask for figures that move; what is not seen is not asked for until :meth:`see`."""
        if self._watch.is_seen and any(map(_is_moving, self.rows)) and not self._question.is_open:
            self.ask()


def _is_moving(row: InstantRow) -> bool:
    """Return whether figures of a recovery change without an announcement."""
    return row.traffic is not None or row.state is InstantState.MIGRATING
