"""VMware's library for disks (VDDK), which the operator may supply."""

from dataclasses import dataclass

from app.contract.base import Command, Query
from app.contract.errors import ErrorRow
from app.domain.vddk import VddkLibrary


class SetVddkFolder(Command[VddkLibrary | None], frozen=True, kw_only=True):
    """Use the library in a folder from now on; disks that are open stay as they are.

    Raises ``VddkUnusable`` where there is none that can be used; nothing is changed then.
    """

    folder: str
    """The folder of the unpacked library; empty: none is used."""


class ExamineVddk(Query[VddkLibrary], frozen=True, kw_only=True):
    """Return the library in a folder, after it was loaded in a process of its own; nothing is changed.

    Raises ``VddkUnusable`` where there is none that can be used.
    """

    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VddkRow:
    """Which library is used."""

    folder: str = ""
    """As it was named; empty: none is used."""
    library: VddkLibrary | None = None
    """What is there now; None: nothing that can be used."""
    error: ErrorRow | None = None
    """Why it cannot be used; None: it can, or none is named."""


class ReadVddk(Query[VddkRow], frozen=True, kw_only=True):
    """Return which library is used, and how it is now."""
