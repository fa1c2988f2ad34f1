import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.disks import ReadRequest
from app.core.progress import Progress
from app.domain.errors import DiskAccessFailed, TaskCancelled
from app.domain.extents import Extent
from app.domain.ids import PointId
from app.domain.states import BackupKind
from app.repository import RepositorySettings, writer
from app.repository.errors import PointDamaged, PointMissing
from app.repository.points import StoredPoints
from app.repository.values import KIB, MIB
from tests.support import independent_reader
from tests.unit.repository.helpers import (
    MemoryDisk,
    back_up,
    disk_draft,
    open_repository,
    point_draft,
    random_bytes,
    read_back,
    read_range,
    text_bytes,
)

CONTENT = random_bytes(2 * MIB + 5 * KIB, seed=7) + bytes(MIB) + text_bytes(MIB + 700)


def pack_bytes(standby: Path) -> int:
    return sum(path.stat().st_size for path in standby.glob("packs/*/*.pack"))


def test_full_backup_restores_to_what_the_disk_was(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))

        assert read_back(repository, point.id) == CONTENT
        assert point.disks[0].read_bytes == len(CONTENT)
        assert point.disks[0].read_whole


def test_point_is_found_by_another_process_with_no_catalog(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
    with open_repository(tmp_path, local="other-machine") as other:
        assert other.points().points == (point,)
        assert read_back(other, point.id) == CONTENT


def test_incremental_reads_exactly_the_changed_bytes(tmp_path: Path) -> None:
    disk = MemoryDisk(CONTENT)
    changes = [Extent(1000, 10), Extent(1200, 1), Extent(MIB - 3, 6), Extent(len(CONTENT) - 5, 5)]
    with open_repository(tmp_path) as repository:
        full = back_up(repository, disk)
        for change in changes:
            disk.content[change.start : change.end] = b"!" * change.length_bytes
        disk.reads.clear()
        point = back_up(repository, disk, changes, number=1, parent=full.id)

        assert sum(read.length_bytes for read in disk.reads) == sum(change.length_bytes for change in changes)
        assert point.disks[0].read_bytes == sum(change.length_bytes for change in changes)
        assert read_back(repository, point.id) == disk.content
        assert read_back(repository, full.id) == CONTENT


def test_bytes_outside_the_extents_are_zero_without_a_parent(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(b"\xff" * MIB), [Extent(300 * KIB, 10)])

        expected = bytearray(MIB)
        expected[300 * KIB : 300 * KIB + 10] = b"\xff" * 10
        assert read_back(repository, point.id) == expected


def test_a_reused_buffer_never_leaks_into_a_chunk_that_is_read_in_part(tmp_path: Path) -> None:
    disk = MemoryDisk(b"\xff" * (8 * MIB), window=1)
    pieces = [Extent(start, 512) for start in range(4 * MIB, 8 * MIB, 100 * KIB)]
    with open_repository(tmp_path) as repository:
        point = back_up(repository, disk, [Extent(0, 4 * MIB), *pieces])

        expected = bytearray(b"\xff" * (4 * MIB) + bytes(4 * MIB))
        for piece in pieces:
            expected[piece.start : piece.end] = b"\xff" * 512
        assert read_back(repository, point.id) == expected


def test_zero_chunks_are_not_stored(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(bytes(4 * MIB)))

        assert point.disks[0].stored_bytes == 0
        assert pack_bytes(tmp_path / "standby") == 0
        assert read_back(repository, point.id) == bytes(4 * MIB)


def test_a_chunk_that_becomes_zero_again_is_zero_in_the_new_point(tmp_path: Path) -> None:
    disk = MemoryDisk(CONTENT)
    with open_repository(tmp_path) as repository:
        full = back_up(repository, disk)
        disk.content[:MIB] = bytes(MIB)
        point = back_up(repository, disk, [Extent(0, MIB)], number=1, parent=full.id)

        assert read_back(repository, point.id) == disk.content


def test_equal_chunks_are_stored_once_within_a_run_between_disks_and_between_points(tmp_path: Path) -> None:
    block = random_bytes(256 * KIB, seed=3)
    with open_repository(tmp_path) as repository:
        with repository.begin_point(point_draft()) as writer:
            for key in (2000, 2001):
                writer.write_disk(
                    disk_draft(4 * MIB, key),
                    MemoryDisk(block * 16),
                    [Extent(0, 4 * MIB)],
                    parent=None,
                    progress=Progress(),
                    cancel=CancelToken(),
                )
            first = writer.commit()
        second = back_up(repository, MemoryDisk(block * 16), number=1)

        assert first.stored_bytes < 300 * KIB
        assert first.disks[1].stored_bytes == 0
        assert second.stored_bytes == 0
        assert read_back(repository, second.id) == block * 16


def test_incompressible_data_costs_no_more_than_its_frame_tables(tmp_path: Path) -> None:
    with open_repository(tmp_path, RepositorySettings()) as repository:
        point = back_up(repository, MemoryDisk(random_bytes(8 * MIB)))

        assert 8 * MIB < point.disks[0].stored_bytes < 8 * MIB * 1.001


def test_chunks_of_an_aborted_run_are_found_again(tmp_path: Path) -> None:
    disk = MemoryDisk(random_bytes(3 * MIB))
    with open_repository(tmp_path) as repository:
        with repository.begin_point(point_draft()) as writer:
            writer.write_disk(
                disk_draft(3 * MIB),
                disk,
                [Extent(0, 3 * MIB)],
                parent=None,
                progress=Progress(),
                cancel=CancelToken(),
            )
        assert repository.points().points == ()
        assert list((tmp_path / "standby" / "staging").iterdir()) == []

        point = back_up(repository, disk, number=1)

        assert point.stored_bytes == 0
        assert read_back(repository, point.id) == disk.content


def test_disk_that_grew_keeps_what_it_had(tmp_path: Path) -> None:
    small = MemoryDisk(CONTENT)
    with open_repository(tmp_path) as repository:
        full = back_up(repository, small)
        grown = MemoryDisk(CONTENT + bytes(258 * MIB))
        grown.content[-10:] = b"0123456789"
        point = back_up(repository, grown, [Extent(len(grown.content) - 10, 10)], number=1, parent=full.id)

        assert read_back(repository, point.id) == grown.content


def test_disk_that_shrank_holds_nothing_behind_its_end(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        full = back_up(repository, MemoryDisk(b"\xaa" * (3 * MIB)))
        shrunk = MemoryDisk(b"\xaa" * (MIB + 100))
        point = back_up(repository, shrunk, [], number=1, parent=full.id)
        again = MemoryDisk(shrunk.content + bytes(MIB))
        last = back_up(repository, again, [], number=2, parent=point.id)

        assert read_back(repository, point.id) == shrunk.content
        assert read_back(repository, last.id) == again.content


def test_random_reads_return_the_disks_bytes(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        for start, length in [
            (0, 1),
            (65535, 2),
            (256 * KIB - 1, 256 * KIB + 2),
            (2 * MIB, MIB),
            (len(CONTENT) - 7, 7),
        ]:
            assert read_range(repository, point.id, start, length) == CONTENT[start : start + length]


def test_reading_beyond_the_disk_is_refused(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        with pytest.raises(ValueError, match="beyond"):
            read_range(repository, point.id, len(CONTENT) - 1, 2)


def test_allocated_extents_leave_zero_chunks_out(tmp_path: Path) -> None:
    content = bytearray(4 * MIB)
    content[MIB + 5] = 1
    content[-1] = 1
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(content))
        with repository.open_point(point.id) as reader:
            disk = reader.open_disk(2000)
            assert disk.allocated_extents() == [
                Extent(MIB, 256 * KIB),
                Extent(4 * MIB - 256 * KIB, 256 * KIB),
            ]
            disk.close()


def test_restore_over_a_used_disk_writes_the_zeros_too(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        target = MemoryDisk(b"\xee" * len(CONTENT))
        progress = Progress()
        with repository.open_point(point.id) as reader:
            reader.copy_disk(2000, target, write_zeros=True, progress=progress, cancel=CancelToken())

        assert target.content == CONTENT
        assert progress.sample().done_bytes == len(CONTENT)


def test_restore_of_some_extents_touches_nothing_else(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        target = MemoryDisk(b"\xee" * len(CONTENT))
        with repository.open_point(point.id) as reader:
            reader.copy_disk(
                2000,
                target,
                extents=[Extent(100, 50), Extent(MIB, 300 * KIB)],
                write_zeros=True,
                progress=Progress(),
                cancel=CancelToken(),
            )
        expected = bytearray(b"\xee" * len(CONTENT))
        expected[100:150] = CONTENT[100:150]
        expected[MIB : MIB + 300 * KIB] = CONTENT[MIB : MIB + 300 * KIB]
        assert target.content == expected


def test_progress_counts_bytes_and_busy_seconds(tmp_path: Path) -> None:
    progress = Progress()
    with open_repository(tmp_path) as repository, repository.begin_point(point_draft()) as writer:
        disk = writer.write_disk(
            disk_draft(len(CONTENT)),
            MemoryDisk(CONTENT),
            [Extent(0, len(CONTENT))],
            parent=None,
            progress=progress,
            cancel=CancelToken(),
        )
    sample = progress.sample()
    assert sample.done_bytes == sample.read_bytes == len(CONTENT)
    assert 0 < sample.written_bytes <= disk.stored_bytes
    assert sample.source_busy_s > 0
    assert sample.processing_busy_s > 0
    assert sample.target_busy_s > 0


class BreakingDisk(MemoryDisk):
    """Fails after some bytes."""

    def __init__(self, content: bytes, after_bytes: int) -> None:
        super().__init__(content)
        self._after = after_bytes

    def _fill(self, request: ReadRequest) -> ReadRequest:
        if request.offset >= self._after:
            raise DiskAccessFailed(path="[ds1] a.vmdk", operation="read", mode="nfc", detail="connection reset")
        return super()._fill(request)


def test_an_error_of_the_reader_comes_through_once_and_ends_all_threads(tmp_path: Path) -> None:
    threads = threading.active_count()
    with open_repository(tmp_path) as repository:
        with (
            pytest.raises(DiskAccessFailed, match="connection reset"),
            repository.begin_point(point_draft()) as writer,
        ):
            writer.write_disk(
                disk_draft(8 * MIB),
                BreakingDisk(random_bytes(8 * MIB), 4 * MIB),
                [Extent(0, 8 * MIB)],
                parent=None,
                progress=Progress(),
                cancel=CancelToken(),
            )
        assert threading.active_count() == threads
        assert repository.points().points == ()


def test_a_disk_that_failed_can_be_written_again_by_the_same_writer(tmp_path: Path) -> None:
    content = random_bytes(8 * MIB)
    with open_repository(tmp_path) as repository:
        with repository.begin_point(point_draft()) as writer:
            for disk in (BreakingDisk(content, 4 * MIB), BreakingDisk(content, 6 * MIB), MemoryDisk(content)):
                with suppress(DiskAccessFailed):
                    writer.write_disk(
                        disk_draft(8 * MIB),
                        disk,
                        [Extent(0, 8 * MIB)],
                        parent=None,
                        progress=Progress(),
                        cancel=CancelToken(),
                    )
            point = writer.commit()
        assert read_back(repository, point.id) == content


class CancellingDisk(MemoryDisk):
    """Cancels after its first megabyte."""

    def __init__(self, content: bytes, token: CancelToken) -> None:
        super().__init__(content, window=2)
        self._token = token

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        for request in super().read_many(requests):
            if request.offset >= MIB:
                self._token.cancel()
            yield request


def test_cancel_stops_within_a_few_chunks(tmp_path: Path) -> None:
    token = CancelToken()
    disk = CancellingDisk(random_bytes(16 * MIB), token)
    with open_repository(tmp_path) as repository:
        with pytest.raises(TaskCancelled), repository.begin_point(point_draft()) as writer:
            writer.write_disk(
                disk_draft(16 * MIB), disk, [Extent(0, 16 * MIB)], parent=None, progress=Progress(), cancel=token
            )
        assert sum(read.length_bytes for read in disk.reads) < 4 * MIB
        assert repository.points().points == ()


def test_a_wide_window_never_runs_out_of_buffers(tmp_path: Path) -> None:
    disk = MemoryDisk(random_bytes(16 * MIB), window=40)
    with open_repository(tmp_path) as repository:
        point = back_up(repository, disk)
        assert read_back(repository, point.id) == disk.content


def test_configuration_files_and_changed_extents_are_kept(tmp_path: Path) -> None:
    extents = [Extent(0, 64 * KIB), Extent(MIB, 3)]
    with open_repository(tmp_path) as repository:
        with repository.begin_point(point_draft()) as writer:
            writer.add_file("config.json", b"{}")
            writer.add_file("vm.nvram", b"\x00\x01")
            writer.save_changed_extents(2000, extents, "52 de/7")
            point = writer.commit()

        assert point.configuration_files == ("config.json", "vm.nvram")
        with repository.open_point(point.id) as reader:
            assert reader.file("vm.nvram") == b"\x00\x01"
            assert reader.changed_extents(2000) == (extents, "52 de/7")
            with pytest.raises(KeyError):
                reader.file("vm.vmx")


@pytest.mark.parametrize("name", ["../evil", "a/b", "a\\b", "", "..", "nul", "COM1.txt", "dot.", "a\0b", "a:b"])
def test_file_names_that_could_leave_the_directory_are_refused(tmp_path: Path, name: str) -> None:
    with (
        open_repository(tmp_path) as repository,
        repository.begin_point(point_draft()) as writer,
        pytest.raises(ValueError, match="name"),
    ):
        writer.add_file(name, b"")


def test_points_of_one_second_do_not_replace_each_other(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        points = [back_up(repository, MemoryDisk(bytes([number]) * MIB)) for number in range(3)]

        assert len({point.id for point in points}) == 3
        for number, point in enumerate(points):
            assert read_back(repository, point.id) == bytes([number]) * MIB


def test_points_are_counted_and_their_number_is_never_given_out_again(tmp_path: Path) -> None:
    disk = MemoryDisk(bytes(MIB))
    with open_repository(tmp_path) as here, open_repository(tmp_path, local="another console") as there:
        first, second = back_up(here, disk, number=9), back_up(there, disk, number=2)
        here.delete_point(second.id)
        third = back_up(there, disk, number=1)
        assert [point.sequence for point in (first, second, third)] == [1, 2, 3]
        here.take_back_point(second.id)
        assert here.chain_points(first.chain) == (third, second, first)


def test_two_consoles_that_write_to_one_chain_at_once_count_on(tmp_path: Path) -> None:
    with (
        open_repository(tmp_path) as here,
        open_repository(tmp_path, local="another console") as there,
        here.begin_point(point_draft(5)) as one,
        there.begin_point(point_draft(1)) as other,
    ):
        made = [one.commit(), other.commit()]
        assert [point.sequence for point in made] == [1, 2]
        assert here.chain_points(made[0].chain) == tuple(reversed(made))


def test_points_of_earlier_versions_come_before_those_with_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = MemoryDisk(bytes(MIB))
    with open_repository(tmp_path) as repository:
        with monkeypatch.context() as patched:
            patched.setattr(StoredPoints, "next_sequence", lambda _self, _chain: 0)
            old = [back_up(repository, disk, number=number) for number in (7, 9, 8)]
        new = back_up(repository, disk, number=1)
        assert new.sequence == 1
        assert repository.chain_points(new.chain) == (new, old[1], old[2], old[0])
    other = independent_reader.open_repository(tmp_path / "standby")
    assert other.newest_first(new.chain) == [new.id, old[1].id, old[2].id, old[0].id]


def test_a_clock_that_starts_at_the_same_second_again_and_again_makes_points_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_STAMPS_PER_SECOND", 3)
    with open_repository(tmp_path) as repository:
        points = [back_up(repository, MemoryDisk(bytes(1000))) for _ in range(7)]
        assert len({point.id for point in points}) == 7
        assert repository.chain_points(points[0].chain) == tuple(reversed(points))


def test_listing_is_newest_first_in_each_chain(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        points = [back_up(repository, MemoryDisk(bytes(MIB)), number=number) for number in (1, 0, 2)]
        other = back_up(repository, MemoryDisk(bytes(MIB)), rule_name="other")

        assert repository.chain_points(points[0].chain) == (points[2], points[1], points[0]), "in their sequence"
        assert {point.chain for point in repository.points().points} == {points[0].chain, other.chain}
        assert repository.chain_points("no such chain") == ()


def test_deleted_point_goes_to_the_trash_and_its_children_still_restore(tmp_path: Path) -> None:
    disk = MemoryDisk(CONTENT)
    with open_repository(tmp_path) as repository:
        full = back_up(repository, disk)
        disk.content[5] = 99
        child = back_up(repository, disk, [Extent(5, 1)], number=1, parent=full.id)
        repository.delete_point(full.id)

        assert [point.id for point in repository.points().points] == [child.id]
        assert read_back(repository, child.id) == disk.content
        with pytest.raises(PointMissing):
            repository.open_point(full.id)
        with pytest.raises(PointMissing):
            repository.delete_point(full.id)


@pytest.mark.parametrize("name", ["../../etc/2026-01-01_00-00-00", "chain/../x", "", "a/b/c", "chain/2026-01-01"])
def test_point_ids_that_could_leave_the_repository_are_unknown(tmp_path: Path, name: str) -> None:
    with open_repository(tmp_path) as repository, pytest.raises(PointMissing):
        repository.open_point(PointId(name))


def test_backup_against_a_parent_without_that_disk_is_refused(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        full = back_up(repository, MemoryDisk(CONTENT))
        with pytest.raises(PointDamaged, match="no disk 2001"):
            back_up(repository, MemoryDisk(CONTENT), [], number=1, parent=full.id, key=2001)


def test_verification_of_a_whole_point_finds_nothing(tmp_path: Path) -> None:
    progress = Progress()
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        with repository.open_point(point.id) as reader:
            report = reader.verify(progress=progress, cancel=CancelToken())

    assert report.whole
    assert report.checked_bytes >= len(CONTENT) - MIB
    assert progress.sample().done_bytes == len(CONTENT)


def test_two_writers_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    left, right = MemoryDisk(random_bytes(6 * MIB, 1)), MemoryDisk(random_bytes(6 * MIB, 2))
    points = {}

    with open_repository(tmp_path) as repository:

        def run(name: str, disk: MemoryDisk) -> None:
            points[name] = back_up(repository, disk, rule_name=name)

        threads = [threading.Thread(target=run, args=pair) for pair in (("left", left), ("right", right))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert read_back(repository, points["left"].id) == left.content
        assert read_back(repository, points["right"].id) == right.content


class EndlessDisk(MemoryDisk):
    """A disk of any size whose bytes show where they are."""

    def __init__(self, capacity_bytes: int) -> None:
        super().__init__(b"")
        self._capacity = capacity_bytes

    @property
    def capacity_bytes(self) -> int:
        return self._capacity

    def _fill(self, request: ReadRequest) -> ReadRequest:
        request.buffer[:] = request.offset.to_bytes(len(request.buffer), "big")
        return request


def test_many_threads_may_read_one_index_at_once(tmp_path: Path) -> None:
    page = 256 * MIB
    disk = EndlessDisk(40 * page)
    pieces = [
        Extent(start + 256 * KIB * slot, 512) for start in range(0, 40 * page, page) for slot in range(0, 600, 60)
    ]
    with open_repository(tmp_path) as repository:
        point = back_up(repository, disk, pieces)
        for _ in range(20):
            tree = repository.parts.tree(point.disks[0])
            with ThreadPoolExecutor(8) as pool:
                found = list(pool.map(tree.digest, [piece.start // (256 * KIB) for piece in reversed(pieces)]))
            assert len(set(found)) == len(pieces)


def test_kind_and_parent_are_kept(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        full = back_up(repository, MemoryDisk(CONTENT))
        child = back_up(repository, MemoryDisk(CONTENT), [], number=1, parent=full.id)

        assert (full.kind, full.parent) == (BackupKind.FULL, None)
        assert (child.kind, child.parent) == (BackupKind.INCREMENTAL, full.id)
        assert child.disks[0].root == full.disks[0].root
