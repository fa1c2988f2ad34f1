"""The sealed packs of one repository: which there are, what they hold, which cannot be trusted. Thread: any."""

import errno
import stat
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from app.core.durable import rename, sync_directory
from app.repository.errors import WrittenByNewer
from app.repository.files import storage_error, storage_errors
from app.repository.layout import Layout
from app.repository.leftovers import Leftovers
from app.repository.locator import Locator
from app.repository.packfiles import PackFiles
from app.repository.packlists import list_packs
from app.repository.packs import PackDamaged, PackEntry, PackTooNew, read_footer, scan_records
from app.repository.reasons import PACK
from app.repository.records import RecordDecoder

_GONE: Final = frozenset({errno.ENOENT, errno.ESTALE})
"""What the system says of a file that was deleted, by this machine or, on a share, by another one."""


class SealedPacks:
    """Knows the packs at the standby, and keeps the locator agreeing with them. Thread: any."""

    def __init__(
        self, layout: Layout, repository_id: bytes, locator: Locator, make_decoder: Callable[[], RecordDecoder]
    ) -> None:
        self._make_decoder = make_decoder
        self._layout = layout
        self._repository_id = repository_id
        self._locator = locator
        self._lock = threading.Lock()
        self._may_synchronize = True
        self._seen: frozenset[str] = frozenset()
        """Packs that were seen in this root, as large as the locator knows them."""
        self.files = PackFiles(layout)
        """Those that are open for reading."""
        self.damaged: dict[str, str] = {}
        """Packs whose header, footer or trailer cannot be trusted, with the reason."""
        self.newer: set[str] = set()
        """Packs that a newer program wrote; they are left alone."""

    def close(self) -> None:
        """Close all packs; the next read opens its pack again."""
        self.files.close()

    def holds(self, digest: bytes) -> bool:
        """Return whether a sealed pack of this root holds a record.

        The locator alone is not believed: the pack must be a file here, as large as it was when it was taken in.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        place = self._locator.find(digest)
        return place is not None and (place.pack_id in self._seen or self._is_here(place.pack_id))

    def _is_here(self, pack_id: str) -> bool:
        try:
            found = self._layout.pack(pack_id).lstat()
        except OSError:
            return False
        if not stat.S_ISREG(found.st_mode) or found.st_size != self._locator.pack_size(pack_id):
            return False
        self._seen = self._seen | {pack_id}
        return True

    def add(self, pack_id: str, size_bytes: int, entries: Sequence[PackEntry]) -> None:
        """Take in what a pack of this size holds that was sealed in this root just now.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        self._locator.add_pack(pack_id, size_bytes, entries)

    def synchronize(self) -> None:
        """Take in packs that others added, and forget those that are gone.

        Raises:
            StandbyUnavailable: the standby cannot be read.
            LocatorUnavailable: the local disk refuses.
        """
        with self._lock:
            with storage_errors(self._layout.root):
                present = list_packs(self._layout)
            self.newer &= present.keys()
            self._locator.synchronize(present, self.entries)
            self._seen = frozenset(present)
            self._may_synchronize = False

    def allow_synchronization(self) -> None:
        """Let the next record that is not found look for new packs, once."""
        self._may_synchronize = True

    def miss(self, pack_id: str, error: OSError) -> None:
        """Take in that a pack cannot be read: where it has gone, what it held may be looked for, once."""
        if error.errno in _GONE:
            self.files.forget(pack_id)
            if self._locator.pack_size(pack_id) is not None:
                self.allow_synchronization()

    def catch_up(self) -> bool:
        """Synchronize, unless that was done since it was last allowed; return whether it was done now.

        Garbage collection elsewhere may have moved what a reader looks for.

        Raises:
            StandbyUnavailable: the standby cannot be read.
            LocatorUnavailable: the local disk refuses.
        """
        if not self._may_synchronize:
            return False
        self.synchronize()
        return True

    def entries(self, pack_id: str) -> Sequence[PackEntry] | None:
        """Return what a pack holds, None when that cannot be determined; a damaged pack is noted.

        Raises:
            StandbyUnavailable: the standby is gone.
        """
        path = self._layout.pack(pack_id)
        try:
            found = read_footer(path, self._repository_id)
        except PackTooNew:
            self.newer.add(pack_id)
            return None
        except PackDamaged as error:
            self.damaged[pack_id] = str(error)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.check_standby()
            self.damaged[pack_id] = error.strerror or str(error)
            return None
        else:
            self.damaged.pop(pack_id, None)  # it may have been refused for a moment only
            return found
        try:  # the records say themselves where they begin and what they are
            return self._whole_records(path)
        except OSError:
            return None

    def _whole_records(self, path: Path) -> list[PackEntry]:
        """Return the records of a damaged pack that are what was stored; no backup must rest on the others."""
        decoder, verdicts = self._make_decoder(), list[bool]()

        def look(record: bytes) -> bool:
            verdicts.append(decoder.is_whole(record))
            return True

        entries = list(scan_records(path, look))
        return [entry for entry, is_whole in zip(entries, verdicts, strict=True) if is_whole]

    def check_standby(self) -> None:
        """Distinguish one unreadable file from a standby that is gone.

        Raises:
            StandbyUnavailable: it is gone.
        """
        try:
            self._layout.settings.stat()
        except OSError as error:
            raise storage_error(error, self._layout.root) from error

    def refuse_newer(self) -> None:
        """Make sure that this program reads every pack.

        Raises:
            WrittenByNewer: it does not.
        """
        if self.newer:
            raise WrittenByNewer(what=PACK.fill(pack=min(self.newer)))

    def remove(self, pack_id: str, leftovers: Leftovers) -> bool:
        """Delete a pack that nothing needs; return whether it is gone. The caller holds the exclusive lease.

        Raises:
            StandbyUnavailable: the standby is gone.
            LocatorUnavailable: the local disk refuses.
        """
        self.files.forget(pack_id)
        path = self._layout.pack(pack_id)
        if not leftovers.remove(path):
            self.check_standby()
            return False
        with storage_errors(self._layout.root):
            sync_directory(path.parent)
        self._locator.forget_packs([pack_id])
        return True

    def set_aside(self, pack_id: str, leftovers: Leftovers) -> bool:
        """Move a damaged pack into ``damaged/``, where it can be examined; return whether that was possible.

        Raises:
            StandbyUnavailable: the standby is gone.
            LocatorUnavailable: the local disk refuses.
        """
        self.files.forget(pack_id)
        path = self._layout.pack(pack_id)
        try:
            rename(path, self._layout.damaged / path.name)
        except OSError as error:
            self.check_standby()
            leftovers.note(path, error)
            return False
        with storage_errors(self._layout.root):
            sync_directory(self._layout.damaged)
            sync_directory(path.parent)
        self.damaged.pop(pack_id, None)
        self._locator.forget_packs([pack_id])
        return True
