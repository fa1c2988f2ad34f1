"""What a share refuses for a moment is not lost: nothing is set aside, forgotten or dropped for it."""

import errno
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from app.core.cancel import CancelToken
from app.core.disks import ReadRequest
from app.core.progress import Progress
from app.domain.errors import OperationalError
from app.repository import GarbageCollectionPolicy, Repository, RepositoryReport
from app.repository.errors import DataDamaged
from app.repository.values import MIB
from tests.support.crash_cases import HastyClock
from tests.support.failing_storage import AtStep, FailingStorage
from tests.unit.repository.helpers import (
    SMALL,
    MemoryDisk,
    back_up,
    collect_garbage,
    damage_record,
    random_bytes,
    read_back,
)

CONTENT = random_bytes(2 * MIB, 3)
_READS = ("read", "pread", "preadv")


@pytest.fixture(autouse=True)
def _impatient() -> Iterator[None]:
    with patch("app.repository.healing.PAUSES_S", (0.0, 0.0)):
        yield


def opened(folder: Path) -> Repository:
    folder.mkdir(exist_ok=True)
    return Repository.open_or_create(folder / "standby", SMALL, local_dir=folder / "local", clock=HastyClock())


def verify(repository: Repository) -> RepositoryReport:
    return repository.maintenance.verify_everything(progress=Progress(), cancel=CancelToken())


def damaged(folder: Path) -> tuple[str, int]:
    """Make a repository of which one chunk is damaged; return its pack, and the number of the chunk."""
    with opened(folder) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        digest = repository.parts.tree(point.disks[0]).digest(2)
        return damage_record(folder, repository, digest).stem, 2


def refuse_reading(numbers: Callable[[int], bool], error: int) -> AtStep:
    """Refuse some of the steps, counted over those that read."""
    seen = [0]

    def at_step(_count: int, name: str) -> None:
        if name in _READS or name == "open":
            seen[0] += 1
            if numbers(seen[0]):
                raise OSError(error, os.strerror(error))

    return at_step


def count_steps(folder: Path, pack: str) -> int:
    """Return how many steps a repair takes that reads what it must."""
    seen = 0

    def at_step(_count: int, name: str) -> None:
        nonlocal seen
        seen += name in _READS or name == "open"

    strike(folder, at_step, lambda repository: repository.maintenance.repair([pack], cancel=CancelToken()))
    return seen


def strike(folder: Path, at_step: AtStep, do: Callable[[Repository], object]) -> OperationalError | None:
    """Do something while the storage refuses; return how it was refused."""
    with FailingStorage(folder / "standby", at_step, dice=random.Random(1), gone=True).watching():
        try:
            with opened(folder) as repository:
                do(repository)
        except OperationalError as error:
            return error
    return None


def whole_chunks(folder: Path) -> list[bool]:
    """Return of each chunk of the point whether it can be read."""
    found = []
    with opened(folder) as repository:
        (point,) = repository.points().points
        with repository.open_point(point.id) as reader:
            disk = reader.open_disk(2000)
            try:
                for start in range(0, len(CONTENT), SMALL.chunk_bytes):
                    target = bytearray(SMALL.chunk_bytes)
                    try:
                        for _ in disk.read_many([ReadRequest(start, memoryview(target))]):
                            pass
                    except DataDamaged:
                        found.append(False)
                    else:
                        assert target == CONTENT[start : start + SMALL.chunk_bytes]
                        found.append(True)
            finally:
                disk.close()
    return found


@pytest.mark.parametrize("error", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT], ids=errno.errorcode.get)
def test_a_repair_that_is_refused_at_any_step_loses_nothing_more(tmp_path: Path, error: int) -> None:
    pack, lost = damaged(tmp_path / "pattern")
    steps = count_steps_of_copy(tmp_path, pack)
    assert steps > 10
    for first in range(1, steps + 1):
        for length in (1, 1000):
            folder = copy_of(tmp_path, f"{first}-{length}")
            strike(
                folder,
                refuse_reading(lambda number, a=first, b=first + length: a <= number < b, error),  # type: ignore[misc]
                lambda repository: repository.maintenance.repair([pack], cancel=CancelToken()),
            )
            chunks = whole_chunks(folder)
            assert [index for index, is_whole in enumerate(chunks) if not is_whole] == [lost], (first, length)
            with opened(folder) as repository:
                repository.maintenance.repair([pack], cancel=CancelToken())
            assert whole_chunks(folder) == chunks


def copy_of(tmp_path: Path, name: str) -> Path:
    return Path(shutil.copytree(tmp_path / "pattern", tmp_path / name))


def count_steps_of_copy(tmp_path: Path, pack: str) -> int:
    return count_steps(copy_of(tmp_path, "counted"), pack)


@pytest.mark.skipif(not hasattr(os, "pread"), reason="reads by seeking there")
def test_a_sector_that_stays_unreadable_is_lost_and_the_rest_of_its_pack_is_rescued(tmp_path: Path) -> None:
    folder = tmp_path / "pattern"
    with opened(folder) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        place = repository.parts.locator.find(repository.parts.tree(point.disks[0]).digest(1))
        assert place is not None
    with bad_sector(place.pack_id, place.offset, place.length_bytes), opened(folder) as repository:
        report = verify(repository)
        assert report.damaged_packs == (place.pack_id,)
        repaired = repository.maintenance.repair(report.damaged_packs, cancel=CancelToken())
        assert repaired.set_aside == (place.pack_id,)
        lost = repository.lost_extents(point.id, 2000)
        assert [(extent.start, extent.length_bytes) for extent in lost] == [(SMALL.chunk_bytes, SMALL.chunk_bytes)]
    assert (folder / "standby" / "damaged" / f"{place.pack_id}.pack").is_file(), "kept, for whoever can read it"


@contextmanager
def bad_sector(pack_id: str, offset: int, length: int) -> Iterator[None]:
    """Make some bytes of a file unreadable, as a broken disk does."""
    real_pread, real_preadv, real_fdopen = os.pread, os.preadv, os.fdopen

    def name_of(descriptor: int) -> str:
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())

    def refuse(descriptor: int, at: int, size: int) -> None:
        if name_of(descriptor).endswith(f"{pack_id}.pack") and at < offset + length and offset < at + size:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def pread(descriptor: int, size: int, at: int) -> bytes:
        refuse(descriptor, at, size)
        return real_pread(descriptor, size, at)

    def preadv(descriptor: int, buffers: list[memoryview], at: int, *flags: int) -> int:
        refuse(descriptor, at, sum(map(len, buffers)))
        return real_preadv(descriptor, buffers, at, *flags)

    def fdopen(descriptor: int, mode: str, buffering: int = -1) -> object:
        file = real_fdopen(descriptor, mode, buffering=buffering)
        if buffering != 0:
            return file
        return _SectorFile(file, lambda at, size: refuse(descriptor, at, size))

    with ExitStack() as stack:
        for name, replacement in (("pread", pread), ("preadv", preadv), ("fdopen", fdopen)):
            stack.enter_context(patch.object(os, name, replacement))
        yield


class _SectorFile:
    """A raw file that is asked before it reads."""

    def __init__(self, file: object, refuse: Callable[[int, int], None]) -> None:
        self._file = file
        self._refuse = refuse

    def readinto(self, target: memoryview) -> int:
        self._refuse(self._file.tell(), len(target))  # type: ignore[attr-defined]
        return self._file.readinto(target)  # type: ignore[attr-defined,no-any-return]

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def __enter__(self) -> "_SectorFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()  # type: ignore[attr-defined]


def test_a_pack_that_was_refused_only_while_it_was_verified_stays_where_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "pattern"
    with opened(folder) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        packs = sorted(path.stem for path in (folder / "standby" / "packs").rglob("*.pack"))
        repaired = repository.maintenance.repair(packs, cancel=CancelToken())
        assert (repaired.set_aside, repaired.rescued_bytes) == ((), 0)
        assert read_back(repository, point.id) == CONTENT
    assert list((folder / "standby" / "damaged").iterdir()) == []


@pytest.mark.parametrize("error", [errno.EIO, errno.ESTALE], ids=errno.errorcode.get)
def test_a_verification_that_is_refused_for_a_moment_forgets_no_whole_chunks(tmp_path: Path, error: int) -> None:
    folder = tmp_path / "pattern"
    _, lost = damaged(folder)
    with opened(folder) as repository:  # a second copy of everything, so that some of the lost is found elsewhere
        back_up(repository, MemoryDisk(random_bytes(MIB, 8)), number=1, rule_name="other")
    for first in range(1, 200, 7):
        copied = copy_of(tmp_path, f"v{first}")
        strike(
            copied,
            refuse_reading(lambda number, a=first: a <= number < a + 3, error),  # type: ignore[misc]
            lambda repository: verify(repository),
        )
        with opened(copied) as repository:
            point = next(point for point in repository.points().points if point.rule_name == "每日")
            report = verify(repository)
            hit = [
                damage.start
                for hit_point in report.points
                if hit_point.point == point.id
                for damage in hit_point.damage
            ]
            assert hit == [lost * SMALL.chunk_bytes]
            assert {point.point for point in report.points} == {point.id}


def test_a_garbage_collection_after_a_refused_one_still_has_everything(tmp_path: Path) -> None:
    folder = tmp_path / "pattern"
    with opened(folder) as repository:
        disk = MemoryDisk(CONTENT)
        first = back_up(repository, disk)
        disk.content[: len(CONTENT) // 2] = random_bytes(len(CONTENT) // 2, 12)
        back_up(repository, disk, number=1)
        repository.delete_point(first.id)
    policy = GarbageCollectionPolicy(grace=timedelta(0), garbage_share=0.0, small_share=1.0)
    for number in range(1, 120, 5):
        copied = copy_of(tmp_path, f"s{number}")
        strike(
            copied,
            refuse_reading(lambda count, a=number: a <= count < a + 2, errno.EIO),  # type: ignore[misc]
            lambda repository: collect_garbage(repository, policy),
        )
        with opened(copied) as repository:
            (point,) = repository.points().points
            assert read_back(repository, point.id) == disk.content
            assert list((copied / "standby" / "damaged").iterdir()) == []
