"""Passwords in one encrypted file, for machines without a keyring."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.durable import replace_durably
from app.core.passphrases import PASSPHRASE_VARIABLE, SHORTEST_PASSPHRASE
from app.core.secrets import SecretStoreUnavailable
from app.domain.reasons import reason_of
from app.secretstore.errors import (
    PassphraseMissing,
    PassphraseRefused,
    PassphraseTooShort,
    SecretFileDamaged,
    SecretFileTooNew,
)
from app.secretstore.file_format import FORMAT, Cost, Damaged, Header, Keys, Sealed, TooNew, WrongPassphrase
from app.secretstore.file_lock import PATIENCE_S, locked
from app.secretstore.reasons import FILE_CHANGED, FILE_REFUSED, THREAD_HOLDS

_LONGEST_FILE_BYTES = 16 << 20

AskPassphrase = Callable[[], str | None]
"""Returns the passphrase, or None when no one can give it."""


class EncryptedFileSecretStore:
    """Keeps secrets in ``path``; asks for the passphrase at the first use and keeps the derived keys in memory.

    Thread: any. Several processes may use the same file.
    """

    def __init__(
        self, path: Path, passphrase: AskPassphrase, *, cost: Cost | None = None, patience_s: float = PATIENCE_S
    ) -> None:
        """Know the file; nothing is read yet.

        Args:
            path: of the file.
            passphrase: asks for the passphrase.
            cost: of deriving the keys of a new file.
            patience_s: how long another thread or program that uses the file is waited for.
        """
        self._path = path
        self._ask = passphrase
        self._cost = cost or Cost()
        self._lock = threading.Lock()
        self._patience_s = patience_s
        self._keys: Keys | None = None

    def check(self) -> None:
        """Make sure that the file opens, or that a new one could be made.

        Raises:
            SecretStoreUnavailable: as its subclasses say.
        """
        with self._my_turn():
            self._read()
            if self._keys is None:
                self._fresh_keys(self._passphrase())

    def get(self, name: str) -> str | None:
        """Return a secret, or None when there is none.

        Raises:
            SecretStoreUnavailable: as its subclasses say.
        """
        with self._my_turn():
            return self._read().get(name)

    def set(self, name: str, value: str) -> None:
        """Keep a secret.

        Raises:
            SecretStoreUnavailable: as its subclasses say; the old content is still there.
        """
        self._change(lambda secrets: secrets.__setitem__(name, value))

    def delete(self, name: str) -> None:
        """Forget a secret; nothing happens when there is none.

        Raises:
            SecretStoreUnavailable: as its subclasses say; the old content is still there.
        """
        self._change(lambda secrets: secrets.pop(name, None))

    def change_passphrase(self, new: str) -> None:
        """Encrypt everything again under another passphrase.

        Raises:
            SecretStoreUnavailable: as its subclasses say; the old passphrase still holds.
        """
        with self._my_turn(), self._system_errors(), locked(self._path, patience_s=self._patience_s):
            secrets = self._read()
            self._write(self._fresh_keys(new), secrets)

    def _change(self, edit: Callable[[dict[str, str]], object]) -> None:
        with self._my_turn(), self._system_errors(), locked(self._path, patience_s=self._patience_s):
            secrets = self._read()
            before = dict(secrets)
            edit(secrets)
            if secrets != before:
                self._write(self._keys or self._fresh_keys(self._passphrase()), secrets)

    def _read(self) -> dict[str, str]:
        """Return all secrets. The file is read each time: another process may have written it."""
        with self._system_errors():
            try:
                with self._path.open("rb") as file:
                    raw = file.read(_LONGEST_FILE_BYTES)
            except FileNotFoundError:
                self._keys = None
                return {}
        try:
            sealed = Sealed.parse(raw)
            keys = self._keys_for(sealed.header)
            secrets = keys.open(sealed)
        except TooNew as error:
            raise SecretFileTooNew(path=self._path, format=error.version, newest=FORMAT) from error
        except WrongPassphrase as error:
            raise PassphraseRefused(path=self._path) from error
        except Damaged as error:
            raise SecretFileDamaged(path=self._path, detail=FILE_CHANGED.fill(details=str(error))) from error
        self._keys = keys
        return secrets

    def _write(self, keys: Keys, secrets: dict[str, str]) -> None:
        with self._system_errors():
            replace_durably(self._path, keys.seal(secrets))
        self._keys = keys

    def _keys_for(self, header: Header) -> Keys:
        """Return keys for a file, deriving them only when the file is another than last time: it takes a while."""
        if self._keys is not None and self._keys.header == header:
            return self._keys
        return Keys(self._passphrase(), header)

    def _fresh_keys(self, passphrase: str) -> Keys:
        if len(passphrase) < SHORTEST_PASSPHRASE:
            raise PassphraseTooShort(path=self._path, shortest=SHORTEST_PASSPHRASE)
        return Keys.fresh(passphrase, self._cost)

    def _passphrase(self) -> str:
        if passphrase := self._ask():
            return passphrase
        raise PassphraseMissing(path=self._path, variable=PASSPHRASE_VARIABLE)

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        """Take turns with the other threads, one of which may be waiting for the passphrase."""
        if not self._lock.acquire(timeout=self._patience_s):
            raise SecretStoreUnavailable(detail=THREAD_HOLDS.fill(path=self._path))
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def _system_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            detail = FILE_REFUSED.fill(path=self._path, reason=reason_of(error))
            raise SecretStoreUnavailable(detail=detail) from error
