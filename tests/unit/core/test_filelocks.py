"""The lock of an open file, as Windows is asked for it."""

import ctypes
import os
from pathlib import Path
from typing import Any

import pytest

from app.core.filelocks import (
    LOCKED_BYTE,
    Overlapped,
    close_locked,
    lock_by_handle,
    try_lock,
    unlock_by_handle,
)

LOCK_VIOLATION, NOT_SUPPORTED = 33, 50


class Kernel:
    """What Windows is asked for; ``refusal`` is its number for why it does not lock."""

    def __init__(self, refusal: int = 0) -> None:
        self.refusal = refusal
        self.asked: list[tuple[Any, ...]] = []

    def LockFileEx(self, handle: Any, flags: int, reserved: int, length: int, length_high: int, place: Any) -> int:
        self.asked.append((handle.value, flags, length, length_high, _offset(place)))
        return int(not self.refusal)

    def UnlockFileEx(self, handle: Any, reserved: int, length: int, length_high: int, place: Any) -> int:
        self.asked.append((handle.value, length, length_high, _offset(place)))
        return 1


def _offset(place: Any) -> int:
    return int(ctypes.cast(place, ctypes.POINTER(Overlapped))[0].offset)


def test_on_windows_one_byte_is_locked_at_once_and_for_one_holder() -> None:
    kernel = Kernel()
    assert lock_by_handle(kernel, 77, lambda: 0)
    unlock_by_handle(kernel, 77)
    assert kernel.asked == [(77, 3, 1, 0, LOCKED_BYTE), (77, 1, 0, LOCKED_BYTE)]


def test_on_windows_a_held_lock_differs_from_a_file_that_cannot_be_locked() -> None:
    assert not lock_by_handle(Kernel(LOCK_VIOLATION), 77, lambda: LOCK_VIOLATION)
    with pytest.raises(OSError, match="cannot be locked"):
        lock_by_handle(Kernel(NOT_SUPPORTED), 77, lambda: NOT_SUPPORTED)


def test_a_lock_excludes_a_second_opening_and_leaves_the_content_readable(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_bytes(b"4711")
    first, second = (os.open(path, os.O_RDWR) for _ in range(2))
    assert try_lock(first)
    assert not try_lock(second)
    assert path.read_bytes() == b"4711"
    close_locked(first)
    assert try_lock(second)
    close_locked(second)


def test_a_file_that_is_closed_cannot_be_locked(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    os.close(descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        try_lock(descriptor)
