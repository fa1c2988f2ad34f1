"""What was durable and is not what was stored any more is named; what a crash leaves is cut off."""

import os
from pathlib import Path

import pytest

from app.nfs.overlay import OverlayDamaged, OverlayDisk, OverlayMismatch
from app.nfs.overlay.format import SegmentHeader, encode_segment_header, parse_segment_header
from tests.support.platforms import posix_only
from tests.unit.nfs.overlay.helpers import (
    BASE,
    CAPACITY,
    GRAIN,
    SMALL,
    as_killed,
    grain,
    names,
    opener,
    read,
    reopened,
    segments,
)

RECORD = 64 + GRAIN
FIRST = 128
"""Where the first record of the first segment begins."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "overlay"


def change(path: Path, at: int, data: bytes | None = None) -> None:
    content = bytearray(path.read_bytes())
    new = bytes([content[at] ^ 1]) if data is None else data
    content[at : at + len(new)] = new
    path.write_bytes(content)


def killed(folder: Path, writes: int, synced: int = 0) -> Path:
    """Return what a kill leaves after writes of a grain each, of which some were synced one by one."""
    with reopened(folder) as disk:
        for number in range(writes):
            disk.write(number * GRAIN, grain(number))
            if number < synced:
                disk.sync()
        return as_killed(folder)


def written(count: int) -> bytes:
    return b"".join(map(grain, range(count))) + BASE[count * GRAIN :]


def test_a_torn_record_ends_the_log(folder: Path) -> None:
    copy = killed(folder, writes=6)
    change(segments(copy)[0], FIRST + 3 * RECORD + 2000)
    with reopened(copy) as disk:
        assert read(disk) == written(3)


@pytest.mark.parametrize("at", [0, 8, 20, 40, 63])
def test_a_torn_header_of_a_record_ends_the_log(folder: Path, at: int) -> None:
    copy = killed(folder, writes=6)
    change(segments(copy)[0], FIRST + 3 * RECORD + at)
    with reopened(copy) as disk:
        assert read(disk) == written(3)


def test_a_record_of_another_moment_ends_the_log(folder: Path) -> None:
    copy = killed(folder, writes=6)
    path = segments(copy)[0]
    change(path, FIRST + 3 * RECORD, path.read_bytes()[FIRST : FIRST + RECORD])
    with reopened(copy) as disk:
        assert read(disk) == written(3)


def test_later_records_do_not_come_back(folder: Path) -> None:
    copy = killed(folder, writes=6)
    change(segments(copy)[0], FIRST + 3 * RECORD + 2000)
    with reopened(copy) as disk:
        disk.write(3 * GRAIN, grain(3))  # just as it was, in the same place of the log
        disk.sync()
        again = as_killed(copy)
    assert segments(copy)[0].stat().st_size < FIRST + 4 * RECORD
    for place in (copy, again):
        with reopened(place) as disk:
            assert read(disk) == written(4)


def test_a_damaged_record_that_was_durable_is_named(folder: Path) -> None:
    copy = killed(folder, writes=6, synced=5)
    path = segments(copy)[0]
    change(path, FIRST + 3 * RECORD + 2000)
    before = path.read_bytes()
    with pytest.raises(OverlayDamaged) as caught:
        reopened(copy).__enter__()
    assert (caught.value.path, caught.value.offset) == (path, FIRST + 3 * RECORD)
    assert path.read_bytes() == before


def test_a_damaged_summary_is_made_up_for_by_the_records(folder: Path) -> None:
    with reopened(folder) as disk:
        for number in range(40):
            disk.write(number * GRAIN, grain(number))
    assert len(segments(folder)) > 2
    for path in segments(folder)[:2]:
        change(path, path.stat().st_size - 70)
    with reopened(folder) as disk:
        assert read(disk) == written(40)


def test_a_damaged_record_of_a_damaged_summary_is_named(folder: Path) -> None:
    with reopened(folder) as disk:
        for number in range(40):
            disk.write(number * GRAIN, grain(number))
    path = segments(folder)[0]
    change(path, path.stat().st_size - 70)
    change(path, FIRST + 14 * RECORD + 100)
    with pytest.raises(OverlayDamaged) as caught:
        reopened(folder).__enter__()
    assert (caught.value.path, caught.value.offset) == (path, FIRST + 14 * RECORD)


@pytest.mark.parametrize("at", [0, 8, 12, 16, 20, 28, 40, 48, 70, 100])
def test_a_damaged_segment_header_is_refused(folder: Path, at: int) -> None:
    copy = killed(folder, writes=3)
    change(segments(copy)[0], at)
    with pytest.raises((OverlayDamaged, OverlayMismatch), match=r"00000001\.seg"):
        reopened(copy).__enter__()


@pytest.mark.parametrize("lost", [0, 1, -1])
def test_a_missing_segment_is_named(folder: Path, lost: int) -> None:
    with reopened(folder) as disk:
        for number in range(40):
            disk.write(number * GRAIN, grain(number))
    path = segments(folder)[lost]
    path.unlink()
    with pytest.raises(OverlayDamaged, match="missing") as caught:
        reopened(folder).__enter__()
    assert caught.value.path == path


def test_a_log_without_any_segment_is_not_taken_for_a_new_one(folder: Path) -> None:
    copy = killed(folder, writes=3, synced=3)
    (path,) = segments(copy)
    path.unlink()
    with pytest.raises(OverlayDamaged, match="missing") as caught:
        reopened(copy).__enter__()
    assert caught.value.path == path


def test_a_segment_of_another_overlay_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = killed(folder, writes=40)
    other = killed(tmp_path / "other", writes=40)
    segments(copy)[1].write_bytes(segments(other)[1].read_bytes())
    with pytest.raises(OverlayMismatch, match=r"00000002\.seg: .* another overlay"):
        reopened(copy).__enter__()


def test_a_segment_under_the_name_of_another_is_refused(folder: Path) -> None:
    copy = killed(folder, writes=40)
    segments(copy)[1].write_bytes(segments(copy)[0].read_bytes())
    with pytest.raises(OverlayMismatch, match="this is segment 1"):
        reopened(copy).__enter__()


def test_an_overlay_of_another_disk_is_refused(folder: Path) -> None:
    copy = killed(folder, writes=3)
    with pytest.raises(OverlayMismatch, match=f"of a disk of {CAPACITY} bytes, not of {CAPACITY - 1}"):
        OverlayDisk(opener(BASE[:-1]), CAPACITY - 1, copy, SMALL)


def test_a_newer_format_is_refused(folder: Path) -> None:
    copy = killed(folder, writes=3)
    change(segments(copy)[0], 8, b"\x02")
    with pytest.raises(OverlayMismatch, match="version 2"):
        reopened(copy).__enter__()


def test_a_refused_overlay_can_be_opened_when_it_is_repaired(folder: Path) -> None:
    copy = killed(folder, writes=3)
    change(segments(copy)[0], 8, b"\x02")
    with pytest.raises(OverlayMismatch):
        reopened(copy).__enter__()
    change(segments(copy)[0], 8, b"\x01")
    with reopened(copy) as disk:
        assert read(disk) == written(3)


def test_what_a_guest_writes_is_not_taken_for_a_record(folder: Path) -> None:
    with reopened(folder) as disk:
        disk.write(0, grain(0))
        record = segments(folder)[0].read_bytes()[FIRST : FIRST + RECORD]
        disk.write(GRAIN, (record + bytes(2 * GRAIN))[: 2 * GRAIN])  # a record, where one may begin
        copy = as_killed(folder)
    path = segments(copy)[0]
    at = FIRST + RECORD
    content = bytearray(path.read_bytes())
    content[at : at + 64] = bytes(64)  # the header is lost: the payload comes next
    path.write_bytes(content)
    with reopened(copy) as disk:
        assert read(disk) == written(1)


def test_unfinished_segments_are_deleted_and_other_files_are_not(folder: Path) -> None:
    copy = killed(folder, writes=3)
    (copy / ".00000002.seg.0123456789abcdef.tmp").write_bytes(b"x")
    (copy / ".hidden").write_bytes(b"x")
    (copy / "map.cache").write_bytes(b"never trusted")
    with reopened(copy) as disk:
        assert read(disk) == written(3)
    assert names(copy) == [".hidden", "00000001.begun", "00000001.seg", "overlay.lock"]


def test_a_segment_that_is_not_part_of_the_log_any_more_is_deleted(folder: Path) -> None:
    with reopened(folder) as disk:
        for number in range(60):
            disk.write(number % 2 * GRAIN, grain(number))
        gone = segments(folder)[0]
        content = gone.read_bytes()
        assert disk.compact_once()
        assert not gone.exists()
        copy = as_killed(folder)
    for place in (copy, folder):
        (place / gone.name).write_bytes(content)  # its deletion did not last
        with reopened(place) as disk:
            assert read(disk) == grain(58) + grain(59) + BASE[2 * GRAIN :]
        assert not (place / gone.name).exists()


def test_a_segment_header_has_room_for_many_ranges() -> None:
    older = [(number, number + 1) for number in range(1, 200_000, 2)]
    header = SegmentHeader(b"i" * 16, 200_001, CAPACITY, 77, older)
    data = encode_segment_header(header)
    assert parse_segment_header(data) == header._replace(header_bytes=len(data))


@posix_only("what is counted are calls of POSIX")
def test_what_is_not_proven_to_be_durable_is_written_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = killed(folder, writes=6, synced=3)
    writes: list[tuple[int, int]] = []
    real = os.pwritev

    def noting(descriptor: int, parts: list[bytes], offset: int) -> int:
        writes.append((offset, sum(map(len, parts))))
        return real(descriptor, parts, offset)

    monkeypatch.setattr(os, "pwritev", noting)
    with reopened(copy) as disk:
        assert read(disk) == written(6)
    start = FIRST + 3 * RECORD
    assert writes[0] == (start, 3 * RECORD)
