"""A vCenter whose hosts mount a volume of our NFS server through libnfs."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from app.simulator.nas import NasDatastore, NasSettings
from app.simulator.spec import DiskSpec, VmSpec
from tests.support import libnfs
from tests.unit.nfs.conftest import SECRET, Site
from tests.unit.simulator.vm.lab import MIB, VmLab, spec_of

SMALL = DiskSpec(capacity_bytes=4 * MIB, filesystem=False)
NFS = "instant"


class NasLab(VmLab):
    """The lab with a server; datastore ``instant`` is its volume once it is mounted."""

    def __init__(self, directory: Path, site: Site, nas: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
        self.site = site
        self.settings = NasSettings(
            port=site.server.port, mount_timeout_s=2.0, heartbeat_s=0.1, silence_s=0.2, **nas
        )
        vms = (
            VmSpec(name="web-01", disks=(SMALL,), hostname="web-01.lab"),
            VmSpec(name="archive-01", disks=(SMALL,), powered_on=False),
        )
        super().__init__(directory, spec_of(*vms, nas=self.settings, **fields))

    def system(self, number: int = 0) -> Any:
        """Return what mounts datastores on a host."""
        return self.datacenter.hostFolder.childEntity[0].host[number].configManager.datastoreSystem

    def export(self, name: str = NFS, path: str = f"/{SECRET}", **fields: Any) -> Any:
        fields = {"accessMode": "readWrite", "type": "NFS", "remoteHost": "127.0.0.1"} | fields
        return vim.host.NasVolume.Specification(remotePath=path, localPath=name, **fields)

    def mount(self, **fields: Any) -> Any:
        return self.system().CreateNasDatastore(self.export(**fields))

    def nas(self, name: str = NFS) -> NasDatastore:
        found = self.sim.world.datastores[name]
        assert isinstance(found, NasDatastore)
        return found

    def other_client(self) -> libnfs.LibNfs:
        port = self.site.server.port
        return libnfs.LibNfs(f"nfs://127.0.0.1/{SECRET}?nfsport={port}&mountport={port}")

    def names(self, folder: str = "") -> set[str]:
        """Return the names in a folder of the volume, as another client sees them."""
        with self.other_client() as other:
            return other.names(f"/{folder}")

    def content(self, path: str, length: int = 1 << 20, offset: int = 0) -> bytes:
        """Return bytes of a file of the volume, as another client reads them."""
        with self.other_client() as other, other.open(f"/{path}", os.O_RDONLY) as file:
            return file.read(offset, length)

    def put(self, path: str, data: bytes) -> None:
        """Write a file of the volume, with its folders, as another client does it."""
        with self.other_client() as other:
            folder, _, _ = path.rpartition("/")
            if folder and folder not in other.names("/"):
                other.mkdir(f"/{folder}")
            with other.open(f"/{path}", os.O_RDWR | os.O_CREAT) as file:
                file.write(0, data)
                file.sync()


class Labs:
    """Makes labs, and ends them."""

    def __init__(self, directory: Path, site: Site) -> None:
        self._directory = directory
        self._site = site
        self._running = ExitStack()
        self._made = 0

    def make(self, *, nas: Mapping[str, Any] | None = None, **fields: Any) -> NasLab:
        """Make a lab with settings of its hosts' mounts, and fields of its spec."""
        self._made += 1
        made = NasLab(self._directory / str(self._made), self._site, nas or {}, fields)
        return self._running.enter_context(made)

    def end(self) -> None:
        self._running.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    if not libnfs.is_there():
        pytest.skip("libnfs is not installed")
    made = Site(tmp_path / "volume")
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def labs(tmp_path: Path, site: Site) -> Iterator[Labs]:
    made = Labs(tmp_path, site)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def lab(labs: Labs) -> NasLab:
    """A vCenter that has mounted the volume on its first host."""
    made = labs.make()
    made.mount()
    return made
