"""Which chain the restore points of a VM belong to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.domain.identity import belongs
from app.domain.ids import PlatformId, StandbyId, VmId
from app.domain.platforms import PlatformIdentity, origin_among
from app.domain.restore_point import RestorePoint, VmFacts
from app.domain.rules import ProtectedVm
from app.engine.ports import PointStore
from app.repository import Repository

_SHOWN_UUID = 8
"""So much of a UUID tells two chains apart whose names would be the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chains:
    """Finds the chains of one rule's VMs in its repository. Thread: the task's."""

    repository: Repository
    points: PointStore
    standby: StandbyId
    target_path: str
    platform: PlatformId
    here: PlatformIdentity
    """The platform, as its session knows it."""

    def newest_first(self, rule_name: str, vm: VmId) -> Sequence[RestorePoint]:
        """Return the points that were made under an id of the platform; they may be another VM's."""
        chain = next(iter(self._known(rule_name, vm)), None)
        name = self.repository.chain_name(rule_name, vm, self.here.address) if chain is None else chain
        points = self.repository.chain_points(name)
        return points if points and self._is_from_here(points[0].facts) else ()

    def choose(self, rule_name: str, vm: ProtectedVm) -> tuple[str, Sequence[RestorePoint]]:
        """Return the chain that a VM's next point belongs to, and the points in it, newest first.

        The chain of its newest point goes on, wherever the platform was when it began. A VM without one gets a
        chain that no other VM and no other platform has.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        for chain in self._known(rule_name, vm.vm):
            points = self.repository.chain_points(chain)
            if points and belongs(points[0].facts, vm):
                return chain, points
        for name in self._names(rule_name, vm):
            points = self.repository.chain_points(name)
            if not points or (self._is_from_here(points[0].facts) and belongs(points[0].facts, vm)):
                return name, points
        return name, points

    def _known(self, rule_name: str, vm: VmId) -> Iterator[str]:
        """Yield the chains that hold points of an id of this platform, that of the newest point first."""
        found = self.points.find(
            standby=self.standby, target_path=self.target_path, vm=vm, origin=self.platform, rule_name=rule_name
        )
        yield from dict.fromkeys(known.point.chain for known in found)

    def _names(self, rule_name: str, vm: ProtectedVm) -> Iterator[str]:
        address = self.here.address
        yield self.repository.chain_name(rule_name, vm.vm, address)
        own = VmId(f"{vm.vm}-{vm.instance_uuid[:_SHOWN_UUID]}") if vm.instance_uuid else vm.vm
        yield self.repository.chain_name(rule_name, own, address)
        platform = (self.here.instance_uuid or str(self.platform))[:_SHOWN_UUID]
        yield self.repository.chain_name(rule_name, own, f"{address}-{platform}")

    def _is_from_here(self, facts: VmFacts) -> bool:
        return origin_among(facts.platform, {self.platform: self.here}) is not None
