"""Errors of consolidating the disks of VMs."""

from app.domain.errors import OperationalError


class VmIsAnother(OperationalError):
    """The VM has another name than the one that the operator saw."""

    code = "engine.vm_is_another"
    message_template = "The VM that was {vm} is called {other} now, so nothing was done to it."
    hint_template = "Examine the platform again, and start from what it finds."


class ConsolidationNotOffered(OperationalError):
    """The platform's kind does not merge disks on demand."""

    code = "engine.consolidation_not_offered"
    message_template = "{platform} does not consolidate the disks of VMs on demand."
    hint_template = "Consolidate them with the platform's own tools."
