"""When what is shown is asked for again: upon changes; quantities a few times a second while something runs.

A view opens a :class:`Watch` with its :class:`Interest`. What is not seen is not asked for: it is asked for once,
when it is seen again.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from app.contract.tasks import SampleProgress, TasksProgress
from app.domain.changes import Changed, Subject
from app.domain.engine_events import EngineFound, EngineLost
from app.views.widgets.pause import Pause
from app.views.widgets.question import Question
from app.workers.answers import Failure
from app.workers.door import DoorClient

SAFETY_MS: Final = 30_000
"""So often everything that is seen is asked for although no change was announced, and words that depend on the
present, such as "3 minutes ago", are drawn again. Both at once: drawing is most of what a window costs that nobody
touches."""

CALM_MS: Final = 200
"""The least time between two questions of a view, of which the first follows a change at once."""
WORKING_CALM_MS: Final = 1000
"""The same where an answer takes the engine work."""

Keys = frozenset[str] | None
"""Whose answers may be different; None: all of them."""


@dataclass(frozen=True)
class Affected:
    """What a change may have made different of what is shown."""

    keys: Keys


EVERYTHING: Final = Affected(None)


class Pace(Enum):
    """How often a view wants the quantities of running tasks; the value is milliseconds."""

    NEVER = 0
    SECOND = 1000
    BARS = 250


@dataclass(frozen=True, kw_only=True)
class Interest:
    """What a view shows, and when it is to be asked for again."""

    rows: frozenset[Subject] = frozenset()
    """The subjects whose keys are those of the rows."""
    whole: frozenset[Subject] = frozenset()
    """Subjects of which any change may change everything that is shown."""
    only: Mapping[Subject, str] = field(default_factory=dict)
    """Subjects of which the change of one key may change everything that is shown."""
    pace: Pace = Pace.NEVER
    calm_ms: int = CALM_MS
    """The least time between two announcements of changes."""
    asks_in_outage: bool = False
    """Whether it asks when the engine is lost or back; pages are refreshed by their window when it is back."""

    def affected_by(self, change: Changed) -> Affected | None:
        """Return what a change may have made different; None when nothing of what is shown."""
        if change.subject in self.rows:
            return Affected(frozenset(change.keys)) if change.keys else EVERYTHING
        if change.subject in self.whole:
            return EVERYTHING
        key = self.only.get(change.subject)
        return EVERYTHING if key is not None and (not change.keys or key in change.keys) else None


class Watch(QObject):
    """Announces to one owner when to ask again, while it is open and the owner is seen. Thread: GUI.

    An owner that is a widget calls :meth:`see` when it is shown.

    Signals:
        changed: answers may be different: about a frozenset of keys, or with None about everything.
        sampled: how far everything is that runs, a :class:`TasksProgress`.
    """

    changed = Signal(object)
    sampled = Signal(object)

    def __init__(self, fresh: "Freshness", owner: QObject, interest: Interest) -> None:
        """Prepare; nothing is announced before :meth:`begin`."""
        super().__init__(owner)
        self.interest = interest
        self._fresh = fresh
        self._owner = owner
        self._is_open = self._is_stale = False
        self._gathered: list[Keys] = []
        self._sampled_s = 0.0
        self._calm = Pause(interest.calm_ms, self)
        self._calm.timeout.connect(self._on_calm)
        fresh.add(self)

    @property
    def is_open(self) -> bool:
        """Whether its owner wants to hear of changes."""
        return self._is_open

    @property
    def is_seen(self) -> bool:
        """Whether its owner wants to hear of changes, and can be seen."""
        return self._is_open and (not isinstance(self._owner, QWidget) or self._owner.isVisible())

    def begin(self) -> None:
        """Announce from now on; the owner asks for itself at first."""
        self._is_open, self._is_stale = True, False
        self._gathered = []
        self._fresh.look()

    def end(self) -> None:
        """Announce no more."""
        self._is_open = False
        self._gathered = []

    def see(self) -> None:
        """Announce what was missed; called by the owner whenever it is shown."""
        if not self._is_open:
            return
        self._fresh.look()
        if self._is_stale:
            self._is_stale = False
            self.changed.emit(None)

    def note(self, keys: Keys) -> None:
        """Take note of a change; what is not seen now is announced when it is seen."""
        if not self._is_open:
            return
        if not self.is_seen:
            self._is_stale = True
            return
        self._gathered.append(keys)
        if not self._calm.isActive():
            self._on_calm()

    def take(self, running: TasksProgress) -> None:
        """Take a sample, and pass it on at the owner's pace."""
        now_s = time.monotonic()
        pace_s = self.interest.pace.value / 1000
        if self.is_seen and pace_s and now_s - self._sampled_s > pace_s * 0.9:
            self._sampled_s = now_s
            self.sampled.emit(running)

    def _on_calm(self) -> None:
        if not self._gathered:
            return
        gathered, self._gathered = self._gathered, []
        self._calm.restart()
        self.changed.emit(_merged(gathered))


class Freshness(QObject):
    """Passes the engine's announcements on to who shows what they are about, and samples what runs. Thread: GUI.

    Signals:
        ticked: some time has passed; words that depend on the present are drawn again.
    """

    ticked = Signal()

    def __init__(self, door: DoorClient, parent: QObject | None = None, *, safety_ms: int = SAFETY_MS) -> None:
        """Listen at the door; ``safety_ms`` is how often everything that is seen is asked for anyway."""
        super().__init__(parent)
        self._watches: list[Watch] = []
        self._question = Question(door, self)
        self._sampling = QTimer(self)
        self._sampling.timeout.connect(self._sample)
        self._safety = QTimer(self)
        self._safety.timeout.connect(self._on_safety)
        self._safety.start(safety_ms)
        door.events.connect(self._on_events)

    def add(self, watch: Watch) -> None:
        """Let a watch take part as long as it lives."""
        self._watches = [*self._alive(), watch]

    def look(self) -> None:
        """Sample what runs now, where a view wants it, and go on while something does."""
        if self._pace() is not Pace.NEVER:
            self._sample()

    # --- changes ----------------------------------------------------------------------------------------------

    def _on_events(self, events: tuple[object, ...]) -> None:
        for event in events:
            if isinstance(event, Changed):
                self._on_change(event)
            elif isinstance(event, EngineFound | EngineLost):
                self.look()
                for watch in self._alive():
                    if watch.interest.asks_in_outage:
                        watch.note(None)

    def _on_change(self, change: Changed) -> None:
        for watch in self._alive():
            affected = watch.interest.affected_by(change)
            if affected is not None:
                watch.note(affected.keys)
        if change.subject is Subject.TASKS and not self._sampling.isActive():
            self.look()

    def _on_safety(self) -> None:
        self.ticked.emit()
        for watch in self._alive():
            watch.note(None)

    def _alive(self) -> list[Watch]:
        return [watch for watch in self._watches if isValid(watch)]

    # --- quantities -------------------------------------------------------------------------------------------

    def _pace(self) -> Pace:
        wanted = {watch.interest.pace for watch in self._alive() if watch.is_seen}
        return next((pace for pace in (Pace.BARS, Pace.SECOND) if pace in wanted), Pace.NEVER)

    def _sample(self) -> None:
        if self._question.is_open:
            return
        if self._pace() is Pace.NEVER:
            self._sampling.stop()
            return
        self._question.ask(SampleProgress(), self._on_sampled, self._on_not_sampled)

    def _on_sampled(self, running: TasksProgress) -> None:
        pace = self._pace()
        if pace is Pace.NEVER or not (running.tasks or running.read_bytes_per_s):
            self._sampling.stop()
        else:
            still = pace if running.tasks else Pace.SECOND
            if not self._sampling.isActive() or self._sampling.interval() != still.value:
                self._sampling.start(still.value)
        for watch in self._alive():
            watch.take(running)

    def _on_not_sampled(self, _failure: Failure) -> None:
        self._sampling.stop()  # the next change, or the engine's return, begins again


def _merged(gathered: Iterable[Keys]) -> Keys:
    merged: frozenset[str] = frozenset()
    for keys in gathered:
        if keys is None:
            return None
        merged |= keys
    return merged
