"""Small files are read whole, and no more room is made for them than they take."""

import os
import tracemalloc
from pathlib import Path

import pytest

from app.repository.files import read_bounded

MIB = 1 << 20


@pytest.mark.parametrize("size", [0, 1, 9, 10])
def test_a_file_up_to_its_limit_is_read_whole(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(b"x" * size)
    assert read_bounded(tmp_path / "file", 10) == b"x" * size


@pytest.mark.parametrize("size", [11, 12, 4000])
def test_a_longer_one_is_refused(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(b"x" * size)
    with pytest.raises(ValueError, match="longer than 10 bytes"):
        read_bounded(tmp_path / "file", 10)


@pytest.mark.parametrize(("said", "limit", "is_refused"), [(0, 100, False), (5, 100, False), (5, 50, True)])
def test_a_file_that_is_longer_than_the_system_said_is_read_whole_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: int, limit: int, is_refused: bool
) -> None:
    (tmp_path / "file").write_bytes(b"y" * 60)
    real = os.fstat

    def early(descriptor: int) -> os.stat_result:
        found = list(real(descriptor))
        found[6] = said
        return os.stat_result(found)

    monkeypatch.setattr(os, "fstat", early)
    if is_refused:
        with pytest.raises(ValueError, match="longer than"):
            read_bounded(tmp_path / "file", limit)
    else:
        assert read_bounded(tmp_path / "file", limit) == b"y" * 60


def test_a_limit_that_somebody_forged_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"{}")
    tracemalloc.start()
    try:
        read_bounded(tmp_path / "file", 64 * MIB)
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()
