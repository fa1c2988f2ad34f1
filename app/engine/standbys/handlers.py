"""Standby machines: registering them, the list of them, and what is in their folders."""

from app.contract.errors import ErrorRow
from app.contract.standbys import (
    BrowseLocal,
    BrowseStandby,
    DirectoryEntry,
    ListGroups,
    ListStandbyRows,
    ListStandbys,
    OpenEntriesRow,
    ReadOpenEntries,
    RegisterStandby,
    RemoveStandby,
    StandbyRow,
    UpdateStandby,
)
from app.core.clock import Clock
from app.core.groupfolders import own_groups
from app.domain.standbys import Standby, normal_target_path
from app.engine.handlers import handles
from app.engine.ports import Catalog
from app.engine.standbys.closing import find_open
from app.engine.standbys.filesystems import browse, browse_machine
from app.engine.standbys.lookup import registered_standby
from app.engine.standbys.registration import StandbyRegistration
from app.engine.standbys.watch import StandbyWatch

LOOK_WAIT_S = 3.0
"""How long the list of standby machines waits for those that are looked at right now."""


class StandbyHandlers:
    """Answers about standby machines. Thread: any."""

    def __init__(
        self, *, registration: StandbyRegistration, watch: StandbyWatch, catalog: Catalog, clock: Clock
    ) -> None:
        self._registration = registration
        self._watch = watch
        self._catalog = catalog
        self._clock = clock

    # --- registering ---------------------------------------------------------------------------------------------

    @handles(RegisterStandby)
    def _register(self, command: RegisterStandby) -> Standby:
        return self._registration.register(command)

    @handles(UpdateStandby)
    def _update(self, command: UpdateStandby) -> Standby:
        return self._registration.update(command)

    @handles(RemoveStandby)
    def _remove(self, command: RemoveStandby) -> None:
        self._registration.remove(command.standby)

    @handles(ListGroups)
    def _list_groups(self, _: ListGroups) -> tuple[str, ...]:
        return own_groups()

    # --- lists ---------------------------------------------------------------------------------------------------

    @handles(ListStandbys)
    def _list_standbys(self, _: ListStandbys) -> tuple[Standby, ...]:
        return self._catalog.standbys.all()

    @handles(ListStandbyRows)
    def _standby_rows(self, _: ListStandbyRows) -> tuple[StandbyRow, ...]:
        self._watch.refresh(wait_s=LOOK_WAIT_S)
        rules, tallies = self._catalog.rules.all(), self._catalog.points.tallies()
        rows = []
        for standby in self._catalog.standbys.all():
            health = self._watch.health(standby.id)
            mine = [tally for tally in tallies if tally.standby == standby.id]
            rows.append(
                StandbyRow(
                    id=standby.id,
                    name=standby.name,
                    root_path=standby.root_path,
                    note=standby.note,
                    reachable=health is not None and health.reachable,
                    writable=health is not None and health.writable,
                    error=None if health is None or health.error is None else ErrorRow.of(health.error),
                    total_bytes=None if health is None else health.total_bytes,
                    free_bytes=None if health is None else health.free_bytes,
                    repository_bytes=sum(tally.stored_bytes for tally in mine),
                    point_count=sum(tally.count for tally in mine),
                    rule_count=sum(rule.standby == standby.id for rule in rules),
                    encryption=standby.encryption,
                    locked=None if health is None or health.locked is None else ErrorRow.of(health.locked),
                    encrypted_repositories=len(self._catalog.standbys.encrypted_repositories(standby.id)),
                )
            )
        return tuple(rows)

    # --- folders -------------------------------------------------------------------------------------------------

    @handles(BrowseStandby)
    def _browse_standby(self, query: BrowseStandby) -> tuple[DirectoryEntry, ...]:
        standby = registered_standby(self._catalog.standbys, query.standby)
        return browse(standby, normal_target_path(query.path))

    @handles(BrowseLocal)
    def _browse_local(self, query: BrowseLocal) -> tuple[DirectoryEntry, ...]:
        return browse_machine(query.path)

    @handles(ReadOpenEntries)
    def _read_open_entries(self, query: ReadOpenEntries) -> OpenEntriesRow:
        return find_open(self._catalog.standbys, self._clock, query.standby)
