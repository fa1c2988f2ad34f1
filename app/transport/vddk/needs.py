"""What each mode of VMware's library needs, said where it cannot be used."""

from typing import Final

from app.domain.messages import Message, MessageKind
from app.domain.states import TransportMode
from app.transport import messages

NEEDS_LUNS: Final = MessageKind(
    "vddk.needs_luns",
    "SAN needs the datastore's LUNs to be visible on this machine over Fibre Channel or iSCSI, and VMs on VMFS",
)
NEEDS_PROXY: Final = MessageKind(
    "vddk.needs_proxy",
    "HOTADD needs this program to run inside a VM of the same platform, whose host reaches the datastore",
)
NEEDS_OF_MODE: Final = {TransportMode.SAN: NEEDS_LUNS, TransportMode.HOTADD: NEEDS_PROXY}


def without_library(mode: TransportMode) -> Message:
    """Return why a mode of the library is not used where there is none, and all that it would need."""
    needed = NEEDS_OF_MODE.get(mode)
    if needed is None:
        return messages.VDDK_NOT_INSTALLED.fill(mode=mode.name)
    return messages.VDDK_NOT_INSTALLED_AND_MORE.fill(mode=mode.name, needed=needed)
