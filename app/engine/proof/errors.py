"""Errors of proofs of restore."""

from app.domain.errors import OperationalError


class PointNotProven(OperationalError):
    """A restore point was tried, and it is not proven that it can be used."""

    code = "proof.not_proven"
    message_template = "The restore point of {vm} is not proven: {reason}."
    hint_template = (
        "Look at the picture of its console and at the log of the task; an instant recovery of the point lets you "
        "look inside."
    )


class NoPlatformToStart(OperationalError):
    """It is not known where the VM of a restore point could be started."""

    code = "proof.no_platform"
    message_template = "The platform that the restore point of {vm} came from is not registered."
    hint_template = "Choose the platform where it is to be started."


class ConsoleNotShown(OperationalError):
    """A platform shows nothing of a VM that runs there."""

    code = "proof.console_not_shown"
    message_template = "{platform} does not show what has become of a VM that was started."
    hint_template = "Choose another platform."
