"""Tasks as they are remembered: one run for one VM, with its stages, figures and log."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from app.domain.errors import KeptError
from app.domain.ids import PlatformId, PointId, RuleId, StandbyId, TaskId, VmId
from app.domain.messages import LogLevel, Params
from app.domain.proofs import RestoreProof
from app.domain.restore_point import RestorePoint
from app.domain.states import TaskKind, TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTime:
    """The moment a task entered a state."""

    state: TaskState
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferTotals:
    """What a task had moved when it was last written down. Bytes and seconds count from its start."""

    total_bytes: int = 0
    done_bytes: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    source_busy_s: float = 0.0
    processing_busy_s: float = 0.0
    target_busy_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """One run for one VM, from the moment it was asked for."""

    id: TaskId
    kind: TaskKind
    state: TaskState
    vm: VmId
    vm_name: str
    platform: PlatformId | None
    """None for work that needs no platform, such as verifying a restore point."""
    standby: StandbyId
    target_path: str = ""
    """Directory of the repository on the standby, relative to its root."""
    rule: RuleId | None = None
    """The rule that it runs for; None for a backup by hand, and for restores outside a rule."""
    rule_name: str
    priority: int = 0
    """Higher runs first among the pending ones."""
    host: str = ""
    """ESXi host whose transfer buffers the task uses; empty when it is not known."""
    point: PointId | None = None
    """The restore point it made, restores or verifies."""
    request: str
    """The command that asked for it, serialized by the engine; it can be run again from this."""
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    stages: tuple[StageTime, ...] = ()
    """Every state it entered, oldest first."""
    totals: TransferTotals = TransferTotals()
    error: KeptError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of a task's log: code and parameters are kept, the sentence is made for the reader."""

    id: int
    """Grows with every line of the catalog; used to read on from a known line."""
    task: TaskId
    at: datetime
    level: LogLevel
    code: str
    params: Params = ()


class VerificationState(Enum):
    """What is known about a restore point's data."""

    UNKNOWN = "unknown"
    WHOLE = "whole"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPoint:
    """A restore point as the catalog remembers it; the repository is authoritative."""

    standby: StandbyId
    target_path: str = ""
    """Directory of its repository on the standby, relative to the root."""
    point: RestorePoint
    verification: VerificationState = VerificationState.UNKNOWN
    verified_at: datetime | None = None
    is_encrypted: bool = False
    """Whether its repository is."""
    platform: PlatformId | None = None
    """The registered platform that it came from; None when there is none, or when that cannot be told."""
    proof: RestoreProof | None = None
    """Whether it was tried that it can be used, and how that ended."""


def in_sequence(newest_first: Iterable[KnownPoint]) -> tuple[KnownPoint, ...]:
    """Put the points of each chain into their sequence, at the places that the chain has among the others.

    Between chains nothing but time gives an order; within a chain it does not count, for a clock may be wrong.
    """
    listed = list(newest_first)
    chains: dict[tuple[str, str, str], list[KnownPoint]] = {}
    for known in listed:
        chains.setdefault(_chain_of(known), []).append(known)
    ordered = {
        chain: iter(sorted(of_chain, key=lambda known: known.point.order, reverse=True))
        for chain, of_chain in chains.items()
    }
    return tuple(next(ordered[_chain_of(known)]) for known in listed)


def _chain_of(known: KnownPoint) -> tuple[str, str, str]:
    return known.standby, known.target_path, known.point.chain


@dataclass(frozen=True, slots=True, kw_only=True)
class PointTally:
    """How many restore points a VM has in one rule and repository."""

    standby: StandbyId
    target_path: str
    rule_name: str
    origin: str
    """The id of the registered platform that they came from, or what is known of one that is not registered."""
    platform_address: str
    """Where the platform was when the newest was made."""
    vm: VmId
    count: int
    stored_bytes: int
    """What they added to the repository, one after the other."""
    newest: datetime
    capacity_bytes: int
    """Capacity of the VM's disks in the largest of them."""
    vm_name: str = ""
    """The VM's name in them; of several, one."""


class RestorePhase(Enum):
    """How far a restore had changed the platform."""

    CREATING = "creating"  # the new VM may exist; nothing else was touched
    SWAPPING = "swapping"  # the new VM is verified and is taking the old one's place
    SWAPPING_TEMPLATE = "swap_template"  # likewise, and becomes a template in the end


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreTrace:
    """What a running restore may have left on a platform, written down before it is done."""

    task: TaskId
    platform: PlatformId
    phase: RestorePhase
    name: str
    """Name the restored VM should have in the end."""
    created_as: str
    """Name under which it was created."""
    created: VmId | None = None
    """The VM that was created; None when it is not known whether it was."""
    replaced: VmId | None = None
    """The VM whose place it takes."""
