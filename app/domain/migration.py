"""Migrations of VMs to another platform or place. The Chinese words in the comments are the screen's."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from app.domain.errors import KeptError
from app.domain.ids import MigrationId, PlatformId, TaskId, VmId
from app.domain.restore_point import HistoryMark
from app.domain.vms import VmPlacement

MIB: Final = 1 << 20


class MigrationState(Enum):
    """Where a migration stands, as the screen shows it."""

    PREPARING = "preparing"  # 准备中: also while it waits for its turn
    MIGRATING = "migrating"  # 迁移中 N%: data is copied while the source runs
    READY = "ready"  # 迁移就绪: the rest is small; changes are followed until the cut-over
    CUTTING_OVER = "cutting_over"  # 切换中
    STOPPED = "stopped"  # 停止: what was copied is kept
    UNKNOWN = "unknown"  # 未知: a platform has to be asked before anything can be said
    COMPLETED = "completed"  # 已完成
    FAILED = "failed"  # 失败: the source runs on untouched


class MigrationPhase(Enum):
    """How far a migration has come, as it is noted before anything of it is done."""

    NEW = "new"  # nothing of it is anywhere
    CREATING = "creating"  # the target VM may exist
    COPYING = "copying"  # the target VM exists, powered off; its disks are filled
    READY = "ready"  # likewise, and the rest is small
    CUTTING_OVER = "cutting_over"  # the source may have been powered off
    TAKING_PLACE = "taking_place"  # the target equals the source; names and identity change hands
    STARTING = "starting"  # the target may have been started
    DONE = "done"  # the target has taken the source's place
    DISCARDING = "discarding"  # the target is taken away


class MigrationAction(Enum):
    """What can be done with a migration."""

    CUT_OVER = "cut_over"  # 切换
    STOP = "stop"  # 停止
    RESUME = "resume"  # 启动
    DISCARD = "discard"  # 删除: the target VM is deleted; of a completed one only the row


class MigrationWork(Enum):
    """What a task does at a migration."""

    COPY = "copy"  # create the target, copy until the rest is small, and with 自动切换 cut over
    FOLLOW = "follow"  # copy what has changed since it was ready
    CUT_OVER = "cut_over"
    DISCARD = "discard"


class MigrationCheck(Enum):
    """What is compared with the source before the target takes its place."""

    FULL = "full"  # every block that one of the two sides holds
    SAMPLE = "sample"  # what the last pass copied, and a random sample of all the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationOptions:
    """How a VM is migrated."""

    quick: bool = True
    """快速备份: change tracking is used, and switched on where it is off; without it every pass reads all."""
    lan_free: bool = False
    """Lan Free: the platforms' LAN-free modes are tried first."""
    quiesce: bool = False
    """静默快照: the guest is quiesced for snapshots while it runs."""
    automatic: bool = True
    """自动切换: the cut-over follows when the rest is small; else it stops at 迁移就绪."""
    shut_down_source: bool = True
    """关闭源虚机: a source that runs at the cut-over is shut down, and started again when the cut-over fails.

    Without it the operator shuts the source down before. One that still runs then is left alone: the target holds
    what the source had at the last snapshot, is not started and does not take the source's place.
    """
    power_on: bool = True
    """Whether the target is started."""
    prove_start: bool = False
    """Whether the cut-over fails when the tools in the started target do not report that its system runs."""
    check: MigrationCheck = MigrationCheck.FULL
    ready_below_bytes: int = 256 * MIB
    """A rest that is smaller is small."""
    ready_within_s: float = 30.0
    """So is one that is copied faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationDisk:
    """A disk of the source, the disk of the target that it goes to, and how far the two agree."""

    key: int
    """Device key in the source."""
    label: str
    uuid: str | None
    """Of the source's disk."""
    capacity_bytes: int
    target_key: int
    target_path: str
    is_blank: bool = True
    """Whether nothing was ever written to the target's disk."""
    change_id: str | None = None
    """Change id of the source's disk when the target's was whole and the same; None: it is compared as a whole."""
    history: HistoryMark | None = None
    """Where the source platform's history was before that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationProgress:
    """What is known of a migration after its last pass."""

    passes: int = 0
    """How many passes were finished."""
    frozen_at: datetime | None = None
    """When the snapshot of the last finished pass was taken."""
    last_pass_bytes: int = 0
    held_bytes: int = 0
    """How much the source's disks hold."""
    change_bytes_per_s: float | None = None
    """How fast the source changes; None before a second pass, and without change tracking."""
    copy_bytes_per_s: float | None = None
    """How fast passes read."""
    is_tracked: bool = False
    """Whether change tracking named what the next pass reads."""

    def rest_bytes(self, now: datetime) -> int | None:
        """Return how much is to be copied now, as far as can be told."""
        if self.frozen_at is None:
            return None
        if not self.is_tracked:
            return self.held_bytes
        if self.change_bytes_per_s is None:
            return None
        seconds = max(0.0, (now - self.frozen_at) / timedelta(seconds=1))
        return min(self.held_bytes, int(self.change_bytes_per_s * seconds))

    def cut_over_s(self, now: datetime, check: MigrationCheck) -> float | None:
        """Return how long the source would be off in a cut-over now: to copy the rest, and to compare."""
        rest = self.rest_bytes(now)
        if rest is None or not self.copy_bytes_per_s:
            return None
        compared = self.held_bytes if check is MigrationCheck.FULL else rest
        return (rest + compared) / self.copy_bytes_per_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """The migration of one VM as it is remembered."""

    id: MigrationId
    number: int = 0
    """Grows with every migration, and is never given twice; 0 before it is remembered."""
    created_at: datetime
    phase: MigrationPhase = MigrationPhase.NEW
    platform: PlatformId
    """Of the source."""
    vm: VmId
    """The source."""
    vm_name: str
    instance_uuid: str | None = None
    bios_uuid: str | None = None
    platform_uuid: str | None = None
    """Of the source's platform, when the source was looked at first."""
    target: PlatformId
    """The platform that it goes to; it may be the same."""
    placement: VmPlacement
    """Where the operator wants the VM, and its name in the end."""
    options: MigrationOptions = field(default_factory=MigrationOptions)
    created_as: str = ""
    """Name of the target VM until it takes the source's place."""
    target_vm: VmId | None = None
    """The target VM; None when it is not known whether it was created."""
    disks: tuple[MigrationDisk, ...] = ()
    progress: MigrationProgress = field(default_factory=MigrationProgress)
    source_was_on: bool = False
    """Whether the source ran before the cut-over powered it off: it is started again when the cut-over fails."""
    is_shutting_down: bool = False
    """Whether the source's system was asked to shut down, and the source was not seen off since."""
    source_kept_as: str = ""
    """Name of the source once it was set aside; empty before."""
    task: TaskId | None = None
    """The task that works at it; one that does not run any more was interrupted by a crash."""
    ended_at: datetime | None = None
    error: KeptError | None = None
    """Why the last that was done with it failed."""

    @property
    def name(self) -> str:
        """The name of the VM in the end."""
        return self.placement.name

    @property
    def is_within_platform(self) -> bool:
        """Return whether source and target are on one platform."""
        return self.platform == self.target

    @property
    def is_cutting_over(self) -> bool:
        """Return whether something of the source may have been changed."""
        return self.phase in _CUTTING_OVER


_CUTTING_OVER = frozenset({MigrationPhase.CUTTING_OVER, MigrationPhase.TAKING_PLACE, MigrationPhase.STARTING})
