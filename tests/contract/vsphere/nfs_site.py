"""A platform whose hosts can mount a folder of this machine, and what a recovery puts there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from app.core.clock import SystemClock
from app.core.nfshosting import DiskToServe, MountedDatastore, NfsMount, ServedFolder
from app.domain.ids import VmId
from app.domain.vms import CreatedVm, SavedConfiguration, VmPlacement, VmSummary
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DatastoreSpec, DiskSpec, SimulatorSpec, VmSpec
from app.simulator.vm.machine import Machine
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from tests.contract.vsphere.conftest import QUICK
from tests.support.fakes import RecordingTaskLog
from tests.support.simulated import platform_of

MIB = 1 << 20
DISK = DiskSpec(capacity_bytes=4 * MIB, filesystem=False)
SERVER = "127.0.0.1"
NAME = "web-01.example.com"
PATH = "/5f0c2b4ce5d84f1aa7d1b6f1d0d7c1aa/recoveries"
MOUNT = NfsMount(server=SERVER, path=PATH, name="Standfast-1")
SPEC = SimulatorSpec(
    hosts=("esx01.lab", "esx02.lab"),
    datastores=(DatastoreSpec(name="ds1"), DatastoreSpec(name="ds2")),
    vms=(VmSpec(name="web-01", disks=(DISK, DISK), host="esx02.lab", hostname=NAME, networks=("VM Network",)),),
)


@dataclass(slots=True)
class NfsSite:
    """A simulator, a login, and the folder behind its only NFS export."""

    simulator: VSphereSimulator
    vsphere: VSphereHypervisor
    export: Path
    log: RecordingTaskLog = field(default_factory=RecordingTaskLog)

    def vm(self, name: str = "web-01") -> VmSummary:
        return next(vm for vm in self.vsphere.list_vms() if vm.name == name)

    def machine(self, vm: VmId) -> Machine:
        found: Machine = self.simulator.world.inventory.vms[vm]
        return found

    def saved(self) -> SavedConfiguration:
        return self.vsphere.save_configuration(self.vm().id, log=self.log)

    def host(self) -> str:
        return self.vsphere.nfs_host(self.saved(), VmPlacement(name="instant")).id

    def mounted(self) -> MountedDatastore:
        return self.vsphere.mount_nfs(self.host(), MOUNT)

    def served(self, name: str = "instant") -> ServedFolder:
        """Put the files of the saved VM's disks into the export, each disk filled with its number."""
        disks = self.vsphere.vm_details(self.vm().id).disks
        wanted = [DiskToServe(key=disk.key, capacity_bytes=disk.capacity_bytes) for disk in disks]
        folder = self.vsphere.folder_files(self.saved(), wanted, name)
        place = self.export / folder.name
        place.mkdir()
        for file in folder.files:
            (place / file.name).write_bytes(file.data)
        for number, files in enumerate(folder.disks, start=1):
            (place / files.data).write_bytes(bytes([number]) * DISK.capacity_bytes)
        return folder

    def placement(self, datastore: MountedDatastore, folder: ServedFolder, **more: object) -> VmPlacement:
        present = tuple((disk.key, f"[{datastore.name}] {folder.name}/{disk.attached}") for disk in folder.disks)
        wanted = VmPlacement(name="instant", datastore=datastore.id, directory=folder.name, present_disks=present)
        return replace(wanted, **more)  # type: ignore[arg-type]

    def recovered(self, **more: object) -> CreatedVm:
        """A VM on served disks."""
        wanted = self.placement(self.mounted(), self.served(), **more)
        return self.vsphere.create_vm(self.saved(), wanted, log=self.log)


@contextmanager
def nfs_site(folder: Path, spec: SimulatorSpec = SPEC, port: int | None = None) -> Iterator[NfsSite]:
    """Run a site for the time of the block."""
    export = folder / "export"
    export.mkdir(parents=True)
    with VSphereSimulator(spec, folder / "vc") as simulator:
        simulator.world.inventory.nas_exports[(SERVER, PATH)] = export
        factory = VSphereFactory(SystemClock(), timings=QUICK)
        with factory.connect(platform_of(simulator), simulator.password) as vsphere:
            yield NfsSite(simulator, vsphere, export)
