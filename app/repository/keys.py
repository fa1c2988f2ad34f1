"""Key files: the master key of an encrypted repository, wrapped by a passphrase or a recovery key.

Source of truth: ``docs/repository-format.md``, "Keys".
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from app.core.durable import rename, sync_directory, unlink
from app.domain.messages import Message
from app.repository.crypto import KEY_BYTES, SALT_BYTES, RepositoryKeys
from app.repository.documents import decode_document, encode_document, newer_documents
from app.repository.errors import KeyWrong
from app.repository.files import Displaced, read_bounded, storage_errors, write_new
from app.repository.layout import SCRATCH_SUFFIX
from app.repository.reasons import CONTENT_CHANGED, NO_PASSPHRASE
from app.repository.recoverykeys import new_recovery_key, parse_recovery_key
from app.repository.seals import NONCE_BYTES, PASSPHRASE, RECOVERY, TAG_BYTES, Scrypt, Seal, Seals

_LONGEST_KEY_FILE_BYTES = 16 * 1024
_KEY_FORMAT = 1
_MOST_KEY_FILES = 64
_SUFFIX = ".json"


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
        if lengths != (SALT_BYTES, NONCE_BYTES + KEY_BYTES + TAG_BYTES):
            raise ValueError("its salt or its key has an impossible length")
        if self.format != _KEY_FORMAT or self.kind not in (PASSPHRASE, RECOVERY):
            raise ValueError("a newer program wrote it")
        if self.kind == PASSPHRASE and (self.scrypt is None or not self.scrypt.is_bearable()):
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


RepositoryKey = Passphrase | RecoveryKey | MasterKey | Seals


@dataclass(frozen=True, slots=True)
class Opened:
    """What a key gave: the master key, and the seal by which it was opened (None for the master key itself)."""

    master: bytes = field(repr=False)
    seal: Seal | None


@dataclass(frozen=True, slots=True)
class Unlocked:
    """What a key unlocked, to be kept for the next time."""

    repository_id: str
    master: MasterKey
    seal: Seal | None
    """By which it was opened; None for the master key itself."""


@dataclass(frozen=True, slots=True)
class Protection:
    """How a new repository is encrypted."""

    seals: Seals
    hide_names: bool = False


def new_master_key() -> bytes:
    """Make a master key."""
    return os.urandom(KEY_BYTES)


class KeyRing:
    """The key files of one repository. Thread: any."""

    def __init__(self, root: Path, folder: Path, repository_id: str) -> None:
        self._root = root
        self._folder = folder
        self._repository_id = repository_id

    def unlock(self, key: RepositoryKey, key_check: str) -> Opened:
        """Return the master key.

        Raises:
            KeyWrong: the key does not open this repository.
            StandbyUnavailable: the standby cannot be read.
        """
        for found in self._candidates(key):
            if RepositoryKeys(found.master).check == key_check:
                return found
        raise KeyWrong(path=self._root)

    def _candidates(self, key: RepositoryKey) -> Iterator[Opened]:
        if isinstance(key, MasterKey):
            master = _decode_master(key.text)
            if master is not None:
                yield Opened(master, None)
            return
        for _, file in self._files():
            for seal in _seals_for(file, key):
                master = seal.unwrap(bytes.fromhex(file.wrapped), self._repository_id)
                if master is not None:
                    yield Opened(master, seal)

    def bears(self, seal: Seal) -> bool:
        """Return whether a key file was made with a seal.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        return any((file.kind, file.salt) == (seal.kind, seal.salt.hex()) for _, file in self._files())

    def count(self, kind: str) -> int:
        """Return how many passphrases or recovery keys open the repository.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        return sum(file.kind == kind for _, file in self._files())

    def add(self, master: bytes, seal: Seal, created_at: str) -> None:
        """Let what a seal was derived from open the repository too; nothing happens when it does already.

        Raises:
            StandbyFull, StandbyUnavailable: the standby refuses.
        """
        if not self._made_with(seal, master):
            self._write(seal, master, created_at)

    def drop(self, kind: str, *, but: Seal | None = None) -> None:
        """Make all passphrases, or all recovery keys, worthless, but for the one of a seal.

        Raises:
            StandbyUnavailable: the standby refuses.
        """
        kept = None if but is None else but.salt.hex()
        self._remove([path for path, file in self._files() if file.kind == kind and file.salt != kept])

    def remove(self, seal: Seal) -> None:
        """Make the passphrase or recovery key behind a seal worthless.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        mine = seal.kind, seal.salt.hex()
        self._remove([path for path, file in self._files() if (file.kind, file.salt) == mine])

    def _made_with(self, seal: Seal, master: bytes) -> list[Path]:
        return [
            path
            for path, file in self._files()
            if (file.kind, file.salt) == (seal.kind, seal.salt.hex())
            and seal.unwrap(bytes.fromhex(file.wrapped), self._repository_id) == master
        ]

    def set_passphrase(self, master: bytes, passphrase: str, created_at: str) -> None:
        """Let this passphrase open the repository, and no other any more.

        Raises:
            StandbyFull, StandbyUnavailable: the standby refuses; the old one still opens it.
        """
        seal = Seal.of_passphrase(passphrase)
        self.add(master, seal, created_at)
        self.drop(PASSPHRASE, but=seal)

    def add_recovery_key(self, master: bytes, created_at: str) -> str:
        """Make a new recovery key and return it as it is printed.

        Raises:
            StandbyFull, StandbyUnavailable: the standby refuses.
        """
        printed, seal = new_recovery_key()
        self.add(master, seal, created_at)
        return printed

    def _remove(self, paths: list[Path]) -> None:
        with storage_errors(self._root):
            for path in paths:
                unlink(path, missing_ok=True)
            sync_directory(self._folder)

    def _write(self, seal: Seal, master: bytes, created_at: str) -> None:
        wrapped = seal.wrap(master, self._repository_id).hex()
        document = encode_document(
            KeyFile(_KEY_FORMAT, seal.kind, seal.salt.hex(), seal.scrypt, wrapped, created_at)
        )
        name = f"{seal.kind}-{uuid.uuid4().hex}"
        scratch = self._folder / f"{name}{SCRATCH_SUFFIX}"
        with storage_errors(self._root):
            try:
                write_new(scratch, document)
                rename(scratch, self._folder / f"{name}{_SUFFIX}")
            except OSError:
                with suppress(OSError):
                    unlink(scratch)
                raise
            sync_directory(self._folder)

    def _files(self) -> list[tuple[Path, KeyFile]]:
        """Return the key files that can be read; one that was changed opens nothing."""
        with storage_errors(self._root):
            return [(path, file) for path, file in _read_all(self._folder) if isinstance(file, KeyFile)]


def key_file_damage(folder: Path, *, is_encrypted: bool) -> list[tuple[str, Message]]:
    """Return the key files that are not what was written, each with the reason.

    Raises:
        OSError: the standby cannot be read.
    """
    files = _read_all(folder)
    newer = newer_key_files(folder)
    damage = [
        (f"keys/{path.name}", CONTENT_CHANGED.fill(details=problem))
        for path, problem in files
        if isinstance(problem, str)
    ]
    damage = [(name, problem) for name, problem in damage if name not in newer]
    if (
        is_encrypted
        and not newer
        and not any(isinstance(file, KeyFile) and file.kind == PASSPHRASE for _, file in files)
    ):
        damage.append(("keys", NO_PASSPHRASE.fill()))
    return damage


def newer_key_files(folder: Path) -> list[str]:
    """Return the names of the key files that a newer program wrote.

    Raises:
        OSError: the standby cannot be read.
    """
    return newer_documents(_key_paths(folder), _LONGEST_KEY_FILE_BYTES, _KEY_FORMAT)


def _key_paths(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix == _SUFFIX)[:_MOST_KEY_FILES]


def _read_all(folder: Path) -> list[tuple[Path, KeyFile | str]]:
    """Return every key file, or what is wrong with it."""
    found: list[tuple[Path, KeyFile | str]] = []
    for path in _key_paths(folder):
        try:
            file = decode_document(read_bounded(path, _LONGEST_KEY_FILE_BYTES), KeyFile)
            file.check()
        except FileNotFoundError:  # replaced by someone else in this moment
            continue
        except (ValueError, Displaced) as error:
            found.append((path, error.reason.template if isinstance(error, Displaced) else str(error)))
        else:
            found.append((path, file))
    return found


def _seals_for(file: KeyFile, key: Passphrase | RecoveryKey | Seals) -> Iterator[Seal]:
    """Yield what could have wrapped the master key in a file."""
    salt = bytes.fromhex(file.salt)
    if isinstance(key, Seals):
        yield from (seal for seal in key.all if (seal.kind, seal.salt) == (file.kind, salt))
    elif isinstance(key, Passphrase):
        if file.kind == PASSPHRASE and file.scrypt is not None and file.scrypt.is_bearable():
            yield Seal.of_passphrase(key.text, salt, file.scrypt)
    elif file.kind == RECOVERY:
        with suppress(ValueError):  # what was typed is no recovery key
            yield Seal.of_recovery_key(parse_recovery_key(key.text), salt)


def encode_master(master: bytes) -> MasterKey:
    """Return the master key as a secret store keeps it."""
    return MasterKey(master.hex())


def _decode_master(text: str) -> bytes | None:
    try:
        master = bytes.fromhex(text)
    except ValueError:
        return None
    return master if len(master) == KEY_BYTES else None
