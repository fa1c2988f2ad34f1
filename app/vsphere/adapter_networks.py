"""Which network each adapter of a saved VM is connected to when the VM is created again: pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyVmomi import vim

from app.domain.messages import Message
from app.vsphere.deviations import NETWORK_MISSING, NETWORK_NOT_NAMED, NETWORKS_AMBIGUOUS
from app.vsphere.offer import Network, NetworkKind, listed, named

_card = vim.vm.device.VirtualEthernetCard


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkChoices:
    """What is decided outside about the networks."""

    names: Mapping[str, str]
    """Names of the saved VM's networks by id or key."""
    instead: Mapping[str, str]
    """Networks to connect instead, by saved name."""
    offered: Mapping[str, Network]
    """What the chosen host offers, by id."""
    by_adapter: Mapping[int, str] = field(default_factory=dict)
    """Networks of single adapters, by their saved key."""
    elsewhere: Sequence[Network] = ()
    """Networks of the platform that the host does not offer."""
    same_platform: bool | None = None
    """Whether the saved VM's ids are of this platform; None: an id counts where the network has the saved name."""


def saved_network(card: Any, names: Mapping[str, str]) -> str:
    """Return the name of the network that a saved adapter was connected to; empty when it is not known."""
    backing = card.backing
    if isinstance(backing, _card.DistributedVirtualPortBackingInfo):
        return names.get(backing.port.portgroupKey or "", "")
    if isinstance(backing, _card.OpaqueNetworkBackingInfo):
        return names.get(backing.opaqueNetworkId, "")
    network = getattr(backing, "network", None)
    known = names.get(network._moId) if network is not None else None
    return known or str(getattr(backing, "deviceName", "") or "")


def choose_network(card: Any, choices: NetworkChoices) -> tuple[Network | None, str, Message | None]:
    """Return the network of a saved adapter and its name, else no network and why."""
    offered = list(choices.offered.values())
    saved_name = saved_network(card, choices.names)
    asked = choices.by_adapter.get(card.key) or choices.instead.get(saved_name)
    if asked is None:
        own = _own_network(card, saved_name, offered, same_platform=choices.same_platform)
        if own is not None:
            return own, own.name, None
    name = asked or saved_name
    found = named(name, offered) if asked else [network for network in offered if network.name == name]
    if not asked and found:
        # The adapter's own network is still there, but not on this host: one of its name here is another.
        own = _own_network(card, saved_name, choices.elsewhere, same_platform=choices.same_platform)
        found = [*found, own] if own is not None else found
    if len(found) == 1:
        return found[0], found[0].name, None
    if found:
        return None, name, NETWORKS_AMBIGUOUS.fill(network=name, found=listed(found))
    return None, name, NETWORK_MISSING.fill(network=name) if name else NETWORK_NOT_NAMED.fill()


def network_backing(network: Network | None, name: str) -> Any:
    """Return what connects an adapter to a network; without one, to whatever has that name."""
    if network is None:
        return _card.NetworkBackingInfo(deviceName=name)
    if network.kind is NetworkKind.DISTRIBUTED:
        port = vim.dvs.PortConnection(portgroupKey=network.key, switchUuid=network.switch)
        return _card.DistributedVirtualPortBackingInfo(port=port)
    if network.kind is NetworkKind.OPAQUE:
        return _card.OpaqueNetworkBackingInfo(opaqueNetworkId=network.key, opaqueNetworkType=network.switch)
    return _card.NetworkBackingInfo(deviceName=network.name, network=vim.Network(network.moid))


def _own_network(
    card: Any, saved_name: str, offered: Sequence[Network], *, same_platform: bool | None
) -> Network | None:
    """Return the network that a saved adapter was connected to, by its ids; None where they do not say.

    Args:
        card: the saved adapter.
        saved_name: name of its network then.
        offered: what the host offers.
        same_platform: whether ids are of this platform; None: they count where the network has the saved name.
    """
    backing = card.backing
    if isinstance(backing, _card.DistributedVirtualPortBackingInfo):
        port = backing.port
        return next(
            (place for place in offered if place.kind is NetworkKind.DISTRIBUTED and _is_port_of(port, place)),
            None,
        )
    if isinstance(backing, _card.OpaqueNetworkBackingInfo):
        opaque = [network for network in offered if network.kind is NetworkKind.OPAQUE]
        return next((place for place in opaque if place.key and place.key == backing.opaqueNetworkId), None)
    network = getattr(backing, "network", None)
    if network is None or same_platform is False:
        return None
    found = next((place for place in offered if place.moid == network._moId), None)
    return found if found is not None and (same_platform or found.name == saved_name) else None


def _is_port_of(port: Any, network: Network) -> bool:
    """Return whether a port is of a port group: its key is unique on its switch, whose UUID is unique too."""
    same_switch = (port.switchUuid or "").casefold() == network.switch.casefold()
    return same_switch and bool(network.key) and port.portgroupKey == network.key
