"""Sessions on registered platforms."""

from collections.abc import Callable
from dataclasses import dataclass, field

from app.core.cancel import CancelToken
from app.core.hypervisor import Hypervisor, HypervisorFactory, WaitsForPlatform
from app.core.patience import Patience
from app.core.secrets import SecretStore
from app.domain.errors import OperationalError, SessionsExhausted
from app.domain.ids import PlatformId
from app.domain.platforms import Platform, PlatformIdentity, registered_identities
from app.engine.errors import (
    PasswordMissing,
    PlatformUnknown,
)
from app.engine.platforms.sightings import Sightings
from app.engine.ports import PlatformStore
from app.engine.program.secretaccess import until


@dataclass(frozen=True, slots=True)
class Sessions:
    """Logs in to registered platforms; each caller gets a session of its own. Thread: any."""

    factory: HypervisorFactory
    platforms: PlatformStore
    secrets: SecretStore
    sightings: Sightings
    """What was seen of the platforms, each time one was connected to."""
    spares: list[Callable[[PlatformId], None]] = field(default_factory=list)
    """Each ends sessions on a platform that are kept for nothing but speed."""

    def platform(self, platform: PlatformId) -> Platform:
        """Return a registered platform.

        Raises:
            PlatformUnknown: there is none of that id.
        """
        found = self.platforms.get(platform)
        if found is None:
            raise PlatformUnknown(platform=platform)
        return found

    def identities(self) -> dict[PlatformId, PlatformIdentity]:
        """Return what distinguishes each registered platform from all others, by what was last seen of them.

        Raises:
            CatalogUnavailable: they cannot be told.
        """
        return registered_identities(self.platforms.all(), self.sightings.uuids())

    def identity(self, platform: PlatformId, hypervisor: Hypervisor) -> PlatformIdentity:
        """Return what distinguishes the platform of an open session from all others.

        Raises:
            PlatformUnknown: it is not registered any more.
            CatalogUnavailable: it cannot be told.
        """
        self.platform(platform)
        uuids = {**self.sightings.uuids(), platform: hypervisor.facts.instance_uuid}
        return registered_identities(self.platforms.all(), uuids)[platform]

    def connect_patiently(self, platform: PlatformId, patience: Patience) -> Hypervisor:
        """Log in for a task, which waits while the platform cannot be reached, now and later.

        Raises:
            TaskCancelled: cancelled while waiting.
            OperationalError: as :meth:`connect`; the platform was away for too long.
        """
        hypervisor = patience.through(lambda: self.connect(platform, patience.cancel))
        if isinstance(hypervisor, WaitsForPlatform):
            hypervisor.be_patient(patience)
        return hypervisor

    def _connect(self, platform: Platform, password: str) -> Hypervisor:
        try:
            return self.factory.connect(platform, password)
        except SessionsExhausted:
            for end_spare in self.spares:
                end_spare(platform.id)
            return self.factory.connect(platform, password)

    def connect(self, platform: PlatformId, cancel: CancelToken | None = None) -> Hypervisor:
        """Log in; the caller closes the session.

        Args:
            platform: which one.
            cancel: of a task, which waits for the password no longer than until it is stopped.

        Raises:
            TaskCancelled: the task was stopped.
            PlatformUnknown: there is no platform of that id.
            PasswordMissing: the secret store does not know its password.
            OperationalError: the platform refused or cannot be reached.
        """
        known = self.platform(platform)
        password = until(self.secrets, cancel).get(known.secret_name)
        if password is None:
            raise PasswordMissing(name=known.name)
        try:
            hypervisor = self._connect(known, password)
        except OperationalError as error:
            self.sightings.failed(platform, error)
            raise
        try:
            self.sightings.reached(platform, hypervisor.facts)
        except BaseException:  # whatever it is, no session is left on the platform
            hypervisor.close()
            raise
        return hypervisor
