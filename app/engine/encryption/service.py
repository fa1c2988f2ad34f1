"""Encryption as the operator handles it: for a standby machine, with everything that is stored there."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from app.contract.encryption import EncryptionRow, RecoverySheet, RepositoryKeysRow
from app.contract.errors import ErrorRow
from app.core.clock import Clock
from app.domain.errors import OperationalError
from app.domain.passphrases import is_strong
from app.domain.recoverykeys import RECOVERY_KEY_CHARS
from app.domain.standbys import EncryptionMode, RepositoryPlace, Standby
from app.engine.errors import (
    NotEncrypted,
    NothingToUnlock,
    PassphraseWeak,
    PlainDataThere,
    RecoveryKeysFull,
    RequestRefused,
)
from app.engine.ports import StandbyStore
from app.engine.reasons import ENCRYPTED_ALREADY
from app.engine.standbys.filesystems import check_root, find_repositories
from app.engine.standbys.repositories import Repositories
from app.repository import (
    MOST_RECOVERY_SEALS,
    Passphrase,
    RecoveryKey,
    Repository,
    RepositoryFacts,
    RepositoryKey,
    Seal,
    Seals,
    Unlocked,
    inspect_repository,
    is_recovery_key,
    new_recovery_key,
    typo_in,
    unlock_repository,
)
from app.repository.errors import KeyWrong, RecoveryKeyIncomplete, RecoveryKeyMistyped, RepositoryMissing

ROOT_SHOWN = "/"


@dataclass(frozen=True, slots=True)
class Found:
    """A repository on a standby machine."""

    place: RepositoryPlace
    facts: RepositoryFacts


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a passphrase or recovery key opened."""

    opened: tuple[tuple[Found, Unlocked], ...]
    locked: tuple[Found, ...]

    @property
    def seals(self) -> tuple[Seal, ...]:
        """The seals that it was opened by."""
        return tuple(dict.fromkeys(unlocked.seal for _, unlocked in self.opened if unlocked.seal is not None))


class EncryptionService:
    """Turns encryption on, unlocks, and changes which keys open what. Thread: any; one change at a time."""

    def __init__(self, repositories: Repositories, standbys: StandbyStore, clock: Clock) -> None:
        self._repositories = repositories
        self._keystore = repositories.keystore
        self._standbys = standbys
        self._clock = clock
        self._changing = threading.Lock()

    # --- looking -------------------------------------------------------------------------------------------------

    def survey(self, standby: Standby) -> tuple[Found, ...]:
        """Return the repositories on a standby machine, as far as they can be read."""
        found = []
        for place in self._places(standby):
            with suppress(OperationalError):
                found.append(Found(place, inspect_repository(place.path)))
        return tuple(found)

    def _places(self, standby: Standby) -> list[RepositoryPlace]:
        known = self._standbys.repositories(standby.id)
        paths = dict.fromkeys([*known, *find_repositories(standby)])
        return [
            RepositoryPlace(standby=standby, target_path=path, repository_id=known.get(path)) for path in paths
        ]

    def _refuse_plain(self, standby: Standby) -> None:
        """Refuse a standby machine that holds anything that is not encrypted, or cannot be looked at."""
        plain = []
        for place in self._places(standby):
            with suppress(RepositoryMissing):
                if not inspect_repository(place.path).is_encrypted:
                    plain.append(place.target_path or ROOT_SHOWN)
        if plain:
            raise PlainDataThere(path=standby.root_path, directories=", ".join(plain))

    def describe(self, standby: Standby) -> EncryptionRow:
        """Return how the backup data at a standby machine is encrypted.

        Raises:
            SecretStoreUnavailable: the secret store cannot be used.
        """
        seals = self._keystore.seals(standby)
        paths = sorted(self._standbys.encrypted_repositories(standby.id))
        return EncryptionRow(
            mode=standby.encryption,
            passphrase_known=seals.passphrase is not None,
            recovery_keys=len(seals.recovery),
            repositories=tuple(self._repository_row(standby, path) for path in paths),
        )

    def _repository_row(self, standby: Standby, target_path: str) -> RepositoryKeysRow:
        try:
            with self._repositories.lease(standby.id, target_path) as repository:
                count = repository.access.recovery_key_count()
        except OperationalError as error:
            return RepositoryKeysRow(
                target_path=target_path, is_open=False, recovery_keys=None, error=ErrorRow.of(error)
            )
        return RepositoryKeysRow(target_path=target_path, is_open=True, recovery_keys=count, error=None)

    # --- registering ---------------------------------------------------------------------------------------------

    def prepare(self, standby: Standby, passphrase: str | None, *, hide_names: bool) -> Standby:
        """Decide how a standby machine that is about to be registered is encrypted, and keep its keys.

        Raises:
            PlainDataThere, PassphraseWeak: it cannot be encrypted so.
            KeyWrong: the passphrase opens none of the encrypted repositories there.
            SecretStoreUnavailable: the secret store cannot be used.
        """
        found = self.survey(standby)
        encrypted = [repository for repository in found if repository.facts.is_encrypted]
        if passphrase is not None:
            self._refuse_plain(standby)
            if not encrypted:
                return self._with_new_passphrase(standby, passphrase, hide_names=hide_names)
        if encrypted and len(encrypted) == len(found):
            hides = all(repository.facts.hides_names for repository in encrypted)
            standby = replace(standby, encryption=EncryptionMode.NAMES if hides else EncryptionMode.CONTENTS)
        if passphrase is not None:
            self._keep(standby, _attempt(encrypted, passphrase))
        return standby

    def note(self, standby: Standby) -> None:
        """Remember the encrypted repositories on a standby machine, so that its lock can be reported."""
        known = self._standbys.repositories(standby.id)
        for found in self.survey(standby):
            if found.facts.is_encrypted and found.place.target_path not in known:
                self._standbys.note_repository(
                    standby.id, found.place.target_path, found.facts.id, is_encrypted=True
                )

    def encrypt(self, standby: Standby, passphrase: str, *, hide_names: bool) -> Standby:
        """Encrypt what will be kept on a standby machine that holds nothing yet; return what it is then.

        Raises:
            RequestRefused: it is encrypted already.
            PlainDataThere, PassphraseWeak: it cannot be.
            SecretStoreUnavailable: the secret store cannot be used.
        """
        with self._changing:
            if standby.is_encrypted:
                raise RequestRefused(detail=ENCRYPTED_ALREADY.fill(standby=standby.name))
            check_root(standby)
            self._refuse_plain(standby)
            changed = self._with_new_passphrase(standby, passphrase, hide_names=hide_names)
            self._standbys.put(changed)
        return changed

    def _with_new_passphrase(self, standby: Standby, passphrase: str, *, hide_names: bool) -> Standby:
        _refuse_weak(passphrase)
        self._keystore.keep_seals(standby, Seals(Seal.of_passphrase(passphrase)))
        return replace(standby, encryption=EncryptionMode.NAMES if hide_names else EncryptionMode.CONTENTS)

    def forget(self, standby: Standby) -> None:
        """Forget the keys of a standby machine, but for those of repositories that another one shows too.

        Raises:
            SecretStoreUnavailable: the secret store cannot be used.
        """
        elsewhere = {
            repository_id
            for other in self._standbys.all()
            if other.id != standby.id
            for repository_id in self._standbys.repositories(other.id).values()
        }
        mine = self._standbys.repositories(standby.id)
        encrypted = {mine[path] for path in self._standbys.encrypted_repositories(standby.id)}
        if encrypted or standby.is_encrypted:
            self._keystore.forget(standby, tuple(sorted(encrypted - elsewhere)))

    def knows_passphrase(self, standby: Standby) -> bool:
        """Return whether new repositories can be made on an encrypted standby machine.

        Raises:
            SecretStoreUnavailable: the secret store cannot be used.
        """
        return self._keystore.seals(standby).passphrase is not None

    # --- unlocking -----------------------------------------------------------------------------------------------

    def unlock(self, standby: Standby, typed: str) -> Attempt:
        """Try what was typed on every encrypted repository of a standby machine, and keep the keys it opens.

        Raises:
            NothingToUnlock: there is none.
            KeyWrong: it opens none of them; nothing but their key files was read.
            SecretStoreUnavailable: the secret store cannot be used.
        """
        with self._changing:
            check_root(standby)
            encrypted = [repository for repository in self.survey(standby) if repository.facts.is_encrypted]
            if not encrypted:
                raise NothingToUnlock(name=standby.name)
            attempt = _attempt(encrypted, typed)
            self._keep(standby, attempt)
            self.note(standby)
        return attempt

    def _keep(self, standby: Standby, attempt: Attempt) -> None:
        for _, unlocked in attempt.opened:
            self._keystore.keep_master(unlocked.repository_id, unlocked.master)
        kept = self._keystore.seals(standby)
        for seal in attempt.seals:
            kept = kept.with_seal(seal)
        self._keystore.keep_seals(standby, kept)

    # --- keys ----------------------------------------------------------------------------------------------------

    def change_passphrase(self, standby: Standby, passphrase: str) -> None:
        """Give all encrypted repositories of a standby machine another passphrase.

        Raises:
            NotEncrypted, PassphraseWeak: it makes no sense, or would not protect.
            KeyNeeded: one of them is locked; nothing was changed.
            OperationalError: the standby refuses; the old passphrase still opens everything, or, where the old
                one had been removed from some already, the new one does.
        """
        _refuse_weak(passphrase)
        with self._changing, self._all_open(standby) as opened:
            seal = Seal.of_passphrase(passphrase)
            _add_everywhere(opened, seal)
            self._keystore.keep_seals(standby, replace(self._keystore.seals(standby), passphrase=seal))
            for repository in opened:
                repository.access.keep_only_passphrase(seal)

    def add_recovery_key(self, standby: Standby) -> RecoverySheet:
        """Make a recovery key for all encrypted repositories of a standby machine and those to come.

        Raises:
            NotEncrypted, RecoveryKeysFull: there cannot be one.
            KeyNeeded: one of the repositories is locked; nothing was changed.
            OperationalError: the standby refuses; there is no new recovery key.
        """
        with self._changing, self._all_open(standby) as opened:
            seals = self._keystore.seals(standby)
            if len(seals.recovery) >= MOST_RECOVERY_SEALS:
                raise RecoveryKeysFull(name=standby.name, count=len(seals.recovery))
            printed, seal = new_recovery_key()
            _add_everywhere(opened, seal)
            self._keystore.keep_seals(standby, seals.with_seal(seal))
        return RecoverySheet(
            key=printed,
            standby_name=standby.name,
            root_path=standby.root_path,
            made_at=self._clock.now(),
        )

    def revoke_recovery_keys(self, standby: Standby) -> None:
        """Make all recovery keys of a standby machine worthless.

        Raises:
            NotEncrypted: there are none.
            KeyNeeded: one of the repositories is locked; nothing was changed.
            OperationalError: the standby refuses; do it again.
        """
        with self._changing, self._all_open(standby) as opened:
            self._keystore.keep_seals(standby, replace(self._keystore.seals(standby), recovery=()))
            for repository in opened:
                repository.access.revoke_recovery_keys()

    @contextmanager
    def _all_open(self, standby: Standby) -> Iterator[list[Repository]]:
        """Hold all encrypted repositories of a standby machine open at the same time."""
        paths = sorted(self._standbys.encrypted_repositories(standby.id))
        if not paths and not standby.is_encrypted:
            raise NotEncrypted(name=standby.name)
        with ExitStack() as stack:
            yield [stack.enter_context(self._repositories.lease(standby.id, path)) for path in paths]


def _attempt(encrypted: list[Found], typed: str) -> Attempt:
    """Try what was typed, which may be slow, on repositories; what opened one is tried first on the next.

    Raises:
        KeyWrong: it opens none.
    """
    keys = _keys_of(typed)
    opened: list[tuple[Found, Unlocked]] = []
    locked: list[Found] = []
    learned: list[RepositoryKey] = []
    for found in encrypted:
        unlocked = next(_tries(found, [*learned, *keys]), None)
        if unlocked is None:
            locked.append(found)
            continue
        opened.append((found, unlocked))
        if unlocked.seal is not None:
            learned.append(Seals().with_seal(unlocked.seal))
    if not opened:
        raise _refusal(encrypted[0].place.path, typed)
    return Attempt(tuple(opened), tuple(locked))


def _tries(found: Found, keys: list[RepositoryKey]) -> Iterator[Unlocked]:
    for key in keys:
        with suppress(KeyWrong):
            yield unlock_repository(found.place.path, key)


def _keys_of(typed: str) -> list[RepositoryKey]:
    """Return what a text can be: a recovery key is one only when its check digits are right."""
    return [RecoveryKey(typed), Passphrase(typed)] if is_recovery_key(typed) else [Passphrase(typed)]


def _refusal(path: Path, typed: str) -> KeyWrong:
    """Return why what was typed opens nothing, as exactly as its form says."""
    typo = typo_in(typed)
    if typo is None:
        return KeyWrong(path=path)
    if typo.count == RECOVERY_KEY_CHARS:
        return RecoveryKeyMistyped(path=path)
    return RecoveryKeyIncomplete(path=path, count=typo.count, right=RECOVERY_KEY_CHARS)


def _add_everywhere(opened: list[Repository], seal: Seal) -> None:
    """Add a seal to all repositories, or to none."""
    with ExitStack() as undo:
        for repository in opened:
            undo.callback(_remove_quietly, repository.access.remove_seal, seal)
            repository.access.add_seal(seal)
        undo.pop_all()


def _remove_quietly(remove: Callable[[Seal], None], seal: Seal) -> None:
    with suppress(OperationalError):  # the error that made it necessary is on its way
        remove(seal)


def _refuse_weak(passphrase: str) -> None:
    if not is_strong(passphrase):
        raise PassphraseWeak
