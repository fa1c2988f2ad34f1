"""Pins: garbage collection runs beside those who read, and takes nothing of theirs."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.disks import ReadRequest
from app.core.progress import Progress
from app.domain.errors import OperationalError
from app.domain.ids import PointId
from app.repository import GarbageCollectionPolicy, PinPurpose, Repository
from app.repository.documents import encode_document
from app.repository.errors import (
    LinkRefused,
    PinnedPointMissing,
    PinUnreadable,
    PointMissing,
    PointPinned,
    RepositoryBusy,
    WrittenByNewer,
)
from app.repository.framecache import FrameCache, Key
from app.repository.pins import Pins
from app.repository.reader import PointReader
from app.repository.records import Buffer
from app.repository.values import KIB, MIB
from tests.support.platforms import posix_only
from tests.unit.repository.helpers import (
    MemoryDisk,
    back_up,
    collect_garbage,
    open_repository,
    random_bytes,
    read_back,
)

HOLDER = "a console that is started again"
Break = Callable[[Path], object]


class NoCache(FrameCache):
    """Forgets at once, so that what is read comes from the standby."""

    def put(self, key: Key, frame: Buffer) -> None:
        """Forget it."""


@pytest.fixture(autouse=True)
def _no_cache() -> Iterator[None]:
    with mock.patch("app.repository.reader.FrameCache", NoCache):
        yield


def as_holder(folder: Path, holder: str = HOLDER) -> Repository:
    return Repository.open(folder / "standby", local_dir=folder / "local", clock=SystemClock(), holder=holder)


def content_of(reader: PointReader, start: int = 0, length: int | None = None) -> bytes:
    disk = reader.open_disk(2000)
    buffer = bytearray(disk.capacity_bytes if length is None else length)
    for _ in disk.read_many([ReadRequest(start, memoryview(buffer))]):
        pass
    disk.close()
    return bytes(buffer)


def two_points(repository: Repository) -> tuple[PointId, bytes, PointId, bytes]:
    """Make two points that share a quarter of each pack."""
    disk = MemoryDisk(random_bytes(6 * MIB, 1))
    old = back_up(repository, disk)
    before = bytes(disk.content)
    for start in range(0, 6 * MIB, MIB):
        disk.content[start : start + 768 * KIB] = random_bytes(768 * KIB, start + 5)
    new = back_up(repository, disk, number=1)
    return old.id, before, new.id, bytes(disk.content)


def pins_in(folder: Path) -> list[Path]:
    return sorted((folder / "standby" / "pins").glob("*.pin"))


def test_a_pin_says_what_is_used_by_whom_for_what_and_ends_with_the_reader(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(random_bytes(MIB)))
        with repository.open_pinned(point.id, PinPurpose.OFFER):
            (pin,) = repository.pins.listing().pins
            assert (pin.point, pin.purpose, pin.is_ours, pin.is_at_work) == (
                point.id,
                PinPurpose.OFFER,
                True,
                True,
            )
            assert pin.host
            locks = list((tmp_path / "standby" / "locks").glob("*.lease"))
            assert locks == [], "there is no lease that could expire while this machine sleeps"
            assert abs(datetime.now(UTC) - pin.since) < timedelta(minutes=1)
        assert repository.pins.listing().pins == ()
        assert pins_in(tmp_path) == []


def test_a_point_that_is_not_there_leaves_no_pin(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        with pytest.raises(PointMissing):
            repository.open_pinned(PointId("chain/2026-01-01_00-00-00"), PinPurpose.EXPORT)
        assert pins_in(tmp_path) == []
        collect_garbage(repository)  # and no lease


@pytest.mark.parametrize(
    "reads_from",
    [
        "here",
        pytest.param("another machine", marks=posix_only("Windows deletes no pack that another process reads")),
    ],
)
def test_garbage_collection_runs_beside_a_reader_who_finds_every_byte_again(
    tmp_path: Path, reads_from: str
) -> None:
    """All packs are rewritten under a reader that has read half of its disk."""
    with open_repository(tmp_path) as sweeping, open_repository(tmp_path, local="elsewhere") as other:
        old, _, new, content = two_points(sweeping)
        reading = sweeping if reads_from == "here" else other
        with (
            reading.open_pinned(new, PinPurpose.OFFER) as reader,
            reading.open_pinned(new, PinPurpose.RESTORE) as restoring,
        ):
            disk = reader.open_disk(2000)
            buffer = bytearray(64 * KIB)
            for start in range(0, 3 * MIB, 64 * KIB):
                list(disk.read_many([ReadRequest(start, memoryview(buffer))]))
                assert buffer == content[start : start + 64 * KIB]
            sweeping.delete_point(old)
            report = collect_garbage(sweeping)
            assert report.rewritten_packs > 3
            assert report.freed_bytes > 2 * MIB
            for start in range(0, 6 * MIB, 64 * KIB):
                list(disk.read_many([ReadRequest(start, memoryview(buffer))]))
                assert buffer == content[start : start + 64 * KIB], start
            disk.close()
            target = MemoryDisk(bytes(6 * MIB))
            restoring.copy_disk(2000, target, write_zeros=False, progress=Progress(), cancel=CancelToken())
            assert target.content == content


def test_many_requests_at_once_find_records_that_have_moved(tmp_path: Path) -> None:
    with open_repository(tmp_path) as sweeping, open_repository(tmp_path, local="elsewhere") as reading:
        old, _, new, content = two_points(sweeping)
        with reading.open_pinned(new, PinPurpose.OFFER) as reader:
            disk = reader.open_disk(2000)
            places = range(0, 6 * MIB, 4 * KIB)

            def read_all() -> bytes:
                requests = [ReadRequest(start, memoryview(bytearray(4 * KIB))) for start in places]
                return b"".join(bytes(done.buffer) for done in disk.read_many(requests))

            assert read_all() == content
            sweeping.delete_point(old)
            assert collect_garbage(sweeping).rewritten_packs > 3
            assert read_all() == content
            disk.close()


def test_a_lease_keeps_garbage_collection_out_as_before(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository, open_repository(tmp_path, local="elsewhere") as other:
        point = back_up(repository, MemoryDisk(random_bytes(MIB)))
        with other.open_point(point.id), pytest.raises(RepositoryBusy):
            collect_garbage(repository)


def test_a_pinned_point_is_not_deleted_and_its_holder_is_named(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository, open_repository(tmp_path, local="elsewhere") as other:
        point = back_up(repository, MemoryDisk(random_bytes(MIB)))
        with other.open_pinned(point.id, PinPurpose.VERIFICATION):
            with pytest.raises(PointPinned, match="verification") as refused:
                repository.delete_point(point.id)
            assert refused.value.params["host"] == other.pins.listing().pins[0].host
            assert [known.id for known in repository.points().points] == [point.id]
        repository.delete_point(point.id)
        assert repository.points().points == ()


def test_a_pin_that_comes_in_the_moment_of_the_deletion_wins(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository, open_repository(tmp_path, local="elsewhere") as other:
        point = back_up(repository, MemoryDisk(random_bytes(MIB)))
        look, readers = Pins.refuse_pinned, list[PointReader]()

        def look_and_lose(pins: Pins, *wanted: PointId) -> None:
            look(pins, *wanted)
            if not readers:
                readers.append(other.open_pinned(point.id, PinPurpose.OFFER))

        with mock.patch.object(Pins, "refuse_pinned", look_and_lose), pytest.raises(PointPinned):
            repository.delete_point(point.id)
        (reader,) = readers
        assert len(content_of(reader)) == MIB
        assert [known.id for known in repository.points().points] == [point.id]
        assert repository.deleted_points() == ()
        reader.close()


def test_a_pinned_point_in_the_trash_outlives_its_grace_time(tmp_path: Path) -> None:
    """An earlier version of the program, which knows no pins, may have put it there."""
    content = random_bytes(2 * MIB)
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(content))
        with repository.open_pinned(point.id, PinPurpose.OFFER) as reader:
            with mock.patch.object(Pins, "refuse_pinned"):
                repository.delete_point(point.id)
            plan = repository.maintenance.plan_garbage_collection(
                GarbageCollectionPolicy(grace=timedelta(0)), cancel=CancelToken()
            )
            assert (plan.purged, plan.deleted_packs) == ((), ())
            assert collect_garbage(repository).purged_points == ()
            assert content_of(reader) == content
        assert collect_garbage(repository).purged_points == (point.id,)


def test_a_pinned_point_that_is_gone_stops_garbage_collection(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(random_bytes(MIB)))
        with repository.open_pinned(point.id, PinPurpose.OFFER):
            hidden = tmp_path / "elsewhere"
            (tmp_path / "standby" / "points" / point.id).rename(hidden)
            with pytest.raises(PinnedPointMissing, match=point.id):
                collect_garbage(repository)
        collect_garbage(repository)


@pytest.mark.parametrize(
    ("spoil", "refused"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), PinUnreadable),
        (lambda path: path.write_bytes(path.read_bytes().replace(b'"disks over NBD"', b'"x"')), PinUnreadable),
        (lambda path: path.rename(path.with_name(f"{'0' * 32}.pin")), PinUnreadable),
        (lambda path: path.write_bytes(bytes(1 << 20)), PinUnreadable),
        (lambda path: path.write_bytes(encode_document({"format": 2})), WrittenByNewer),
        (lambda path: path.write_bytes(encode_document({"format": 1, "id": path.stem})), PinUnreadable),
        (lambda path: (path.unlink(), path.mkdir()), PinUnreadable),
        pytest.param(
            lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
            PinUnreadable,
            marks=posix_only("making links needs a privilege on Windows"),
        ),
    ],
    ids=["torn", "changed", "another's name", "too long", "newer", "incomplete", "directory", "link"],
)
def test_a_pin_that_cannot_be_read_stops_what_deletes_and_nothing_else(
    tmp_path: Path, spoil: Break, refused: type[OperationalError]
) -> None:
    content = random_bytes(MIB)
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(content))
        with repository.open_pinned(point.id, PinPurpose.OFFER):
            (path,) = pins_in(tmp_path)
            spoil(path)
            with pytest.raises(refused):
                collect_garbage(repository)
            with pytest.raises(refused):
                repository.delete_point(point.id)
            assert read_back(repository, point.id) == content
            back_up(repository, MemoryDisk(content), number=1)
            listing = repository.pins.listing()
            assert len([*listing.unreadable, *listing.newer]) == len(pins_in(tmp_path)) == 1
            whole = repository.maintenance.verify_everything(progress=Progress(), cancel=CancelToken())
            assert [damage.what for damage in whole.damage] == [
                f"pins/{name}.pin" for name in listing.unreadable
            ], "verification names it"


def test_a_point_is_kept_for_work_that_outlives_the_process(tmp_path: Path) -> None:
    """The next process of the console finds the pin, does not take it for abandoned, and can end it."""
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(random_bytes(MIB))).id
    with as_holder(tmp_path) as repository:
        pin = repository.keep_point(point, PinPurpose.RECOVERY)
        with pytest.raises(PointMissing):
            repository.keep_point(PointId("gone_BAK_vm_x/2026-01-01_00-00-00"), PinPurpose.RECOVERY)
        assert [known.id for known in repository.pins.known()] == [pin]
    with as_holder(tmp_path) as repository:
        assert repository.pins.end_abandoned() == 0
        with pytest.raises(PointPinned):
            repository.delete_point(point)
        repository.pins.end(pin)
        repository.delete_point(point)


def test_a_folder_of_a_recovery_is_inside_the_repository(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        folder = repository.recoveries.folder("a" * 32)
        assert folder.parent.parent.samefile(repository.root)
        assert not repository.recoveries.remove("a" * 32)
        (folder / "disks" / "2000").mkdir(parents=True)
        (folder / "disks" / "2000" / "00000001.log").write_bytes(b"written")
        assert repository.recoveries.remove("a" * 32)
        assert not folder.exists()
        for wrong in ("", "..", "A" * 32, "a" * 31, "../" + "a" * 32):
            with pytest.raises(ValueError, match="not the id"):
                repository.recoveries.folder(wrong)


def test_an_operator_ends_a_pin_whoever_holds_it(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository, open_repository(tmp_path, local="elsewhere") as other:
        point = back_up(repository, MemoryDisk(random_bytes(MIB)))
        with other.open_pinned(point.id, PinPurpose.OFFER):
            (pin,) = repository.pins.listing().pins
            assert not pin.is_ours
            repository.pins.end(pin.id)
            repository.pins.end(pin.id)
            repository.delete_point(point.id)
        for wrong in ("../points", "", "A" * 32):
            with pytest.raises(ValueError, match="not the id"):
                repository.pins.end(wrong)


def test_what_a_killed_process_left_is_ended_by_the_next_of_its_console_only(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(random_bytes(MIB)))
    with as_holder(tmp_path) as killed, as_holder(tmp_path) as alive, as_holder(tmp_path, "another") as other:
        pin = killed.pins.take(point.id, PinPurpose.OFFER)
        mine = alive.open_pinned(point.id, PinPurpose.EXPORT)
        theirs = other.open_pinned(point.id, PinPurpose.RESTORE)
        with mock.patch("app.repository.pins._held", {known.id for known in alive.pins.listing().pins} - {pin.id}):
            assert other.pins.end_abandoned() == 0
            assert alive.pins.end_abandoned() == 1
            left = {known.purpose for known in alive.pins.listing().pins}
        assert left == {PinPurpose.EXPORT, PinPurpose.RESTORE}
        mine.close()
        theirs.close()
        assert pins_in(tmp_path) == []


def test_a_repository_of_an_earlier_version_is_pinned_too(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(random_bytes(MIB)))
        (tmp_path / "standby" / "pins").rmdir()
        assert repository.pins.listing().pins == ()
        collect_garbage(repository)
        with repository.open_pinned(point.id, PinPurpose.OFFER):
            assert len(pins_in(tmp_path)) == 1


@posix_only("making links needs a privilege on Windows")
def test_a_link_for_the_directory_is_not_followed(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(random_bytes(MIB)))
        (tmp_path / "outside").mkdir()
        (tmp_path / "standby" / "pins").rmdir()
        (tmp_path / "standby" / "pins").symlink_to(tmp_path / "outside")
        with pytest.raises(LinkRefused):
            repository.open_pinned(point.id, PinPurpose.OFFER)
        assert list((tmp_path / "outside").iterdir()) == []


def test_half_written_pins_go_with_the_next_collection(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        stray = tmp_path / "standby" / "pins" / f"{'a' * 32}.new"
        stray.write_bytes(b"half")
        collect_garbage(repository)
        assert not stray.exists()


def test_readers_and_collections_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    """Points come, are read under pins, deleted and collected, by three consoles at once."""
    content = random_bytes(4 * MIB, 7)
    with open_repository(tmp_path) as writing, open_repository(tmp_path, local="elsewhere") as reading:
        kept = back_up(writing, MemoryDisk(content)).id
        done, problems = threading.Event(), list[BaseException]()

        def read_again_and_again() -> None:
            try:
                while not done.is_set():
                    with reading.open_pinned(kept, PinPurpose.VERIFICATION) as reader:
                        assert content_of(reader) == content
                        assert reader.verify(progress=Progress(), cancel=CancelToken()).whole
            except BaseException as error:  # noqa: BLE001
                problems.append(error)

        thread = threading.Thread(target=read_again_and_again)
        thread.start()
        try:
            for number in range(1, 7):
                disk = MemoryDisk(random_bytes(2 * MIB, number) + content[2 * MIB :])
                point = back_up(writing, disk, number=number)
                writing.delete_point(point.id)
                writing.maintenance.collect_garbage(
                    GarbageCollectionPolicy(grace=timedelta(0), garbage_share=0.01, small_share=0.9),
                    progress=Progress(),
                    cancel=CancelToken(),
                    wait_s=30,
                )
        finally:
            done.set()
            thread.join()
        assert not problems, problems
        assert read_back(writing, kept) == content
