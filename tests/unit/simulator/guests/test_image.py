import json
import zlib
from pathlib import Path
from random import Random

import pytest

from app.simulator.guests import FatVolume, find_partition, install_guest
from app.simulator.guests.content import ContentMaker, Kind
from app.simulator.guests.partitions import Scheme, planned_partition
from tests.support.outside import find_tool
from tests.unit.simulator.guests import external_tools
from tests.unit.simulator.guests.memory import MemoryDisk

MIB = 1 << 20
schemes: tuple[Scheme, ...] = ("mbr", "gpt")


@pytest.mark.outside_tools("fsck.fat")
@pytest.mark.parametrize("scheme", schemes)
@pytest.mark.parametrize("mebibytes", [6, 40, 96])
def test_a_fresh_disk_has_a_valid_file_system_with_files(tmp_path: Path, scheme: Scheme, mebibytes: int) -> None:
    disk = MemoryDisk(mebibytes * MIB + 512)
    volume = install_guest(disk, seed=1, scheme=scheme)
    assert volume is not None
    partition = find_partition(disk)
    assert partition == planned_partition(disk.capacity_bytes)
    assert external_tools.check_volume(external_tools.save(disk, tmp_path / "disk"), partition) == ""
    mounted = FatVolume.mount(disk, partition)
    used = sum(file.size_bytes for file in mounted.files)
    assert disk.capacity_bytes // 6 <= used <= disk.capacity_bytes // 4
    assert {file.path.split("/")[0] for file in mounted.files} <= {"boot", "var", "home", "data"}


@pytest.mark.parametrize("scheme", schemes)
def test_partition_tools_agree_with_the_table(tmp_path: Path, scheme: Scheme) -> None:
    if find_tool("sfdisk") is None:
        pytest.skip("sfdisk is not installed on this machine")
    disk = MemoryDisk(70 * MIB)
    install_guest(disk, seed=3, scheme=scheme)
    file = external_tools.save(disk, tmp_path / "disk")
    verdict = external_tools.run("sfdisk", "--verify", file)
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr
    assert "No errors detected" in verdict.stdout
    table = json.loads(external_tools.run("sfdisk", "--json", file).stdout)["partitiontable"]
    (only,) = table["partitions"]
    partition = find_partition(disk)
    assert partition is not None
    assert table["label"] == {"mbr": "dos", "gpt": "gpt"}[scheme]
    assert (only["start"] * 512, only["size"] * 512) == (partition.start, partition.length_bytes)
    assert only["type"] == {"mbr": "c", "gpt": "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"}[scheme]


def test_the_same_seed_makes_the_same_disk() -> None:
    disks = [MemoryDisk(12 * MIB) for _ in range(3)]
    for disk, seed in zip(disks, (1, 1, 2), strict=True):
        install_guest(disk, seed=seed)
    assert disks[0].content == disks[1].content
    assert disks[0].content != disks[2].content


def test_how_much_the_files_take_can_be_said() -> None:
    disk = MemoryDisk(40 * MIB)
    volume = install_guest(disk, seed=1, used_bytes=3 * MIB)
    assert volume is not None
    assert sum(file.size_bytes for file in volume.files) == 3 * MIB


def test_a_disk_too_small_for_a_file_system_gets_raw_bytes() -> None:
    disk = MemoryDisk(MIB)
    assert install_guest(disk, seed=1) is None
    assert any(disk.content)
    assert find_partition(disk) is None


def test_content_is_a_mix_of_all_kinds() -> None:
    maker = ContentMaker(Random(1))
    size = 300_000
    ratio = {kind: len(zlib.compress(maker.make(kind, size))) / size for kind in Kind}
    assert ratio[Kind.ZEROS] < 0.01
    assert ratio[Kind.TEXT] < 0.4
    assert ratio[Kind.NOISE] > 0.99
    assert {maker.kind() for _ in range(300)} == set(Kind)
    assert not set(_pages(maker.make(Kind.TEXT, size))) & set(_pages(maker.make(Kind.TEXT, size)))
    assert all(len(maker.make(kind, length)) == length for kind in Kind for length in (0, 1, 31, 65536, 65537))


def test_disks_of_different_guests_have_whole_mebibytes_in_common() -> None:
    disks = [MemoryDisk(size * MIB) for size in (100, 128)]
    for seed, disk in enumerate(disks):
        install_guest(disk, seed=seed, used_bytes=64 * MIB)
    first, second = (
        {bytes(disk.content[offset : offset + MIB]) for offset in range(0, disk.capacity_bytes, MIB)}
        for disk in disks
    )
    assert len(first & second - {bytes(MIB)}) >= 8


def _pages(data: bytes) -> list[bytes]:
    return [data[offset : offset + 65536] for offset in range(0, len(data) - 65535, 65536)]
