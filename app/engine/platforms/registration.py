"""Registering platforms."""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace

from app.contract.platforms import RegisterPlatform, UpdatePlatform
from app.core.bus import EventBus
from app.core.clock import Clock
from app.core.hypervisor import Examinable, Hypervisor
from app.domain.addresses import BadAddress, ascii_host, is_port
from app.domain.events import PlatformRemoved
from app.domain.ids import PlatformId
from app.domain.platforms import Platform
from app.domain.tasks import TaskRecord
from app.engine.errors import AddressUnusable, AlreadyRegistered, PasswordMissing, StillInUse
from app.engine.history import messages
from app.engine.log.journal import Journal
from app.engine.platforms.sessions import Sessions
from app.engine.platforms.sightings import note_license
from app.engine.ports import PlatformStore, RuleStore
from app.engine.reasons import PLATFORM_NAMED
from app.engine.registration.checks import checked_name, refuse_used_by_rules


class PlatformRegistration:
    """Adds, changes and removes platforms. Thread: any."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        platforms: PlatformStore,
        rules: RuleStore,
        unfinished: Callable[[], Iterable[TaskRecord]],
        journal: Journal,
        bus: EventBus,
        clock: Clock,
    ) -> None:
        self._sessions = sessions
        self._platforms = platforms
        self._rules = rules
        self._unfinished = unfinished
        self._journal = journal
        self._bus = bus
        self._clock = clock

    def register(self, command: RegisterPlatform) -> Platform:
        """Log in, and remember the platform when that worked.

        Raises:
            AlreadyRegistered, OperationalError: nothing is remembered.
        """
        platform = Platform(
            id=PlatformId(str(uuid.uuid4())),
            name=checked_name(command.name),
            address=checked_address(command.address, command.port),
            port=command.port,
            user=command.user,
            thumbprint_sha256=command.thumbprint_sha256,
            allows_plain_transport=command.allows_plain_transport,
        )
        self._refuse_known(platform)
        with self._sessions.factory.connect(platform, command.password) as hypervisor:
            if isinstance(hypervisor, Examinable):
                hypervisor.check_license()
            self._sessions.secrets.set(platform.secret_name, command.password)
            self._platforms.put(platform)
            self._note_sighting(platform, hypervisor)
        log = self._journal.about(platform.name, "platform.register")
        log.info(messages.PLATFORM_REGISTERED, address=platform.address, user=platform.user)
        return platform

    def update(self, command: UpdatePlatform) -> Platform:
        """Change a platform after a login with the new values worked.

        Raises:
            PlatformUnknown, AlreadyRegistered, OperationalError: nothing is changed.
        """
        known, wish = self._sessions.platform(command.platform), command.allows_plain_transport
        platform = replace(
            known,
            name=checked_name(command.name),
            user=command.user,
            thumbprint_sha256=command.thumbprint_sha256,
            allows_plain_transport=known.allows_plain_transport if wish is None else wish,
        )
        self._refuse_known(platform)
        password = command.password
        if password is None:
            password = self._sessions.secrets.get(platform.secret_name)
        if password is None:
            raise PasswordMissing(name=platform.name)
        with self._sessions.factory.connect(platform, password) as hypervisor:
            self._sessions.secrets.set(platform.secret_name, password)
            self._platforms.put(platform)
            self._note_sighting(platform, hypervisor)
        log = self._journal.about(platform.name, "platform.change")
        log.info(messages.PLATFORM_CHANGED, address=platform.address, user=platform.user)
        return platform

    def remove(self, platform: PlatformId) -> None:
        """Forget a platform and its password.

        Raises:
            PlatformUnknown: it is not registered.
            StillInUse, UsedByRules: tasks or rules need it.
        """
        known = self._sessions.platform(platform)
        if any(record.platform == platform for record in self._unfinished()):
            raise StillInUse(name=known.name)
        refuse_used_by_rules(self._rules, known.name, lambda rule: rule.platform == platform)
        self._sessions.secrets.delete(known.secret_name)
        self._platforms.remove(platform)
        self._journal.about(known.name, "platform.remove").info(messages.PLATFORM_REMOVED)
        self._bus.publish(PlatformRemoved(at=self._clock.now(), platform=platform))

    def _note_sighting(self, platform: Platform, hypervisor: Hypervisor) -> None:
        sightings = self._sessions.sightings
        sightings.reached(platform.id, hypervisor.facts)
        note_license(sightings, platform.id, hypervisor)

    def _refuse_known(self, platform: Platform) -> None:
        for other in self._platforms.all():
            if other.id == platform.id:
                continue
            if (other.address, other.port) == (platform.address, platform.port):
                raise AlreadyRegistered(what=f"{platform.address}:{platform.port}", name=other.name)
            if other.name == platform.name:
                raise AlreadyRegistered(what=PLATFORM_NAMED.fill(platform=platform.name), name=other.name)


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
