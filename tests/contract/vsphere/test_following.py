"""An inventory that is followed by its changes is at every moment what a full look finds."""

import pytest

from app.core.clock import SystemClock
from app.core.hypervisor import FollowsInventory
from app.domain.vms import VmPlacement, VmSummary
from app.simulator.server import VSphereSimulator
from app.simulator.vm.virtual_machine import VirtualMachine
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from tests.contract.vsphere.conftest import QUICK
from tests.contract.vsphere.hardship import shared, simulator, snapshot, vm, vsphere
from tests.contract.vsphere.platforms import Target
from tests.support.fakes import RecordingTaskLog

__all__ = ["shared", "simulator", "vm", "vsphere"]


def assert_followed(vsphere: VSphereHypervisor) -> None:
    assert list(vsphere.follow_vms()) == list(vsphere.list_vms())


def test_every_platform_is_followed(target: Target) -> None:
    with VSphereFactory(SystemClock(), timings=QUICK).connect(target.platform, target.password) as session:
        assert isinstance(session, FollowsInventory)
        for _ in range(3):
            assert list(session.follow_vms()) == list(session.list_vms())


def test_changes_of_every_kind_are_seen(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    assert_followed(vsphere)
    frozen = snapshot(vsphere, vm, log)
    assert vsphere.follow_vms()[0].snapshot_count == 1
    assert_followed(vsphere)
    vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)
    assert vsphere.follow_vms()[0].snapshot_count == 0
    off = next(found for found in vsphere.follow_vms() if found.name == "web-02")
    vsphere.power_on(off.id)
    assert_followed(vsphere)
    vsphere.power_off(off.id)
    vsphere.rename_vm(off.id, "50% off / new")
    assert "50% off / new" in [found.name for found in vsphere.follow_vms()]
    assert_followed(vsphere)
    vsphere.rename_vm(off.id, off.name)
    saved = vsphere.save_configuration(vm.id, log=log)
    made = vsphere.create_vm(saved, VmPlacement(name="new here"), log=log)
    assert made.id in [found.id for found in vsphere.follow_vms()]
    assert_followed(vsphere)
    vsphere.destroy_vm(made.id)
    assert made.id not in [found.id for found in vsphere.follow_vms()]
    assert_followed(vsphere)


def test_a_property_that_loses_its_value_is_empty(vsphere: VSphereHypervisor, simulator: VSphereSimulator) -> None:
    (machine,) = [found for found in simulator.world.all(VirtualMachine) if found.name == "web-01"]
    assert vsphere.follow_vms()[0].hostname == "web-01"
    machine.hostname = None
    machine.refresh("guest")
    assert vsphere.follow_vms()[0].hostname is None
    machine.hostname = "web-01"
    machine.refresh("guest")
    assert vsphere.follow_vms()[0].hostname == "web-01"


def test_a_place_that_is_called_otherwise_is_so_for_all_its_vms(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator
) -> None:
    vsphere.follow_vms()
    store = next(iter(simulator.world.inventory.datastores.values()))
    name = store.get("name")
    store.set(name="elsewhere")
    assert {found.datastores for found in vsphere.follow_vms()} == {("elsewhere",)}
    assert_followed(vsphere)
    store.set(name=name)
    assert_followed(vsphere)


@pytest.mark.allows_log("session at .* expired")
def test_it_begins_again_where_the_platform_forgot_what_it_followed(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator
) -> None:
    expected = vsphere.follow_vms()
    simulator.faults.expire_sessions()
    assert vsphere.follow_vms() == expected
    simulator.go_away(keep_tasks=False)
    simulator.come_back()
    assert vsphere.follow_vms() == expected


def test_a_look_at_what_did_not_change_asks_once(vsphere: VSphereHypervisor, simulator: VSphereSimulator) -> None:
    def calls() -> dict[str, int]:
        return {
            name: simulator.faults.calls(name)
            for name in ("WaitForUpdatesEx", "RetrievePropertiesEx", "CreateContainerView", "CreateFilter")
        }

    vsphere.follow_vms()
    before = calls()
    vsphere.follow_vms()
    assert calls() == {**before, "WaitForUpdatesEx": before["WaitForUpdatesEx"] + 1}
