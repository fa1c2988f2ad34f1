"""How the removal of a snapshot is watched, which may take hours where a VM writes much."""

from typing import Protocol


class RemovalWatch(Protocol):
    """Follows one removal. Thread: the one that waits for it."""

    def moved(self, percent: int | None) -> None:
        """Note how far the platform is; None when it does not say."""
        ...

    def is_left(self) -> bool:
        """Return whether the removal goes on without us from now on, because nobody waits for it any more."""
        ...
