"""What distinguishes a lost catalog from a first start, and the copies that help then.

Next to the catalog is a mark, ``catalog.db.mark``: a small file that names the catalog which was opened here last.
A catalog that is empty, missing or another one is not opened when there is a mark; otherwise the program would
begin as on its first day and silently back nothing up. Once a day a copy is made in ``catalog-copies``.

Thread: any, but one process at a time: the holder of the engine's lock.
"""

import logging
import os
import shutil
import sqlite3
import uuid
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Final

import msgspec

from app.catalog.errors import CatalogForeign, CatalogLost, CatalogUnavailable, NoCatalogCopy
from app.catalog.reasons import COPY_NOT_WHOLE, NO_ROOM_FOR_COPY, copy_reason
from app.core.durable import (
    is_scratch_of,
    rename,
    replace,
    replace_durably,
    scratch_path_for,
    sync_directory,
    unlink,
)
from app.core.privatefiles import create_private, make_private_folders
from app.core.space import space_at
from app.domain.catalogs import CatalogChoice
from app.domain.reasons import reason_of

_log = logging.getLogger(__name__)

IDENTITY: Final = "catalog.identity"
"""Name of the setting that holds the catalog's own id."""
COPIES_FOLDER: Final = "catalog-copies"
MOST_COPIES: Final = 3
COPY_EVERY: Final = timedelta(hours=20)
_TRACES: Final = ("engine.lock", "secrets.json", COPIES_FOLDER)
"""What an earlier start has left next to a catalog that is empty now."""
_MOST_MARK_BYTES: Final = 4096
_RESTORED: Final = ".restored"
_COPYING: Final = ".part"
_SIBLINGS: Final = ("", "-wal", "-shm", "-journal", ".checked")


class _Mark(msgspec.Struct, frozen=True):
    catalog: str


class Verdict(Enum):
    """What a catalog is, compared with the one that was opened last."""

    RIGHT = "right"
    LOST = "lost"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Found:
    """What is at the place of the catalog."""

    has_tables: bool
    """False when there is no file, or an empty one."""
    identity: str | None = None


def verdict_on(marked: str | None, found: Found, *, is_marked: bool, has_traces: bool) -> Verdict:
    """Decide whether a catalog is the right one.

    Args:
        marked: the id in the mark; None where it cannot be read.
        found: what is there.
        is_marked: whether there is a mark.
        has_traces: whether an empty file is there, with files next to it that an earlier start has left.
    """
    if not found.has_tables:
        return Verdict.LOST if is_marked or has_traces else Verdict.RIGHT
    if marked is None or found.identity == marked:
        return Verdict.RIGHT
    return Verdict.FOREIGN


class CatalogGuard:
    """Protects the file of one catalog: detects its loss, makes and restores safety copies."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._mark_file = file.with_name(f"{file.name}.mark")
        self._birth_note = file.with_name(f"{file.name}.beginning")
        self._copies = file.with_name(COPIES_FOLDER)

    # --- at each start -----------------------------------------------------------------------------------------

    def refuse_loss(self) -> None:
        """Make sure that the catalog is the one that was opened last, or that there was none.

        Raises:
            CatalogLost: it is empty or missing.
            CatalogForeign: it is another one.
        """
        found = look_at(self.file)
        if found is None:  # damaged or locked: opening it says which
            return
        marked, is_marked = self._marked()
        verdict = verdict_on(marked, found, is_marked=is_marked, has_traces=self._has_traces())
        if verdict is Verdict.RIGHT:
            return
        kind = CatalogLost if verdict is Verdict.LOST else CatalogForeign
        raise kind(location=self.file, copy=self.newest_copy_at() or "-")

    def announce_birth(self) -> None:
        """Note that a catalog is begun where none was: a kill before it has tables is not the loss of one."""
        found = look_at(self.file)
        if found is None or found.has_tables or self._birth_note.exists():
            return
        try:
            replace_durably(self._birth_note, b"")
        except OSError as error:
            _log.info("that a catalog is begun was not noted: %s", error)

    def note(self, identity: str) -> None:
        """Remember which catalog was opened."""
        try:
            if self._marked()[0] != identity:
                replace_durably(self._mark_file, msgspec.json.encode(_Mark(catalog=identity)))
            unlink(self._birth_note, missing_ok=True)
        except OSError as error:
            _log.warning("a loss of the catalog would not be noticed: %s", error)

    def _marked(self) -> tuple[str | None, bool]:
        try:
            with self._mark_file.open("rb") as file:
                return msgspec.json.decode(file.read(_MOST_MARK_BYTES), type=_Mark).catalog, True
        except FileNotFoundError:
            return None, False
        except (OSError, msgspec.MsgspecError):
            return None, True

    def _has_traces(self) -> bool:
        if self._birth_note.exists():
            return False
        return self.file.exists() and any(self.file.with_name(name).exists() for name in _TRACES)

    # --- what can be done about it -----------------------------------------------------------------------------

    def settle(self, choice: CatalogChoice) -> None:
        """Do what was chosen; what is there is set aside under another name and never deleted.

        Raises:
            NoCatalogCopy: there is none to restore.
            CatalogUnavailable: the disk refuses.
        """
        try:
            if choice is CatalogChoice.RESTORE:
                self._restore()
            elif choice is CatalogChoice.NEW:
                self._set_aside()
                unlink(self._mark_file, missing_ok=True)
            else:
                found = look_at(self.file)
                if found is not None and not found.has_tables:
                    self._set_aside()
                unlink(self._mark_file, missing_ok=True)
            sync_directory(self.file.parent)
        except OSError as error:
            raise CatalogUnavailable(location=self.file, detail=reason_of(error)) from error

    def _restore(self) -> None:
        copy = next((kept for kept in self.copies() if _is_whole(kept)), None)
        if copy is None:
            raise NoCatalogCopy(folder=self._copies)
        _remove_leftovers(self.file, _RESTORED)
        scratch = scratch_path_for(self.file, _RESTORED)
        with _removed_if_stopped(scratch), copy.open("rb") as source:
            with create_private(scratch) as restored:
                shutil.copyfileobj(source, restored)
            _sync(scratch)
            self._set_aside()
            replace(scratch, self.file)
        unlink(self._mark_file, missing_ok=True)

    def _set_aside(self) -> None:
        stamp = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}"
        for suffix in _SIBLINGS:
            with suppress(FileNotFoundError):
                part = self.file.with_name(f"{self.file.name}{suffix}")
                rename(part, self.file.with_name(f"set-aside-{stamp}-{self.file.name}{suffix}"))

    # --- copies ------------------------------------------------------------------------------------------------

    def copies(self) -> list[Path]:
        """Return the safety copies, newest first; those of the future, which a wrong clock dated, come last."""
        latest = f"catalog-{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}.db"
        try:
            return sorted(
                self._copies.glob("catalog-*.db"), key=lambda copy: (copy.name <= latest, copy.name), reverse=True
            )
        except OSError:
            return []

    def newest_copy_at(self) -> str | None:
        """Return of which day the newest safety copy is; None when there is none."""
        newest = next(iter(self.copies()), None)
        return None if newest is None else newest.stem.removeprefix("catalog-")

    def is_copy_due(self, now: datetime) -> bool:
        """Return whether a copy should be made; one of the future counts as none."""
        newest = next(iter(self.copies()), None)
        if newest is None:
            return True
        try:
            made_at = datetime.fromtimestamp(newest.stat().st_mtime, UTC)
        except OSError:
            return True
        return not timedelta() <= now - made_at < COPY_EVERY

    def copy(self, now: datetime) -> Path:
        """Make a copy while the catalog is used, and drop the oldest.

        Raises:
            CatalogUnavailable: there is no room, or the disk refuses.
        """
        target = self._copies / f"catalog-{now:%Y-%m-%d}.db"
        self._copy_to(target)
        try:
            for old in self.copies()[MOST_COPIES:]:
                unlink(old, missing_ok=True)
        except OSError as error:
            raise CatalogUnavailable(location=self._copies, detail=copy_reason(error)) from error
        return target

    def copy_before_change(self, changeable: Collection[str]) -> Path | None:
        """Keep what another version of the program wrote, before its tables are changed; None when they are not.

        The copy is named by its schema and never dropped: with it the older version can be installed again.

        Args:
            changeable: the older schemas that this program brings up to date.

        Raises:
            CatalogUnavailable: there is no room, or the disk refuses.
        """
        found = schema_of(self.file)
        if found is None or found not in changeable:
            return None
        target = self._copies / f"schema-{found}.db"
        self._copy_to(target)
        return target

    def _copy_to(self, target: Path) -> None:
        made_for = self._copies / self.file.name  # whatever the day, so that leftovers of all days are found
        scratch = scratch_path_for(made_for, _COPYING)
        try:
            make_private_folders(self._copies)
            _remove_leftovers(made_for, _COPYING)
            space = space_at(self._copies)
            if space is not None and space.free_bytes < 2 * self.file.stat().st_size:
                raise CatalogUnavailable(location=self._copies, detail=NO_ROOM_FOR_COPY)
            create_private(scratch).close()
            with _removed_if_stopped(scratch):
                with closing(_read_only(self.file)) as source, closing(sqlite3.connect(scratch)) as copied:
                    source.backup(copied)
                if not _is_whole(scratch):
                    raise CatalogUnavailable(location=scratch, detail=COPY_NOT_WHOLE)
                _sync(scratch)
                replace(scratch, target)
            sync_directory(self._copies)
        except (OSError, sqlite3.Error) as error:
            raise CatalogUnavailable(location=self._copies, detail=copy_reason(error)) from error


def look_at(file: Path) -> Found | None:
    """Look at a catalog without changing it; None when it cannot be read."""
    try:
        if file.stat().st_size == 0:
            return Found(has_tables=False)
    except FileNotFoundError:
        return Found(has_tables=False)
    except OSError:
        return None
    try:
        with closing(_read_only(file)) as connection:
            tables = {
                str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
            }
            if "settings" not in tables:
                return Found(has_tables=bool(tables))
            row = connection.execute("SELECT body FROM settings WHERE name = ?", (IDENTITY,)).fetchone()
            return Found(has_tables=True, identity=None if row is None else str(row[0]))
    except sqlite3.Error:
        return None


def schema_of(file: Path) -> str | None:
    """Return which schema a catalog has; None where there is none, or it cannot be read."""
    if not file.exists():
        return None
    try:
        with closing(_read_only(file)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error:  # no such table, or damaged: opening it says which
        return None
    return None if row is None else str(row[0])


def _read_only(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)


def _is_whole(file: Path) -> bool:
    try:
        with closing(_read_only(file)) as connection:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        return False
    return verdict == ("ok",) and bool(tables[0])


@contextmanager
def _removed_if_stopped(scratch: Path) -> Iterator[None]:
    """Leave nothing behind of a file that is not whole; on a full disk its space is needed."""
    try:
        yield
    except BaseException:
        for suffix in _SIBLINGS:
            with suppress(OSError):
                unlink(scratch.with_name(f"{scratch.name}{suffix}"), missing_ok=True)
        raise


def _remove_leftovers(file: Path, suffix: str) -> None:
    """Remove what a killed process left; who calls holds the engine's lock, so no one makes such files now."""
    for path in file.parent.iterdir():
        name = path.name
        for sibling in _SIBLINGS:
            if is_scratch_of(file, name.removesuffix(sibling), suffix):
                with suppress(OSError):
                    unlink(path)
                break


def _sync(file: Path) -> None:
    descriptor = os.open(file, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
