"""One step of the repository's benchmark in a process of its own; see ``tests/bench/repository.py``."""

import argparse
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.progress import Progress
from app.core.rawfile import RawFileWriter
from app.domain.errors import OperationalError, StandbyUnavailable
from app.domain.extents import Extent, intersect
from app.domain.ids import PointId, VmId
from app.domain.restore_point import VmFacts
from app.domain.states import BackupKind
from app.repository import DiskDraft, Passphrase, PointDraft, Repository, RepositorySettings
from app.repository.values import KIB
from tests.bench.disk_files import ImageReader

KEY = 2000
TASKS = 8
_PASSPHRASE = "correct horse battery staple"
FACTS = VmFacts(
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


def back_up(
    repository: Repository,
    image: Path,
    extents: Sequence[Extent] | None,
    parent: PointId | None,
    facts: VmFacts = FACTS,
) -> int:
    """Store an image, whole or what changed; return the bytes read of it."""
    reader = ImageReader(image)
    kind = BackupKind.FULL if parent is None else BackupKind.INCREMENTAL
    draft = PointDraft(
        rule_name=image.stem, facts=facts, kind=kind, parent=parent, consistent=True, created_at=datetime.now(UTC)
    )
    disk = DiskDraft(
        key=KEY,
        label=image.name,
        uuid=None,
        capacity_bytes=reader.capacity_bytes,
        path=str(image),
        change_id=None,
        read_whole=parent is None,
    )
    with repository.begin_point(draft) as writer:
        writer.write_disk(
            disk,
            reader,
            reader.allocated_extents() if extents is None else extents,
            parent=None if parent is None else (parent, KEY),
            progress=Progress(),
            cancel=CancelToken(),
        )
        writer.commit()
    reader.close()
    return reader.read_bytes


def back_up_together(repository: Repository, image: Path) -> int:
    """Store an image by eight tasks at once, each of them a part of it; return the bytes read."""
    reader = ImageReader(image)
    allocated, size = reader.allocated_extents(), -(-reader.capacity_bytes // TASKS)
    reader.close()

    def task(number: int) -> int:
        part = intersect(allocated, [Extent(number * size, size)])
        return back_up(repository, image, part, None, replace(FACTS, vm=VmId(f"vm-{number}")))

    with ThreadPoolExecutor(TASKS) as tasks:
        return sum(tasks.map(task, range(TASKS)))


def restore(repository: Repository, point: PointId, target: Path) -> None:
    """Write a point's disk to an image."""
    with repository.open_point(point) as reader:
        target.unlink(missing_ok=True)
        writer = RawFileWriter(target, reader.point.capacity_bytes, failure=_refused)
        reader.copy_disk(KEY, writer, write_zeros=False, progress=Progress(), cancel=CancelToken())
        writer.sync()
        writer.close()


def _refused(error: OSError) -> OperationalError:
    return StandbyUnavailable(path="target", detail=error)


def do_step(repository: Repository, step: str, arguments: list[str]) -> int:
    """Do one step and return the bytes read from the source."""
    points = sorted(repository.points().points, key=lambda point: point.created_at)
    if step == "full":
        return back_up(repository, Path(arguments[0]), None, None)
    if step == "together":
        return back_up_together(repository, Path(arguments[0]))
    if step == "incremental":
        pairs = json.loads(Path(arguments[1]).read_text())["changed"]
        return back_up(repository, Path(arguments[0]), [Extent(*pair) for pair in pairs], points[0].id)
    if step == "restore":
        restore(repository, points[0].id, Path(arguments[0]))
    elif step == "verify":
        report = repository.maintenance.verify_everything(progress=Progress(), cancel=CancelToken())
        assert report.whole
    else:
        raise SystemExit(f"unknown step {step}")
    return 0


def opened(folder: Path, settings: RepositorySettings, *, encrypted: bool) -> Repository:
    """Open the repository, or create it with these settings."""
    place, local, clock = folder / "standby", folder / "local", SystemClock()
    if encrypted and not place.exists():
        place.mkdir()
        return Repository.create(place, settings, local_dir=local, clock=clock, passphrase=_PASSPHRASE)
    key = Passphrase(_PASSPHRASE) if encrypted else None
    return Repository.open_or_create(place, settings, local_dir=local, clock=clock, key=key)


def main() -> None:
    """Do one step and print what it cost, without the start of the interpreter and the opening."""
    usual = RepositorySettings()
    parser = argparse.ArgumentParser(description="Do one step of the repository's benchmark.")
    parser.add_argument("--encrypted", action="store_true")
    parser.add_argument("--chunk-kib", type=int, default=usual.chunk_bytes // KIB)
    parser.add_argument("--frame-kib", type=int, default=usual.frame_bytes // KIB)
    parser.add_argument("folder", type=Path)
    parser.add_argument("step")
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    settings = RepositorySettings(chunk_bytes=options.chunk_kib * KIB, frame_bytes=options.frame_kib * KIB)
    options.folder.mkdir(exist_ok=True)
    with opened(options.folder, settings, encrypted=options.encrypted) as repository:
        started = time.perf_counter()
        read_bytes = do_step(repository, options.step, options.files)
        print(json.dumps({"seconds": time.perf_counter() - started, "read_bytes": read_bytes}))


if __name__ == "__main__":
    main()
