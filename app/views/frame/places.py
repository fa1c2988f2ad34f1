"""Addresses that several parts of the frame lead to."""

from app.domain.ids import PointId, RuleId, TaskId, VmId
from app.views.frame.history import Address

BACKUP = Address("backup")
NEW_RULE = Address("backup", ("new",))
TASKS = Address("tasks")
STANDBYS = Address("standbys")
PLATFORMS = Address("platforms")
OFFERS = Address("restore", ("offers",))
INSTANT = Address("restore", ("instant",))
PROOFS = Address("restore", ("proofs",))
FAILED_TASKS = Address("backup", ("failed",))
"""The statistics' list of failed tasks, of all rules."""


def task_place(task: TaskId) -> Address:
    """Return where one task is shown."""
    return Address("tasks", (task,))


def rule_place(rule: RuleId, vm: VmId | None = None) -> Address:
    """Return where the VMs of a rule are shown, with one of them selected when it is named."""
    return Address("backup", (rule,) if vm is None else (rule, vm))


def point_place(point: PointId) -> Address:
    """Return where a restore point can be restored."""
    return Address("restore", (point,))
