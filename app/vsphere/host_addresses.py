"""Addresses of the VMkernel adapters of hosts: pure functions.

Source: ``HostVirtualNicManagerInfo``, ``HostNetworkInfo`` and ``HostIpConfig`` of the vSphere Web Services
reference.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from app.domain.addresses import BadAddress, ascii_host

BACKUP_NIC: Final = "vSphereBackupNFC"
MANAGEMENT_NIC: Final = "management"


def tagged_addresses(configs: Iterable[Any], use: str) -> list[str]:
    """Return the addresses of the VMkernel adapters with a tag (``HostVirtualNicManagerNicType``)."""
    chosen = (
        nic
        for config in configs
        if config.nicType == use
        for nic in config.candidateVnic or ()
        if nic.key in (config.selectedVnic or ())
    )
    return _addresses(chosen)


def kernel_addresses(configs: Iterable[Any], adapters: Iterable[Any]) -> tuple[str, ...]:
    """Return the addresses of all VMkernel adapters of a host, those of its management first.

    Args:
        configs: ``config.virtualNicManagerInfo.netConfig``.
        adapters: ``config.network.vnic``.
    """
    known = list(configs)
    tagged = [nic for config in known for nic in config.candidateVnic or ()]
    return tuple(dict.fromkeys((*tagged_addresses(known, MANAGEMENT_NIC), *_addresses([*adapters, *tagged]))))


def _addresses(adapters: Iterable[Any]) -> list[str]:
    found: list[str] = []
    for adapter in adapters:
        ip = adapter.spec.ip if adapter.spec is not None else None
        if ip is None:
            continue
        listed = [entry.ipAddress for entry in getattr(ip.ipV6Config, "ipV6Address", None) or ()]
        for address in (ip.ipAddress, *listed):
            with suppress(BadAddress):  # one that is of use on the host's own network only
                found.append(ascii_host(address or ""))
    return list(dict.fromkeys(found))
