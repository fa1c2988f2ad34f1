"""Certificates that are trusted because they are expected, not because someone signed them."""

import hashlib
import hmac
import ssl

import truststore

_COMMON_LENGTHS = {40: "sha1", 64: "sha256"}


def plain_hex(thumbprint: str) -> str:
    """Return a thumbprint in lower case without colons or blanks."""
    return thumbprint.replace(":", "").replace(" ", "").strip().lower()


def thumbprint_of(certificate: bytes, algorithm: str) -> str:
    """Return a DER certificate's thumbprint as upper-case hex pairs joined by colons."""
    digest = hashlib.new(algorithm, certificate, usedforsecurity=algorithm != "sha1").hexdigest().upper()
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))


def algorithm_of(thumbprint: str) -> str | None:
    """Return, by its length, how a thumbprint was made: ``sha1``, ``sha256``, or None for neither."""
    text = plain_hex(thumbprint)
    if any(character not in "0123456789abcdef" for character in text):
        return None
    return _COMMON_LENGTHS.get(len(text))


def matches(certificate: bytes, thumbprint: str) -> bool:
    """Return whether a DER certificate has this SHA-1 or SHA-256 thumbprint."""
    algorithm = algorithm_of(thumbprint)
    if algorithm is None:
        return False
    return hmac.compare_digest(plain_hex(thumbprint_of(certificate, algorithm)), plain_hex(thumbprint))


def pinned_context() -> ssl.SSLContext:
    """Return a TLS context that accepts any certificate: its user compares the thumbprint before speaking."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def verifying_context() -> ssl.SSLContext:
    """Return a TLS context that accepts what an authority that this machine trusts signed for the host."""
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
