"""What distinguishes a VM from others: its UUIDs and MAC addresses, given to it again once no one else has them.

vCenter gives a VM that is created while the old one exists another instance UUID, and another MAC address where
it manages the addresses. A restore over the original sets them back when the old VM is gone.
"""

from collections.abc import Sequence
from typing import Any

from pyVmomi import vim

from app.domain.ids import VmId
from app.domain.messages import Message
from app.domain.vms import SavedConfiguration
from app.vsphere import saved_vm, tasks
from app.vsphere.deviations import BIOS_UUID, INSTANCE_UUID, MAC_ADDRESS
from app.vsphere.plain_values import is_address, plain_uuid
from app.vsphere.properties import Row, read
from app.vsphere.session import VSphereSession
from app.vsphere.tasks import Deadline, Waiting
from app.vsphere.words import Operation

_RECONFIGURE_S = 300.0
_PATHS = ("config.uuid", "config.instanceUuid", "config.hardware.device")
_Card = vim.vm.device.VirtualEthernetCard


def give_identity(session: VSphereSession, vm: VmId, saved: SavedConfiguration) -> tuple[Message, ...]:
    """Give a powered-off VM the identity of a saved one; see ``KeptIdentity.give_identity``.

    Raises:
        vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        ConfigurationUnreadable: what was saved is not a configuration.
    """
    wanted = plain_identity(saved_vm.read(saved.files.get(saved_vm.CONFIG_FILE, b"")).config)
    spec = identity_spec(wanted, _present(session, vm))
    if spec is None:
        return ()
    waiting = Waiting(operation=Operation.RECONFIGURE_VM, deadline=Deadline.after(session.clock, _RECONFIGURE_S))
    tasks.run_task(session, lambda connection: connection.vm(vm).ReconfigVM_Task(spec=spec), waiting)
    return tuple(_differences(wanted, _present(session, vm)))


def plain_identity(config: Any) -> Any:
    """Return a saved configuration without UUIDs and addresses that are none: the file may have been forged."""
    config.uuid, config.instanceUuid = plain_uuid(config.uuid) or "", plain_uuid(config.instanceUuid)
    for device in config.hardware.device if config.hardware is not None else ():
        if isinstance(device, _Card) and not is_address(device):
            device.macAddress = None
    return config


def _present(session: VSphereSession, vm: VmId) -> Row:
    return session.run(lambda connection: read(connection.query(), connection.vm(vm), *_PATHS))


def identity_spec(wanted: Any, present: Row) -> Any:
    """Return the ``vim.vm.ConfigSpec`` that makes a VM the wanted one, or None when it is that already.

    Args:
        wanted: ``vim.vm.ConfigInfo`` of the saved VM.
        present: what the VM has now.
    """
    spec = vim.vm.ConfigSpec()
    if _differ(wanted.uuid, present.get("config.uuid")):
        spec.uuid = wanted.uuid
    if _differ(wanted.instanceUuid, present.get("config.instanceUuid")):
        spec.instanceUuid = wanted.instanceUuid
    spec.deviceChange = [
        vim.vm.device.VirtualDeviceSpec(operation="edit", device=_with_address(card, old))
        for card, old in _strangers(wanted, present)
    ]
    return spec if spec.uuid or spec.instanceUuid or spec.deviceChange else None


def _strangers(wanted: Any, present: Row) -> list[tuple[Any, Any]]:
    """Pair the adapters whose address is not one of the saved VM's with those whose address no one has."""
    old = _cards(wanted.hardware.device if wanted.hardware is not None else ())
    new = _cards(present.get("config.hardware.device") or ())
    kept = {_address(card) for card in old} & {_address(card) for card in new}
    missing = [card for card in old if _address(card) not in kept]
    free = [card for card in new if _address(card) not in kept]
    return list(zip(free, missing, strict=False))


def _with_address(card: Any, old: Any) -> Any:
    card.macAddress, card.addressType = old.macAddress, old.addressType
    return card


def _differences(wanted: Any, present: Row) -> list[Message]:
    found = []
    if _differ(wanted.uuid, present.get("config.uuid")):
        found.append(BIOS_UUID.fill())
    if _differ(wanted.instanceUuid, present.get("config.instanceUuid")):
        found.append(INSTANCE_UUID.fill())
    return found + [MAC_ADDRESS.fill(address=str(old.macAddress)) for _, old in _strangers(wanted, present)]


def _differ(wanted: str | None, present: str | None) -> bool:
    return bool(wanted) and (wanted or "").lower() != (present or "").lower()


def _cards(devices: Sequence[Any]) -> list[Any]:
    found = [device for device in devices if isinstance(device, _Card) and device.macAddress]
    return sorted(found, key=lambda card: card.key)


def _address(card: Any) -> str:
    return str(card.macAddress).lower()
