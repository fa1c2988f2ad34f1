"""Serves what the files of exports say. Nothing listens while there is nothing to serve.

Each export is opened and closed on a thread of its own, because its standby may hang: the others are served
meanwhile, and whoever asks how things are hears of it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Final

import msgspec

from app.core.nfs3 import NFS_PORT, PORTMAP_PORT
from app.domain.errors import KeptError, OperationalError
from app.nfs.content import OpenFiles
from app.nfs.errors import NfsError
from app.nfs.failures import NO_ANSWER, StandbyAwayUnderVm, failure_of
from app.nfs.names import NamesDamaged
from app.nfs.overlay import OverlayError
from app.nfs.service.begun import BegunRecoveries
from app.nfs.service.exports import EXPORTS_FOLDER, Export, ExportFolder, ExportUnreadable
from app.nfs.service.health import StandbyHealth
from app.nfs.service.opening import KeyMissing, OpenSource, ServedRecovery, open_recovery
from app.nfs.service.shares import Shares
from app.nfs.trouble import PATIENCE_S, trouble_of

_log = logging.getLogger(__name__)

_SAID: Final = (OperationalError, OverlayError, NamesDamaged, NfsError, OSError)
"""Why something is not served."""


class ServingState(Enum):
    """What becomes of an export."""

    SERVED = "served"
    LOCKED = "locked"
    """The key of its repository was not given."""
    FAILED = "failed"
    """It is tried again at the next look."""


class ServingRow(msgspec.Struct, frozen=True, kw_only=True):
    """An export as it is served."""

    id: str
    state: ServingState
    error: KeptError | None = None
    """Why it is not served, or what the standby refuses while it is."""
    port: int = 0
    reads: int = 0
    read_bytes: int = 0
    writes: int = 0
    written_bytes: int = 0
    log_bytes: int = 0
    """What its overlays take at the standby."""
    live_bytes: int = 0
    """What of that is needed."""
    free_bytes: int | None = None
    """What the standby had free when it was looked at last; None where that is not known."""


class _Served:
    """An export that is open, and its standby's health."""

    def __init__(self, recovery: ServedRecovery) -> None:
        self.recovery = recovery
        self.health = StandbyHealth(recovery)


class Serving:
    """The server with all its exports. Thread: any.

    Locks, one taken before the next: ``_looking`` (one look at a time), ``_sharing`` (what hosts see), ``_lock``
    (the fields; nothing is waited for with it).
    """

    def __init__(
        self,
        folder: Path,
        open_source: OpenSource,
        *,
        port: int = NFS_PORT,
        portmap_port: int = PORTMAP_PORT,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Serve nothing yet.

        Args:
            folder: of the service, with the files of what is to be served.
            open_source: opens a restore point.
            port: of NFS and MOUNT.
            portmap_port: of the port mapper.
            patience_s: how long a look waits for standbys.
        """
        self._exports = ExportFolder(folder / EXPORTS_FOLDER)
        self._begun = BegunRecoveries(folder)
        self._open_source = open_source
        self._patience_s = patience_s
        self._looking = threading.Lock()
        self._sharing = threading.Lock()
        self._lock = threading.Lock()
        self._keys: dict[str, bytes] = {}
        self._wanted: dict[str, Export] = {}
        self._served: dict[str, _Served] = {}
        self._paused: dict[str, Export] = {}
        self._problems: dict[str, tuple[ServingState, KeptError | None]] = {}
        self._at_work: dict[str, threading.Thread] = {}
        self._unopened: set[str] = set()
        self._opened_one = threading.Condition(self._lock)
        self._may_show = threading.Event()
        self._may_show.set()
        self._files = OpenFiles()
        self._shares = Shares(folder, self._files, port=port, portmap_port=portmap_port)

    def look(self, keys: Mapping[str, bytes] | None = None) -> None:
        """Serve what is to be served now, and nothing else; ``keys`` are those of repositories, by their ids.

        A standby that does not answer is waited for no longer than the patience; the rows say so then.
        """
        with self._looking:
            wanted, unreadable = self._read_exports()
            with self._lock:
                self._keys.update(keys or {})
                gone = self._problems.keys() - wanted.keys()
                self._problems = {key: why for key, why in self._problems.items() if key not in gone} | unreadable
            self._settle(wanted)
            with self._sharing:
                self._begun.keep_only({*wanted, *unreadable, *self._served})

    def _read_exports(self) -> tuple[dict[str, Export], dict[str, tuple[ServingState, KeptError | None]]]:
        found: dict[str, Export] = {}
        problems: dict[str, tuple[ServingState, KeptError | None]] = {}
        for export_id in self._exports.ids():
            try:
                export = self._exports.read(export_id)
            except (ExportUnreadable, OSError) as error:
                _log.warning("the export %s cannot be read: %s", export_id, error)
                problems[export_id] = ServingState.FAILED, KeptError.of(failure_of(error))
                continue
            if export is not None:
                found[export_id] = export
        return found, problems

    def _settle(self, wanted: dict[str, Export]) -> None:
        """Have it served as it is wanted, each on a thread, and wait for them."""
        with self._lock:
            self._wanted = wanted
            ids = {*wanted, *self._served, *self._paused}
            due = [export_id for export_id in ids if not self._is_settled(export_id)]
        deadline = time.monotonic() + self._patience_s
        self._open(due)
        with self._lock:
            threads = dict(self._at_work)
        for thread in threads.values():
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            for export_id in threads.keys() & self._at_work.keys() & wanted.keys():
                self._problems[export_id] = ServingState.FAILED, KeptError.of(StandbyAwayUnderVm(detail=NO_ANSWER))
        with self._sharing:
            self._shares.end_idle()

    def _open(self, due: Sequence[str]) -> None:
        """Open what is due, each on a thread, and show it.

        Nothing listens before it is open: a client that does not know how to wait connects once more instead.
        Where one takes long, or there are several, hosts are told to wait for what is not shown yet.
        """
        with self._lock:
            begun = [export_id for export_id in due if export_id not in self._at_work]
            awaited = {export_id for export_id in begun if self._is_to_be_opened(export_id)}
            self._unopened |= awaited
            self._may_show.clear()
        try:
            for export_id in begun:
                self._work_at(export_id)
            with self._opened_one:
                self._opened_one.wait_for(lambda: not self._unopened & awaited, self._patience_s / 2)
                is_quiet = len(due) == 1 and not self._unopened & frozenset(due)
            if not is_quiet:
                for export_id in due:
                    self._expect(export_id)
        finally:
            self._may_show.set()

    def _is_to_be_opened(self, export_id: str) -> bool:
        wanted = self._wanted.get(export_id)
        return wanted is not None and not wanted.is_paused

    def _note_opened(self, export_id: str) -> None:
        """Take in that an export is open, or cannot be opened."""
        with self._opened_one:
            self._unopened.discard(export_id)
            self._opened_one.notify_all()

    def _is_settled(self, export_id: str) -> bool:
        served, paused = self._served.get(export_id), self._paused.get(export_id)
        there = served.recovery.export if served is not None else paused
        return there == self._wanted.get(export_id)

    def _expect(self, export_id: str) -> None:
        """Let hosts wait for what is to be served, before anything of it is opened."""
        export = self._wanted.get(export_id)
        if export is None or export.is_paused:
            return
        try:
            with self._sharing:
                self._shares.expect(export)
        except _SAID as error:
            self._note_problem(export_id, error)

    def _work_at(self, export_id: str) -> None:
        with self._lock:
            if export_id in self._at_work:
                return
            thread = threading.Thread(target=self._work, args=(export_id,), name="nfs-export", daemon=True)
            self._at_work[export_id] = thread
        thread.start()

    def _work(self, export_id: str) -> None:
        """Bring one export to what is wanted of it."""
        is_over = False
        while not is_over:
            try:
                is_over = self._step(export_id)
            except Exception:  # noqa: BLE001 - a bug costs one export, not the others; it is logged
                _log.error("the export %s cannot be served or ended", export_id, exc_info=True)
                with self._lock:
                    self._at_work.pop(export_id, None)
                is_over = True

    def _step(self, export_id: str) -> bool:
        """Do the next that is to be done about an export; return whether it was the last."""
        with self._lock:
            wanted = self._wanted.get(export_id)
            served, paused = self._served.get(export_id), self._paused.get(export_id)
            if self._is_settled(export_id):
                del self._at_work[export_id]
                return True
        if served is not None:
            self._end(served, keeps_share=wanted is not None)
        elif paused is not None:
            with self._sharing:
                self._shares.leave(paused)
            with self._lock:
                del self._paused[export_id]
        elif wanted is not None and not self._begin(wanted):
            with self._lock:
                del self._at_work[export_id]
            return True
        return False

    def _begin(self, export: Export) -> bool:
        """Serve an export; return whether that could be done."""
        try:
            if export.is_paused:
                with self._sharing:
                    self._shares.hold(export)
                with self._lock:
                    self._paused[export.id] = export
                return True
            recovery = self._opened(export)
        except KeyMissing:
            with self._lock:
                self._problems[export.id] = ServingState.LOCKED, None
            return False
        except _SAID as error:
            self._note_problem(export.id, error, in_words=trouble_of)
            return False
        finally:
            self._note_opened(export.id)
        self._may_show.wait()
        return self._show(export, _Served(recovery))

    def _opened(self, export: Export) -> ServedRecovery:
        with self._lock:
            key = self._keys.get(export.repository_id)
        seen = self._begun.seen(export)
        recovery = open_recovery(export, self._open_source(export, key), self._files, seen)
        try:
            with self._sharing:
                self._begun.note(export, recovery.records)
        except BaseException:
            recovery.close()
            raise
        return recovery

    def _show(self, export: Export, served: _Served) -> bool:
        try:
            with self._sharing:
                self._shares.join(export, served.recovery.volume)
        except _SAID as error:
            served.recovery.close()
            self._note_problem(export.id, error)
            return False
        served.health.look()
        with self._lock:
            self._served[export.id] = served
            self._problems.pop(export.id, None)
        served.health.start()
        _log.info("the restore point %s is served to %s", export.point, ", ".join(export.clients))
        return True

    def _note_problem(
        self, export_id: str, error: Exception, in_words: Callable[[Exception], OperationalError] = failure_of
    ) -> None:
        kept = ServingState.FAILED, KeptError.of(in_words(error))
        with self._lock:
            is_known = self._problems.get(export_id) == kept
            self._problems[export_id] = kept
        if not is_known:
            _log.warning("the export %s cannot be served: %s", export_id, error)

    def _end(self, served: _Served, *, keeps_share: bool = False) -> None:
        export = served.recovery.export
        with self._sharing:
            (self._shares.hide if keeps_share else self._shares.leave)(export)
        served.health.stop()
        served.recovery.close()
        self._note_progress([served])
        with self._lock:
            del self._served[export.id]
        _log.info("the restore point %s is served no more", export.point)

    def rows(self) -> tuple[ServingRow, ...]:
        """Return what becomes of each export; never waits for a standby."""
        with self._lock:
            served = tuple(self._served.values())
            problems = [
                ServingRow(id=export_id, state=state, error=error)
                for export_id, (state, error) in self._problems.items()
                if export_id not in self._served
            ]
        return (*map(self._row, served), *problems)

    def _row(self, served: _Served) -> ServingRow:
        recovery, traffic = served.recovery, served.recovery.volume.traffic
        error = served.health.error()
        return ServingRow(
            id=recovery.export.id,
            state=ServingState.SERVED,
            error=None if error is None else KeptError.of(error),
            port=self._shares.port_of(recovery.export),
            reads=traffic.reads,
            read_bytes=traffic.read_bytes,
            writes=traffic.writes,
            written_bytes=traffic.written_bytes,
            log_bytes=sum(content.disk.log_bytes for content in recovery.disks.values()),
            free_bytes=served.health.free_bytes,
            live_bytes=sum(content.disk.live_bytes for content in recovery.disks.values()),
        )

    def note_progress(self) -> None:
        """Remember on this machine how much is durable at the standbys; never raises."""
        self._note_progress(self._all())

    def _note_progress(self, found: Iterable[_Served]) -> None:
        try:
            with self._sharing:
                for served in found:
                    self._begun.note(served.recovery.export, served.recovery.records)
        except OSError as error:
            _log.warning("how much is durable is not remembered: %s", error)

    def has_failed(self) -> bool:
        """Return whether files have to be closed or opened again.

        They take nothing any more, are on another mount, or are lost with the file system that they are on.
        """
        return any(
            served.recovery.has_failed or served.health.is_there_anew or served.health.is_lost
            for served in self._all()
        )

    def _all(self) -> Iterable[_Served]:
        with self._lock:
            return tuple(self._served.values())

    def close(self) -> None:
        """Serve nothing any more."""
        with self._looking:
            self._settle({})
            self._files.close()
