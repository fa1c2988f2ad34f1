"""``repository.json``: what makes a directory a repository."""

import uuid
from pathlib import Path

import msgspec

from app.repository.documents import decode_document, encode_document, format_of
from app.repository.errors import RepositoryDamaged, RepositoryMissing, RepositoryTooNew
from app.repository.files import read_bounded, storage_errors
from app.repository.layout import Layout
from app.repository.reasons import flaw_of
from app.repository.values import RepositorySettings

FORMAT = 2
"""What this program reads up to, and makes. Since 2, packs hold the heads of their records a second time."""
CIPHER = "aes-256-gcm"
_LONGEST_BYTES = 64 * 1024


class Encryption(msgspec.Struct, frozen=True):
    """How an encrypted repository is encrypted."""

    cipher: str
    key_check: str
    """Derived from the master key; reveals a wrong key before anything is read or written."""
    hidden_names: bool


class RepositoryFile(msgspec.Struct, frozen=True):
    """The body of ``repository.json``."""

    format: int
    id: str
    created_at: str
    chunk_bytes: int
    frame_bytes: int
    pack_bytes: int
    compression: str
    compression_level: int
    digest: str
    encryption: Encryption | None

    @property
    def pack_version(self) -> int:
        """The version of the packs that are written into it: whoever reads this file reads them."""
        return self.format

    def settings(self) -> RepositorySettings:
        """Return the settings it was created with.

        Raises:
            ValueError: they are out of their bounds.
        """
        return RepositorySettings(
            chunk_bytes=self.chunk_bytes,
            frame_bytes=self.frame_bytes,
            pack_bytes=self.pack_bytes,
            compression_level=self.compression_level,
        )


def describe_repository(
    repository_id: uuid.UUID, settings: RepositorySettings, created_at: str, encryption: Encryption | None
) -> bytes:
    """Write ``repository.json``."""
    return encode_document(
        RepositoryFile(
            format=FORMAT,
            id=str(repository_id),
            created_at=created_at,
            chunk_bytes=settings.chunk_bytes,
            frame_bytes=settings.frame_bytes,
            pack_bytes=settings.pack_bytes,
            compression="zstd",
            compression_level=settings.compression_level,
            digest="blake3-frames",
            encryption=encryption,
        )
    )


def read_repository_file(root: Path) -> RepositoryFile:
    """Read ``repository.json``.

    Raises:
        RepositoryMissing: there is none.
        RepositoryTooNew: a newer program wrote it.
        RepositoryDamaged: it cannot be trusted.
        StandbyUnavailable: the standby cannot be read.
    """
    path = Layout(root).settings
    try:
        with storage_errors(root):
            try:
                data = read_bounded(path, _LONGEST_BYTES)
            except (FileNotFoundError, NotADirectoryError) as error:
                raise RepositoryMissing(path=root) from error
        found = format_of(data)
        if found > FORMAT:
            raise RepositoryTooNew(path=root, found=found, supported=FORMAT)
        file = decode_document(data, RepositoryFile)
        file.settings()
        uuid.UUID(file.id)
        if file.compression != "zstd" or file.digest != "blake3-frames":
            raise ValueError("it names a compression or digest that this program does not know")
        if file.encryption is not None and file.encryption.cipher != CIPHER:
            raise ValueError("it names a cipher that this program does not know")
    except ValueError as error:
        raise RepositoryDamaged(path=path, detail=flaw_of(error)) from error
    return file
