"""The installer of Windows: install, use, upgrade, repair, remove; run by ``./dev package check windows``."""

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.demo.stage import open_simulator
from app.contract.client import attach
from app.domain.ids import TaskId
from app.domain.states import TaskState
from app.simulator.server import VSphereSimulator
from tests.e2e.test_engine_child import snapshots_of_ours
from tests.support.platforms import windows_only
from tests.support.stage import small_spec, start_first_backup, state_of
from tests.support.waiting import wait_until
from tests.windows.installed import (
    FAILED,
    NEWER_IS_THERE,
    PATIENCE_S,
    RUNS,
    UNINSTALL_KEY,
    Installed,
    registered,
    setups,
    version_of,
)

pytestmark = [
    windows_only("an installer of Windows"),
    pytest.mark.skipif(len(setups()) != 2, reason="built by ./dev package check windows"),
    pytest.mark.timeout(900),
]
OLD, NEW = setups() if len(setups()) == 2 else (Path(), Path())
RUN_KEY = r"Software\Microsoft\Windows\CurrentVersion\Run"


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    """A program that can be installed; what is left of it is removed."""
    found = Installed(tmp_path / "home")
    yield found
    if (found.folder / "uninstall.exe").exists():
        found.uninstall("/END=stop")


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[VSphereSimulator]:
    with open_simulator(tmp_path, small_spec()) as running:
        yield running


def test_it_is_installed_shown_ended_and_removed(installed: Installed) -> None:
    assert installed.install(OLD, "/DESKTOP", "/AUTOSTART") == 0
    assert installed.says_version() == version_of(OLD) == registered("DisplayVersion")
    assert registered("Standfast", RUN_KEY) == f'"{installed.folder / "Standfast.exe"}" --minimized'
    assert installed.ctl("stat").returncode == 3, "no engine runs"
    with installed.window() as window:
        installed.await_engine()
        assert installed.install(OLD) == RUNS
        assert installed.ctl("program", "end").returncode == 0
        assert window.wait(PATIENCE_S) == 0
    assert (installed.home / "data").is_dir()
    assert installed.uninstall() == 0
    left = [path.name for path in installed.folder.iterdir()] if installed.folder.exists() else []
    assert set(left) <= {"uninstall.exe"}, "it runs, and goes last"
    assert registered("DisplayVersion", UNINSTALL_KEY) is None
    assert registered("Standfast", RUN_KEY) is None
    assert (installed.home / "data").is_dir(), "what the operator made stays"


def start_backup(installed: Installed, simulator: VSphereSimulator, root: Path) -> TaskId:
    with attach(installed.home / "data") as door:
        task = start_first_backup(door, simulator, root)
        wait_until(lambda: state_of(door, task) is TaskState.RUNNING, deadline_s=PATIENCE_S, what="data moving")
        return task


def test_an_upgrade_waits_for_a_backup_and_reads_what_the_older_one_wrote(
    installed: Installed, simulator: VSphereSimulator, tmp_path: Path
) -> None:
    (tmp_path / "standby").mkdir(exist_ok=True)
    goes_on = threading.Event()

    def halt() -> None:
        goes_on.wait(PATIENCE_S)

    assert installed.install(OLD) == 0
    with installed.engine() as engine:
        simulator.faults.halt_reads(20 << 20, halt)
        task = start_backup(installed, simulator, tmp_path)
        assert installed.install(NEW) == RUNS
        assert engine.poll() is None
        assert installed.says_version() == version_of(OLD), "nothing was touched"
        upgrade = threading.Thread(target=lambda: codes.append(installed.install(NEW, "/END=wait")))
        codes: list[int] = []
        upgrade.start()
        goes_on.set()
        upgrade.join(PATIENCE_S)
        assert codes == [0]
        assert engine.wait(PATIENCE_S) == 0
    assert installed.says_version() == version_of(NEW) == registered("DisplayVersion")
    with installed.engine():
        assert state_now(installed, task) is TaskState.COMPLETED
        [point] = installed.answer("point", "list")
        (tmp_path / "out").mkdir()
        exported = installed.ctl("point", "export", point["point"]["id"], str(tmp_path / "out"))
        assert exported.returncode == 0, exported.stdout + exported.stderr
    disks = sorted(simulator.directory.rglob("*-flat.vmdk"))
    images = sorted((tmp_path / "out").iterdir())
    assert {path.read_bytes() for path in images} == {path.read_bytes() for path in disks}
    assert installed.install(OLD) == NEWER_IS_THERE
    assert installed.says_version() == version_of(NEW)


def test_an_upgrade_stops_a_backup_when_that_is_asked_for(
    installed: Installed, simulator: VSphereSimulator, tmp_path: Path
) -> None:
    (tmp_path / "standby").mkdir(exist_ok=True)
    assert installed.install(OLD) == 0
    with installed.engine() as engine:
        simulator.faults.stall_nfc(after_bytes=20 << 20, seconds=PATIENCE_S)
        task = start_backup(installed, simulator, tmp_path)
        assert installed.install(NEW, "/END=stop") == 0
        assert engine.wait(PATIENCE_S) == 0
    with installed.engine():
        # Failed where the host that stands still kept the task from ending within the program's last moment.
        assert state_now(installed, task) in (TaskState.STOPPED, TaskState.FAILED)
        wait_until(lambda: not snapshots_of_ours(simulator), deadline_s=PATIENCE_S, what="the end of its snapshot")
        assert installed.answer("point", "list") == []


def state_now(installed: Installed, task: TaskId) -> TaskState:
    """Return where a task stands, as the installed version tells."""
    return TaskState(installed.answer("task", "show", task)["task"]["state"])


def test_a_failed_upgrade_leaves_the_older_one_as_it_was(installed: Installed) -> None:
    assert installed.install(OLD) == 0
    in_the_way = installed.folder / "app.old"  # where the older version goes, until the newer one is in its place
    in_the_way.write_bytes(b"of somebody else")
    assert installed.install(NEW) == FAILED
    assert in_the_way.read_bytes() == b"of somebody else"
    assert installed.says_version() == version_of(OLD) == registered("DisplayVersion")
    assert not (installed.folder / "app.new").exists()
    in_the_way.unlink()
    assert installed.install(NEW) == 0


@pytest.mark.parametrize("part", ["python/python311.dll", "program/main.py", "lib/msgspec/__init__.py"])
def test_what_is_missing_is_said_and_repaired(installed: Installed, part: str) -> None:
    assert installed.install(OLD) == 0
    broken = installed.folder / "app" / part
    whole = broken.read_bytes()
    broken.write_bytes(whole[:100])
    assert message_of(installed).endswith(
        f"{broken.name} is missing or damaged. Run its installer again; your data stay."
    )
    broken.unlink()
    assert broken.name in message_of(installed)
    assert installed.install(OLD) == 0
    assert broken.read_bytes() == whole


def message_of(installed: Installed) -> str:
    """Start the program that cannot start, and return what its message box says, which is closed."""
    import ctypes

    user32 = ctypes.WinDLL("user32")  # type: ignore[attr-defined,unused-ignore]
    with subprocess.Popen([str(installed.folder / "Standfast.exe")], env=installed.environment) as process:
        box = wait_until(
            lambda: user32.FindWindowW("#32770", "Standfast"), deadline_s=PATIENCE_S, what="the message box"
        )
        text = ctypes.create_unicode_buffer(4096)
        user32.GetDlgItemTextW(box, 0xFFFF, text, 4096)
        user32.PostMessageW(box, 0x0010, 0, 0)
        assert process.wait(PATIENCE_S) == 1
    return text.value


def await_service(installed: Installed) -> None:
    """Wait until the service has started its engine."""

    def is_running() -> bool:
        return "RUNNING" in installed.run("sc.exe", "query", "Standfast").stdout

    wait_until(is_running, deadline_s=PATIENCE_S, what="the service")


def test_the_service_runs_the_engine_through_an_upgrade(installed: Installed) -> None:
    assert installed.install(OLD, "/SERVICE=LocalSystem") == 0
    try:
        await_service(installed)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("STANDFAST_")}
        asked = [str(installed.folder / "debugctl.exe"), "stat"]
        done = subprocess.run(asked, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert installed.install(NEW) == RUNS
        assert installed.install(NEW, "/END=stop") == 0
        await_service(installed)
    finally:
        assert installed.uninstall("/END=stop") == 0
    assert installed.run("sc.exe", "query", "Standfast").returncode != 0
