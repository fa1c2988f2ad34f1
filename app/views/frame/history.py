"""Where the window is and was: addresses with back and forward, as in a browser."""

from dataclasses import dataclass
from typing import Final

_LONGEST: Final = 50


@dataclass(frozen=True, slots=True)
class Address:
    """A page and what it shows: ``Address("backup", ("rule-id", "statistics"))``."""

    page: str
    path: tuple[str, ...] = ()


class History:
    """The addresses that were visited, and the place in them."""

    def __init__(self, start: Address) -> None:
        self._visited = [start]
        self._place = 0

    @property
    def current(self) -> Address:
        """Return where the window is."""
        return self._visited[self._place]

    @property
    def can_go_back(self) -> bool:
        """Return whether there is an earlier address."""
        return self._place > 0

    @property
    def can_go_forward(self) -> bool:
        """Return whether there is a later address."""
        return self._place + 1 < len(self._visited)

    def visit(self, address: Address) -> bool:
        """Go to an address, dropping what lay ahead; return False when the window is there already."""
        if address == self.current:
            return False
        del self._visited[self._place + 1 :]
        self._visited.append(address)
        del self._visited[:-_LONGEST]
        self._place = len(self._visited) - 1
        return True

    def back(self) -> Address:
        """Go to the earlier address, if there is one."""
        self._place = max(0, self._place - 1)
        return self.current

    def forward(self) -> Address:
        """Go to the later address, if there is one."""
        self._place = min(len(self._visited) - 1, self._place + 1)
        return self.current
