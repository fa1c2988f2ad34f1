"""Ten thousand VMs: described on demand, each once."""

from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from app.simulator.spec import large_spec
from app.simulator.vm import from_spec
from app.simulator.vm.config import NewVm, new_config
from tests.unit.simulator.vm.lab import VmLab

N_VMS = 10_000
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


def test_a_large_inventory_is_described_on_demand_and_every_vm_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described: list[str] = []

    def counting(new: NewVm, devices: list[Any]) -> vim.vm.ConfigInfo:
        described.append(new.name)
        return new_config(new, devices)

    monkeypatch.setattr(from_spec, "new_config", counting)
    with VmLab(tmp_path, large_spec(N_VMS)) as lab:
        assert not any((lab.sim.directory / "datastores" / "ds01").iterdir())
        machines = list(lab.sim.world.inventory.vms.values())
        assert described == [], "nothing is described before anybody asks"
        for _ in range(2):
            configs = [machine.config for machine in machines]
        assert len({config.uuid for config in configs}) == N_VMS
        assert len({config.files.vmPathName for config in configs}) == N_VMS
        assert len(described) == len(set(described)) == N_VMS


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
