import pytest

from app.domain.extents import Extent
from app.simulator.storage import GRAIN_BYTES, ChangeIdUnknown, DiskCorrupt, DiskStore, SimDatastore, SimDisk
from tests.support.simulated import local

MIB = 1 << 20
PATH = "[ds1] web/web.vmdk"


def tracked_disk(store: DiskStore) -> SimDisk:
    disk = store.create(PATH, MIB)
    disk.write(0, b"old")
    disk.enable_tracking()
    return disk


def snapshot(disk: SimDisk, number: int) -> tuple[str, SimDisk]:
    change_id = disk.mark()
    assert change_id is not None
    return change_id, disk.branch(f"[ds1] web/web-{number:06}.vmdk")


def grains(*numbers: int) -> list[Extent]:
    return [Extent(number * GRAIN_BYTES, GRAIN_BYTES) for number in numbers]


def test_changes_between_two_snapshots_are_told_at_64_kib(store: DiskStore) -> None:
    disk = tracked_disk(store)
    first, child = snapshot(disk, 1)
    child.write(GRAIN_BYTES * 2 + 5, b"x")
    child.write(GRAIN_BYTES * 5 - 1, b"xy")
    _, leaf = snapshot(child, 2)
    leaf.write(GRAIN_BYTES * 9, b"later")
    assert child.changed_areas(first) == [*grains(2), Extent(GRAIN_BYTES * 4, GRAIN_BYTES * 2)]
    assert child.changed_areas(first, start=GRAIN_BYTES * 3) == [Extent(GRAIN_BYTES * 4, GRAIN_BYTES * 2)]


def test_a_snapshot_does_not_tell_what_happened_after_it(store: DiskStore) -> None:
    disk = tracked_disk(store)
    begin = disk.tracking.change_id() if disk.tracking else ""
    disk.write(GRAIN_BYTES, b"x")
    _, child = snapshot(disk, 1)
    child.write(GRAIN_BYTES * 3, b"y")
    assert disk.changed_areas(begin) == grains(1)
    assert child.changed_areas(begin) == grains(1, 3)


def test_changes_survive_the_removal_of_the_snapshot(store: DiskStore) -> None:
    disk = tracked_disk(store)
    first, child = snapshot(disk, 1)
    child.write(GRAIN_BYTES * 4, b"x")
    disk = child.merge_into_parent()
    disk.write(GRAIN_BYTES * 6, b"x")
    second, child = snapshot(disk, 1)
    assert disk.changed_areas(first) == grains(4, 6)
    assert disk.changed_areas(second) == []


def test_change_ids_and_changes_survive_a_restart(store: DiskStore, datastore: SimDatastore) -> None:
    disk = tracked_disk(store)
    first, child = snapshot(disk, 1)
    child.write(GRAIN_BYTES * 4, b"x")
    store.close()
    again = DiskStore({"ds1": datastore})
    leaf = again.open("[ds1] web/web-000001.vmdk")
    assert leaf.changed_areas(first) == grains(4)
    assert leaf.tracking is not None
    assert leaf.tracking.change_id() == first
    again.close()


def test_star_asks_for_what_is_allocated_tracked_or_not(store: DiskStore) -> None:
    disk = store.create(PATH, MIB)
    disk.write(GRAIN_BYTES * 2, b"x" * GRAIN_BYTES * 3)
    assert disk.changed_areas("*") == [Extent(GRAIN_BYTES * 2, GRAIN_BYTES * 3)]
    assert disk.changed_areas("*", start=GRAIN_BYTES * 3) == [Extent(GRAIN_BYTES * 3, GRAIN_BYTES * 2)]
    assert disk.changed_areas("*", start=GRAIN_BYTES * 5) == []


def test_ids_that_mean_nothing_are_refused(store: DiskStore) -> None:
    disk = tracked_disk(store)
    assert disk.tracking is not None
    generation = disk.tracking.generation
    for bad in ("", "nonsense", f"{generation}/0", f"{generation}/2", "52 de/1"):
        with pytest.raises(ChangeIdUnknown):
            disk.changed_areas(bad)


def test_tracking_that_is_off_tells_nothing_and_begins_with_a_new_generation(store: DiskStore) -> None:
    disk = tracked_disk(store)
    first = disk.mark()
    disk.disable_tracking()
    assert disk.mark() is None
    assert not store.exists("[ds1] web/web-ctk.vmdk")
    with pytest.raises(ChangeIdUnknown):
        disk.changed_areas(str(first))
    disk.enable_tracking()
    with pytest.raises(ChangeIdUnknown):
        disk.changed_areas(str(first))


def test_enabling_twice_goes_on(store: DiskStore) -> None:
    disk = tracked_disk(store)
    first = disk.mark()
    disk.write(0, b"x")
    disk.enable_tracking()
    assert disk.changed_areas(str(first)) == grains(0)


def test_after_a_revert_old_ids_are_refused_instead_of_misunderstood(store: DiskStore) -> None:
    disk = tracked_disk(store)
    first, child = snapshot(disk, 1)
    child.write(GRAIN_BYTES * 4, b"x")
    second, leaf = snapshot(child, 2)
    store.delete(leaf.path)
    store.delete(child.path)
    reverted = disk.branch("[ds1] web/web-000001.vmdk")
    reverted.write(GRAIN_BYTES * 7, b"y")
    third = reverted.mark()
    for stale in (first, second):
        with pytest.raises(ChangeIdUnknown):
            reverted.changed_areas(stale)
    reverted.write(GRAIN_BYTES * 8, b"y")
    assert reverted.changed_areas(str(third)) == grains(8)


def test_a_snapshot_thrown_away_before_anything_was_written_costs_nothing(store: DiskStore) -> None:
    disk = tracked_disk(store)
    first, child = snapshot(disk, 1)
    store.delete(child.path)
    again = disk.branch("[ds1] web/web-000001.vmdk")
    again.write(GRAIN_BYTES, b"x")
    assert again.changed_areas(first) == grains(1)


@pytest.mark.parametrize("damage", ["size", "magic"])
def test_a_damaged_tracking_file_is_found(store: DiskStore, datastore: SimDatastore, damage: str) -> None:
    tracked_disk(store).close()
    file = local(datastore.resolve("[ds1] web/web-ctk.vmdk"))
    content = file.read_bytes()
    file.write_bytes(content + b"x" if damage == "size" else b"X" + content[1:])
    with pytest.raises(DiskCorrupt):
        store.open(PATH)
