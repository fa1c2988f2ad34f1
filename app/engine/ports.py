"""What the engine needs from outside, declared where it is used."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from app.core.hypervisor import SnapshotJournal
from app.domain.engines import EngineBeat
from app.domain.ids import PlatformId, PointId, RuleId, StandbyId, TaskId, VmId
from app.domain.messages import LogLevel, Message
from app.domain.platforms import Platform, PlatformSighting
from app.domain.policies import BackupPolicy, RetryPlan
from app.domain.restore_point import RestorePoint
from app.domain.retry import PendingRetry
from app.domain.rules import BackupRule, ProtectedVm
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
from app.repository import Protection, Repository, RepositoryKey

RepositoryOpener = Callable[[RepositoryPlace, RepositoryKey | None, Protection | None], Repository]
"""Opens the repository at a place with a key, or creates one, with a protection an encrypted one.

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

    def encrypted_repositories(self, standby: StandbyId) -> frozenset[str]:
        """Return the target paths on a standby at which an encrypted repository was found."""
        ...

    def note_repository(
        self, standby: StandbyId, target_path: str, repository_id: str, *, is_encrypted: bool = False
    ) -> None:
        """Remember which repository lies at a target path."""
        ...


class PointStore(Protocol):
    """Remembers restore points, as a cache of the repositories. Thread: any."""

    def put(self, standby: StandbyId, target_path: str, point: RestorePoint) -> None:
        """Add or change one."""
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

    def tallies(self, standby: StandbyId | None = None, *, rule_name: str | None = None) -> tuple[PointTally, ...]:
        """Return how many points each VM has in each rule and repository, without reading them.

        Args:
            standby: only those of this standby.
            rule_name: only those of rules of this name.
        """
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

    def set_vm(self, task: TaskId, vm: VmId) -> None:
        """Note that the VM of a task has another id."""
        ...

    def set_priority(self, task: TaskId, priority: int) -> None:
        """Note that a waiting task goes before others."""
        ...

    def newest_of_rules(
        self, only: Collection[RuleId] | None = None, *, ended: bool = False, until: datetime | None = None
    ) -> tuple[TaskRecord, ...]:
        """Return the newest backup of each VM in each rule, or in some, without stages; ``ended``: that ended.

        What was asked for after ``until`` counts only for VMs that have nothing else.
        """
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

    def many(self, ids: Collection[TaskId]) -> tuple[TaskRecord, ...]:
        """Return those of up to some hundred tasks that are known, newest first."""
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
        """Return ended tasks without their stages, failed ones first, then newest first."""
        ...

    def named(self, words: Collection[str], limit: int) -> tuple[TaskRecord, ...]:
        """Return the newest tasks of VMs in whose name, or whose rule's name, every word occurs."""
        ...

    def log(self, task: TaskId, at: datetime, level: LogLevel, message: Message) -> None:
        """Append a line to a task's log."""
        ...

    def read_log(
        self, task: TaskId, *, at_least: LogLevel = LogLevel.NORMAL, after: int = 0, limit: int = 1000
    ) -> tuple[LogLine, ...]:
        """Return up to ``limit`` lines behind the line ``after``, oldest first."""
        ...


class RuleStore(Protocol):
    """Remembers backup rules. Thread: any."""

    def add(self, rule: BackupRule, created_at: datetime, considered_until: datetime) -> None:
        """Remember a new one, of which runs up to a moment count as dealt with."""
        ...

    def set_policy(self, rule: RuleId, policy: BackupPolicy, considered_until: datetime) -> None:
        """Give one another policy, of which runs up to a moment count as dealt with."""
        ...

    def set_retry(self, rule: RuleId, retry: RetryPlan) -> None:
        """Give one another plan for failed backups; its policy stays."""
        ...

    def add_vms(self, rule: RuleId, vms: Iterable[ProtectedVm]) -> None:
        """Put VMs behind those of a rule."""
        ...

    def remove_vms(self, rule: RuleId, vms: Collection[VmId]) -> None:
        """Take VMs out of a rule."""
        ...

    def set_started(self, rule: RuleId, vms: Collection[VmId], *, started: bool) -> None:
        """Note that VMs of a rule were started or stopped by the operator."""
        ...

    def remove(self, rule: RuleId) -> None:
        """Forget one."""
        ...

    def get(self, rule: RuleId) -> BackupRule | None:
        """Return one, or None."""
        ...

    def all(self) -> tuple[BackupRule, ...]:
        """Return every one, by name."""
        ...

    def considered(self) -> Mapping[RuleId, datetime]:
        """Return, for each rule, the moment up to which its runs are dealt with."""
        ...

    def consider(self, rule: RuleId, until: datetime) -> None:
        """Note that all runs of a rule up to a moment are dealt with."""
        ...

    def succeed_all(
        self,
        platform: PlatformId,
        moves: Mapping[VmId, VmId],
        at: datetime,
        expected: Mapping[VmId, ProtectedVm] | None = None,
    ) -> Mapping[VmId, RuleId]:
        """Note that VMs took the places of others, and put them into the others' rules; return these rules.

        Nothing is done where the rules do not know the VMs as ``expected`` says any more.
        """
        ...

    def identify(self, platform: PlatformId, vm: ProtectedVm) -> None:
        """Note by what a VM is known that is in a rule; nothing happens when it is in none."""
        ...

    def successions(self, platform: PlatformId) -> Mapping[VmId, VmId]:
        """Return, for each VM of a platform whose place was taken, the one that took it."""
        ...


class SightingStore(Protocol):
    """Remembers what was last seen of each platform. Thread: any."""

    def put(self, sighting: PlatformSighting) -> None:
        """Remember a sighting in place of the last one."""
        ...

    def get(self, platform: PlatformId) -> PlatformSighting | None:
        """Return the last one of a platform, or None."""
        ...

    def all(self) -> Mapping[PlatformId, PlatformSighting]:
        """Return the last one of every platform."""
        ...


class EngineStore(Protocol):
    """Remembers heartbeats. Thread: any."""

    def begin(self, beat: EngineBeat) -> None:
        """Remember an engine that starts."""
        ...

    def beat(self, engine: str, at: datetime) -> None:
        """Note that one is alive."""
        ...

    def end(self, engine: str, at: datetime) -> None:
        """Note that one was closed in order."""
        ...

    def all(self) -> Sequence[EngineBeat]:
        """Return every one, the one heard of last first."""
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


class SettingsStore(Protocol):
    """Remembers what the operator sets while the program runs, as documents without secrets. Thread: any."""

    def get(self, name: str) -> str | None:
        """Return a document, or None when it was never kept."""
        ...

    def put(self, name: str, body: str) -> None:
        """Keep a document in the place of the one of its name."""
        ...


class RetryStore(Protocol):
    """Remembers which failed backups are tried again. Thread: any."""

    def put(self, retry: PendingRetry) -> None:
        """Remember one, in place of an earlier one of the VM in the rule."""
        ...

    def remove(self, rule: RuleId, vms: Collection[VmId]) -> int:
        """Forget those of VMs in a rule; return how many there were."""
        ...

    def all(self) -> tuple[PendingRetry, ...]:
        """Return every one, the soonest first."""
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
    def rules(self) -> RuleStore:
        """Backup rules."""
        ...

    @property
    def retries(self) -> RetryStore:
        """Backups that failed and are tried again by themselves."""
        ...

    @property
    def sightings(self) -> SightingStore:
        """What was last seen of each platform."""
        ...

    @property
    def engines(self) -> EngineStore:
        """Heartbeats of the engines that work on this catalog."""
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
    def settings(self) -> SettingsStore:
        """Settings made while the program runs."""
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
