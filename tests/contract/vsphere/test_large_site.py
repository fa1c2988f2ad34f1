"""How much is asked of a platform: no more of one with many port groups, hosts or folders."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.clock import SystemClock
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, SimulatorSpec, VmSpec
from app.vsphere.access import VSphereAccess
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from tests.support.simulated import platform_of

DISK = DiskSpec(capacity_bytes=1 << 20, filesystem=False)


def spec_with(*, port_groups: int = 1, folders: int = 1) -> SimulatorSpec:
    return SimulatorSpec(
        distributed_networks=tuple(f"Port group {number}" for number in range(port_groups)),
        vms=(VmSpec(name="web", disks=(DISK,), folder=tuple(f"{number}" for number in range(folders))),),
    )


@contextmanager
def running(spec: SimulatorSpec, folder: Path) -> Iterator[tuple[VSphereSimulator, VSphereHypervisor]]:
    with VSphereSimulator(spec, folder) as simulator:
        platform = platform_of(simulator)
        with VSphereFactory(SystemClock()).connect(platform, simulator.password) as session:
            yield simulator, session


def questions(simulator: VSphereSimulator) -> int:
    """Return how many questions about properties and options were asked."""
    methods = ("RetrievePropertiesEx", "ContinueRetrievePropertiesEx", "QueryConfigOptionDescriptor")
    return sum(simulator.faults.calls(method) for method in methods)


def questions_for_places(spec: SimulatorSpec, folder: Path) -> int:
    with running(spec, folder) as (simulator, vsphere):
        before = questions(simulator)
        places = vsphere.list_places()
        offered = {place.name for place in places.hosts[0].network_places}
        assert set(spec.distributed_networks) <= offered
        return questions(simulator) - before


def test_listing_places_asks_no_more_of_a_site_with_many_port_groups(tmp_path: Path) -> None:
    few = questions_for_places(spec_with(port_groups=2), tmp_path / "few")
    many = questions_for_places(spec_with(port_groups=60), tmp_path / "many")
    assert many == few <= 10


def test_listing_places_does_not_ask_for_hardware_versions(tmp_path: Path) -> None:
    with running(spec_with(), tmp_path / "vc") as (simulator, vsphere):
        vsphere.list_places()
        assert simulator.faults.calls("QueryConfigOptionDescriptor") == 0


def test_datacenter_of_a_vm_is_found_as_fast_in_a_deep_folder(tmp_path: Path) -> None:
    def questions_for_a_file(spec: SimulatorSpec, folder: Path) -> int:
        with running(spec, folder) as (simulator, vsphere):
            (vm,) = vsphere.list_vms()
            access = VSphereAccess(vsphere.session)
            before = questions(simulator)
            assert "dcPath=Shanghai" in access.https_file("[ds1] web/web.vmx", vm.id).target
            return questions(simulator) - before

    shallow = questions_for_a_file(spec_with(folders=1), tmp_path / "shallow")
    assert questions_for_a_file(spec_with(folders=20), tmp_path / "deep") == shallow <= 4
