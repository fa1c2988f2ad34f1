"""Files that could not be deleted: named to the operator, left alone, and no obstacle to a backup."""

import threading
from pathlib import Path

from app.core.durable import remove_what_can_be, unlink
from app.domain.messages import Message
from app.domain.reasons import reason_of
from app.repository.files import is_link


class Leftovers:
    """Deletes what no one needs any more, and remembers what the system refused to delete. Thread: any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Path, Message] = {}
        self._news: dict[Path, Message] = {}

    def __contains__(self, path: object) -> bool:
        with self._lock:
            return path in self._known

    def remove(self, path: Path, *, known_as: Path | None = None) -> bool:
        """Delete a file, or a directory with everything in it; return whether it is gone. Never raises.

        Args:
            path: where it is.
            known_as: the place by which what stays is named, when it goes back there.
        """
        try:
            if path.is_dir() and not is_link(path):
                left = remove_what_can_be(path)
            else:
                left = {}
                unlink(path, missing_ok=True)
        except OSError as error:
            left = {path: error}
        for place, reason in left.items():
            self.note((known_as or path) / place.relative_to(path), reason)
        return not left

    def note(self, path: Path, error: OSError) -> None:
        """Remember a file that the system refused to delete."""
        with self._lock:
            if path not in self._known:
                self._known[path] = self._news[path] = reason_of(error)

    def take_news(self) -> dict[Path, Message]:
        """Return what was not yet returned, each path with the system's reason."""
        with self._lock:
            news, self._news = self._news, {}
            return news
