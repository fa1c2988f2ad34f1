"""Addresses from which a host mounts, as platforms describe its adapters."""

from typing import Any

from pyVmomi import vim

from app.vsphere.host_addresses import kernel_addresses


def adapter(device: str, *addresses: str, key: str = "") -> Any:
    old = [address for address in addresses if ":" not in address]
    new = [
        vim.host.IpConfig.IpV6Address(ipAddress=address, prefixLength=64)
        for address in addresses
        if ":" in address
    ]
    ip = vim.host.IpConfig(
        dhcp=False,
        ipAddress=old[0] if old else None,
        ipV6Config=vim.host.IpConfig.IpV6AddressConfiguration(ipV6Address=new) if new else None,
    )
    spec = vim.host.VirtualNic.Specification(ip=ip)
    return vim.host.VirtualNic(device=device, key=key or device, portgroup="", spec=spec)


def uses(use: str, *adapters: Any, selected: tuple[str, ...] = ()) -> Any:
    keys = selected or tuple(nic.key for nic in adapters)
    return vim.host.VirtualNicManager.NetConfig(
        nicType=use, multiSelectAllowed=True, candidateVnic=list(adapters), selectedVnic=list(keys)
    )


def test_management_comes_first() -> None:
    storage, management = adapter("vmk1", "10.0.1.5"), adapter("vmk0", "10.0.0.5")
    assert kernel_addresses([uses("management", management)], [storage, management]) == ("10.0.0.5", "10.0.1.5")


def test_adapters_without_a_tag_count_too() -> None:
    storage, management = adapter("vmk1", "10.0.1.5"), adapter("vmk0", "10.0.0.5")
    found = kernel_addresses([uses("management", storage, management, selected=("vmk0",))], [])
    assert found == ("10.0.0.5", "10.0.1.5")


def test_addresses_of_both_families_count_but_not_link_local_ones() -> None:
    both = adapter("vmk0", "10.0.0.5", "fe80::1", "2001:0DB8::5")
    assert kernel_addresses([], [both]) == ("10.0.0.5", "2001:db8::5")


def test_adapter_without_an_address_has_none() -> None:
    bare = vim.host.VirtualNic(device="vmk0", key="vmk0", portgroup="", spec=vim.host.VirtualNic.Specification())
    assert kernel_addresses([], [bare, adapter("vmk1")]) == ()
