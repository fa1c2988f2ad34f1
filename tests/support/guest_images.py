"""Disk images with real file systems, made by the tools of each."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from app.core.cancel import CancelToken
from app.core.disks import ReadRequest
from app.domain.extents import Extent
from app.domain.states import TransportMode
from app.guestcheck import DiskFindings, check_disks

MIB = 1 << 20


class ImageReader:
    """A disk in memory. Fulfils ``DiskReader``, and counts what is read."""

    def __init__(self, content: bytes | bytearray) -> None:
        self.content = content
        self.read_bytes = 0

    @property
    def capacity_bytes(self) -> int:
        """Size of the disk."""
        return len(self.content)

    @property
    def mode(self) -> TransportMode:
        """It is here."""
        return TransportMode.LOCAL

    @property
    def window(self) -> int:
        """One request at a time."""
        return 1

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        """Fill buffers."""
        for request in requests:
            data = self.content[request.offset : request.offset + len(request.buffer)]
            assert len(data) == len(request.buffer), "a request reaches beyond the disk"
            request.buffer[:] = data
            self.read_bytes += len(data)
            yield request

    def allocated_extents(self) -> list[Extent] | None:
        """It is not known."""
        return None

    def close(self) -> None:
        """Do nothing."""


def findings(content: bytes | bytearray) -> DiskFindings:
    """Return what is found on a disk."""
    (found,) = check_disks([("disk", ImageReader(content))], CancelToken())
    return found


def run(*command: str | Path, script: str = "") -> str:
    """Run a tool and return what it printed.

    Raises:
        AssertionError: it failed.
    """
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    program = shutil.which(str(command[0]), path=environment["PATH"])
    assert program is not None, command[0]
    words = [program, *map(str, command[1:])]
    done = subprocess.run(words, input=script, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def made(folder: Path, mib: int, *command: str) -> bytes:
    """Return an image on which a tool made a file system; the image is its last argument."""
    image = folder / "image"
    image.write_bytes(b"")
    os.truncate(image, mib * MIB)
    run(*command, image)
    return image.read_bytes()


def divided(folder: Path, mib: int, script: str, parts: dict[int, bytes]) -> bytes:
    """Return a disk that sfdisk divided, with contents at offsets."""
    image = folder / "divided"
    image.write_bytes(b"")
    os.truncate(image, mib * MIB)
    run("sfdisk", image, script=script)
    content = bytearray(image.read_bytes())
    for offset, part in parts.items():
        content[offset : offset + len(part)] = part
    return bytes(content)
