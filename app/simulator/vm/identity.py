"""What distinguishes VMs: UUIDs, MAC addresses, and the place they were written at."""

import hashlib
import uuid

from app.simulator.storage import DatastorePath
from app.simulator.world import World

_NAMESPACE = uuid.NAMESPACE_OID.bytes


def derived_uuid(*parts: object) -> str:
    """Return a UUID that follows from its parts."""
    # the same as uuid.uuid5 in a third of the time: inventories of thousands are described with it
    digest = hashlib.sha1(_NAMESPACE + "/".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def bios_uuid(*parts: object) -> str:
    """Return a BIOS UUID in VMware's spelling (``42…`` or ``56…`` first) that follows from its parts."""
    return "42" + derived_uuid(*parts)[2:]


def disk_uuid(*parts: object) -> str:
    """Return a disk's UUID in VMware's spelling (``6000C29…`` first) that follows from its parts."""
    return "6000c29" + derived_uuid(*parts)[7:]


def location_id(home: DatastorePath) -> str:
    """Name the place of a .vmx file, as ``uuid.location`` does."""
    return "564d" + derived_uuid("location", home)[4:]


def new_mac(world: World) -> tuple[str, str]:
    """Return a MAC address that is not in use and its address type, as the server of this flavour chooses them."""
    number = world.new_number()
    if world.spec.is_vcenter:
        return (
            f"00:50:56:{0x80 + (number >> 16) % 0x40:02x}:{number >> 8 & 0xFF:02x}:{number & 0xFF:02x}",
            "assigned",
        )
    return f"00:0c:29:{number >> 16 & 0xFF:02x}:{number >> 8 & 0xFF:02x}:{number & 0xFF:02x}", "generated"
