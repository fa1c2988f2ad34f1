"""How fast disks are read over native NFC, beside a bare TCP and a bare TLS connection with the same bytes.

Servers run in processes of their own and send from the same warm file without holes. All ways are measured
in turn in every round, so that a slow minute of the machine slows all of them; the figures are medians.

- *TCP*: the server sends the file with ``sendfile``, the client fills one reused buffer of 1 MiB with each
  ``recv_into`` (``MSG_WAITALL``: returning for less is slower).
- *TLS*: the server reads into a reused buffer of 1 MiB and ``sendall``s it; the client ``recv_into``s one
  reused buffer, which brings a TLS record at most.
- *nfs-cat*: libnfs writes the file into ``/dev/null``, from a real nfs-ganesha in a network namespace.
- *nfs*: our reader of Direct NFS, from the same server, 1 MiB requests into reused buffers.
- *nbd*, *nbdssl*: our reader against the simulator's NFC server, 1 MiB requests into reused buffers.
- *dd*, *hotadd*: ``dd iflag=direct`` and our reader on one loop device of the same file, without any server
  (``tests/bench/attached.py``); only where root may make loop devices.
- *dd-write*, *hotadd-write*: ``dd oflag=direct conv=fsync`` and our writer on a loop device of another file.

Run by ``./dev bench transport``, or ``python -m tests.bench.transport [--gib N] [--rounds N]``.
"""

import argparse
import hashlib
import os
import resource
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from app.core.access import DiskAccess, DiskAddress, NfsFile
from app.core.cancel import CancelToken
from app.core.disks import ReadRequest
from app.domain.ids import VmId
from app.domain.states import TransportMode
from app.transport.factory import NativeTransports
from app.transport.options import MIB, Compression, TransportOptions
from tests.bench.attached import attached, is_possible
from tests.bench.page import circumstances, write_section
from tests.support.fakes import NullTaskLog
from tests.support.ganesha import Ganesha, ganesha
from tests.support.nfc_lab import LabCertificate, NfcLab, NfcLabProcess

GOALS = {
    "nbd": ("TCP", 0.6),
    "nbdssl": ("TLS", 0.7),
    "nfs": ("nfs-cat", 0.7),
    "hotadd": ("dd", 0.9),
    "hotadd-write": ("dd-write", 0.9),
}
REQUEST_BYTES = MIB


class BareServer:
    """A process that sends a file over plain TCP or TLS to each client, as asked by the client's first byte."""

    def __init__(self, file: Path) -> None:
        command = [sys.executable, "-m", "tests.bench.transport", "--serve", str(file)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True
        )
        assert self._process.stdin
        assert self._process.stdout
        self._input, self._output = self._process.stdin, self._process.stdout
        self.port = int(self._output.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        self._input.close()
        self._output.close()


def serve(file: Path) -> None:
    """Be the bare server."""
    context = LabCertificate().server_context()
    with socket.create_server(("127.0.0.1", 0)) as listener, file.open("rb", buffering=0) as source:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            source.seek(0)
            with connection:
                if connection.recv(1) == b"p":
                    connection.sendfile(source)
                else:
                    _send_in_tls(context.wrap_socket(connection, server_side=True), source.readinto)


def _send_in_tls(connection: ssl.SSLSocket, read_into: Callable[[memoryview], int]) -> None:
    buffer = memoryview(bytearray(MIB))
    with connection:
        while count := read_into(buffer):
            connection.sendall(buffer[:count])


def bare(port: int, size: int, *, encrypted: bool) -> None:
    """Receive the file over a bare connection."""
    buffer = memoryview(bytearray(MIB))
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(b"t" if encrypted else b"p")
    if encrypted:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = context.wrap_socket(connection)
    with connection:
        while size:
            count = connection.recv_into(buffer[:size], 0, 0 if encrypted else socket.MSG_WAITALL)
            assert count, "the server ended early"
            size -= count


@dataclass(frozen=True)
class OnServer:
    """Says where the disk is on the NFS server."""

    server: Ganesha

    def nfs_file(self, vm: VmId, datastore_path: str) -> NfsFile | None:
        """Return where a disk is."""
        path = datastore_path.partition("] ")[2]
        return NfsFile(servers=(self.server.host,), export=str(self.server.export), path=path)


def nfs_cat(server: Ganesha, file: Path) -> None:
    """Let libnfs read the file."""
    url = f"nfs://{server.host}{file}?version=3"
    subprocess.run(["nfs-cat", url], stdout=subprocess.DEVNULL, check=True)


def read_whole(access: DiskAccess, path: str, size: int, mode: TransportMode) -> None:
    """Read the disk in one of our ways."""
    disk = DiskAddress(vm=VmId("vm-1"), vm_name="bench", disk_key=2000, path=path, capacity_bytes=size)
    fixed = TransportOptions(compression=Compression.NONE)  # what measuring is worth is the benchmark ``line``
    reader = NativeTransports(fixed).open_reader(
        access, disk, preferred=[mode], log=NullTaskLog(), cancel=CancelToken()
    )
    free = [memoryview(bytearray(REQUEST_BYTES)) for _ in range(reader.window)]

    def requests() -> Iterator[ReadRequest]:
        for offset in range(0, size, REQUEST_BYTES):
            yield ReadRequest(offset, free.pop())

    try:
        received = 0
        for request in reader.read_many(requests()):
            received += len(request.buffer)
            free.append(request.buffer)
        assert received == size, "the disk was not read whole"
    finally:
        reader.close()


def prepare(directory: Path, size: int) -> tuple[str, Path]:
    """Make a disk without holes, warm in the page cache; return its path and its file."""
    with NfcLab(directory) as lab:
        disk = lab.add_disk("bench/bench.vmdk", size)
        block = bytearray(hashlib.shake_256(b"bench").digest(MIB))
        for index, offset in enumerate(range(0, size, MIB)):
            block[:8] = index.to_bytes(8, "little")
            disk.write(offset, bytes(block))
        disk.flush()
        path = str(disk.path)
    (file,) = directory.rglob("*-flat.vmdk")
    with file.open("rb+") as written:
        os.fsync(written.fileno())  # else the kernel's writing back would compete for the two cores
    assert file.stat().st_blocks * 512 >= size, "the file has holes"
    return path, file


def measure(size: int, rounds: int) -> dict[str, list[float]]:
    """Return the bytes per second of every round by way."""
    with tempfile.TemporaryDirectory(prefix="standfast-bench-") as folder:
        path, file = prepare(Path(folder), size)
        exported, work = file.parents[1], Path(folder, "nfs-server")
        with ExitStack() as stack:
            server = stack.enter_context(BareServer(file))
            lab = stack.enter_context(NfcLabProcess(Path(folder)))
            filer = stack.enter_context(ganesha(exported, work))
            access = DiskAccess(nfc=lab, nfs=OnServer(filer), allows_plain=True)
            ways: dict[str, Callable[[], None]] = {
                "TCP": lambda: bare(server.port, size, encrypted=False),
                "nbd": lambda: read_whole(access, path, size, TransportMode.NFC),
                "TLS": lambda: bare(server.port, size, encrypted=True),
                "nbdssl": lambda: read_whole(access, path, size, TransportMode.NFC_SSL),
                "nfs-cat": lambda: nfs_cat(filer, file),
                "nfs": lambda: read_whole(access, path, size, TransportMode.NFS),
            }
            if is_possible():
                device = stack.enter_context(attached(file, size, Path(folder) / "guest"))
                ways["dd"] = device.dd
                ways["hotadd"] = lambda: device.read_whole(REQUEST_BYTES)
                ways |= stack.enter_context(written_ways(file, size, Path(folder)))
            speeds: dict[str, list[float]] = {name: [] for name in ways}
            for number in range(rounds + 1):
                for name, way in ways.items():
                    started = time.perf_counter()
                    way()
                    speed = size / (time.perf_counter() - started)
                    if number:  # the first round warms everything up
                        speeds[name].append(speed)
                        print(f"round {number}: {name:12} {speed / 1e6:7.0f} MB/s", flush=True)
    return speeds


@contextmanager
def written_ways(file: Path, size: int, folder: Path) -> Iterator[dict[str, Callable[[], None]]]:
    """Give the ways to write a device that is as large as the file, for the length of a block."""
    target, data = folder / "target.img", os.urandom(REQUEST_BYTES)
    shutil.copyfile(file, target)  # so that no round has to allocate anything
    with attached(target, size, folder / "written-guest", writable=True) as device:
        yield {"dd-write": lambda: device.dd_from(file), "hotadd-write": lambda: device.write_whole(data)}


def report(speeds: dict[str, list[float]], size: int, rounds: int, peak_mib: tuple[float, float]) -> bool:
    """Print and write down the figures; return whether the goals are reached."""
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    rows = [
        "| way | median MB/s | slowest | fastest | of the bare way | goal |",
        "|---|---|---|---|---|---|",
    ]
    reached = True
    for name, values in speeds.items():
        share = goal = ""
        if name in GOALS:
            bare_name, least = GOALS[name]
            ratio = medians[name] / medians[bare_name]
            reached = reached and ratio >= least
            share, goal = f"{ratio:.2f} of {bare_name}", f"{least:.1f}"
        rows.append(
            f"| {name} | {medians[name] / 1e6:.0f} | {min(values) / 1e6:.0f} | {max(values) / 1e6:.0f} "
            f"| {share} | {goal} |"
        )
    before, after = peak_mib
    body = "\n".join(
        [
            f"{size / (1 << 30):g} GiB per way and round, {rounds} rounds, all ways in turn in each; one core for "
            "the server and one for the client. What the ways do is told in "
            "`tests/bench/transport.py`.",
            "",
            *rows,
            "",
            f"Peak memory of the client process: {after:.0f} MiB, of which {before:.0f} MiB were there before the "
            f"first byte (interpreter and libraries).",
            "",
            circumstances(f"./dev bench transport --gib {size / (1 << 30):g} --rounds {rounds}"),
        ]
    )
    print(body)
    write_section("transport", "Reading and writing disks over native NFC, Direct NFS and HotAdd", body)
    return reached


def peak_memory_mib() -> float:
    """Return the most memory this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Measure, write the figures down, and fail when a goal is missed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--gib", type=float, default=2.0, help="size of the disk")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return 0
    before = peak_memory_mib()
    size = int(arguments.gib * (1 << 30)) // MIB * MIB
    speeds = measure(size, arguments.rounds)
    reached = report(speeds, size, arguments.rounds, (before, peak_memory_mib()))
    print("goals reached" if reached else "A GOAL IS MISSED")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
