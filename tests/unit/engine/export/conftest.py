"""A restore point to export."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.clock import SystemClock
from app.repository import PointReader, Repository
from tests.unit.engine.export.steps import CAPACITY, MIB
from tests.unit.repository.helpers import SMALL, MemoryDisk, back_up


@pytest.fixture
def content() -> bytes:
    """What the disk holds."""
    disk = bytearray(CAPACITY)
    chance = random.Random(5)
    for place in (0, 3, 7):
        disk[place * MIB : place * MIB + MIB // 2] = chance.randbytes(MIB // 2)
    return bytes(disk)


@pytest.fixture
def point(tmp_path: Path, content: bytes) -> Iterator[PointReader]:
    """A restore point with one disk."""
    with Repository.create(
        tmp_path / "standby", SMALL, local_dir=tmp_path / "local", clock=SystemClock()
    ) as repository:
        committed = back_up(repository, MemoryDisk(content), rule_name="nightly")
        with repository.open_point(committed.id) as reader:
            yield reader
