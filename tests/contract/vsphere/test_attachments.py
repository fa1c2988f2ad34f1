"""Frozen disks on the VM that the program runs in: attached without a trace, and nothing else is detached."""

from dataclasses import replace
from pathlib import Path

import pytest
from pyVmomi import vim

from app.domain.errors import OperationalError
from app.simulator.releases import RELEASES, Version
from app.simulator.spec import (
    Flavour,
)
from app.vsphere.errors import DiskNotAttachable
from tests.contract.vsphere.attaching_site import DISK, OFF, WEB, Site, here, site
from tests.support.attaching import (
    CONSOLE,
    attach_as_another,
    attachment_spec,
    disk_path,
    machine_named,
    places_of,
)
from tests.support.other_client import OtherClient

__all__ = ["here"]


@pytest.mark.parametrize("version", list(RELEASES))
def test_a_frozen_disk_is_attached_and_detached_without_a_trace(tmp_path: Path, version: Version) -> None:
    with site(tmp_path, version=version) as here:
        before = places_of(here.console)
        disk = here.frozen()
        planned = here.plan(disk)
        here.attacher.attach(planned)
        (lent,) = here.console.lent.values()
        assert str(lent.disk.path) == disk.path
        assert here.attacher.detach(planned)
        assert not here.attacher.detach(planned)
        assert places_of(here.console) == before
        here.remove_snapshot(disk)
        assert disk_path(machine_named(here.simulator, "web-01")) == disk.path


def test_on_a_bare_host_it_is_the_same(tmp_path: Path) -> None:
    with site(tmp_path, flavour=Flavour.ESXI, hosts=("esx01.lab",)) as here:
        disk = here.frozen()
        planned = here.plan(disk)
        here.attacher.attach(planned)
        assert here.attacher.detach(planned)


def test_the_disk_of_a_vm_that_is_off_needs_no_snapshot(here: Site) -> None:
    address = here.still()
    planned = here.plan(address)
    here.attacher.attach(planned)
    with pytest.raises(OperationalError):  # the host has locked its file
        here.hypervisor.power_on(address.vm)
    assert here.attacher.detach(planned)
    here.hypervisor.power_on(address.vm)


def test_a_full_controller_leads_to_the_next_one_which_is_taken_away_again(tmp_path: Path) -> None:
    crowded = replace(CONSOLE, disks=(DISK,) * 14)
    with site(tmp_path, WEB, crowded) as here:
        before = places_of(here.console)
        disks = [here.frozen(number=number) for number in (0, 1)]
        first = here.plan(disks[0])
        assert (first.bus, first.owns_controller) == (0, False)
        here.attacher.attach(first)
        second = here.plan(disks[1])
        assert (second.bus, second.unit, second.owns_controller) == (1, 0, True)
        here.attacher.attach(second)
        assert len(places_of(here.console)) == len(before) + 3
        for attachment in (second, first):
            assert here.attacher.detach(attachment)
        assert places_of(here.console) == before


def test_a_controller_of_ours_stays_while_it_holds_a_disk_of_another(tmp_path: Path) -> None:
    crowded = replace(CONSOLE, disks=(DISK,) * 15)
    with site(tmp_path, WEB, OFF, crowded) as here:
        planned = here.plan(here.frozen())
        here.attacher.attach(planned)
        foreign = disk_path(machine_named(here.simulator, "off-01"))
        attach_as_another(here.simulator, foreign, controller=1001)
        assert here.attacher.detach(planned)
        assert [str(lent.disk.path) for lent in here.console.lent.values()] == [foreign]


def test_where_sixty_disks_are_there_is_no_place(tmp_path: Path) -> None:
    with site(tmp_path, WEB, replace(CONSOLE, disks=(replace(DISK, capacity_bytes=1 << 20),) * 60)) as here:
        assert "no free place on a SCSI controller" in here.refusal(here.frozen())


def test_what_is_not_exactly_ours_is_never_detached(here: Site) -> None:
    planned = here.plan(here.frozen())
    foreign = disk_path(machine_named(here.simulator, "off-01"))
    attach_as_another(here.simulator, foreign, unit=planned.unit)
    with pytest.raises(DiskNotAttachable, match="is taken"):
        here.attacher.attach(planned)
    before = places_of(here.console)
    for other in (
        planned,
        replace(planned, path=foreign),
        replace(planned, disk_uuid="6000c29-other"),
        replace(planned, bus=0, unit=0),
    ):
        assert not here.attacher.detach(other)
    assert places_of(here.console) == before


def test_an_attachment_whose_answer_was_lost_is_found_and_detached(here: Site) -> None:
    planned = here.plan(here.frozen())
    before = places_of(here.console)
    here.simulator.faults.lose_answer("ReconfigVM_Task")
    with pytest.raises(OperationalError):
        here.attacher.attach(planned)
    assert here.attacher.detach(planned)
    assert places_of(here.console) == before


def test_the_machine_is_found_again_under_another_id(here: Site) -> None:
    planned = here.plan(here.frozen())
    here.attacher.attach(planned)
    assert here.attacher.detach(replace(planned, machine=here.vm("off-01").id))
    assert not here.attacher.detach(replace(planned, machine=here.vm("off-01").id, machine_uuid="gone"))


# ---- what the simulated host does not allow ---------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["persistent", "independent_persistent"])
def test_a_frozen_parent_is_never_attached_for_writing(here: Site, mode: str) -> None:
    spec = attachment_spec(here.frozen().path, mode=mode)
    with OtherClient(here.simulator) as other, pytest.raises(AssertionError, match="lock"):
        other.done(lambda: other.vm(here.console.moid).ReconfigVM_Task(spec=spec))


def test_what_a_vm_runs_on_is_never_attached(here: Site) -> None:
    spec = attachment_spec(disk_path(machine_named(here.simulator, "web-01")))
    with OtherClient(here.simulator) as other, pytest.raises(AssertionError, match="lock"):
        other.done(lambda: other.vm(here.console.moid).ReconfigVM_Task(spec=spec))


def test_a_snapshot_whose_disk_is_attached_cannot_be_consolidated(here: Site) -> None:
    disk = here.frozen()
    planned = here.plan(disk)
    here.attacher.attach(planned)
    assert disk.snapshot is not None
    with pytest.raises(OperationalError):
        here.hypervisor.remove_snapshot(disk.vm, disk.snapshot, deadline_s=2)
    assert here.attacher.detach(planned)
    here.remove_snapshot(disk)


def test_deleting_the_files_of_an_attached_disk_is_refused(here: Site) -> None:
    planned = here.plan(here.frozen())
    here.attacher.attach(planned)
    (key,) = here.console.lent
    device = next(device for device in here.console.config.hardware.device if device.key == key)
    change = vim.vm.device.VirtualDeviceSpec(operation="remove", fileOperation="destroy", device=device)
    with OtherClient(here.simulator) as other, pytest.raises(AssertionError):
        other.done(
            lambda: other.vm(here.console.moid).ReconfigVM_Task(spec=vim.vm.ConfigSpec(deviceChange=[change]))
        )
    assert here.attacher.detach(planned)
