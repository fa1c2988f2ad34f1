"""What can go wrong with a repository, beyond the standby errors of :mod:`app.domain.errors`."""

from app.domain.errors import OperationalError


class RepositoryMissing(OperationalError):
    """There is no repository at the standby path."""

    code = "repository.missing"
    message_template = "There is no backup repository at {path}."
    hint_template = "Check the standby target path, and that the disk or share with the backups is mounted."


class RepositoryExists(OperationalError):
    """A repository is there already."""

    code = "repository.exists"
    message_template = "There is a backup repository at {path} already."
    hint_template = "Open it, or choose an empty directory for a new one."


class RepositoryTooNew(OperationalError):
    """A newer program wrote the repository in a way this one does not understand."""

    code = "repository.too_new"
    message_template = "The repository at {path} has format {found}; this program reads up to {supported}."
    hint_template = "Install the current version of the program."


class RepositoryDamaged(OperationalError):
    """A file that the whole repository needs cannot be read."""

    code = "repository.damaged"
    message_template = "{path} is damaged: {detail}."
    hint_template = "Restore the file from a copy of the repository; the backup data itself was not touched."


class LinkRefused(OperationalError):
    """A link leads out of the repository."""

    code = "repository.link_refused"
    message_template = "{path} is no directory or file of the repository but leads elsewhere; it was not followed."
    hint_template = (
        "A user or program with access to the standby put it there. Bring back what belongs there, remove the "
        "link, and verify the repository."
    )


class RepositoryBusy(OperationalError):
    """Someone else holds the repository in a way that excludes what was asked for."""

    code = "repository.busy"
    message_template = "The repository at {path} is in use by {owner} ({purpose})."
    hint_template = "Wait until the other work has ended, then run the task again."
    retryable = True


class LeaseLost(OperationalError):
    """This process did not show a sign of life for so long that another one took its place."""

    code = "repository.lease_lost"
    message_template = "The claim on the repository at {path} was taken over by another process."
    hint_template = "The machine slept or the share was away for minutes; run the task again."
    retryable = True


class PointMissing(OperationalError):
    """The restore point is not there (any more)."""

    code = "repository.point_missing"
    message_template = "The restore point {point} is not in the repository."
    hint_template = "Refresh the list; the point may have been deleted, and may still be in the trash."


class PointExists(OperationalError):
    """A restore point of that name is there already."""

    code = "repository.point_exists"
    message_template = "The restore point {point} is in the repository already."
    hint_template = "Nothing was overwritten; look at the list of restore points."


class PointDamaged(OperationalError):
    """The restore point's own description or one of its files cannot be trusted."""

    code = "repository.point_damaged"
    message_template = "The restore point {point} is damaged: {detail}."
    hint_template = "Use another restore point; the next full backup makes a whole one."


class PointTooNew(PointDamaged):
    """A newer program wrote the restore point; nothing is wrong with it."""

    code = "repository.point_too_new"
    message_template = "The restore point {point} was written by a newer program, with format {found}."
    hint_template = "Install the current version of the program. Nothing of the restore point was changed."


class DataDamaged(OperationalError):
    """Stored bytes are missing or are not what was stored."""

    code = "repository.data_damaged"
    message_template = "Backup data is damaged: {what}: {detail}."
    hint_template = "Verify the repository to see which restore points are hit; the next backup heals what it can."


class KeyNeeded(OperationalError):
    """The repository is encrypted and no key was given."""

    code = "repository.key_needed"
    message_template = "The repository at {path} is encrypted, and this machine does not know its key."
    hint_template = "Unlock its standby machine under Standby machines, with the passphrase or a recovery key."


class KeyWrong(OperationalError):
    """The passphrase or recovery key does not open the repository."""

    code = "repository.key_wrong"
    message_template = "The passphrase or recovery key does not open the repository at {path}."
    hint_template = "Check the keyboard layout and upper and lower case, or use the printed recovery key."


class FileNamesNotUtf8(OperationalError):
    """This process would write file names that other machines cannot read."""

    code = "repository.file_names_not_utf8"
    message_template = "This process writes file names in {encoding}, so the repository at {path} is not opened."
    hint_template = "Start the program with PYTHONUTF8=1 in its environment, or under a locale with UTF-8."


class RecoveryKeyMistyped(KeyWrong):
    """What was typed has the form of a recovery key, but a letter is wrong."""

    code = "repository.recovery_key_mistyped"
    message_template = (
        "The recovery key was mistyped: its last four letters, which check the others, do not fit them."
    )
    hint_template = "Compare it with the printed key, letter by letter; blanks, dashes and case do not matter."


class RecoveryKeyIncomplete(KeyWrong):
    """What was typed has the form of a recovery key, but letters are missing, or there are too many."""

    code = "repository.recovery_key_incomplete"
    message_template = (
        "The recovery key has {count} {count:letter or digit/letters and digits} instead of {right}."
    )
    hint_template = "Compare it with the printed key, group by group; it has 14 groups of four."


class LocatorUnavailable(OperationalError):
    """The local index of the repository cannot be kept."""

    code = "repository.locator_unavailable"
    message_template = "The local index of the repository at {path} cannot be used: {detail}."
    hint_template = "Free space on this machine's own disk, and check that this account may write there."


class GarbageCollectionUnsafe(OperationalError):
    """It is not known what a damaged point or index reaches, so that nothing may be collected."""

    code = "repository.sweep_unsafe"
    message_template = "No garbage was collected, because {what} cannot be read: {detail}."
    hint_template = (
        "Verify the repository; delete the restore points that are beyond repair, then collect garbage again."
    )


class PinUnreadable(GarbageCollectionUnsafe):
    """It is not known which restore point a damaged pin keeps."""

    code = "repository.pin_unreadable"
    message_template = (
        "The pin {pin} cannot be read, so that it is not known which restore point it keeps; nothing was deleted."
    )
    hint_template = "If no console uses a restore point here any more, end the pin under Standby machines, In use."


class PinnedPointMissing(GarbageCollectionUnsafe):
    """A pin keeps a restore point that is neither among the points nor in the trash."""

    code = "repository.pinned_point_missing"
    message_template = (
        "The restore point {point}, pinned by {host} ({purpose}), is not in the repository any more; no garbage "
        "was collected."
    )
    hint_template = "Bring the folder of the point back, or end the pin under Standby machines, In use."


class PointNotPinned(OperationalError):
    """A restore point is to be read for long, and nothing keeps it."""

    code = "repository.point_not_pinned"
    message_template = "Nothing keeps the restore point {point}: its pin was ended."
    hint_template = "Stop what runs from it, and start that again."


class PointPinned(OperationalError):
    """Somebody uses a restore point for long."""

    code = "repository.point_pinned"
    message_template = (
        "The restore point {point} is in use by {host} since {since} ({purpose}); it was not deleted."
    )
    hint_template = (
        "Wait until that has ended, or end it there. If that console does not exist any more, end its pin under "
        "Standby machines, In use."
    )


class WrittenByNewer(GarbageCollectionUnsafe):
    """A newer program wrote something in the repository, which this one leaves alone."""

    code = "repository.written_by_newer"
    message_template = "A newer program wrote {what}; it was left alone, and nothing was deleted."
    hint_template = "Install the current version of the program on this machine."


class RulesTakenOver(OperationalError):
    """Another console took the rules of this one over: it must not write here any more."""

    code = "repository.taken_over"
    message_template = (
        "The console on {host} has taken over the rules of this one in {path} since {since}; nothing was written."
    )
    hint_template = (
        "If that is right, delete the rules here, or leave this workstation switched off. If this console is to "
        "be the owner again, take over the rules of {host} here."
    )
