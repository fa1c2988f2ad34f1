"""A restore point that a serving process of its own serves, for tests."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from app.core.clock import SystemClock
from app.domain.ids import PointId
from app.nfs.service import (
    Export,
    ExportFolder,
    NfsService,
    ServedDisk,
    ServedFile,
    ServingRow,
    new_export_id,
    new_export_name,
)
from app.paths import program_command
from app.repository import PinPurpose, Repository
from tests.support.nfs_client import NfsClient, Refused
from tests.support.waiting import wait_until
from tests.unit.repository.helpers import SMALL, MemoryDisk, back_up

PLACE = "web-01-a1"
DISK = "web-01-flat.vmdk"


def free_port() -> int:
    """Return a port that nobody has at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@dataclass
class ServiceLab:
    """A repository with one point, and a service in a process of its own."""

    folder: Path
    content: bytes
    passphrase: str | None = None
    keys: dict[str, bytes] = field(default_factory=dict)
    ports: tuple[int, int] | None = None
    """Of NFS and of the port mapper; None: any that are free."""

    def __post_init__(self) -> None:
        self._clients: list[NfsClient] = []
        self.port, self.portmap_port = self.ports or (free_port(), free_port())
        self.nfs = self.folder / "nfs"
        self.nfs.mkdir(parents=True, mode=0o700)
        root = self.folder / "standby"
        with Repository.create(
            root, SMALL, local_dir=self.folder / "local", clock=SystemClock(), passphrase=self.passphrase
        ) as repository:
            self.point: PointId = back_up(repository, MemoryDisk(self.content)).id
            repository.pins.take(self.point, PinPurpose.RECOVERY)
            self.repository_id = repository.id
            master = repository.access.master_key()
            self.master = None if master is None else master.text.encode()
        self.export = Export(
            id=new_export_id(),
            name=new_export_name(),
            place=PLACE,
            number=1,
            clients=("127.0.0.1",),
            address="127.0.0.1",
            repository=str(root),
            repository_id=self.repository_id,
            point=self.point,
            folder=str(root / "recoveries" / "one"),
            disks=(ServedDisk(key=2000, path=DISK),),
            files=(ServedFile(path="web-01.vmx", data=b'displayName = "web-01"'),),
        )

    def service(self) -> NfsService:
        """Return an engine's side of the service."""
        command = program_command(
            "nfs",
            *("--locators", str(self.folder / "local")),
            *("--logs", str(self.folder / "logs")),
            *("--port", str(self.port)),
            *("--portmap-port", str(self.portmap_port)),
        )
        return NfsService(self.nfs, command, self._keys)

    def _keys(self) -> Mapping[str, bytes]:
        return self.keys

    @property
    def exports(self) -> ExportFolder:
        """What is to be served."""
        return ExportFolder(self.nfs / "exports")

    @contextmanager
    def running(self) -> Iterator[NfsService]:
        """Serve the point; the process ends with the block."""
        self.exports.put(self.export)
        service = self.service()
        try:
            service.look()
            yield service
        finally:
            for client in self._clients:
                client.socket.close()
            service.close()
            service.stop()

    def client(self) -> NfsClient:
        """Return a client, as soon as the server is there; it is closed at the end."""
        found = self._clients
        known = len(found)

        def connected() -> bool:
            with suppress(OSError):
                client = NfsClient(self.port)
                try:
                    client.ask(0, b"")
                except ConnectionError:
                    client.socket.close()
                else:
                    found.append(client)
            return len(found) > known

        wait_until(connected, what="the NFS server")
        return found[-1]

    def disk(self, client: NfsClient) -> bytes:
        """Return the handle of the disk, as soon as it is shown."""

        def found() -> bytes | None:
            with suppress(Refused):  # the server asks to come again while it opens what it shows
                return client.lookup(client.mount(f"/{self.export.name}/{PLACE}"), DISK)
            return None

        handle = wait_until(found, what="the disk")
        assert handle is not None
        return handle

    def row(self, service: NfsService) -> ServingRow:
        """Return what becomes of the export."""
        answer = service.status()
        assert answer is not None
        (row,) = answer.rows
        return row
