"""What can go wrong with a look at a platform, as the operator reads it."""

from app.domain.errors import OperationalError


class NothingToProbe(OperationalError):
    """The platform has no disk that can be read without changing something."""

    code = "engine.nothing_to_probe"
    message_template = "{name} has no disk that nobody writes to: no VM is switched off, and none has a snapshot."
    hint_template = "Switch a VM off or take a snapshot of one, then probe again."
