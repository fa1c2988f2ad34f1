"""A restore point to export."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.progress import Progress
from app.domain.extents import Extent
from app.domain.states import BackupKind
from app.repository import DiskDraft, PointDraft, PointReader, Repository
from tests.unit.engine.export.steps import CAPACITY, MIB
from tests.unit.repository.helpers import FACTS, MORNING, SMALL, MemoryDisk


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
        draft = PointDraft(
            rule_name="nightly",
            facts=FACTS,
            kind=BackupKind.FULL,
            parent=None,
            consistent=True,
            created_at=MORNING,
        )
        with repository.begin_point(draft) as writer:
            disk = DiskDraft(
                key=2000,
                label="Hard disk 1",
                uuid=None,
                capacity_bytes=CAPACITY,
                path="[ds1] web-01/web-01.vmdk",
                change_id=None,
                read_whole=True,
            )
            writer.write_disk(
                disk,
                MemoryDisk(content),
                [Extent(0, CAPACITY)],
                parent=None,
                progress=Progress(),
                cancel=CancelToken(),
            )
            committed = writer.commit()
        with repository.open_point(committed.id) as reader:
            yield reader
