"""Restore points that are in use for long, here or on other consoles."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from app.contract.base import Command, Query
from app.domain.ids import PointId, StandbyId
from app.domain.messages import Param


class PinProblem(Enum):
    """Why it is not known what a pin keeps."""

    UNREADABLE = "unreadable"
    """Its file is damaged."""
    NEWER = "newer"
    """A newer version of the program wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinRow:
    """A pin: as long as it is there, its restore point is neither deleted nor does retention take it."""

    standby: StandbyId
    target_path: str
    id: str
    problem: PinProblem | None = None
    """With one, nothing of what follows is known; no point is deleted and no garbage collected there meanwhile."""
    point: PointId | None = None
    vm_name: str = ""
    """Empty where this console does not list the point."""
    point_at: datetime | None = None
    purpose: Param = ""
    """What it is for."""
    since: datetime | None = None
    """By the clock of the holder's machine."""
    host: str = ""
    """The holder's machine."""
    is_ours: bool = False
    """Whether this console holds it."""
    is_at_work: bool = False
    """Whether work of this console holds it right now: then it ends with that work only."""


class ListPins(Query[tuple[PinRow, ...]], frozen=True, kw_only=True):
    """Return the pins at a standby machine, the oldest first; repositories that cannot be opened are left out."""

    standby: StandbyId


class EndPin(Command[None], frozen=True, kw_only=True):
    """End a pin whose holder is gone for good, after the operator has confirmed that; one that is gone is fine.

    Whoever reads the point all the same may lose it meanwhile. Refused for a pin that work of this console holds.
    """

    standby: StandbyId
    target_path: str = ""
    pin: str
