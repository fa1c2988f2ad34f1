"""Seals: what wraps the master keys of repositories, kept so that no one has to type a passphrase again.

A seal is the outcome of the slow derivation from a passphrase, or of the quick one from a recovery key, with the
salt that went into it. Who keeps it can open the repositories that were sealed with it, and can seal new ones
so that the same passphrase or recovery key opens those too. The passphrase cannot be computed from it.
"""

import base64
import hashlib
import os
import unicodedata
from dataclasses import dataclass, field, replace
from typing import Self

import msgspec
from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.repository.crypto import KEY_BYTES, SALT_BYTES

PASSPHRASE, RECOVERY = "passphrase", "recovery"
NONCE_BYTES = 12
TAG_BYTES = 16
MOST_RECOVERY_SEALS = 6
"""So many fit into the smallest keyring, that of Windows."""


class Scrypt(msgspec.Struct, frozen=True):
    """Cost of guessing a passphrase: memory is ``128 n r`` bytes."""

    n: int = 1 << 16
    r: int = 8
    p: int = 1

    def is_bearable(self) -> bool:
        """Return whether a hostile file does not ask for more than 1 GiB or minutes."""
        return 1024 <= self.n <= 1 << 20 and not self.n & (self.n - 1) and 1 <= self.r <= 8 and 1 <= self.p <= 4


COST = Scrypt()
"""Of new passphrases."""


@dataclass(frozen=True, slots=True)
class Seal:
    """Wraps and unwraps master keys."""

    kind: str
    salt: bytes
    scrypt: Scrypt | None
    key: bytes = field(repr=False)

    @classmethod
    def of_passphrase(cls, passphrase: str, salt: bytes | None = None, scrypt: Scrypt | None = None) -> Self:
        """Derive a seal from a passphrase, which takes a moment; by default with a new salt."""
        chosen, cost = salt or os.urandom(SALT_BYTES), scrypt or COST
        text = unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass")
        memory = 256 * cost.n * cost.r
        key = hashlib.scrypt(text, salt=chosen, n=cost.n, r=cost.r, p=cost.p, maxmem=memory, dklen=KEY_BYTES)
        return cls(PASSPHRASE, chosen, cost, key)

    @classmethod
    def of_recovery_key(cls, recovery_key: bytes, salt: bytes | None = None) -> Self:
        """Derive a seal from the bytes of a recovery key; by default with a new salt."""
        chosen = salt or os.urandom(SALT_BYTES)
        return cls(RECOVERY, chosen, None, blake3(chosen, key=recovery_key).digest())

    def wrap(self, master: bytes, repository_id: str) -> bytes:
        """Encrypt a master key: nonce, then ciphertext with its tag."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self.key).encrypt(nonce, master, repository_id.encode())

    def unwrap(self, wrapped: bytes, repository_id: str) -> bytes | None:
        """Decrypt a master key; None when another seal wrapped it."""
        try:
            return AESGCM(self.key).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], repository_id.encode())
        except InvalidTag:
            return None


@dataclass(frozen=True, slots=True)
class Seals:
    """All seals that new repositories of one standby machine get; opens those that bear one of them."""

    passphrase: Seal | None = None
    recovery: tuple[Seal, ...] = ()

    @property
    def all(self) -> tuple[Seal, ...]:
        """Every seal."""
        return (*(() if self.passphrase is None else (self.passphrase,)), *self.recovery)

    def with_seal(self, seal: Seal) -> Self:
        """Return these seals with another one: in place of the passphrase's, or next to those of recovery keys."""
        if seal.kind == PASSPHRASE:
            return replace(self, passphrase=seal)
        others = [other for other in self.recovery if other.salt != seal.salt]
        return replace(self, recovery=(*others, seal)[-MOST_RECOVERY_SEALS:])

    def encode(self) -> str:
        """Return the seals as a secret store keeps them."""
        return msgspec.json.encode([_SealFile.of(seal) for seal in self.all]).decode()

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read what :meth:`encode` wrote.

        Raises:
            ValueError: it is something else.
        """
        seals = [file.seal() for file in msgspec.json.decode(text, type=list[_SealFile])]
        passphrase = next((seal for seal in seals if seal.kind == PASSPHRASE), None)
        return cls(passphrase, tuple(seal for seal in seals if seal.kind == RECOVERY))


class _SealFile(msgspec.Struct, frozen=True, array_like=True):
    kind: str
    salt: str
    scrypt: Scrypt | None
    key: str

    @classmethod
    def of(cls, seal: Seal) -> Self:
        return cls(seal.kind, _letters(seal.salt), seal.scrypt, _letters(seal.key))

    def seal(self) -> Seal:
        salt, key = base64.b64decode(self.salt, validate=True), base64.b64decode(self.key, validate=True)
        if self.kind not in (PASSPHRASE, RECOVERY) or (len(salt), len(key)) != (SALT_BYTES, KEY_BYTES):
            raise ValueError("not a seal")
        return Seal(self.kind, salt, self.scrypt, key)


def _letters(data: bytes) -> str:
    return base64.b64encode(data).decode()
