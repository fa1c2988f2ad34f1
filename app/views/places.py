"""Addresses that several parts of the frame lead to."""

from app.domain.ids import PointId, RuleId, TaskId
from app.views.history import Address

BACKUP = Address("backup")
TASKS = Address("tasks")
STANDBYS = Address("standbys")
PLATFORMS = Address("platforms")
FAILED_TASKS = Address("backup", ("failed",))
"""The statistics' list of failed tasks, of all rules."""


def task_place(task: TaskId) -> Address:
    """Return where one task is shown."""
    return Address("tasks", (task,))


def rule_place(rule: RuleId) -> Address:
    """Return where the VMs of a rule are shown."""
    return Address("backup", (rule,))


def point_place(point: PointId) -> Address:
    """Return where a restore point can be restored."""
    return Address("restore", (point,))
