"""Who is logged in."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.simulator.spec import UserSpec

if TYPE_CHECKING:
    from app.simulator.objects import SimObject


@dataclass(slots=True, eq=False)
class Session:
    """A client's session; it exists before login too."""

    cookie: str = field(repr=False)
    key: str
    user: UserSpec | None = None
    objects: "dict[str, SimObject]" = field(default_factory=dict)
    """Managed objects that only this session sees: views, collectors, filters."""
    facts: Any = None

    def holds(self, privilege: str) -> bool:
        """Tell whether the account has a privilege."""
        if self.user is None:
            return privilege == "System.Anonymous"
        granted = self.user.privileges
        return granted is None or privilege in granted or privilege.startswith("System.")


class SessionBook:
    """All sessions."""
