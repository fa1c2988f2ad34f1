"""The simulator's HTTPS server with datastore files only: no SOAP, sessions that a test opens and ends."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast
from urllib.parse import quote

from app.core.access import DiskAddress, HttpsFile
from app.domain.ids import VmId
from app.simulator.faults import FaultScript
from app.simulator.folder import Account, FolderHandler, FolderPorts
from app.simulator.soap.http import HttpsServer
from app.simulator.storage import DatastorePath, DiskStore, SimDatastore, SimDisk
from app.simulator.tls import TlsIdentity


class _Allowed:
    def holds(self, privilege: str) -> bool:
        return True


class Sessions:
    """Sessions by cookie. Thread: any."""

    def __init__(self) -> None:
        self.live: set[str] = set()
        self.asked_with: list[str | None] = []
        self._numbers = itertools.count()

    def open(self) -> str:
        """Log in, and return the cookie's value."""
        cookie = f"session-{next(self._numbers)}"
        self.live.add(cookie)
        return cookie

    def authenticated(self, cookie: str | None) -> _Allowed | None:
        """Be the folder's sessions."""
        self.asked_with.append(cookie)
        return _Allowed() if cookie in self.live else None

    def account(self, name: str, password: str) -> Account | None:
        """Know no one."""
        return None


@dataclass(frozen=True)
class Place:
    """Where a server listens and what it shows."""

    port: int
    thumbprint_sha256: str


class HttpsLab:
    """A server over one datastore; it gives out addresses as a platform session does."""

    def __init__(self, directory: Path, *, kind: str = "VMFS") -> None:
        self.datastore = SimDatastore("lab", directory / "ds", 1 << 40, cast(Any, kind))
        self.store = DiskStore({"lab": self.datastore}, seed=1)
        self.faults = FaultScript()
        self.sessions = Sessions()
        self.locked: set[str] = set()
        self.tls = TlsIdentity(directory / "tls", "lab")
        self.addresses_given: list[str] = []
        self.log_in: Callable[[], str] = self.sessions.open
        ports = FolderPorts(
            sessions=self.sessions,
            datastores={"lab": self.datastore},
            disks=self.store,
            has_datacenter=lambda path: path == "dc",
            is_locked=self._is_locked,
            faults=self.faults,
        )
        self.server = HttpsServer(cast(Any, None), cast(Any, None), self.tls, FolderHandler(ports))
        self._cookie = ""

    def __enter__(self) -> Self:
        self.server.start()
        self.place = Place(self.server.port, self.tls.thumbprint_sha256)
        return self

    def __exit__(self, *exc: object) -> None:
        self.server.stop()
        self.store.close()

    def https_file(self, datastore_path: str) -> HttpsFile:
        """Be the session's files (``app.core.access.DatastoreFiles``)."""
        if self._cookie not in self.sessions.live:
            self._cookie = self.log_in()
        self.addresses_given.append(datastore_path)
        relative = datastore_path.removeprefix("[lab] ")
        return HttpsFile(
            host="127.0.0.1",
            port=self.place.port,
            target=f"/folder/{quote(relative)}?dcPath=dc&dsName=lab",
            cookie=f'vmware_soap_session="{self._cookie}"',
            thumbprint_sha256=self.place.thumbprint_sha256,
        )

    def address(self, disk: SimDisk) -> DiskAddress:
        """Return how a transport is asked to open a disk."""
        return DiskAddress(
            vm=VmId("vm-1"),
            vm_name="web",
            disk_key=2000,
            path=str(disk.path),
            capacity_bytes=disk.capacity_bytes,
            is_delta=disk.parent is not None,
        )

    def _is_locked(self, path: DatastorePath) -> bool:
        return str(path) in self.locked
