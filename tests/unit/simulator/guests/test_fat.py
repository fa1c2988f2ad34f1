from pathlib import Path
from random import Random

import pytest

from app.simulator.guests import FatVolume, NotFat, Partition, VolumeFull
from app.simulator.guests.fat_layout import FatLayout
from app.simulator.guests.partitions import planned_partition
from tests.unit.simulator.guests import external_tools
from tests.unit.simulator.guests.memory import MemoryDisk

MIB = 1 << 20


def volume_on(disk: MemoryDisk) -> FatVolume:
    return FatVolume.format(disk, planned_partition(disk.capacity_bytes), label="DATA", serial=0x1234ABCD)


def contents(volume: FatVolume) -> dict[str, bytes]:
    return {file.path: volume.read(file) for file in volume.files}


def shake(volume: FatVolume, random: Random, steps: int, prefix: str = "") -> dict[str, bytes]:
    """Change files at random and return what they must hold."""
    expected: dict[str, bytearray] = {path: bytearray(data) for path, data in contents(volume).items()}
    for step in range(steps):
        choice = random.random()
        path = random.choice(sorted(expected)) if expected else None
        try:
            if path is None or choice < 0.45:
                directory = random.choice(("", "日志/", "data/", "data/sub directory/"))
                name = (
                    f"{directory}文件 {prefix}{step} of a rather long name.{random.choice(('txt', 'html', 'x'))}"
                )
                data = random.randbytes(random.choice((0, 1, 511, 512, 5000, random.randrange(100_000))))
                volume.create(name, data)
                expected[name] = bytearray(data)
            elif choice < 0.65:
                data = random.randbytes(random.randrange(60_000))
                volume.append(volume.file(path), data)
                expected[path] += data
            elif choice < 0.85:
                offset = random.randrange(len(expected[path]) + 1)
                data = random.randbytes(random.randrange(len(expected[path]) - offset + 1))
                volume.overwrite(volume.file(path), offset, data)
                expected[path][offset : offset + len(data)] = data
            else:
                volume.delete(volume.file(path))
                del expected[path]
        except VolumeFull:
            continue
    return {path: bytes(data) for path, data in expected.items()}


@pytest.mark.outside_tools("fsck.fat", "mdir")
@pytest.mark.parametrize(("mebibytes", "is_fat32"), [(6, False), (9, False), (63, False), (80, True), (200, True)])
def test_a_shaken_volume_is_valid_and_readable_for_others(
    tmp_path: Path, mebibytes: int, *, is_fat32: bool
) -> None:
    disk = MemoryDisk(mebibytes * MIB)
    volume = volume_on(disk)
    assert volume.layout.is_fat32 is is_fat32
    for directory in ("日志", "data", "data/sub directory", "data"):
        volume.make_directory(directory)
    random = Random(mebibytes)
    partition = planned_partition(disk.capacity_bytes)
    for number in range(3):
        expected = shake(volume, random, 60, f"{number}-")
        assert contents(volume) == expected
        mounted = FatVolume.mount(disk, partition)
        assert contents(mounted) == expected
        assert mounted.free_bytes == volume.free_bytes
        file = external_tools.save(disk, tmp_path / "disk")
        assert external_tools.check_volume(file, partition) == ""
        volume = mounted
    listed = external_tools.run("mdir", "-b", "-/", "-i", f"{file}@@{partition.start}", "::").stdout.splitlines()
    assert {line.removeprefix("::/") for line in listed if not line.endswith("/")} == set(expected)
    largest = max(expected, key=lambda path: len(expected[path]))
    external_tools.run("mcopy", "-n", "-i", f"{file}@@{partition.start}", f"::/{largest}", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == expected[largest]


@pytest.mark.outside_tools("fsck.fat")
def test_a_crowded_directory_grows(tmp_path: Path) -> None:
    disk = MemoryDisk(80 * MIB)
    volume = volume_on(disk)
    volume.make_directory("many")
    for number in range(200):
        volume.create(f"many/file number {number} with a long name.txt", b"x" * number)
        volume.create(f"in the root {number}", b"")
    partition = planned_partition(disk.capacity_bytes)
    assert len(FatVolume.mount(disk, partition).files) == 400
    assert external_tools.check_volume(external_tools.save(disk, tmp_path / "disk"), partition) == ""


@pytest.mark.outside_tools("fsck.fat")
def test_a_full_volume_says_so_and_stays_valid(tmp_path: Path) -> None:
    disk = MemoryDisk(6 * MIB)
    volume = volume_on(disk)
    with pytest.raises(VolumeFull):
        volume.create("too large", bytes(6 * MIB))
    files = [volume.create(f"f{number}", b"x" * 100_000) for number in range(volume.free_bytes // 100_352)]
    volume.delete(files[3])
    volume.delete(files[7])
    scattered = volume.create("scattered", Random(1).randbytes(150_000))
    assert len(scattered.runs) > 1
    with pytest.raises(VolumeFull):
        volume.append(scattered, bytes(MIB))
    partition = planned_partition(disk.capacity_bytes)
    mounted = FatVolume.mount(disk, partition)
    assert mounted.read(mounted.file("scattered")) == Random(1).randbytes(150_000)
    assert external_tools.check_volume(external_tools.save(disk, tmp_path / "disk"), partition) == ""


def test_a_full_root_directory_of_fat16_says_so() -> None:
    volume = volume_on(MemoryDisk(6 * MIB))
    for number in range((512 - 1) // 2):
        volume.create(f"{number}", b"")
    with pytest.raises(VolumeFull, match="root directory"):
        volume.create("one more", b"")


def test_overwriting_touches_only_the_sectors_of_the_part() -> None:
    disk = MemoryDisk(8 * MIB)
    volume = volume_on(disk)
    file = volume.create("f", b"a" * 100_000)
    before = bytes(disk.content)
    volume.overwrite(file, 1000, b"b" * 2000)
    changed = {
        index // 512 for index, (old, new) in enumerate(zip(before, disk.content, strict=True)) if old != new
    }
    ((start, _),) = volume.ranges(file, 1000, 2000)
    assert changed == set(range(start // 512, (start + 1999) // 512 + 1))


def test_the_ranges_of_a_file_hold_its_bytes() -> None:
    disk = MemoryDisk(8 * MIB)
    volume = volume_on(disk)
    file = volume.create("f", Random(1).randbytes(50_000))
    held = b"".join(disk.read(offset, length) for offset, length in volume.ranges(file, 100, 40_000))
    assert held == Random(1).randbytes(50_000)[100:40_100]


def test_what_cannot_be_done_to_a_file_is_refused() -> None:
    volume = volume_on(MemoryDisk(8 * MIB))
    file = volume.create("f", b"abc")
    with pytest.raises(ValueError, match="exists"):
        volume.create("f", b"")
    with pytest.raises(ValueError, match="not inside"):
        volume.overwrite(file, 2, b"xx")
    with pytest.raises(KeyError):
        volume.create("nowhere/f", b"")
    assert volume.read(file) == b"abc"


def test_what_is_no_fat_is_not_mounted() -> None:
    disk = MemoryDisk(8 * MIB)
    partition = Partition(MIB, 6 * MIB)
    with pytest.raises(NotFat):
        FatVolume.mount(disk, partition)
    disk.content[MIB + 510 : MIB + 512] = b"\x55\xaa"
    with pytest.raises(NotFat):
        FatVolume.mount(disk, partition)


def test_a_chain_in_a_circle_is_noticed() -> None:
    disk = MemoryDisk(8 * MIB)
    volume = volume_on(disk)
    file = volume.create("f", b"x" * 5000)
    partition = planned_partition(disk.capacity_bytes)
    first = file.runs[0][0]
    entry = partition.start + volume.layout.fat_offsets[0] + (first + 1) * volume.layout.entry_bytes
    disk.content[entry : entry + 2] = first.to_bytes(2, "little")
    with pytest.raises(NotFat, match="circle"):
        FatVolume.mount(disk, partition)


def test_a_volume_needs_room() -> None:
    with pytest.raises(ValueError, match="too small"):
        FatLayout.plan(MIB)


@pytest.mark.parametrize("gibibytes", [1, 8, 100, 1500])
def test_large_volumes_have_the_clusters_that_fat32_asks_for(gibibytes: int) -> None:
    layout = FatLayout.plan(gibibytes << 30)
    assert layout.is_fat32
    assert 65_525 <= layout.n_clusters < 1 << 28
    assert layout.fat_sectors * 512 >= (layout.n_clusters + 2) * 4
