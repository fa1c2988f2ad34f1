"""Whether a platform reaches a VM and its host, and whose VM it is when it is nobody's workload."""

from enum import Enum

from app.domain.errors import OperationalError
from app.domain.messages import Word


class VmConnection(Enum):
    """How a platform reaches a VM.

    Source: ``VirtualMachineConnectionState`` of the vSphere Web Services reference.
    """

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    """Its host is disconnected; what is known of the VM is of before."""
    INACCESSIBLE = "inaccessible"
    """Files of its configuration cannot be reached; that may pass."""
    INVALID = "invalid"
    """Its configuration is there and cannot be understood."""
    ORPHANED = "orphaned"
    """Its host does not know it any more."""


class HostConnection(Enum):
    """How a platform reaches a host.

    Source: ``HostSystemConnectionState`` of the vSphere Web Services reference.
    """

    CONNECTED = "connected"
    NOT_RESPONDING = "not_responding"
    DISCONNECTED = "disconnected"


class SystemRole(Word):
    """What a VM does for the platform itself, which makes and removes it as it likes."""

    CLUSTER_SERVICES = "vSphere Cluster Services (vCLS)"


class VmDisconnected(OperationalError):
    """The VM's host is disconnected from the platform."""

    code = "vm.disconnected"
    message_template = "The VM {vm} cannot be reached: its host {host} is disconnected from vCenter."
    hint_template = "Connect the host again in vCenter, or move the VM to another host; then run the task again."
    retryable = True


class VmHostSilent(OperationalError):
    """The VM's host does not answer the platform."""

    code = "vm.host_silent"
    message_template = "The VM {vm} cannot be reached: its host {host} does not answer vCenter."
    hint_template = "Look whether the host runs and its management network works; then run the task again."
    retryable = True


class VmInaccessible(OperationalError):
    """Files of the VM cannot be reached."""

    code = "vm.inaccessible"
    message_template = "The VM {vm} is inaccessible: its host {host} cannot reach its files."
    hint_template = "Look whether its datastore is mounted on the host and answers; then run the task again."
    retryable = True


class VmInvalid(OperationalError):
    """The VM's configuration file cannot be understood."""

    code = "vm.invalid"
    message_template = "The VM {vm} is invalid: its host {host} cannot understand its configuration file."
    hint_template = "Repair its .vmx file and register the VM again, or restore it from a restore point."


class VmOrphaned(OperationalError):
    """The VM's host does not know it any more."""

    code = "vm.orphaned"
    message_template = "The VM {vm} is orphaned: it is not registered on its host {host} any more."
    hint_template = (
        "Register it again from its .vmx file and remove the orphaned entry from the inventory of vCenter; the "
        "rule follows it."
    )


class SystemVmRefused(OperationalError):
    """The VM belongs to the platform itself."""

    code = "vm.of_the_system"
    message_template = (
        "{vm} is a VM of {role}: the platform makes and removes it by itself, and it is not backed up."
    )
    hint_template = "Take it out of the rule: nothing in it is worth keeping."


_UNREACHED: dict[VmConnection, type[OperationalError]] = {
    VmConnection.DISCONNECTED: VmDisconnected,
    VmConnection.INACCESSIBLE: VmInaccessible,
    VmConnection.INVALID: VmInvalid,
    VmConnection.ORPHANED: VmOrphaned,
}
_AWAY: dict[HostConnection, type[OperationalError]] = {
    HostConnection.DISCONNECTED: VmDisconnected,
    HostConnection.NOT_RESPONDING: VmHostSilent,
}


def why_unreached(name: str, host_name: str, vm: VmConnection, host: HostConnection) -> OperationalError | None:
    """Return why a VM cannot be reached, with what can be done; None when it can.

    The host's state says more than that the VM is disconnected.
    """
    kind = _UNREACHED.get(vm)
    if kind in (None, VmDisconnected):
        kind = _AWAY.get(host) or kind
    return None if kind is None else kind(vm=name, host=host_name or "-")
