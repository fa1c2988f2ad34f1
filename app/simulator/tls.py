"""The certificates that the simulator shows."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from app.core.privatefiles import make_private_folders, write_private

_LIFETIME = timedelta(days=3650)
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_OAKLEY_GROUP_2 = """\
-----BEGIN DH PARAMETERS-----
MIGHAoGBAP//////////yQ/aoiFowjTExmKLgNwc0SkCTgiKZ8x0Agu+pjsTmyJR
Sgh5jjQE3e+VGbPNOkMbMCsKbfJfFDdP4TVtbVHCReSFtXZiXn7G9ExC6aY37WsL
/1y29Aa37e44a/taiZ+lrp8kEXxLH+ZJKGZR7OZTgf//////////AgEC
-----END DH PARAMETERS-----
"""
"""Parameters of a Diffie-Hellman exchange with the prime of RFC 2409, section 6.2."""


class TlsIdentity:
    """A self-signed certificate with its key, which can be replaced while connections are open.

    Thread: any; the attributes are replaced together by :meth:`renew`.

    Attributes:
        certificate_file: the certificate as PEM, for clients that verify it.
        context: for the server's side of new connections; TLS 1.2 and newer.
        thumbprint_sha1: upper-case hex pairs joined by colons.
        thumbprint_sha256: the same with SHA-256.
    """

    certificate_file: Path
    context: ssl.SSLContext
    thumbprint_sha1: str
    thumbprint_sha256: str

    def __init__(self, directory: Path, name: str, *, is_weak: bool = False) -> None:
        """Make a certificate.

        Args:
            directory: where it and its key are kept, created when it is missing.
            name: common name of the certificate, and beginning of the file names.
            is_weak: whether its key exchange is that of ESXi 6.5, which needs OpenSSL's security level 1.
        """
        self._is_weak = is_weak
        self._directory = directory
        self._name = name
        self._generation = 0
        make_private_folders(directory)
        self.renew()

    def renew(self) -> None:
        """Make a new key and certificate, shown from the next connection on."""
        self._generation += 1
        key = new_key(is_weak=self._is_weak)
        certificate = _self_signed(key, self._name)
        stem = f"{self._name}-{self._generation}"
        certificate_file, key_file = self._directory / f"{stem}.pem", self._directory / f"{stem}.key"
        write_private(certificate_file, certificate.public_bytes(serialization.Encoding.PEM))
        write_private(
            key_file,
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(certificate_file, key_file)
        if self._is_weak:
            weaken(context, self._directory)
        self.certificate_file, self.context = certificate_file, context
        self.thumbprint_sha1 = _pairs(certificate.fingerprint(hashes.SHA1()))  # noqa: S303 - vSphere's own form
        self.thumbprint_sha256 = _pairs(certificate.fingerprint(hashes.SHA256()))


def new_key(*, is_weak: bool) -> PrivateKey:
    """Return a key for a certificate; RSA where the key exchange is an old one."""
    if is_weak:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def weaken(context: ssl.SSLContext, directory: Path) -> None:
    """Let a server offer nothing but the key exchange of ESXi 6.5: DHE with 1024 bits.

    Args:
        context: the server's, with an RSA certificate loaded.
        directory: for a file with the parameters.
    """
    file = directory / "dh-1024.pem"
    write_private(file, _OAKLEY_GROUP_2.encode("ascii"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0")
    context.load_dh_params(str(file))


_LOOPBACK = [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")]


def _self_signed(key: PrivateKey, name: str) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.DNSName(name), *_LOOPBACK]
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )


def _pairs(digest: bytes) -> str:
    return digest.hex(":").upper()
