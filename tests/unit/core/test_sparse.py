import ctypes
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from app.core.sparse import extend_by_handle, extend_with_hole


def test_a_longer_file_takes_no_room(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        extend_with_hole(descriptor, 1 << 30)
    finally:
        os.close(descriptor)
    assert path.stat().st_size == 1 << 30
    if sys.platform != "win32":  # the system reports no blocks there; below is what it is asked for
        assert path.stat().st_blocks == 0


class Kernel:
    """What Windows is asked for."""

    def __init__(self, *, can_be_sparse: bool = True, can_grow: bool = True) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self._can_be_sparse = can_be_sparse
        self._can_grow = can_grow

    def DeviceIoControl(self, handle: Any, code: int, *_: Any) -> int:
        self.asked.append((handle.value, hex(code)))
        return int(self._can_be_sparse)

    def SetFileInformationByHandle(self, handle: Any, kind: int, end: Any, size: int) -> int:
        self.asked.append((handle.value, kind, ctypes.cast(end, ctypes.POINTER(ctypes.c_int64))[0], size))
        return int(self._can_grow)


@pytest.mark.parametrize("can_be_sparse", [True, False])
def test_on_windows_a_file_is_sparse_before_it_grows(can_be_sparse: bool) -> None:
    kernel = Kernel(can_be_sparse=can_be_sparse)
    extend_by_handle(kernel, 77, 5 << 40)
    assert kernel.asked == [(77, "0x900c4"), (77, 6, 5 << 40, 8)]


def test_a_refusal_of_windows_is_an_error() -> None:
    with pytest.raises(OSError, match="end of the file"):
        extend_by_handle(Kernel(can_grow=False), 77, 1)
