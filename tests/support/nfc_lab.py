"""An NFC server over plain files, without the SOAP part: for tests, and from another process for benchmarks.

In this process::

    with NfcLab(tmp_path) as lab:
        disk = lab.add_disk("web-01/web-01.vmdk", 64 << 20)
        disk.write(0, b"...")
        ticket = lab.issue_ticket()            # an app.core.access.NfcTicket
        path = str(disk.path)                  # "[lab] web-01/web-01.vmdk"

From another process: ``python -m tests.support.nfc_lab DIR`` serves the disks below DIR (every ``x.vmdk``), prints
one line of JSON (host, port, service, thumbprints, disks), then answers each line on its input, ``read`` or
``write``, with one line of JSON that holds a new session id. It ends with its input. :class:`NfcLabProcess` is the
other end of that.
"""

import argparse
import hashlib
import ipaddress
import json
import ssl
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from app.core.access import AccessMode, DiskAddress, NfcTicket
from app.domain.ids import VmId
from app.simulator.nfc import NfcFaults, NfcOptions, NfcServer, NfcTls, TicketStore
from app.simulator.storage import DiskForbidden, DiskInUse, DiskStore, SimDatastore, SimDisk
from app.simulator.tls import new_key, weaken

VM = VmId("vm-1")
DISK_KEY = 2000
DATASTORE = "lab"
HOST = "127.0.0.1"


class LabCertificate:
    """A self-signed certificate with its thumbprints."""

    def __init__(self, *, is_weak: bool = False) -> None:
        self._is_weak = is_weak
        key = new_key(is_weak=is_weak)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nfc-lab")])
        now = datetime.now(UTC)
        address = x509.IPAddress(ipaddress.ip_address(HOST))
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.der = certificate.public_bytes(serialization.Encoding.DER)
        self.pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def thumbprint_sha1(self) -> str:
        """Upper-case hex pairs joined by colons."""
        return hashlib.sha1(self.der, usedforsecurity=False).digest().hex(":").upper()

    @property
    def thumbprint_sha256(self) -> str:
        """Upper-case hex pairs joined by colons."""
        return hashlib.sha256(self.der).digest().hex(":").upper()

    def server_context(self) -> ssl.SSLContext:
        """Return a context for a server that shows this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "cert.pem")
            file.write_bytes(self.pem)
            context.load_cert_chain(file)
            if self._is_weak:
                weaken(context, Path(folder))
        return context


class NfcLab:
    """An NFC server whose one VM owns every disk of one datastore, in this process.

    Attributes:
        locked: paths that are refused, as a running VM's leaf is.
        server, tickets, store, datastore, certificate: the parts, for tests that need them.
    """

    def __init__(
        self, directory: Path, *, faults: NfcFaults | None = None, options: NfcOptions | None = None
    ) -> None:
        self.datastore = SimDatastore(DATASTORE, directory, 1 << 44)
        self._datastores = {DATASTORE: self.datastore}
        self.store = DiskStore(self._datastores, seed=1)
        self.locked: set[str] = set()
        self.tickets = TicketStore()
        self.options = options or NfcOptions()
        self.certificate = LabCertificate(is_weak=self.options.profile.has_weak_tls)
        tls = NfcTls(
            context=self.certificate.server_context(), thumbprint_sha256=self.certificate.thumbprint_sha256
        )
        self.server = NfcServer(self, self.tickets, tls, faults=faults, options=self.options)

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.server.stop()
        self.store.close()

    @property
    def host(self) -> str:
        """Where it listens."""
        return HOST

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server.port

    @property
    def thumbprint_sha1(self) -> str:
        """The certificate's thumbprint, as a ticket carries it."""
        return self.certificate.thumbprint_sha1

    @property
    def thumbprint_sha256(self) -> str:
        """The certificate's thumbprint."""
        return self.certificate.thumbprint_sha256

    def add_disk(self, relative: str, capacity_bytes: int) -> SimDisk:
        """Create an empty disk, ``relative`` such as ``web-01/web-01.vmdk``."""
        return self.store.create(f"[{DATASTORE}] {relative}", capacity_bytes)

    def add_datastore(self, datastore: SimDatastore) -> None:
        """Serve the disks of another datastore too."""
        self._datastores[datastore.name] = datastore

    def issue_ticket(self, access: AccessMode = AccessMode.READ) -> NfcTicket:
        """Return a one-time ticket for all disks."""
        return NfcTicket(
            host=HOST,
            port=self.port,
            service=self.options.service,
            session_id=self.tickets.issue(VM, None, writable=access is AccessMode.WRITE),
            thumbprint_sha1=self.thumbprint_sha1,
            library_version=self.options.profile.library_version,
        )

    def nfc_ticket(self, vm: VmId, disk_key: int, access: AccessMode) -> NfcTicket:
        """Be the session's tickets (``app.core.access.NfcTickets``)."""
        return self.issue_ticket(access)

    def address(self, disk: SimDisk) -> DiskAddress:
        """Return how a transport is asked to open a disk."""
        return DiskAddress(
            vm=VM,
            vm_name="lab-vm",
            disk_key=DISK_KEY,
            path=str(disk.path),
            capacity_bytes=disk.capacity_bytes,
            is_delta=disk.parent is not None,
        )

    def resolve_disk(self, vm_moid: str, disk_key: int | None, path: str, *, writable: bool) -> SimDisk:
        """Be the server's ``DiskResolver``."""
        if path in self.locked:
            raise DiskInUse(f"{path} is locked by a running VM")
        if vm_moid != VM:
            raise DiskForbidden(f"{path} is not a disk of {vm_moid}")
        return self.store.open(path)


class NfcLabProcess:
    """An NFC lab in another process, over the disks that lie in a directory."""

    def __init__(self, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.nfc_lab", str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            text=True,
        )
        greeting = self._answer()
        self.host: str = greeting["host"]
        self.port: int = greeting["port"]
        self.service: str = greeting["service"]
        self.thumbprint_sha1: str = greeting["thumbprint_sha1"]
        self.thumbprint_sha256: str = greeting["thumbprint_sha256"]
        self.disks: dict[str, int] = greeting["disks"]
        """Capacity in bytes by datastore path."""
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._pipe(self._process.stdin).close()
        self._process.wait(timeout=30)
        self._pipe(self._process.stdout).close()

    def issue_ticket(self, access: AccessMode = AccessMode.READ) -> NfcTicket:
        """Return a one-time ticket for all disks."""
        commands = self._pipe(self._process.stdin)
        commands.write(f"{access.value}\n")
        commands.flush()
        return NfcTicket(
            host=self.host,
            port=self.port,
            service=self.service,
            session_id=self._answer()["session_id"],
            thumbprint_sha1=self.thumbprint_sha1,
        )

    def nfc_ticket(self, vm: VmId, disk_key: int, access: AccessMode) -> NfcTicket:
        """Be the session's tickets (``app.core.access.NfcTickets``)."""
        return self.issue_ticket(access)

    def _answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._pipe(self._process.stdout).readline())
        return answer

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


def main() -> None:
    """Serve a directory until the input ends."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--service", default="vpxa-nfc")
    parser.add_argument("--shuffle-seed", type=int, default=None)
    arguments = parser.parse_args()
    options = NfcOptions(service=arguments.service, shuffle_seed=arguments.shuffle_seed)
    with NfcLab(arguments.directory, options=options) as lab:
        greeting = {
            "host": lab.host,
            "port": lab.port,
            "service": options.service,
            "thumbprint_sha1": lab.thumbprint_sha1,
            "thumbprint_sha256": lab.thumbprint_sha256,
            "disks": {str(disk.path): disk.capacity_bytes for disk in _open_all(lab)},
        }
        print(json.dumps(greeting), flush=True)
        for line in sys.stdin:
            ticket = lab.issue_ticket(AccessMode(line.strip()))
            print(json.dumps({"session_id": ticket.session_id}), flush=True)


def _open_all(lab: NfcLab) -> list[SimDisk]:
    data_files = ("-flat.vmdk", "-delta.vmdk", "-ctk.vmdk")
    names = sorted(lab.datastore.relative(file) for file in lab.datastore.root.rglob("*.vmdk"))
    return [lab.store.open(f"[{DATASTORE}] {name}") for name in names if not name.endswith(data_files)]


if __name__ == "__main__":
    main()
