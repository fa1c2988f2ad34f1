"""What the demo runs on: a simulated vSphere, an engine, a standby path and a password store in one folder."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.bootstrap.host import EngineHost
from app.bootstrap.installation import Installation
from app.contract.platforms import RegisterPlatform
from app.contract.standbys import RegisterStandby
from app.core.clock import Clock
from app.core.hypervisor import SNAPSHOT_PREFIX
from app.core.passphrases import SECRET_FILE
from app.domain.ids import PlatformId, StandbyId, TaskId, VmId
from app.engine.engine import Engine
from app.paths import Folders, program_folder
from app.secretstore.file_format import Cost
from app.secretstore.file_store import EncryptedFileSecretStore
from app.simulator.server import VSphereSimulator
from app.simulator.spec import SimulatorSpec
from app.transport.hotadd.machine import GuestMachine

_QUICK = Cost(n=1 << 4)
FROZEN = "frozen"
"""Folder of the simulator's own copies of the disks that snapshots froze."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything the steps of the demo use."""

    root: Path
    simulator: VSphereSimulator
    engine: Engine
    platform: PlatformId
    standby: StandbyId

    def frozen_copy(self, vm: VmId, task: TaskId, disk_key: int) -> Path:
        """Return the simulator's own copy of a disk as it was when a task's snapshot froze it."""
        return self.root / FROZEN / vm / f"{SNAPSHOT_PREFIX}{task}" / f"{disk_key}.raw"

    def export_live_disk(self, datastore_path: str, target: Path) -> Path:
        """Copy a disk of the simulator, as it is now, into a raw file."""
        self.simulator.world.disks.open(datastore_path).export_raw(target)
        return target


@contextmanager
def open_stage(root: Path, spec: SimulatorSpec) -> Iterator[Stage]:
    """Set the stage in a folder and strike it at the end; what it wrote stays there.

    Raises:
        OperationalError: something could not be started.
    """
    passphrase = secrets.token_urlsafe(32)
    with (
        open_simulator(root, spec) as simulator,
        open_host(root / "standfast", passphrase, machine_root=simulator.guest_root) as host,
    ):
        yield register(root, simulator, host.engine)


@contextmanager
def open_simulator(root: Path, spec: SimulatorSpec, clock: Clock | None = None) -> Iterator[VSphereSimulator]:
    """Start a simulated vSphere that keeps a copy of every disk a snapshot freezes."""
    simulator = VSphereSimulator(spec, root / "vsphere", clock=clock)
    simulator.keep_frozen_copies = root / FROZEN
    with simulator:
        yield simulator


@contextmanager
def open_host(
    home: Path, passphrase: str, clock: Clock | None = None, *, machine_root: Path | None = None
) -> Iterator[EngineHost]:
    """Start an engine that keeps everything in one folder, its passwords in the encrypted file.

    Args:
        home: the folder.
        passphrase: of the file; random, so that it needs no protection against guessing.
        clock: gives the time.
        machine_root: stands for the root of the file system of the machine that the engine runs on.

    Raises:
        OperationalError: it cannot be started.
    """
    installation = Installation.find(folders_in(home))
    store = EncryptedFileSecretStore(installation.folders.data / SECRET_FILE, lambda: passphrase, cost=_QUICK)
    machine = None if machine_root is None else GuestMachine(machine_root)
    with EngineHost.open(installation, secrets=store, clock=clock, machine=machine) as host:
        yield host


def folders_in(home: Path) -> Folders:
    """Return the folders of an installation that keeps everything in one."""
    return Folders(
        program=program_folder(),
        config=home / "config",
        data=home / "data",
        local=home / "local",
        logs=home / "logs",
    )


def registration_of(simulator: VSphereSimulator, name: str) -> RegisterPlatform:
    """Return the command that registers a simulated vSphere under a name."""
    return RegisterPlatform(
        name=name,
        address=simulator.host,
        port=simulator.port,
        user=simulator.user,
        password=simulator.password,
        thumbprint_sha256=simulator.thumbprint_sha256,
    )


def register(
    root: Path, simulator: VSphereSimulator, engine: Engine, *, standby_root: Path | None = None
) -> Stage:
    """Register the simulated vSphere and a standby path, by default next to it, with an engine.

    Raises:
        OperationalError: the engine refused.
    """
    platform = engine.execute(registration_of(simulator, "Demo vCenter"))
    standby = engine.execute(RegisterStandby(name="Demo standby", root_path=str(standby_root or root / "standby")))
    return Stage(root=root, simulator=simulator, engine=engine, platform=platform.id, standby=standby.id)
