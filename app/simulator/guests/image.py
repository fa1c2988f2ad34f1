"""Fresh disks of guests: partition table, file system, files."""

from random import Random

from app.simulator.guests.blocks import BlockDevice
from app.simulator.guests.content import SHARED_PAGE_BYTES, ContentMaker, Kind
from app.simulator.guests.fat import FatVolume
from app.simulator.guests.fat_layout import SMALLEST_VOLUME_BYTES, FatLayout
from app.simulator.guests.partitions import MBR_LIMIT_BYTES, Scheme, planned_partition, write_gpt, write_mbr

SMALLEST_DISK_BYTES = SMALLEST_VOLUME_BYTES + (2 << 20)
_MOST_FILLED_BYTES = 256 << 20
_LARGEST_FILE_BYTES = 8 << 20
_SYSTEM_PART = 6
"""One part in so many of what a disk holds is the same on every disk."""
_MBR_FAT16, _MBR_FAT32 = 0x0E, 0x0C
_DIRECTORIES = ("boot", "var", "var/log", "home", "home/wang", "home/wang/文档", "data")
_NAMES = {
    Kind.TEXT: ("var/log/service-{}.log", "home/wang/文档/报表 {}.txt", "data/orders-{}.csv"),
    Kind.NOISE: ("data/archive-{}.zip", "home/wang/照片-{}.jpg"),
    Kind.SHARED: ("boot/module-{}.bin", "data/library-{}.so"),
    Kind.ZEROS: ("data/preallocated-{}.db",),
}


def install_guest(
    device: BlockDevice, *, seed: int, label: str = "GUEST", scheme: Scheme = "mbr", used_bytes: int | None = None
) -> FatVolume | None:
    """Write a partition table and a file system with files to an empty disk.

    Args:
        device: a disk that reads as zeros.
        seed: everything follows from it.
        label: of the volume, at most 11 upper-case ASCII characters.
        scheme: ``gpt`` for EFI machines; a disk above 2 TiB gets it always.
        used_bytes: how much the files take; None: a quarter of the disk, at most 256 MiB.

    Returns:
        the mounted volume; None when the disk is too small for one and got raw bytes instead.

    Raises:
        DatastoreFull: the datastore has no space for it.
    """
    random = Random(seed)  # noqa: S311 - content, not a secret
    if device.capacity_bytes < SMALLEST_DISK_BYTES:
        device.write(0, random.randbytes(device.capacity_bytes // 4 // 512 * 512))
        return None
    partition = planned_partition(device.capacity_bytes)
    if scheme == "gpt" or device.capacity_bytes > MBR_LIMIT_BYTES:
        write_gpt(device, partition, "data", random)
    else:
        is_fat32 = FatLayout.plan(partition.length_bytes).is_fat32
        write_mbr(device, partition, _MBR_FAT32 if is_fat32 else _MBR_FAT16, random)
    volume = FatVolume.format(device, partition, label=label, serial=random.getrandbits(32))
    for directory in _DIRECTORIES:
        volume.make_directory(directory)
    wanted = min(device.capacity_bytes // 4, _MOST_FILLED_BYTES) if used_bytes is None else used_bytes
    _fill(volume, min(wanted, volume.free_bytes // 2), random)
    return volume


def _fill(volume: FatVolume, wanted_bytes: int, random: Random) -> None:
    maker = ContentMaker(random)
    largest = max(4096, min(_LARGEST_FILE_BYTES, wanted_bytes // 8))
    system_bytes = wanted_bytes // _SYSTEM_PART // SHARED_PAGE_BYTES * SHARED_PAGE_BYTES
    if system_bytes:
        volume.create("boot/system.img", maker.system(system_bytes), aligned=True)
    number, left = 0, wanted_bytes - system_bytes
    while left > 0:
        kind = maker.kind()
        size = min(left, random.randrange(1, largest))
        number += 1
        volume.create(random.choice(_NAMES[kind]).format(number), maker.make(kind, size))
        left -= size
