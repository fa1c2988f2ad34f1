"""How the repository behaves with ten million chunks: opening, rebuilding the locator, long lists, huge disks.

The packs are made of their headers and footers only, with a hole in between: everything that is measured here
reads nothing else of them. Run by ``./dev bench repository_scale``, or
``python -m tests.bench.repository_scale [--chunks N] [--folder F]``.
"""

import argparse
import gc
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.disks import ReadRequest
from app.core.progress import Progress
from app.domain.extents import Extent
from app.domain.ids import PointId, VmId
from app.domain.restore_point import VmFacts
from app.domain.states import BackupKind, TransportMode
from app.repository import DiskDraft, PointDraft, Repository
from app.repository.documents import document_body, encode_document
from app.repository.packs import PackEntry, pack_end, pack_header
from tests.bench.page import circumstances, write_section

MIB = 1 << 20
GIB = 1 << 30
TIB = 1 << 40
ROOT = Path(__file__).parents[2]
_RECORD_BYTES = 512 * 1024
_PACK_CHUNKS = 128


class PatternDisk:
    """A disk of any size whose bytes are made when they are read. Fulfils DiskReader. Thread: one at a time."""

    window = 1
    mode = TransportMode.LOCAL

    def __init__(self, capacity_bytes: int, seed: int) -> None:
        self.capacity_bytes = capacity_bytes
        self._seed = os.urandom(2048) * (MIB // 2048) if seed < 0 else seed.to_bytes(8, "little") * (MIB // 8)

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        """Fill each request."""
        for request in requests:
            request.buffer[:] = self._seed[: len(request.buffer)]
            request.buffer[:8] = request.offset.to_bytes(8, "little")
            yield request

    def allocated_extents(self) -> None:
        """Tell nothing."""

    def close(self) -> None:
        """Nothing is open."""


def draft(rule: str, moment: datetime, parent: PointId | None = None) -> PointDraft:
    """Describe a point of a VM that does not exist."""
    facts = VmFacts(
        vm=VmId("vm-1"),
        name="bench",
        platform_address="bench",
        instance_uuid=None,
        datacenter="",
        datastore="",
        host="",
        hostname=None,
        guest="",
    )
    kind = BackupKind.FULL if parent is None else BackupKind.INCREMENTAL
    return PointDraft(rule_name=rule, facts=facts, kind=kind, parent=parent, consistent=True, created_at=moment)


def back_up(
    repository: Repository, disk: PatternDisk, extents: list[Extent], point: PointDraft
) -> tuple[PointId, float]:
    """Back a disk up; return the point and the seconds."""
    described = DiskDraft(
        key=2000,
        label="disk",
        uuid=None,
        capacity_bytes=disk.capacity_bytes,
        path="",
        change_id=None,
        read_whole=point.parent is None,
    )
    started = time.perf_counter()
    with repository.begin_point(point) as writer:
        writer.write_disk(
            described,
            disk,
            extents,
            parent=None if point.parent is None else (point.parent, 2000),
            progress=Progress(),
            cancel=CancelToken(),
        )
        committed = writer.commit()
    return committed.id, time.perf_counter() - started


def make_packs(standby: Path, repository_id: str, chunks: int) -> None:
    """Make packs without contents."""
    identity = uuid.UUID(repository_id).bytes
    for number in range(-(-chunks // _PACK_CHUNKS)):
        pack_id = os.urandom(16)
        names = os.urandom(32 * _PACK_CHUNKS)
        entries = [
            PackEntry(names[32 * slot : 32 * slot + 32], 64 + slot * _RECORD_BYTES, _RECORD_BYTES, MIB, 1)
            for slot in range(min(_PACK_CHUNKS, chunks - number * _PACK_CHUNKS))
        ]
        end = 64 + len(entries) * _RECORD_BYTES
        folder = standby / "packs" / pack_id.hex()[:2]
        folder.mkdir(exist_ok=True)
        with (folder / f"{pack_id.hex()}.pack").open("wb") as file:
            file.write(pack_header(identity, pack_id, version=1))
            file.seek(end)
            file.write(pack_end(entries, end, None))


def opened(folder: Path, local: str) -> Repository:
    """Open the repository."""
    return Repository.open(folder / "standby", local_dir=folder / local, clock=SystemClock())


def measure_opening(folder: Path, local: str) -> None:
    """In a process of its own: open and catch up, and print the seconds and the memory that is not the map's."""
    started = time.perf_counter()
    with opened(folder, local) as repository:
        repository.begin_point(draft("open", datetime.now(UTC))).close()
        seconds = time.perf_counter() - started
    anonymous = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                anonymous = int(line.split()[1]) * 1024
    except OSError:
        pass
    print(seconds, anonymous)


def opening(folder: Path, local: str) -> tuple[float, float]:
    """Return seconds and MiB of an opening."""
    command = [sys.executable, "-m", "tests.bench.repository_scale", "--open", str(folder), local]
    seconds, anonymous = subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    return float(seconds), int(anonymous) / MIB


def huge_disks(folder: Path) -> tuple[float, float]:
    """Return the seconds of an incremental of 1 GiB on a disk of 80 GiB and on one of 8 TiB."""
    capacities = {"small": 80 * GIB, "huge": 8 * TIB}
    seconds: dict[str, list[float]] = {name: [] for name in capacities}
    with opened(folder, "local") as repository:
        parents: dict[str, PointId] = {}
        for name, capacity in capacities.items():
            used = [Extent(at * capacity // 1024 // MIB * MIB, MIB) for at in range(1024)]
            parents[name], _ = back_up(repository, PatternDisk(capacity, 1), used, draft(name, datetime.now(UTC)))
        for number in range(5):
            for name, capacity in capacities.items():
                os.sync()  # what the last one wrote is not this one's burden
                changed = [Extent(at * MIB, MIB) for at in range(number * 1024, number * 1024 + 1024)]
                point = draft(name, datetime.now(UTC) + timedelta(minutes=number), parents[name])
                seconds[name].append(back_up(repository, PatternDisk(capacity, -1), changed, point)[1])
    return statistics.median(seconds["small"]), statistics.median(seconds["huge"])


def long_list(folder: Path, count: int) -> float:
    """Return the seconds that a list of many points takes, in a repository of its own."""
    (folder / "list").mkdir()
    with Repository.create(
        folder / "list" / "s", local_dir=folder / "list" / "l", clock=SystemClock()
    ) as repository:
        first, _ = back_up(repository, PatternDisk(GIB, 1), [Extent(0, MIB)], draft("list", datetime.now(UTC)))
        chain = folder / "list" / "s" / "points" / first.partition("/")[0]
        body = (chain / first.partition("/")[2] / "point.json").read_bytes()
        described = json.loads(document_body(body))
        moment = datetime(2020, 1, 1, tzinfo=UTC)
        for number in range(count - 1):
            described["stamp"] = (moment + timedelta(hours=number)).strftime("%Y-%m-%d_%H-%M-%S")
            described["created_at"] = (moment + timedelta(hours=number)).isoformat()
            (chain / described["stamp"]).mkdir()
            (chain / described["stamp"] / "point.json").write_bytes(encode_document(described))
        started = time.perf_counter()
        assert len(repository.points().points) == count
        return time.perf_counter() - started


def main() -> None:
    """Measure and write the section of ``docs/performance.md``."""
    parser = argparse.ArgumentParser(description="Measure the repository with very many chunks.")
    parser.add_argument("--chunks", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--open", nargs=2, metavar=("FOLDER", "LOCAL"), help=argparse.SUPPRESS)
    parser.add_argument("--no-page", action="store_true", help="print only")
    options = parser.parse_args()
    if options.open:
        measure_opening(Path(options.open[0]), options.open[1])
        return
    work = Path(tempfile.mkdtemp(prefix="standfast-scale-", dir=options.folder))
    try:
        with Repository.create(work / "standby", local_dir=work / "local", clock=SystemClock()) as repository:
            make_packs(work / "standby", repository.id, options.chunks)
        gc.collect()
        rebuild_s, rebuild_mib = opening(work, "local")
        warm_s, warm_mib = opening(work, "local")
        small_s, huge_s = huge_disks(work)
        list_s = long_list(work, 5000)
        database = sum(path.stat().st_size for path in (work / "local").rglob("data.mdb")) / MIB
    finally:
        shutil.rmtree(work)
    text = (
        f"{options.chunks:,} chunks in {-(-options.chunks // _PACK_CHUNKS):,} packs; memory is the process's own, "
        f"without the locator's map.\n\n| what | measured | goal |\n|---|---|---|\n"
        f"| locator rebuilt from the footers | {rebuild_s:.1f} s, {rebuild_mib:.0f} MiB | reported, < 300 MiB |\n"
        f"| open and catch up with a warm locator | {warm_s:.2f} s, {warm_mib:.0f} MiB | < 1 s |\n"
        f"| size of the locator | {database:.0f} MiB | |\n"
        f"| incremental of 1 GiB on 80 GiB | {small_s:.2f} s | |\n"
        f"| incremental of 1 GiB on 8 TiB | {huge_s:.2f} s, {huge_s / small_s:.2f} of it | 0.8 to 1.2 |\n"
        f"| a list of 5,000 points | {list_s:.2f} s | < 1 s |\n\n"
        f"{circumstances(f'./dev bench repository_scale --chunks {options.chunks}')}"
    )
    print(text)
    if not options.no_page:
        write_section("repository_scale", "A repository with very many chunks", text)


if __name__ == "__main__":
    main()
