"""What an export writes to its task's log."""

from app.domain.messages import MessageKind

DISK_EXPORTED = MessageKind("export.disk_exported", "{disk} was written to {file} ({format})")
