"""Which VMs would be replaced by restores over their originals."""

from dataclasses import dataclass

from app.domain.identity import Verdict
from app.domain.ids import PlatformId, PointId, StandbyId, VmId
from app.domain.vms import VmSummary
from app.engine.queries.base import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginalRow:
    """What a restore of one point over its original would find on the platform now."""

    point: PointId
    platform: PlatformId | None
    """Where the original is looked for; None: its platform is not registered."""
    address: str
    """Of the platform; where it is not registered, the one in the point."""
    verdict: Verdict
    is_proven: bool = False
    """True: it goes on by itself. False: the operator has to choose among ``choices``."""
    choices: tuple[VmSummary, ...] = ()
    """The VMs that may be replaced, as they are now."""
    other: VmSummary | None = None
    """Another VM that has the original's UUID; it is never replaced."""
    uncovered: tuple[tuple[VmId, tuple[str, ...]], ...] = ()
    """For each choice that has some: its disks that the point does not hold. Such a VM is not replaced."""

    def uncovered_of(self, vm: VmId) -> tuple[str, ...]:
        """Return the disks of a choice that the point does not hold."""
        return dict(self.uncovered).get(vm, ())


class FindOriginals(Query[tuple[OriginalRow, ...]], frozen=True, kw_only=True):
    """Ask a platform which VMs restores over their originals would replace; one row for each point."""

    standby: StandbyId
    target_path: str = ""
    points: tuple[PointId, ...]
    platform: PlatformId | None = None
    """None: the registered platform that the first point came from."""
