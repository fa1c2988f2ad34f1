"""The engine without a window, as a service manager starts, asks and ends it; and as a crash ends it."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.bootstrap.host import EngineHost
from app.bootstrap.installation import Installation, claim_window
from app.cli.demo.stage import folders_in, open_simulator
from app.contract.door import Door
from app.contract.errors import EngineBusy
from app.contract.platforms import ListPlatforms, ListVms
from app.contract.program import RaiseWindow
from app.contract.standbys import ListStandbys
from app.contract.tasks import ListTasks, StartBackup
from app.core.passphrases import PASSPHRASE_VARIABLE, SECRET_FILE
from app.domain.changes import Changed, Subject
from app.domain.engine_events import EngineFound, EngineLost, WindowRaiseAsked
from app.domain.events import Event
from app.domain.ids import TaskId
from app.domain.states import BackupKind, TaskState
from app.paths import HOME_VARIABLE
from app.secretstore.file_store import EncryptedFileSecretStore
from app.simulator.server import VSphereSimulator
from tests.support.own_engine import OpenDoor, open_door
from tests.support.stage import small_spec, start_first_backup, state_of
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
PASSPHRASE = "only for tests"
PATIENCE_S = 60.0

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals as a service manager of POSIX sends them")


@dataclass
class Home:
    """One installation with its passwords in the encrypted file."""

    path: Path

    def __post_init__(self) -> None:
        (self.path / "config").mkdir(parents=True)
        (self.path / "config" / "system.conf").write_text("secret_store=file\n", encoding="utf-8")

    @property
    def installation(self) -> Installation:
        return Installation.find(folders_in(self.path))

    def environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, HOME_VARIABLE: str(self.path), PASSPHRASE_VARIABLE: PASSPHRASE, **more}

    def secrets(self) -> EncryptedFileSecretStore:
        return EncryptedFileSecretStore(self.path / "data" / SECRET_FILE, lambda: PASSPHRASE)

    def open_door(self) -> OpenDoor:
        return open_door(self.installation, open_secrets=self.secrets, patience_s=PATIENCE_S)

    @contextmanager
    def engine(self, *arguments: str, **more: str) -> "Iterator[subprocess.Popen[str]]":
        """Run ``main.py --headless`` until the end of the block, where it is killed if it still runs."""
        process = subprocess.Popen(
            [sys.executable, "main.py", "--headless", *arguments],
            cwd=ROOT,
            env=self.environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            assert "runs; data in" in process.stdout.readline(), self.log()
            yield process
        finally:
            process.kill()
            process.communicate(timeout=PATIENCE_S)

    def ctl(self, *arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        """Run ``debugctl``."""
        return subprocess.run(
            [sys.executable, "main.py", "ctl", *arguments],
            cwd=ROOT,
            env=self.environment(),
            input=given,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def log(self) -> str:
        with suppress(FileNotFoundError):
            return (self.path / "logs" / "engine.log").read_text(encoding="utf-8")
        return "no log"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "standfast")


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[VSphereSimulator]:
    with open_simulator(tmp_path, small_spec()) as running:
        yield running


def test_a_window_attaches_to_the_engine_and_sees_its_task_through(
    home: Home, simulator: VSphereSimulator, tmp_path: Path
) -> None:
    with home.engine() as process:
        with home.open_door() as opened:
            assert not opened.is_ours
            heard: list[Event] = []
            opened.door.subscribe(heard.append)
            task = start_first_backup(opened.door, simulator, tmp_path)
            wait_until(
                lambda: state_of(opened.door, task).is_final, deadline_s=PATIENCE_S, what="the end of the backup"
            )
            assert state_of(opened.door, task) is TaskState.COMPLETED, home.log()
            wait_until(
                lambda: any(
                    isinstance(event, Changed) and event.subject is Subject.TASKS and task in event.keys
                    for event in heard
                ),
                what="the announcement that it changed",
            )
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert PASSPHRASE not in home.log()
    assert simulator.password not in home.log()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_in_the_middle_of_a_backup(
    home: Home, simulator: VSphereSimulator, tmp_path: Path, end: signal.Signals
) -> None:
    simulator.faults.stall_nfc(after_bytes=1 << 20, seconds=3)
    with home.engine() as process, home.open_door() as opened:
        task = start_first_backup(opened.door, simulator, tmp_path)
        wait_until(
            lambda: state_of(opened.door, task) is TaskState.RUNNING, deadline_s=PATIENCE_S, what="data moving"
        )
        process.send_signal(end)
        assert process.wait(PATIENCE_S) == 0
    assert not [name for name in ("engine.json", "engine.sock") if (home.path / "data" / name).exists()]
    with home.open_door() as again:
        assert again.is_ours
        assert state_of(again.door, task) is TaskState.STOPPED


def start_another_backup(door: Door) -> TaskId:
    """Back the first VM of the one platform up once more."""
    (platform,), (standby,) = door.ask(ListPlatforms()), door.ask(ListStandbys())
    vm = door.ask(ListVms(platform=platform.id))[0]
    return door.execute(
        StartBackup(
            platform=platform.id,
            vm=vm.id,
            vm_name=vm.name,
            standby=standby.id,
            rule_name="",
            kind=BackupKind.FULL,
        )
    )


def test_an_installer_ends_it_when_its_tasks_are_done_or_stopped(
    home: Home, simulator: VSphereSimulator, tmp_path: Path
) -> None:
    is_halted, goes_on = threading.Event(), threading.Event()

    def halt() -> None:
        is_halted.set()
        goes_on.wait(PATIENCE_S)

    simulator.faults.halt_reads(1 << 20, halt)
    with home.engine() as process, home.open_door() as opened:
        task = start_first_backup(opened.door, simulator, tmp_path)
        assert is_halted.wait(PATIENCE_S)
        refused = home.ctl("program", "end")
        assert (refused.returncode, process.poll()) == (1, None)
        assert "1 task is running; nothing was ended." in refused.stderr
        goes_on.set()
        assert home.ctl("program", "end", "--when-idle").returncode == 0
        assert process.wait(PATIENCE_S) == 0
    is_halted.clear()
    goes_on.clear()
    simulator.faults.halt_reads(1 << 20, halt)
    with home.engine() as process, home.open_door() as opened:
        assert state_of(opened.door, task) is TaskState.COMPLETED
        start_another_backup(opened.door)
        assert is_halted.wait(PATIENCE_S)
        assert home.ctl("program", "end", "--stop-tasks").returncode == 0
        assert process.wait(PATIENCE_S) == 0
    goes_on.set()
    assert home.ctl("program", "end").returncode == 3, "no engine runs"


def test_a_killed_engine_is_unknown_to_the_window_until_the_next_one_is_there(
    home: Home, simulator: VSphereSimulator, tmp_path: Path
) -> None:
    heard: list[type[Event]] = []
    with home.engine() as first, home.open_door() as opened:
        opened.door.subscribe(lambda event: heard.append(type(event)))
        task = start_first_backup(opened.door, simulator, tmp_path)
        first.kill()
        first.wait(PATIENCE_S)
        wait_until(lambda: EngineLost in heard, what="the loss of the engine")
        with home.engine() as second:
            wait_until(lambda: EngineFound in heard, deadline_s=PATIENCE_S, what="the next engine")
            wait_until(
                lambda: state_of(opened.door, task).is_final, deadline_s=PATIENCE_S, what="what became of the task"
            )
            second.send_signal(signal.SIGTERM)
            assert second.wait(PATIENCE_S) == 0


def test_there_is_one_engine_per_catalog(home: Home) -> None:
    with home.engine() as process:
        second = subprocess.run(
            [sys.executable, "main.py", "--headless"],
            cwd=ROOT,
            env=home.environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert second.returncode == 1
        assert f"process {process.pid}" in second.stderr
        with pytest.raises(EngineBusy):
            EngineHost.open(home.installation, secrets=home.secrets())
        assert process.poll() is None


def test_a_second_window_raises_the_first(home: Home) -> None:
    with home.open_door() as first, home.open_door() as second:
        assert first.is_ours
        assert not second.is_ours
        window = claim_window(home.installation)
        assert window is not None
        with window:
            assert claim_window(home.installation) is None
            heard: list[Event] = []
            first.door.subscribe(heard.append)
            second.door.execute(RaiseWindow())
            assert any(isinstance(event, WindowRaiseAsked) for event in heard)


def test_it_does_not_start_without_its_passphrase(home: Home) -> None:
    environment = home.environment()
    del environment[PASSPHRASE_VARIABLE]
    done = subprocess.run(
        [sys.executable, "main.py", "--headless"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    assert PASSPHRASE_VARIABLE in done.stderr


def test_a_service_manager_is_told_how_it_stands(home: Home, tmp_path: Path) -> None:
    address = f"/tmp/standfast-notify-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        try:
            manager.bind(address)
            manager.settimeout(PATIENCE_S)
            with home.engine(NOTIFY_SOCKET=address) as process:
                assert manager.recv(1000).startswith(b"READY=1")
                process.send_signal(signal.SIGTERM)
                assert manager.recv(1000).startswith(b"STOPPING=1")
                assert process.wait(PATIENCE_S) == 0
        finally:
            Path(address).unlink(missing_ok=True)


def test_debugctl_controls_it_from_first_to_last(home: Home, simulator: VSphereSimulator, tmp_path: Path) -> None:
    assert home.ctl("back", "task").returncode == 3
    with home.engine():
        added = home.ctl(
            "platform",
            "add",
            "sim",
            simulator.host,
            f"--port={simulator.port}",
            f"--user={simulator.user}",
            f"--thumbprint={simulator.thumbprint_sha256}",
            "--json",
            given=f"{simulator.password}\n",
        )
        assert added.returncode == 0, added.stderr
        assert json.loads(added.stdout)["name"] == "sim"
        assert simulator.password not in added.stdout + added.stderr
        assert home.ctl("platform", "test", "sim").returncode == 0
        assert home.ctl("standby", "add", "disk", str(tmp_path / "standby")).returncode == 0
        with home.open_door() as opened:
            platform = json.loads(home.ctl("platform", "list", "--json").stdout)[0]["platform"]["id"]
            vm = opened.door.ask(ListVms(platform=platform))[0]
            standby = json.loads(home.ctl("standby", "list", "--json").stdout)[0]["id"]
            task = opened.door.execute(
                StartBackup(platform=platform, vm=vm.id, vm_name=vm.name, standby=standby, rule_name="r")
            )
            wait_until(lambda: state_of(opened.door, task).is_final, deadline_s=PATIENCE_S, what="the backup")
            assert opened.door.ask(ListTasks())[0].state is TaskState.COMPLETED
        assert task[:8] in home.ctl("task", "list").stdout
        assert "completed" in home.ctl("task", "show", task[:8]).stdout
        point = json.loads(home.ctl("point", "list", "--json").stdout)[0]["point"]["id"]
        verified = home.ctl("point", "verify", point)
        assert verified.returncode == 0, verified.stdout + verified.stderr
        (tmp_path / "out").mkdir()
        exported = home.ctl("point", "export", point, str(tmp_path / "out"))
        assert exported.returncode == 0, exported.stdout + exported.stderr
        sizes = sorted(image.stat().st_size for image in (tmp_path / "out").iterdir())
        assert sizes == sorted(disk.capacity_bytes for disk in small_spec().vms[0].disks)
        assert home.ctl("task", "cancel", "nonsense").returncode == 1
        assert home.ctl("task", "fly").returncode == 2
        assert f"{vm.name}" in home.ctl("log").stdout
        assert "Running" in home.ctl("stat").stdout


def test_a_lost_catalog_is_refused_until_something_is_chosen(home: Home) -> None:
    with home.engine() as process:
        process.terminate()
        process.wait(PATIENCE_S)
    catalog = home.path / "data" / "catalog.db"
    catalog.write_bytes(b"")

    def refusal(*choice: str) -> str:
        refused = subprocess.run(
            [sys.executable, "main.py", "--headless", *choice],
            cwd=ROOT,
            env=home.environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert refused.returncode == 1
        return refused.stderr

    told = refusal()
    assert "is empty or missing, though this installation has used one" in told
    assert "--catalog" in told
    assert catalog.read_bytes() == b""
    assert "no whole safety copy" in refusal("--catalog", "restore")
    with home.engine("--catalog", "new") as process:
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
