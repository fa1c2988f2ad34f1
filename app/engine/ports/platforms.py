"""What the engine remembers of platforms and standby machines."""

from collections.abc import Mapping
from typing import Protocol

from app.domain.ids import PlatformId, StandbyId
from app.domain.platforms import Platform, PlatformSighting
from app.domain.standbys import Standby


class PlatformStore(Protocol):
    """Remembers platforms. Thread: any."""

    def put(self, platform: Platform) -> None:
        """Add or change one."""
        ...

    def get(self, platform: PlatformId) -> Platform | None:
        """Return one, or None."""
        ...

    def all(self) -> tuple[Platform, ...]:
        """Return every one, by name."""
        ...

    def remove(self, platform: PlatformId) -> None:
        """Forget one."""
        ...


class SightingStore(Protocol):
    """Remembers what was last seen of each platform. Thread: any."""

    def put(self, sighting: PlatformSighting) -> None:
        """Remember a sighting in place of the last one."""
        ...

    def get(self, platform: PlatformId) -> PlatformSighting | None:
        """Return the last one of a platform, or None."""
        ...

    def all(self) -> Mapping[PlatformId, PlatformSighting]:
        """Return the last one of every platform."""
        ...


class StandbyStore(Protocol):
    """Remembers standby machines. Thread: any."""

    def put(self, standby: Standby) -> None:
        """Add or change one."""
        ...

    def get(self, standby: StandbyId) -> Standby | None:
        """Return one, or None."""
        ...

    def all(self) -> tuple[Standby, ...]:
        """Return every one, by name."""
        ...

    def remove(self, standby: StandbyId) -> None:
        """Forget one, with what is known of its points."""
        ...

    def repositories(self, standby: StandbyId) -> Mapping[str, str]:
        """Return the target paths on a standby at which a repository was opened, each with its id."""
        ...

    def encrypted_repositories(self, standby: StandbyId) -> frozenset[str]:
        """Return the target paths on a standby at which an encrypted repository was found."""
        ...

    def note_repository(
        self, standby: StandbyId, target_path: str, repository_id: str, *, is_encrypted: bool = False
    ) -> None:
        """Remember which repository is at a target path."""
        ...
