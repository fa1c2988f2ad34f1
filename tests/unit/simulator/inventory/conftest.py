from collections.abc import Iterator
from pathlib import Path

import pytest

from app.simulator.spec import DatastoreSpec, DiskSpec, VmSpec
from tests.unit.simulator.vm.lab import MIB, VmLab, spec_of

SMALL = DiskSpec(capacity_bytes=2 * MIB, filesystem=False)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[VmLab]:
    """A vCenter with VMs in nested folders, an NFS datastore and a distributed port group."""
    spec = spec_of(
        VmSpec(name="web-01", disks=(SMALL,), folder=("Production", "Web"), host="esx02.lab"),
        VmSpec(name="db-01", disks=(SMALL,), folder=("Production",), powered_on=False, networks=("dvPG",)),
        VmSpec(name="loose", disks=(SMALL,), datastore="nfs1", powered_on=False),
        hosts=("esx01.lab", "esx02.lab"),
        datastores=(DatastoreSpec(name="ds1"), DatastoreSpec(name="nfs1", kind="NFS", capacity_bytes=64 * MIB)),
        distributed_networks=("dvPG",),
    )
    with VmLab(tmp_path, spec) as lab:
        yield lab
