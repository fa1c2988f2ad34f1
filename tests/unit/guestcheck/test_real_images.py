"""What the tools of each file system make is in order, and what is damaged in it is found."""

import os
import random
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.guestcheck.lvm import lvm_crc
from app.guestcheck.volume import MOST_AT_ONCE
from app.guestcheck.words import Part
from tests.support.guest_images import MIB, ImageReader, divided, findings, made, run

EXT4 = ("mke2fs", "-q", "-t", "ext4")
MAKERS: dict[str, tuple[int, tuple[str, ...], str]] = {
    "ext2": (8, ("mke2fs", "-q", "-t", "ext2"), "ext2"),
    "ext3": (16, ("mke2fs", "-q", "-t", "ext3"), "ext3"),
    "ext4": (16, EXT4, "ext4"),
    "ext4 without sums": (16, (*EXT4, "-O", "^metadata_csum"), "ext4"),
    "ext4 of many groups": (64, (*EXT4, "-b", "1024"), "ext4"),
    "ext4 with meta groups": (
        64,
        ("mke2fs", "-q", "-t", "ext4", "-b", "1024", "-O", "meta_bg,^resize_inode"),
        "ext4",
    ),
    "fat12": (2, ("mkfs.fat", "-F", "12"), "FAT12"),
    "fat16": (16, ("mkfs.fat", "-F", "16"), "FAT16"),
    "fat32": (40, ("mkfs.fat", "-F", "32"), "FAT32"),
    "exfat": (8, ("mkfs.exfat",), "exFAT"),
    "ntfs": (8, ("mkfs.ntfs", "-F", "-q", "-f"), "NTFS"),
    "ntfs of large clusters": (16, ("mkfs.ntfs", "-F", "-q", "-f", "-c", "65536"), "NTFS"),
    "xfs": (300, ("mkfs.xfs", "-q"), "XFS"),
    "xfs without sums": (300, ("mkfs.xfs", "-q", "-m", "crc=0"), "XFS"),
}
NEEDED = ("mke2fs", "mkfs.fat", "mkfs.exfat", "mkfs.ntfs", "mkfs.xfs", "sfdisk")
pytestmark = pytest.mark.outside_tools(*NEEDED)
_images: dict[str, bytes] = {}


@pytest.fixture(scope="module", autouse=True)
def _images_end_here() -> Iterator[None]:
    """Give the memory of the images back: they are a gigabyte, and the process has other modules to run."""
    yield
    _images.clear()


def image_of(kind: str, folder: Path) -> bytes:
    if kind not in _images:
        mib, command, _ = MAKERS[kind]
        _images[kind] = made(folder, mib, *command)
    return _images[kind]


def with_bytes(content: bytes, offset: int, data: bytes) -> bytes:
    return b"".join((memoryview(content)[:offset], data, memoryview(content)[offset + len(data) :]))


@pytest.mark.parametrize("kind", MAKERS)
def test_what_a_tool_made_is_in_order(kind: str, tmp_path: Path) -> None:
    found = findings(image_of(kind, tmp_path))
    assert (found.systems, found.problems, found.table) == ((MAKERS[kind][2],), (), "")


def test_an_empty_disk_has_nothing_and_nothing_wrong() -> None:
    for size in (0, 512, 1024, 65536, MIB):
        found = findings(bytes(size))
        assert (found.systems, found.problems) == ((), ())


DAMAGES: dict[str, tuple[str, Callable[[bytes], bytes], Part]] = {
    "size in the superblock": ("ext4", lambda image: with_bytes(image, 1024 + 4, b"\xff" * 4), Part.SUPERBLOCK),
    "a bit of the superblock": (
        "ext4", lambda image: with_bytes(image, 1024 + 0x78, b"other name"), Part.SUPERBLOCK,
    ),
    "a group descriptor": ("ext4", lambda image: with_bytes(image, 2048 + 12, b"\x01"), Part.GROUPS),
    "a table beyond the end": (
        "ext4 without sums", lambda image: with_bytes(image, 2048 + 8, b"\xff\xff\xff\x7f"), Part.GROUPS,
    ),
    "root directory of ext2": ("ext2", lambda image: without_root_of_ext(image), Part.ROOT),
    "boot sector of NTFS": ("ntfs", lambda image: with_bytes(image, 13, b"\x03"), Part.BOOT_SECTOR),
    "a record of NTFS": (
        "ntfs", lambda image: with_bytes(image, mft_of(image) + 1022, b"\0\0"), Part.MASTER_FILE_TABLE,
    ),
    "record 3 of NTFS": (
        "ntfs", lambda image: with_bytes(image, mft_of(image) + 3 * 1024, b"BAAD"), Part.MASTER_FILE_TABLE,
    ),
    "root flag of NTFS": (
        "ntfs", lambda image: with_bytes(image, mft_of(image) + 5 * 1024 + 22, b"\x01"), Part.ROOT,
    ),
    "first table of FAT": ("fat16", lambda image: with_bytes(image, 2048 + 1, b"\0"), Part.ALLOCATION_TABLE),
    "cluster size of FAT": ("fat32", lambda image: with_bytes(image, 13, b"\x03"), Part.BOOT_SECTOR),
    "root cluster of FAT": ("fat32", lambda image: with_bytes(image, 44, b"\xff\xff\xff\x0f"), Part.BOOT_SECTOR),
    "boot region of exFAT": ("exfat", lambda image: with_bytes(image, 1024, b"damaged"), Part.BOOT_SECTOR),
    "table of exFAT": (
        "exfat", lambda image: with_bytes(image, exfat_table(image), bytes(8)), Part.ALLOCATION_TABLE,
    ),
    "superblock of XFS": ("xfs", lambda image: with_bytes(image, 12, b"\0\0\0\1"), Part.SUPERBLOCK),
    "a group of XFS": ("xfs", lambda image: with_bytes(image, 512 + 30, b"?"), Part.ALLOCATION_GROUPS),
    "root inode of XFS": ("xfs", lambda image: without_root_of_xfs(image), Part.ROOT),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_damaged_is_named(name: str, tmp_path: Path) -> None:
    kind, damage, part = DAMAGES[name]
    found = findings(damage(image_of(kind, tmp_path)))
    assert found.systems == ()
    (problem,) = found.problems
    assert (problem.system, problem.part) == (MAKERS[kind][2], part)
    assert "disk: " in str(problem.said("disk"))


def without_root_of_ext(image: bytes) -> bytes:
    at = image.index(b"\x02\0\0\0\x0c\0\x01\x02.\0\0\0")
    return with_bytes(image, at, bytes(12))


def without_root_of_xfs(image: bytes) -> bytes:
    root, bits = struct.unpack_from(">Q", image, 56)[0], image[123]
    block_bytes, inode_bytes = struct.unpack_from(">I", image, 4)[0], struct.unpack_from(">H", image, 104)[0]
    at = (root >> bits) * block_bytes + (root & ((1 << bits) - 1)) * inode_bytes
    assert image[at : at + 2] == b"IN"
    return with_bytes(image, at + 20, b"?")


def mft_of(image: bytes) -> int:
    sector_bytes, per_cluster = struct.unpack_from("<HB", image, 11)
    return int(struct.unpack_from("<Q", image, 48)[0]) * int(sector_bytes) * int(per_cluster)


def exfat_table(image: bytes) -> int:
    return int(struct.unpack_from("<I", image, 80)[0]) << image[108]


@pytest.mark.parametrize("kind", ["ext4", "ntfs", "fat16", "exfat", "xfs"])
def test_a_truncated_one_is_not_in_order(kind: str, tmp_path: Path) -> None:
    image = image_of(kind, tmp_path)
    for length in (512, 4096, len(image) // 2, len(image) - 4 * 4096):
        found = findings(image[:length])
        assert found.systems == ()


# --- partitions --------------------------------------------------------------------------------------------------

GPT = "label: gpt\nstart=2048, size=16384\nstart=20480, size=32768, type=linux\nstart=57344, size=16384\n"
MBR = (
    "label: dos\nstart=2048, size=16384, type=83, bootable\nstart=20480, size=110000, type=5\n"
    "start=22528, size=32768, type=83\nstart=57344, size=16384, type=7\n"
)  # fmt: skip


def parts_of(folder: Path) -> dict[int, bytes]:
    return {
        2048 * 512: image_of("ext2", folder),
        (20480 if folder.name == "gpt" else 22528) * 512: image_of("fat16", folder),
        57344 * 512: image_of("ntfs", folder),
    }


@pytest.fixture(params=["gpt", "mbr"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, bytes]:
    folder = tmp_path / request.param
    folder.mkdir()
    script = GPT if request.param == "gpt" else MBR
    return request.param, divided(folder, 64, script, parts_of(folder))


def test_partitions_are_found_and_each_is_looked_at(disk: tuple[str, bytes]) -> None:
    kind, content = disk
    found = findings(content)
    assert (found.table, found.problems) == (kind.upper(), ())
    assert sorted(found.systems) == ["FAT16", "NTFS", "ext2"]


def test_one_damaged_partition_leaves_the_others(disk: tuple[str, bytes]) -> None:
    found = findings(with_bytes(disk[1], 57344 * 512 + 13, b"\x03"))
    assert sorted(found.systems) == ["FAT16", "ext2"]
    (problem,) = found.problems
    assert (problem.system, problem.offset) == ("NTFS", 57344 * 512)


def test_a_damaged_partition_table_is_named(tmp_path: Path) -> None:
    gpt = divided(tmp_path, 64, GPT, {})
    mbr = divided(tmp_path, 64, MBR, {})
    broken = (
        with_bytes(gpt, 512 + 60, b"?"),
        with_bytes(gpt, 1024 + 33, b"?"),
        with_bytes(gpt, 512, b"EFI TRAP"),
        with_bytes(mbr, 446 + 12, b"\xff\xff\xff\x7f"),
        with_bytes(mbr, 20480 * 512 + 510, bytes(2)),
        with_bytes(mbr, 20480 * 512 + 446 + 16 + 8, bytes(4) + b"\1\0\0\0"),
        mbr[: 40000 * 512],
    )
    for content in broken[:5]:
        (problem,) = findings(content).problems
        assert problem.part is Part.PARTITION_TABLE
    assert findings(broken[6]).problems


def test_a_chain_of_logical_partitions_that_bites_its_tail_ends(tmp_path: Path) -> None:
    mbr = divided(tmp_path, 64, MBR, {})
    second = struct.unpack_from("<I", mbr, 20480 * 512 + 446 + 16 + 8)[0] + 20480
    at = second * 512 + 446 + 16
    assert findings(with_bytes(mbr, at, b"\0\0\0\0\5\0\0\0" + struct.pack("<II", second - 20480, 99))).problems


# --- LVM2: written here after its layout, for pvcreate wants a block device --------------------------------------

TEXT = b'vg {\nid = "x"\nphysical_volumes {\npv0 {\nid = "y"\n}\n}\n}\n\0'


def physical_volume(text: bytes = TEXT) -> bytes:
    area, length, offset = 4096, MIB - 4096, 512
    content = bytearray(8 * MIB)
    header = bytes(24)
    located = struct.pack("<QQII", offset, len(text), lvm_crc(text), 0)
    rest = b" LVM2 x[5A%r0N*>" + struct.pack("<IQQ", 1, area, length) + located + header
    rest = rest.ljust(508, b"\0")
    content[area : area + 512] = struct.pack("<I", lvm_crc(rest)) + rest
    content[area + offset : area + offset + len(text)] = text
    body = struct.pack("<I8s", 32, b"LVM2 001") + b"u" * 32 + struct.pack("<Q", len(content))
    body += struct.pack("<QQQQ", MIB, 0, 0, 0) + struct.pack("<QQQQ", area, length, 0, 0)
    body = body.ljust(512 - 20, b"\0")
    content[512:1024] = b"LABELONE" + struct.pack("<QI", 1, lvm_crc(body)) + body
    return bytes(content)


def test_a_physical_volume_is_in_order_and_its_damage_is_found() -> None:
    whole = physical_volume()
    assert findings(whole).systems == ("LVM2",)
    for offset, part in ((560, Part.LABEL), (4096 + 100, Part.METADATA), (4096 + 520, Part.METADATA)):
        (problem,) = findings(with_bytes(whole, offset, b"\xff")).problems
        assert (problem.system, problem.part) == ("LVM2", part)
    assert findings(physical_volume(b"no metadata")).problems


@pytest.mark.outside_tools("pvcreate", "vgcreate", "losetup")
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs a loop device")
def test_what_lvm_itself_made_is_in_order(tmp_path: Path) -> None:
    image, config = tmp_path / "image", "backup{backup=0 archive=0}"
    image.write_bytes(bytes(16 * MIB))
    try:
        device = run("losetup", "-f", "--show", image).strip()
    except AssertionError as error:
        pytest.skip(f"no loop device: {error}")
    try:
        run("pvcreate", "-qq", "-ff", "-y", device)
        run("vgcreate", "-qq", "--config", config, f"standfast-{os.getpid()}", device)
    finally:
        run("losetup", "-d", device)
    assert findings(image.read_bytes()).systems == ("LVM2",)
    assert findings(with_bytes(image.read_bytes(), 4096 + 40, b"?")).problems


# --- bounds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in MAKERS if not kind.startswith(("xfs", "ext4 of"))])
def test_whatever_is_on_a_disk_costs_little_and_raises_nothing(kind: str, tmp_path: Path) -> None:
    image = image_of(kind, tmp_path)
    content, reached = bytearray(image), min(len(image), 256 * 1024)
    chance = random.Random(zlib.crc32(kind.encode()))
    began_s = time.monotonic()
    for _ in range(60):
        for _ in range(chance.choice((1, 4, 40, 400))):
            at = chance.randrange(reached)
            size = chance.choice((1, 2, 4, 8))
            content[at : at + size] = chance.choice((chance.randbytes(size), b"\xff" * size, bytes(size)))
        assert len(findings(content).problems) <= 1
        # Only what was damaged is put back: a copy of the whole disk takes longer than to look through it.
        content[: reached + 8] = image[: reached + 8]
    assert time.monotonic() - began_s < 60


def test_headers_with_right_sums_and_wild_numbers_cost_little(tmp_path: Path) -> None:
    gpt, chance = bytearray(divided(tmp_path, 64, GPT, {})), random.Random(7)
    intact = bytes(gpt[512:1024])
    for _ in range(300):
        header = bytearray(intact)
        at = chance.choice((12, 24, 40, 48, 72, 80, 84, 88))
        header[at : at + 4] = chance.choice((b"\xff" * 4, chance.randbytes(4), bytes(4)))
        size = struct.unpack_from("<I", header, 12)[0]
        header[16:20] = bytes(4)
        header[16:20] = struct.pack("<I", zlib.crc32(bytes(header[: min(size, 512)])))
        gpt[512:1024] = header
        reader = ImageReader(gpt)
        findings(reader.content)
        assert reader.read_bytes <= 2 * MOST_AT_ONCE


def test_random_sectors_behind_each_magic_raise_nothing() -> None:
    chance = random.Random(3)
    magics = {0: b"XFSB", 3: b"NTFS    ", 1080: b"\x53\xef", 512: b"LABELONE", 510: b"\x55\xaa", 82: b"FAT32"}
    for _ in range(400):
        content = bytearray(chance.randbytes(16384))
        for at, magic in magics.items():
            if chance.random() < 0.4:
                content[at : at + len(magic)] = magic
        if chance.random() < 0.3:
            content[3:11] = b"EXFAT   "
        findings(bytes(content))
