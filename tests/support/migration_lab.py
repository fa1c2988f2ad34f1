"""An engine between two simulated platforms."""

import random
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from pyVim.connect import Disconnect, SmartConnect

from app.bootstrap.texts import log_texts
from app.catalog import Catalog
from app.contract.migration import (
    CutOver,
    ListMigrations,
    MigrationMember,
    MigrationRow,
    ResumeMigration,
    StartMigration,
)
from app.contract.platforms import RegisterPlatform
from app.contract.tasks import TaskDetails, TaskReport
from app.core.clock import SystemClock
from app.core.threads import ThreadRunner
from app.domain.errors import OperationalError
from app.domain.ids import MigrationId, PlatformId, VmId
from app.domain.migration import MigrationOptions, MigrationState, MigrationWork
from app.domain.standbys import RepositoryPlace
from app.domain.vms import VmPlacement
from app.engine.engine import Engine
from app.engine.program.settings import EngineSettings
from app.repository import Protection, Repository, RepositoryKey
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskMode, DiskSpec, Flavour, VmSpec
from app.simulator.vm.virtual_machine import VirtualMachine
from app.transport.factory import NativeTransports
from app.transport.options import TransportOptions
from app.vsphere.factory import VSphereFactory
from tests.support.catalogs import lab_catalog
from tests.support.engine_lab import QUICK, MemorySecrets, text_of
from tests.support.waiting import wait_until
from tests.unit.simulator.vm.lab import spec_of

KIB = 1 << 10
MIB = 1 << 20
SETTINGS = replace(
    QUICK,
    tick_s=0.0,
    platform_outage_s=5.0,
    guest_shutdown_s=5.0,
    guest_start_s=1.0,
    guest_look_s=0.05,
    migration_stale_s=0.0,
)
"""Nothing happens by itself; a cut-over always copies first what has changed."""
SMALL = MigrationOptions(ready_below_bytes=2 * MIB, ready_within_s=0.05)


@dataclass
class MigrationLab:
    """A context manager; entered again over the same folder it is the same installation, started again.

    Attributes:
        source, target: the platforms, which outlive the engine.
        here, there: their keys.
        engine: is there while the lab is entered.
    """

    directory: Path
    source: VSphereSimulator
    target: VSphereSimulator
    settings: EngineSettings = SETTINGS
    secrets: MemorySecrets = field(default_factory=MemorySecrets)
    engine: Engine = field(init=False)
    catalog: Catalog = field(init=False)
    here: PlatformId = field(init=False)
    there: PlatformId = field(init=False)

    @classmethod
    def make(
        cls,
        directory: Path,
        *,
        target: Flavour = Flavour.VCENTER,
        disks: int = 1,
        disk_mode: DiskMode = "persistent",
        workload_bytes_per_s: int = 0,
        **vm: Any,
    ) -> Self:
        """Make a lab with a running VM ``web`` on a vCenter; the caller starts the simulators."""
        vm.setdefault("hostname", "web")
        vm.setdefault("change_tracking", True)
        web = VmSpec(
            name="web",
            disks=(DiskSpec(capacity_bytes=24 * MIB, mode=disk_mode),) * disks,
            workload_bytes_per_s=workload_bytes_per_s,
            **vm,
        )
        hosts: dict[str, Any] = {"hosts": ("esx-b.lab",)} if target is Flavour.ESXI else {}
        return cls(
            directory,
            VSphereSimulator(spec_of(web), directory / "sim-a"),
            VSphereSimulator(spec_of(flavour=target, seed=7, **hosts), directory / "sim-b"),
        )

    def __enter__(self) -> Self:
        self.catalog, self.engine = opened_engine(self.directory, self.secrets, self.settings)
        known = {platform.name: platform.id for platform in self.catalog.platforms.all()}
        self.here = known.get("here") or self._register("here", self.source)
        self.there = known.get("there") or self._register("there", self.target)
        return self

    def _register(self, name: str, simulator: VSphereSimulator) -> PlatformId:
        return self.engine.execute(
            RegisterPlatform(
                name=name,
                address=simulator.host,
                port=simulator.port,
                user=simulator.user,
                password=simulator.password,
                thumbprint_sha256=simulator.thumbprint_sha256,
            )
        ).id

    def __exit__(self, *exc: object) -> None:
        assert self.engine.close(30), "tasks did not end"
        self.catalog.close()

    # --- doing ---------------------------------------------------------------------------------------------------

    def member(self, name: str = "web", vm: str = "web", **fields: Any) -> MigrationMember:
        """Return what migrates a VM of the source."""
        fields.setdefault("datastore", "ds1")
        placement = VmPlacement(name=name, **fields)
        return MigrationMember(vm=VmId(machine_of(self.source, vm).moid), vm_name=vm, placement=placement)

    def start(self, member: MigrationMember | None = None, **options: Any) -> MigrationId:
        """Begin a migration from here to there."""
        (migration,) = self.engine.execute(
            StartMigration(
                platform=self.here,
                target=self.there,
                members=(member or self.member(),),
                options=replace(SMALL, **options),
            )
        )
        return migration

    def row(self, migration: MigrationId) -> MigrationRow:
        """Return the row of a migration."""
        return next(row for row in self.rows() if row.id == migration)

    def settled_rows(self) -> tuple[MigrationRow, ...]:
        """Return all migrations once what a crash has left is settled.

        While a platform still works at what the killed engine began, settling it may fail; it is tried again after
        a minute.
        """

        def are_settled() -> bool:
            self.engine.tick()
            assert self.engine.wait_until_idle(120)
            return all(row.state is not MigrationState.UNKNOWN for row in self.rows())

        wait_until(are_settled, deadline_s=150, what="the settling of what was left")
        return self.rows()

    def rows(self) -> tuple[MigrationRow, ...]:
        """Return all migrations."""
        return self.engine.ask(ListMigrations())

    def ended(self, migration: MigrationId) -> MigrationRow:
        """Wait until nothing works, and return the row of a migration."""
        assert self.engine.wait_until_idle(120), "the engine did not come to rest"
        return self.row(migration)

    def reached(self, migration: MigrationId, state: MigrationState) -> MigrationRow:
        """Wait until nothing works, and return the row of a migration, which is in a state.

        Raises:
            AssertionError: it is in another one.
        """
        row = self.ended(migration)
        assert row.state is state, f"{row}\n{self.logs()}"
        return row

    def resume(self, migration: MigrationId) -> None:
        """Go on with a migration."""
        self.engine.execute(ResumeMigration(migration=migration))

    def go_on(self, migration: MigrationId) -> None:
        """Let a migration come to its end from wherever it is."""
        go_on(self.engine, migration)

    def cut_over(self, migration: MigrationId) -> TaskReport:
        """Cut over, wait, and return the report of the task."""
        task = self.engine.execute(CutOver(migration=migration))
        self.ended(migration)
        return self.engine.ask(TaskDetails(task=task))

    def follow(self, migration: MigrationId) -> None:
        """Let the changes of one that is ready be copied now."""
        known = self.catalog.migrations.get(migration)
        assert known is not None
        self.engine.migration.settling.queue(known, MigrationWork.FOLLOW)

    def reports(self) -> list[TaskReport]:
        """Return all tasks, the oldest first."""
        return [self.engine.ask(TaskDetails(task=record.id)) for record in reversed(self.catalog.tasks.find())]

    def logs(self) -> str:
        """Return the logs of all tasks as text."""
        return "\n".join(text_of(report) for report in self.reports())

    def codes(self) -> list[str]:
        """Return the codes of the log lines of all tasks."""
        return [line.code for report in self.reports() for line in report.log]

    # --- looking -------------------------------------------------------------------------------------------------

    def source_content(self, name: str = "web", key: int = 2000) -> bytes:
        """Return a disk of a VM of the source."""
        return content_of(self.source, name, key)

    def target_content(self, name: str = "web", key: int = 2000) -> bytes:
        """Return a disk of a VM of the target."""
        return content_of(self.target, name, key)

    def write(self, offset: int, data: bytes, name: str = "web", key: int = 2000) -> None:
        """Let the guest of the source write."""
        leaf = machine_of(self.source, name).trees[key].leaf
        assert leaf is not None
        leaf.write(offset, data)

    def assert_source_unharmed(self, *, runs: bool = True, name: str = "web") -> None:
        """Make sure that the source is what it was, and that no snapshot of ours is on it."""
        machine = machine_of(self.source, name)
        assert machine.power_state == ("poweredOn" if runs else "poweredOff"), self.logs()
        assert snapshots_of(self.source) == [], self.logs()
        assert self.catalog.snapshot_journal.open_entries() == []

    def assert_nothing_unlisted(self) -> None:
        """Make sure that what is on the target is listed, or taken over."""
        listed = {row.target_vm for row in self.rows()}
        there = {VmId(machine.moid) for machine in self.target.world.inventory.vms.values()}
        assert there <= listed, (there, self.rows())


def machine_of(simulator: VSphereSimulator, name: str) -> VirtualMachine:
    """Return a VM of a simulator as it is inside."""
    machines: list[VirtualMachine] = list(simulator.world.inventory.vms.values())
    return next(machine for machine in machines if machine.name == name)


def names_of(simulator: VSphereSimulator) -> set[str]:
    """Return the names of the VMs of a simulator."""
    return {machine.name for machine in simulator.world.inventory.vms.values()}


def content_of(simulator: VSphereSimulator, name: str, key: int = 2000) -> bytes:
    """Return a disk of a VM, as its guest sees it."""
    leaf = machine_of(simulator, name).trees[key].leaf
    assert leaf is not None
    return bytes(leaf.read(0, leaf.capacity_bytes))


def snapshots_of(simulator: VSphereSimulator) -> list[str]:
    """Return the names of all snapshots of a simulator."""
    with simulator.world.lock:
        machines = list(simulator.world.inventory.vms.values())
        return [snapshot.name for machine in machines for snapshot in machine.every_snapshot()]


def go_on(engine: Engine, migration: MigrationId) -> None:
    """Resume a migration, or cut over where it is ready."""
    row = next(row for row in engine.ask(ListMigrations()) if row.id == migration)
    if row.state is MigrationState.READY:
        engine.execute(CutOver(migration=migration))
    else:
        engine.execute(ResumeMigration(migration=migration))


@contextmanager
def client_of(simulator: VSphereSimulator) -> Iterator[Any]:
    """Log somebody else in; gives the stub of the connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    instance = SmartConnect(
        host=simulator.host,
        port=simulator.port,
        user=simulator.user,
        pwd=simulator.password,
        sslContext=context,
    )
    try:
        yield instance._stub
    finally:
        Disconnect(instance)
        instance._stub.DropConnections()


def opened_engine(directory: Path, secrets: MemorySecrets, settings: EngineSettings) -> tuple[Catalog, Engine]:
    """Open the installation in a folder, and start its engine."""
    clock = SystemClock()
    with ExitStack() as stack:
        catalog = stack.enter_context(lab_catalog(directory, clock=clock))
        engine = Engine(
            hypervisors=VSphereFactory(clock),
            transports=NativeTransports(TransportOptions()),
            secrets=secrets,
            catalog=catalog,
            repositories=_no_repository,
            runner=ThreadRunner(),
            clock=clock,
            settings=settings,
            texts=log_texts(),
            chance=random.Random(1),
        )
        engine.start()
        stack.pop_all()
    return catalog, engine


def _no_repository(
    place: RepositoryPlace, _key: RepositoryKey | None, _protection: Protection | None
) -> Repository:
    raise OperationalError(path=place.path)
