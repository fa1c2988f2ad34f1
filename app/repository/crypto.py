"""Digests and ciphers: what turns the master key of an encrypted repository into everything else.

Every derived key is ``BLAKE3 derive_key(context, master key)``; see ``docs/repository-format.md``, "Keys".
"""

import itertools
import os
import struct
import threading
from collections.abc import Callable
from functools import partial

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

DIGEST_BYTES = 32
SALT_BYTES = 32
TAG_BYTES = 16
KEY_BYTES = 32

_DIGEST_CONTEXT = "standfast 2026-11-22 repository digest key"
_SESSION_CONTEXT = "standfast 2026-11-22 repository session key"
_FILE_CONTEXT = "standfast 2026-11-22 repository file key"
_NAME_CONTEXT = "standfast 2026-11-22 repository name key"
_CHECK_CONTEXT = "standfast 2026-11-22 repository key check"

_BLOB_HEAD = struct.Struct("<B3xI")
_NONCE = struct.Struct("<IQ")


class Hasher:
    """Computes the digests that name chunks and pages. Thread: any."""

    def __init__(self, key: bytes | None = None) -> None:
        self._new: Callable[..., blake3] = blake3 if key is None else partial(blake3, key=key)

    def frame_digests(self, data: bytes | bytearray | memoryview, frame_bytes: int) -> bytes:
        """Return the digests of all frames of ``data``, one after the other."""
        view = memoryview(data)
        new = self._new
        return b"".join(
            [new(view[start : start + frame_bytes]).digest() for start in range(0, len(view), frame_bytes)]
        )

    def frame_digest(self, data: bytes | bytearray | memoryview) -> bytes:
        """Return the digest of one frame."""
        return self._new(data).digest()

    def blob_digest(self, kind: int, raw_bytes: int, frame_digests: bytes) -> bytes:
        """Return the digest of a chunk or page from those of its frames."""
        return self._new(_BLOB_HEAD.pack(kind, raw_bytes) + frame_digests).digest()

    def digest(self, kind: int, data: bytes | bytearray | memoryview, frame_bytes: int) -> bytes:
        """Return the digest of a whole chunk or page."""
        return self.blob_digest(kind, len(data), self.frame_digests(data, frame_bytes))


class SessionCipher:
    """Encrypts the records of one writer.

    Its key is derived from a fresh random salt, and its nonces count up; salt and counter are never kept to be
    used again, so no nonce is ever used twice with one key, whatever crashes. Thread: any.
    """

    def __init__(self, keys: "RepositoryKeys") -> None:
        self.salt = os.urandom(SALT_BYTES)
        self._cipher = keys.session_cipher(self.salt)
        self._sequence = itertools.count(1)

    def next_sequence(self) -> int:
        """Return a number that no other record of this session has."""
        return next(self._sequence)

    def seal(self, sequence: int, part: int, data: bytes | memoryview, associated: bytes | None) -> bytes:
        """Encrypt one part of a record: its table is part 0, its frames follow."""
        return self._cipher.encrypt(_NONCE.pack(part, sequence), data, associated)


class RepositoryKeys:
    """All keys of an encrypted repository. Thread: any."""

    def __init__(self, master: bytes) -> None:
        if len(master) != KEY_BYTES:
            raise ValueError("a master key has 32 bytes")
        self._digest_key = _derive(_DIGEST_CONTEXT, master)
        self._session_root = _derive(_SESSION_CONTEXT, master)
        self._file_root = _derive(_FILE_CONTEXT, master)
        self._name_key = _derive(_NAME_CONTEXT, master)
        self.check = _derive(_CHECK_CONTEXT, master).hex()
        """Distinguishes a wrong key from a right one, and nothing else."""
        self._sessions: dict[bytes, AESGCM] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return "RepositoryKeys(…)"

    def hasher(self) -> Hasher:
        """Return the keyed hasher of chunks and pages."""
        return Hasher(self._digest_key)

    def hidden_name(self, name: str) -> str:
        """Return a name that reveals nothing of ``name``, and is the same for the same name."""
        return blake3(name.encode("utf-8", "surrogatepass"), key=self._name_key).hexdigest()[:40]

    def session_cipher(self, salt: bytes) -> AESGCM:
        """Return the cipher of the session with this salt."""
        with self._lock:
            cipher = self._sessions.get(salt)
            if cipher is None:
                if len(self._sessions) >= 4096:
                    self._sessions.clear()
                cipher = AESGCM(blake3(salt, key=self._session_root).digest())
                self._sessions[salt] = cipher
        return cipher

    def open_part(
        self, salt: bytes, sequence: int, part: int, data: bytes | bytearray | memoryview, associated: bytes | None
    ) -> bytes:
        """Decrypt one part of a record.

        Raises:
            ValueError: the bytes were changed, or belong elsewhere.
        """
        try:
            return self.session_cipher(salt).decrypt(_NONCE.pack(part, sequence), data, associated)
        except InvalidTag as error:
            raise ValueError("the encrypted bytes were changed") from error

    def seal_file(self, data: bytes, place: str) -> bytes:
        """Encrypt a small file for one place: salt, then ciphertext with its tag."""
        salt = os.urandom(SALT_BYTES)
        cipher = AESGCM(blake3(salt, key=self._file_root).digest())
        return salt + cipher.encrypt(bytes(12), data, place.encode())

    def open_file(self, data: bytes, place: str) -> bytes:
        """Decrypt a small file that was sealed for this place.

        Raises:
            ValueError: the bytes were changed, or belong elsewhere.
        """
        if len(data) < SALT_BYTES + TAG_BYTES:
            raise ValueError("an encrypted file is torn")
        cipher = AESGCM(blake3(data[:SALT_BYTES], key=self._file_root).digest())
        try:
            return cipher.decrypt(bytes(12), data[SALT_BYTES:], place.encode())
        except InvalidTag as error:
            raise ValueError("the encrypted bytes were changed") from error


def _derive(context: str, master: bytes) -> bytes:
    return blake3(master, derive_key_context=context).digest()
