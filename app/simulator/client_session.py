"""One client's session: whose it is, and what managed objects keep for it until it ends."""

from dataclasses import dataclass, field
from typing import Any, TypeVar

from pyVmomi import vim

from app.simulator.spec import UserSpec

P = TypeVar("P")


@dataclass(slots=True, eq=False)
class ClientSession:
    """A client's session; it exists before login too. Fields change under the world's lock."""

    cookie: str = field(repr=False)
    facts: vim.UserSession
    last_active_s: float
    address: str = ""
    user: UserSpec | None = None
    calls_in_flight: int = 0
    closed: bool = False
    _parts: dict[type[Any], Any] = field(default_factory=dict, repr=False)

    @property
    def key(self) -> str:
        """The session's public key, which is not its cookie."""
        return str(self.facts.key)

    def holds(self, privilege: str, places: frozenset[str] = frozenset()) -> bool:
        """Return whether the account has a privilege.

        Args:
            privilege: its id.
            places: names of an object and of everything above it; none for what is nowhere in the inventory.
        """
        if self.user is None:
            return privilege == "System.Anonymous"
        if privilege.startswith("System."):
            return True
        if self.user.granted_at and places and self.user.granted_at.isdisjoint(places):
            return False
        granted = self.user.privileges
        return granted is None or privilege in granted

    def part(self, kind: type[P]) -> P:
        """Return what a part of the simulator keeps for this session, made empty when first asked for.

        Args:
            kind: the type of the part, which has one of it in each session.
        """
        found: P | None = self._parts.get(kind)
        if found is None:
            found = self._parts[kind] = kind()
        return found

    def end(self) -> None:
        """Mark the session as ended, and forget what was kept for it."""
        self.closed = True
        self._parts.clear()
