"""VMs run from a process of their own: it outlives the engine, and a kill of it loses nothing."""

import os
import random
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import msgspec
import pytest

from app.core.clock import SystemClock
from app.nfs.service import Answer, NfsService, ServingRow, ServingState, new_export_id
from app.nfs.service.running import TAKEN
from app.paths import program_command
from app.repository import Repository
from app.repository.errors import PointPinned
from tests.support.away_lab import digest_of
from tests.support.logguard import LogGuard
from tests.support.nfs_client import FILE_SYNC, UNSTABLE, NfsClient
from tests.support.nfs_service import PLACE, ServiceLab
from tests.support.waiting import wait_until
from tests.unit.repository.helpers import collect_garbage, random_bytes, read_back

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
MIB = 1 << 20
STARTED_AGAIN = "the NFS service does not answer and is started again"
KILLS = int(os.environ.get("STANDFAST_NFS_KILLS", "8"))


@pytest.fixture
def lab(tmp_path: Path) -> ServiceLab:
    return ServiceLab(tmp_path, random_bytes(6 * MIB + 512))


def is_refused(port: int) -> bool:
    try:
        NfsClient(port).socket.close()
    except OSError:
        return True
    return False


def is_another(service: NfsService, pid: int) -> bool:
    answer = service.status()
    return answer is not None and answer.pid != pid


def test_the_point_is_read_and_written_and_stays_what_it_was(lab: ServiceLab) -> None:
    with lab.running() as service:
        client = lab.client()
        disk = lab.disk(client)
        assert client.facts(disk).size == len(lab.content)
        assert client.read(disk, 0, MIB)[0] == lab.content[:MIB]
        assert client.read(disk, len(lab.content) - 100, 4096) == (lab.content[-100:], True)
        client.write(disk, 1000, b"x" * 5000)
        client.write(disk, len(lab.content) - 10, b"y" * 10, UNSTABLE)
        client.commit(disk)
        assert client.read(disk, 990, 20)[0] == lab.content[990:1000] + b"x" * 10
        row = lab.row(service)
        assert (row.state, row.port, row.writes) == (ServingState.SERVED, lab.port, 2)
        assert row.read_bytes >= MIB
        assert row.live_bytes >= 2 * 4096
    with Repository.open(
        lab.folder / "standby", local_dir=lab.folder / "elsewhere", clock=SystemClock()
    ) as repository:
        assert read_back(repository, lab.point) == lab.content
        with pytest.raises(PointPinned):
            repository.delete_point(lab.point)


def test_garbage_is_collected_while_a_vm_runs(lab: ServiceLab) -> None:
    with lab.running():
        client = lab.client()
        disk = lab.disk(client)
        client.read(disk, 0, 4096)
        with Repository.open(
            lab.folder / "standby", local_dir=lab.folder / "elsewhere", clock=SystemClock()
        ) as repository:
            collect_garbage(repository)
        for start in range(0, len(lab.content), MIB):
            assert client.read(disk, start, MIB)[0] == lab.content[start : start + MIB]


def test_it_goes_on_without_the_engine_and_the_next_engine_finds_it(lab: ServiceLab) -> None:
    with lab.running() as first:
        before = first.status()
        assert before is not None
        client = lab.client()
        disk = lab.disk(client)
        first.close()
        client.write(disk, 0, b"still here")
        second = lab.service()
        after = second.look()
        assert after.pid == before.pid
        assert client.read(disk, 0, 10)[0] == b"still here"
        second.close()


def test_a_killed_process_is_started_again_and_nothing_durable_is_lost(
    lab: ServiceLab, log_guard: LogGuard
) -> None:
    log_guard.expect(STARTED_AGAIN)
    with lab.running() as service:
        before = service.status()
        assert before is not None
        client = lab.client()
        disk = lab.disk(client)
        verifier = client.write(disk, 4096, b"durable" * 1000)
        os.kill(before.pid, signal.SIGKILL)
        client = lab.client()
        assert lab.disk(client) == disk
        assert client.read(disk, 4096, 7000)[0] == b"durable" * 1000
        assert client.commit(disk) != verifier
        after = service.status()
        assert after is not None
        assert after.pid != before.pid


def test_kills_under_a_writing_client_lose_no_acknowledged_write_and_invent_none(
    lab: ServiceLab, log_guard: LogGuard
) -> None:
    """Every block says by which write it was written; some are written durably, others are committed later."""
    log_guard.expect(STARTED_AGAIN)
    dice = random.Random(20261130)
    blocks = len(lab.content) // 4096
    durable: dict[int, int] = {}
    sent: dict[int, set[int]] = {}
    number = 0

    def data(block: int, write: int) -> bytes:
        return (b"%08d %08d." % (block, write) * 228)[:4096]

    with lab.running() as service:
        for _ in range(KILLS):
            answer = service.status()
            assert answer is not None
            client = lab.client()
            disk = lab.disk(client)
            for block, write in durable.items():
                found = client.read(disk, block * 4096, 4096)[0]
                assert found in [data(block, at) for at in sent[block] if at >= write], (
                    "an acknowledged write is lost"
                )
            waiting: dict[int, int] = {}
            kill_at = dice.randrange(3, 120)
            for step in range(kill_at + 1):
                if step == kill_at:
                    os.kill(answer.pid, signal.SIGKILL)
                number += 1
                block = dice.randrange(blocks)
                sent.setdefault(block, set()).add(number)
                stable = dice.choice((FILE_SYNC, UNSTABLE))
                try:
                    client.write(disk, block * 4096, data(block, number), stable)
                    if stable == FILE_SYNC:
                        durable[block] = number
                        waiting.pop(block, None)
                    else:
                        waiting[block] = number
                    if dice.random() < 0.05:
                        client.commit(disk)
                        durable.update(waiting)
                        waiting.clear()
                except (ConnectionError, OSError):
                    break
            wait_until(partial(is_another, service, answer.pid), what="the next process")
    assert len(durable) > 20


def test_what_a_host_does_with_the_names_outlasts_a_restart(lab: ServiceLab) -> None:
    """Files that were put there once are not put there again, and a disk is found under the name it has now."""
    with lab.running() as service:
        client = lab.client()
        folder = client.mount(f"/{lab.export.name}/{PLACE}")
        vmx = client.lookup(folder, "web-01.vmx")
        assert client.read(vmx, 0, 100)[0] == b'displayName = "web-01"'
        disk = client.lookup(folder, "web-01-flat.vmdk")
        client.remove(folder, "web-01.vmx")
        client.create(folder, ".lck-0300")
        client.rename(folder, "web-01-flat.vmdk", folder, "renamed-flat.vmdk")
        client.write(disk, 0, b"before")
        service.stop()
        service.look()
        client = lab.client()
        assert {name for name, _ in client.names(folder)} == {".lck-0300", "renamed-flat.vmdk"}
        assert client.lookup(folder, "renamed-flat.vmdk") == disk
        assert client.read(disk, 0, 6)[0] == b"before"


def test_nothing_listens_when_nothing_is_served(lab: ServiceLab) -> None:
    with lab.running() as service:
        lab.client().mount(f"/{lab.export.name}")
        lab.exports.remove(lab.export.id)
        assert service.look().rows == ()
        assert is_refused(lab.port)
        assert is_refused(lab.portmap_port)
        lab.exports.put(lab.export)
        assert service.look().rows[0].state is ServingState.SERVED
        lab.client().mount(f"/{lab.export.name}")


def test_an_encrypted_point_waits_for_its_key(tmp_path: Path) -> None:
    lab = ServiceLab(tmp_path, random_bytes(MIB), passphrase="correct horse battery staple")
    assert lab.master is not None
    with lab.running() as service:
        assert lab.row(service).state is ServingState.LOCKED
        lab.keys[lab.repository_id] = lab.master
        assert service.look().rows[0].state is ServingState.SERVED
        client = lab.client()
        assert client.read(lab.disk(client), 0, 4096)[0] == lab.content[:4096]
    log = "".join(path.read_text() for path in (tmp_path / "logs").iterdir())
    assert lab.master.decode() not in log
    assert lab.export.name not in log


def test_one_process_serves_a_folder(lab: ServiceLab) -> None:
    with lab.running():
        options = ["--locators", str(lab.folder / "l"), "--logs", str(lab.folder / "other-logs"), str(lab.nfs)]
        done = subprocess.run(program_command("nfs", *options), timeout=60, check=False, capture_output=True)
        assert done.returncode == TAKEN


def test_an_export_that_cannot_be_served_says_why_and_is_served_once_it_can(lab: ServiceLab) -> None:
    hidden = lab.folder / "unplugged"
    (lab.folder / "standby").rename(hidden)
    with lab.running() as service:
        row = lab.row(service)
        assert row.state is ServingState.FAILED
        assert row.error is not None
        assert "standby" in str(row.error.params)
        hidden.rename(lab.folder / "standby")
        wait_until(lambda: lab.row(service).state is ServingState.SERVED, what="the standby to be found again")


def test_only_what_has_all_that_was_durable_is_served_again_and_nothing_else_is_touched(lab: ServiceLab) -> None:
    """An older copy of the standby, an empty overlay or another repository may come under its path."""
    standby, hidden, copy = lab.folder / "standby", lab.folder / "hidden", lab.folder / "copy"
    with lab.running() as service:
        client = lab.client()
        disk = lab.disk(client)
        client.write(disk, 0, b"first")
        shutil.copytree(standby, copy)
        client.write(disk, 0, b"later")
        service.stop()
        standby.rename(hidden)
        for spoil in (keep, remove_writes, remove_recovery):
            shutil.copytree(copy, standby)
            spoil(standby)
            before = digest_of(standby)
            row = row_of(service.look())
            assert (row.state, row.error and row.error.code) == (ServingState.FAILED, "nfs.writes_elsewhere"), (
                spoil
            )
            assert digest_of(standby) == before, spoil
            service.stop()
            shutil.rmtree(standby)
        hidden.rename(standby)
        assert row_of(service.look()).state is ServingState.SERVED
        client = lab.client()
        assert client.read(lab.disk(client), 0, 5)[0] == b"later"


def keep(standby: Path) -> None:
    """Leave an older copy as it is."""
    del standby


def remove_writes(standby: Path) -> None:
    """Leave the folder of a disk, and nothing that was written to it."""
    for path in (standby / "recoveries" / "one" / "disks" / "2000").iterdir():
        path.unlink()


def remove_recovery(standby: Path) -> None:
    """Leave the backups only."""
    shutil.rmtree(standby / "recoveries")


def row_of(answer: Answer) -> ServingRow:
    """Return the only row."""
    (row,) = answer.rows
    return row


def test_a_recovery_that_was_discarded_begins_with_nothing(lab: ServiceLab) -> None:
    """It is published once more under the same id, as a task that is run again does."""
    with lab.running() as service:
        client = lab.client()
        client.write(lab.disk(client), 0, b"discarded")
        lab.exports.remove(lab.export.id)
        service.stop()
        shutil.rmtree(lab.folder / "standby" / "recoveries")
        lab.exports.put(msgspec.structs.replace(lab.export, publication=new_export_id()))
        assert row_of(service.look()).state is ServingState.SERVED
        client = lab.client()
        assert client.read(lab.disk(client), 0, 9)[0] == lab.content[:9]
