"""What the guest of one VM sees of disks that are attached to it: real files below a folder that stands for ``/``.

A disk that is attached is copied through its chain into a file ``dev/sdb``, with the links and the folders of
sysfs that a Linux guest has for it. One that may be written is copied back, where it differs, when its device goes
away. A thread stands for the kernel: when ``1`` is written into ``delete`` the device goes away. A disk that is
detached while the guest still has its device counts as torn out.
"""

import itertools
import os
import shutil
import string
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.core.privatefiles import make_private_folder, make_private_folders, touch_private, write_private


class AttachedDisk(Protocol):
    """What is asked of a disk that is attached."""

    @property
    def uuid(self) -> str:
        """What the guest sees as its serial number, with dashes."""
        ...

    def export_raw(self, target: Path) -> None:
        """Write the whole disk into a new file."""
        ...

    def read(self, offset: int, length_bytes: int) -> bytes:
        """Return bytes."""
        ...

    def write(self, offset: int, data: bytes) -> None:
        """Write bytes."""
        ...


_LOOK_S = 0.02
_PIECE_BYTES = 64 * 1024
"""What is compared, and copied back where it differs: what a thin disk grows by."""


@dataclass(frozen=True, slots=True)
class _Device:
    name: str
    path: str
    """Datastore path of the disk."""
    bus: int
    unit: int
    links: tuple[Path, ...]
    controls: Path
    writes_to: AttachedDisk | None
    """The disk, where the guest may write it."""


class GuestDevices:
    """The devices of the VM that counts as this machine. Thread: any; ``_lock`` guards what is there.

    Attributes:
        root: stands for the root of its file system.
        torn_out: datastore paths of disks that were detached while the guest still had them.
        shown: datastore paths of all disks that the guest ever saw attached.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.torn_out: list[str] = []
        self.shown: list[str] = []
        self._lock = threading.Lock()
        self._devices: dict[int, _Device] = {}
        self._names = (f"sd{letters}" for letters in _letters())
        self._stopping = threading.Event()
        self._kernel = threading.Thread(target=self._run, name="guest-kernel", daemon=True)
        next(self._names)  # sda is what it runs on
        for folder in ("dev/disk/by-id", "sys/class/block", "sys/devices", "sys/class/dmi/id"):
            make_private_folders(root / folder)

    def start(self, bios_uuid: str) -> None:
        """Let the guest run with a UUID, which its firmware shows in two orders of bytes."""
        wanted = uuid.UUID(bios_uuid)
        groups = wanted.hex[:16], wanted.hex[16:]
        serial = "-".join(" ".join(half[at : at + 2] for at in range(0, 16, 2)) for half in groups)
        firmware = self.root / "sys/class/dmi/id"
        write_private(firmware / "sys_vendor", b"VMware, Inc.\n")
        write_private(firmware / "product_serial", f"VMware-{serial}\n".encode("ascii"))
        write_private(firmware / "product_uuid", f"{uuid.UUID(bytes=wanted.bytes_le)}\n".encode("ascii"))
        self._kernel.start()

    def stop(self) -> None:
        """End the guest."""
        self._stopping.set()
        if self._kernel.is_alive():
            self._kernel.join()

    def show(
        self,
        key: int,
        disk: AttachedDisk,
        path: str,
        bus: int,
        unit: int,
        *,
        has_serial: bool,
        is_writable: bool = False,
    ) -> None:
        """Let the guest see a disk; without a serial number it has no name below ``by-id``."""
        with self._lock:
            name = next(self._names)
            image = self.root / "dev" / name
            disk.export_raw(image)
            image.chmod(0o600 if is_writable else 0o400)
            controls = self.root / "sys/devices" / f"{bus + 2}:0:{unit}:0"
            make_private_folder(controls)
            touch_private(controls / "delete")
            block = self.root / "sys/class/block" / name
            make_private_folder(block)
            (block / "device").symlink_to(os.path.relpath(controls, block))
            digits = disk.uuid.replace("-", "")
            links = [self.root / "dev/disk/by-id" / f"{kind}{digits}" for kind in ("wwn-0x", "scsi-3")]
            for link in links if has_serial else []:
                link.symlink_to(f"../../{name}")
            writes_to = disk if is_writable else None
            self._devices[key] = _Device(name, path, bus, unit, tuple(links), controls, writes_to)
            self.shown.append(path)

    def take_away(self, key: int) -> None:
        """Take a disk away that is detached."""
        with self._lock:
            device = self._devices.pop(key, None)
            if device is not None and device.controls.exists():
                self.torn_out.append(device.path)
                self._forget(device)

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            with self._lock:
                for device in self._devices.values():
                    delete = device.controls / "delete"
                    if delete.exists() and delete.read_text(encoding="ascii").strip() == "1":
                        self._forget(device)

    def _forget(self, device: _Device) -> None:
        for link in device.links:
            link.unlink(missing_ok=True)
        shutil.rmtree(self.root / "sys/class/block" / device.name)
        shutil.rmtree(device.controls)
        image = self.root / "dev" / device.name
        if device.writes_to is not None:
            _bring_back(image, device.writes_to)
        image.unlink()


def _bring_back(image: Path, disk: AttachedDisk) -> None:
    with image.open("rb") as file:
        offset = 0
        while written := file.read(_PIECE_BYTES):
            if written != disk.read(offset, len(written)):
                disk.write(offset, written)
            offset += len(written)


def _letters() -> "itertools.chain[str]":
    return itertools.chain(
        string.ascii_lowercase, ("".join(pair) for pair in itertools.product(string.ascii_lowercase, repeat=2))
    )
