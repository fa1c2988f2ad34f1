"""Why VMs are not migrated, and what was done with targets: the reasons inside errors."""

from typing import Final

from app.domain.messages import MessageKind

IS_TEMPLATE: Final = MessageKind("migration.is_template", "it is a template")
HAS_NO_DISKS: Final = MessageKind("migration.has_no_disks", "it has no disks")
DISK_NOT_READ: Final = MessageKind("migration.disk_not_read", "{disk} ({reason})")
NOT_OFF: Final = MessageKind("migration.target_not_off", "it is not powered off")
HAS_SNAPSHOTS: Final = MessageKind("migration.target_has_snapshots", "it has snapshots")
LACKS_DISK: Final = MessageKind("migration.target_lacks_disk", "it lacks {disk}")
NAMED_TWICE: Final = MessageKind("migration.named_twice", "a VM is named twice")
