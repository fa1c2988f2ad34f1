"""Errors of migrations."""

from app.domain.errors import OperationalError


class MigrationUnknown(OperationalError):
    """No migration has this id."""

    code = "migration.unknown"
    message_template = "There is no such migration any more."
    hint_template = "Refresh the list."


class MigrationBusy(OperationalError):
    """A task works at the migration."""

    code = "migration.busy"
    message_template = "A task works at the migration of {vm}."
    hint_template = "Wait until it has ended, or stop it first."
    retryable = True


class MigrationExists(OperationalError):
    """The VM is being migrated already."""

    code = "migration.exists"
    message_template = "{vm} is being migrated already."
    hint_template = "Resume that migration, or discard it first."


class MigrationNotReady(OperationalError):
    """A cut-over was asked for too early."""

    code = "migration.not_ready"
    message_template = "The migration of {vm} is not ready for the cut-over."
    hint_template = "Wait until the rest is small, or resume the migration."


class MigrationEnded(OperationalError):
    """The migration is completed."""

    code = "migration.ended"
    message_template = "The migration of {vm} is completed."
    hint_template = "Start a new migration to move the VM again."


class MigrationNotStopped(OperationalError):
    """The migration goes on by itself."""

    code = "migration.not_stopped"
    message_template = "The migration of {vm} does not have to be resumed."
    hint_template = "It is ready: begin the cut-over, or stop it."


class MigrationUnsupported(OperationalError):
    """A platform's kind cannot take migrated VMs."""

    code = "migration.unsupported"
    message_template = "VMs cannot be migrated to {platform}."
    hint_template = "Choose a vCenter or an ESXi host as the target."


class NotMigrated(OperationalError):
    """The VM cannot be migrated as it is."""

    code = "migration.not_migrated"
    message_template = "{vm} cannot be migrated: {reason}."
    hint_template = "Change what is named on the platform, or use a backup and a restore instead."


class SourceUnsure(OperationalError):
    """It is not certain that the VM is the one of the migration."""

    code = "migration.source_unsure"
    message_template = "It is not certain that {vm} is still the VM that is being migrated."
    hint_template = "Look at the VM on the platform. If it is another one, discard the migration."


class SourceDisksChanged(OperationalError):
    """Disks of the source were added, removed or resized."""

    code = "migration.disks_changed"
    message_template = "The disks of {vm} were added, removed or resized since the migration began: {disks}."
    hint_template = "Discard the migration, and start it again."


class SourceSuspended(OperationalError):
    """The source is suspended."""

    code = "migration.source_suspended"
    message_template = "{vm} is suspended; the content of its memory would be lost."
    hint_template = "Resume it, or power it off, and try again."


class SourceStarted(OperationalError):
    """The source was started by someone in the middle of the cut-over."""

    code = "migration.source_started"
    message_template = "{vm} was started during the cut-over."
    hint_template = "Find out who started it, and begin the cut-over again."
    retryable = True


class TargetGone(OperationalError):
    """The target VM is not there, or does not carry the mark any more."""

    code = "migration.target_gone"
    message_template = "The target VM {name} is not there any more."
    hint_template = "Discard the migration, and start it again."


class TargetTouched(OperationalError):
    """Someone did something with the target VM."""

    code = "migration.target_touched"
    message_template = "The target VM {name} was changed on its platform: {reason}."
    hint_template = "Undo that and resume, or discard the migration and start it again."


class TargetDiffers(OperationalError):
    """The target is not what the source is, though all was copied."""

    code = "migration.differs"
    message_template = (
        "{disk} of the target differs from the source at offset {offset}, though it was copied twice."
    )
    hint_template = "Check the datastore of the target, then resume the migration. The source runs on."


class StartNotProven(OperationalError):
    """The system in the started target did not report that it runs."""

    code = "migration.start_not_proven"
    message_template = "The system in {name} has not reported within {seconds} s that it runs."
    hint_template = (
        "Watch its console in the next cut-over, or cut over without this proof. The source runs again."
    )


class NeededByMigration(OperationalError):
    """A platform is needed by a migration that has not ended."""

    code = "migration.needed"
    message_template = "{name} is needed by the migration of {vm}."
    hint_template = "Complete or discard that migration first."
