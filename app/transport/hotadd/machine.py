"""The machine that this program runs on: its UUID, and the disks that its kernel sees.

Sources: the kernel's ``Documentation/ABI`` (``sysfs-firmware-dmi-tables``, ``sysfs-class-scsi_host``) and
``drivers/firmware/dmi_scan.c`` for the order of the bytes; Kubernetes' cloud provider for vSphere for the serial
number ``VMware-42 1f …`` and for ``wwn-0x`` and the UUID of a disk below ``/dev/disk/by-id``.
"""

import contextlib
import os
import re
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.core.access import Attachment
from app.core.cancel import CancelToken
from app.core.privatefiles import open_private
from app.domain.messages import Message, Sayable
from app.domain.reasons import reason_of
from app.transport.reasons import (
    GUEST_HAS_IT,
    GUEST_SHOWS_ANOTHER,
    GUEST_SHOWS_NONE,
    GUEST_SHOWS_SEVERAL,
    LINUX_ONLY,
    NO_VMWARE_MACHINE,
    UUID_UNREADABLE,
)

_DMI: Final = "sys/class/dmi/id"
_BY_ID: Final = "dev/disk/by-id"
_BLOCK: Final = "sys/class/block"
_HOSTS: Final = "sys/class/scsi_host"
_SERIAL: Final = re.compile(r"VMware-((?:[0-9a-f]{2}[ -]?){16})$", re.IGNORECASE)
APPEARS_WITHIN_S: Final = 30.0
SCAN_AFTER_S: Final = 2.0
"""Guests notice a new disk by themselves; old LSI Logic drivers have to be told to look."""
GONE_WITHIN_S: Final = 10.0
_PAUSE_S: Final = 0.1


class NotSeen(Exception):
    """The guest does not see what it should; the reason is a message. Never leaves the transports."""

    def __init__(self, reason: Sayable) -> None:
        self._reason = reason.said()
        super().__init__(str(self._reason))

    def said(self) -> Message:
        """Return the reason as a message."""
        return self._reason


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestDisk:
    """A block device of this machine."""

    device: Path
    """Such as ``/dev/sdb``."""
    controls: Path
    """Its folder in sysfs, such as ``/sys/class/block/sdb/device``."""


class GuestMachine:
    """Looks at this machine through the files of its kernel. Thread: any; it holds nothing.

    Attributes:
        root: where those files are; another folder than ``/`` only in tests.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def bios_uuids(self) -> tuple[str, ...]:
        """Return what the UUID of this machine may be to its platform, the likeliest first.

        VMware writes it into the serial number in the platform's order. ``product_uuid`` has the first three
        groups turned around, or not, by the version of the virtual hardware.

        Raises:
            NotSeen: this is no VM of VMware's, or its UUID may not be read.
        """
        if sys.platform != "linux":
            raise NotSeen(LINUX_ONLY)
        folder = self.root / _DMI
        try:
            if "vmware" not in _line(folder / "sys_vendor").lower():
                raise NotSeen(NO_VMWARE_MACHINE)
        except FileNotFoundError as error:
            raise NotSeen(NO_VMWARE_MACHINE) from error
        try:
            serial = _SERIAL.match(_line(folder / "product_serial"))
            if serial is not None:
                return (str(uuid.UUID(re.sub("[ -]", "", serial[1]))),)
            read = uuid.UUID(_line(folder / "product_uuid"))
        except (OSError, ValueError) as error:
            raise NotSeen(UUID_UNREADABLE.fill(reason=reason_of(error))) from error
        turned = uuid.UUID(bytes=read.bytes_le)
        return tuple(dict.fromkeys((str(turned), str(read))))

    def refuse_known(self, planned: Attachment) -> None:
        """Make sure that a disk which is about to be attached cannot be taken for one that is there already.

        Raises:
            NotSeen: this system has a disk with its serial number.
        """
        names = sorted(set(self._named(planned.disk_uuid)))
        if names:
            raise NotSeen(GUEST_HAS_IT.fill(uuid=planned.disk_uuid, names=", ".join(names)))

    def find(self, attachment: Attachment, cancel: CancelToken) -> GuestDisk:
        """Wait until the guest sees a disk that was attached, and return it.

        Raises:
            NotSeen: it does not, or more than one could be it.
            TaskCancelled: cancelled while waiting.
        """
        began = time.monotonic()
        limit, scan_at = began + APPEARS_WITHIN_S, began + SCAN_AFTER_S
        while (found := self._look(attachment)) is None:
            now = time.monotonic()
            if now >= limit:
                raise NotSeen(GUEST_SHOWS_NONE.fill(uuid=attachment.disk_uuid, seconds=f"{APPEARS_WITHIN_S:g}"))
            if now >= scan_at:
                self._scan()
                scan_at = limit
            cancel.wait(_PAUSE_S)
        return found

    def let_go(self, attachment: Attachment) -> bool:
        """Let the kernel forget a disk; return whether it has, or never knew it.

        Raises:
            NotSeen: more than one could be it, so that none is touched.
            OSError: the kernel refuses.
        """
        disk = self._look(attachment)
        if disk is None:
            return True
        _tell(disk.controls / "delete", b"1")
        limit = time.monotonic() + GONE_WITHIN_S
        while self._look(attachment) is not None:
            if time.monotonic() >= limit:
                return False
            time.sleep(_PAUSE_S)
        return True

    def _look(self, attachment: Attachment) -> GuestDisk | None:
        """Return the disk of an attachment, None when the guest does not see it.

        Raises:
            NotSeen: several have its serial number, or the one that has is at another place.
        """
        names = set(self._named(attachment.disk_uuid))
        if not names:
            return None
        if len(names) > 1:
            raise NotSeen(GUEST_SHOWS_SEVERAL.fill(uuid=attachment.disk_uuid, names=", ".join(sorted(names))))
        (name,) = names
        disk = GuestDisk(device=self.root / "dev" / name, controls=self.root / _BLOCK / name / "device")
        unit = _unit_of(disk.controls)
        if unit is not None and unit != attachment.unit:
            raise NotSeen(GUEST_SHOWS_ANOTHER.fill(name=name, found=unit, unit=attachment.unit))
        return None if unit is None else disk

    def _named(self, disk_uuid: str) -> Iterator[str]:
        digits = disk_uuid.replace("-", "").lower()
        for name in (f"wwn-0x{digits}", f"scsi-3{digits}"):
            with contextlib.suppress(OSError):
                yield (self.root / _BY_ID / name).readlink().name

    def _scan(self) -> None:
        for scan in (self.root / _HOSTS).glob("*/scan"):
            with contextlib.suppress(OSError):
                _tell(scan, b"- - -")


def _tell(control: Path, words: bytes) -> None:
    """Write to a file of the kernel's; where it has none, none is made."""
    with os.fdopen(open_private(control, os.O_WRONLY), "wb") as file:
        file.write(words)


def _line(file: Path) -> str:
    return file.read_text(encoding="ascii", errors="replace").strip()


def _unit_of(controls: Path) -> int | None:
    """Return the unit number in ``…/2:0:1:0``, None when the device is not there (any more)."""
    try:
        return int(controls.readlink().name.split(":")[2])
    except (OSError, ValueError, IndexError):
        return None
