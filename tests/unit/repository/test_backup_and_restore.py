from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.progress import Progress
from app.domain.extents import Extent
from app.repository import RepositorySettings
from app.repository.errors import PointDamaged
from app.repository.values import KIB, MIB
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
