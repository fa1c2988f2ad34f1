"""A second reader of the repository, from ``docs/repository-format.md`` alone: it imports nothing of the product.

    python -m tests.support.independent_reader REPOSITORY                       # list the points, and pins
    python -m tests.support.independent_reader REPOSITORY CHAIN/STAMP KEY FILE  # restore a disk to a raw file

For an encrypted repository, ``master_key`` opens it (only :func:`open_repository` takes one).
"""

import json
import re
import struct
import sys
import unicodedata
import uuid
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import zstandard
from blake3 import blake3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ZERO = bytes(32)


def require(condition: object, what: str) -> None:
    if not condition:
        raise ValueError(what)


def folded(name: str) -> str:
    once = unicodedata.normalize("NFKC", name).upper().casefold()
    return unicodedata.normalize("NFKC", once).casefold()


def document(data: bytes, newest: int = 1) -> dict[str, Any]:
    body = data[90:-2]
    framed = data[:13] == b'{"checksum":"' and data[77:90] == b'","document":' and data[-2:] == b"}\n"
    require(framed and blake3(body).hexdigest() == data[13:77].decode(), "damaged document")
    parsed = json.loads(body)
    require(isinstance(parsed, dict) and 1 <= parsed["format"] <= newest, "unknown format")
    return dict(parsed)


@dataclass
class Keys:
    master: bytes

    def derived(self, what: str) -> bytes:
        return blake3(self.master, derive_key_context=f"standfast 2026-11-22 repository {what}").digest()

    def cipher(self, root: str, salt: bytes) -> AESGCM:
        return AESGCM(blake3(salt, key=self.derived(root)).digest())


@dataclass
class Repository:
    root: Path
    chunk_bytes: int
    frame_bytes: int
    keys: Keys | None
    places: dict[bytes, tuple[Path, int, int]]

    def hash(self, data: bytes) -> bytes:
        return (blake3(data, key=self.keys.derived("digest key")) if self.keys else blake3(data)).digest()

    def points(self) -> list[str]:
        return sorted(
            f"{path.parent.parent.name}/{path.parent.name}" for path in self.root.glob("points/*/*/point.json")
        )

    def pins(self) -> dict[str, dict[str, Any]]:
        """Return who uses which point for long, by the ids of the pins."""
        found = {path.stem: document(path.read_bytes()) for path in sorted(self.root.glob("pins/*.pin"))}
        for name, pin in found.items():
            require(re.fullmatch("[0-9a-f]{32}", name) and pin["id"] == name, "another pin's name")
            require(datetime.fromisoformat(pin["since"]).tzinfo, "a moment of no zone")
        return found

    def consoles(self) -> dict[str, dict[str, Any]]:
        """Return what is in the files of consoles, by their names."""
        found = {}
        for path in sorted(self.root.glob("consoles/*.*")):
            if path.suffix in (".rules", ".taken"):
                data = path.read_bytes()
                if self.keys is not None:
                    cipher = self.keys.cipher("file key", data[:32])
                    data = cipher.decrypt(bytes(12), data[32:], f"consoles/{path.name}".encode())
                found[path.name] = document(data)
                require(found[path.name]["console"] == path.stem, "another console's name")
        return found

    def newest_first(self, chain: str) -> list[str]:
        """Sort the points of a chain by their sequence; those that have none are older, and their times count."""
        found = {point: self.point(point) for point in self.points() if point.startswith(f"{chain}/")}

        def order(point: str) -> tuple[int, datetime, str]:
            sequence = found[point].get("sequence", 0)
            require(isinstance(sequence, int) and 0 <= sequence <= 1 << 53, "impossible sequence")
            return sequence, datetime.fromisoformat(found[point]["created_at"]), point

        return sorted(found, key=order, reverse=True)

    def file(self, point: str, name: str) -> bytes:
        data = (self.root / "points" / point / name).read_bytes()
        if self.keys is None:
            return data
        return self.keys.cipher("file key", data[:32]).decrypt(bytes(12), data[32:], f"{point}/{name}".encode())

    def point(self, point: str) -> dict[str, Any]:
        description = document(self.file(point, "point.json"))
        place = f"{description['chain']}/{description['stamp']}"
        require(folded(place) == folded(point), "a point under another's name")
        for folder in ("files", "changes"):
            for file in description[folder]:
                content = self.file(point, f"{folder}/{file['name']}")
                require(blake3(content).hexdigest() == file["digest"], f"damaged file {file['name']}")
        return description

    def blob(self, digest: bytes, kind: int) -> bytes:
        path, offset, length = self.places[digest]
        with path.open("rb") as file:
            file.seek(offset)
            record = file.read(length)
        magic, found, flags, count, raw, payload, frame_bytes, named, sequence, crc = struct.unpack_from(
            "<4sBBHIII32sQI", record
        )
        require(magic == b"SFRC" and zlib.crc32(record[:60]) == crc and named == digest, "damaged record header")
        require(found == kind and 64 + payload == len(record) and frame_bytes == self.frame_bytes, "wrong record")
        table_at, table_bytes, tag = (96, count * 36 + 4, 16) if flags & 1 else (64, count * 36 + 4, 0)
        position = table_at + table_bytes + tag
        opened = self.opener(record[64:96], sequence) if flags & 1 else lambda part, data, associated: data
        table = opened(0, record[table_at:position], record[:64])
        require(zlib.crc32(table[:-4]) == struct.unpack("<I", table[-4:])[0], "damaged frame table")
        digests = table[4 * count : -4]
        require(self.hash(struct.pack("<B3xI", kind, raw) + digests) == digest, "frame table of another record")
        frames = []
        for index, stored in enumerate(struct.unpack_from(f"<{count}I", table)):
            end = position + (stored & 0x7FFFFFFF)
            frame = opened(index + 1, record[position:end], None)
            size = min(frame_bytes, raw - index * frame_bytes)
            if not stored >> 31:
                frame = zstandard.ZstdDecompressor().decompress(frame, max_output_size=size)
            require(
                len(frame) == size and self.hash(frame) == digests[32 * index : 32 * index + 32], "damaged frame"
            )
            frames.append(frame)
            position = end
        require(position == len(record), "frames do not fill the record")
        return b"".join(frames)

    def opener(self, salt: bytes, sequence: int) -> Callable[[int, bytes, bytes | None], bytes]:
        assert self.keys is not None
        cipher = self.keys.cipher("session key", salt)
        return lambda part, data, associated: cipher.decrypt(struct.pack("<IQ", part, sequence), data, associated)

    def chunks(self, root: bytes, capacity: int) -> Iterator[tuple[int, bytes]]:
        count, depth = -(-capacity // self.chunk_bytes), 1
        while 1024**depth < count:
            depth += 1

        def walk(digest: bytes, level: int, number: int) -> Iterator[tuple[int, bytes]]:
            if digest == ZERO:
                return
            if level < 0:
                yield number, self.blob(digest, 1)
                return
            page = self.blob(digest, 2)
            for slot in range(len(page) // 32):
                yield from walk(page[32 * slot : 32 * slot + 32], level - 1, 1024 * number + slot)

        yield from walk(root, depth - 1, 0)

    def restore(self, point: str, disk_key: int, target: Path) -> None:
        disk = next(entry for entry in self.point(point)["disks"] if entry["key"] == disk_key)
        capacity = disk["capacity_bytes"]
        with target.open("wb") as file:
            file.truncate(capacity)
            for index, data in self.chunks(bytes.fromhex(disk["root"]), capacity):
                file.seek(index * self.chunk_bytes)
                file.write(data[: capacity - index * self.chunk_bytes])


def pack_entries(path: Path, repository_id: bytes) -> Iterator[tuple[bytes, int, int]]:
    data = path.read_bytes()
    head, trailer = data[:64], data[-64:]
    version = int.from_bytes(head[8:10], "little")
    require(
        head[:8] == b"SFPACK\x1a\x00"
        and version in {1, 2}
        and zlib.crc32(head[:60]).to_bytes(4, "little") == head[60:],
        "header",
    )
    require(
        head[16:32] == repository_id and head[32:48].hex() == path.stem, "a pack of another repository or name"
    )
    magic, footer_at, count, digest, crc = struct.unpack("<8sQI4x32s4xI", trailer)
    require(magic == b"SFPKEND\x1a" and zlib.crc32(trailer[:60]) == crc, "damaged trailer")
    table = data[footer_at : footer_at + 48 * count]
    require(blake3(table).digest() == digest and footer_at + len(table) + 64 == len(data), "damaged footer")
    entries = list(struct.iter_unpack("<32sIIIB3x", table))
    if version == 2:
        require_heads(data, entries, footer_at)
    for entry in entries:
        yield entry[0], entry[1], entry[2]


def require_heads(data: bytes, entries: list[tuple[Any, ...]], footer_at: int) -> None:
    """Compare the heads with those in the records; whoever reads whole records does not need them."""
    length, crc = struct.unpack_from("<20xI32xI4x", data, len(data) - 64)
    expected = b"SFHD"
    for _, offset, *_ in entries:
        flags, count = data[offset + 5], int.from_bytes(data[offset + 6 : offset + 8], "little")
        expected += data[offset : offset + 64 + count * 36 + 4 + (48 if flags & 1 else 0)]
    require(data[footer_at - length : footer_at] == expected and zlib.crc32(expected) == crc, "damaged heads")


def open_repository(root: Path, master_key: bytes | None = None) -> Repository:
    settings = document((root / "repository.json").read_bytes(), newest=2)
    require(settings["compression"] == "zstd" and settings["digest"] == "blake3-frames", "unknown method")
    keys = Keys(master_key) if master_key is not None else None
    encryption = settings["encryption"]
    require((encryption is None) == (keys is None), "a key is needed, or there is none to use")
    require(keys is None or keys.derived("key check").hex() == encryption["key_check"], "wrong key")
    places: dict[bytes, tuple[Path, int, int]] = {}
    for path in sorted(root.glob("packs/*/*.pack")):
        if re.fullmatch("[0-9a-f]{32}", path.stem):
            for digest, offset, length in pack_entries(path, uuid.UUID(settings["id"]).bytes):
                places[digest] = (path, offset, length)
    return Repository(root, settings["chunk_bytes"], settings["frame_bytes"], keys, places)


def main() -> None:
    repository = open_repository(Path(sys.argv[1]))
    if len(sys.argv) > 2:
        repository.restore(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
        return
    for point in repository.points():
        facts = repository.point(point)
        disks = [(disk["key"], disk["capacity_bytes"]) for disk in facts["disks"]]
        print(point, facts["kind"], facts["facts"]["name"], disks)
    for pin in repository.pins().values():
        print(pin["point"], "in use:", pin["purpose"], "by", pin["host"], "since", pin["since"])


if __name__ == "__main__":
    main()
