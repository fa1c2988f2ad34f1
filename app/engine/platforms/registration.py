"""Registering platforms and standby machines, and the list of restore points."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from app.contract.platforms import RegisterPlatform, UpdatePlatform
from app.contract.points import DeletePoint
from app.contract.standbys import RegisterStandby, UpdateStandby
from app.core.hypervisor import Examinable, Hypervisor
from app.core.utf8 import can_be_path, shown_path
from app.domain.addresses import BadAddress, ascii_host, is_port
from app.domain.console_events import (
    PlatformRegistered,
    PlatformRemoved,
    PointsRefreshed,
    RestorePointDeleted,
    StandbyRegistered,
    StandbyRemoved,
)
from app.domain.errors import OperationalError
from app.domain.ids import PlatformId, StandbyId
from app.domain.platforms import Platform
from app.domain.rules import BackupRule
from app.domain.standbys import Standby
from app.engine.errors import (
    AddressUnusable,
    AlreadyRegistered,
    PasswordMissing,
    RequestRefused,
    StandbyCopied,
    StandbyUnknown,
    StillInUse,
    UsedByRules,
)
from app.engine.history import messages
from app.engine.platforms.sightings import note_licence
from app.engine.standbys.encryption import EncryptionService
from app.engine.standbys.filesystems import adopt_root, check_root, find_repositories, is_same_root, known_mark
from app.engine.standbys.groupaccess import check_group, give_to_group
from app.engine.standbys.reconciliation import agree
from app.engine.tasks.job import Workshop
from app.engine.tasks.manager import TaskManager


class Registration:
    """Carries out the commands about what is registered. Thread: any."""

    def __init__(self, workshop: Workshop, manager: TaskManager, encryption: EncryptionService) -> None:
        self._workshop = workshop
        self._manager = manager
        self._encryption = encryption

    # --- platforms -------------------------------------------------------------------------------------------

    def register_platform(self, command: RegisterPlatform) -> Platform:
        """Log in, and remember the platform when that worked.

        Raises:
            AlreadyRegistered, OperationalError: nothing is remembered.
        """
        platform = Platform(
            id=PlatformId(str(uuid.uuid4())),
            name=_named(command.name),
            address=checked_address(command.address, command.port),
            port=command.port,
            user=command.user,
            thumbprint_sha256=command.thumbprint_sha256,
            allows_plain_transport=command.allows_plain_transport,
        )
        self._refuse_known_platform(platform)
        workshop = self._workshop
        with workshop.sessions.factory.connect(platform, command.password) as hypervisor:
            if isinstance(hypervisor, Examinable):
                hypervisor.check_licence()
            workshop.sessions.secrets.set(platform.secret_name, command.password)
            workshop.catalog.platforms.put(platform)
            self._note_sighting(platform, hypervisor)
        log = workshop.journal.about(platform.name, "platform.register")
        log.info(messages.PLATFORM_REGISTERED, address=platform.address, user=platform.user)
        workshop.bus.publish(PlatformRegistered(at=workshop.clock.now(), platform=platform.id, name=platform.name))
        return platform

    def update_platform(self, command: UpdatePlatform) -> Platform:
        """Change a platform after a login with the new values worked.

        Raises:
            PlatformUnknown, AlreadyRegistered, OperationalError: nothing is changed.
        """
        workshop = self._workshop
        known, wish = workshop.sessions.platform(command.platform), command.allows_plain_transport
        platform = replace(
            known,
            name=_named(command.name),
            user=command.user,
            thumbprint_sha256=command.thumbprint_sha256,
            allows_plain_transport=known.allows_plain_transport if wish is None else wish,
        )
        self._refuse_known_platform(platform)
        password = command.password
        if password is None:
            password = workshop.sessions.secrets.get(platform.secret_name)
        if password is None:
            raise PasswordMissing(name=platform.name)
        with workshop.sessions.factory.connect(platform, password) as hypervisor:
            workshop.sessions.secrets.set(platform.secret_name, password)
            workshop.catalog.platforms.put(platform)
            self._note_sighting(platform, hypervisor)
        log = workshop.journal.about(platform.name, "platform.change")
        log.info(messages.PLATFORM_CHANGED, address=platform.address, user=platform.user)
        workshop.bus.publish(PlatformRegistered(at=workshop.clock.now(), platform=platform.id, name=platform.name))
        return platform

    def remove_platform(self, platform: PlatformId) -> None:
        """Forget a platform and its password.

        Raises:
            PlatformUnknown: it is not registered.
            StillInUse, UsedByRules: tasks or rules need it.
        """
        workshop = self._workshop
        known = workshop.sessions.platform(platform)
        if any(record.platform == platform for record in self._manager.unfinished()):
            raise StillInUse(name=known.name)
        self._refuse_used_by_rules(known.name, lambda rule: rule.platform == platform)
        workshop.sessions.secrets.delete(known.secret_name)
        workshop.catalog.platforms.remove(platform)
        workshop.journal.about(known.name, "platform.remove").info(messages.PLATFORM_REMOVED)
        workshop.bus.publish(PlatformRemoved(at=workshop.clock.now(), platform=platform))

    def _note_sighting(self, platform: Platform, hypervisor: Hypervisor) -> None:
        sightings = self._workshop.sessions.sightings
        sightings.reached(platform.id, hypervisor.facts)
        note_licence(sightings, platform.id, hypervisor)

    def _refuse_known_platform(self, platform: Platform) -> None:
        for other in self._workshop.catalog.platforms.all():
            if other.id == platform.id:
                continue
            if (other.address, other.port) == (platform.address, platform.port):
                raise AlreadyRegistered(what=f"{platform.address}:{platform.port}", name=other.name)
            if other.name == platform.name:
                raise AlreadyRegistered(what=f"a platform named {platform.name}", name=other.name)

    # --- standbys --------------------------------------------------------------------------------------------

    def register_standby(self, command: RegisterStandby) -> Standby:
        """Remember a standby machine, and list the points of repositories that lie there already.

        Raises:
            PlainDataThere, PassphraseWeak, KeyWrong: it cannot be encrypted so; nothing is remembered.
            GroupUnknown, GroupRefused, KeepsItsRights: it cannot be for that group; nothing is remembered.
            StandbyCopied: it carries the mark of another one, and shall not get a new one; nothing is remembered.
            AlreadyRegistered, OperationalError: nothing is remembered.
        """
        standby = Standby(
            id=StandbyId(str(uuid.uuid4())),
            name=_named(command.name),
            root_path=_path(command.root_path),
            note=command.note.strip(),
        )
        self._refuse_known_standby(standby)
        if not command.new_identity:
            self._refuse_copy(standby)
        if command.group:
            check_group(standby, command.group)
        standby = self._encryption.prepare(standby, command.passphrase, hide_names=command.hide_names)
        standby = replace(standby, mark=self._adopted_root(standby, command))
        workshop = self._workshop
        workshop.catalog.standbys.put(standby)
        self._encryption.note(standby)
        log = workshop.journal.about(standby.name, "standby.register")
        log.info(messages.STANDBY_REGISTERED, path=standby.root_path)
        if command.group:
            log.info(messages.STANDBY_FOR_GROUP, group=command.group)
        for target_path in find_repositories(standby):
            try:
                self.read_points(standby.id, target_path)
            except OperationalError as error:
                log.warning(messages.REPOSITORY_UNREAD, directory=target_path or "/", detail=error.message)
        workshop.bus.publish(StandbyRegistered(at=workshop.clock.now(), standby=standby.id, name=standby.name))
        return standby

    def _adopted_root(self, standby: Standby, command: RegisterStandby) -> str | None:
        root, group = Path(standby.root_path), command.group
        prepare = (lambda folder: give_to_group(folder, group)) if group else None
        return adopt_root(root, renew=command.new_identity, prepare=prepare)

    def update_standby(self, command: UpdateStandby) -> Standby:
        """Change a standby machine; another path is taken only when the same directory is seen there.

        Raises:
            StandbyUnknown, AlreadyRegistered, OperationalError: nothing is changed.
        """
        workshop = self._workshop
        known = self.standby(command.standby)
        standby = replace(
            known, name=_named(command.name), root_path=_path(command.root_path), note=command.note.strip()
        )
        self._refuse_known_standby(standby)
        if standby.root_path != known.root_path:
            self.refuse_used_by_tasks(standby)
            check_root(standby)
        workshop.catalog.standbys.put(standby)
        workshop.journal.about(standby.name, "standby.change").info(
            messages.STANDBY_CHANGED, path=standby.root_path
        )
        workshop.bus.publish(StandbyRegistered(at=workshop.clock.now(), standby=standby.id, name=standby.name))
        return standby

    def remove_standby(self, standby: StandbyId) -> None:
        """Forget a standby and its keys; its data stays.

        Raises:
            StandbyUnknown: it is not registered.
            StillInUse, UsedByRules: tasks or rules need it.
        """
        workshop = self._workshop
        known = self.standby(standby)
        self.refuse_used_by_tasks(known)
        self._refuse_used_by_rules(known.name, lambda rule: rule.standby == standby)
        self._encryption.forget(known)
        workshop.catalog.standbys.remove(standby)
        workshop.journal.about(known.name, "standby.remove").info(messages.STANDBY_REMOVED)
        workshop.bus.publish(StandbyRemoved(at=workshop.clock.now(), standby=standby))

    # --- what uses what --------------------------------------------------------------------------------------

    def standby(self, standby: StandbyId) -> Standby:
        """Return a registered standby machine.

        Raises:
            StandbyUnknown: there is none of that id.
        """
        known = self._workshop.catalog.standbys.get(standby)
        if known is None:
            raise StandbyUnknown(standby=standby)
        return known

    def _refuse_used_by_rules(self, name: str, uses: Callable[[BackupRule], bool]) -> None:
        rules = [rule.name for rule in self._workshop.catalog.rules.all() if uses(rule)]
        if rules:
            raise UsedByRules(name=name, rules=", ".join(rules))

    def refuse_used_by_tasks(self, standby: Standby) -> None:
        """Refuse what must not happen while tasks work on a standby machine.

        Raises:
            StillInUse: some do.
        """
        if any(record.standby == standby.id for record in self._manager.unfinished()):
            raise StillInUse(name=standby.name)

    def _refuse_known_standby(self, standby: Standby) -> None:
        for other in self._workshop.catalog.standbys.all():
            if other.id == standby.id:
                continue
            if is_same_root(other.root_path, standby.root_path):
                raise AlreadyRegistered(what=standby.root_path, name=other.name)
            if other.name == standby.name:
                raise AlreadyRegistered(what=f"a standby named {standby.name}", name=other.name)

    def _refuse_copy(self, standby: Standby) -> None:
        mark = known_mark(Path(standby.root_path))
        for other in self._workshop.catalog.standbys.all():
            if mark is not None and other.id != standby.id and other.mark == mark:
                raise StandbyCopied(path=standby.root_path, name=other.name, original=other.root_path)

    # --- points ----------------------------------------------------------------------------------------------

    def refresh_points(self, standby: StandbyId, target_path: str | None = None) -> int:
        """Make the list of a standby's points equal to what its repositories say; return how many there are.

        Raises:
            OperationalError: a repository cannot be read.
        """
        workshop = self._workshop
        name = self.standby(standby).name
        known = workshop.catalog.standbys.repositories(standby)
        places = sorted(known) if target_path is None else [target_path]
        count = sum(self.read_points(standby, place) for place in places)
        workshop.journal.about(name, "standby.refresh").info(messages.POINTS_REFRESHED, count=count)
        workshop.bus.publish(PointsRefreshed(at=workshop.clock.now(), standby=standby))
        return count

    def read_points(self, standby: StandbyId, target_path: str) -> int:
        """Make the list of a repository's points equal to what it says itself; return how many there are.

        Raises:
            OperationalError: it cannot be read.
        """
        return agree(self._workshop, standby, target_path).count

    def delete_point(self, command: DeletePoint) -> None:
        """Move a restore point to the trash.

        Raises:
            StillInUse: a task reads it.
            OperationalError: the repository refused.
        """
        standby, target_path, point = command.standby, command.target_path, command.point
        if any(
            (one.standby, one.target_path, one.point) == (standby, target_path, point)
            for one in self._manager.unfinished()
        ):
            raise StillInUse(name=point)
        workshop = self._workshop
        with workshop.repositories.lease(standby, target_path) as repository:
            repository.delete_point(point)
        known = workshop.catalog.points.get(standby, target_path, point)
        workshop.catalog.points.remove(standby, target_path, point)
        subject = known.point.facts.name if known else ""
        log = workshop.journal.about(subject, "point.delete", vm=known.point.facts.vm if known else None)
        log.info(messages.POINT_DELETED, point=point)
        workshop.bus.publish(RestorePointDeleted(at=workshop.clock.now(), standby=standby, point=point))


def checked_address(address: str, port: int) -> str:
    """Return the address of a platform as it goes on the wire.

    Raises:
        AddressUnusable: no connection could be made to it.
    """
    try:
        host = ascii_host(address)
    except BadAddress as error:
        raise AddressUnusable(address=address, port=port) from error
    if not is_port(port):
        raise AddressUnusable(address=address, port=port)
    return host


def _named(text: str) -> str:
    if not text.strip():
        raise RequestRefused(detail="a name or an address is empty")
    return text.strip()


def _path(text: str) -> str:
    if not can_be_path(text):
        raise RequestRefused(detail=f"the standby path {shown_path(text)} is not UTF-8 text")
    path = Path(text)
    if not path.is_absolute():
        raise RequestRefused(detail=f"the standby path {text} is not absolute")
    return str(path)
