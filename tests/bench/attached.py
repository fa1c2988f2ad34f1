"""A disk that is attached to this machine, for the benchmark ``transport``: a loop device on the disk's file.

Both ways go past all page caches, in requests of 1 MiB: ``dd iflag=direct`` or ``dd oflag=direct conv=fsync``, one
request after the other, and our HotAdd reader or writer, several in flight, with the device found by its serial
number and let go of afterwards. What is compared is therefore a device that has to be waited for. On one that
answers at more than 1 GB/s the copy through the aligned buffers shows: bare threads that copy as well are as fast
as our reader, and 8 % slower than those that do not.
"""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.core.access import AccessMode, Attachment, DiskAccess, DiskAddress
from app.core.cancel import CancelToken
from app.core.disks import ReadRequest, page_aligned
from app.domain.ids import VmId
from app.domain.states import TransportMode
from app.transport.factory import NativeTransports
from app.transport.hotadd.machine import GuestMachine
from tests.support.fakes import NullTaskLog

MIB = 1 << 20
_SERIAL = "6000c290-0000-0000-0000-00000000bec4"


def is_possible() -> bool:
    """Return whether loop devices can be made here."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and Path("/dev/loop-control").exists()


class AttachedDevice:
    """A loop device in the place of an attached disk; fulfils ``AttachedDisks``."""

    def __init__(self, device: Path, root: Path, size: int) -> None:
        self.device = device
        self._root = root
        self._size = size
        firmware, controls = root / "sys/class/dmi/id", root / "sys/devices/2:0:0:0"
        for folder in (firmware, controls, root / "dev/disk/by-id", root / "sys/class/block" / device.name):
            folder.mkdir(parents=True)
        (firmware / "sys_vendor").write_text("VMware, Inc.", encoding="ascii")
        (firmware / "product_uuid").write_text("421f0b1c-2d3e-4f50-8192-a3b4c5d6e7f8", encoding="ascii")
        (firmware / "product_serial").write_text("none", encoding="ascii")
        (root / "dev" / device.name).symlink_to(device)
        (root / "sys/class/block" / device.name / "device").symlink_to(controls)
        (controls / "delete").touch()

    @property
    def _link(self) -> Path:
        return self._root / "dev/disk/by-id" / f"wwn-0x{_SERIAL.replace('-', '')}"

    def attach(
        self,
        bios_uuids: Sequence[str],
        disk: DiskAddress,
        access: AccessMode,
        check: Callable[[Attachment], None],
    ) -> Attachment:
        """Let the device be seen."""
        assert bios_uuids
        attachment = Attachment(
            machine=VmId("vm-2"),
            machine_uuid="instance",
            machine_name="bench",
            path=disk.path,
            disk_uuid=_SERIAL,
            bus=0,
            unit=0,
            is_writable=access is AccessMode.WRITE,
        )
        check(attachment)
        self._link.symlink_to(f"../../{self.device.name}")
        return attachment

    def detach(self, attachment: Attachment) -> None:
        """Take it away."""
        assert attachment.disk_uuid == _SERIAL
        self._link.unlink(missing_ok=True)

    @property
    def _disk(self) -> DiskAddress:
        return DiskAddress(
            vm=VmId("vm-1"), vm_name="bench", disk_key=2000, path="bench", capacity_bytes=self._size
        )

    def read_whole(self, request_bytes: int) -> None:
        """Read the device by the reader of HotAdd; attaching and detaching are no part of what is compared."""
        reader = NativeTransports(machine=GuestMachine(self._root)).open_reader(
            DiskAccess(hotadd=self),
            self._disk,
            preferred=[TransportMode.HOTADD],
            log=NullTaskLog(),
            cancel=CancelToken(),
        )
        free = [page_aligned(request_bytes) for _ in range(reader.window)]

        def requests() -> Iterator[ReadRequest]:
            for offset in range(0, self._size, request_bytes):
                yield ReadRequest(offset, free.pop(), is_exchangeable=True)

        received = 0
        try:
            for request in reader.read_many(requests()):
                received += len(request.buffer)
                free.append(request.buffer)
        finally:
            self._link.unlink()  # as the kernel does when it is told to let go
            reader.close()
        assert received == self._size, "the disk was not read whole"

    def write_whole(self, data: bytes) -> None:
        """Write the device full of the same bytes by the writer of HotAdd, until all of it is durable."""
        writer = NativeTransports(machine=GuestMachine(self._root)).open_writer(
            DiskAccess(hotadd=self),
            self._disk,
            preferred=[TransportMode.HOTADD],
            log=NullTaskLog(),
            cancel=CancelToken(),
        )
        try:
            for offset in range(0, self._size, len(data)):
                writer.write(offset, data)
            writer.flush()
        finally:
            self._link.unlink()
            writer.close()

    def dd(self) -> None:
        """Read the device by ``dd``."""
        _dd(f"if={self.device}", "of=/dev/null", "iflag=direct")

    def dd_from(self, file: Path) -> None:
        """Write the device by ``dd`` from a file in memory, until all of it is durable."""
        _dd(f"if={file}", f"of={self.device}", "oflag=direct", "conv=fsync,nocreat")


def _dd(*operands: str) -> None:
    subprocess.run(["dd", *operands, "bs=1M"], check=True, stderr=subprocess.DEVNULL)


@contextmanager
def attached(file: Path, size: int, folder: Path, *, writable: bool = False) -> Iterator[AttachedDevice]:
    """Make a loop device of a file for the length of a block."""
    mode = () if writable else ("--read-only",)
    made = subprocess.run(
        ["losetup", "--find", "--show", *mode, "--direct-io=on", str(file)],
        check=True,
        capture_output=True,
        text=True,
    )
    device = Path(made.stdout.strip())
    try:
        yield AttachedDevice(device, folder, size)
    finally:
        subprocess.run(["losetup", "--detach", str(device)], check=True)
