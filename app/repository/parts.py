"""What the readers and writers of one repository share."""

import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from app.domain.restore_point import PointDisk
from app.repository.appender import PackAppender
from app.repository.consoles import Consoles
from app.repository.crypto import Hasher, RepositoryKeys, SessionCipher
from app.repository.layout import Layout
from app.repository.leftovers import Leftovers
from app.repository.locator import Locator
from app.repository.pages import PageTree, chunk_count
from app.repository.pins import Pins
from app.repository.pipeline import StoragePlan
from app.repository.points import StoredPoints
from app.repository.records import RecordDecoder
from app.repository.sealedpacks import SealedPacks
from app.repository.store import RecordStore


def decoder_with(keys: RepositoryKeys | None) -> RecordDecoder:
    """Return a decoder for one thread, of a repository with these keys."""
    return RecordDecoder(Hasher() if keys is None else keys.hasher(), keys)


@dataclass(frozen=True, slots=True)
class RepositoryParts:
    """What readers and writers of one repository share. Thread: any."""

    layout: Layout
    repository_id: uuid.UUID
    locator: Locator
    packs: SealedPacks
    store: RecordStore
    stored_points: StoredPoints
    pins: Pins
    consoles: Consoles
    keys: RepositoryKeys | None
    chunk_bytes: int
    frame_bytes: int
    pack_bytes: int
    pack_version: int
    level: int
    leftovers: Leftovers = field(default_factory=Leftovers)

    def decoder(self) -> RecordDecoder:
        """Return a decoder for one thread."""
        return decoder_with(self.keys)

    def appender(self, staging: Path) -> PackAppender:
        """Return the writer of one run's packs, which begin in ``staging``."""
        return PackAppender(
            self.layout,
            self.repository_id.bytes,
            staging,
            packs=self.packs,
            pack_bytes=self.pack_bytes,
            pack_version=self.pack_version,
        )

    def storage_plan(self) -> StoragePlan:
        """Return how one run stores chunks; each plan is an encryption session of its own."""
        if self.keys is None:
            return StoragePlan(self.chunk_bytes, self.frame_bytes, self.level, Hasher(), None)
        session = SessionCipher(self.keys)
        return StoragePlan(self.chunk_bytes, self.frame_bytes, self.level, self.keys.hasher(), session)

    def tree(self, disk: PointDisk) -> PageTree:
        """Open the index of a point's disk, for any number of threads."""
        decoder, one_at_a_time = self.decoder(), threading.Lock()

        def load(digest: bytes) -> bytes:
            with one_at_a_time:
                return self.store.blob(digest, decoder)

        count = chunk_count(disk.capacity_bytes, self.chunk_bytes)
        return PageTree(bytes.fromhex(disk.root), count, load)
