"""The encryption of backup data: unlocking, passphrases, recovery keys."""

from collections.abc import Callable, Iterable

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
from app.domain.errors import OperationalError
from app.domain.tasks import TaskRecord
from app.engine.encryption.service import EncryptionService
from app.engine.handlers import handles
from app.engine.history import messages
from app.engine.log.journal import Journal
from app.engine.points.list import PointList
from app.engine.ports import StandbyStore
from app.engine.registration.checks import refuse_used_by_tasks
from app.engine.standbys.lookup import registered_standby
from app.engine.standbys.watch import StandbyWatch


class EncryptionHandlers:
    """Answers about the encryption of standby machines. Thread: any."""

    def __init__(
        self,
        *,
        encryption: EncryptionService,
        standbys: StandbyStore,
        points: PointList,
        watch: StandbyWatch,
        unfinished: Callable[[], Iterable[TaskRecord]],
        journal: Journal,
    ) -> None:
        self._encryption = encryption
        self._standbys = standbys
        self._points = points
        self._watch = watch
        self._unfinished = unfinished
        self._journal = journal

    @handles(UnlockStandby)
    def _unlock_standby(self, command: UnlockStandby) -> UnlockReport:
        """Keep the keys of the repositories that a passphrase or recovery key opens, and list their points.

        Raises:
            StandbyUnknown, NothingToUnlock, KeyWrong: nothing is kept.
            OperationalError: the standby or the secret store cannot be used.
        """
        standby = registered_standby(self._standbys, command.standby)
        attempt = self._encryption.unlock(standby, command.key)
        log = self._journal.about(standby.name, "standby.unlock")
        log.info(messages.STANDBY_UNLOCKED, opened=len(attempt.opened), locked=len(attempt.locked))
        count = 0
        for found, _ in attempt.opened:
            try:
                count += self._points.agree(standby.id, found.place.target_path).count
            except OperationalError as error:
                log.warning(messages.REPOSITORY_UNREAD, directory=found.place.target_path or "/", detail=error)
        self._watch.refresh(again=True)
        return UnlockReport(
            opened=tuple(found.place.target_path for found, _ in attempt.opened),
            locked=tuple(found.place.target_path for found in attempt.locked),
            point_count=count,
            needs_passphrase=standby.is_encrypted and not self._encryption.knows_passphrase(standby),
        )

    @handles(EncryptStandby)
    def _encrypt_standby(self, command: EncryptStandby) -> None:
        """Encrypt what will be kept on a standby that holds nothing yet.

        Raises:
            StandbyUnknown, StillInUse, PlainDataThere, PassphraseWeak: nothing is changed.
            OperationalError: the standby or the secret store cannot be used.
        """
        standby = registered_standby(self._standbys, command.standby)
        refuse_used_by_tasks(self._unfinished(), standby)
        self._encryption.encrypt(standby, command.passphrase, hide_names=command.hide_names)
        self._journal.about(standby.name, "standby.encrypt").info(messages.STANDBY_ENCRYPTED)
        self._watch.refresh(again=True)

    @handles(ChangePassphrase)
    def _change_passphrase(self, command: ChangePassphrase) -> None:
        """Give all encrypted repositories of a standby another passphrase.

        Raises:
            StandbyUnknown, NotEncrypted, PassphraseWeak, KeyNeeded: nothing is changed.
            OperationalError: the standby or the secret store cannot be used.
        """
        standby = registered_standby(self._standbys, command.standby)
        self._encryption.change_passphrase(standby, command.passphrase)
        self._journal.about(standby.name, "standby.passphrase").info(messages.PASSPHRASE_CHANGED)
        self._watch.refresh(again=True)

    @handles(AddRecoveryKey)
    def _add_recovery_key(self, command: AddRecoveryKey) -> RecoverySheet:
        """Make a recovery key, which is kept nowhere.

        Raises:
            StandbyUnknown, NotEncrypted, RecoveryKeysFull, KeyNeeded: nothing is changed.
            OperationalError: the standby or the secret store cannot be used.
        """
        standby = registered_standby(self._standbys, command.standby)
        sheet = self._encryption.add_recovery_key(standby)
        self._journal.about(standby.name, "standby.recovery_key").info(messages.RECOVERY_KEY_MADE)
        return sheet

    @handles(RevokeRecoveryKeys)
    def _revoke_recovery_keys(self, command: RevokeRecoveryKeys) -> None:
        """Make all recovery keys of a standby worthless.

        Raises:
            StandbyUnknown, NotEncrypted, KeyNeeded: nothing is changed.
            OperationalError: the standby or the secret store cannot be used.
        """
        standby = registered_standby(self._standbys, command.standby)
        self._encryption.revoke_recovery_keys(standby)
        self._journal.about(standby.name, "standby.recovery_key").info(messages.RECOVERY_KEYS_REVOKED)

    @handles(DescribeEncryption)
    def _describe_encryption(self, query: DescribeEncryption) -> EncryptionRow:
        """Return how the backup data at a standby is encrypted.

        Raises:
            StandbyUnknown, SecretStoreUnavailable: that is not known.
        """
        return self._encryption.describe(registered_standby(self._standbys, query.standby))
