"""The encryption of backup data: unlocking, passphrases, recovery keys."""

from collections.abc import Mapping

from app.domain.console_events import StandbyRegistered
from app.domain.errors import OperationalError
from app.domain.standbys import Standby
from app.engine import commands as c
from app.engine import queries as q
from app.engine.desks import Handler
from app.engine.encryption import EncryptionOffice
from app.engine.history import messages as m
from app.engine.jobs import Workshop
from app.engine.registry import Registry


class EncryptionDesk:
    """Answers about the encryption of standby machines. Thread: any."""

    def __init__(self, workshop: Workshop, registry: Registry, encryption: EncryptionOffice) -> None:
        self._workshop = workshop
        self._registry = registry
        self._encryption = encryption

    def handlers(self) -> Mapping[type, Handler]:
        """Return who answers what."""
        return {
            c.UnlockStandby: self._unlock_standby,
            c.EncryptStandby: self._encrypt_standby,
            c.ChangePassphrase: self._change_passphrase,
            c.AddRecoveryKey: self._add_recovery_key,
            c.RevokeRecoveryKeys: self._revoke_recovery_keys,
            q.DescribeEncryption: self._describe_encryption,
        }

    def _unlock_standby(self, command: c.UnlockStandby) -> c.UnlockReport:
        """Keep the keys of the repositories that a passphrase or recovery key opens, and list their points.

        Raises:
            StandbyUnknown, NothingToUnlock, KeyWrong: nothing is kept.
            OperationalError: the standby or the secret store cannot be used.
        """
        standby = self._registry.standby(command.standby)
        attempt = self._encryption.unlock(standby, command.key)
        log = self._workshop.journal.about(standby.name, "standby.unlock")
        log.info(m.STANDBY_UNLOCKED, opened=len(attempt.opened), locked=len(attempt.locked))
        count = 0
        for found, _ in attempt.opened:
            try:
                count += self._registry.read_points(standby.id, found.place.target_path)
            except OperationalError as error:
                log.warning(m.REPOSITORY_UNREAD, directory=found.place.target_path or "/", detail=error.message)
        self._encryption_changed(standby)
        return c.UnlockReport(
            opened=tuple(found.place.target_path for found, _ in attempt.opened),
            locked=tuple(found.place.target_path for found in attempt.locked),
            point_count=count,
            needs_passphrase=standby.is_encrypted and not self._encryption.knows_passphrase(standby),
        )

    def _encrypt_standby(self, command: c.EncryptStandby) -> None:
        """Encrypt what will be kept on a standby that holds nothing yet.

        Raises:
            StandbyUnknown, StillInUse, PlainDataThere, PassphraseWeak: nothing is changed.
            OperationalError: the standby or the secret store cannot be used.
        """
        standby = self._registry.standby(command.standby)
        self._registry.refuse_used_by_tasks(standby)
        changed = self._encryption.encrypt(standby, command.passphrase, hide_names=command.hide_names)
        self._workshop.journal.about(standby.name, "standby.encrypt").info(m.STANDBY_ENCRYPTED)
        self._encryption_changed(changed)

    def _change_passphrase(self, command: c.ChangePassphrase) -> None:
        """Give all encrypted repositories of a standby another passphrase.

        Raises:
            StandbyUnknown, NotEncrypted, PassphraseWeak, KeyNeeded: nothing is changed.
            OperationalError: the standby or the secret store cannot be used.
        """
        standby = self._registry.standby(command.standby)
        self._encryption.change_passphrase(standby, command.passphrase)
        self._workshop.journal.about(standby.name, "standby.passphrase").info(m.PASSPHRASE_CHANGED)
        self._encryption_changed(standby)

    def _add_recovery_key(self, command: c.AddRecoveryKey) -> c.RecoverySheet:
        """Make a recovery key, which is kept nowhere.

        Raises:
            StandbyUnknown, NotEncrypted, RecoveryKeysFull, KeyNeeded: nothing is changed.
            OperationalError: the standby or the secret store cannot be used.
        """
        standby = self._registry.standby(command.standby)
        sheet = self._encryption.add_recovery_key(standby)
        self._workshop.journal.about(standby.name, "standby.recovery_key").info(m.RECOVERY_KEY_MADE)
        return sheet

    def _revoke_recovery_keys(self, command: c.RevokeRecoveryKeys) -> None:
        """Make all recovery keys of a standby worthless.

        Raises:
            StandbyUnknown, NotEncrypted, KeyNeeded: nothing is changed.
            OperationalError: the standby or the secret store cannot be used.
        """
        standby = self._registry.standby(command.standby)
        self._encryption.revoke_recovery_keys(standby)
        self._workshop.journal.about(standby.name, "standby.recovery_key").info(m.RECOVERY_KEYS_REVOKED)

    def _describe_encryption(self, query: q.DescribeEncryption) -> q.EncryptionRow:
        """Return how the backup data at a standby is encrypted.

        Raises:
            StandbyUnknown, SecretStoreUnavailable: that cannot be told.
        """
        return self._encryption.describe(self._registry.standby(query.standby))

    def _encryption_changed(self, standby: Standby) -> None:
        workshop = self._workshop
        workshop.standby_watch.refresh(again=True)
        workshop.bus.publish(StandbyRegistered(at=workshop.clock.now(), standby=standby.id, name=standby.name))
