"""Disks that are attached to be written: of a VM that is off, locked meanwhile, and only they are detached."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.access import AccessMode, Attachment
from app.core.cancel import CancelToken
from app.domain.errors import OperationalError
from app.domain.ids import TaskId
from app.simulator.releases import RELEASES, Version
from app.simulator.spec import DatastoreSpec, DiskSpec, Flavour, VmSpec
from tests.contract.vsphere.attaching_site import Site, here, site
from tests.support.attaching import CONSOLE, guest_of, machine_named, places_of
from tests.support.fakes import RecordingTaskLog
from tests.support.waiting import wait_until

__all__ = ["here"]

WRITE = AccessMode.WRITE
THIN = VmSpec(
    name="off-01", disks=(DiskSpec(capacity_bytes=64 << 20, filesystem=False, thin=True),), powered_on=False
)


def write_in_guest(here: Site, data: bytes, offset: int) -> None:
    """Write the newest device of the guest, and let its kernel forget it."""
    root = here.simulator.guest_root
    (block,) = (root / "sys/class/block").iterdir()
    with (root / "dev" / block.name).open("r+b") as device:
        device.seek(offset)
        device.write(data)
    (block / "device" / "delete").write_text("1", encoding="ascii")
    wait_until(lambda: not list((root / "sys/class/block").iterdir()), what="a forgotten device")


def content(here: Site, length_bytes: int, offset: int = 0) -> bytes:
    leaf = machine_named(here.simulator, "off-01").trees[2000].leaf
    assert leaf is not None
    return leaf.read(offset, length_bytes)


@pytest.mark.parametrize("flavour", [Flavour.VCENTER, Flavour.ESXI])
@pytest.mark.parametrize("version", list(RELEASES))
def test_what_the_guest_writes_is_on_the_disk(tmp_path: Path, version: Version, flavour: Flavour) -> None:
    with site(tmp_path, version=version, flavour=flavour, hosts=("esx01.lab",)) as here:
        before = places_of(here.console)
        planned = here.plan(here.still(), WRITE)
        assert planned.is_writable
        here.attacher.attach(planned)
        write_in_guest(here, b"written by the guest", 4096)
        assert here.attacher.detach(planned)
        assert not here.attacher.detach(planned)
        assert places_of(here.console) == before
        assert content(here, 20, 4096) == b"written by the guest"
        assert not guest_of(here.simulator).torn_out


def test_what_is_attached_to_be_read_stays_as_it_is_whatever_the_guest_does(here: Site) -> None:
    planned = here.plan(here.still())
    here.attacher.attach(planned)
    image = next(path for path in (here.simulator.guest_root / "dev").iterdir() if path.is_file())
    image.chmod(0o600)
    write_in_guest(here, b"to a redo log", 0)
    assert here.attacher.detach(planned)
    assert content(here, 13) == bytes(13)


def test_nothing_else_has_the_disk_while_it_is_written(here: Site) -> None:
    disk = here.still()
    planned = here.plan(disk, WRITE)
    here.attacher.attach(planned)
    with pytest.raises(OperationalError):
        here.hypervisor.power_on(disk.vm)
    with pytest.raises(OperationalError):
        here.hypervisor.destroy_vm(disk.vm)
    assert here.attacher.detach(planned)
    here.hypervisor.power_on(disk.vm)


def test_a_disk_with_a_snapshot_is_not_written(here: Site) -> None:
    vm = here.vm("off-01")
    here.hypervisor.create_snapshot(
        vm.id, TaskId("t1"), quiesce=False, log=RecordingTaskLog(), cancel=CancelToken()
    )
    assert "a snapshot stands on it" in here.refusal(here.still(), WRITE)
    assert "a snapshot stands on it" in here.refusal(here.frozen("off-01"), WRITE)


def test_a_disk_of_a_running_vm_is_not_written(here: Site) -> None:
    disk = here.still()
    here.hypervisor.power_on(disk.vm)
    assert "is running on it" in here.refusal(disk, WRITE)


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Site]:
    stores = (DatastoreSpec(name="datastore1", capacity_bytes=48 << 20),)
    with site(tmp_path, THIN, CONSOLE, datastores=stores) as opened:
        yield opened


def test_a_thin_disk_that_could_fill_its_datastore_is_not_written(narrow: Site) -> None:
    refusal = narrow.refusal(narrow.still(), WRITE)
    assert "less than 67.1 MB free for a thin disk" in refusal
    narrow.plan(narrow.still())  # reading it takes no space


@pytest.mark.parametrize("access", list(AccessMode))
def test_only_what_was_attached_in_that_way_is_detached(here: Site, access: AccessMode) -> None:
    planned = here.plan(here.still(), access)
    here.attacher.attach(planned)
    other_way: Attachment = replace(planned, is_writable=not planned.is_writable)
    assert not here.attacher.detach(other_way)
    assert len(here.console.lent) == 1
    assert here.attacher.detach(planned)
