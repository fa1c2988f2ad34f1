"""The one kind of event that says what may be different now, for those who show it."""

from dataclasses import dataclass
from enum import Enum

from app.domain.events import Announcement


class Subject(Enum):
    """A family of answers of the engine; the comment of each says what its keys are."""

    TASKS = "tasks"
    """Task ids."""
    RULES = "rules"
    """Rule ids; the VMs of a rule change with it."""
    PLATFORMS = "platforms"
    """Platform ids."""
    STANDBYS = "standbys"
    """Standby ids."""
    NAMES = "names"
    """Ids of platforms and standbys: what they are called, in the rows of rules and tasks as well."""
    POINTS = "points"
    """Ids of the standbys where the restore points are."""
    FIGURES = "figures"
    """Rule ids: what is counted per day, and errors that have not been looked at."""
    LOG = "log"
    """Task ids; other lines have no key."""
    OFFERS = "offers"
    """No keys."""
    INSTANT = "instant"
    """Ids of instant recoveries."""
    MIGRATION = "migration"
    """Ids of migrations."""
    CLOCK = "clock"
    """No keys: whether the machine's clock is believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed(Announcement):
    """Answers about a subject may be different: a query that is asked upon this gets the new one.

    Published after the commit and after the engine's memory agrees with it. Progress and speed are no changes:
    they are sampled.
    """

    subject: Subject
    keys: tuple[str, ...] = ()
    """Whose answers; empty: all of them."""
