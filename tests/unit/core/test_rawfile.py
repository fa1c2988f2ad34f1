"""Raw files as restore targets: right bytes whatever the alignment, holes kept, refusals raised at the flush."""

import errno
import mmap
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.rawfile import RawFileWriter
from app.domain.errors import OperationalError, StandbyUnavailable

KIB = 1024


def refused(error: OSError) -> OperationalError:
    return StandbyUnavailable(path="target", detail=error)


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[int], RawFileWriter]:
    return lambda size: RawFileWriter(tmp_path / "disk.img", size, failure=refused)


def test_pieces_of_any_alignment_arrive_where_they_belong(
    tmp_path: Path, opened: Callable[[int], RawFileWriter]
) -> None:
    size = 3_000_123
    dice = random.Random(7)
    pages = memoryview(mmap.mmap(-1, 1 << 20))
    pages[:] = dice.randbytes(1 << 20)
    expected = bytearray(size)
    writer = opened(size)
    position = 0
    while position < size:
        start = dice.choice((0, 0, 4096, 1, 513))
        length = min(dice.choice((4096, 128 * KIB, 100, 5000, 65_537)), size - position)
        data = pages[start : start + length]
        writer.write(position, data)
        expected[position : position + length] = data
        position += length + dice.choice((0, 0, 4096, 77))
    writer.flush()
    writer.sync()
    writer.close()
    assert (tmp_path / "disk.img").read_bytes() == expected


@pytest.mark.skipif(not hasattr(os, "SEEK_HOLE"), reason="the system cannot tell holes")
def test_what_is_not_written_stays_a_hole(tmp_path: Path, opened: Callable[[int], RawFileWriter]) -> None:
    writer = opened(64 << 20)
    writer.write(32 << 20, bytes(range(256)) * 16)
    writer.flush()
    writer.sync()
    writer.close()
    assert (tmp_path / "disk.img").stat().st_size == 64 << 20
    assert (tmp_path / "disk.img").stat().st_blocks * 512 < 1 << 20


def test_a_file_that_is_there_is_not_touched(tmp_path: Path, opened: Callable[[int], RawFileWriter]) -> None:
    (tmp_path / "disk.img").write_bytes(b"precious")
    with pytest.raises(StandbyUnavailable):
        opened(4096)
    assert (tmp_path / "disk.img").read_bytes() == b"precious"


def test_nothing_is_written_beyond_the_end(opened: Callable[[int], RawFileWriter]) -> None:
    writer = opened(8192)
    for offset in (-1, 4097, 8192):
        with pytest.raises(ValueError, match="beyond"):
            writer.write(offset, bytes(4096))
    writer.close()


def test_a_refusal_of_the_system_is_raised_by_the_flush(
    opened: Callable[[int], RawFileWriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    writer = opened(1 << 20)
    monkeypatch.setattr(os, "pwrite" if hasattr(os, "pwrite") else "write", full)
    writer.write(0, bytes(4096))
    with pytest.raises(StandbyUnavailable, match="No space left"):
        writer.flush()
    monkeypatch.undo()
    writer.write(4096, bytes(4096))
    writer.flush()
    writer.close()
