"""Proofs of restore (恢复验证): asking for one, and what became of it."""

from dataclasses import dataclass
from datetime import datetime

from app.contract.base import Command, Query
from app.domain.ids import PlatformId, PointId, StandbyId, TaskId, VmId
from app.domain.proofs import RestoreProof
from app.domain.tasks import KnownPoint


class StartProof(Command[TaskId], frozen=True, kw_only=True):
    """Queue the proof of one restore point: its VM is started from it without a network, and taken away again.

    What is left out is as the settings of the point's rule say, else as ``ProofPolicy`` does.
    """

    standby: StandbyId
    target_path: str = ""
    point: PointId
    platform: PlatformId | None = None
    """Where the VM is started; None: as the rule says, else where the point came from."""
    host: str | None = None
    """Id or name; empty: the platform's choice; None: as the rule says where it is its platform, else the same."""
    limit_min: int | None = None
    """Minutes within which the guest system has to come up."""
    cpus: int | None = None
    memory_mib: int | None = None
    address: str = ""
    """Of this machine, to which the host connects; empty: the one that routes to it."""
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRow:
    """A restore point that was tried, and how that ended."""

    standby: StandbyId
    standby_name: str = ""
    target_path: str = ""
    point: PointId
    point_at: datetime
    vm: VmId
    vm_name: str
    rule_name: str
    proof: RestoreProof

    @classmethod
    def of(cls, known: KnownPoint, standby_name: str = "") -> "ProofRow | None":
        """Return the row of a restore point; None when it was not tried."""
        if known.proof is None:
            return None
        return cls(
            standby=known.standby,
            standby_name=standby_name,
            target_path=known.target_path,
            point=known.point.id,
            point_at=known.point.created_at,
            vm=known.point.facts.vm,
            vm_name=known.point.facts.name,
            rule_name=known.point.rule_name,
            proof=known.proof,
        )


class ListProofs(Query[tuple[ProofRow, ...]], frozen=True, kw_only=True):
    """Return the restore points that were tried and are still there, the newest proof first."""

    rule_name: str | None = None
    vm: VmId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofPicture:
    """What the console of a VM showed when its proof ended."""

    png: bytes
    """A PNG file."""
    at: datetime


class ReadProofPicture(Query[ProofPicture | None], frozen=True, kw_only=True):
    """Return the picture of a restore point's newest proof; None where there is none."""

    standby: StandbyId
    target_path: str = ""
    point: PointId
