"""Standby machines (灾备机): where backup data is kept."""

from dataclasses import dataclass

from app.domain.ids import StandbyId


@dataclass(frozen=True, slots=True, kw_only=True)
class Standby:
    """A registered standby machine with the path of its repository."""

    id: StandbyId
    name: str
    target_path: str
    """Absolute path of the repository as this machine sees it (灾备机目标路径)."""
    repository_id: str | None = None
    """UUID the repository had when it was last opened: another one there is another repository."""
