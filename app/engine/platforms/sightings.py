"""What was last seen of platforms, for lists that ask no platform."""

import logging
import threading
from dataclasses import replace

from app.core.clock import Clock
from app.core.hypervisor import Examinable, Hypervisor
from app.domain.errors import KeptError, OperationalError
from app.domain.ids import PlatformId
from app.domain.platforms import PlatformFacts, PlatformSighting
from app.engine.ports import SightingStore

_log = logging.getLogger(__name__)


class Sightings:
    """Notes what is seen in passing. Never raises: what is only shown stops no work. Thread: any."""

    def __init__(self, store: SightingStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()

    def reached(
        self,
        platform: PlatformId,
        facts: PlatformFacts,
        *,
        license_name: str | None = None,
        vm_count: int | None = None,
    ) -> None:
        """Note that a platform was reached, and what it reported."""
        with self._lock:
            seen = self._last(platform)
            self._put(
                replace(
                    seen,
                    reachable=True,
                    facts=facts,
                    license_name=seen.license_name if license_name is None else license_name,
                    vm_count=seen.vm_count if vm_count is None else vm_count,
                    error=None,
                )
            )

    def uuids(self) -> dict[PlatformId, str | None]:
        """Return the instance UUID of each platform that was reached, as it was reported last.

        Raises:
            CatalogUnavailable: they cannot be told.
        """
        seen = self._store.all()
        return {platform: known.facts.instance_uuid for platform, known in seen.items() if known.facts is not None}

    def failed(self, platform: PlatformId, error: OperationalError) -> None:
        """Note why a platform could not be used; what it reported before is kept."""
        with self._lock:
            self._put(
                replace(
                    self._last(platform),
                    reachable=False,
                    error=KeptError.of(error),
                )
            )

    def _last(self, platform: PlatformId) -> PlatformSighting:
        now = self._clock.now()
        try:
            known = self._store.get(platform)
        except OperationalError:
            known = None
        if known is None:
            return PlatformSighting(platform=platform, checked_at=now, reachable=False)
        return replace(known, checked_at=now)

    def _put(self, sighting: PlatformSighting) -> None:
        try:
            self._store.put(sighting)
        except OperationalError as error:
            _log.warning("what was seen of platform %s is not kept: %s", sighting.platform, error)


def note_license(sightings: Sightings, platform: PlatformId, hypervisor: Hypervisor) -> None:
    """Note what a platform's licenses are called, where the session reports it. Never raises."""
    if not isinstance(hypervisor, Examinable):
        return
    try:
        name = hypervisor.license_name()
    except OperationalError as error:
        _log.info("the licenses of platform %s are not known: %s", platform, error)
        return
    sightings.reached(platform, hypervisor.facts, license_name=name)
