"""The examination of a platform."""

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from app.contract.doctor import Finding, Severity
from app.contract.transports import ProbedMode
from app.core.hypervisor import Examinable, Hypervisor, MarkedHistory
from app.core.nfshosting import RunsFromNfs
from app.domain.addresses import in_brackets
from app.domain.clocks import differs
from app.domain.errors import OperationalError
from app.domain.ids import VmId
from app.domain.messages import Message
from app.domain.platforms import Platform, PlatformFacts, PrivilegeCheck, WithoutPrivilege
from app.domain.reach import HostConnection
from app.domain.reasons import reason_of
from app.domain.vms import VmSummary
from app.engine.doctor import disk_kinds, kinds, privilegekinds, waykinds
from app.engine.doctor.ways import Try, try_ways
from app.engine.instant.addresses import address_towards
from app.engine.instant.errors import NoAddressToServe

OLDEST_API = (6, 5)
NFC_PORT = 902
_CONNECT_TIMEOUT_S = 4.0
_MOST_HOSTS = 64
_MOST_FOLDERS = 16
_MOST_VMS = 20
"""So many are named; a list of thousands would be read by no one."""

Connect = Callable[[], Hypervisor]
PortProbe = Callable[[str, int], Message | None]
"""Connects to a TCP port; returns why that failed, or None."""
Resolve = Callable[[str], tuple[str, ...] | Message]
"""Returns the addresses that a name leads to, or why it leads to none."""


def probe_port(host: str, port: int) -> Message | None:
    """Connect to a TCP port and hang up; return why that failed, or None."""
    try:
        socket.create_connection((host, port), timeout=_CONNECT_TIMEOUT_S).close()
    except (OSError, UnicodeError) as error:
        return reason_of(error)
    return None


def resolve(host: str) -> tuple[str, ...] | Message:
    """Return the addresses that a name leads to on this machine, or why it leads to none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return reason_of(error)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What the doctor looks with."""

    probe: PortProbe
    resolve: Resolve
    trial: Try
    serving: Callable[[], OperationalError | None]
    """Returns what keeps VMs from running from restore points of this machine; None when nothing does."""
    now: Callable[[], datetime]


@dataclass(slots=True)
class Examination:
    """What was found about a platform, for the list of findings and for the report."""

    findings: list[Finding] = field(default_factory=list)
    facts: PlatformFacts | None = None
    vms: Sequence[VmSummary] = ()
    modes: tuple[ProbedMode, ...] = ()
    privileges: Sequence[PrivilegeCheck] = ()
    addresses: dict[str, str] = field(default_factory=dict)
    """What the names of hosts lead to on this machine, or why they lead to nothing."""


def examine_platform(platform: Platform, connect: Connect, looks: Looks) -> Examination:
    """Look at a platform's address, login, version, license, privileges, ports and ways to disks. Never raises."""
    found = Examination()
    try:
        with connect() as hypervisor:
            found.findings.extend(_examine(platform, hypervisor, looks, found))
    except OperationalError as error:
        found.findings.append(kinds.of_error(platform.name, error))
    return found


def _examine(platform: Platform, hypervisor: Hypervisor, looks: Looks, found: Examination) -> Iterator[Finding]:
    facts = found.facts = hypervisor.facts
    yield kinds.LoginWorks.about(
        platform.name,
        address=in_brackets(platform.address),
        port=platform.port,
        user=platform.user,
        name=facts.full_name,
    )
    yield _version(platform, facts)
    if platform.allows_plain_transport:
        yield kinds.PlainTransportAllowed.about(platform.name)
    if isinstance(hypervisor, MarkedHistory):
        yield _clock(platform, hypervisor, looks.now)
    if isinstance(hypervisor, Examinable):
        yield from _license(platform, hypervisor)
    try:
        found.vms = hypervisor.list_vms()
    except OperationalError as error:
        yield kinds.of_error(platform.name, error)
        return
    if isinstance(hypervisor, Examinable):
        yield from _rights(platform, hypervisor, found)
    hosts = sorted({vm.host for vm in found.vms if vm.host})
    yield from _away(found.vms)
    yield from _disks(platform, found.vms)
    yield from _names(hosts, looks.resolve, found)
    yield from ports(hosts, looks.probe)
    if isinstance(hypervisor, RunsFromNfs):
        yield _serving(platform, looks.serving)
    tried = try_ways(platform, hypervisor, found.vms, looks.trial)
    found.modes = tried.modes
    yield from tried.findings


def _rights(platform: Platform, hypervisor: Examinable, found: Examination) -> Iterator[Finding]:
    """Yield what the account may not do: at the top or, where its role was given further down, where VMs are."""
    top = list(privileges(platform.name, hypervisor, noted=found))
    samples = list({(vm.datacenter_id, vm.folder_id or vm.id): vm for vm in found.vms}.values())[:_MOST_FOLDERS]
    if not samples or all(finding.severity is Severity.OK for finding in top):
        yield from top
        return
    told: list[Finding] = []
    for vm in samples:
        for finding in privileges(vm.name, hypervisor, vm.id):
            if finding not in told:
                told.append(finding)
                yield finding


def _away(vms: Iterable[VmSummary]) -> Iterator[Finding]:
    """Yield the hosts that the platform itself does not reach."""
    hosts = {vm.host: vm.host_connection for vm in vms if vm.host}
    for host in sorted(hosts):
        if hosts[host] is HostConnection.DISCONNECTED:
            yield kinds.HostDisconnected.about(host)
        elif hosts[host] is HostConnection.NOT_RESPONDING:
            yield kinds.HostSilent.about(host)


def _names(hosts: Iterable[str], resolve: Resolve, found: Examination) -> Iterator[Finding]:
    for host in list(hosts)[:_MOST_HOSTS]:
        addresses = resolve(host)
        if isinstance(addresses, Message):
            yield waykinds.NameUnresolved.about(host, host=host, detail=addresses)
        found.addresses[host] = str(addresses) if isinstance(addresses, Message) else ", ".join(addresses)


def _disks(platform: Platform, vms: Sequence[VmSummary]) -> Iterator[Finding]:
    """Say whose disks need consolidation, and whose are not all backed up."""
    for vm in [vm for vm in vms if vm.needs_consolidation][:_MOST_VMS]:
        yield disk_kinds.NeedsConsolidation.of(platform.id, vm)
    odd = [vm.name for vm in vms if vm.disks_left_out]
    if odd:
        names = ", ".join(odd[:_MOST_VMS]) + (", …" if len(odd) > _MOST_VMS else "")
        yield disk_kinds.DisksLeftOut.about(platform.name, count=len(odd), names=names)


def _version(platform: Platform, facts: PlatformFacts) -> Finding:
    found = tuple(int(part) for part in facts.api_version.split(".")[:2] if part.isdigit())
    if len(found) == 2 and found < OLDEST_API:
        oldest = ".".join(map(str, OLDEST_API))
        return kinds.VersionTooOld.about(platform.name, version=facts.api_version, oldest=oldest)
    return kinds.VersionSupported.about(platform.name, version=facts.api_version)


def _clock(platform: Platform, hypervisor: MarkedHistory, now: Callable[[], datetime]) -> Finding:
    try:
        ahead = now() - hypervisor.history_mark().at
    except OperationalError as error:
        return kinds.of_error(platform.name, error)
    if differs(ahead, None):
        return kinds.ClockDiffers.about(platform.name, hours=f"{abs(ahead.total_seconds()) / 3600:.1f}")
    return kinds.ClockAgrees.about(platform.name)


def _license(platform: Platform, hypervisor: Examinable) -> Iterator[Finding]:
    try:
        hypervisor.check_license()
        yield kinds.LicenseFine.about(platform.name, name=hypervisor.license_name() or "-")
    except OperationalError as error:
        yield kinds.of_error(platform.name, error)


def privileges(
    subject: str, hypervisor: Examinable, vm: VmId | None = None, *, noted: Examination | None = None
) -> Iterator[Finding]:
    """Yield what the account may not do, or that it may do everything; note all of it in an examination."""
    try:
        checks = hypervisor.check_privileges(vm)
    except OperationalError as error:
        yield kinds.of_error(subject, error)
        return
    if noted is not None:
        noted.privileges = checks
    missing = [check for check in checks if not check.is_granted]
    for check in missing:
        yield _missing_kind(check).about(check.missing_at or subject, privilege=check.privilege)
    needed = [check for check in missing if check.without_it is not WithoutPrivilege.NO_HOTADD]
    if not any(check.for_backup for check in needed):
        yield privilegekinds.CanBackUp.about(subject)
    if not any(check.for_restore for check in needed):
        yield privilegekinds.CanRestore.about(subject)


_MISSING: dict[WithoutPrivilege, type[kinds.FindingKind]] = {
    WithoutPrivilege.WHOLE_DISKS: privilegekinds.PrivilegeForTracking,
    WithoutPrivilege.NO_HOTADD: privilegekinds.PrivilegeForHotAdd,
    WithoutPrivilege.FEWER_FILES: privilegekinds.PrivilegeForFiles,
    WithoutPrivilege.TEMPLATES_AS_VMS: privilegekinds.PrivilegeForTemplates,
    WithoutPrivilege.NOT_INTO_VAPPS: privilegekinds.PrivilegeForVApps,
    WithoutPrivilege.OTHER_VAPP_ORDER: privilegekinds.PrivilegeForVAppOrder,
}


def _missing_kind(check: PrivilegeCheck) -> type[kinds.FindingKind]:
    if check.without_it in _MISSING:
        return _MISSING[check.without_it]
    if check.for_backup:
        return privilegekinds.PrivilegeMissingForBackup
    return privilegekinds.PrivilegeMissingForRestore


def _serving(platform: Platform, problem_of: Callable[[], OperationalError | None]) -> Finding:
    """Return whether hosts could mount what this machine serves, as far as that can be told from here."""
    problem = problem_of()
    if problem is not None:
        return kinds.of_error(platform.name, problem, Severity.WARNING)
    try:
        return kinds.CanServe.about(platform.name, address=address_towards(platform.address))
    except NoAddressToServe as error:
        return kinds.of_error(platform.name, error, Severity.WARNING)


def ports(hosts: Iterable[str], probe: PortProbe) -> Iterator[Finding]:
    """Yield for each host whether its port for disk data can be reached; all are tried at once."""
    chosen = list(hosts)[:_MOST_HOSTS]
    if not chosen:
        return
    with ThreadPoolExecutor(min(16, len(chosen)), thread_name_prefix="doctor") as pool:
        for host, problem in zip(chosen, pool.map(lambda host: probe(host, NFC_PORT), chosen), strict=True):
            if problem is None:
                yield kinds.PortOpen.about(host, port=NFC_PORT)
            else:
                yield kinds.PortClosed.about(host, port=NFC_PORT, detail=problem)
