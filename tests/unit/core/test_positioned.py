"""Reading and writing at offsets, also where the system has no calls for it."""

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.positioned import PositionedFile
from app.core.privatefiles import open_private
from tests.support.platforms import posix_only

NOT_ON_WINDOWS = ("preadv", "pwritev", "pread", "pwrite", "fdatasync", "posix_fallocate", "posix_fadvise")


@pytest.fixture(params=["as it is", "as on Windows"])
def file(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PositionedFile]:
    if request.param == "as on Windows":
        for name in NOT_ON_WINDOWS:
            monkeypatch.delattr(os, name, raising=False)
    file = PositionedFile(open_private(tmp_path / "file", os.O_RDWR | os.O_CREAT))
    yield file
    file.close()


def test_buffers_are_written_and_filled_one_after_the_other(file: PositionedFile) -> None:
    file.write(3, [b"abc", bytearray(b"defg"), memoryview(b"hi")])
    parts = [memoryview(bytearray(size)) for size in (2, 0, 5, 3)]
    assert file.read_into(2, parts) == 10
    assert b"".join(parts) == b"\0abcdefghi"
    assert file.size_bytes() == 12


def test_what_is_not_there_is_not_read(file: PositionedFile) -> None:
    file.write(0, [b"abcdef"])
    parts = [memoryview(bytearray(b"....")), memoryview(bytearray(b"...."))]
    assert file.read_into(1, parts) == 5
    assert b"".join(parts) == b"bcdef..."
    assert file.read(4, 10) == b"ef"
    assert file.read(40, 10) == b""
    assert file.read(0, 0) == b""


def test_preallocated_bytes_are_zero(file: PositionedFile, tmp_path: Path) -> None:
    size = (3 << 20) + 77
    file.preallocate(size)
    assert (tmp_path / "file").read_bytes() == bytes(size)
    file.truncate(5)
    assert file.size_bytes() == 5


@posix_only("stat does not report on Windows what a file takes on the disk")
def test_what_is_preallocated_takes_space_on_the_disk(file: PositionedFile, tmp_path: Path) -> None:
    size = (3 << 20) + 77
    file.preallocate(size)
    assert (tmp_path / "file").stat().st_blocks * 512 >= size


def test_syncing_and_forgetting_keep_what_is_there(file: PositionedFile) -> None:
    file.write(0, [b"abc"])
    file.sync_data()
    file.sync()
    file.forget_cached()
    assert file.read(0, 3) == b"abc"


def test_threads_do_not_move_each_others_position(file: PositionedFile) -> None:
    size = 512
    file.write(0, [bytes([number]) * size for number in range(32)])
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(200):
            file.write((32 + number) * size, [bytes([number]) * size])
            if file.read(number * size, size) != bytes([number]) * size:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert file.read(32 * size, 4 * size) == b"".join(bytes([number]) * size for number in range(4))


@posix_only("Windows has no calls with an offset")
def test_calls_that_do_a_part_are_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.preadv, os.pwritev

    def read_little(descriptor: int, parts: list[memoryview], offset: int) -> int:
        return read(descriptor, [parts[0][:3]], offset)

    def write_little(descriptor: int, parts: list[memoryview], offset: int) -> int:
        return write(descriptor, [memoryview(parts[0])[:3]], offset)

    monkeypatch.setattr(os, "preadv", read_little)
    monkeypatch.setattr(os, "pwritev", write_little)
    file = PositionedFile(open_private(tmp_path / "file", os.O_RDWR | os.O_CREAT))
    file.write(1, [b"abcde", b"fg", b"hijkl"])
    parts = [memoryview(bytearray(4)), memoryview(bytearray(8))]
    assert file.read_into(1, parts) == 12
    assert b"".join(parts) == b"abcdefghijkl"
    file.close()


@posix_only("Windows has no call that reserves space")
@pytest.mark.parametrize("error", [errno.EOPNOTSUPP, errno.EINVAL])
def test_where_space_cannot_be_reserved_zeros_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def refuse(*_args: int) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    file = PositionedFile(open_private(tmp_path / "file", os.O_RDWR | os.O_CREAT))
    file.preallocate(100_000)
    assert file.size_bytes() == 100_000
    file.close()


@posix_only("Windows has no call that reserves space")
def test_a_full_disk_is_no_missing_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    file = PositionedFile(open_private(tmp_path / "file", os.O_RDWR | os.O_CREAT))
    with pytest.raises(OSError, match="No space left"):
        file.preallocate(100_000)
    file.close()


def test_a_file_is_closed_once_and_with_its_last_holder(tmp_path: Path) -> None:
    descriptor = open_private(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    file = PositionedFile(descriptor)
    del file
    with pytest.raises(OSError) as refused:  # noqa: PT011 - its words are the system's
        os.fstat(descriptor)
    assert refused.value.errno == errno.EBADF
    again = PositionedFile(open_private(tmp_path / "file", os.O_RDWR))
    again.close()
    other = open_private(tmp_path / "file", os.O_RDWR)
    again.close()
    assert os.fstat(other).st_size == 0
    os.close(other)
