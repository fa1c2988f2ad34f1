"""Tries the ways to a platform's disks for the doctor, on a disk that nobody writes to."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from app.contract.doctor import Finding
from app.contract.errors import ErrorRow
from app.contract.transports import ProbedMode
from app.core.access import DiskAddress
from app.core.hypervisor import Hypervisor
from app.domain.messages import Message, MessageKind
from app.domain.platforms import Platform
from app.domain.states import TransportMode
from app.domain.transports import LAN_FREE
from app.domain.vms import VmSummary
from app.engine.doctor import waykinds
from app.engine.platforms.probing import first_still

Try = Callable[[Hypervisor, DiskAddress, TransportMode], ProbedMode]


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of trying every way."""

    findings: tuple[Finding, ...]
    modes: tuple[ProbedMode, ...] = ()


def try_ways(platform: Platform, hypervisor: Hypervisor, vms: Iterable[VmSummary], trial: Try) -> Tried:
    """Open a disk of one of the VMs in every mode and read its beginning. Never raises for what it finds."""
    still = first_still(hypervisor, vms)
    if still is None:
        return Tried((waykinds.NoStillDisk.about(platform.name),))
    modes = tuple(trial(hypervisor, still.address(), mode) for mode in platform.transports)
    return Tried(tuple(_findings(platform.name, still.vm.name, modes)), modes)


def _findings(subject: str, vm: str, modes: tuple[ProbedMode, ...]) -> Iterator[Finding]:
    for one in modes:
        if one.error is None:
            yield waykinds.WayOpen.about(subject, mode=one.mode.name, vm=vm, bytes_per_s=one.bytes_per_s or 0)
        else:
            yield waykinds.WayClosed.about(subject, detail=_reason(one.error))
    if not any(one.error is None for one in modes if one.mode not in LAN_FREE):
        yield waykinds.NoWayOpen.about(subject, vm=vm)


def _reason(error: ErrorRow) -> Message:
    """Return why a mode does not work; that no other was allowed is no part of it."""
    reasons = dict(error.params).get("reasons")
    return (
        reasons if isinstance(reasons, Message) else Message(MessageKind(error.code, error.template), error.params)
    )
