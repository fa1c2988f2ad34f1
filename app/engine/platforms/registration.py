"""Registering platforms."""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace

from app.contract.platforms import RegisterPlatform, UpdatePlatform
from app.core.bus import EventBus
from app.core.clock import Clock
from app.core.hypervisor import Examinable, Hypervisor
from app.domain.addresses import LINK_LOCAL, BadAddress, ascii_host, in_brackets, is_port, with_port
from app.domain.events import PlatformRemoved
from app.domain.identity import same_uuid
from app.domain.ids import PlatformId
from app.domain.platforms import Platform, PlatformFacts, PlatformKind
from app.domain.tasks import TaskRecord
from app.engine.errors import (
    AddressLinkLocal,
    AddressUnusable,
    AlreadyRegistered,
    OtherPlatform,
    PasswordMissing,
    PlatformUnproven,
    StillInUse,
)
from app.engine.history import messages
from app.engine.log.journal import Journal
from app.engine.platforms.sessions import Sessions
from app.engine.platforms.sightings import note_license
from app.engine.ports import InstantStore, MigrationStore, PlatformStore, RuleStore
from app.engine.reasons import PLATFORM_NAMED
from app.engine.registration.checks import (
    checked_name,
    refuse_needed_by_migrations,
    refuse_needed_by_recoveries,
    refuse_used_by_rules,
)


class PlatformRegistration:
    """Adds, changes and removes platforms. Thread: any."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        platforms: PlatformStore,
        rules: RuleStore,
        recoveries: InstantStore,
        migrations: MigrationStore,
        unfinished: Callable[[], Iterable[TaskRecord]],
        journal: Journal,
        bus: EventBus,
        clock: Clock,
    ) -> None:
        self._sessions = sessions
        self._platforms = platforms
        self._rules = rules
        self._recoveries = recoveries
        self._migrations = migrations
        self._unfinished = unfinished
        self._journal = journal
        self._bus = bus
        self._clock = clock

    def register(self, command: RegisterPlatform) -> Platform:
        """Log in, and remember the platform when that worked.

        Raises:
            AlreadyRegistered, OperationalError: nothing is remembered; a vCenter server that is registered under
                another address is known by its instance UUID.
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
            self._refuse_same_server(platform, hypervisor.facts)
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
            OtherPlatform, PlatformUnproven: at the new address another platform answers, or perhaps another.
        """
        known = self._sessions.platform(command.platform)
        platform = _changed(known, command)
        self._refuse_known(platform)
        password = command.password
        if password is None:
            password = self._sessions.secrets.get(platform.secret_name)
        if password is None:
            raise PasswordMissing(name=platform.name)
        with self._sessions.factory.connect(platform, password) as hypervisor:
            if (platform.address, platform.port) != (known.address, known.port):
                self._refuse_other(platform, hypervisor.facts, is_confirmed_same=command.is_confirmed_same)
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
            NeededByRecovery: a VM runs there from a restore point, or ran.
        """
        known = self._sessions.platform(platform)
        if any(record.platform == platform for record in self._unfinished()):
            raise StillInUse(name=known.name)
        refuse_needed_by_recoveries(self._recoveries.all(), known.name, lambda one: one.platform == platform)
        refuse_needed_by_migrations(self._migrations.all(), known.name, platform)
        refuse_used_by_rules(self._rules, known.name, lambda rule: rule.platform == platform)
        self._sessions.secrets.delete(known.secret_name)
        self._platforms.remove(platform)
        self._journal.about(known.name, "platform.remove").info(messages.PLATFORM_REMOVED)
        self._bus.publish(PlatformRemoved(at=self._clock.now(), platform=platform))

    def _note_sighting(self, platform: Platform, hypervisor: Hypervisor) -> None:
        sightings = self._sessions.sightings
        sightings.reached(platform.id, hypervisor.facts)
        note_license(sightings, platform.id, hypervisor)

    def _refuse_same_server(self, platform: Platform, facts: PlatformFacts) -> None:
        """Refuse a vCenter server that is registered already; hosts may have the UUID of a copied firmware."""
        if facts.kind is not PlatformKind.VCENTER:
            return
        for other, known_uuid in self._sessions.sightings.uuids().items():
            if same_uuid(known_uuid, facts.instance_uuid) and (known := self._platforms.get(other)):
                raise AlreadyRegistered(what=with_port(platform.address, platform.port), name=known.name)

    def _refuse_other(self, platform: Platform, facts: PlatformFacts, *, is_confirmed_same: bool) -> None:
        is_same = same_uuid(self._sessions.sightings.uuids().get(platform.id), facts.instance_uuid)
        if is_same is False:
            raise OtherPlatform(address=platform.address, name=platform.name)
        if is_same is None and not is_confirmed_same:
            raise PlatformUnproven(address=platform.address, name=platform.name)

    def _refuse_known(self, platform: Platform) -> None:
        for other in self._platforms.all():
            if other.id == platform.id:
                continue
            if (other.address, other.port) == (platform.address, platform.port):
                raise AlreadyRegistered(what=with_port(platform.address, platform.port), name=other.name)
            if other.name == platform.name:
                raise AlreadyRegistered(what=PLATFORM_NAMED.fill(platform=platform.name), name=other.name)


def _changed(known: Platform, command: UpdatePlatform) -> Platform:
    """Return a platform as it is to become; where it was before is kept.

    Raises:
        AddressUnusable, AddressLinkLocal: no connection could be made to the new address.
        RequestRefused: the name cannot be used.
    """
    port = known.port if command.port is None else command.port
    address = known.address if command.address is None else checked_address(command.address, port)
    former = dict.fromkeys((*known.former_addresses, known.address))
    former.pop(address, None)
    wish = command.allows_plain_transport
    return replace(
        known,
        name=checked_name(command.name),
        address=address,
        port=port,
        former_addresses=tuple(former),
        user=command.user,
        thumbprint_sha256=command.thumbprint_sha256,
        allows_plain_transport=known.allows_plain_transport if wish is None else wish,
    )


def checked_address(address: str, port: int) -> str:
    """Return the address of a platform as it goes on the wire.

    Raises:
        AddressUnusable, AddressLinkLocal: no connection could be made to it.
    """
    try:
        host = ascii_host(address)
    except BadAddress as error:
        if error.reason is LINK_LOCAL:
            raise AddressLinkLocal(address=address) from error
        raise AddressUnusable(address=in_brackets(address), port=port) from error
    if not is_port(port):
        raise AddressUnusable(address=in_brackets(address), port=port)
    return host
