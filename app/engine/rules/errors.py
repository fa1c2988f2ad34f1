"""Errors about backup rules."""

from app.domain.errors import OperationalError


class RuleUnknown(OperationalError):
    """No rule has this id."""

    code = "rule.unknown"
    message_template = "There is no rule {rule}."
    hint_template = "Refresh the list of rules."


class VmNotInRule(OperationalError):
    """The rule does not protect this VM."""

    code = "rule.vm_not_in_rule"
    message_template = "The VM {vm} is not in the rule {rule}."
    hint_template = "Refresh the list of the rule's VMs."


class RuleRefused(OperationalError):
    """What was entered for a rule cannot be used."""

    code = "rule.refused"
    message_template = "The rule cannot be used as it is: {problems}"
    hint_template = "Correct the fields that are named and try again."


class LastVmOfRule(OperationalError):
    """A rule cannot be without VMs."""

    code = "rule.last_vm"
    message_template = "The rule {rule} would be left without VMs."
    hint_template = "Delete the whole rule instead."


class RuleInUse(OperationalError):
    """Tasks use the restore points that would be deleted."""

    code = "rule.in_use"
    message_template = "The data of {rule} is used right now by: {tasks}"
    hint_template = "Wait until these tasks have ended or stop them, or delete the rule without its data."


class StillStopping(OperationalError):
    """Tasks were asked to stop and are still cleaning up."""

    code = "rule.still_stopping"
    message_template = "The tasks of {rule} are stopping and still clean up on the platform."
    hint_template = "Try again in a few minutes; nothing was deleted."
    retryable = True


class PointNotOfVm(OperationalError):
    """The restore point belongs to another VM, or is not there."""

    code = "rule.point_not_of_vm"
    message_template = "{point} is no restore point of {vm} in this rule."
    hint_template = "Refresh the list of restore points and choose again."
