"""Certificates of platforms: how they are shown, confirmed and checked."""

import hashlib
import http.client
import re
import socket
import ssl
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import truststore
from cryptography import x509

from app.domain.errors import CertificateChanged
from app.vsphere.answers import LIMITS, AnswerLimits, bounded_response, reading_an_answer
from app.vsphere.faults import Attempt, translated
from app.vsphere.words import Operation

CONNECT_TIMEOUT_S = 15.0
_SHA256_DIGITS = re.compile(r"[0-9A-F]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """A server's certificate, as the operator compares it before the first login."""

    thumbprint_sha256: str
    """Upper-case hex pairs joined by colons."""
    subject: str
    issuer: str
    valid_from: datetime
    valid_until: datetime
    trusted: bool
    """True when an authority that this machine trusts signed it for this address."""


def thumbprint(der: bytes) -> str:
    """Return the SHA-256 thumbprint of a certificate, as upper-case hex pairs joined by colons."""
    return in_pairs(hashlib.sha256(der).hexdigest().upper())


def normalized_thumbprint(text: str) -> str:
    """Bring a SHA-256 thumbprint, however it was typed, into the form of :func:`thumbprint`.

    Raises:
        ValueError: it is not one.
    """
    digits = re.sub(r"[\s:-]", "", text).upper()
    if not _SHA256_DIGITS.fullmatch(digits):
        raise ValueError(f"not a SHA-256 thumbprint: {text!r}")
    return in_pairs(digits)


def in_pairs(digits: str) -> str:
    """Return the digits of a thumbprint as pairs joined by colons."""
    return ":".join(digits[i : i + 2] for i in range(0, len(digits), 2))


def fetch_certificate(address: str, port: int = 443, *, timeout_s: float = CONNECT_TIMEOUT_S) -> CertificateFacts:
    """Return the certificate that a server shows, sending nothing but a TLS handshake.

    Raises:
        PlatformUnreachable: nothing answers there, or not with TLS.
    """
    with (
        translated(Attempt(address=address, port=port, operation=Operation.SHOW_CERTIFICATE)),
        reading_an_answer(),
    ):
        der = _shown_certificate(address, port, unverified_context(), timeout_s)
        certificate = x509.load_der_x509_certificate(der)
        return CertificateFacts(
            thumbprint_sha256=thumbprint(der),
            subject=certificate.subject.rfc4514_string(),
            issuer=certificate.issuer.rfc4514_string(),
            valid_from=certificate.not_valid_before_utc,
            valid_until=certificate.not_valid_after_utc,
            trusted=_is_trusted(address, port, timeout_s),
        )


def _is_trusted(address: str, port: int, timeout_s: float) -> bool:
    try:
        _shown_certificate(address, port, authority_context(), timeout_s)
    except ssl.SSLError:
        return False
    return True


def _shown_certificate(address: str, port: int, context: ssl.SSLContext, timeout_s: float) -> bytes:
    with (
        socket.create_connection((address, port), timeout=timeout_s) as raw,
        context.wrap_socket(raw, server_hostname=address) as tls,
    ):
        return tls.getpeercert(binary_form=True) or b""


def unverified_context() -> ssl.SSLContext:
    """Make a TLS context for connections whose certificate is compared with a thumbprint afterwards."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def authority_context() -> ssl.SSLContext:
    """Make a TLS context that trusts the authorities of the operating system."""
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a platform answers and how it proves who it is; opens verified connections to it.

    Thread: any.
    """

    address: str
    port: int
    thumbprint_sha256: str | None
    """The confirmed certificate; None leaves it to the authorities of the operating system."""
    connect_timeout_s: float = CONNECT_TIMEOUT_S
    limits: AnswerLimits = LIMITS
    """How large and how slow an answer may be."""

    def context(self) -> ssl.SSLContext:
        """Make the TLS context for connections to this endpoint."""
        return authority_context() if self.thumbprint_sha256 is None else unverified_context()

    def connection(self, context: ssl.SSLContext, *, read_timeout_s: float) -> "VerifiedConnection":
        """Return a connection that opens itself, verified, with its first request."""
        return VerifiedConnection(self, context, read_timeout_s)


class VerifiedConnection(http.client.HTTPSConnection):
    """An HTTPS connection that compares the pinned certificate before it sends anything.

    Thread: one at a time.
    """

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext, read_timeout_s: float) -> None:
        super().__init__(endpoint.address, endpoint.port, timeout=endpoint.connect_timeout_s, context=context)
        # http.client makes its responses by calling this.
        self.response_class: Any = bounded_response(endpoint.limits)
        self._endpoint = endpoint
        self._read_timeout_s = read_timeout_s

    def connect(self) -> None:
        """Connect and verify.

        Raises:
            CertificateChanged: the certificate is not the confirmed one.
            OSError: no connection, or no authority vouches for the certificate.
        """
        super().connect()
        try:
            self._verify()
        except CertificateChanged:
            self.close()
            raise
        self.sock.settimeout(self._read_timeout_s)

    def _verify(self) -> None:
        pinned = self._endpoint.thumbprint_sha256
        if pinned is None:
            return
        actual = thumbprint(self.sock.getpeercert(binary_form=True) or b"")
        if actual != normalized_thumbprint(pinned):
            raise CertificateChanged(address=self._endpoint.address, actual=actual, expected=pinned)
