"""The networks and addresses of a rebuilt VM's adapters."""

from dataclasses import replace
from typing import Any

import pytest
from pyVmomi import vim

from app.domain.vms import VmPlacement
from app.vsphere.offer import Network, NetworkKind
from app.vsphere.placement import Place
from app.vsphere.rebuild import Rebuilt, rebuild
from tests.unit.vsphere import saved as given
from tests.unit.vsphere.rebuilding import WHOLE, added, device, rebuilt
from tests.unit.vsphere.test_placement import host


@pytest.mark.parametrize(
    ("asked", "made"), [("00:50:56:AA:BB:CC", ("00:50:56:aa:bb:cc", "manual")), ("", (None, "generated"))]
)
def test_single_adapter_gets_the_address_and_the_network_that_were_asked_for(
    asked: str, made: tuple[str | None, str]
) -> None:
    saved = given.saved()
    (key,) = [item.key for item in saved.config.hardware.device if isinstance(item, device.VirtualEthernetCard)]
    wanted = VmPlacement(name="web", adapter_addresses=((key, asked),), adapter_networks=((key, "Prod"),))
    result = rebuilt(saved, wanted=wanted)
    (card,) = added(result, device.VirtualEthernetCard)
    assert (card.macAddress, card.addressType) == made
    assert isinstance(card.backing, device.VirtualEthernetCard.DistributedVirtualPortBackingInfo)
    assert result.mac_addresses == ((asked.lower(),) if asked else ())


# ---- networks --------------------------------------------------------------------------------------------------


def test_adapter_finds_its_network_by_name() -> None:
    (card,) = added(rebuilt(given.saved()), device.VirtualEthernetCard)
    assert card.backing.deviceName == "VM Network"
    assert card.backing.network._moId == "network-9"
    assert card.connectable.startConnected


@pytest.mark.parametrize(
    ("target", "backing"),
    [
        ("Prod", device.VirtualEthernetCard.DistributedVirtualPortBackingInfo),
        ("Overlay", device.VirtualEthernetCard.OpaqueNetworkBackingInfo),
    ],
)
def test_network_can_be_exchanged_for_one_of_another_kind(target: str, backing: type[Any]) -> None:
    result = rebuilt(given.saved(), networks=(("VM Network", target),))
    (card,) = added(result, device.VirtualEthernetCard)
    assert isinstance(card.backing, backing)
    assert result.warnings == ()


def test_distributed_adapter_is_recognized_by_its_port_group() -> None:
    port = vim.dvs.PortConnection(portgroupKey="network-7", switchUuid="gone")
    card = given.card(backing=device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(port=port))
    (made,) = added(rebuilt(given.saved(card)), device.VirtualEthernetCard)
    assert made.backing.deviceName == "VM Network"


def test_unknown_network_leaves_the_adapter_disconnected_and_that_is_said() -> None:
    saved = given.saved(
        given.card(network="Gone", backing=device.VirtualEthernetCard.NetworkBackingInfo(deviceName="Gone"))
    )
    result = rebuilt(saved)
    (card,) = added(result, device.VirtualEthernetCard)
    assert not card.connectable.startConnected
    assert any("Gone" in warning and "Network adapter 1" in warning for warning in map(str, result.warnings))


# ---- networks of one name --------------------------------------------------------------------------------------


def two_of_one_name() -> dict[str, Network]:
    return {
        f"dvportgroup-{number}": Network(
            name="Prod",
            moid=f"dvportgroup-{number}",
            kind=NetworkKind.DISTRIBUTED,
            key=f"dvportgroup-{number}",
            switch=f"50 {number}",
            switch_name=f"Switch {number}",
        )
        for number in (1, 2)
    }


def connected(backing: Any, names: dict[str, str], **place: Any) -> tuple[Any, Rebuilt]:
    saved = given.saved(given.card(backing=backing))
    here = host("esx01", "ds1", networks=two_of_one_name())
    at = Place(folder="f", pool="p", host=here, datastore="ds1", disk_datastores={}, **place)
    result = rebuild(replace(saved, networks=names), at, VmPlacement(name="web"), WHOLE, "mark")
    return added(result, device.VirtualEthernetCard)[0], result


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("saved_name", ["Prod", "before it was renamed"])
def test_port_group_of_two_with_one_name_is_known_by_its_key(number: int, saved_name: str) -> None:
    port = vim.dvs.PortConnection(portgroupKey=f"dvportgroup-{number}", switchUuid=f"50 {number}")
    backing = device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(port=port)
    card, result = connected(backing, {f"dvportgroup-{number}": saved_name})
    assert card.backing.port.portgroupKey == f"dvportgroup-{number}"
    assert card.connectable.startConnected
    assert not any("network" in warning.lower() for warning in map(str, result.warnings))


def test_port_group_of_another_switch_with_the_same_key_is_another() -> None:
    port = vim.dvs.PortConnection(portgroupKey="dvportgroup-1", switchUuid="of another vCenter")
    backing = device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(port=port)
    card, result = connected(backing, {"dvportgroup-1": "Prod"})
    assert not card.connectable.startConnected
    (warning,) = [text for text in map(str, result.warnings) if "Prod" in text]
    assert "Switch 1/Prod (dvportgroup-1)" in warning
    assert "Switch 2/Prod (dvportgroup-2)" in warning


def test_standard_network_that_was_renamed_is_known_by_its_id_on_its_own_platform() -> None:
    backing = device.VirtualEthernetCard.NetworkBackingInfo(deviceName="Old", network=vim.Network("dvportgroup-2"))
    card, _ = connected(backing, {"dvportgroup-2": "Old"}, same_platform=True)
    assert card.connectable.startConnected
    for same_platform in (None, False):
        card, _ = connected(backing, {"dvportgroup-2": "Old"}, same_platform=same_platform)
        assert not card.connectable.startConnected


def test_network_asked_for_by_a_name_that_several_have_is_not_guessed() -> None:
    saved = given.saved()
    here = host("esx01", "ds1", networks=two_of_one_name())
    at = Place(folder="f", pool="p", host=here, datastore="ds1", disk_datastores={2000: "ds1"})
    for asked, connects in (("Prod", False), ("dvportgroup-2", True), ("Switch 2/Prod", True)):
        wanted = VmPlacement(name="web", networks=(("VM Network", asked),))
        (card,) = added(rebuild(saved, at, wanted, WHOLE, "mark"), device.VirtualEthernetCard)
        assert card.connectable.startConnected is connects


def test_namesake_of_a_network_that_is_still_there_elsewhere_is_not_taken_for_it() -> None:
    own = Network(name="VM Network", moid="network-1")
    here = host("esx01", "ds1", networks={"network-2": Network(name="VM Network", moid="network-2")})
    at = Place(
        folder="f",
        pool="p",
        host=here,
        datastore="ds1",
        disk_datastores={},
        same_platform=True,
        other_networks=(own,),
    )
    backing = device.VirtualEthernetCard.NetworkBackingInfo(
        deviceName="VM Network", network=vim.Network("network-1")
    )
    saved = given.saved(given.card(backing=backing))
    result = rebuild(saved, at, VmPlacement(name="web"), WHOLE, "mark")
    assert not added(result, device.VirtualEthernetCard)[0].connectable.startConnected
    assert any("network-1" in warning and "network-2" in warning for warning in map(str, result.warnings))
