"""An NFC server with one disk of random data and holes."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.core.access import DiskAddress
from app.simulator.faults import FaultScript
from app.simulator.storage import SimDisk
from tests.support.nfc_lab import NfcLab

CAPACITY = (8 << 20) + 96 * 1024 + 512
DATA_START, DATA_END = 1 << 20, (5 << 20) + 1024


@dataclass
class Lab:
    """A server, its disk, and what the disk holds."""

    nfc: NfcLab
    disk: SimDisk
    content: bytes
    faults: FaultScript

    @property
    def address(self) -> DiskAddress:
        """How the disk is opened."""
        return self.nfc.address(self.disk)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Serve a disk of about 8 MiB that does not end on a border of anything but a sector."""
    faults = FaultScript()
    with NfcLab(tmp_path / "ds", faults=faults) as nfc:
        disk = nfc.add_disk("web-01/web-01.vmdk", CAPACITY)
        content = bytearray(CAPACITY)
        content[DATA_START:DATA_END] = random.Random(7).randbytes(DATA_END - DATA_START)
        content[-512:] = b"\x5a" * 512
        disk.write(DATA_START, bytes(content[DATA_START:DATA_END]))
        disk.write(CAPACITY - 512, b"\x5a" * 512)
        yield Lab(nfc, disk, bytes(content), faults)
