"""An encrypted standby over the wire: backup, restart, restore, verify, garbage collection, export; no trace."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from app.bootstrap.host import EngineHost
from app.bootstrap.installation import Installation
from app.cli.demo.comparison import compare_files
from app.cli.demo.stage import Stage, folders_in, open_simulator, register
from app.contract.encryption import AddRecoveryKey, UnlockStandby
from app.contract.offers import OfferPoint, WithdrawPoint
from app.contract.platforms import DescribeVm
from app.contract.points import DeletePoint, StartExport, StartVerify
from app.contract.restore import NewVm, StartRestore
from app.contract.standbys import ListStandbyRows, RegisterStandby, RemoveStandby, StartGarbageCollection
from app.contract.tasks import TaskReport
from app.core.passphrases import SECRET_FILE
from app.domain.ids import TaskId
from app.domain.images import ImageFormat
from app.domain.states import BackupKind, TaskState
from app.domain.vms import VmPlacement, VmSummary
from app.repository.errors import KeyNeeded
from app.secretstore.file_store import EncryptedFileSecretStore
from app.simulator.spec import DiskSpec, VmSpec
from tests.support.stage import MIB, RULE, Made, back_up, explain, finished, small_spec, vm_named

PASSPHRASE = "otter lamp crane seventeen"
NAME = "payroll-db"
SPEC = small_spec(VmSpec(name=NAME, disks=(DiskSpec(capacity_bytes=32 * MIB),)))


@contextmanager
def host_in(home: Path) -> Iterator[EngineHost]:
    """Start the program's own engine, its keys in the encrypted file as on a server without a desktop."""
    installation = Installation.find(folders_in(home))
    store = EncryptedFileSecretStore(installation.folders.data / SECRET_FILE, lambda: "only for tests")
    with EngineHost.open(installation, secrets=store) as host:
        yield host


def completed(stage: Stage, task: TaskId) -> TaskReport:
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    return report


def restore(stage: Stage, made: Made, vm: VmSummary, name: str) -> None:
    """Restore a point as a new VM, which must be what the snapshot froze."""
    target = NewVm(placement=VmPlacement(name=name))
    completed(
        stage,
        stage.engine.execute(
            StartRestore(standby=stage.standby, point=made.point.id, platform=stage.platform, target=target)
        ),
    )
    (disk,) = stage.engine.ask(DescribeVm(platform=stage.platform, vm=vm_named(stage, name).id)).disks
    copy = stage.export_live_disk(disk.path, stage.root / f"{name}.raw")
    assert compare_files(frozen_disk(stage, made, vm), copy) is None


def frozen_disk(stage: Stage, made: Made, vm: VmSummary) -> Path:
    return stage.frozen_copy(vm.id, made.task, made.point.disks[0].key)


def readable(folder: Path) -> bytes:
    """Return every name and every byte below a folder."""
    names = "\n".join(str(path.relative_to(folder)) for path in folder.rglob("*")).encode()
    return names + b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def pieces_of(image: Path) -> list[bytes]:
    """Return pieces of a disk by which it would be recognized."""
    data = image.read_bytes()
    pieces = (data[at + 1000 : at + 1032] for at in range(0, len(data), 4096))
    return [piece for piece in pieces if len(set(piece)) > 8][:400]


def test_a_life_on_an_encrypted_standby_leaves_nothing_readable_there(tmp_path: Path) -> None:
    home, root = tmp_path / "standfast", tmp_path / "safe"
    with open_simulator(tmp_path, SPEC) as simulator:
        with host_in(home) as host:
            stage = register(tmp_path, simulator, host.engine, standby_root=tmp_path / "plain")
            safe = host.engine.execute(
                RegisterStandby(name="safe", root_path=str(root), passphrase=PASSPHRASE, hide_names=True)
            )
            stage = replace(stage, standby=safe.id)
            vm = vm_named(stage, NAME)
            first = back_up(stage, vm, BackupKind.FULL)
            simulator.world.guests.write_now(vm.id, 2 * MIB)
            sheet = host.engine.execute(AddRecoveryKey(standby=safe.id))
        with host_in(home) as host:  # nobody types anything
            stage = replace(stage, engine=host.engine)
            second = back_up(stage, vm, BackupKind.INCREMENTAL)
            assert second.point.parent == first.point.id
            restore(stage, first, vm, "restored-1")
            restore(stage, second, vm, "restored-2")
            completed(stage, host.engine.execute(StartVerify(standby=safe.id, point=second.point.id)))
            host.engine.execute(DeletePoint(standby=safe.id, point=first.point.id))
            completed(stage, host.engine.execute(StartGarbageCollection(standby=safe.id)))
            restore(stage, second, vm, "restored-3")
            exported(stage, second, vm, tmp_path / "exported")
            offered(stage, second)
            ours = readable(home) + repr(host.engine.ask(ListStandbyRows())).encode()
        visible = readable(root)
        pieces = pieces_of(frozen_disk(stage, first, vm)) + pieces_of(frozen_disk(stage, second, vm))
        assert len(pieces) > 100
        assert not [piece for piece in pieces if piece in visible]
        for name in (NAME, f"{RULE}_BAK", f"_{vm.id}_", simulator.host, "guestOS", "memSize", ".vmdk"):
            assert name.encode() not in visible, name
        for secret in (PASSPHRASE, sheet.key, sheet.key.replace("-", "")):
            assert secret.encode() not in visible + ours


def exported(stage: Stage, made: Made, vm: VmSummary, folder: Path) -> None:
    folder.mkdir()
    task = StartExport(standby=stage.standby, point=made.point.id, folder=str(folder), image=ImageFormat.RAW)
    completed(stage, stage.engine.execute(task))
    (file,) = folder.iterdir()
    assert compare_files(frozen_disk(stage, made, vm), file) is None


def offered(stage: Stage, made: Made) -> None:
    """Offer a point over NBD, see that somebody greets there, and withdraw it."""
    offer = stage.engine.execute(OfferPoint(standby=stage.standby, point=made.point.id))
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(10)
        caller.connect(offer.disks[0].address.partition("?socket=")[2])
        assert caller.recv(8) == b"NBDMAGIC"
    stage.engine.execute(WithdrawPoint(standby=stage.standby, point=made.point.id))


@pytest.mark.allows_log("locked|is not read")
def test_another_console_restores_with_the_recovery_key_alone(tmp_path: Path) -> None:
    root = tmp_path / "safe"
    with open_simulator(tmp_path, SPEC) as simulator:
        with host_in(tmp_path / "one") as host:
            stage = register(tmp_path, simulator, host.engine, standby_root=tmp_path / "plain")
            safe = host.engine.execute(RegisterStandby(name="safe", root_path=str(root), passphrase=PASSPHRASE))
            stage = replace(stage, standby=safe.id)
            vm = vm_named(stage, NAME)
            made = back_up(stage, vm, BackupKind.FULL)
            sheet = host.engine.execute(AddRecoveryKey(standby=safe.id))
        with host_in(tmp_path / "two") as host:
            stage = register(tmp_path, simulator, host.engine, standby_root=root)
            with pytest.raises(KeyNeeded):
                host.engine.execute(StartVerify(standby=stage.standby, point=made.point.id))
            done = host.engine.execute(UnlockStandby(standby=stage.standby, key=sheet.key))
            assert (done.point_count, done.needs_passphrase) == (1, True)
            restore(stage, made, vm, "restored")
            host.engine.execute(RemoveStandby(standby=stage.standby))
