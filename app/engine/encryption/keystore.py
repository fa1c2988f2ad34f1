"""The keys of encrypted repositories, as the secret store keeps them."""

from dataclasses import dataclass, replace
from typing import Self

from app.core.cancel import CancelToken
from app.core.secrets import SecretStore
from app.domain.standbys import RepositoryPlace, Standby
from app.engine.errors import EncryptionMissing
from app.engine.program.secretaccess import until
from app.repository import MasterKey, Repository, RepositoryFacts, RepositoryKey, Seals, inspect_repository
from app.repository import unlock_repository as unlock
from app.repository.errors import KeyNeeded, KeyWrong


@dataclass(frozen=True, slots=True)
class KeyStore:
    """Keeps master keys by repository, and by standby machine what new repositories there are sealed with.

    Nothing else of this program keeps a key. Thread: any.
    """

    secrets: SecretStore

    def until(self, cancel: CancelToken | None) -> Self:
        """Return the same keys for a task, which waits for none of them any more once it is stopped."""
        return replace(self, secrets=until(self.secrets, cancel))

    def master(self, repository_id: str) -> MasterKey | None:
        """Return the master key of a repository, or None.

        Raises:
            SecretStoreUnavailable: the secret store cannot be used.
        """
        text = self.secrets.get(_master_name(repository_id))
        return None if text is None else MasterKey(text)

    def keep_master(self, repository_id: str, key: MasterKey) -> None:
        """Keep the master key of a repository.

        Raises:
            SecretStoreUnavailable: the secret store cannot be used.
        """
        if self.master(repository_id) != key:
            self.secrets.set(_master_name(repository_id), key.text)

    def seals(self, standby: Standby) -> Seals:
        """Return what new repositories on a standby machine are sealed with; empty when that is not known.

        Raises:
            SecretStoreUnavailable: the secret store cannot be used.
        """
        text = self.secrets.get(standby.secret_name)
        if text is None:
            return Seals()
        try:
            return Seals.decode(text)
        except ValueError:  # another program wrote into the keyring; what is there is worth nothing
            return Seals()

    def keep_seals(self, standby: Standby, seals: Seals) -> None:
        """Keep what new repositories on a standby machine are sealed with.

        Raises:
            SecretStoreUnavailable: the secret store cannot be used.
        """
        self.secrets.set(standby.secret_name, seals.encode())

    def forget(self, standby: Standby, repository_ids: tuple[str, ...]) -> None:
        """Forget the keys of a standby machine.

        Raises:
            SecretStoreUnavailable: the secret store cannot be used.
        """
        self.secrets.delete(standby.secret_name)
        for repository_id in repository_ids:
            self.secrets.delete(_master_name(repository_id))

    def key_for(self, place: RepositoryPlace, facts: RepositoryFacts) -> RepositoryKey:
        """Return the key that opens an encrypted repository; it was tried.

        Raises:
            KeyNeeded: no key is known that does.
            SecretStoreUnavailable: the secret store cannot be used.
            StandbyUnavailable: the standby cannot be read.
        """
        master = self.master(facts.id)
        for key in (master, self.seals(place.standby)):
            if key is not None:
                try:
                    return unlock(place.path, key).master
                except KeyWrong:
                    continue
        raise KeyNeeded(path=place.path)

    def problem(self, place: RepositoryPlace) -> KeyNeeded | EncryptionMissing | None:
        """Return what keeps a repository from being opened here, as far as its encryption goes.

        Raises:
            OperationalError: it cannot be looked at.
        """
        facts = inspect_repository(place.path)
        try:
            check_encryption(place, facts)
            if facts.is_encrypted:
                self.key_for(place, facts)
        except (KeyNeeded, EncryptionMissing) as error:
            return error
        return None


def check_encryption(place: RepositoryPlace, found: RepositoryFacts | Repository) -> None:
    """Refuse a repository that is less encrypted than it must be, however it came there.

    Raises:
        EncryptionMissing: it is.
    """
    standby = place.standby
    must = standby.is_encrypted or place.is_encrypted
    if (must and not found.is_encrypted) or (standby.hides_names and not found.hides_names):
        raise EncryptionMissing(path=place.path, name=standby.name)


def _master_name(repository_id: str) -> str:
    return f"repository/{repository_id}"
