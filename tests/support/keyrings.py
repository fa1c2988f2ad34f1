"""Keyrings for tests: one in memory, and what a broken platform looks like."""

import threading

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError


class MemoryKeyring(KeyringBackend):
    """A keyring backend that keeps its secrets until the test ends."""

    priority = 5

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring annotates nothing there
        self._entries_lock = threading.Lock()
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        """Return an entry, or None."""
        with self._entries_lock:
            return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep an entry."""
        with self._entries_lock:
            self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        """Forget an entry.

        Raises:
            PasswordDeleteError: there is none, as real backends do.
        """
        with self._entries_lock:
            if self.entries.pop((service, username), None) is None:
                raise PasswordDeleteError("no such entry")
