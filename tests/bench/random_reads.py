"""Cold random 4 KiB reads of a restore point's disk, beside qemu-nbd on a zstd qcow2.

Every round drops the packs, or the qcow2, from the page cache (``posix_fadvise``) and begins with a process or a
reader that has cached nothing; both are asked for the same places, which all lie in data. The peer is read over
its Unix socket by the small client below, as the NBD protocol demands: by nothing slower than the reader API's own
caller, which is Python too.
"""

import os
import random
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import zstandard
from blake3 import blake3

from app.core.clock import SystemClock
from app.core.disks import ReadRequest
from app.domain.extents import Extent
from app.domain.restore_point import RestorePoint
from app.repository import Repository
from app.repository.pages import ZERO_DIGEST

KEY = 2000
PAGE = 4096
_READS = 4000
_REQUEST = struct.Struct(">IHHQQI")
_REPLY = struct.Struct(">IIQ")
_REQUEST_MAGIC = 0x25609513
_REPLY_MAGIC = 0x67446698


def places(extents: Sequence[Extent], seed: int, count: int = _READS) -> list[int]:
    """Choose pages in the data, evenly over its bytes."""
    dice = random.Random(seed)
    inside = [extent for extent in extents if extent.length_bytes >= PAGE]
    chosen = dice.choices(inside, weights=[extent.length_bytes for extent in inside], k=count)
    return [extent.start // PAGE * PAGE + dice.randrange(extent.length_bytes // PAGE) * PAGE for extent in chosen]


def drop(paths: Sequence[Path]) -> None:
    """Take files out of the page cache."""
    os.sync()
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def our_iops(folder: Path, offsets: Sequence[int], depth: int, *, is_warm: bool = False) -> float:
    """Read from the oldest point of a repository through the reader API; return reads per second.

    ``is_warm`` leaves the packs in the page cache.
    """
    with Repository.open(folder / "standby", local_dir=folder / "local", clock=SystemClock()) as repository:
        point = min(repository.points().points, key=lambda listed: listed.created_at)
        if not is_warm:
            drop(sorted((folder / "standby" / "packs").rglob("*.pack")))
        with repository.open_point(point.id) as reader:
            disk = reader.open_disk(KEY)
            buffers = [memoryview(bytearray(PAGE)) for _ in range(depth + disk.window + 2)]
            requests = (ReadRequest(offset, buffers[at % len(buffers)]) for at, offset in enumerate(offsets))
            started = time.perf_counter()
            if depth == 1:
                for request in requests:
                    for _ in disk.read_many((request,)):
                        pass
            else:
                for _ in disk.read_many(requests):
                    pass
            seconds = time.perf_counter() - started
            disk.close()
    return len(offsets) / seconds


def bare_iops(folder: Path, offsets: Sequence[int], threads: int = 2) -> float:
    """Do what a read cannot do without, in a bare loop on some threads: pread, zstd and BLAKE3 of the frame.

    Where each frame lies is known before; packs are in the page cache.
    """
    with Repository.open(folder / "standby", local_dir=folder / "local", clock=SystemClock()) as repository:
        point = min(repository.points().points, key=lambda listed: listed.created_at)
        frames = _frames_of(repository, point, offsets)
        descriptors = {
            pack: os.open(folder / "standby" / "packs" / pack[:2] / f"{pack}.pack", os.O_RDONLY)
            for pack in {frame[0] for frame in frames}
        }

    def read(part: Sequence[tuple[str, int, int, bool, int]]) -> None:
        decompress = zstandard.ZstdDecompressor().decompress
        for pack, at, length, as_is, raw_bytes in part:
            data = os.pread(descriptors[pack], length, at)
            blake3(data if as_is else decompress(data, max_output_size=raw_bytes)).digest()

    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(read, [frames[number::threads] for number in range(threads)]))
    seconds = time.perf_counter() - started
    for descriptor in descriptors.values():
        os.close(descriptor)
    return len(frames) / seconds


def _frames_of(
    repository: Repository, point: RestorePoint, offsets: Sequence[int]
) -> list[tuple[str, int, int, bool, int]]:
    """Return of each offset's frame: pack, offset, stored length, whether it is stored as it is, length.

    Chunks of zeros have none.
    """
    parts, decoder = repository.parts, repository.parts.decoder()
    (disk,) = point.disks
    tree, found = parts.tree(disk), []
    for offset in offsets:
        index, inside = divmod(offset, parts.chunk_bytes)
        digest = tree.digest(index)
        if digest == ZERO_DIGEST:
            continue
        chunk = parts.store.frames(digest, decoder)
        number = inside // parts.frame_bytes
        start, end = chunk.table.offsets[number : number + 2]
        raw_bytes = chunk.header.frame_raw_bytes(number)
        found.append(
            (chunk.place.pack_id, chunk.place.offset + start, end - start, chunk.table.as_is[number], raw_bytes)
        )
    return found


def nbd_iops(image: Path, offsets: Sequence[int], depth: int, scratch: Path) -> float:
    """Read the same from qemu-nbd; return reads per second."""
    address = scratch / "nbd.sock"
    address.unlink(missing_ok=True)
    drop([image])
    # aio=threads is its default; the image is opened as anybody would to look into a backup.
    process = subprocess.Popen(["qemu-nbd", "-r", "-t", "-f", "qcow2", "-k", str(address), str(image)])
    try:
        with _connected(address) as connection:
            _shake_hands(connection)
            drop([image])
            started = time.perf_counter()
            for _ in _read_ahead(connection, offsets, depth):
                pass
            return len(offsets) / (time.perf_counter() - started)
    finally:
        process.terminate()
        process.wait()


def _connected(address: Path) -> socket.socket:
    deadline = time.monotonic() + 20
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(address))
        except OSError:
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return connection


def _receive(connection: socket.socket, length: int) -> bytes:
    data = connection.recv(length, socket.MSG_WAITALL)
    if len(data) != length:
        raise OSError("qemu-nbd hung up")
    return data


def _shake_hands(connection: socket.socket) -> None:
    """Choose the only export, whose name is empty (fixed newstyle, NBD_OPT_EXPORT_NAME, no zeroes)."""
    _receive(connection, 18)
    connection.sendall(struct.pack(">I", 3) + b"IHAVEOPT" + struct.pack(">II", 1, 0))
    _receive(connection, 10)


def _read_ahead(connection: socket.socket, offsets: Sequence[int], depth: int) -> Iterator[bytes]:
    """Keep ``depth`` reads in flight and yield what comes."""
    sent = 0
    for received in range(len(offsets)):
        while sent < min(len(offsets), received + depth):
            connection.sendall(_REQUEST.pack(_REQUEST_MAGIC, 0, 0, sent, offsets[sent], PAGE))
            sent += 1
        magic, error, _ = _REPLY.unpack(_receive(connection, _REPLY.size))
        if magic != _REPLY_MAGIC or error:
            raise OSError(f"qemu-nbd answered {magic:#x}, error {error}")
        yield _receive(connection, PAGE)
