"""What is written to the operator's log about things that are no task."""

from app.domain.clocks import ClockDoubtKind
from app.domain.messages import MessageKind

PROGRAM_STARTED = MessageKind("program.started", "The program started")
PROGRAM_ENDED = MessageKind("program.ended", "The program ended")
LOG_CLEARED = MessageKind("log.cleared", "{count} {count:line/lines} of the log {count:was/were} deleted")
LOG_EXPORTED = MessageKind(
    "log.exported", "{count} {count:line/lines} of the log {count:was/were} written to {path}"
)
PLATFORM_REGISTERED = MessageKind("platform.registered", "Registered: {address}, account {user}")
PLATFORM_CHANGED = MessageKind("platform.changed", "Changed: {address}, account {user}")
TRANSPORTS_CHOSEN = MessageKind("platform.transports", "The order of transport modes is now: {modes}")
PLATFORM_REMOVED = MessageKind("platform.removed", "Taken off the list; its restore points stay")
STANDBY_REGISTERED = MessageKind("standby.registered", "Registered: {path}")
STANDBY_FOR_GROUP = MessageKind("standby.for_group", "Users of the group {group} can use what is kept there too")
STANDBY_CHANGED = MessageKind("standby.changed", "Changed: {path}")
STANDBY_REMOVED = MessageKind("standby.removed", "Taken off the list; its data stays where it is")
STANDBY_ENCRYPTED = MessageKind("standby.encrypted", "New repositories are encrypted from now on")
STANDBY_UNLOCKED = MessageKind(
    "standby.unlocked",
    "Unlocked: the keys of {opened} {opened:repository/repositories} are known here now; still locked: {locked}",
)
STANDBY_LOCKED = MessageKind("standby.locked", "The standby machine is locked: {detail}")
PASSPHRASE_CHANGED = MessageKind("standby.passphrase_changed", "The passphrase was changed")
RECOVERY_KEY_MADE = MessageKind("standby.recovery_key_made", "A recovery key was made")
RECOVERY_KEYS_REVOKED = MessageKind("standby.recovery_keys_revoked", "All recovery keys were revoked")
REPOSITORY_UNREAD = MessageKind("standby.repository_unread", "The repository in {directory} is not read: {detail}")
POINTS_REFRESHED = MessageKind(
    "standby.points_refreshed", "{count} restore {count:point was/points were} read from the standby"
)
POINT_DELETED = MessageKind("point.deleted", "The restore point {point} was deleted")
POINT_OFFERED = MessageKind(
    "point.offered", "The disks of the restore point {point} can be read over NBD by a Unix socket"
)
POINT_OFFERED_OVER_TCP = MessageKind(
    "point.offered_over_tcp", "The disks of the restore point {point} can be read over NBD by a TCP port"
)
POINT_WITHDRAWN = MessageKind(
    "point.withdrawn", "The disks of the restore point {point} cannot be read over NBD any more"
)
PIN_ENDED = MessageKind(
    "point.pin_ended",
    "The operator ended the pin of {host} on the restore point {point} ({purpose}, since {since}): it can be "
    "deleted again",
)
UNKNOWN_PIN_ENDED = MessageKind(
    "point.unknown_pin_ended", "The operator ended the pin {pin}, which could not be read"
)
POINT_TAKEN_BACK = MessageKind("point.taken_back", "The deleted restore point {point} was taken back")

RULE_NOT_READABLE = MessageKind(
    "catalog.rule_not_readable",
    "The rule {name} cannot be read from the catalog, and none of its backups run. "
    "Create it again: the new one takes its name and its VMs.",
)
SETTING_NOT_READABLE = MessageKind(
    "catalog.setting_not_readable",
    "The settings {name} cannot be read from the catalog and have no effect. Enter and save them again.",
)
POINT_NOT_READABLE = MessageKind(
    "catalog.point_not_readable",
    "The restore point {name} cannot be read from the catalog. It is read from its standby machine again when the "
    "program starts, or when the restore points of the standby machine are read again.",
)
ROW_NOT_READABLE = MessageKind(
    "catalog.row_not_readable",
    "{name} in the table {table} of the catalog cannot be read and is left out. Where it is missed, start the "
    "program once with --catalog restore to take the newest safety copy.",
)

LINES_LOST = MessageKind(
    "program.lines_lost",
    "{count} {count:line/lines} of the log {count:was/were} lost while the catalog could not be written",
)

POINTS_ADOPTED = MessageKind(
    "points.adopted", "Restore points that were there and not in the list are listed now ({count}): {points}"
)
POINTS_GONE = MessageKind(
    "points.gone", "Restore points that are not there any more were taken out of the list ({count}): {points}"
)

# --- the clock of this machine -----------------------------------------------------------------------------------

CLOCK_AHEAD = MessageKind(
    "clock.ahead",
    "The clock of this machine shows {hours} {hours:hour/hours} more than is known to have passed. "
    "Until it is right again, or confirmed on the overview, nothing is removed for its age.",
)
CLOCK_BEHIND = MessageKind(
    "clock.behind",
    "The clock of this machine went back by {hours} {hours:hour/hours}. Until it is right again, or "
    "confirmed on the overview, nothing is removed for its age.",
)
CLOCK_OF_PLATFORM = MessageKind(
    "clock.platform",
    "The clocks of this machine and of the platform {subject} differ by {hours} {hours:hour/hours}. "
    "Until they agree, or the clock is confirmed on the overview, nothing is removed for its age.",
)
CLOCK_OF_STANDBY = MessageKind(
    "clock.standby",
    "The clocks of this machine and of the standby machine {subject} differ by {hours} "
    "{hours:hour/hours}. Until they agree, or the clock is confirmed on the overview, nothing is "
    "removed for its age.",
)
CLOCK_BELIEVED = MessageKind("clock.believed", "The clock of this machine is right again")
CLOCK_CONFIRMED = MessageKind("clock.confirmed", "The operator confirmed the clock of this machine")
OF_CLOCK_DOUBT = {
    ClockDoubtKind.AHEAD: CLOCK_AHEAD,
    ClockDoubtKind.BEHIND: CLOCK_BEHIND,
    ClockDoubtKind.PLATFORM: CLOCK_OF_PLATFORM,
    ClockDoubtKind.STANDBY: CLOCK_OF_STANDBY,
}
