import threading

import pytest

from app.domain.extents import Extent
from app.simulator.storage import (
    GRAIN_BYTES,
    DatastoreNotFound,
    DiskClosed,
    DiskCorrupt,
    DiskExists,
    DiskFrozen,
    DiskInUse,
    DiskNotFound,
    DiskStore,
    SimDatastore,
)
from tests.support.simulated import local

MIB = 1 << 20
PATH = "[ds1] web/web.vmdk"


def test_a_new_disk_reads_as_zeros_and_takes_no_space(store: DiskStore, datastore: SimDatastore) -> None:
    disk = store.create(PATH, 64 * MIB)
    assert disk.read(0, MIB) == bytes(MIB)
    assert disk.allocated_areas() == []
    assert disk.used_bytes == 0
    flat = local(datastore.resolve("[ds1] web/web-flat.vmdk"))
    assert flat.stat().st_size == 64 * MIB


def test_what_is_written_is_read_back_across_grains(store: DiskStore) -> None:
    disk = store.create(PATH, MIB)
    data = bytes(range(256)) * 1024
    disk.write(GRAIN_BYTES - 100, data)
    assert disk.read(0, GRAIN_BYTES) == bytes(GRAIN_BYTES - 100) + data[:100]
    assert disk.read(GRAIN_BYTES - 100, len(data)) == data
    assert disk.allocated_areas() == [Extent(0, GRAIN_BYTES * 5)]


@pytest.mark.parametrize(("offset", "length"), [(-1, 10), (MIB - 5, 6), (MIB + 1, 0)])
def test_nothing_beyond_the_capacity_can_be_reached(store: DiskStore, offset: int, length: int) -> None:
    disk = store.create(PATH, MIB)
    with pytest.raises(ValueError, match="not inside"):
        disk.read(offset, length)
    with pytest.raises(ValueError, match="not inside"):
        disk.write(offset, bytes(length))


@pytest.mark.parametrize("capacity", [0, -512, 1000, 1 << 50])
def test_a_capacity_must_be_whole_sectors_within_reason(store: DiskStore, capacity: int) -> None:
    with pytest.raises(ValueError, match="capacity"):
        store.create(PATH, capacity)


def test_a_last_grain_may_be_short(store: DiskStore) -> None:
    disk = store.create(PATH, GRAIN_BYTES + 512)
    disk.write(GRAIN_BYTES, b"x" * 512)
    child = disk.branch("[ds1] web/web-000001.vmdk")
    child.write(GRAIN_BYTES + 511, b"y")
    assert child.read(GRAIN_BYTES, 512) == b"x" * 511 + b"y"
    assert child.allocated_areas() == [Extent(GRAIN_BYTES, 512)]


def test_everybody_gets_the_same_disk_for_a_path(store: DiskStore) -> None:
    disk = store.create(PATH, MIB)
    assert store.open("[ds1] web//web.vmdk") is disk
    assert store.open_disks() == [disk]


def test_disks_are_found_again_by_another_store(store: DiskStore, datastore: SimDatastore) -> None:
    disk = store.create(PATH, MIB)
    disk.write(0, b"base")
    child = disk.branch("[ds1] web/web-000001.vmdk")
    child.write(100, b"child")
    uuid = child.uuid
    store.close()
    again = DiskStore({"ds1": datastore})
    leaf = again.open("[ds1] web/web-000001.vmdk")
    assert leaf.read(0, 105) == b"base" + bytes(96) + b"child"
    assert leaf.uuid == uuid
    assert leaf.parent is again.open(PATH)
    assert leaf.parent.is_frozen
    again.close()


def test_the_uuid_is_the_same_along_a_chain_and_can_be_given(store: DiskStore) -> None:
    disk = store.create(PATH, MIB, disk_uuid="6000C298-0102-0304-0506-0708090a0b0c")
    child = disk.branch("[ds1] web/web-000001.vmdk")
    assert disk.uuid == child.uuid == "6000c298-0102-0304-0506-0708090a0b0c"
    assert disk.descriptor.ddb["uuid"] == "60 00 c2 98 01 02 03 04-05 06 07 08 09 0a 0b 0c"


def test_no_disk_is_created_over_files(store: DiskStore, datastore: SimDatastore) -> None:
    datastore.write_file("web/web-flat.vmdk", b"precious")
    with pytest.raises(DiskExists):
        store.create(PATH, MIB)
    assert local(datastore.resolve("[ds1] web/web-flat.vmdk")).read_bytes() == b"precious"


def test_a_disk_that_is_not_there_is_not_found(store: DiskStore) -> None:
    with pytest.raises(DiskNotFound):
        store.open(PATH)
    with pytest.raises(DatastoreNotFound):
        store.open("[nowhere] web/web.vmdk")
    assert not store.exists(PATH)
    assert not store.exists("[nowhere] web/web.vmdk")
    assert not store.exists("nonsense")


@pytest.mark.parametrize("damage", ["descriptor", "missing data", "short data", "binary"])
def test_damaged_files_are_told_apart_from_missing_ones(
    store: DiskStore, datastore: SimDatastore, damage: str
) -> None:
    store.create(PATH, MIB).close()
    data = local(datastore.resolve("[ds1] web/web-flat.vmdk"))
    descriptor = local(datastore.resolve(PATH))
    if damage == "descriptor":
        descriptor.write_text("nonsense")
    elif damage == "binary":
        descriptor.write_bytes(b"\xff\xfe" * 100)
    elif damage == "missing data":
        data.unlink()
    else:
        data.write_bytes(b"short")
    with pytest.raises(DiskCorrupt):
        store.open(PATH)


def test_a_child_whose_parent_was_exchanged_is_not_opened(store: DiskStore, datastore: SimDatastore) -> None:
    disk = store.create(PATH, MIB)
    disk.branch("[ds1] web/web-000001.vmdk")
    store.close()
    descriptor = local(datastore.resolve(PATH))
    text = descriptor.read_text()
    descriptor.write_text(text.replace(f"CID={disk.content_id}", "CID=12345678", 1))
    with pytest.raises(DiskCorrupt, match="not the parent"):
        store.open("[ds1] web/web-000001.vmdk")


# ---- chains -------------------------------------------------------------------------------------------------


def test_a_frozen_disk_keeps_its_moment_while_the_child_is_written(store: DiskStore) -> None:
    disk = store.create(PATH, MIB)
    disk.write(0, b"before" * 1000)
    child = disk.branch("[ds1] web/web-000001.vmdk")
    child.write(3, b"AFTER")
    assert disk.read(0, 12) == b"beforebefore"
    assert child.read(0, 12) == b"befAFTERfore"
    with pytest.raises(DiskFrozen):
        disk.write(0, b"x")


def test_merging_a_leaf_makes_the_parent_the_leaf(store: DiskStore, datastore: SimDatastore) -> None:
    disk = store.create(PATH, MIB)
    disk.write(0, b"a" * GRAIN_BYTES)
    child = disk.branch("[ds1] web/web-000001.vmdk")
    child.write(10, b"b")
    assert child.merge_into_parent() is disk
    assert disk.read(9, 3) == b"aba"
    assert not disk.is_frozen
    disk.write(0, b"c")
    assert sorted(file.name for file in datastore.resolve("[ds1] web").iterdir()) == [
        "web-flat.vmdk",
        "web.vmdk",
    ]
    with pytest.raises(DiskClosed):
        child.write(0, b"x")
    with pytest.raises(DiskClosed):
        child.read(0, 1)


def test_merging_in_the_middle_keeps_what_stands_above(store: DiskStore) -> None:
    base = store.create(PATH, MIB)
    base.write(0, b"0" * 200_000)
    middle = base.branch("[ds1] web/web-000001.vmdk")
    middle.write(100, b"1" * 70_000)
    leaf = middle.branch("[ds1] web/web-000002.vmdk")
    leaf.write(50, b"2" * 100)
    seen_from_leaf, seen_from_middle = leaf.read(0, MIB), middle.read(0, MIB)
    middle.merge_into_parent()
    assert leaf.parent is base
    assert leaf.read(0, MIB) == seen_from_leaf
    assert base.read(0, MIB) == seen_from_middle
    assert base.is_frozen


def test_a_parent_of_two_children_cannot_take_one_in(store: DiskStore) -> None:
    base = store.create(PATH, MIB)
    first = base.branch("[ds1] web/web-000001.vmdk")
    base.branch("[ds1] web/web-000002.vmdk")
    with pytest.raises(DiskFrozen):
        first.merge_into_parent()
    with pytest.raises(DiskFrozen):
        base.merge_into_parent()


def test_merging_waits_for_readers_and_then_gives_up(store: DiskStore) -> None:
    base = store.create(PATH, MIB)
    child = base.branch("[ds1] web/web-000001.vmdk")
    with base.pinned(), pytest.raises(DiskInUse):
        child.merge_into_parent(wait_s=0.01)
    with child.pinned(), pytest.raises(DiskInUse):
        store.delete(child.path, wait_s=0.01)
    reading, done = threading.Event(), threading.Event()

    def read_for_a_while() -> None:
        with base.pinned():
            reading.set()
            done.wait(10)

    reader = threading.Thread(target=read_for_a_while)
    reader.start()
    reading.wait(10)
    merged = threading.Thread(target=child.merge_into_parent, kwargs={"wait_s": 10})
    merged.start()
    assert child.is_open
    done.set()
    merged.join(10)
    reader.join(10)
    assert not child.is_open


def test_a_disk_that_others_stand_on_cannot_be_deleted_or_closed(store: DiskStore) -> None:
    base = store.create(PATH, MIB)
    child = base.branch("[ds1] web/web-000001.vmdk")
    with pytest.raises(DiskFrozen):
        store.delete(base.path)
    with pytest.raises(DiskFrozen):
        base.close()
    store.delete(child.path)
    store.delete(base.path)
    assert not store.exists(base.path)


def test_a_reverted_snapshot_leaves_the_parent_as_it_was(store: DiskStore) -> None:
    base = store.create(PATH, MIB)
    base.write(0, b"kept")
    child = base.branch("[ds1] web/web-000001.vmdk")
    child.write(0, b"lost")
    store.delete(child.path)
    again = base.branch("[ds1] web/web-000001.vmdk")
    assert again.read(0, 4) == b"kept"


def test_segments_name_the_files_that_hold_each_part(store: DiskStore) -> None:
    base = store.create(PATH, MIB)
    base.write(0, b"a" * MIB)
    child = base.branch("[ds1] web/web-000001.vmdk")
    child.write(GRAIN_BYTES * 2, b"b" * GRAIN_BYTES)
    with child.pinned():
        segments = child.segments(GRAIN_BYTES, GRAIN_BYTES * 3)
    assert [(segment.file is child.layer.file, segment.length_bytes) for segment in segments] == [
        (False, GRAIN_BYTES),
        (True, GRAIN_BYTES),
        (False, GRAIN_BYTES),
    ]
    with base.pinned():
        assert len(base.segments(0, MIB)) == 1


def test_reads_beside_a_writing_guest_never_mix_old_and_new_grains(store: DiskStore) -> None:
    disk = store.create(PATH, 4 * MIB)
    stop = threading.Event()

    def write_generations() -> None:
        generation = 0
        while not stop.is_set():
            generation += 1
            disk.write(MIB - 1000, bytes([generation % 256]) * 200_000)

    writer = threading.Thread(target=write_generations)
    writer.start()
    try:
        for _ in range(200):
            assert len(set(disk.read(MIB - 1000, 200_000))) == 1
    finally:
        stop.set()
        writer.join()
