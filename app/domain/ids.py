"""Identifiers. Each is a plain string at run time and a type of its own to the type checker."""

from typing import NewType

PlatformId = NewType("PlatformId", str)
"""Our key of a registered virtual platform (a UUID)."""

VmId = NewType("VmId", str)
"""The hypervisor's own key of a VM; for vSphere the managed object id, such as ``vm-42``."""

SnapshotId = NewType("SnapshotId", str)
"""The hypervisor's own key of a snapshot; for vSphere the managed object id, such as ``snapshot-7``."""

TaskId = NewType("TaskId", str)
"""Our key of one run for one VM (a UUID)."""

PointId = NewType("PointId", str)
"""Key of a restore point: ``<chain directory>/<point directory>`` inside its repository."""

StandbyId = NewType("StandbyId", str)
"""Our key of a registered standby machine (a UUID)."""

RuleId = NewType("RuleId", str)
"""Our key of a backup rule (a UUID)."""

RecoveryId = NewType("RecoveryId", str)
"""Our key of an instant recovery (32 hexadecimal digits)."""

MigrationId = NewType("MigrationId", str)
"""Our key of the migration of one VM (32 hexadecimal digits)."""
