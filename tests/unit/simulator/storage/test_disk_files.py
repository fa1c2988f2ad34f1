"""The space that disks take, and disks that move, are copied, grow or are exported."""

from pathlib import Path

import pytest

from app.simulator.storage import (
    GRAIN_BYTES,
    DatastoreFull,
    DiskExists,
    DiskFrozen,
    DiskStore,
    SimDatastore,
)

MIB = 1 << 20
PATH = "[ds1] web/web.vmdk"


# ---- space --------------------------------------------------------------------------------------------------


def test_thin_disks_take_space_by_grains_and_thick_ones_at_once(store: DiskStore) -> None:
    thin = store.create(PATH, 10 * MIB)
    thick = store.create("[ds1] web/data.vmdk", 10 * MIB, thin=False)
    thin.write(0, b"x")
    thin.write(1, b"x")
    thick.write(0, b"x")
    assert (thin.used_bytes, thick.used_bytes) == (GRAIN_BYTES, 10 * MIB)
    assert (thin.thin, thick.thin) == (True, False)


def test_a_full_datastore_refuses_new_grains_but_not_old_ones(tmp_path: Path) -> None:
    small = SimDatastore("small", tmp_path / "small", 3 * GRAIN_BYTES)
    store = DiskStore({"small": small})
    disk = store.create("[small] a.vmdk", MIB)
    disk.write(0, b"x" * GRAIN_BYTES)
    before = small.used_bytes
    with pytest.raises(DatastoreFull):
        disk.write(GRAIN_BYTES // 2, b"y" * 3 * GRAIN_BYTES)
    assert disk.read(0, GRAIN_BYTES) == b"x" * GRAIN_BYTES
    assert small.used_bytes == before
    disk.write(5, b"z")
    with pytest.raises(DatastoreFull):
        store.create("[small] b.vmdk", MIB, thin=False)
    assert not store.exists("[small] b.vmdk")
    store.close()


def test_deleting_and_merging_give_space_back(store: DiskStore, datastore: SimDatastore) -> None:
    base = store.create(PATH, MIB)
    base.write(0, b"x")
    before = datastore.used_bytes
    child = base.branch("[ds1] web/web-000001.vmdk")
    child.write(0, b"y" * GRAIN_BYTES)
    child.merge_into_parent()
    assert datastore.used_bytes == before
    store.delete(PATH)
    assert datastore.used_bytes == 0
    assert list(datastore.resolve("[ds1] web").iterdir()) == []


# ---- other changes --------------------------------------------------------------------------------------------


def test_a_moved_chain_still_fits_together(store: DiskStore, datastore: SimDatastore, tmp_path: Path) -> None:
    base = store.create(PATH, MIB)
    base.enable_tracking()
    base.write(0, b"base")
    child = base.branch("[ds1] web/web-000001.vmdk")
    child.write(10, b"child")
    (tmp_path / "ds2" / "moved").mkdir()
    store.move(base.path, "[ds2] moved/renamed.vmdk")
    store.move(child.path, "[ds2] moved/renamed-000001.vmdk")
    assert child.read(0, 15) == b"base" + bytes(6) + b"child"
    assert datastore.used_bytes == 0
    store.close()
    leaf = store.open("[ds2] moved/renamed-000001.vmdk")
    assert leaf.read(0, 15) == b"base" + bytes(6) + b"child"
    assert leaf.tracking is not None
    assert leaf.parent is not None
    assert leaf.parent.tracking is not None


def test_nothing_is_moved_over_another_disk(store: DiskStore) -> None:
    disk = store.create(PATH, MIB)
    store.create("[ds1] web/other.vmdk", MIB)
    with pytest.raises(DiskExists):
        store.move(disk.path, "[ds1] web/other.vmdk")
    disk.write(0, b"x")


def test_a_copy_holds_the_whole_chain_and_stands_alone(store: DiskStore) -> None:
    base = store.create(PATH, MIB)
    base.write(0, b"base")
    child = base.branch("[ds1] web/web-000001.vmdk")
    child.write(GRAIN_BYTES * 3, b"child")
    copy = store.copy(child.path, "[ds2] copy/copy.vmdk")
    assert copy.parent is None
    assert copy.read(0, MIB) == child.read(0, MIB)
    assert copy.uuid != child.uuid
    assert copy.allocated_areas() == child.allocated_areas()


def test_a_flat_disk_can_grow_and_its_tracking_begins_anew(store: DiskStore) -> None:
    disk = store.create(PATH, MIB)
    before = disk.enable_tracking().change_id()
    disk.write(0, b"x")
    disk.extend(2 * MIB)
    disk.write(2 * MIB - 1, b"y")
    assert (disk.read(0, 1), disk.read(2 * MIB - 2, 2)) == (b"x", b"\0y")
    assert disk.tracking is not None
    assert disk.tracking.change_id().split("/")[0] != before.split("/")[0]
    with pytest.raises(ValueError, match="cannot be extended"):
        disk.extend(MIB)
    child = disk.branch("[ds1] web/web-000001.vmdk")
    with pytest.raises(DiskFrozen):
        child.extend(4 * MIB)


def test_an_exported_chain_is_a_sparse_raw_file(store: DiskStore, tmp_path: Path) -> None:
    base = store.create(PATH, 64 * MIB)
    base.write(MIB, b"base")
    child = base.branch("[ds1] web/web-000001.vmdk")
    child.write(60 * MIB, b"child")
    child.export_raw(tmp_path / "raw")
    content = (tmp_path / "raw").read_bytes()
    assert content == child.read(0, 64 * MIB)
    status = (tmp_path / "raw").stat()
    if hasattr(status, "st_blocks"):
        assert status.st_blocks * 512 < MIB


def test_the_owner_of_a_file_is_known_while_it_is_open(store: DiskStore) -> None:
    disk = store.create(PATH, MIB)
    disk.enable_tracking()
    assert [str(path) for path in disk.files] == [PATH, "[ds1] web/web-flat.vmdk", "[ds1] web/web-ctk.vmdk"]
    assert all(store.owner_of(path) is disk for path in disk.files)
    assert store.owner_of(disk.path.sibling("web.vmx")) is None
