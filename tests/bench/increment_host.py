"""The simulated vSphere of the benchmark of increments, in a process of its own so that it shares no lock."""

from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from app.cli.demo.stage import registration_of
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, SimulatorSpec, VmSpec

GIB, TIB = 1 << 30, 1 << 40
SIZES = {"8 GiB": 8 * GIB, "80 GiB": 80 * GIB, "8 TiB": 8 * TIB, "62 TiB": 62 * TIB}
_KEY = 2000


def serve(root: Path, line: Connection) -> None:
    """Serve one VM per size until told to stop; let the guest of a VM change files when told its name."""
    vms = tuple(VmSpec(name=name, disks=(DiskSpec(capacity_bytes=size),)) for name, size in SIZES.items())
    spec = SimulatorSpec(vms=vms)
    stores = tuple(replace(store, capacity_bytes=400 * TIB) for store in spec.datastores)
    with VSphereSimulator(replace(spec, datastores=stores), root / "vsphere") as simulator:
        line.send(registration_of(simulator, "bench"))
        while (order := line.recv()) is not None:
            name, n_bytes = order
            _change(simulator, name, n_bytes)
            line.send(None)


def _change(simulator: VSphereSimulator, name: str, n_bytes: int) -> None:
    """Change so many bytes of files, and one byte where the disk is three quarters through."""
    simulator.world.guests.write_now(name, n_bytes)
    leaf = simulator.world.guests.of(name).vm.trees[_KEY].leaf
    assert leaf is not None
    leaf.write(leaf.capacity_bytes // 4 * 3, leaf.read(leaf.capacity_bytes // 4 * 3, 1))
