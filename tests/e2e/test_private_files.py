"""Everything that a whole run leaves on the disk is its user's alone, whatever the umask."""

import logging
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.bootstrap.host import EngineHost
from app.bootstrap.installation import CATALOG_FILE
from app.catalog import CatalogGuard
from app.cli.demo.stage import folders_in, open_host, open_simulator, register
from app.console.autostart import start_with_system
from app.contract.encryption import AddRecoveryKey
from app.contract.limits import ChangeLimits
from app.contract.log import ExportLog
from app.contract.points import StartExport
from app.contract.standbys import RegisterStandby, StartGarbageCollection
from app.contract.tasks import StartBackup
from app.core.sheets import SheetFile
from app.domain.ids import PlatformId, StandbyId, VmId
from app.domain.images import ImageFormat
from app.domain.states import BackupKind, TaskState
from app.engine.engine import Engine
from app.logs import ProgramLog
from app.secretstore.keyring_store import _user_lock_file
from app.views.frame.memory import Memory
from app.views.standbys.recovery_file import write_recovery_key
from tests.support.stage import RULE, explain, finished, small_spec, vm_named

pytestmark = [
    pytest.mark.qemu,
    pytest.mark.skipif(os.name == "nt", reason="access lists there"),
]

PASSPHRASE = "only for this test"


@pytest.fixture
def umask_that_takes_nothing() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(root: Path) -> list[str]:
    """Return what is in a folder and is not for its owner alone, each with its mode."""
    allowed = {True: 0o700, False: 0o600}
    return [
        f"{path.relative_to(root)} {mode:o}"
        for path in sorted(root.rglob("*"))
        if (mode := stat.S_IMODE(path.lstat().st_mode)) != allowed[path.is_dir()] and not path.is_symlink()
    ]


def names_in(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*")}


@pytest.mark.usefixtures("umask_that_takes_nothing")
def test_all_that_a_run_writes_is_its_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg-config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "xdg-cache"))
    folders_in(home / "standfast").create()
    log = ProgramLog(home / "standfast" / "logs").start()
    try:
        with open_simulator(home, small_spec()) as simulator, open_host(home / "standfast", PASSPHRASE) as host:
            stage = register(home, simulator, host.engine)
            encrypted = host.engine.execute(
                RegisterStandby(name="encrypted", root_path=str(home / "sealed"), passphrase=PASSPHRASE)
            ).id
            for standby in (stage.standby, encrypted):
                back_up_and_export(stage.engine, standby, vm_named(stage, "web-01").id, stage.platform, home)
            write_everything_else(host, encrypted, home)
            while_it_runs = open_to_others(home)
    finally:
        log.stop()
    assert while_it_runs == []
    assert open_to_others(home) == []
    assert_all_was_there(home)


def back_up_and_export(engine: Engine, standby: StandbyId, vm: VmId, platform: PlatformId, home: Path) -> None:
    """Back up twice, export one point in every way that makes files differently, and collect garbage."""
    (home / standby).mkdir(mode=0o700)
    for kind in (BackupKind.FULL, BackupKind.INCREMENTAL):
        command = StartBackup(
            platform=platform,
            vm=vm,
            vm_name="web-01",
            standby=standby,
            rule_name=RULE,
            kind=kind,
        )
        report = finished(engine, engine.execute(command))
        assert report.task.state is TaskState.COMPLETED, explain(report)
    assert report.task.point is not None
    for image in (ImageFormat.RAW, ImageFormat.QCOW2, ImageFormat.VMDK_SPARSE):
        exporting = StartExport(standby=standby, point=report.task.point, folder=str(home / standby), image=image)
        exported = finished(engine, engine.execute(exporting))
        assert exported.task.state is TaskState.COMPLETED, explain(exported)
    collection = finished(engine, engine.execute(StartGarbageCollection(standby=standby)))
    assert collection.task.state is TaskState.COMPLETED, explain(collection)


def write_everything_else(host: EngineHost, encrypted: StandbyId, home: Path) -> None:
    """Write what the settings, the console and the command line write."""
    host.let_others_in()
    host.engine.execute(ChangeLimits(max_tasks=2, transfer_buffer_mib=2))
    host.engine.execute(ExportLog(path=str(home / "log.csv")))
    key = host.engine.execute(AddRecoveryKey(standby=encrypted))
    write_recovery_key(home / "key.txt", str(key).encode())
    CatalogGuard(home / "standfast" / "data" / CATALOG_FILE).copy(datetime.now(UTC))
    with SheetFile(home / "list.csv") as sheet:
        sheet.write([["a", "list"]])
    memory = Memory(home / "standfast" / "config" / "window.ini")
    memory.remember("language", "en")
    memory._settings.sync()
    start_with_system(wanted=True)
    assert _user_lock_file() is not None
    logging.getLogger("app").info("a line")


def assert_all_was_there(home: Path) -> None:
    """Make sure that the run wrote all that it should have written: what is not there is open to nobody."""
    found = names_in(home)
    expected = {
        "key.txt",
        "list.csv",
        "log.csv",
        "sealed/repository.json",
        "standby/repository.json",
        "standfast/config/system.conf",
        "standfast/config/window.ini",
        "standfast/data/catalog-copies",
        "standfast/data/catalog.db",
        "standfast/data/engine.lock",
        "standfast/data/secrets.json",
        "standfast/logs/standfast.log",
        "xdg-config/autostart",
    }
    assert expected - found == set()
    for beginning, ending in (
        ("standfast/local/", ".mdb"),
        ("sealed/keys/", ".json"),
        ("standby/packs/", ".pack"),
        ("vsphere/", ".vmdk"),
        ("xdg-cache/", ".lock"),
    ):
        assert any(name.startswith(beginning) and name.endswith(ending) for name in found), beginning
