"""A folder that looks like an unpacked VDDK, with our stand-in for the library inside (``tests/vddk_double``)."""

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from app.core.access import DiskAccess, DiskAddress, VddkLogin
from app.core.cancel import CancelToken
from app.core.retry import RetryPolicy
from app.core.tasklog import TaskLog
from app.domain.ids import SnapshotId, VmId
from app.domain.states import TransportMode
from app.paths import program_command
from app.transport.factory import NativeTransports
from app.transport.options import TransportOptions
from app.transport.vddk.reader import VddkReader
from app.transport.vddk.service import Vddk
from app.transport.vddk.writer import VddkWriter
from tests.support.built_once import built_once
from tests.support.fakes import NullTaskLog

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "tests" / "vddk_double" / "vixDiskLib.c"
CACHE = ROOT / ".cache" / "vddk"
PASSWORD = "s3cret-of-the-library"  # never to be seen on a command line, in a log or an error
THUMBPRINT = "AB:" * 19 + "AB"
PATH = "[ds1] web-01/web-01.vmdk"
SNAPSHOT = "snapshot-7"


def built_double(*options: str) -> Path:
    """Return the stand-in, built once per version of its source; ``options`` are the compiler's."""
    digest = hashlib.sha256(SOURCE.read_bytes() + " ".join(options).encode()).hexdigest()[:16]
    command = ["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", *options, str(SOURCE), "-o"]
    return built_once(
        CACHE / f"vixDiskLib-{digest}.so",
        lambda fresh: subprocess.run([*command, str(fresh)], check=True, timeout=120),
    )


def unpack_double(folder: Path, *, version: str = "8.0.2", library: Path | None = None) -> Path:
    """Lay a folder out as VMware's archive does, and return the file of the library."""
    inside = folder / "lib64"
    inside.mkdir(parents=True)
    file = inside / f"libvixDiskLib.so.{version}"
    shutil.copyfile(library or built_double(), file)
    for name in (f"libvixDiskLib.so.{version.split('.')[0]}", "libvixDiskLib.so"):
        (inside / name).symlink_to(file.name)
    return file


@dataclass
class VddkLab:
    """A stand-in for the library that serves one disk or more, and the login that it wants."""

    root: Path
    chosen: str = ""
    holds_vms: bool = True
    snapshot: str | None = SNAPSHOT
    asked: list[str] = field(default_factory=list)
    """VMs for which a login was given out."""

    def __post_init__(self) -> None:
        self.folder = self.root / "vddk"
        is_new = not self.folder.exists()
        self.file = unpack_double(self.folder) if is_new else next((self.folder / "lib64").glob("*.so.8.0.2"))
        self.chosen = str(self.folder)
        self.data = self.root / "data"
        self.vddk = Vddk(program_command("vddk"), self.data, lambda: self.chosen)
        if is_new:
            self._give_orders()

    def _give_orders(self) -> None:
        self.order("login", "vc.example.com", 443, "backup@vsphere.local", PASSWORD, THUMBPRINT)
        self.order("snapshot", SNAPSHOT)

    # ---- what the stand-in does ------------------------------------------------------------------------------

    def order(self, *fields: object) -> None:
        """Add an order for the stand-in; they are listed at the head of its source."""
        with (self.file.parent / "double.conf").open("a", encoding="utf-8") as file:
            file.write("\t".join(map(str, fields)) + "\n")

    def add_disk(self, content: bytes, path: str = PATH) -> Path:
        """Serve a disk, and return its file."""
        file = self.root / f"disk-{hashlib.sha256(path.encode()).hexdigest()[:8]}"
        file.write_bytes(content)
        self.order("disk", path, file)
        return file

    def calls(self) -> list[str]:
        """Return the calls so far, as function and arguments."""
        return [line.partition(" ")[2].strip() for line in self._lines("calls")]

    def functions(self) -> list[str]:
        """Return the functions that were called."""
        return [call.split()[0] for call in self.calls() if not call.startswith("buffers")]

    def processes(self) -> set[int]:
        """Return the processes in which the library was started."""
        return {int(line.split()[0]) for line in self._lines("calls")}

    def violations(self) -> list[str]:
        """Return what no documentation explains."""
        return [line.partition(" ")[2] for line in self._lines("violations")]

    def _lines(self, name: str) -> list[str]:
        file = self.file.parent / name
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []

    # ---- what the engine has ---------------------------------------------------------------------------------

    def vddk_login(self, vm: VmId) -> VddkLogin:
        """Return the login that the stand-in wants."""
        self.asked.append(str(vm))
        return VddkLogin(
            server="vc.example.com",
            port=443,
            user="backup@vsphere.local",
            password=PASSWORD,
            thumbprint_sha1=THUMBPRINT,
            vm=f"moref={vm}",
            holds_vms=self.holds_vms,
        )

    @property
    def access(self) -> DiskAccess:
        """The only way to the disks: this library."""
        return DiskAccess(vddk=self, allows_plain=True)

    def address(self, capacity_bytes: int, path: str = PATH, *, frozen: bool = True) -> DiskAddress:
        """Return the address of a disk."""
        return DiskAddress(
            vm=VmId("vm-12"),
            vm_name="web-01",
            disk_key=2000,
            path=path,
            capacity_bytes=capacity_bytes,
            snapshot=SnapshotId(SNAPSHOT) if frozen else None,
        )

    def transports(self, options: TransportOptions | None = None) -> NativeTransports:
        """Return the transports, as the engine gets them."""
        return NativeTransports(options or quick_options(), self.vddk)

    def reader(
        self,
        capacity_bytes: int,
        *,
        path: str = PATH,
        mode: TransportMode = TransportMode.NBD_SSL,
        options: TransportOptions | None = None,
        log: TaskLog | None = None,
        cancel: CancelToken | None = None,
    ) -> VddkReader:
        """Open a disk for reading."""
        return self.vddk.open_reader(
            self.access,
            self.address(capacity_bytes, path),
            mode,
            options=options or quick_options(),
            log=log or NullTaskLog(),
            cancel=cancel or CancelToken(),
        )

    def writer(
        self,
        capacity_bytes: int,
        *,
        mode: TransportMode = TransportMode.NBD_SSL,
        options: TransportOptions | None = None,
    ) -> VddkWriter:
        """Open a disk for writing."""
        return self.vddk.open_writer(
            self.access,
            self.address(capacity_bytes, frozen=False),
            mode,
            options=options or quick_options(),
            log=NullTaskLog(),
            cancel=CancelToken(),
        )


def quick_options(*, call_s: float = 20.0, attempts: int = 3, buffer_bytes: int = 4 << 20) -> TransportOptions:
    """Return options that fail fast."""
    return TransportOptions(
        transfer_buffer_bytes=buffer_bytes,
        library_open_s=call_s,
        library_call_s=call_s,
        library_close_s=call_s,
        close_timeout_s=min(5.0, call_s),
        reconnect=RetryPolicy(attempts=attempts, first_delay_s=0.01, longest_s=0.01),
    )


@contextmanager
def other_engine(lab: VddkLab, does: str) -> Iterator[None]:
    """Run another process that does something with ``lab``; it is killed at the end of the block.

    Args:
        lab: whose folders it uses.
        does: statements; when they are done the block begins.
    """
    script = (
        f"import sys, time; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\n"
        "from tests.support.vddk_lab import *\n"
        f"lab = VddkLab(Path({str(lab.root)!r}))\n"
        f"{does}\n"
        "print('done', flush=True)\n"
        "time.sleep(600)\n"
    )
    engine = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert engine.stdout is not None
        assert engine.stdout.readline() == "done\n"
        yield
    finally:
        engine.kill()
        engine.communicate()


def wait_until(is_so: Callable[[], bool], within_s: float = 20.0) -> None:
    """Wait for something that another process does."""
    limit = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < limit, "it did not come"
        time.sleep(0.01)
