"""Appends records to packs and seals full packs in the background. Thread: any."""

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from app.domain.errors import OperationalError
from app.repository.files import storage_errors
from app.repository.layout import PACK_SUFFIX, Layout
from app.repository.packs import PackBuilder
from app.repository.records import EncodedRecord, RecordKind
from app.repository.sealedpacks import SealedPacks

_SEALS_UNDER_WAY = 2


class PackAppender:
    """The only writer of one run's packs.

    A digest is claimed before its record is made, so that no two workers store the same content. Claims go to
    the locator when their pack is sealed. Packs begin in ``staging`` and are moved to their place when they are
    durable; one that was begun and never finished is salvaged by a later run.
    """

    def __init__(
        self,
        layout: Layout,
        repository_id: bytes,
        staging: Path,
        *,
        packs: SealedPacks,
        pack_bytes: int,
        pack_version: int,
    ) -> None:
        self._layout = layout
        self._repository_id = repository_id
        self._staging = staging
        self._packs = packs
        self._pack_bytes = pack_bytes
        self._pack_version = pack_version
        self._lock = threading.Lock()
        self._claims_lock = threading.Lock()
        self._builder: PackBuilder | None = None
        self._claims: set[bytes] = set()
        self._sealer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pack-sealer")
        self._seals: list[Future[None]] = []
        self._failure: OperationalError | None = None
        self.stored_bytes = 0
        """Bytes of records appended so far."""

    def claim(self, digest: bytes) -> bool:
        """Return whether the caller has to store this digest: no one else did or does."""
        if self._packs.holds(digest):
            return False
        with self._claims_lock:
            if digest in self._claims:
                return False
            self._claims.add(digest)
            return True

    def give_up(self, digest: bytes) -> None:
        """Take a claim back whose record could not be made; someone else may store it."""
        with self._claims_lock:
            self._claims.discard(digest)

    def _check(self) -> None:
        """Fail again once anything failed: what was claimed since then may never have been stored."""
        if self._failure is not None:
            raise self._failure

    def append(self, kind: RecordKind, digest: bytes, raw_bytes: int, record: EncodedRecord) -> None:
        """Write a claimed record behind the last one.

        Raises:
            StandbyFull, StandbyUnavailable: the standby refuses.
            LocatorUnavailable: the local disk refuses.
        """
        with self._lock:
            self._check()
            try:
                with storage_errors(self._layout.root):
                    builder = self._builder or self._begin()
                    builder.append(kind, digest, raw_bytes, record)
            except OperationalError as error:
                self._failure = error
                raise
            self.stored_bytes += record.length_bytes
            if builder.size_bytes >= self._pack_bytes:
                self._seal_in_background(_SEALS_UNDER_WAY)

    def _begin(self) -> PackBuilder:
        path = self._staging / f"{os.urandom(16).hex()}{PACK_SUFFIX}"
        self._builder = PackBuilder(path, self._repository_id, self._pack_version)
        return self._builder

    def _seal_in_background(self, most_under_way: int) -> None:
        builder, self._builder = self._builder, None
        if builder is not None:
            self._seals.append(self._sealer.submit(self._seal, builder))
        while len(self._seals) > most_under_way:
            self._seals.pop(0).result()

    def _seal(self, builder: PackBuilder) -> None:
        try:
            with storage_errors(self._layout.root):
                builder.seal(self._layout.pack(builder.pack_id))
            self._packs.add(builder.pack_id, builder.size_bytes, builder.entries)
        except OperationalError as error:
            self._failure = error
            raise
        with self._claims_lock:
            self._claims.difference_update(entry.digest for entry in builder.entries)

    def flush(self) -> None:
        """Seal what is open and wait until everything appended is durable.

        Raises:
            StandbyFull, StandbyUnavailable: the standby refuses.
            LocatorUnavailable: the local disk refuses.
        """
        with self._lock:
            self._check()
            self._seal_in_background(0)
            self._check()

    def close(self) -> None:
        """Keep what can be kept for the next run, and release everything; never raises."""
        with suppress(OperationalError):
            self.flush()
        self._sealer.shutdown(wait=True)
        for seal in self._seals:
            seal.exception()
        if self._builder is not None:
            self._builder.discard()
            self._builder = None
