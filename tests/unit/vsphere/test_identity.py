"""Which parts of a VM's identity are set back after its original is gone."""

from typing import Any

from pyVmomi import vim

from app.vsphere.identity import identity_spec, plain_identity
from app.vsphere.properties import Row

_device = vim.vm.device


def card(key: int, address: str, address_type: str = "assigned") -> Any:
    return _device.VirtualVmxnet3(key=key, macAddress=address, addressType=address_type)


def saved(*cards: Any) -> Any:
    hardware = vim.vm.VirtualHardware(device=list(cards))
    return vim.vm.ConfigInfo(uuid="42-a", instanceUuid="50-a", hardware=hardware)


def present(uuid: str, instance_uuid: str, *cards: Any) -> Row:
    values = {"config.uuid": uuid, "config.instanceUuid": instance_uuid, "config.hardware.device": list(cards)}
    return Row(vim.VirtualMachine("vm-1"), values)


def test_a_vm_that_is_the_saved_one_already_is_left_alone() -> None:
    assert (
        identity_spec(
            saved(card(4000, "00:50:56:80:00:01")), present("42-A", "50-A", card(4000, "00:50:56:80:00:01"))
        )
        is None
    )


def test_only_what_differs_is_set() -> None:
    spec = identity_spec(
        saved(card(4000, "00:50:56:80:00:01")), present("42-a", "50-b", card(4000, "00:50:56:80:00:01"))
    )
    assert (spec.uuid, spec.instanceUuid, list(spec.deviceChange)) == (None, "50-a", [])


def test_addresses_go_back_to_the_adapters_that_got_others() -> None:
    old = (card(4000, "00:50:56:80:00:01"), card(4001, "00:50:56:80:00:02"), card(4002, "00:50:56:80:00:03"))
    new = (card(4000, "00:50:56:80:00:01"), card(4001, "00:50:56:80:00:aa"), card(4002, "00:50:56:80:00:bb"))
    spec = identity_spec(saved(*old), present("42-a", "50-a", *new))
    assert [(change.device.key, change.device.macAddress) for change in spec.deviceChange] == [
        (4001, "00:50:56:80:00:02"),
        (4002, "00:50:56:80:00:03"),
    ]


def test_an_adapter_that_was_not_restored_leaves_its_address_unused() -> None:
    spec = identity_spec(
        saved(card(4000, "00:50:56:80:00:01"), card(4001, "00:50:56:80:00:02")), present("42-a", "50-b")
    )
    assert list(spec.deviceChange) == []


def test_a_forged_identity_is_none() -> None:
    saved = vim.vm.ConfigInfo(
        uuid="../../x",
        instanceUuid="50100000-0000-0000-0000-000000000001",
        hardware=vim.vm.VirtualHardware(
            numCPU=1,
            memoryMB=4,
            device=[
                vim.vm.device.VirtualVmxnet3(key=4000, macAddress="00:50:56:00:00:01", addressType="manual"),
                vim.vm.device.VirtualVmxnet3(key=4001, macAddress="/etc/passwd", addressType="manual"),
            ],
        ),
    )
    plain = plain_identity(saved)
    assert (plain.uuid, plain.instanceUuid) == ("", "50100000-0000-0000-0000-000000000001")
    assert [card.macAddress for card in plain.hardware.device] == ["00:50:56:00:00:01", None]
