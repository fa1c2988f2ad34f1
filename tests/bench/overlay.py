"""What the overlay of a running restore point costs, next to plain writes and syncs of the same disk.

Run by ``python -m tests.bench.overlay [--folder FOLDER] [--seconds 3] [--replay-gib 1] [--map-gib 64]``.
"""

import argparse
import os
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from app.core.positioned import PositionedFile
from app.core.privatefiles import open_private
from app.nfs.overlay import OverlayDisk
from app.nfs.overlay.grainmap import PAGE_GRAINS, GrainMap, position_of
from app.nfs.overlay.table import SegmentTable
from tests.unit.nfs.overlay.helpers import EmptyDisk

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
PAGE = 4 * KIB
Write = Callable[[int, bytes], None]
Sync = Callable[[], None]


class GroupSync:
    """One sync of a file serves all who wait: what the overlay is compared with."""

    def __init__(self, file: PositionedFile) -> None:
        self._file = file
        self._changed = threading.Condition()
        self._is_busy = False
        self._begun = self._done = 0

    def sync(self) -> None:
        """Return when all that was written before is durable."""
        with self._changed:
            wanted = self._begun + 1
            while self._done < wanted:
                if self._is_busy:
                    self._changed.wait()
                    continue
                self._is_busy = True
                self._begun += 1
                number = self._begun
                self._changed.release()
                self._file.sync_data()
                self._changed.acquire()
                self._is_busy = False
                self._done = number
                self._changed.notify_all()


def per_second(write: Write, sync: Sync, offsets: list[int], size: int, depth: int, seconds: float) -> float:
    """Write and sync with so many threads for some time; return writes per second."""
    data = os.urandom(size)
    counts = [0] * depth
    places = [iter(offsets[number::depth]) for number in range(depth)]
    until = time.perf_counter() + seconds

    def work(number: int) -> None:
        for offset in places[number]:
            if time.perf_counter() > until:
                return
            write(offset, data)
            sync()
            counts[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(depth)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - started)


def batched(write: Write, sync: Sync, offsets: list[int], depth: int, seconds: float) -> float:
    """Write from one thread, as an event loop does, with a sync after so many; return writes per second."""
    data = os.urandom(PAGE)
    done = 0
    started = time.perf_counter()
    while time.perf_counter() < started + seconds and done + depth <= len(offsets):
        for offset in offsets[done : done + depth]:
            write(offset, data)
        sync()
        done += depth
    return done / (time.perf_counter() - started)


def synced(folder: Path, size: int, depth: int, seconds: float) -> None:
    """Compare synced writes of the overlay with plain ones."""
    span = 256 * MIB
    offsets = [number * size for number in range(span // size)]
    random.Random(1).shuffle(offsets)
    plain = PositionedFile(open_private(folder / "plain", os.O_RDWR | os.O_CREAT))
    plain.preallocate(span)
    plain.sync()
    group = GroupSync(plain)
    figures = []

    def write_plain(offset: int, data: bytes) -> None:
        plain.write(offset, [data])

    with OverlayDisk(lambda: EmptyDisk(span), span, folder / "overlay") as disk:
        for _ in range(2):
            figures.append(per_second(disk.write, disk.sync, offsets, size, depth, seconds))
            figures.append(per_second(write_plain, group.sync, offsets, size, depth, seconds))
        if size == PAGE and depth > 1:
            ours = batched(disk.write, disk.sync, offsets, depth, seconds)
            theirs = batched(write_plain, group.sync, offsets, depth, seconds)
            print(f"4 KiB, one thread, a sync for every {depth}: again {ours:,.0f}/s (plain {theirs:,.0f})")
    plain.close()
    first, plain_first, again, plain_again = figures
    print(
        f"{size // KIB} KiB + sync, depth {depth}: first {first:,.0f}/s (plain {plain_first:,.0f}), "
        f"again {again:,.0f}/s (plain {plain_again:,.0f})",
        flush=True,
    )
    shutil.rmtree(folder / "overlay")
    (folder / "plain").unlink()


def timed(name: str, count: int, size: int, act: Callable[[int], None]) -> None:
    """Print what an action costs, done so many times with so many bytes each."""
    cpu, wall = time.process_time(), time.perf_counter()
    for number in range(count):
        act(number)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    rate = count * size / wall / MIB
    print(f"{name}: {cpu / count * 1e6:.1f} us CPU, {wall / count * 1e6:.1f} us, {rate:,.0f} MiB/s", flush=True)


def unsynced(folder: Path) -> None:
    """Print what writes cost that are not synced, and reads of what was written."""
    span = 1 * GIB
    dice = random.Random(2)
    places = [dice.randrange(span // PAGE) * PAGE for _ in range(50_000)]
    page, large = os.urandom(PAGE), os.urandom(MIB)
    with OverlayDisk(lambda: EmptyDisk(span), span, folder / "overlay") as disk:
        timed("4 KiB random write", len(places), PAGE, lambda number: disk.write(places[number], page))
        view = memoryview(bytearray(PAGE))
        timed("4 KiB random read", len(places), PAGE, lambda number: disk.read_into(places[number], view))
        wide = memoryview(bytearray(MIB))
        timed("1 MiB sequential write", 1024, MIB, lambda number: disk.write(number * MIB, large))
        started = time.perf_counter()
        disk.sync()
        print(f"  and the sync after it: {time.perf_counter() - started:.2f} s")
        timed("1 MiB sequential read", 1024, MIB, lambda number: disk.read_into(number * MIB, wide))
        timed("4 KiB sequential write", 50_000, PAGE, lambda number: disk.write(number * PAGE, page))
        timed("1 MiB read of 4 KiB records", 190, MIB, lambda number: disk.read_into(number * MIB, wide))
    shutil.rmtree(folder / "overlay")


def replay(folder: Path, gib: int) -> None:
    """Print how long opening takes, closed properly and with an unsealed segment."""
    span = 64 * GIB
    dice = random.Random(3)
    page = os.urandom(PAGE)
    disk = OverlayDisk(lambda: EmptyDisk(span), span, folder / "overlay")
    for _ in range(gib * GIB // PAGE):
        disk.write(dice.randrange(span // PAGE) * PAGE, page)
    killed = folder / "killed"
    os.sync()
    shutil.copytree(folder / "overlay", killed)
    disk.close()
    for name, path in (("closed", folder / "overlay"), ("killed", killed)):
        cpu, wall = time.process_time(), time.perf_counter()
        disk = OverlayDisk(lambda: EmptyDisk(span), span, path)
        print(
            f"opening {gib} GiB of 4 KiB writes, {name}: {time.perf_counter() - wall:.2f} s, "
            f"{time.process_time() - cpu:.2f} s CPU",
            flush=True,
        )
        disk.close()
        shutil.rmtree(path)


def memory(folder: Path, gib: int) -> None:
    """Print what the map of an 8 TiB disk takes when so much is written all over it, and a log of 16 TiB."""
    grains = 8 * TIB // PAGE
    before = psutil.Process().memory_info().rss
    spill = PositionedFile(open_private(folder / "spill", os.O_RDWR | os.O_CREAT))
    table = SegmentTable()
    for number in range(1, 16 * TIB // (64 * MIB) + 1):
        table.add(number, 64 * MIB)
    found = GrainMap(grains, spill, table, 4096)
    pages = gib * GIB // (PAGE_GRAINS * PAGE)
    started = time.perf_counter()
    for number in range(pages):
        first = number * (grains // pages)
        found.pin(first, 1)
        found.put_data(first, 1, position_of(1 + number, 4096))
    after = psutil.Process().memory_info().rss
    seconds = time.perf_counter() - started
    print(f"map of 8 TiB, {pages:,} of 2,097,152 pages touched, {len(table):,} segments:")
    print(
        f"  {(after - before) / MIB:.1f} MiB, and {found.spill_bytes / MIB:,.0f} MiB in its file, {seconds:.1f} s"
    )
    spill.close()
    (folder / "spill").unlink()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--replay-gib", type=int, default=1)
    parser.add_argument("--map-gib", type=int, default=512)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sf-overlay-", dir=options.folder))
    try:
        memory(folder, options.map_gib)
        for size, depth in ((PAGE, 1), (PAGE, 16), (64 * KIB, 8)):
            synced(folder, size, depth, options.seconds)
        unsynced(folder)
        replay(folder, options.replay_gib)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
