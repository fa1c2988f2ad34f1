"""Disks up to the 62 TiB of vSphere: what they take follows what is written, not their size."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.extents import Extent
from app.simulator.storage import GRAIN_BYTES, DiskStore, DiskTooLarge, SimDatastore
from app.simulator.storage.sparse import allocated_bytes
from app.transport.chain.sesparse import SeSparseLayer
from tests.support.disk_files import LocalFile
from tests.support.roomy import roomy_folder
from tests.support.simulated import local

TIB = 1 << 40
MIB = 1 << 20
BASE, CHILD = "[ds1] big/big.vmdk", "[ds1] big/big-000001.vmdk"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a file in memory of any size")


def _refuse(_fd: int, _size_bytes: int) -> None:
    raise OSError(errno.EFBIG, "File too large")


@pytest.fixture
def roomy() -> Iterator[SimDatastore]:
    with roomy_folder() as folder:
        yield SimDatastore("ds1", folder / "ds1", 64 * TIB)


@pytest.fixture(params=[8 * TIB, 62 * TIB], ids=["8 TiB", "62 TiB"])
def capacity(request: pytest.FixtureRequest) -> int:
    size: int = request.param
    return size


def test_a_large_disk_is_written_frozen_tracked_and_merged(roomy: SimDatastore, capacity: int) -> None:
    store = DiskStore({"ds1": roomy})
    base = store.create(BASE, capacity)
    base.enable_tracking()
    base.write(0, b"first")
    base.write(capacity - 4, b"last")
    before = base.mark()
    assert before is not None
    child = base.branch(CHILD)
    middle = capacity // 2 + 12_345
    child.write(middle, b"middle")
    child.write(capacity - 2, b"XX")
    grain = middle // GRAIN_BYTES * GRAIN_BYTES
    last = Extent(capacity - GRAIN_BYTES, GRAIN_BYTES)
    assert child.changed_areas(before) == [Extent(grain, GRAIN_BYTES), last]
    assert child.changed_areas(before, start=grain + 1) == [Extent(grain, GRAIN_BYTES), last]
    assert child.allocated_areas() == [Extent(0, GRAIN_BYTES), Extent(grain, GRAIN_BYTES), last]
    store.close()

    store = DiskStore({"ds1": roomy})
    child = store.open(CHILD)
    assert child.changed_areas(before) == [Extent(grain, GRAIN_BYTES), last]
    assert (child.read(middle, 6), child.read(capacity - 4, 4)) == (b"middle", b"laXX")
    merged = child.merge_into_parent()
    assert (merged.read(0, 5), merged.read(middle, 6), merged.read(capacity - 4, 4)) == (
        b"first",
        b"middle",
        b"laXX",
    )
    assert merged.changed_areas(before) == [Extent(grain, GRAIN_BYTES), last]
    store.close()
    taken = sum(allocated_bytes(local(file)) for file in roomy.root.rglob("*") if file.is_file())
    assert taken < 2 * MIB, "space follows what is written"


@pytest.mark.qemu
def test_its_deltas_are_sesparse_for_qemu_and_for_our_own_reader(roomy: SimDatastore, capacity: int) -> None:
    store = DiskStore({"ds1": roomy})
    base = store.create(BASE, capacity)
    base.write(capacity - MIB, b"b" * MIB)
    child = base.branch(CHILD)
    child.write(capacity - MIB + 5 * GRAIN_BYTES, b"c" * GRAIN_BYTES)
    layer = SeSparseLayer(LocalFile(local(roomy.resolve("[ds1] big/big-000001-sesparse.vmdk"))))
    held = [run for run in layer.runs(capacity - MIB, capacity) if run.file is not None]
    assert [run.length_bytes for run in held] == [GRAIN_BYTES]
    assert layer.capacity_bytes == capacity
    at = capacity - MIB + 5 * GRAIN_BYTES
    asked = f"read -P 99 {at} {GRAIN_BYTES}", f"read -P 98 {capacity - MIB} {GRAIN_BYTES}"
    read = subprocess.run(
        ["qemu-io", "-r", "-c", asked[0], "-c", asked[1], str(roomy.resolve(child.path))],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "verification failed" not in read.stdout, read.stdout
    store.close()


def test_a_file_system_that_holds_no_such_file_is_said_and_nothing_is_left(
    tmp_path: Path,
) -> None:
    datastore = SimDatastore("ds1", tmp_path / "ds1", 64 * TIB)
    store = DiskStore({"ds1": datastore})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "ftruncate", _refuse)
        with pytest.raises(DiskTooLarge, match=str(62 * TIB)):
            store.create(BASE, 62 * TIB, thin=False)
    assert not [file for file in datastore.root.rglob("*") if file.is_file()]
    assert datastore.used_bytes == 0
