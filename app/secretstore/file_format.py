"""The encrypted password file as bytes: pure functions of passphrase, secrets and random numbers.

::

    {"format": 1, "kdf": "scrypt", "n": 65536, "r": 8, "p": 1, "salt": B64,
     "nonce": B64, "check": B64, "secrets": B64}

scrypt turns the passphrase (UTF-8, NFC-normalized) and ``salt`` into 64 bytes: the first 32 are the AES-256-GCM
key, the last 32 the key of ``check``, an HMAC-SHA256 over the header: the first six members as JSON without
blanks, in this order. ``secrets`` is the GCM ciphertext, tag included, of a JSON object name → value; the
associated data is the header followed by the nonce.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
import unicodedata
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

FORMAT = 1
_SALT_BYTES = 16
_NONCE_BYTES = 12
_KEY_BYTES = 32
_MOST_MEMORY_BYTES = 512 << 20


class Damaged(ValueError):
    """The bytes are not a password file, or were changed."""


class TooNew(ValueError):
    """The file has a format of a later version."""

    def __init__(self, version: int) -> None:
        super().__init__(f"format {version}")
        self.version = version


class WrongPassphrase(ValueError):
    """The passphrase does not fit the file."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of guessing a passphrase: scrypt's parameters. 64 MiB and a fifth of a second by default."""

    n: int = 1 << 16
    r: int = 8
    p: int = 1

    @property
    def is_sane(self) -> bool:
        """Return whether a file may ask this of us; a forged one could ask for all memory."""
        power = self.n >= 2 and self.n & (self.n - 1) == 0
        return power and 1 <= self.r <= 64 and 1 <= self.p <= 64 and 128 * self.n * self.r <= _MOST_MEMORY_BYTES


@dataclass(frozen=True, slots=True)
class Header:
    """The part of the file that the keys depend on."""

    cost: Cost
    salt: bytes

    def encoded(self) -> bytes:
        """Return the bytes that are authenticated."""
        numbers = {"format": FORMAT, "kdf": "scrypt", "n": self.cost.n, "r": self.cost.r, "p": self.cost.p}
        return json.dumps({**numbers, "salt": _b64(self.salt)}, separators=(",", ":")).encode()


class Keys:
    """The keys that a passphrase and a header give; never shown."""

    __slots__ = ("_check_key", "_cipher", "header")

    def __init__(self, passphrase: str, header: Header) -> None:
        self.header = header
        kdf = Scrypt(salt=header.salt, length=2 * _KEY_BYTES, n=header.cost.n, r=header.cost.r, p=header.cost.p)
        material = kdf.derive(unicodedata.normalize("NFC", passphrase).encode())
        self._cipher = AESGCM(material[:_KEY_BYTES])
        self._check_key = material[_KEY_BYTES:]

    @classmethod
    def fresh(cls, passphrase: str, cost: Cost) -> "Keys":
        """Make keys for a new file."""
        return cls(passphrase, Header(cost, os.urandom(_SALT_BYTES)))

    def check_value(self) -> bytes:
        """Return the value that reveals a wrong passphrase."""
        return hmac.new(self._check_key, self.header.encoded(), hashlib.sha256).digest()

    def seal(self, secrets: dict[str, str]) -> bytes:
        """Return the bytes of a file that holds these secrets."""
        nonce = os.urandom(_NONCE_BYTES)
        plain = json.dumps(secrets, ensure_ascii=False, sort_keys=True).encode()
        document = json.loads(self.header.encoded())
        document["nonce"] = _b64(nonce)
        document["check"] = _b64(self.check_value())
        document["secrets"] = _b64(self._cipher.encrypt(nonce, plain, self.header.encoded() + nonce))
        return json.dumps(document, indent=1).encode() + b"\n"

    def open(self, sealed: "Sealed") -> dict[str, str]:
        """Return the secrets of a file whose header is these keys' header.

        Raises:
            WrongPassphrase: the passphrase is another one.
            Damaged: the secrets were changed.
        """
        if not hmac.compare_digest(self.check_value(), sealed.check):
            raise WrongPassphrase
        try:
            plain = self._cipher.decrypt(sealed.nonce, sealed.secrets, self.header.encoded() + sealed.nonce)
        except InvalidTag as error:
            raise Damaged("its contents were changed after they were written") from error
        loaded = json.loads(plain)
        return {str(name): str(value) for name, value in loaded.items()}


@dataclass(frozen=True, slots=True)
class Sealed:
    """A file as it was read, not yet decrypted."""

    header: Header
    nonce: bytes
    check: bytes
    secrets: bytes

    @classmethod
    def parse(cls, raw: bytes) -> "Sealed":
        """Take a file apart.

        Raises:
            TooNew: a later version wrote it.
            Damaged: it is no such file.
        """
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise Damaged("it is not a JSON document") from error
        if not isinstance(document, dict) or not isinstance(version := document.get("format"), int):
            raise Damaged("it does not name its format")
        if version > FORMAT:
            raise TooNew(version)
        cost = Cost(*(_integer(document, name) for name in ("n", "r", "p")))
        if version != FORMAT or document.get("kdf") != "scrypt" or not cost.is_sane:
            raise Damaged("its parameters make no sense")
        nonce = _binary(document, "nonce")
        if len(nonce) != _NONCE_BYTES:
            raise Damaged("its nonce has a wrong length")
        header = Header(cost, _binary(document, "salt"))
        return cls(header, nonce, _binary(document, "check"), _binary(document, "secrets"))


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _integer(document: dict[str, object], name: str) -> int:
    value = document.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Damaged(f"{name} is not a number")
    return value


def _binary(document: dict[str, object], name: str) -> bytes:
    value = document.get(name)
    if not isinstance(value, str):
        raise Damaged(f"{name} is missing")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Damaged(f"{name} is not base64") from error
