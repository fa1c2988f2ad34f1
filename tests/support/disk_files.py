"""Disks as files of a datastore, in the formats that ESXi writes; made here, because no tool writes them."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
COWD_GRAIN, SE_GRAIN = 64 * 1024, 4096
ZEROS = b""
"""As the content of a grain: it was written to zeros, or unmapped."""

Grains = Mapping[int, bytes]
"""What was written, by the number of the grain."""


@dataclass
class LocalFile:
    """A file of this machine; fulfils :class:`app.transport.chain.layers.DataFile`."""

    path: Path
    reads: int = 0

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size

    def read(self, offset: int, length_bytes: int) -> bytes:
        self.reads += 1
        with self.path.open("rb") as file:
            file.seek(offset)
            data = file.read(length_bytes)
        assert len(data) == length_bytes, "a reader asked beyond the end"
        return data


def descriptor(
    *, kind: str, extent: str, capacity: int, cid: str, parent_cid: str = "ffffffff", hint: str | None = None
) -> str:
    """Return the text of a descriptor as ESXi writes it."""
    created = {"VMFS": "vmfs", "VMFSSPARSE": "vmfsSparse", "SESPARSE": "seSparse"}[kind]
    parent = "" if hint is None else f'parentFileNameHint="{hint}"\n'
    return (
        '# Disk DescriptorFile\nversion=1\nencoding="UTF-8"\n'
        f'CID={cid}\nparentCID={parent_cid}\ncreateType="{created}"\n{parent}'
        f'# Extent description\nRW {capacity // SECTOR} {kind} "{extent}"\n\n'
        '# The Disk Data Base\n#DDB\n\nddb.adapterType = "lsilogic"\nddb.virtualHWVersion = "14"\n'
    )


def write_flat(folder: Path, name: str, content: bytes, *, cid: str = "11111111") -> None:
    """Make a base disk."""
    (folder / f"{name}-flat.vmdk").write_bytes(content)
    text = descriptor(kind="VMFS", extent=f"{name}-flat.vmdk", capacity=len(content), cid=cid)
    (folder / f"{name}.vmdk").write_text(text, encoding="utf-8")


def write_cowd(
    folder: Path, name: str, capacity: int, grains: Grains, *, cid: str, parent: str, hint: str
) -> None:
    """Make a delta of the older format."""
    (folder / f"{name}-delta.vmdk").write_bytes(cowd_bytes(capacity, grains))
    text = descriptor(
        kind="VMFSSPARSE", extent=f"{name}-delta.vmdk", capacity=capacity, cid=cid, parent_cid=parent, hint=hint
    )
    (folder / f"{name}.vmdk").write_text(text, encoding="utf-8")


def write_sesparse(
    folder: Path, name: str, capacity: int, grains: Grains, *, cid: str, parent: str, hint: str
) -> None:
    """Make a delta of the newer format."""
    (folder / f"{name}-sesparse.vmdk").write_bytes(sesparse_bytes(capacity, grains))
    text = descriptor(
        kind="SESPARSE", extent=f"{name}-sesparse.vmdk", capacity=capacity, cid=cid, parent_cid=parent, hint=hint
    )
    (folder / f"{name}.vmdk").write_text(text, encoding="utf-8")


def cowd_bytes(capacity: int, grains: Grains) -> bytes:
    """Return the file of a ``vmfsSparse`` delta."""
    tables = -(-capacity // (4096 * COWD_GRAIN))
    numbers = sorted({number // 4096 for number in grains})
    directory_sector = 4
    table_sector = directory_sector + -(-4 * tables // SECTOR)
    data_sector = table_sector + 32 * len(numbers)
    where = {number: table_sector + 32 * index for index, number in enumerate(numbers)}
    header = struct.pack(
        "<4s6I", b"COWD", 1, 3, capacity // SECTOR, COWD_GRAIN // SECTOR, directory_sector, tables
    )
    directory = struct.pack(f"<{tables}I", *(where.get(number, 0) for number in range(tables)))
    entries = {number: [0] * 4096 for number in numbers}
    data: list[bytes] = []
    for number, content in sorted(grains.items()):
        sector = 1
        if content != ZEROS:
            sector = data_sector + len(data) * (COWD_GRAIN // SECTOR)
            data.append(content.ljust(COWD_GRAIN, b"\0"))
        entries[number // 4096][number % 4096] = sector
    body = b"".join(struct.pack("<4096I", *entries[number]) for number in numbers)
    return (
        (header.ljust(directory_sector * SECTOR, b"\0") + directory).ljust(table_sector * SECTOR, b"\0")
        + body
        + b"".join(data)
    )


def sesparse_bytes(capacity: int, grains: Grains, *, replays_journal: int = 0) -> bytes:
    """Return the file of a ``seSparse`` delta."""
    table_bytes = 64 * SECTOR
    tables = -(-capacity // (4096 * SE_GRAIN))
    numbers = sorted({number // 4096 for number in grains})
    directory_sectors = -(-8 * tables // SECTOR)
    volatile, journal, directory = 1, 2, 4
    table = directory + directory_sectors
    bitmap = table + 64 * tables
    grain = bitmap + 2
    fields = [0xCAFEBABE, 0x2_0000_0001, capacity // SECTOR, 8, 64, 0, 0, 0, 0, 0]
    fields += [volatile, 1, journal, 1, journal + 1, 1, directory, directory_sectors, table, 64 * tables]
    fields += [bitmap, 1, bitmap + 1, 1, grain, max(1, 8 * len(grains))]
    parts = [
        struct.pack("<26Q", *fields).ljust(SECTOR, b"\0"),
        struct.pack("<4Q", 0xCAFECAFE, 0, 0, replays_journal).ljust(SECTOR, b"\0"),
        bytes(2 * SECTOR),
    ]
    slots = {number: index for index, number in enumerate(numbers)}
    directory_entries = [(1 << 60) | slots[number] if number in slots else 0 for number in range(tables)]
    parts.append(struct.pack(f"<{tables}Q", *directory_entries).ljust(directory_sectors * SECTOR, b"\0"))
    entries = {number: [0] * 4096 for number in numbers}
    data: list[bytes] = []
    for position, (number, content) in enumerate(sorted(grains.items())):
        if content == ZEROS:
            entry = (1 if position % 2 else 2) << 60
        else:
            index = len(data)
            entry = (3 << 60) | ((index & 0xFFF) << 48) | (index >> 12)
            data.append(content.ljust(SE_GRAIN, b"\0"))
        entries[number // 4096][number % 4096] = entry
    body = b"".join(struct.pack("<4096Q", *entries[number]) for number in numbers)
    parts += [body.ljust(table_bytes * tables, b"\0"), bytes(2 * SECTOR), *data]
    return b"".join(parts)


def put(content: bytearray, grains: Grains, grain_bytes: int) -> None:
    """Write grains over what a disk held before."""
    for number, data in grains.items():
        start = number * grain_bytes
        end = min(len(content), start + grain_bytes)
        content[start:end] = data.ljust(grain_bytes, b"\0")[: end - start]
