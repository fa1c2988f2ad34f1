from collections.abc import Iterator
from pathlib import Path

import pytest

from app.simulator.spec import DiskSpec, VmSpec
from tests.unit.simulator.vm.lab import MIB, VmLab, spec_of

SMALL = DiskSpec(capacity_bytes=4 * MIB, filesystem=False)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[VmLab]:
    """A vCenter with a running VM of two disks, and one that is off."""
    on = VmSpec(name="web-01", disks=(SMALL, SMALL), hostname="web-01.lab")
    off = VmSpec(name="archive-01", disks=(SMALL,), powered_on=False)
    with VmLab(tmp_path, spec_of(on, off)) as lab:
        yield lab
