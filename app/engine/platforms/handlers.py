"""What is registered, what is on it, and the list of restore points."""

from collections.abc import Mapping

from app.contract.platforms import (
    DescribeVm,
    ListPlatforms,
    ListVms,
    ProbePlatform,
    RegisterPlatform,
    RemovePlatform,
    SweepSnapshots,
    UpdatePlatform,
)
from app.contract.points import DeletePoint, ListPoints, ListRecoverableVms, RefreshPoints
from app.contract.restore import DescribeSavedVm, FindOriginals, ListPlaces, PlanRestore
from app.contract.standbys import ListStandbys, ReadOpenEntries, RegisterStandby, RemoveStandby, UpdateStandby
from app.core.hypervisor import Hypervisor
from app.core.places import RestoreChoices
from app.domain.places import PlannedVm, PlatformPlaces, SavedHardware
from app.domain.platforms import PlatformFacts
from app.domain.tasks import KnownPoint, PointTally
from app.domain.vms import SavedConfiguration, VmDetails, VmSummary
from app.engine.errors import PlacesUnknown
from app.engine.handlers import Handler
from app.engine.platforms.registration import Registration
from app.engine.platforms.sightings import note_licence
from app.engine.restore.lookup import find_originals
from app.engine.restore.planning import plan_restore
from app.engine.standbys.closing import find_open
from app.engine.tasks.crashrecovery import Recovery
from app.engine.tasks.job import Workshop


class SiteHandlers:
    """Answers about platforms, standby machines and restore points. Thread: any."""

    def __init__(self, workshop: Workshop, registry: Registration, recovery: Recovery) -> None:
        self._workshop = workshop
        self._registry = registry
        self._recovery = recovery

    def handlers(self) -> Mapping[type, Handler]:
        """Return who answers what."""
        registry, catalog = self._registry, self._workshop.catalog
        return {
            RegisterPlatform: registry.register_platform,
            UpdatePlatform: registry.update_platform,
            RemovePlatform: lambda command: registry.remove_platform(command.platform),
            RegisterStandby: registry.register_standby,
            UpdateStandby: registry.update_standby,
            RemoveStandby: lambda command: registry.remove_standby(command.standby),
            RefreshPoints: lambda command: registry.refresh_points(command.standby, command.target_path),
            DeletePoint: registry.delete_point,
            SweepSnapshots: self._sweep_snapshots,
            ListPlatforms: lambda _: catalog.platforms.all(),
            ProbePlatform: self._probe_platform,
            ListStandbys: lambda _: catalog.standbys.all(),
            ListVms: self._list_vms,
            ReadOpenEntries: lambda query: find_open(self._workshop, query.standby),
            FindOriginals: lambda query: find_originals(self._workshop, query),
            DescribeVm: self._describe_vm,
            ListPoints: self._list_points,
            ListRecoverableVms: self._list_recoverable_vms,
            ListPlaces: self._list_places,
            DescribeSavedVm: self._describe_saved_vm,
            PlanRestore: self._plan_restore,
        }

    def _sweep_snapshots(self, command: SweepSnapshots) -> int:
        with self._workshop.sessions.connect(command.platform) as hypervisor:
            return self._recovery.settle_on(hypervisor, command.platform, unknown_too=command.include_unknown)

    def _probe_platform(self, query: ProbePlatform) -> PlatformFacts:
        with self._workshop.sessions.connect(query.platform) as hypervisor:
            note_licence(self._workshop.sessions.sightings, query.platform, hypervisor)
            return hypervisor.facts

    def _list_vms(self, query: ListVms) -> tuple[VmSummary, ...]:
        with self._workshop.sessions.connect(query.platform) as hypervisor:
            found = tuple(hypervisor.list_vms())
            self._workshop.sessions.sightings.reached(query.platform, hypervisor.facts, vm_count=len(found))
        return found

    def _describe_vm(self, query: DescribeVm) -> VmDetails:
        with self._workshop.sessions.connect(query.platform) as hypervisor:
            return hypervisor.vm_details(query.vm)

    def _list_points(self, query: ListPoints) -> tuple[KnownPoint, ...]:
        return self._workshop.catalog.points.find(
            standby=query.standby,
            target_path=query.target_path,
            vm=query.vm,
            platform_address=query.platform_address,
            chain=query.chain,
        )

    def _list_recoverable_vms(self, _query: ListRecoverableVms) -> tuple[PointTally, ...]:
        tallies = self._workshop.catalog.points.tallies()
        return tuple(sorted(tallies, key=lambda one: (one.vm_name.casefold(), one.rule_name.casefold())))

    def _list_places(self, query: ListPlaces) -> PlatformPlaces:
        with self._workshop.sessions.connect(query.platform) as hypervisor:
            return _choices(hypervisor).list_places()

    def _describe_saved_vm(self, query: DescribeSavedVm) -> SavedHardware:
        with (
            self._workshop.repositories.lease(query.standby, query.target_path) as repository,
            repository.open_point(query.point) as reader,
        ):
            files = {name: reader.file(name) for name in reader.point.configuration_files}
        with self._workshop.sessions.connect(query.platform) as hypervisor:
            return _choices(hypervisor).saved_hardware(SavedConfiguration(files=files))

    def _plan_restore(self, query: PlanRestore) -> PlannedVm | None:
        return plan_restore(
            self._workshop, query.standby, query.target_path, query.point, query.platform, query.target
        )


def _choices(hypervisor: Hypervisor) -> RestoreChoices:
    if not isinstance(hypervisor, RestoreChoices):
        raise PlacesUnknown(platform=hypervisor.facts.full_name)
    return hypervisor
