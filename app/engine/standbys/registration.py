"""Registering standby machines."""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from app.contract.standbys import RegisterStandby, UpdateStandby
from app.core.bus import EventBus
from app.core.clock import Clock
from app.core.utf8 import can_be_path, shown_path
from app.domain.errors import OperationalError
from app.domain.events import StandbyRemoved
from app.domain.ids import StandbyId
from app.domain.standbys import Standby
from app.domain.tasks import TaskRecord
from app.engine.encryption.service import EncryptionService
from app.engine.errors import AlreadyRegistered, RequestRefused, StandbyCopied, StillInUse
from app.engine.history import messages
from app.engine.log.journal import Journal
from app.engine.points.list import PointList
from app.engine.ports import InstantStore, RuleStore, StandbyStore
from app.engine.reasons import PATH_NOT_ABSOLUTE, PATH_NOT_UTF8, STANDBY_NAMED
from app.engine.registration.checks import (
    checked_name,
    refuse_needed_by_recoveries,
    refuse_used_by_rules,
    refuse_used_by_tasks,
)
from app.engine.standbys.filesystems import adopt_root, check_root, find_repositories, is_same_root, known_mark
from app.engine.standbys.groupaccess import check_group, give_to_group
from app.engine.standbys.lookup import registered_standby


class StandbyRegistration:
    """Adds, changes and removes standby machines. Thread: any."""

    def __init__(
        self,
        *,
        standbys: StandbyStore,
        rules: RuleStore,
        encryption: EncryptionService,
        points: PointList,
        is_offered: Callable[[StandbyId], bool],
        recoveries: InstantStore,
        unfinished: Callable[[], Iterable[TaskRecord]],
        journal: Journal,
        bus: EventBus,
        clock: Clock,
    ) -> None:
        self._standbys = standbys
        self._rules = rules
        self._encryption = encryption
        self._points = points
        self._is_offered = is_offered
        self._recoveries = recoveries
        self._unfinished = unfinished
        self._journal = journal
        self._bus = bus
        self._clock = clock

    def register(self, command: RegisterStandby) -> Standby:
        """Remember a standby machine, and list the points of repositories that are there already.

        Raises:
            PlainDataThere, PassphraseWeak, KeyWrong: it cannot be encrypted so; nothing is remembered.
            GroupUnknown, GroupRefused, KeepsItsRights: it cannot be for that group; nothing is remembered.
            StandbyCopied: it carries the mark of another one, and is not to get a new one; nothing is remembered.
            AlreadyRegistered, OperationalError: nothing is remembered.
        """
        standby = Standby(
            id=StandbyId(str(uuid.uuid4())),
            name=checked_name(command.name),
            root_path=_path(command.root_path),
            note=command.note.strip(),
        )
        self._refuse_known(standby)
        if not command.new_identity:
            self._refuse_copy(standby)
        if command.group:
            check_group(standby, command.group)
        standby = self._encryption.prepare(standby, command.passphrase, hide_names=command.hide_names)
        standby = replace(standby, mark=self._adopted_root(standby, command))
        self._standbys.put(standby)
        self._encryption.note(standby)
        log = self._journal.about(standby.name, "standby.register")
        log.info(messages.STANDBY_REGISTERED, path=standby.root_path)
        if command.group:
            log.info(messages.STANDBY_FOR_GROUP, group=command.group)
        for target_path in find_repositories(standby):
            try:
                self._points.agree(standby.id, target_path)
            except OperationalError as error:
                log.warning(messages.REPOSITORY_UNREAD, directory=target_path or "/", detail=error)
        return standby

    def _adopted_root(self, standby: Standby, command: RegisterStandby) -> str | None:
        root, group = Path(standby.root_path), command.group
        prepare = (lambda folder: give_to_group(folder, group)) if group else None
        return adopt_root(root, renew=command.new_identity, prepare=prepare)

    def update(self, command: UpdateStandby) -> Standby:
        """Change a standby machine; another path is taken only when the same directory is seen there.

        Raises:
            StandbyUnknown, AlreadyRegistered, OperationalError: nothing is changed.
        """
        known = registered_standby(self._standbys, command.standby)
        standby = replace(
            known, name=checked_name(command.name), root_path=_path(command.root_path), note=command.note.strip()
        )
        self._refuse_known(standby)
        if standby.root_path != known.root_path:
            refuse_used_by_tasks(self._unfinished(), standby)
            check_root(standby)
        self._standbys.put(standby)
        self._journal.about(standby.name, "standby.change").info(messages.STANDBY_CHANGED, path=standby.root_path)
        return standby

    def remove(self, standby: StandbyId) -> None:
        """Forget a standby and its keys; its data stays.

        Raises:
            StandbyUnknown: it is not registered.
            StillInUse, UsedByRules: tasks or rules need it, or its points are offered over NBD.
            NeededByRecovery: a VM runs from one of its points, or ran.
        """
        known = registered_standby(self._standbys, standby)
        refuse_used_by_tasks(self._unfinished(), known)
        if self._is_offered(standby):
            raise StillInUse(name=known.name)
        refuse_needed_by_recoveries(self._recoveries.all(), known.name, lambda one: one.standby == standby)
        refuse_used_by_rules(self._rules, known.name, lambda rule: rule.standby == standby)
        self._encryption.forget(known)
        self._standbys.remove(standby)
        self._journal.about(known.name, "standby.remove").info(messages.STANDBY_REMOVED)
        self._bus.publish(StandbyRemoved(at=self._clock.now(), standby=standby))

    def _refuse_known(self, standby: Standby) -> None:
        for other in self._standbys.all():
            if other.id == standby.id:
                continue
            if is_same_root(other.root_path, standby.root_path):
                raise AlreadyRegistered(what=standby.root_path, name=other.name)
            if other.name == standby.name:
                raise AlreadyRegistered(what=STANDBY_NAMED.fill(standby=standby.name), name=other.name)

    def _refuse_copy(self, standby: Standby) -> None:
        mark = known_mark(Path(standby.root_path))
        for other in self._standbys.all():
            if mark is not None and other.id != standby.id and other.mark == mark:
                raise StandbyCopied(path=standby.root_path, name=other.name, original=other.root_path)


def _path(text: str) -> str:
    if not can_be_path(text):
        raise RequestRefused(detail=PATH_NOT_UTF8.fill(path=shown_path(text)))
    path = Path(text)
    if not path.is_absolute():
        raise RequestRefused(detail=PATH_NOT_ABSOLUTE.fill(path=text))
    return str(path)
