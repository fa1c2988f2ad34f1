"""How long a full read of a half-empty disk takes over a slow line, as before and in the manner that is measured.

The line has 50 Mbit/s and a round trip of 50 ms (``tests/support/slow_line.py``: the kernel of the machine this
runs on has no netem). The disk holds files of this machine in its first half and written zeros in the other.
Before, every byte was asked for unpacked, 4 MiB in flight. Both ways are measured in one run.

Run by ``./dev bench line``, or ``python -m tests.bench.line [--mib N]``.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from app.core.access import AccessMode, DiskAccess, DiskAddress, NfcTicket
from app.core.cancel import CancelToken
from app.core.disks import ReadRequest
from app.domain.ids import VmId
from app.domain.states import TransportMode
from app.transport.factory import NativeTransports
from app.transport.options import MIB, Compression, TransportOptions
from tests.bench.page import circumstances, write_section
from tests.support.fakes import RecordingTaskLog
from tests.support.nfc_lab import NfcLab, NfcLabProcess
from tests.support.slow_line import SlowLine

BYTES_PER_S, ROUND_TRIP_S = 50e6 / 8, 0.05
GOAL = 0.25


@dataclass(frozen=True)
class Behind:
    """Tickets that lead over the slow line."""

    lab: NfcLabProcess
    line: SlowLine

    def nfc_ticket(self, vm: VmId, disk_key: int, access: AccessMode) -> NfcTicket:
        """Return a ticket whose port is the line's."""
        return replace(self.lab.nfc_ticket(vm, disk_key, access), port=self.line.port)


@dataclass(frozen=True)
class Taken:
    """What a full read took."""

    seconds: float
    passed_bytes: int
    log: str


def files_of_this_machine(size: int) -> Iterator[bytes]:
    """Yield so many bytes of files of ``/usr``, in pieces of 1 MiB."""
    rest, left = b"", size
    for file in sorted(Path("/usr/lib").rglob("*")):
        if not left:
            return
        if not file.is_file() or file.is_symlink():
            continue
        rest += file.read_bytes()
        while len(rest) >= MIB and left:
            yield rest[:MIB]
            rest, left = rest[MIB:], left - MIB


def prepare(directory: Path, size: int) -> str:
    """Make the disk and return its path."""
    with NfcLab(directory) as lab:
        disk = lab.add_disk("bench/bench.vmdk", size)
        end = 0
        for piece in files_of_this_machine(size // 2):
            disk.write(end, piece)
            end += len(piece)
        while end < size:
            disk.write(end, bytes(MIB))
            end += MIB
        disk.flush()
        return str(disk.path)


def read_whole(lab: NfcLabProcess, path: str, size: int, compression: Compression | None) -> Taken:
    """Read the disk over a line of its own."""
    disk = DiskAddress(vm=VmId("vm-1"), vm_name="bench", disk_key=2000, path=path, capacity_bytes=size)
    log = RecordingTaskLog()
    with SlowLine(lab.port, bytes_per_s=BYTES_PER_S, round_trip_s=ROUND_TRIP_S) as line:
        began = time.monotonic()
        reader = NativeTransports(TransportOptions(compression=compression)).open_reader(
            DiskAccess(nfc=Behind(lab, line)),
            disk,
            preferred=[TransportMode.NFC_SSL],
            log=log,
            cancel=CancelToken(),
        )
        asked = (ReadRequest(start, memoryview(bytearray(MIB))) for start in range(0, size, MIB))
        got = sum(len(request.buffer) for request in reader.read_many(asked))
        seconds = time.monotonic() - began
        reader.close()
        assert got == size
        return Taken(seconds, line.passed_bytes, log.text())


def report(before: Taken, now: Taken, size: int, command: str) -> bool:
    """Write the figures down; return whether the goal is reached."""
    ratio = now.seconds / before.seconds
    chosen = [line.partition(": ")[2] for line in now.log.splitlines() if "packing" in line or "read with" in line]
    body = "\n".join(
        [
            f"A disk of {size // MIB} MiB, half files of `/usr/lib` and half written zeros, read whole over TLS "
            "on a line of 50 Mbit/s with a round trip of 50 ms.",
            "",
            "| manner | seconds | MB over the line |",
            "|---|---|---|",
            f"| unpacked, 4 MiB in flight, as before | {before.seconds:.1f} | {before.passed_bytes / 1e6:.1f} |",
            f"| measured | {now.seconds:.1f} | {now.passed_bytes / 1e6:.1f} |",
            "",
            f"{ratio:.3f} of the time before; the goal is {GOAL:g}: "
            f"{'reached' if ratio <= GOAL else '**missed**'}.",
            "",
            "What the task's log says: " + " ".join(chosen),
            "",
            circumstances(command),
        ]
    )
    print(body)
    write_section("line", "A full read over a slow line", body)
    return ratio <= GOAL


def main() -> int:
    """Measure; return 0 when the goal is reached."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--mib", type=int, default=512, help="size of the disk")
    arguments = parser.parse_args()
    size = arguments.mib * MIB
    with tempfile.TemporaryDirectory(prefix="standfast-bench-") as folder:
        path = prepare(Path(folder), size)
        with NfcLabProcess(Path(folder)) as lab:
            before = read_whole(lab, path, size, Compression.NONE)
            now = read_whole(lab, path, size, None)
    return 0 if report(before, now, size, f"./dev bench line --mib {arguments.mib}") else 1


if __name__ == "__main__":
    sys.exit(main())
