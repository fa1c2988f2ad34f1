"""Closing the repositories of a standby machine to other users, as a task: look how much there is, then change it.

What else is in the root of a standby machine belongs to others, and stays as it is.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from app.contract.standbys import OpenEntriesRow
from app.core.clock import Clock
from app.core.closing import (
    ClosingReport,
    ModesNotKept,
    NamedPaths,
    OpenEntries,
    close_to_others,
    find_open_entries,
)
from app.domain.errors import StandbyUnavailable
from app.domain.ids import StandbyId
from app.domain.messages import Message, listed
from app.domain.reasons import reason_of
from app.domain.standbys import Standby
from app.domain.states import TaskState
from app.engine import messages
from app.engine.errors import EntriesNotClosed, LinkedNotClosed, RightsNotKept
from app.engine.ports import StandbyStore
from app.engine.reasons import ENTRY, ENTRY_REFUSED
from app.engine.standbys.filesystems import check_root, find_repositories
from app.engine.standbys.lookup import registered_standby
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import ClosingSpec

_LOOK_S: Final = 5.0
"""How long a question may look; a repository can have a hundred thousand files on a slow share."""


def find_open(standbys: StandbyStore, clock: Clock, standby: StandbyId) -> OpenEntriesRow:
    """Count what other users can use in the repositories of a standby machine, for some seconds.

    Raises:
        StandbyUnknown: there is none of that id.
        StandbyUnavailable: it is not there.
    """
    known = _standby_there(standbys, standby)
    deadline = clock.monotonic() + _LOOK_S
    found = OpenEntries()
    for folder in _repository_folders(known):
        found.add(find_open_entries(folder, goes_on=lambda: clock.monotonic() < deadline))
    return OpenEntriesRow(
        path=known.root_path, count=found.count, linked=found.linked, is_complete=found.is_complete
    )


class ClosingRun:
    """One closing of the repositories of one standby machine. Thread: the task's."""

    def __init__(self, standbys: StandbyStore, task: RunningTask, request: ClosingSpec) -> None:
        self._standbys = standbys
        self._task = task
        self._request = request
        self._report = ClosingReport()

    def run(self) -> ClosingReport:
        """Take the rights of other users wherever that is possible.

        Raises:
            RightsNotKept: the file system keeps no rights.
            EntriesNotClosed, LinkedNotClosed: something is still open; everything else is closed.
            StandbyUnavailable: it is not there, or refuses.
            TaskCancelled: the operator stopped it; what was done stays done.
        """
        task, report = self._task, self._report
        task.stages.enter(TaskState.PREPARING)
        standby = _standby_there(self._standbys, self._request.standby)
        folders = _repository_folders(standby)
        for folder in folders:
            found = find_open_entries(folder, goes_on=lambda: not task.context.cancel.is_cancelled)
            task.context.cancel.check()
            task.context.progress.expect(found.size_bytes)
        task.stages.enter(TaskState.RUNNING)
        is_whole = False
        try:
            for folder in folders:
                self._close(folder)
            is_whole = not report.refused.count and not report.linked.count
        finally:
            task.log.info(
                messages.STANDBY_CLOSED if is_whole else messages.STANDBY_CLOSED_PARTLY, count=report.changed
            )
        self._name_what_is_left(standby)
        return report

    def _close(self, folder: Path) -> None:
        try:
            close_to_others(folder, self._report, on_size=self._advance)
        except ModesNotKept as error:
            raise RightsNotKept(path=folder) from error
        except OSError as error:
            raise StandbyUnavailable(path=folder, detail=reason_of(error)) from error

    def _advance(self, size_bytes: int) -> None:
        self._task.context.cancel.check()
        self._task.context.progress.advance(done_bytes=size_bytes)

    def _name_what_is_left(self, standby: Standby) -> None:
        refused, linked = self._report.refused, self._report.linked
        for path, detail in refused.first:
            self._task.log.warning(messages.NOT_CLOSED, path=path, detail=detail)
        for path, _ in linked.first:
            self._task.log.warning(messages.LINKED_NOT_CLOSED, path=path)
        if refused.count:
            raise EntriesNotClosed(name=standby.name, count=refused.count, paths=_listed(refused))
        if linked.count:
            raise LinkedNotClosed(name=standby.name, count=linked.count, paths=_listed(linked))


def _standby_there(standbys: StandbyStore, standby: StandbyId) -> Standby:
    known = registered_standby(standbys, standby)
    check_root(known)
    return known


def _repository_folders(standby: Standby) -> Sequence[Path]:
    """Return the folders; the root may be a link that the operator made, what is in it may not."""
    root = Path(standby.root_path).resolve()
    return [root / target_path for target_path in find_repositories(standby)]


def _listed(paths: NamedPaths) -> Message | None:
    return listed(
        ENTRY.fill(path=path) if detail is None else ENTRY_REFUSED.fill(path=path, reason=detail)
        for path, detail in paths.first
    )
