"""Nothing listens before what is served is open, unless that takes long: then hosts are asked to wait."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.core.disks import DiskReader
from app.core.nfs3 import Status
from app.nfs.service.exports import (
    EXPORTS_FOLDER,
    Export,
    ExportFolder,
    ServedDisk,
    new_export_id,
    new_export_name,
)
from app.nfs.service.serving import Serving, ServingState
from tests.support.nfs_client import NfsClient, Refused
from tests.support.nfs_service import DISK, PLACE, free_port
from tests.support.waiting import wait_until
from tests.unit.repository.helpers import MemoryDisk

CONTENT = bytes(range(256)) * 4096
PATIENT_S, HASTY_S = 60.0, 0.4


class _Source:
    """A restore point in memory. Fulfils :class:`app.nfs.service.Source`."""

    def open_disk(self, key: int) -> DiskReader:
        del key
        return MemoryDisk(CONTENT)

    def check(self) -> None:
        """Find it where it was."""

    def close(self) -> None:
        """Let go of nothing."""


class _Site:
    """A server whose restore points open when a test says so."""

    def __init__(self, folder: Path, patience_s: float) -> None:
        self.port = free_port()
        self.is_opening, self.may_open = threading.Event(), threading.Event()
        self.export = Export(
            id=new_export_id(),
            name=new_export_name(),
            place=PLACE,
            number=1,
            clients=("127.0.0.1",),
            address="127.0.0.1",
            repository=str(folder),
            repository_id="r",
            point="chain/p",
            folder=str(folder / "recovery"),
            disks=(ServedDisk(key=2000, path=DISK),),
            files=(),
        )
        ExportFolder(folder / EXPORTS_FOLDER).put(self.export)
        self.serving = Serving(folder, self._open, port=self.port, portmap_port=free_port(), patience_s=patience_s)

    def _open(self, _export: Export, _key: bytes | None) -> _Source:
        self.is_opening.set()
        assert self.may_open.wait(PATIENT_S)
        return _Source()

    @property
    def listens(self) -> bool:
        """Whether a client can connect."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
            return True
        return False

    def refusal(self) -> int | None:
        """Return what a client hears instead of the disk; None while it is not even let in."""
        try:
            self.read()
        except Refused as refused:
            return refused.status
        except OSError:
            return None
        raise AssertionError("there is nothing to be read yet")

    def read(self) -> bytes:
        """Read the first bytes of the disk as a client."""
        client = NfsClient(self.port)
        try:
            handle = client.lookup(client.mount(f"/{self.export.name}/{PLACE}"), DISK)
            return client.read(handle, 0, 4096)[0]
        finally:
            client.socket.close()


@contextmanager
def site(folder: Path, patience_s: float) -> Iterator[_Site]:
    made = _Site(folder, patience_s)
    looking = threading.Thread(target=made.serving.look)
    looking.start()
    try:
        yield made
    finally:
        made.may_open.set()
        looking.join(PATIENT_S)
        made.serving.close()


def test_a_client_connects_once_more_instead_of_being_told_to_wait(tmp_path: Path) -> None:
    with site(tmp_path, PATIENT_S) as made:
        wait_until(made.is_opening.is_set, what="the opening")
        assert not made.listens
        made.may_open.set()
        wait_until(lambda: bool(made.serving.rows()), what="the restore point")
        assert made.read() == CONTENT[:4096]


def test_what_takes_long_to_open_is_waited_for(tmp_path: Path) -> None:
    with site(tmp_path, HASTY_S) as made:
        assert wait_until(made.refusal, what="the server") == Status.SERVERFAULT, "MOUNT knows no later"
        wait_until(lambda: [row.state for row in made.serving.rows()] == [ServingState.FAILED], what="its row")
        made.may_open.set()
        wait_until(
            lambda: [row.state for row in made.serving.rows()] == [ServingState.SERVED], what="the restore point"
        )
        assert made.read() == CONTENT[:4096]
