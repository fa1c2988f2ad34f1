"""Looking before something is registered, the lists of what is, and the doctor."""

import uuid
from collections.abc import Mapping
from functools import partial

from app.contract.doctor import ExaminePlatform, ExamineRule, Finding
from app.contract.errors import ErrorRow
from app.contract.platforms import Certificate, InspectServer, ListPlatformRows, PlatformRow, TryPlatform
from app.contract.standbys import (
    BrowseLocal,
    BrowseStandby,
    DirectoryEntry,
    ListGroups,
    ListStandbyRows,
    StandbyRow,
)
from app.core.groupfolders import own_groups
from app.core.hypervisor import CertificateSource
from app.domain.identity import RecordedVm
from app.domain.ids import PlatformId, RuleId
from app.domain.platforms import Platform, PlatformFacts, PlatformSighting
from app.domain.rules import BackupRule, ProtectedVm
from app.domain.standbys import normal_target_path
from app.domain.tasks import TaskError
from app.engine.doctor.platform import PortProbe, examine_platform
from app.engine.doctor.rule import examine_rule
from app.engine.errors import RequestRefused, StandbyUnknown
from app.engine.handlers import Handler
from app.engine.platforms.identification import recorded_for_backup
from app.engine.platforms.registration import checked_address
from app.engine.rules.drafts import rule_of
from app.engine.rules.errors import RuleUnknown
from app.engine.rules.points import RulePoints
from app.engine.standbys.filesystems import browse, browse_machine
from app.engine.tasks.job import Workshop
from app.engine.tasks.rows import kept_error_row

LOOK_WAIT_S = 3.0
"""How long the list of standby machines waits for those that are looked at right now."""


class RegistryHandlers:
    """Answers about what can be registered and what is. Thread: any."""

    def __init__(self, workshop: Workshop, probe: PortProbe) -> None:
        self._workshop = workshop
        self._probe = probe

    def handlers(self) -> Mapping[type, Handler]:
        """Return who answers what."""
        return {
            InspectServer: self._inspect_server,
            ListGroups: lambda _: own_groups(),
            TryPlatform: self._try_platform,
            ListPlatformRows: self._platform_rows,
            ListStandbyRows: self._standby_rows,
            BrowseStandby: self._browse_standby,
            BrowseLocal: lambda query: browse_machine(query.path),
            ExaminePlatform: self._examine_platform,
            ExamineRule: self._examine_rule,
        }

    # --- before registering --------------------------------------------------------------------------------------

    def _inspect_server(self, query: InspectServer) -> Certificate:
        factory = self._workshop.sessions.factory
        if not isinstance(factory, CertificateSource):
            raise RequestRefused(detail="this kind of platform shows no certificates")
        shown = factory.inspect(checked_address(query.address, query.port), query.port)
        return Certificate(
            thumbprint_sha256=shown.thumbprint_sha256,
            subject=shown.subject,
            issuer=shown.issuer,
            not_before=shown.not_before,
            not_after=shown.not_after,
            trusted_by_ca=shown.trusted_by_ca,
        )

    def _try_platform(self, query: TryPlatform) -> PlatformFacts:
        platform = Platform(
            id=PlatformId(str(uuid.uuid4())),
            name=query.address,
            address=checked_address(query.address, query.port),
            port=query.port,
            user=query.user,
            thumbprint_sha256=query.thumbprint_sha256,
        )
        with self._workshop.sessions.factory.connect(platform, query.password) as hypervisor:
            return hypervisor.facts

    # --- lists ---------------------------------------------------------------------------------------------------

    def _platform_rows(self, _: ListPlatformRows) -> tuple[PlatformRow, ...]:
        catalog = self._workshop.catalog
        seen, rules = catalog.sightings.all(), catalog.rules.all()
        return tuple(
            _platform_row(one, seen.get(one.id), sum(rule.platform == one.id for rule in rules))
            for one in catalog.platforms.all()
        )

    def _standby_rows(self, _: ListStandbyRows) -> tuple[StandbyRow, ...]:
        catalog, watch = self._workshop.catalog, self._workshop.standby_watch
        watch.refresh(wait_s=LOOK_WAIT_S)
        rules, tallies = catalog.rules.all(), catalog.points.tallies()
        rows = []
        for one in catalog.standbys.all():
            health = watch.health(one.id)
            mine = [tally for tally in tallies if tally.standby == one.id]
            rows.append(
                StandbyRow(
                    id=one.id,
                    name=one.name,
                    root_path=one.root_path,
                    note=one.note,
                    reachable=health is not None and health.reachable,
                    writable=health is not None and health.writable,
                    error=None if health is None or health.error is None else ErrorRow.of(health.error),
                    total_bytes=None if health is None else health.total_bytes,
                    free_bytes=None if health is None else health.free_bytes,
                    repository_bytes=sum(tally.stored_bytes for tally in mine),
                    point_count=sum(tally.count for tally in mine),
                    rule_count=sum(rule.standby == one.id for rule in rules),
                    encryption=one.encryption,
                    locked=None if health is None or health.locked is None else ErrorRow.of(health.locked),
                    encrypted_repositories=len(catalog.standbys.encrypted_repositories(one.id)),
                )
            )
        return tuple(rows)

    def _browse_standby(self, query: BrowseStandby) -> tuple[DirectoryEntry, ...]:
        standby = self._workshop.catalog.standbys.get(query.standby)
        if standby is None:
            raise StandbyUnknown(standby=query.standby)
        return browse(standby, normal_target_path(query.path))

    # --- the doctor ----------------------------------------------------------------------------------------------

    def _examine_platform(self, query: ExaminePlatform) -> tuple[Finding, ...]:
        sessions = self._workshop.sessions
        platform = sessions.platform(query.platform)
        return examine_platform(
            platform, partial(sessions.connect, platform.id), self._probe, self._workshop.clock.now
        )

    def _examine_rule(self, query: ExamineRule) -> tuple[Finding, ...]:
        catalog, sessions = self._workshop.catalog, self._workshop.sessions
        if query.draft is not None:
            rule = rule_of(query.draft, query.rule or RuleId(""), self._workshop.clock.now())
        elif query.rule is not None:
            known = catalog.rules.get(query.rule)
            if known is None:
                raise RuleUnknown(rule=query.rule)
            rule = known
        else:
            raise RequestRefused(detail="neither a rule nor a draft is named")
        return examine_rule(
            rule,
            partial(sessions.connect, rule.platform),
            catalog.standbys.get(rule.standby),
            self._probe,
            self._workshop.repositories.encryption_problem,
            address=self._address_of(rule),
            recorded_of=partial(self._recorded, rule),
        )

    def _address_of(self, rule: BackupRule) -> str:
        platform = self._workshop.catalog.platforms.get(rule.platform)
        return "" if platform is None else platform.address

    def _recorded(self, rule: BackupRule, vm: ProtectedVm) -> RecordedVm:
        points = [one.point for one in RulePoints(self._workshop).of_vm(rule, vm.vm)]
        return recorded_for_backup(vm, vm.vm, vm.name, self._address_of(rule), points)


def _platform_row(platform: Platform, seen: PlatformSighting | None, rule_count: int) -> PlatformRow:
    error = None
    if seen is not None and seen.error_code is not None:
        error = kept_error_row(TaskError(code=seen.error_code, params=seen.error_params))
    return PlatformRow(
        platform=platform,
        facts=None if seen is None else seen.facts,
        reachable=None if seen is None else seen.reachable,
        checked_at=None if seen is None else seen.checked_at,
        error=error,
        vm_count=None if seen is None else seen.vm_count,
        rule_count=rule_count,
        license_name="" if seen is None else seen.license_name,
    )
