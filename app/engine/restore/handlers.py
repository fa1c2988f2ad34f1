"""Restores: where a VM can go, which VM it would replace, and whether it can be created there."""

from app.contract.restore import DescribeSavedVm, FindOriginals, ListPlaces, OriginalRow, PlanRestore
from app.core.hypervisor import Hypervisor
from app.core.places import RestoreChoices
from app.domain.places import PlannedVm, PlatformPlaces, SavedHardware
from app.engine.errors import PlacesUnknown
from app.engine.handlers import handles
from app.engine.platforms.sessions import Sessions
from app.engine.restore.lookup import OriginalLookup
from app.engine.restore.planning import RestorePlanner, saved_configuration
from app.engine.standbys.repositories import Repositories


class RestoreHandlers:
    """Answers what is asked before a restore. Thread: any."""

    def __init__(
        self, *, sessions: Sessions, repositories: Repositories, lookup: OriginalLookup, planner: RestorePlanner
    ) -> None:
        self._sessions = sessions
        self._repositories = repositories
        self._lookup = lookup
        self._planner = planner

    @handles(FindOriginals)
    def _find_originals(self, query: FindOriginals) -> tuple[OriginalRow, ...]:
        return self._lookup.find(query)

    @handles(ListPlaces)
    def _list_places(self, query: ListPlaces) -> PlatformPlaces:
        with self._sessions.connect(query.platform) as hypervisor:
            return _choices(hypervisor).list_places()

    @handles(DescribeSavedVm)
    def _describe_saved_vm(self, query: DescribeSavedVm) -> SavedHardware:
        with (
            self._repositories.lease(query.standby, query.target_path) as repository,
            repository.open_point(query.point) as reader,
        ):
            saved = saved_configuration(reader)
        with self._sessions.connect(query.platform) as hypervisor:
            return _choices(hypervisor).saved_hardware(saved)

    @handles(PlanRestore)
    def _plan_restore(self, query: PlanRestore) -> PlannedVm | None:
        return self._planner.plan(query)


def _choices(hypervisor: Hypervisor) -> RestoreChoices:
    if not isinstance(hypervisor, RestoreChoices):
        raise PlacesUnknown(platform=hypervisor.facts.full_name)
    return hypervisor
