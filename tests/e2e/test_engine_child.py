"""The engine as the window's child: it starts, works, is started again, and never outlives its window."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from app.bootstrap.host import EngineHost
from app.bootstrap.installation import Installation
from app.cli.demo.stage import folders_in, open_simulator
from app.console.enginedoor import OpenEngine, launch_of, open_engine
from app.console.engineprocess import EngineProcess
from app.console.errors import EngineDidNotStart
from app.contract.client import attach
from app.contract.endpoint import ENDPOINT_FILE
from app.contract.errors import EngineAway, EngineBusy, EngineError
from app.contract.launch import EngineLaunch
from app.contract.platforms import ListPlatforms
from app.core.hypervisor import SNAPSHOT_PREFIX
from app.core.passphrases import PASSPHRASE_VARIABLE, SECRET_FILE
from app.domain.engine_events import EngineFound, EngineLost
from app.domain.events import Event
from app.domain.states import TaskState
from app.paths import HOME_VARIABLE
from app.secretstore.errors import PassphraseRefused
from app.secretstore.file_store import EncryptedFileSecretStore
from app.simulator.server import VSphereSimulator
from app.simulator.vm.virtual_machine import VirtualMachine
from tests.support.given_passphrase import GivenPassphrase
from tests.support.own_engine import open_door
from tests.support.signals import catches_sigterm
from tests.support.stage import small_spec, start_first_backup, state_of
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
PASSPHRASE = "only for tests"
PATIENCE_S = 60.0
SECONDS = 20.0
"""What "within seconds" means on a busy machine."""


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    folders = folders_in(tmp_path / "standfast")
    folders.create()
    folders.user_config_file.write_text("secret_store=file\n", encoding="utf-8")
    return Installation.find(folders)


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[VSphereSimulator]:
    with open_simulator(tmp_path, small_spec()) as running:
        yield running


def opened(installation: Installation) -> OpenEngine:
    return open_engine(installation, GivenPassphrase(installation, PASSPHRASE))


def log_of(installation: Installation) -> str:
    return (installation.folders.logs / "engine.log").read_text(encoding="utf-8")


def snapshots_of_ours(simulator: VSphereSimulator) -> list[str]:
    """Return the names of our snapshots on every VM."""
    with simulator.world.lock:
        machines = simulator.world.all(VirtualMachine)
        names = [snapshot.name for machine in machines for snapshot in machine.every_snapshot()]
    return [name for name in names if name.startswith(SNAPSHOT_PREFIX)]


def is_free(installation: Installation) -> bool:
    """Tell whether nobody holds the catalog."""
    try:
        attach(installation.folders.data).close()
    except EngineAway:
        return not (installation.folders.data / ENDPOINT_FILE).exists()
    return False


def open_connections() -> list[str]:
    """Return the threads of this process that keep a connection to an engine."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("door-client")]


def test_the_engine_works_in_a_process_of_its_own_and_ends_with_its_door(
    installation: Installation, simulator: VSphereSimulator, tmp_path: Path
) -> None:
    with opened(installation) as engine, attach(installation.folders.data) as door:
        assert engine.is_ours
        task = start_first_backup(door, simulator, tmp_path)
        wait_until(lambda: state_of(door, task).is_final, deadline_s=PATIENCE_S, what="the end of the backup")
        assert state_of(door, task) is TaskState.COMPLETED, log_of(installation)
        with pytest.raises(EngineBusy):
            EngineHost.open(installation, secrets=EncryptedFileSecretStore(tmp_path / "x", lambda: PASSPHRASE))
    assert is_free(installation), "it ends with its door"
    assert "ending because of the end of its parent" in log_of(installation)


def test_its_passphrase_is_on_no_command_line_in_no_environment_and_in_no_log(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PASSPHRASE_VARIABLE, raising=False)
    launch = launch_of(installation.folders, PASSPHRASE)
    assert PASSPHRASE not in repr(launch)
    with EngineProcess.start(launch) as engine:
        assert engine.pid is not None
        process = psutil.Process(engine.pid)
        assert PASSPHRASE not in " ".join(process.cmdline())
        assert PASSPHRASE not in str(process.environ())
    assert PASSPHRASE not in log_of(installation)


@pytest.mark.skipif(os.name == "nt", reason="the nice value of POSIX")
def test_it_stands_back_behind_the_window(installation: Installation) -> None:
    with EngineProcess.start(launch_of(installation.folders, PASSPHRASE)) as engine:
        assert engine.pid is not None
        assert psutil.Process(engine.pid).nice() > psutil.Process().nice()


def test_an_engine_that_runs_already_is_used_and_goes_on(installation: Installation) -> None:
    class MustNotAsk(GivenPassphrase):
        def begin(self) -> EngineLaunch:
            raise AssertionError("the engine that runs has the passphrase")

    with opened(installation):
        with open_engine(installation, MustNotAsk(installation, "")) as second:
            assert not second.is_ours
            assert open_connections() == [], "the window has one of its own"
        with attach(installation.folders.data) as door:
            assert door.ask(ListPlatforms()) == ()


@pytest.mark.allows_log("the engine ended with status", "the engine said")
def test_a_killed_engine_is_told_as_lost_and_started_again(installation: Installation) -> None:
    heard: list[Event] = []
    with opened(installation), attach(installation.folders.data) as door:
        door.subscribe(heard.append)
        victim = engine_pid(installation)
        os.kill(victim, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
        wait_until(lambda: any(isinstance(event, EngineLost) for event in heard), what="the loss")
        wait_until(
            lambda: any(isinstance(event, EngineFound) for event in heard),
            deadline_s=PATIENCE_S,
            what="the next engine",
        )
        assert engine_pid(installation) != victim
    assert is_free(installation)


def engine_pid(installation: Installation) -> int:
    """Return the process id of the engine whose door is open."""
    with attach(installation.folders.data) as door:
        pid = door.engine_pid
    assert pid is not None
    return pid


def test_a_refused_passphrase_comes_out_as_what_it_is(installation: Installation) -> None:
    store = EncryptedFileSecretStore(installation.folders.data / SECRET_FILE, lambda: PASSPHRASE)
    store.set("name", "value")
    with pytest.raises(EngineError) as refused:
        EngineProcess.start(launch_of(installation.folders, "another one"))
    assert refused.value.code == PassphraseRefused.code


def test_a_child_that_ends_without_a_word_is_an_error(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "app.console.engineprocess.program_command",
        lambda *_arguments: [sys.executable, "-c", "raise SystemExit(7)"],
    )
    with pytest.raises(EngineDidNotStart, match="status 7"):
        EngineProcess.start(launch_of(installation.folders, PASSPHRASE))


@pytest.mark.allows_log("did not end within", "the engine ended with status")
def test_a_child_that_does_not_end_is_killed_when_the_window_quits(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = 'import time; input(); print(\'{"engine": "ready"}\', flush=True); time.sleep(600)'
    monkeypatch.setattr(
        "app.console.engineprocess.program_command", lambda *_arguments: [sys.executable, "-c", script]
    )
    monkeypatch.setattr("app.console.engineprocess._END_S", 0.5)
    engine = EngineProcess.start(launch_of(installation.folders, PASSPHRASE))
    began = time.monotonic()
    engine.close()
    assert time.monotonic() - began < 20
    assert engine.pid is None


def test_the_option_alone_starts_no_engine(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "main.py", "--headless", "--for-parent"],
        cwd=ROOT,
        env={**os.environ, HOME_VARIABLE: str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    assert not (tmp_path / "data").exists()


# --- the whole program ------------------------------------------------------------------------------------------


@contextmanager
def window_of(installation: Installation) -> "Iterator[subprocess.Popen[str]]":
    """Run the whole program with its window until the end of the block, where it is killed if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.console_process"],
        cwd=ROOT,
        env=environment_of(installation),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "shown\n"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE_S)


def environment_of(installation: Installation) -> dict[str, str]:
    home = str(installation.folders.data.parent)
    return {**os.environ, HOME_VARIABLE: home, PASSPHRASE_VARIABLE: PASSPHRASE, "QT_QPA_PLATFORM": "offscreen"}


def test_a_killed_window_takes_its_engine_with_it_in_the_middle_of_a_backup(
    installation: Installation, simulator: VSphereSimulator, tmp_path: Path
) -> None:
    simulator.faults.stall_nfc(after_bytes=1 << 20, seconds=3)
    with window_of(installation) as window:
        with attach(installation.folders.data) as door:
            task = start_first_backup(door, simulator, tmp_path)
            wait_until(
                lambda: state_of(door, task) is TaskState.RUNNING, deadline_s=PATIENCE_S, what="data moving"
            )
        engine = psutil.Process(engine_pid(installation))
        assert snapshots_of_ours(simulator)
        window.kill()
        window.wait(PATIENCE_S)
        wait_until(lambda: not engine.is_running(), deadline_s=SECONDS, what="the end of the engine")
    assert not snapshots_of_ours(simulator), "it ended in order"
    with open_door(
        installation,
        open_secrets=lambda: EncryptedFileSecretStore(installation.folders.data / SECRET_FILE, lambda: PASSPHRASE),
    ) as again:
        assert state_of(again.door, task) is TaskState.STOPPED


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="signals and descriptors of Linux")
@pytest.mark.parametrize("without_log", [False, True], ids=["with a log", "without a log"])
def test_the_window_runs_without_standard_streams_and_without_a_log(
    installation: Installation, *, without_log: bool
) -> None:
    if without_log:
        (installation.folders.logs / "console.log").mkdir(parents=True)
        (installation.folders.logs / "engine.log").mkdir()
    window = subprocess.Popen(
        ["sh", "-c", f"exec {sys.executable} main.py --no-tray <&- >&- 2>&-"],
        cwd=ROOT,
        env=environment_of(installation),
    )
    try:
        wait_until(lambda: catches_sigterm(window.pid), deadline_s=PATIENCE_S, what="the window")
        engine = psutil.Process(engine_pid(installation))
        window.send_signal(signal.SIGTERM)
        assert window.wait(PATIENCE_S) == 0
        wait_until(lambda: not engine.is_running(), deadline_s=SECONDS, what="the end of the engine")
    finally:
        window.kill()
        window.wait()
    assert is_free(installation)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_second_start_raises_the_first_window_and_the_program_ends_with_its_engine(
    installation: Installation,
) -> None:
    with window_of(installation) as window:
        engine = psutil.Process(engine_pid(installation))
        second = subprocess.run(
            [sys.executable, "main.py"],
            cwd=ROOT,
            env=environment_of(installation),
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert second.returncode == 0
        log = (installation.folders.logs / "console.log").read_text(encoding="utf-8")
        assert "another window is open already and was brought to the front" in log
        assert window.poll() is None
        window.send_signal(signal.SIGTERM)
        assert window.wait(PATIENCE_S) == 0
        wait_until(lambda: not engine.is_running(), deadline_s=SECONDS, what="the end of the engine")
    assert is_free(installation)
