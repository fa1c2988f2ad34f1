"""Platforms: looking before they are registered, registering them, and what is on them."""

import uuid

from app.contract.platforms import (
    Certificate,
    DescribeVm,
    InspectServer,
    ListPlatformRows,
    ListPlatforms,
    ListVms,
    PlatformRow,
    ProbePlatform,
    RegisterPlatform,
    RemoveOrphanedSnapshots,
    RemovePlatform,
    TryPlatform,
    UpdatePlatform,
)
from app.core.hypervisor import CertificateSource
from app.domain.ids import PlatformId
from app.domain.platforms import Platform, PlatformFacts, PlatformSighting
from app.domain.vms import VmDetails, VmSummary
from app.engine.errors import RequestRefused
from app.engine.handlers import handles
from app.engine.platforms.inventories import Inventories
from app.engine.platforms.registration import PlatformRegistration, checked_address
from app.engine.platforms.sessions import Sessions
from app.engine.platforms.sightings import note_license
from app.engine.ports import Catalog
from app.engine.reasons import NO_CERTIFICATES
from app.engine.tasks.crashrecovery import CrashRecovery
from app.engine.tasks.rows import kept_error_row


class PlatformHandlers:
    """Answers about platforms. Thread: any."""

    def __init__(
        self,
        *,
        registration: PlatformRegistration,
        sessions: Sessions,
        inventories: Inventories,
        recovery: CrashRecovery,
        catalog: Catalog,
    ) -> None:
        self._registration = registration
        self._sessions = sessions
        self._inventories = inventories
        self._recovery = recovery
        self._catalog = catalog

    # --- before registering --------------------------------------------------------------------------------------

    @handles(InspectServer)
    def _inspect_server(self, query: InspectServer) -> Certificate:
        factory = self._sessions.factory
        if not isinstance(factory, CertificateSource):
            raise RequestRefused(detail=NO_CERTIFICATES)
        shown = factory.inspect(checked_address(query.address, query.port), query.port)
        return Certificate(
            thumbprint_sha256=shown.thumbprint_sha256,
            subject=shown.subject,
            issuer=shown.issuer,
            not_before=shown.not_before,
            not_after=shown.not_after,
            trusted_by_ca=shown.trusted_by_ca,
        )

    @handles(TryPlatform)
    def _try_platform(self, query: TryPlatform) -> PlatformFacts:
        platform = Platform(
            id=PlatformId(str(uuid.uuid4())),
            name=query.address,
            address=checked_address(query.address, query.port),
            port=query.port,
            user=query.user,
            thumbprint_sha256=query.thumbprint_sha256,
        )
        with self._sessions.factory.connect(platform, query.password) as hypervisor:
            return hypervisor.facts

    # --- registering ---------------------------------------------------------------------------------------------

    @handles(RegisterPlatform)
    def _register(self, command: RegisterPlatform) -> Platform:
        return self._registration.register(command)

    @handles(UpdatePlatform)
    def _update(self, command: UpdatePlatform) -> Platform:
        changed = self._registration.update(command)
        self._inventories.forget(command.platform)
        return changed

    @handles(RemovePlatform)
    def _remove(self, command: RemovePlatform) -> None:
        self._registration.remove(command.platform)
        self._inventories.forget(command.platform)

    # --- lists ---------------------------------------------------------------------------------------------------

    @handles(ListPlatforms)
    def _list_platforms(self, _: ListPlatforms) -> tuple[Platform, ...]:
        return self._catalog.platforms.all()

    @handles(ListPlatformRows)
    def _platform_rows(self, _: ListPlatformRows) -> tuple[PlatformRow, ...]:
        seen, rules = self._catalog.sightings.all(), self._catalog.rules.all()
        return tuple(
            _platform_row(platform, seen.get(platform.id), sum(rule.platform == platform.id for rule in rules))
            for platform in self._catalog.platforms.all()
        )

    # --- on a platform -------------------------------------------------------------------------------------------

    @handles(ProbePlatform)
    def _probe_platform(self, query: ProbePlatform) -> PlatformFacts:
        with self._sessions.connect(query.platform) as hypervisor:
            note_license(self._sessions.sightings, query.platform, hypervisor)
            return hypervisor.facts

    @handles(ListVms)
    def _list_vms(self, query: ListVms) -> tuple[VmSummary, ...]:
        return self._inventories.look(query.platform)

    @handles(DescribeVm)
    def _describe_vm(self, query: DescribeVm) -> VmDetails:
        with self._sessions.connect(query.platform) as hypervisor:
            return hypervisor.vm_details(query.vm)

    @handles(RemoveOrphanedSnapshots)
    def _remove_snapshots(self, command: RemoveOrphanedSnapshots) -> int:
        with self._sessions.connect(command.platform) as hypervisor:
            return self._recovery.settle_on(hypervisor, command.platform, unknown_too=command.include_unknown)


def _platform_row(platform: Platform, seen: PlatformSighting | None, rule_count: int) -> PlatformRow:
    error = None if seen is None or seen.error is None else kept_error_row(seen.error)
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
