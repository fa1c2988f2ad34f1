"""A whole engine on this machine: real catalog, real repository, local hypervisor."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Self

from app.bootstrap.texts import log_texts
from app.contract.platforms import RegisterPlatform
from app.contract.points import ListPoints, StartVerify
from app.contract.restore import NewVm, OverOriginal, StartRestore
from app.contract.standbys import RegisterStandby
from app.contract.tasks import StartBackup, TaskDetails, TaskReport
from app.core.bus import EventBus
from app.core.clock import Clock, SystemClock
from app.core.disks import DiskReader, ReadRequest
from app.core.threads import ThreadRunner
from app.core.zones import local_zone
from app.domain.changes import Changed, Subject
from app.domain.changetracking import ChangeTracking
from app.domain.events import Event
from app.domain.ids import PlatformId, PointId, StandbyId, TaskId, VmId
from app.domain.restore_point import RestorePoint
from app.domain.standbys import RepositoryPlace
from app.domain.states import BackupKind, TaskState
from app.engine.engine import Engine
from app.engine.program.settings import EngineSettings
from app.repository import Protection, Repository, RepositoryKey, RepositorySettings
from tests.support.catalogs import lab_catalog
from tests.support.local_disks import LocalTransports
from tests.support.local_host import LocalHost
from tests.support.local_hypervisor import PASSWORD, LocalFactory
from tests.support.waiting import wait_until

CHUNK = 256 * 1024
"""Small chunks, so that small disks have several."""

QUICK = EngineSettings(
    snapshot_removal_pause_s=0.001, snapshot_removal_deadline_s=5.0, standby_reserve_bytes=1, maintenance_look_s=0
)
"""Settings that do not wait, with no maintenance but what a test asks for."""


@dataclass
class MemorySecrets:
    """Fulfils :class:`app.core.secrets.SecretStore` in memory."""

    values: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str | None:
        """Return a secret."""
        return self.values.get(name)

    def set(self, name: str, value: str) -> None:
        """Keep a secret."""
        self.values[name] = value

    def delete(self, name: str) -> None:
        """Forget a secret."""
        self.values.pop(name, None)


class EngineLab:
    """An engine with one platform and one standby. Use as a context manager; it starts the engine."""

    def __init__(
        self,
        directory: Path,
        *,
        host: LocalHost | None = None,
        settings: EngineSettings = QUICK,
        seed: int = 1,
        clock: Clock | None = None,
        zone: Callable[[], tzinfo] = local_zone,
        secrets: "MemorySecrets | None" = None,
        standby: Path | None = None,
    ) -> None:
        """Prepare; ``standby`` is the folder of the standby, where it is not in this lab's own."""
        self._standby_root = standby or directory / "standby"
        self.directory = directory
        self.clock = clock or SystemClock()
        self.host = host or LocalHost(directory / "host")
        self.factory = LocalFactory(self.host)
        self.secrets = secrets or MemorySecrets()
        self.runner = ThreadRunner()
        self.events: list[Event] = []
        """Facts inside the engine, and what it announces, in their order."""
        bus = EventBus()
        bus.subscribe(self.events.append)
        self.catalog = lab_catalog(directory, clock=self.clock, zone=zone)
        self.engine = Engine(
            hypervisors=self.factory,
            transports=LocalTransports(self.host),
            secrets=self.secrets,
            catalog=self.catalog,
            repositories=self.open_repository,
            runner=self.runner,
            clock=self.clock,
            settings=settings,
            texts=log_texts(),
            chance=random.Random(seed),
            zone=zone,
            bus=bus,
        )
        self.platform = PlatformId("")
        self.standby = StandbyId("")

    def open_repository(
        self, place: RepositoryPlace, key: RepositoryKey | None, protection: Protection | None
    ) -> Repository:
        """Open the repository at a place with small chunks."""
        local, holder = self.directory / "local", self.catalog.identity()
        if place.repository_id is not None:
            return Repository.open(place.path, local_dir=local, clock=self.clock, key=key, holder=holder)
        small = RepositorySettings(chunk_bytes=CHUNK)
        return Repository.open_or_create(
            place.path, small, local_dir=local, clock=self.clock, key=key, protection=protection, holder=holder
        )

    def __enter__(self) -> Self:
        platforms, standbys = self.catalog.platforms.all(), self.catalog.standbys.all()
        if platforms:  # a second lab over the same directory: the same installation, started again
            self.platform, self.standby = platforms[0].id, standbys[0].id
            self.secrets.set(platforms[0].secret_name, PASSWORD)
        self.engine.start()
        if not platforms:
            self._register()
        return self

    def _register(self) -> None:
        self.platform = self.engine.execute(
            RegisterPlatform(name="lab", address=self.host.address, user="root", password=PASSWORD)
        ).id
        path = str(self._standby_root)
        self.standby = self.engine.execute(RegisterStandby(name="standby", root_path=path)).id

    def __exit__(self, *exc: object) -> None:
        assert self.engine.close(30), "tasks did not end"
        self.catalog.close()

    # --- listening -------------------------------------------------------------------------------------------

    def hears(self, subject: Subject, key: str | None = None) -> bool:
        """Wait until it is announced that answers about a subject, or about one key of it, may be different."""

        def is_heard() -> bool:
            found = [event for event in self.events if isinstance(event, Changed) and event.subject is subject]
            return any(key is None or not event.keys or key in event.keys for event in found)

        return wait_until(is_heard, what=f"a change of {subject.value}")

    # --- asking ----------------------------------------------------------------------------------------------

    def start_backup(
        self,
        vm: VmId,
        kind: BackupKind = BackupKind.INCREMENTAL,
        *,
        tracking: ChangeTracking = ChangeTracking.AUTOMATIC,
        quiesce: bool = False,
    ) -> TaskId:
        """Queue a backup."""
        return self.engine.execute(
            StartBackup(
                platform=self.platform,
                vm=vm,
                vm_name=self.host.vm(vm).name,
                standby=self.standby,
                rule_name="nightly",
                kind=kind,
                tracking=tracking,
                quiesce=quiesce,
            )
        )

    def backup(
        self,
        vm: VmId,
        kind: BackupKind = BackupKind.INCREMENTAL,
        *,
        tracking: ChangeTracking = ChangeTracking.AUTOMATIC,
        quiesce: bool = False,
    ) -> RestorePoint:
        """Back a VM up and return the point.

        Raises:
            AssertionError: the backup did not complete.
        """
        report = self.finished(self.start_backup(vm, kind, tracking=tracking, quiesce=quiesce))
        assert report.task.state is TaskState.COMPLETED, text_of(report)
        assert report.task.point is not None
        return self.point(report.task.point)

    def restore(self, point: RestorePoint, target: NewVm | OverOriginal, *, power_on: bool = False) -> TaskReport:
        """Restore a point and return how that went."""
        return self.finished(
            self.engine.execute(
                StartRestore(
                    standby=self.standby,
                    point=point.id,
                    platform=self.platform,
                    target=target,
                    power_on=power_on,
                )
            )
        )

    def verify(self, point: RestorePoint) -> TaskReport:
        """Verify a point and return how that went."""
        return self.finished(self.engine.execute(StartVerify(standby=self.standby, point=point.id)))

    def finished(self, task: TaskId) -> TaskReport:
        """Wait until everything has ended and return a task's report."""
        assert self.engine.wait_until_idle(30), "the engine did not come to rest"
        return self.engine.ask(TaskDetails(task=task))

    # --- looking ---------------------------------------------------------------------------------------------

    def points(self, vm: VmId | None = None) -> list[RestorePoint]:
        """Return the points that the repository itself lists, newest first."""
        with self.repository() as repository:
            found = repository.points()
        assert not found.damaged
        return [point for point in found.points if vm is None or point.facts.vm == vm]

    def listed(self) -> list[PointId]:
        """Return the points that the engine lists."""
        return [known.point.id for known in self.engine.ask(ListPoints(standby=self.standby))]

    def point(self, point: PointId) -> RestorePoint:
        """Return one point."""
        return next(listed for listed in self.points() if listed.id == point)

    def content(self, point: PointId, key: int = 2000) -> bytes:
        """Return a disk of a point, read through the repository."""
        with self.repository() as repository, repository.open_point(point) as reader:
            disk = reader.open_disk(key)
            try:
                return read_all(disk)
            finally:
                disk.close()

    @contextmanager
    def repository(self) -> Iterator[Repository]:
        """Give the repository, shared with the engine."""
        with self.engine.services.repositories.lease(self.standby) as repository:
            yield repository


def filled_vm(lab: EngineLab, *, name: str = "web", disks: int = 1) -> VmId:
    """Make a VM whose disks are a little over 4 MiB, partly written, not a multiple of any block."""
    vm = lab.host.add_vm(name, [4 * 1024 * 1024 + 1536] * disks)
    for key in range(2000, 2000 + disks):
        lab.host.write(vm, key, 100_000, os.urandom(700_000))
    return vm


def read_all(reader: DiskReader) -> bytes:
    """Read a whole disk through its port."""
    content = bytearray(reader.capacity_bytes)
    for _ in reader.read_many([ReadRequest(0, memoryview(content))]):
        pass
    return bytes(content)


def text_of(report: TaskReport) -> str:
    """Return a task's log as text."""
    lines = [f"{line.level.name} {line.code}: {line.text}" for line in report.log]
    return "\n".join([f"{report.task.state.value} {report.task.error}", *lines])


def codes_of(report: TaskReport) -> list[str]:
    """Return the codes of a task's log lines."""
    return [line.code for line in report.log]
