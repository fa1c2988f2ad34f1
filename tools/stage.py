"""A console on a real engine and a simulated vSphere, with real runs, for pictures and measurements."""

import os
import secrets
import shutil
import time as stopwatch
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer

from app.bootstrap.host import EngineHost
from app.bootstrap.installation import Installation
from app.cli.demo.stage import folders_in
from app.console.demoplatform import DemoPlatform
from app.console.service import ProgramService
from app.contract.platforms import ListVms, RegisterPlatform
from app.contract.rules import CreateRule, Periodic, RuleDraft, RunNow, VmChoice
from app.contract.standbys import RegisterStandby
from app.core.clock import Clock, SystemClock
from app.core.passphrases import SECRET_FILE
from app.domain.ids import PlatformId, RuleId, StandbyId
from app.domain.policies import PeriodicPolicy, Plan, PolicyUnit, Weekday
from app.domain.states import BackupKind
from app.domain.vms import VmSummary
from app.engine.engine import Engine
from app.secretstore.file_store import EncryptedFileSecretStore
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, SimulatorSpec, VmSpec
from app.workers.threads import QtTaskRunner

MIB = 1 << 20
GIB = 1 << 30

RULES = {
    "web": ("web-01", "web-02"),
    "databases": ("db-01", "db-02"),
    "office": ("mail-01", "files-01", "erp-01"),
}
"""The rules of the stage and their VMs; two VMs stay without protection."""


def stage_spec() -> SimulatorSpec:
    """Return an inventory of a small company."""

    def vm(name: str, folder: str, *disks: int, writes: int = 0) -> VmSpec:
        return VmSpec(
            name=name,
            disks=tuple(DiskSpec(capacity_bytes=size) for size in disks or (256 * MIB,)),
            folder=(folder,),
            hostname=f"{name}.example.com",
            workload_bytes_per_s=writes,
        )

    return SimulatorSpec(
        vms=(
            vm("web-01", "Production", 256 * MIB, 128 * MIB),
            vm("web-02", "Production"),
            vm("db-01", "Production", writes=2 * MIB),
            vm("db-02", "Production"),
            vm("mail-01", "Office"),
            vm("files-01", "Office", 512 * MIB),
            vm("erp-01", "Office"),
            vm("test-01", "Lab"),
            vm("build-01", "Lab"),
        ),
        foreign_guests_have_tools=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What pictures and measurements play with."""

    simulator: VSphereSimulator
    host: EngineHost
    installation: Installation
    program: ProgramService
    platform: PlatformId
    standby: StandbyId

    @property
    def engine(self) -> Engine:
        """Return the engine."""
        return self.host.engine

    def vms(self) -> dict[str, VmSummary]:
        """Return the VMs of the platform by name."""
        return {vm.name: vm for vm in self.engine.ask(ListVms(platform=self.platform))}

    def create_rules(self) -> dict[str, RuleId]:
        """Create the rules; they run at night."""
        present = self.vms()
        return {
            name: self.engine.execute(CreateRule(draft=self._draft(name, place, names, present)))
            for place, (name, names) in enumerate(RULES.items())
        }

    def _draft(self, name: str, place: int, names: tuple[str, ...], present: dict[str, VmSummary]) -> RuleDraft:
        night = time(22, 10 * place)
        plans = (
            Plan(
                unit=PolicyUnit.WEEKLY, kind=BackupKind.FULL, times=(night,), weekdays=frozenset({Weekday.SUNDAY})
            ),
            Plan(unit=PolicyUnit.DAILY, kind=BackupKind.INCREMENTAL, times=(night, time(12, 30))),
        )
        return RuleDraft(
            name=name,
            platform=self.platform,
            standby=self.standby,
            target_path=name,
            vms=tuple(VmChoice(vm=present[name].id, name=name) for name in names),
            policy=Periodic(policy=PeriodicPolicy(plans=plans)),
        )

    def run(self, rule: RuleId, kind: BackupKind) -> None:
        """Run a rule now and wait until it has ended."""
        self.engine.execute(RunNow(rule=rule, kind=kind))
        wait_for(lambda: self.engine.wait_until_idle(0.05), seconds=120)


class ShiftedClock:
    """The machine's clock, set back by ``back``: for runs of past days."""

    def __init__(self) -> None:
        self.back = timedelta()
        self._real = SystemClock()

    def now(self) -> datetime:
        """Return the present, set back."""
        return self._real.now() - self.back

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self._real.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self._real.sleep(seconds)


@contextmanager
def open_stage(root: Path, spec: SimulatorSpec, clock: Clock | None = None) -> Iterator[Stage]:
    """Set the stage in a folder, which is emptied first.

    Raises:
        OperationalError: something could not be started.
    """
    shutil.rmtree(root, ignore_errors=True)
    passphrase = secrets.token_urlsafe(16)
    # No one's own session settings are touched.
    os.environ["XDG_CONFIG_HOME"] = str(root / "session")
    with ExitStack() as ending:
        simulator = ending.enter_context(VSphereSimulator(spec, root / "vsphere"))
        installation = Installation.find(folders_in(root / "standfast"))
        store = EncryptedFileSecretStore(installation.folders.data / SECRET_FILE, lambda: passphrase)
        host = ending.enter_context(
            EngineHost.open(installation, secrets=store, runner=QtTaskRunner(), clock=clock)
        )
        demo = DemoPlatform(installation.folders.data / "demo")
        ending.callback(demo.stop)
        program = ProgramService(installation, demo, engine_is_elsewhere=False, put_in_force=lambda _limits: False)
        platform = host.engine.execute(
            RegisterPlatform(
                name="vcenter-01",
                address=simulator.host,
                port=simulator.port,
                user=simulator.user,
                password=simulator.password,
                thumbprint_sha256=simulator.thumbprint_sha256,
            )
        )
        standby = host.engine.execute(RegisterStandby(name="standby-01", root_path=str(root / "standby")))
        yield Stage(
            simulator=simulator,
            host=host,
            installation=installation,
            program=program,
            platform=platform.id,
            standby=standby.id,
        )


def wait_for(is_true: Callable[[], bool], *, seconds: float) -> None:
    """Let the window live until something is true.

    Raises:
        TimeoutError: it did not become true in time.
    """
    deadline = stopwatch.monotonic() + seconds
    while not is_true():
        if stopwatch.monotonic() > deadline:
            raise TimeoutError("what was waited for did not happen")
        let_live(20)


def let_live(milliseconds: int) -> None:
    """Let the window live for a while."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()
