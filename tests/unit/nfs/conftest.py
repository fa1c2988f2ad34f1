"""A server on this machine with one volume."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.nfs import FileContent, NfsServer, OpenFiles, Volume
from tests.support.nfs_client import NfsClient

CLIENTS = frozenset({"127.0.0.1"})
SECRET = "5ec2e7"


class Site:
    """A server with a volume; it can be ended and started again."""

    def __init__(self, folder: Path, disks: dict[str, FileContent] | None = None) -> None:
        self.folder = folder
        self.disks = disks or {}
        self.files = OpenFiles()
        self._clients = ExitStack()
        self.start()

    def start(self, port: int = 0) -> None:
        self.volume = Volume(self.folder, clients=CLIENTS, disks=self.disks, files=self.files)
        self.server = NfsServer("127.0.0.1", port=port, portmap_port=0)
        self.server.start()
        self.server.add(SECRET, self.volume)

    def stop(self) -> None:
        self._clients.close()
        self.server.stop()
        self.volume.close()
        self.files.close()

    def restart(self) -> None:
        self.stop()
        self.start()

    def client(self) -> NfsClient:
        return self._clients.enter_context(NfsClient(self.server.port))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "volume")
    try:
        yield made
    finally:
        made.stop()
