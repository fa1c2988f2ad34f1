"""An engine with a simulated vCenter that mounts what a serving process of its own serves."""

import random
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from app.bootstrap.texts import log_texts
from app.catalog import Catalog
from app.contract.instant import (
    InstantMember,
    InstantRow,
    ListInstantRecoveries,
    StartInstantRecovery,
)
from app.contract.platforms import RegisterPlatform
from app.contract.standbys import RegisterStandby
from app.contract.tasks import StartBackup, TaskDetails, TaskReport
from app.core.clock import SystemClock
from app.core.threads import ThreadRunner
from app.domain.ids import PlatformId, StandbyId, TaskId, VmId
from app.domain.instant import InstantState
from app.domain.restore_point import RestorePoint
from app.domain.standbys import RepositoryPlace
from app.domain.states import BackupKind, TaskState
from app.domain.vms import VmPlacement
from app.engine.engine import Engine
from app.engine.program.settings import EngineSettings
from app.nfs.service import NfsService
from app.paths import program_command
from app.repository import Protection, Repository, RepositoryKey, RepositorySettings
from app.simulator.nas import NasSettings
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, License, VmSpec
from app.simulator.vm.virtual_machine import VirtualMachine
from app.transport.factory import NativeTransports
from app.transport.options import TransportOptions
from app.vsphere.factory import VSphereFactory
from tests.support.catalogs import lab_catalog
from tests.support.engine_lab import CHUNK, QUICK, MemorySecrets, text_of
from tests.support.nfs_service import free_port
from tests.unit.simulator.vm.lab import spec_of

MIB = 1 << 20


@dataclass
class InstantLab:
    """A context manager; a second one over the same folder is the same installation, started again.

    Attributes:
        made: the vCenter, which outlives the engine; None in a process that only has the engine.
        engine: is there while the lab is entered.
    """

    directory: Path
    made: VSphereSimulator | None
    ports: tuple[int, int]
    secrets: MemorySecrets = field(default_factory=MemorySecrets)
    settings: EngineSettings = QUICK
    engine: Engine = field(init=False)
    catalog: Catalog = field(init=False)
    service: NfsService = field(init=False)
    platform: PlatformId = field(init=False)
    standby: StandbyId = field(init=False)

    @classmethod
    def make(cls, directory: Path, *, disks: int = 1, disk_bytes: int = 8 * MIB, **fields: Any) -> Self:
        """Make a lab with VMs ``web`` (runs) and ``db``; the simulator is started by the caller's ``with``."""
        ports = free_port(), free_port()
        disk = DiskSpec(capacity_bytes=disk_bytes, filesystem=False)
        vms = tuple(VmSpec(name=name, disks=(disk,) * disks) for name in ("web", "db"))
        nas = NasSettings(port=ports[0], heartbeat_s=0.2, silence_s=1.0, mount_timeout_s=10.0)
        fields.setdefault("license", License.ENTERPRISE)
        return cls(directory, VSphereSimulator(spec_of(*vms, nas=nas, **fields), directory / "sim"), ports)

    @property
    def simulator(self) -> VSphereSimulator:
        """The vCenter."""
        assert self.made is not None
        return self.made

    def __enter__(self) -> Self:
        self.open()
        return self

    def open(self) -> None:
        """Start an engine; again after :meth:`leave`."""
        clock = SystemClock()
        with ExitStack() as stack:
            self.catalog = stack.enter_context(lab_catalog(self.directory, clock=clock))
            self.engine = Engine(
                hypervisors=VSphereFactory(clock),
                transports=NativeTransports(TransportOptions()),
                secrets=self.secrets,
                catalog=self.catalog,
                repositories=self._open_repository,
                runner=ThreadRunner(),
                clock=clock,
                settings=self.settings,
                texts=log_texts(),
                chance=random.Random(1),
                serving=self._serve,
            )
            self.engine.start()
            stack.pop_all()
        self._register()

    def _serve(self, keys: Callable[[], Mapping[str, bytes]]) -> NfsService:
        folder = self.directory / "nfs"
        folder.mkdir(mode=0o700, exist_ok=True)
        command = program_command(
            "nfs",
            *("--locators", str(self.directory / "served")),
            *("--logs", str(self.directory / "logs")),
            *("--port", str(self.ports[0])),
            *("--portmap-port", str(self.ports[1])),
        )
        self.service = NfsService(folder, command, keys, self.ports)
        return self.service

    def _open_repository(
        self, place: RepositoryPlace, key: RepositoryKey | None, protection: Protection | None
    ) -> Repository:
        local, holder, clock = self.directory / "local", self.catalog.identity(), SystemClock()
        if place.repository_id is not None:
            return Repository.open(place.path, local_dir=local, clock=clock, key=key, holder=holder)
        small = RepositorySettings(chunk_bytes=CHUNK)
        return Repository.open_or_create(
            place.path, small, local_dir=local, clock=clock, key=key, protection=protection, holder=holder
        )

    def _register(self) -> None:
        platforms, standbys = self.catalog.platforms.all(), self.catalog.standbys.all()
        if platforms:
            self.platform, self.standby = platforms[0].id, standbys[0].id
            return
        simulator = self.simulator
        self.platform = self.engine.execute(
            RegisterPlatform(
                name="lab",
                address=simulator.host,
                port=simulator.port,
                user=simulator.user,
                password=simulator.password,
                thumbprint_sha256=simulator.thumbprint_sha256,
            )
        ).id
        root = self.directory / "standby"
        root.mkdir(exist_ok=True)
        self.standby = self.engine.execute(RegisterStandby(name="standby", root_path=str(root))).id

    def __exit__(self, *exc: object) -> None:
        try:
            self.leave()
        finally:
            self.service.stop()

    def leave(self) -> None:
        """End the engine; the serving process goes on."""
        assert self.engine.close(30), "tasks did not end"
        self.catalog.close()

    # --- doing ---------------------------------------------------------------------------------------------------

    def machine(self, name: str) -> VirtualMachine:
        """Return a VM of the simulator as it is inside."""
        machines: list[VirtualMachine] = list(self.simulator.world.inventory.vms.values())
        return next(machine for machine in machines if machine.name == name)

    def names(self) -> set[str]:
        """Return the names of the VMs in the inventory."""
        return {machine.name for machine in self.simulator.world.inventory.vms.values()}

    def datastores(self) -> set[str]:
        """Return the names of the datastores that are mounted."""
        return set(self.simulator.world.inventory.datastores)

    def backup(self, name: str = "web", kind: BackupKind = BackupKind.FULL) -> RestorePoint:
        """Back a VM up and return the point."""
        task = self.engine.execute(
            StartBackup(
                platform=self.platform,
                vm=VmId(self.machine(name).moid),
                vm_name=name,
                standby=self.standby,
                rule_name="nightly",
                kind=kind,
            )
        )
        report = self.finished(task)
        assert report.task.state is TaskState.COMPLETED, text_of(report)
        assert report.task.point is not None
        known = self.catalog.points.get(self.standby, "", report.task.point)
        assert known is not None
        return known.point

    def member(self, point: RestorePoint, name: str = "web-now", **fields: Any) -> InstantMember:
        """Return what starts a point under a name."""
        power_on = fields.pop("power_on", True)
        placement = VmPlacement(name=name, **fields)
        return InstantMember(standby=self.standby, point=point.id, placement=placement, power_on=power_on)

    def start(self, *members: InstantMember, address: str = "127.0.0.1") -> tuple[TaskId, ...]:
        """Queue instant recoveries."""
        return self.engine.execute(StartInstantRecovery(platform=self.platform, members=members, address=address))

    def started(self, point: RestorePoint, name: str = "web-now", **fields: Any) -> InstantRow:
        """Run a point and return its row.

        Raises:
            AssertionError: it does not run.
        """
        (task,) = self.start(self.member(point, name, **fields))
        self.completed(task)
        row = next(row for row in self.rows() if row.name == name)
        assert row.state is InstantState.RUNNING, row
        return row

    def completed(self, task: TaskId) -> TaskReport:
        """Wait for a task and return its report.

        Raises:
            AssertionError: it did not complete.
        """
        report = self.finished(task)
        assert report.task.state is TaskState.COMPLETED, text_of(report)
        return report

    def finished(self, task: TaskId) -> TaskReport:
        """Wait until everything has ended and return a task's report."""
        assert self.engine.wait_until_idle(60), "the engine did not come to rest"
        return self.engine.ask(TaskDetails(task=task))

    def rows(self) -> tuple[InstantRow, ...]:
        """Return the instant recoveries."""
        return self.engine.ask(ListInstantRecoveries())

    def write(self, name: str, offset: int, data: bytes, key: int = 2000) -> None:
        """Let a guest write; it is durable afterwards."""
        leaf = self.machine(name).trees[key].leaf
        assert leaf is not None
        leaf.write(offset, data)

    def content(self, name: str, key: int = 2000) -> bytes:
        """Return a disk of a VM, as its guest sees it."""
        leaf = self.machine(name).trees[key].leaf
        assert leaf is not None
        return bytes(leaf.read(0, leaf.capacity_bytes))
