"""Which VMs restores over their originals would replace, for the operator to see before anything starts."""

from collections.abc import Sequence

from app.contract.restore import FindOriginals, OriginalRow
from app.core.hypervisor import Hypervisor
from app.domain.errors import OperationalError
from app.domain.identity import Verdict, uncovered_disks
from app.domain.ids import PointId, VmId
from app.domain.platforms import Platform, origin_among
from app.domain.restore_point import RestorePoint
from app.domain.vms import VmSummary
from app.engine.platforms.identification import find_original
from app.engine.platforms.sessions import Sessions
from app.engine.ports import Catalog
from app.engine.restore.original import choices_in, other_in
from app.engine.standbys.repositories import Repositories


class OriginalLookup:
    """Finds the VMs that restores over their originals would replace. Thread: any."""

    def __init__(self, sessions: Sessions, repositories: Repositories, catalog: Catalog) -> None:
        self._sessions = sessions
        self._repositories = repositories
        self._catalog = catalog

    def find(self, query: FindOriginals) -> tuple[OriginalRow, ...]:
        """Return for each point which VM its restore would replace.

        Raises:
            OperationalError: a point cannot be read, or the platform cannot be asked.
        """
        points = [self._point(query, wanted) for wanted in query.points]
        if not points:
            return ()
        platform = self._platform(query, points[0])
        if platform is None:
            return tuple(
                OriginalRow(
                    point=point.id, platform=None, address=point.facts.platform_address, verdict=Verdict.GONE
                )
                for point in points
            )
        with self._sessions.connect(platform.id) as hypervisor:
            inventory = hypervisor.list_vms()
            return tuple(self._row(hypervisor, platform, point, inventory) for point in points)

    def _platform(self, query: FindOriginals, point: RestorePoint) -> Platform | None:
        if query.platform is None:
            origin = origin_among(point.facts.platform, self._sessions.identities())
            return None if origin is None else self._sessions.platform(origin)
        return self._sessions.platform(query.platform)

    def _point(self, query: FindOriginals, wanted: PointId) -> RestorePoint:
        known = self._catalog.points.get(query.standby, query.target_path, wanted)
        if known is not None:
            return known.point
        with (
            self._repositories.lease(query.standby, query.target_path) as repository,
            repository.open_point(wanted) as reader,
        ):
            return reader.point

    def _row(
        self, hypervisor: Hypervisor, platform: Platform, point: RestorePoint, inventory: Sequence[VmSummary]
    ) -> OriginalRow:
        recorded, found = find_original(
            self._sessions, self._catalog.rules, hypervisor, platform.id, point, inventory
        )
        choices = choices_in(found)
        return OriginalRow(
            point=point.id,
            platform=platform.id,
            address=platform.address,
            verdict=found.verdict,
            is_proven=found.is_proven,
            choices=choices,
            other=other_in(found, recorded.instance_uuid),
            uncovered=tuple((vm.id, disks) for vm in choices if (disks := _uncovered(hypervisor, point, vm.id))),
        )


def _uncovered(hypervisor: Hypervisor, point: RestorePoint, vm: VmId) -> tuple[str, ...]:
    try:
        details = hypervisor.vm_details(vm)
    except OperationalError:  # the restore itself looks again, and refuses what it cannot see
        return ()
    return tuple(f"{disk.label} ({disk.path})" for disk in uncovered_disks(point, details))
