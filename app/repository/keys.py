"""Key files: the master key of an encrypted repository, wrapped by a passphrase or a recovery key.

Source of truth: ``docs/repository-format.md``, "Keys".
"""

import base64
import hashlib
import os
import re
import unicodedata
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.repository.crypto import KEY_BYTES, SALT_BYTES, RepositoryKeys
from app.repository.documents import decode_document, encode_document
from app.repository.errors import KeyWrong
from app.repository.files import read_bounded, storage_errors, sync_directory, write_new
from app.repository.layout import SCRATCH_SUFFIX

_LONGEST_KEY_FILE_BYTES = 16 * 1024
_MOST_KEY_FILES = 64
_NONCE_BYTES = 12
_TAG_BYTES = 16
_SUFFIX = ".json"
_MARK_DIGITS = 4
_PASSPHRASE, _RECOVERY = "passphrase", "recovery"


class Scrypt(msgspec.Struct, frozen=True):
    """Cost of guessing a passphrase: memory is ``128 n r`` bytes."""

    n: int = 1 << 16
    r: int = 8
    p: int = 1

    def is_bearable(self) -> bool:
        """Tell whether a hostile file does not ask for more than 1 GiB or minutes."""
        return 1024 <= self.n <= 1 << 20 and not self.n & (self.n - 1) and 1 <= self.r <= 8 and 1 <= self.p <= 4


class KeyFile(msgspec.Struct, frozen=True):
    """The body of ``keys/<name>.json``."""

    format: int
    kind: str
    salt: str
    scrypt: Scrypt | None
    wrapped: str
    created_at: str

    def check(self) -> None:
        """Make sure that the file says something possible.

        Raises:
            ValueError: it does not.
        """
        lengths = len(bytes.fromhex(self.salt)), len(bytes.fromhex(self.wrapped))
        if lengths != (SALT_BYTES, _NONCE_BYTES + KEY_BYTES + _TAG_BYTES):
            raise ValueError("its salt or its key has an impossible length")
        if self.format != 1 or self.kind not in (_PASSPHRASE, _RECOVERY):
            raise ValueError("a newer program wrote it")
        if self.kind == _PASSPHRASE and (self.scrypt is None or not self.scrypt.is_bearable()):
            raise ValueError("it asks for an impossible derivation")


@dataclass(frozen=True, slots=True)
class Passphrase:
    """Opens a repository with what the operator typed."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RecoveryKey:
    """Opens a repository with what was printed when it was made."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class MasterKey:
    """Opens a repository with the master key itself, as the operating system's keyring keeps it."""

    text: str = field(repr=False)


RepositoryKey = Passphrase | RecoveryKey | MasterKey


def new_master_key() -> bytes:
    """Make a master key."""
    return os.urandom(KEY_BYTES)


class KeyRing:
    """The key files of one repository. Thread: any."""

    def __init__(self, root: Path, folder: Path, repository_id: str) -> None:
        self._root = root
        self._folder = folder
        self._repository_id = repository_id

    def unlock(self, key: RepositoryKey, key_check: str) -> bytes:
        """Return the master key.

        Raises:
            KeyWrong: the key does not open this repository.
            StandbyUnavailable: the standby cannot be read.
        """
        candidates = [_decode_master(key.text)] if isinstance(key, MasterKey) else self._unwrapped(key)
        for master in candidates:
            if master is not None and RepositoryKeys(master).check == key_check:
                return master
        raise KeyWrong(path=self._root)

    def _unwrapped(self, key: Passphrase | RecoveryKey) -> list[bytes | None]:
        kind = _PASSPHRASE if isinstance(key, Passphrase) else _RECOVERY
        return [self._unwrap(file, key) for _, file in self._files() if file.kind == kind]

    def _unwrap(self, file: KeyFile, key: Passphrase | RecoveryKey) -> bytes | None:
        with suppress(ValueError, InvalidTag):
            salt, wrapped = bytes.fromhex(file.salt), bytes.fromhex(file.wrapped)
            wrapping = _wrapping_key(key, salt, file.scrypt)
            cipher = AESGCM(wrapping)
            return cipher.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], self._repository_id.encode())
        return None

    def set_passphrase(self, master: bytes, passphrase: str, created_at: str) -> None:
        """Let this passphrase open the repository, and no other any more.

        Raises:
            StandbyFull, StandbyUnavailable: the standby refuses; the old one still opens it.
        """
        old = [path for path, file in self._files() if file.kind == _PASSPHRASE]
        self._write(_PASSPHRASE, Passphrase(passphrase), master, Scrypt(), created_at)
        self._remove(old)

    def add_recovery_key(self, master: bytes, created_at: str) -> str:
        """Make a new recovery key and return it as it is printed.

        Raises:
            StandbyFull, StandbyUnavailable: the standby refuses.
        """
        printed = format_recovery_key(os.urandom(KEY_BYTES))
        self._write(_RECOVERY, RecoveryKey(printed), master, None, created_at)
        return printed

    def revoke_recovery_keys(self) -> None:
        """Make all recovery keys worthless.

        Raises:
            StandbyUnavailable: the standby refuses.
        """
        self._remove([path for path, file in self._files() if file.kind == _RECOVERY])

    def _remove(self, paths: list[Path]) -> None:
        with storage_errors(self._root):
            for path in paths:
                path.unlink(missing_ok=True)
            sync_directory(self._folder)

    def _write(
        self, kind: str, key: Passphrase | RecoveryKey, master: bytes, scrypt: Scrypt | None, created_at: str
    ) -> None:
        salt, nonce = os.urandom(SALT_BYTES), os.urandom(_NONCE_BYTES)
        cipher = AESGCM(_wrapping_key(key, salt, scrypt))
        wrapped = nonce + cipher.encrypt(nonce, master, self._repository_id.encode())
        document = encode_document(KeyFile(1, kind, salt.hex(), scrypt, wrapped.hex(), created_at))
        name = f"{kind}-{uuid.uuid4().hex}"
        scratch = self._folder / f"{name}{SCRATCH_SUFFIX}"
        with storage_errors(self._root):
            try:
                write_new(scratch, document)
                scratch.rename(self._folder / f"{name}{_SUFFIX}")
            except OSError:
                with suppress(OSError):
                    scratch.unlink()
                raise
            sync_directory(self._folder)

    def _files(self) -> list[tuple[Path, KeyFile]]:
        """Return the key files that can be read; one that was changed opens nothing."""
        with storage_errors(self._root):
            return [(path, file) for path, file in _read_all(self._folder) if isinstance(file, KeyFile)]


def key_file_damage(folder: Path, *, is_encrypted: bool) -> list[tuple[str, str]]:
    """Return the key files that are not what was written, each with the reason.

    Raises:
        OSError: the standby cannot be read.
    """
    files = _read_all(folder)
    damage = [(f"keys/{path.name}", problem) for path, problem in files if isinstance(problem, str)]
    if is_encrypted and not any(isinstance(file, KeyFile) and file.kind == _PASSPHRASE for _, file in files):
        damage.append(("keys", "no passphrase opens this repository any more; set a new one"))
    return damage


def _read_all(folder: Path) -> list[tuple[Path, KeyFile | str]]:
    """Return every key file, or what is wrong with it."""
    found: list[tuple[Path, KeyFile | str]] = []
    names = sorted(path for path in folder.iterdir() if path.suffix == _SUFFIX)
    for path in names[:_MOST_KEY_FILES]:
        try:
            file = decode_document(read_bounded(path, _LONGEST_KEY_FILE_BYTES), KeyFile)
            file.check()
        except FileNotFoundError:  # replaced by somebody else in this moment
            continue
        except (ValueError, IsADirectoryError) as error:
            found.append((path, str(error)))
        else:
            found.append((path, file))
    return found


def _wrapping_key(key: Passphrase | RecoveryKey, salt: bytes, scrypt: Scrypt | None) -> bytes:
    if isinstance(key, RecoveryKey):
        return blake3(salt, key=parse_recovery_key(key.text)).digest()
    if scrypt is None or not scrypt.is_bearable():
        raise ValueError("the key file asks for an impossible derivation")
    text = unicodedata.normalize("NFC", key.text).encode("utf-8", "surrogatepass")
    memory = 256 * scrypt.n * scrypt.r
    return hashlib.scrypt(text, salt=salt, n=scrypt.n, r=scrypt.r, p=scrypt.p, maxmem=memory, dklen=KEY_BYTES)


def format_recovery_key(key: bytes) -> str:
    """Write a recovery key for paper: groups of four, the last one tells a slip of the pen."""
    text = base64.b32encode(key).decode().rstrip("=")
    text += base64.b32encode(blake3(key).digest()).decode()[:_MARK_DIGITS]
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def parse_recovery_key(text: str) -> bytes:
    """Read a recovery key as it was typed: case, spaces and hyphens do not matter.

    Raises:
        ValueError: it is not a recovery key, or mistyped.
    """
    letters = re.sub(r"[\s-]", "", text).upper().replace("0", "O").replace("1", "I")
    body = letters[:-_MARK_DIGITS]
    try:
        key = base64.b32decode(body + "=" * (-len(body) % 8))
    except ValueError as error:
        raise ValueError("not a recovery key") from error
    if len(key) != KEY_BYTES or format_recovery_key(key).replace("-", "") != letters:
        raise ValueError("a recovery key with a slip of the pen")
    return key


def encode_master(master: bytes) -> MasterKey:
    """Return the master key as a secret store keeps it."""
    return MasterKey(master.hex())


def _decode_master(text: str) -> bytes | None:
    try:
        master = bytes.fromhex(text)
    except ValueError:
        return None
    return master if len(master) == KEY_BYTES else None
