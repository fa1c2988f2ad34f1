"""What the engine needs from outside, declared where it is used."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from app.core.hypervisor import SnapshotJournal
from app.domain.ids import PlatformId, PointId, RuleId, StandbyId, TaskId, VmId
from app.domain.messages import LogLevel, Message
from app.domain.platforms import Platform
from app.domain.restore_point import RestorePoint
from app.domain.standbys import RepositoryPlace, Standby
from app.domain.states import TaskKind, TaskState
from app.domain.tasks import (
    KnownPoint,
    LogLine,
    PointTally,
    RestoreTrace,
    TaskError,
    TaskRecord,
    TransferTotals,
    VerificationState,
)
from app.engine.history.ports import FigureStore, LogStore, TrafficStore
from app.repository import Repository

RepositoryOpener = Callable[[RepositoryPlace], Repository]
"""Opens the repository at a place.

It may create one only where ``repository_id`` is None, which is when nothing was ever kept there: at a path
that is merely not mounted, a new empty repository would hide the loss.
"""


class PlatformStore(Protocol):
    """Remembers platforms. Thread: any."""

    def put(self, platform: Platform) -> None:
        """Add or change one."""
        ...

    def get(self, platform: PlatformId) -> Platform | None:
        """Return one, or None."""
        ...

    def all(self) -> tuple[Platform, ...]:
        """Return every one, by name."""
        ...

    def remove(self, platform: PlatformId) -> None:
        """Forget one."""
        ...


class StandbyStore(Protocol):
    """Remembers standby machines. Thread: any."""

    def put(self, standby: Standby) -> None:
        """Add or change one."""
        ...

    def get(self, standby: StandbyId) -> Standby | None:
        """Return one, or None."""
        ...

    def all(self) -> tuple[Standby, ...]:
        """Return every one, by name."""
        ...

    def remove(self, standby: StandbyId) -> None:
        """Forget one, with what is known of its points."""
        ...

    def repositories(self, standby: StandbyId) -> Mapping[str, str]:
        """Return the target paths on a standby at which a repository was opened, each with its id."""
        ...

    def note_repository(self, standby: StandbyId, target_path: str, repository_id: str) -> None:
        """Remember which repository lies at a target path."""
        ...


class PointStore(Protocol):
    """Remembers restore points, as a cache of the repositories. Thread: any."""

    def put(self, standby: StandbyId, target_path: str, point: RestorePoint) -> None:
        """Add or change one."""
        ...

    def replace_all(self, standby: StandbyId, target_path: str, found: Iterable[RestorePoint]) -> None:
        """Make the list of a repository's points equal to what it says itself."""
        ...

    def remove(self, standby: StandbyId, target_path: str, point: PointId) -> None:
        """Forget one."""
        ...

    def set_verification(
        self, standby: StandbyId, target_path: str, point: PointId, verification: VerificationState, at: datetime
    ) -> None:
        """Note what a verification found."""
        ...

    def get(self, standby: StandbyId, target_path: str, point: PointId) -> KnownPoint | None:
        """Return one, or None."""
        ...

    def newest(self) -> Mapping[tuple[str, VmId], datetime]:
        """Return the moment of the newest point of each VM in each rule, by the rule's name."""
        ...

    def count(self) -> int:
        """Return how many points are known."""
        ...

    def named(self, words: Collection[str], limit: int) -> tuple[KnownPoint, ...]:
        """Return the newest points in whose key, VM or rule every word occurs."""
        ...

    def tallies(self, standby: StandbyId | None = None) -> tuple[PointTally, ...]:
        """Return how many points each VM has in each rule and repository, without reading them."""
        ...

    def find(
        self,
        *,
        standby: StandbyId | None = None,
        target_path: str | None = None,
        vm: VmId | None = None,
        platform_address: str | None = None,
        chain: str | None = None,
        rule_name: str | None = None,
    ) -> tuple[KnownPoint, ...]:
        """Return the points that fit every condition given, newest first."""
        ...


class TaskStore(Protocol):
    """Remembers tasks with their logs. Thread: any."""

    def add(self, record: TaskRecord) -> None:
        """Remember a task that was just asked for."""
        ...

    def enter(self, task: TaskId, state: TaskState, at: datetime) -> None:
        """Note that a task moved to another state."""
        ...

    def set_error(self, task: TaskId, error: TaskError) -> None:
        """Note why a task fails."""
        ...

    def set_totals(self, task: TaskId, totals: TransferTotals) -> None:
        """Note what a task has moved."""
        ...

    def set_point(self, task: TaskId, point: PointId) -> None:
        """Note which restore point a task made."""
        ...

    def get(self, task: TaskId) -> TaskRecord | None:
        """Return one, or None."""
        ...

    def find(
        self,
        *,
        states: Collection[TaskState] | None = None,
        kinds: Collection[TaskKind] | None = None,
        vm: VmId | None = None,
        platform: PlatformId | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> tuple[TaskRecord, ...]:
        """Return the tasks that fit every condition given, newest first."""
        ...

    def ended(
        self,
        *,
        rule: RuleId | None = None,
        vm: VmId | None = None,
        only_failed: bool = False,
        limit: int,
        offset: int = 0,
    ) -> tuple[TaskRecord, ...]:
        """Return ended tasks, failed ones first, then newest first."""
        ...

    def log(self, task: TaskId, at: datetime, level: LogLevel, message: Message) -> None:
        """Append a line to a task's log."""
        ...

    def read_log(
        self, task: TaskId, *, at_least: LogLevel = LogLevel.NORMAL, after: int = 0, limit: int = 1000
    ) -> tuple[LogLine, ...]:
        """Return up to ``limit`` lines behind the line ``after``, oldest first."""
        ...


class RestoreJournal(Protocol):
    """Remembers on this machine which VMs a restore may have created. Thread: any."""

    def note(self, trace: RestoreTrace) -> None:
        """Write down, durably, how far a restore has come."""
        ...

    def closed(self, task: TaskId) -> None:
        """Note that the restore left nothing to clean up."""
        ...

    def open_traces(self) -> Sequence[RestoreTrace]:
        """Return what restores that did not end may have left."""
        ...


class Catalog(Protocol):
    """All that the engine remembers. Thread: any."""

    @property
    def platforms(self) -> PlatformStore:
        """Registered platforms."""
        ...

    @property
    def standbys(self) -> StandbyStore:
        """Registered standby machines."""
        ...

    @property
    def points(self) -> PointStore:
        """Known restore points."""
        ...

    @property
    def tasks(self) -> TaskStore:
        """Tasks."""
        ...

    @property
    def log(self) -> LogStore:
        """The log of everything."""
        ...

    @property
    def figures(self) -> FigureStore:
        """What was backed up, and how it ended."""
        ...

    @property
    def traffic(self) -> TrafficStore:
        """Bytes moved over time."""
        ...

    @property
    def snapshot_journal(self) -> SnapshotJournal:
        """Snapshots that may be on production VMs."""
        ...

    @property
    def restore_journal(self) -> RestoreJournal:
        """VMs that unfinished restores may have created."""
        ...


class TaskRunner(Protocol):
    """Gives work a thread of its own. Thread: any."""

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Run ``work`` on a new thread and return at once; ``work`` never raises.

        Args:
            name: what the thread is called in logs and debuggers.
            work: what it does.
        """
        ...

    def join(self, timeout_s: float) -> bool:
        """Wait until everything started has ended; return False when the time was up first."""
        ...
