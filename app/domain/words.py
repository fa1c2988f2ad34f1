"""Words of several layers that stand inside messages."""

from app.domain.messages import Word


class Done(Word):
    """What was done, or could not be done, to a thing: fits behind "could not be"."""

    CREATED = "created"
    REMOVED = "removed"
    READ = "read"
    WRITTEN = "written"


class PowerChange(Word):
    """Which way a VM's power goes: fits behind "could not be powered"."""

    ON = "on"
    OFF = "off"
