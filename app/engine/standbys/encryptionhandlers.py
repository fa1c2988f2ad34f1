"""The encryption of backup data: unlocking, passphrases, recovery keys."""

from collections.abc import Mapping

from app.contract.encryption import (
    AddRecoveryKey,
    ChangePassphrase,
    DescribeEncryption,
    EncryptionRow,
    EncryptStandby,
    RecoverySheet,
    RevokeRecoveryKeys,
    UnlockReport,
    UnlockStandby,
)
from app.domain.console_events import StandbyRegistered
from app.domain.errors import OperationalError
from app.domain.standbys import Standby
from app.engine.handlers import Handler
from app.engine.history import messages
from app.engine.platforms.registration import Registration
from app.engine.standbys.encryption import EncryptionService
from app.engine.tasks.job import Workshop


class EncryptionHandlers:
    """Answers about the encryption of standby machines. Thread: any."""

    def __init__(self, workshop: Workshop, registry: Registration, encryption: EncryptionService) -> None:
        self._workshop = workshop
        self._registry = registry
        self._encryption = encryption

    def handlers(self) -> Mapping[type, Handler]:
        """Return who answers what."""
        return {
            UnlockStandby: self._unlock_standby,
            EncryptStandby: self._encrypt_standby,
            ChangePassphrase: self._change_passphrase,
            AddRecoveryKey: self._add_recovery_key,
            RevokeRecoveryKeys: self._revoke_recovery_keys,
            DescribeEncryption: self._describe_encryption,
        }

    def _unlock_standby(self, command: UnlockStandby) -> UnlockReport:
        """Keep the keys of the repositories that a passphrase or recovery key opens, and list their points.

        Raises:
            StandbyUnknown, NothingToUnlock, KeyWrong: nothing is kept.
            OperationalError: the standby or the secret store cannot be used.
        """
        standby = self._registry.standby(command.standby)
        attempt = self._encryption.unlock(standby, command.key)
        log = self._workshop.journal.about(standby.name, "standby.unlock")
        log.info(messages.STANDBY_UNLOCKED, opened=len(attempt.opened), locked=len(attempt.locked))
        count = 0
        for found, _ in attempt.opened:
            try:
                count += self._registry.read_points(standby.id, found.place.target_path)
            except OperationalError as error:
                log.warning(
                    messages.REPOSITORY_UNREAD, directory=found.place.target_path or "/", detail=error.message
                )
        self._encryption_changed(standby)
        return UnlockReport(
            opened=tuple(found.place.target_path for found, _ in attempt.opened),
            locked=tuple(found.place.target_path for found in attempt.locked),
            point_count=count,
            needs_passphrase=standby.is_encrypted and not self._encryption.knows_passphrase(standby),
        )

    def _encrypt_standby(self, command: EncryptStandby) -> None:
        """Encrypt what will be kept on a standby that holds nothing yet.

        Raises:
            StandbyUnknown, StillInUse, PlainDataThere, PassphraseWeak: nothing is changed.
            OperationalError: the standby or the secret store cannot be used.
        """
        standby = self._registry.standby(command.standby)
        self._registry.refuse_used_by_tasks(standby)
        changed = self._encryption.encrypt(standby, command.passphrase, hide_names=command.hide_names)
        self._workshop.journal.about(standby.name, "standby.encrypt").info(messages.STANDBY_ENCRYPTED)
        self._encryption_changed(changed)

    def _change_passphrase(self, command: ChangePassphrase) -> None:
        """Give all encrypted repositories of a standby another passphrase.

        Raises:
            StandbyUnknown, NotEncrypted, PassphraseWeak, KeyNeeded: nothing is changed.
            OperationalError: the standby or the secret store cannot be used.
        """
        standby = self._registry.standby(command.standby)
        self._encryption.change_passphrase(standby, command.passphrase)
        self._workshop.journal.about(standby.name, "standby.passphrase").info(messages.PASSPHRASE_CHANGED)
        self._encryption_changed(standby)

    def _add_recovery_key(self, command: AddRecoveryKey) -> RecoverySheet:
        """Make a recovery key, which is kept nowhere.

        Raises:
            StandbyUnknown, NotEncrypted, RecoveryKeysFull, KeyNeeded: nothing is changed.
            OperationalError: the standby or the secret store cannot be used.
        """
        standby = self._registry.standby(command.standby)
        sheet = self._encryption.add_recovery_key(standby)
        self._workshop.journal.about(standby.name, "standby.recovery_key").info(messages.RECOVERY_KEY_MADE)
        return sheet

    def _revoke_recovery_keys(self, command: RevokeRecoveryKeys) -> None:
        """Make all recovery keys of a standby worthless.

        Raises:
            StandbyUnknown, NotEncrypted, KeyNeeded: nothing is changed.
            OperationalError: the standby or the secret store cannot be used.
        """
        standby = self._registry.standby(command.standby)
        self._encryption.revoke_recovery_keys(standby)
        self._workshop.journal.about(standby.name, "standby.recovery_key").info(messages.RECOVERY_KEYS_REVOKED)

    def _describe_encryption(self, query: DescribeEncryption) -> EncryptionRow:
        """Return how the backup data at a standby is encrypted.

        Raises:
            StandbyUnknown, SecretStoreUnavailable: that cannot be told.
        """
        return self._encryption.describe(self._registry.standby(query.standby))

    def _encryption_changed(self, standby: Standby) -> None:
        workshop = self._workshop
        workshop.standby_watch.refresh(again=True)
        workshop.bus.publish(StandbyRegistered(at=workshop.clock.now(), standby=standby.id, name=standby.name))
