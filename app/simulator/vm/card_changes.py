"""Plans the adding and editing of network cards."""

from collections.abc import Sequence

from pyVmomi import vim

from app.simulator.vm.device_context import DeviceContext, refused
from app.simulator.vm.devices import connect_info, ethernet_card
from app.simulator.vm.values import Device, changed

_device = vim.vm.device

MOST_CARDS = 10


def added_card(
    index: int, wanted: _device.VirtualEthernetCard, devices: Sequence[Device], context: DeviceContext
) -> Device:
    """Return the card as the VM will have it.

    Raises:
        vim.fault.InvalidDeviceSpec: there are too many, or its network does not exist.
    """
    taken = {other.key for other in devices if isinstance(other, _device.VirtualEthernetCard)}
    number = next((number for number in range(MOST_CARDS) if 4000 + number not in taken), None)
    if number is None:
        raise vim.fault.TooManyDevices(
            msg=f"A VM has at most {MOST_CARDS} network adapters.", deviceIndex=index, property="device"
        )
    mac, address_type = wanted.macAddress, wanted.addressType or "manual"
    if not mac:
        mac, address_type = context.new_mac()
    start = wanted.connectable.startConnected if wanted.connectable is not None else True
    built = ethernet_card(
        number=number, model="vmxnet3", backing=_network(index, wanted, context), mac=mac.lower(),
        address_type=address_type, connected=False,
    )  # fmt: skip
    return changed(
        built if type(wanted) is _device.VirtualVmxnet3 else _as_model(wanted, built),
        connectable=connect_info(connected=context.running and start, start_connected=start),
        addressType=address_type.lower(),
        wakeOnLanEnabled=wanted.wakeOnLanEnabled is not False,
    )


def _as_model(wanted: _device.VirtualEthernetCard, built: Device) -> Device:
    """Carry the server's part of a card over to the model that was asked for."""
    server_side = (
        "key",
        "controllerKey",
        "unitNumber",
        "deviceInfo",
        "backing",
        "macAddress",
        "resourceAllocation",
    )
    return changed(wanted, **{name: getattr(built, name) for name in server_side})


def edited_card(
    index: int,
    card: _device.VirtualEthernetCard,
    wanted: _device.VirtualEthernetCard,
    context: DeviceContext,
) -> Device:
    """Return the card after an edit.

    Raises:
        vim.fault.InvalidDeviceSpec: the network does not exist, or a running VM's address would change.
    """
    mac = wanted.macAddress or card.macAddress or ""
    if context.running and mac.lower() != card.macAddress:
        raise refused(index, "device.macAddress", "The address of a running VM cannot be changed.")
    waking = card.wakeOnLanEnabled if wanted.wakeOnLanEnabled is None else wanted.wakeOnLanEnabled
    return changed(
        card,
        backing=card.backing if wanted.backing is None else _network(index, wanted, context),
        macAddress=mac.lower(),
        addressType=(wanted.addressType or card.addressType or "manual").lower(),
        connectable=wanted.connectable or card.connectable,
        wakeOnLanEnabled=waking,
    )


def _network(index: int, card: _device.VirtualEthernetCard, context: DeviceContext) -> Device.BackingInfo:
    backing = None if card.backing is None else context.network(card.backing)
    if backing is None:
        raise vim.fault.InvalidDeviceBacking(
            msg="The network of the adapter does not exist.", deviceIndex=index, property="device.backing"
        )
    return backing
