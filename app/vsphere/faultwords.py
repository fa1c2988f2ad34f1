"""Our words for the faults of a platform; its own, which come in its language, are kept as details.

Source: VMware vSphere Web Services API reference, "Faults".
"""

from typing import Any, Final

from pyVmomi import vim, vmodl

from app.domain.messages import Message, MessageKind

FAULT: Final = MessageKind("fault.other", "the platform reported the fault {fault}")

_WORDS: Final[dict[type, MessageKind]] = {
    vim.fault.TaskInProgress: MessageKind("fault.task_in_progress", "another task is working on it"),
    vim.fault.ConcurrentAccess: MessageKind(
        "fault.concurrent_access", "another user or program changed it meanwhile"
    ),
    vmodl.fault.HostCommunication: MessageKind(
        "fault.host_communication", "the platform cannot communicate with the host"
    ),
    vmodl.fault.HostNotConnected: MessageKind("fault.host_not_connected", "the host is not connected to vCenter"),
    vmodl.fault.HostNotReachable: MessageKind("fault.host_not_reachable", "vCenter cannot reach the host"),
    vim.fault.FileLocked: MessageKind("fault.file_locked", "a file is locked by another VM or program"),
    vim.fault.FileNotFound: MessageKind("fault.file_not_found", "a file is missing"),
    vim.fault.FileAlreadyExists: MessageKind("fault.file_exists", "a file of that name is there already"),
    vim.fault.CannotAccessFile: MessageKind("fault.file_not_accessible", "a file cannot be accessed"),
    vim.fault.FileFault: MessageKind("fault.file", "a file cannot be used"),
    vim.fault.NoDiskSpace: MessageKind("fault.no_disk_space", "the datastore has no space left"),
    vim.fault.InsufficientStorageSpace: MessageKind(
        "fault.insufficient_storage", "the datastores have not enough space left"
    ),
    vim.fault.InvalidDatastore: MessageKind("fault.invalid_datastore", "the datastore cannot be used"),
    vim.fault.InsufficientResourcesFault: MessageKind(
        "fault.insufficient_resources", "the host has not enough CPU or memory left"
    ),
    vmodl.fault.MethodNotFound: MessageKind("fault.method_not_found", "it does not know this request"),
    vmodl.fault.NotImplemented: MessageKind("fault.not_implemented", "it does not implement this request"),
    vmodl.fault.NotSupported: MessageKind("fault.not_supported", "it does not support this here"),
    vim.fault.RestrictedVersion: MessageKind("fault.restricted_version", "its licence does not allow it"),
    vmodl.fault.NotEnoughLicenses: MessageKind("fault.no_licence", "it has no licence for it"),
    vim.fault.NoPermission: MessageKind("fault.no_permission", "the account has no permission for it"),
    vim.fault.NotAuthenticated: MessageKind("fault.not_authenticated", "the session is not valid any more"),
    vim.fault.InvalidLogin: MessageKind("fault.invalid_login", "the account or its password is wrong"),
    vim.fault.DuplicateName: MessageKind("fault.duplicate_name", "the name is in use already"),
    vim.fault.InvalidName: MessageKind("fault.invalid_name", "the name is not allowed"),
    vim.fault.InvalidPowerState: MessageKind(
        "fault.invalid_power_state", "the power state of the VM does not allow it"
    ),
    vim.fault.InvalidState: MessageKind("fault.invalid_state", "its present state does not allow it"),
    vim.fault.InvalidDeviceSpec: MessageKind("fault.invalid_device", "a device of the VM is not accepted"),
    vim.fault.InvalidVmConfig: MessageKind(
        "fault.invalid_vm_config", "the configuration of the VM is not accepted"
    ),
    vim.fault.VmConfigFault: MessageKind("fault.vm_config", "the configuration of the VM does not allow it"),
    vmodl.fault.InvalidArgument: MessageKind("fault.invalid_argument", "a value of the request is not accepted"),
    vmodl.fault.InvalidRequest: MessageKind("fault.invalid_request", "the request is not accepted"),
    vmodl.fault.ManagedObjectNotFound: MessageKind("fault.gone", "the object is not there any more"),
    vmodl.fault.RequestCanceled: MessageKind("fault.request_cancelled", "the request was cancelled"),
    vmodl.fault.SystemError: MessageKind("fault.system_error", "the platform has an error of its own"),
    vim.fault.Timedout: MessageKind("fault.timed_out", "it took too long"),
    vim.fault.ToolsUnavailable: MessageKind("fault.tools_unavailable", "VMware Tools do not run in the guest"),
    vim.fault.ApplicationQuiesceFault: MessageKind(
        "fault.application_quiesce", "an application in the guest could not be quiesced"
    ),
    vim.fault.FilesystemQuiesceFault: MessageKind(
        "fault.filesystem_quiesce", "the file systems of the guest could not be quiesced"
    ),
    vim.fault.TooManySnapshotLevels: MessageKind(
        "fault.too_many_snapshots", "the VM has too many snapshots already"
    ),
    vim.fault.NasConfigFault: MessageKind("fault.nas_config", "the host cannot set up the network datastore"),
    vim.fault.NoVirtualNic: MessageKind("fault.no_virtual_nic", "the host has no VMkernel adapter for it"),
    vim.fault.NoGateway: MessageKind("fault.no_gateway", "the VMkernel adapters of the host have no gateway"),
    vim.fault.PlatformConfigFault: MessageKind(
        "fault.platform_config", "the host could not carry out the change of its configuration"
    ),
    vim.fault.HostConfigFault: MessageKind("fault.host_config", "the host does not accept the configuration"),
    vim.fault.HostConnectFault: MessageKind("fault.host_connect", "the platform cannot connect to the host"),
    vim.fault.ResourceInUse: MessageKind("fault.resource_in_use", "a VM or another program is still using it"),
    vim.fault.AlreadyExists: MessageKind("fault.already_exists", "it is there already"),
    vim.fault.NotFound: MessageKind("fault.not_found", "it is not there"),
    vim.fault.MigrationFault: MessageKind("fault.migration", "the VM cannot be moved as it is"),
    vim.fault.SnapshotFault: MessageKind("fault.snapshot", "the snapshot could not be made or removed"),
}


def fault_text(fault: object) -> str:
    """Return the readable sentence of a fault: its message and what it adds, else its type's name."""
    parts = [str(getattr(fault, name, None) or "").strip() for name in ("msg", "text")]
    parts += [
        str(getattr(line, "message", None) or "").strip() for line in getattr(fault, "faultMessage", None) or ()
    ]
    parts = list(dict.fromkeys(part for part in parts if part))
    return " ".join(parts) or _name(fault)


def fault_reason(fault: Any) -> Message:
    """Return what a fault means, in our words; its type and its own words are the details."""
    name, text = _name(fault), fault_text(fault)
    details = name if text == name else f"{name}: {text}"
    for kind in type(fault).__mro__:
        words = _WORDS.get(kind)
        if words is not None:
            return words.fill(details=details)
    return FAULT.fill(fault=name, details=details)


def _name(fault: object) -> str:
    return type(fault).__name__.rpartition(".")[2]
