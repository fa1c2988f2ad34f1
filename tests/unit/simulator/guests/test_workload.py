import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.simulator.guests import FatVolume, GuestNotRunning, Guests, find_partition, install_guest
from app.simulator.storage import DatastoreFull, DiskStore, SimDatastore, SimDisk
from tests.support.waiting import wait_until
from tests.unit.simulator.guests import external_tools

MIB = 1 << 20


@dataclass
class Tree:
    leaf: SimDisk | None


@dataclass
class Vm:
    moid: str = "vm-7"
    name: str = "web-01"
    workload_bytes_per_s: int = 0
    trees: dict[int, Tree] = field(default_factory=dict)

    def leaf(self, key: int = 2000) -> SimDisk:
        leaf = self.trees[key].leaf
        assert leaf is not None
        return leaf


class Host:
    """Two disks with file systems, and the guests."""

    def __init__(self, directory: Path) -> None:
        self.is_full = False
        self.datastore = SimDatastore("ds1", directory, 1 << 34, is_full=lambda: self.is_full)
        self.store = DiskStore({"ds1": self.datastore})
        self.guests = Guests(seed=1)
        self.vm = Vm()
        self.add_vm(self.vm)
        self._numbers = iter(range(1, 1000))

    def add_vm(self, vm: Vm) -> None:
        for key in (2000, 2001):
            disk = self.store.create(f"[ds1] {vm.name}/{vm.name}-{key}.vmdk", 24 * MIB)
            install_guest(disk, seed=key, scheme="gpt" if key == 2001 else "mbr")
            vm.trees[key] = Tree(disk)

    def take_snapshot(self) -> dict[int, SimDisk]:
        """Freeze both disks as the VM part does."""
        with self.guests.paused(self.vm):
            number = next(self._numbers)
            frozen = {key: self.vm.leaf(key) for key in self.vm.trees}
            for key, leaf in frozen.items():
                path = leaf.base.path.sibling(f"{leaf.base.path.name[:-5]}-{number:06}.vmdk")
                self.vm.trees[key].leaf = leaf.branch(path)
        return frozen

    def remove_snapshot(self) -> None:
        with self.guests.paused(self.vm):
            for key in self.vm.trees:
                self.vm.trees[key].leaf = self.vm.leaf(key).merge_into_parent()

    def close(self) -> None:
        self.guests.stop()
        self.store.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path / "ds1")
    yield host
    host.close()


def content(disk: SimDisk) -> bytes:
    return disk.read(0, disk.capacity_bytes)


def complaints(disk: SimDisk, file: Path) -> str:
    partition = find_partition(disk)
    assert partition is not None
    file.unlink(missing_ok=True)
    disk.export_raw(file)
    return external_tools.check_volume(file, partition)


@pytest.mark.outside_tools("fsck.fat")
def test_every_snapshot_of_a_writing_guest_holds_valid_file_systems(host: Host, tmp_path: Path) -> None:
    host.vm.workload_bytes_per_s = 40 * MIB
    host.guests.started(host.vm)
    workload = host.guests.of(host.vm)
    for _ in range(4):
        before = workload.written_bytes
        wait_until(lambda: workload.written_bytes > before + MIB)  # noqa: B023 - called at once
        frozen = host.take_snapshot()
        copies = {key: content(disk) for key, disk in frozen.items()}
        wait_until(lambda: workload.written_bytes > before + 2 * MIB)  # noqa: B023 - called at once
        for key, disk in frozen.items():
            assert complaints(disk, tmp_path / "disk") == ""
            assert content(disk) == copies[key]
        host.remove_snapshot()


def test_a_guest_without_a_rate_writes_only_when_told_and_as_much_as_told(host: Host) -> None:
    host.guests.started(host.vm)
    before = {key: content(host.vm.leaf(key)) for key in host.vm.trees}
    assert before == {key: content(host.vm.leaf(key)) for key in host.vm.trees}
    assert host.guests.write_now("vm-7", 3_000_000) == 3_000_000
    assert host.guests.of("web-01").written_bytes == 3_000_000
    assert all(before[key] != content(host.vm.leaf(key)) for key in host.vm.trees)


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for run in range(2):
        host = Host(tmp_path / f"run{run}")
        host.guests.started(host.vm)
        for _ in range(5):
            host.guests.write_now(host.vm, 400_000)
        host.take_snapshot()
        host.guests.write_now(host.vm, 400_000)
        contents.append([content(host.vm.leaf(key)) for key in host.vm.trees])
        host.close()
    assert contents[0] == contents[1]


def test_a_second_start_writes_something_else(host: Host) -> None:
    host.guests.started(host.vm)
    first = host.guests.of(host.vm).guest
    host.guests.stopped(host.vm)
    host.guests.started(host.vm)
    assert host.guests.of(host.vm).guest is not first
    host.guests.started(host.vm)
    assert host.guests.write_now(host.vm, 100_000) == 100_000


def test_a_paused_guest_holds_still_until_every_pause_is_over(host: Host) -> None:
    host.vm.workload_bytes_per_s = 40 * MIB
    host.guests.started(host.vm)
    workload = host.guests.of(host.vm)
    wait_until(lambda: workload.written_bytes > MIB)
    host.guests.pause(host.vm)
    host.guests.pause(host.vm.moid)
    still = [content(host.vm.leaf(key)) for key in host.vm.trees]
    host.guests.resume(host.vm)
    waiting = threading.Event()
    waiting.wait(0.2)  # four ticks of the guest's thread
    assert [content(host.vm.leaf(key)) for key in host.vm.trees] == still
    host.guests.resume(host.vm)
    written = workload.written_bytes
    wait_until(lambda: workload.written_bytes > written)


def test_a_paused_guest_still_obeys_write_now(host: Host) -> None:
    host.guests.started(host.vm)
    with host.guests.paused(host.vm):
        assert host.guests.write_now(host.vm, 50_000) == 50_000


def test_a_guest_writes_about_as_fast_as_it_should(host: Host) -> None:
    host.vm.workload_bytes_per_s = 2 * MIB
    host.guests.started(host.vm)
    workload = host.guests.of(host.vm)
    wait_until(lambda: workload.written_bytes >= MIB // 2)
    host.guests.pause(host.vm)
    assert workload.written_bytes < 4 * MIB


def test_a_stopped_guest_writes_nothing_more(host: Host) -> None:
    host.vm.workload_bytes_per_s = 40 * MIB
    host.guests.started(host.vm)
    workload = host.guests.of(host.vm)
    wait_until(lambda: workload.written_bytes > 0)
    host.guests.stopped(host.vm)
    still = [content(host.vm.leaf(key)) for key in host.vm.trees]
    with pytest.raises(GuestNotRunning):
        workload.write_now(1000)
    with pytest.raises(GuestNotRunning):
        host.guests.write_now(host.vm, 1000)
    host.guests.stopped(host.vm)
    host.guests.pause(host.vm)
    host.guests.resume(host.vm)
    assert [content(host.vm.leaf(key)) for key in host.vm.trees] == still


@pytest.mark.outside_tools("fsck.fat")
def test_a_full_datastore_stops_the_guest_between_two_changes(host: Host, tmp_path: Path) -> None:
    host.vm.workload_bytes_per_s = 40 * MIB
    host.guests.started(host.vm)
    workload = host.guests.of(host.vm)
    host.take_snapshot()
    wait_until(lambda: workload.written_bytes > MIB)
    with host.guests.paused(host.vm):  # a datastore that fills up within a change tears it, as in the world
        host.is_full = True
    with pytest.raises(DatastoreFull):
        host.guests.write_now(host.vm, 10 * MIB)
    with host.guests.paused(host.vm):
        for key in host.vm.trees:
            assert complaints(host.vm.leaf(key), tmp_path / "disk") == ""
    host.is_full = False
    written = workload.written_bytes
    wait_until(lambda: workload.written_bytes > written + MIB)


def test_a_guest_looks_anew_at_disks_that_were_exchanged(host: Host, tmp_path: Path) -> None:
    host.guests.started(host.vm)
    frozen = host.take_snapshot()
    host.guests.write_now(host.vm, 2_000_000)
    with host.guests.paused(host.vm):
        for key, tree in host.vm.trees.items():
            assert tree.leaf is not None
            host.store.delete(tree.leaf.path)
            tree.leaf = frozen[key].branch(tree.leaf.path)
    host.guests.remount(host.vm)
    host.guests.write_now(host.vm, 2_000_000)
    for key in host.vm.trees:
        partition = find_partition(host.vm.leaf(key))
        assert partition is not None
        volume = FatVolume.mount(host.vm.leaf(key), partition)
        assert all(len(volume.read(file)) == file.size_bytes for file in volume.files)


def test_disks_may_come_and_go(host: Host) -> None:
    host.guests.started(host.vm)
    host.guests.write_now(host.vm, 300_000)
    host.vm.trees.pop(2000)
    host.guests.write_now(host.vm, 300_000)
    raw = host.store.create("[ds1] web-01/raw.vmdk", 8 * MIB)
    host.vm.trees = {2002: Tree(raw), 2003: Tree(None)}
    assert host.guests.write_now(host.vm, 300_000) == 300_000
    assert raw.allocated_areas()
    assert find_partition(raw) is None


def test_what_is_neither_blank_nor_ours_is_left_alone(host: Host) -> None:
    foreign = host.store.create("[ds1] web-01/foreign.vmdk", 8 * MIB)
    install_guest(foreign, seed=1)
    foreign.write(MIB, b"\0" * 512)
    before = content(foreign)
    host.vm.trees = {2002: Tree(foreign)}
    host.guests.started(host.vm)
    assert host.guests.write_now(host.vm, 300_000) == 0
    assert content(foreign) == before


@pytest.mark.outside_tools("fsck.fat")
def test_a_guest_that_writes_for_long_never_fills_its_disks(host: Host, tmp_path: Path) -> None:
    host.guests.started(host.vm)
    assert host.guests.write_now(host.vm, 150 * MIB) == 150 * MIB
    for key in host.vm.trees:
        assert complaints(host.vm.leaf(key), tmp_path / "disk") == ""
