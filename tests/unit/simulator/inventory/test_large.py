"""Ten thousand VMs: built in a moment, described on demand."""

import time
from pathlib import Path
from typing import Any

from pyVmomi import vim, vmodl

from app.simulator.spec import large_spec
from tests.unit.simulator.vm.lab import VmLab

N_VMS = 10_000
_BUILD_CPU_S = 15.0
"""A few seconds on an idle machine; generous, since others work on it too."""
PATHS = [
    "name",
    "runtime.powerState",
    "config.instanceUuid",
    "config.hardware.device",
    "summary.storage.committed",
]


def collected(lab: VmLab) -> list[Any]:
    content = lab.si.content
    view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)
    query = vmodl.query.PropertyCollector
    step = query.TraversalSpec(type=vim.view.ContainerView, path="view", skip=False)
    spec = query.FilterSpec(
        objectSet=[query.ObjectSpec(obj=view, skip=True, selectSet=[step])],
        propSet=[query.PropertySpec(type=vim.VirtualMachine, pathSet=PATHS)],
    )
    page = content.propertyCollector.RetrievePropertiesEx([spec], query.RetrieveOptions(maxObjects=1000))
    found: list[Any] = list(page.objects)
    while page.token:
        page = content.propertyCollector.ContinueRetrievePropertiesEx(page.token)
        found += page.objects
    return found


def test_a_large_inventory_is_built_and_read_in_seconds(tmp_path: Path) -> None:
    before = time.process_time()
    with VmLab(tmp_path, large_spec(N_VMS)) as lab:
        built = time.process_time() - before
        assert not any((lab.sim.directory / "datastores" / "ds01").iterdir())
        machines = list(lab.sim.world.inventory.vms.values())
        before = time.process_time()
        described = [machine.config for machine in machines]
        described_s = time.process_time() - before
        assert len({config.uuid for config in described}) == N_VMS
        assert len({config.files.vmPathName for config in described}) == N_VMS
        print(f"{N_VMS} VMs: built in {built:.1f} s, described in {described_s:.1f} s of CPU")
        assert built + described_s < _BUILD_CPU_S


def test_one_paged_query_reads_a_thousand_vms(tmp_path: Path) -> None:
    with VmLab(tmp_path, large_spec(1000)) as lab:
        rows = collected(lab)
        assert len(rows) == 1000
        first = {prop.name: prop.val for prop in rows[0].propSet}
        assert set(first) == set(PATHS)
        disk = next(
            device for device in first["config.hardware.device"] if isinstance(device, vim.vm.device.VirtualDisk)
        )
        assert disk.capacityInBytes == 20 << 30
