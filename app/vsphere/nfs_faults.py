"""What a host means when it does not mount an NFS export.

Hosts report it as a configuration fault whose text is that of their kernel, in English; no list of these texts is
published, so what is not recognized keeps the words of its fault. Source of ``NFS.MaxVolumes``: the vendor's
knowledge base article 323326 (formerly 2239).
"""

import re
from typing import Any, Final

from pyVmomi import vim

from app.domain.messages import Message, MessageKind
from app.vsphere.faultwords import fault_reason, fault_text
from app.vsphere.reasons import NFS_DENIED, NFS_LIMIT, NFS_NOT_REACHED

_FAULTS: Final[dict[type, MessageKind]] = {
    vim.fault.NasConnectionLimitReached: NFS_LIMIT,
    vim.fault.NoPermissionOnNasVolume: NFS_DENIED,
}
_TEXTS: Final[tuple[tuple[re.Pattern[str], MessageKind], ...]] = (
    (re.compile(r"maximum number of .*(volumes|mounts)|MaxVolumes|too many .*mount", re.IGNORECASE), NFS_LIMIT),
    (re.compile(r"denied by the NFS server|access denied|permission denied", re.IGNORECASE), NFS_DENIED),
    (
        re.compile(r"unable to connect|could not connect|timed? ?out|no route|not respond", re.IGNORECASE),
        NFS_NOT_REACHED,
    ),
)
_HIDDEN: Final = "…"


def mount_reason(fault: Any) -> Message:
    """Return why a host did not mount an export; what it said itself are the details."""
    text = fault_text(fault)
    kind = _FAULTS.get(type(fault)) or next((kind for pattern, kind in _TEXTS if pattern.search(text)), None)
    reason = fault_reason(fault)
    return reason if kind is None else kind.fill(details=text)


def without_path(fault: Any, path: str) -> None:
    """Take an export's path out of the texts of a fault: who knows it may mount it, and faults are logged."""
    for name in ("msg", "text", "remotePath"):
        said = getattr(fault, name, None)
        if isinstance(said, str):
            setattr(fault, name, said.replace(path, _HIDDEN))
    for line in getattr(fault, "faultMessage", None) or ():
        line.message = (line.message or "").replace(path, _HIDDEN)
        for argument in line.arg or ():
            if isinstance(argument.value, str):
                argument.value = argument.value.replace(path, _HIDDEN)
    for inner in (getattr(fault, "faultCause", None), *(getattr(fault, "failure", None) or ())):
        if inner is not None:
            without_path(inner, path)
