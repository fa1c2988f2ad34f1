"""What a host answers that cannot mount an export.

Sources: the faults of ``CreateNasDatastore`` and the children of ``NasConfigFault`` in the vSphere Web Services
reference; the texts as administrators report them from ESXi 6 to 8.
"""

from typing import Final

from pyVmomi import vim, vmodl

from app.simulator.nas import MountRefused, Refusal

_REPORT: Final = (
    "Operation failed, diagnostics report: Unable to complete Sysinfo operation.  Please see the VMkernel log "
    "file for more details.: Sysinfo error: {reason}"
)
_UNREACHABLE: Final = "Unable to connect to NFS server"
_DENIED: Final = (
    "The mount request was denied by the NFS server. Check that the export exists and that the client is "
    "permitted to mount it"
)
_LIMIT: Final = "NFS has reached the maximum number of supported volumes."
_MOST_NAME_LENGTH: Final = 42
"""Of a datastore on ESXi."""


def refuse_senseless(spec: vim.host.NasVolume.Specification) -> None:
    """Refuse what can be no export.

    Raises:
        vmodl.fault.InvalidArgument: it names no server, path, name or mode, or another protocol.
    """
    name = spec.localPath or ""
    checks = (
        ("spec.remoteHost", bool(spec.remoteHost)),
        ("spec.remotePath", (spec.remotePath or "").startswith("/")),
        ("spec.localPath", 0 < len(name.strip()) <= _MOST_NAME_LENGTH and "/" not in name),
        ("spec.accessMode", spec.accessMode in ("readWrite", "readOnly")),
        ("spec.type", (spec.type or "NFS").upper() == "NFS"),
    )
    for place, is_fine in checks:
        if not is_fine:
            raise vmodl.fault.InvalidArgument(
                msg=f"A specified parameter was not correct: {place}", invalidProperty=place
            )


def mount_fault(spec: vim.host.NasVolume.Specification, refused: MountRefused) -> vim.fault.HostConfigFault:
    """Return the fault for an export that could not be mounted."""
    if refused.refusal is Refusal.DENIED:
        return vim.fault.NoPermissionOnNasVolume(msg=_REPORT.format(reason=_DENIED), name=spec.localPath)
    reason = _UNREACHABLE if refused.refusal is Refusal.UNREACHABLE else _DENIED
    text = _REPORT.format(reason=reason)
    return vim.fault.PlatformConfigFault(msg=f"An error occurred during host configuration. {text}", text=text)


def too_many_volumes(name: str) -> vim.fault.NasConnectionLimitReached:
    """Return the fault for more exports than a host mounts."""
    return vim.fault.NasConnectionLimitReached(msg=_LIMIT, name=name)
