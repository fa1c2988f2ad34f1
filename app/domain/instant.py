"""Instant recoveries: VMs that run from a restore point. The Chinese words in the comments are the screen's."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from app.domain.errors import KeptError
from app.domain.ids import PlatformId, PointId, RecoveryId, RuleId, StandbyId, TaskId, VmId
from app.domain.vms import VmPlacement


class InstantState(Enum):
    """Where an instant recovery stands, as the screen tells it."""

    PREPARING = "preparing"  # 准备中
    CREATING_VM = "creating_vm"  # 创建虚机中
    RUNNING = "running"  # 运行: its VM is there and finds its disks, whether or not it is powered on
    MIGRATING = "migrating"  # 迁移中: its VM moves to a datastore of the platform
    STOPPED = "stopped"  # 停止: the VM is gone, what it wrote is kept
    UNKNOWN = "unknown"  # 未知


class RecoveryPurpose(Enum):
    """Why a VM runs from a restore point."""

    RECOVERY = "recovery"  # the operator needs it
    PROOF = "proof"  # it is tried whether it starts; no list shows it, and all of it is taken away


class InstantPhase(Enum):
    """How far an instant recovery has come, as it is noted before anything of it is done."""

    STARTING = "starting"  # something of it may be at the standby and on the platform
    RESUMING = "resuming"  # likewise, but what its VM wrote before is kept whatever happens
    SERVED = "served"  # its VM is there and runs from here
    FINISHING = "finishing"  # its VM moves away; it may be there already
    MOVED = "moved"  # its VM is elsewhere, whole; what is left of it here is taken away
    STOPPING = "stopping"  # its VM is taken away; what it wrote is kept
    DISCARDING = "discarding"  # all of it is taken away
    STOPPED = "stopped"  # nothing is on the platform; what the VM wrote is at the standby


class InstantAction(Enum):
    """What can be done with an instant recovery."""

    FINISH = "finish"  # 迁移
    STOP = "stop"  # 停止
    RESUME = "resume"  # 启动
    KEEP = "keep"  # 保存为备份点
    DISCARD = "discard"  # 删除


class FinishWay(Enum):
    """How the VM of an instant recovery moves to a datastore of the platform."""

    LIVE = "live"  # storage vMotion, while it runs
    COLD = "cold"  # powered off, copied and compared, and powered on again


@dataclass(frozen=True, slots=True, kw_only=True)
class Successor:
    """The VM that is to take the place of the one that ran from a restore point: a copy of it, compared."""

    vm: VmId
    created_as: str
    """Its name until it takes the place."""
    mark: str
    """What was written into it when it was created."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstantRecovery:
    """One instant recovery as it is remembered; the secret name of its share is not among this."""

    id: RecoveryId
    number: int = 0
    """Grows with every recovery, and is never given twice; 0 before it is remembered."""
    created_at: datetime
    phase: InstantPhase
    purpose: RecoveryPurpose = RecoveryPurpose.RECOVERY
    platform: PlatformId
    standby: StandbyId
    target_path: str
    point: PointId
    rule: RuleId | None = None
    """The rule from whose list it was started."""
    rule_name: str
    vm_name: str
    """Of the VM in the restore point."""
    placement: VmPlacement
    """Where the operator wants the VM, and its name."""
    power_on: bool = True
    address: str = ""
    """Of this machine, as the operator chose it; empty: the one that routes to the host."""
    host: str = ""
    """The platform's id of the host."""
    host_name: str = ""
    datastore: str = ""
    """Name of ours on the host, once it is mounted."""
    configuration: str = ""
    """Path of the VM's ``.vmx`` on the datastore."""
    pin: str = ""
    """Id of the pin that keeps the point."""
    vm: VmId | None = None
    """The VM that was created; None when it is not known whether it was."""
    task: TaskId | None = None
    """The task that worked at it last."""
    successor: Successor | None = None
    """What takes its VM's place; only in the phase ``MOVED``."""
    error: KeptError | None = None
    """Why the last that was done with it failed."""

    @property
    def name(self) -> str:
        """The name of the VM that runs from the point."""
        return self.placement.name
