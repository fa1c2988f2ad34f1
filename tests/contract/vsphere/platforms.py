"""The platforms that the adapter is tested against: the independent Go simulator and our own."""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from app.domain.ids import PlatformId
from app.domain.platforms import Platform
from app.simulator.releases import Version
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, SimulatorSpec, UserSpec, VmSpec
from app.vsphere.certificates import fetch_certificate
from tests.support.built_once import built_once
from tests.support.simulated import platform_of

ROOT = Path(__file__).resolve().parents[3]
SOURCE = Path(__file__).resolve().parents[1] / "vcsim" / "main.go"
CACHE = ROOT / ".cache" / "vcsim"
PASSWORD = "s3cret-of-the-simulator"  # never to be seen in an error or log


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A running vCenter to test against."""

    kind: str
    """``govmomi`` or ``ours``."""
    platform: Platform
    password: str
    simulator: object = None
    """Our simulator, for tests that script faults; None for the other one."""

    @property
    def knows_change_tracking(self) -> bool:
        """Return whether it answers QueryChangedDiskAreas."""
        return self.kind == "ours"


@contextmanager
def govmomi(folder: Path, *, machines: int = 2, folders: int = 0, apps: int = 0) -> Iterator[Target]:
    """Run the Go simulator for the time of the block."""
    certificate, key = make_certificate(folder)
    user = "administrator@vsphere.local"
    command = [
        str(built_simulator()),
        *("-user", user, "-password", PASSWORD),
        *("-certificate", str(certificate), "-key", str(key)),
        *("-machines", str(machines), "-folders", str(folders), "-apps", str(apps)),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = process.stdout.readline().split()
            assert ready[:1] == ["READY"], "the Go simulator did not start"
            host, _, port = ready[1].rpartition(":")
            thumbprint = fetch_certificate(host, int(port)).thumbprint_sha256
            platform = Platform(
                id=PlatformId("govmomi"),
                name="Go simulator",
                address=host,
                port=int(port),
                user=user,
                thumbprint_sha256=thumbprint,
            )
            yield Target(kind="govmomi", platform=platform, password=PASSWORD)
        finally:
            process.terminate()


def built_simulator() -> Path:
    """Return the Go simulator's program, built once per version of its source."""
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(CACHE / "go")}
    return built_once(
        CACHE / f"vcsim-{digest}",
        lambda fresh: subprocess.run(
            ["go", "build", "-o", fresh, SOURCE], check=True, env=environment, timeout=240
        ),
    )


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a self-signed RSA-2048 certificate and its key as PEM files; smaller keys are refused by OpenSSL."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vcsim.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return certificate_file, key_file


@contextmanager
def ours(folder: Path, version: Version) -> Iterator[Target]:
    """Run our own simulator for the time of the block, with an inventory like the Go simulator's."""
    with VSphereSimulator(replace(_spec(), version=version), folder) as simulator:
        platform = platform_of(simulator)
        yield Target(kind="ours", platform=platform, password=simulator.password, simulator=simulator)


def _spec() -> SimulatorSpec:
    return SimulatorSpec(
        users=(UserSpec(name="administrator@vsphere.local", password=PASSWORD),),
        vms=(
            VmSpec(name="web-01", disks=(_DISK, _DISK), folder=("Production",), hostname="web-01.example.com"),
            VmSpec(name="db-01", disks=(_DISK,), folder=("Production", "Databases"), firmware="efi"),
            VmSpec(name="archive-01", disks=(_DISK,), powered_on=False, datastore="ds2"),
            VmSpec(
                name="odd-01",
                disks=(_DISK, replace(_DISK, mode="independent_persistent"), replace(_DISK, multi_writer=True)),
            ),
        ),
    )


_DISK = DiskSpec(capacity_bytes=16 << 20, filesystem=False)
