"""Passwords in the operating system's keyring."""

from collections.abc import Callable
from typing import TypeVar

import keyring
from keyring.backend import KeyringBackend
from keyring.errors import KeyringError, PasswordDeleteError

from app.core.secrets import SecretStoreUnavailable

SERVICE = "Standfast"
T = TypeVar("T")

_NO_PRIORITY = 0
"""Backends at or below it keep nothing: the library's ``fail`` and ``null``."""
_PLAIN_TEXT_MODULES = (
    "keyrings.alt.file",
    "keyrings.alt.Windows",
    "keyrings.alt.Google",
    "keyrings.cryptfile.null",
)


class KeyringSecretStore:
    """Keeps secrets under the service name ``Standfast``.

    Thread: any.
    """

    def __init__(self, service: str = SERVICE, backend: KeyringBackend | None = None) -> None:
        self._service = service
        self._given = backend

    def check(self) -> None:
        """Make sure that there is a keyring which keeps secrets.

        Raises:
            SecretStoreUnavailable: there is none.
        """
        self._call(lambda _: None)

    def get(self, name: str) -> str | None:
        """Return a secret, or None when there is none.

        Raises:
            SecretStoreUnavailable: the keyring cannot be used.
        """
        return self._call(lambda backend: backend.get_password(self._service, name))

    def set(self, name: str, value: str) -> None:
        """Keep a secret.

        Raises:
            SecretStoreUnavailable: the keyring cannot be used.
        """
        self._call(lambda backend: backend.set_password(self._service, name, value))

    def delete(self, name: str) -> None:
        """Forget a secret; nothing happens when there is none.

        Raises:
            SecretStoreUnavailable: the keyring cannot be used.
        """
        self._call(lambda backend: self._delete(backend, name))

    def _delete(self, backend: KeyringBackend, name: str) -> None:
        if backend.get_password(self._service, name) is None:
            return
        try:
            backend.delete_password(self._service, name)
        except PasswordDeleteError:  # somebody else was quicker, or the keyring refused
            if backend.get_password(self._service, name) is not None:
                raise

    def _call(self, action: Callable[[KeyringBackend], T]) -> T:
        try:
            backend = self._given if self._given is not None else keyring.get_keyring()
            _refuse_unsafe(backend)
            return action(backend)
        except SecretStoreUnavailable:
            raise
        except KeyringError as error:
            raise SecretStoreUnavailable(detail=_words(error)) from error
        except Exception as error:  # backends raise whatever their platform does: D-Bus, COM, KWallet
            raise SecretStoreUnavailable(detail=f"the keyring failed ({type(error).__name__}).") from error


def _words(error: KeyringError) -> str:
    text = str(error).strip()
    return text if text else f"the keyring failed ({type(error).__name__})."


def _refuse_unsafe(backend: KeyringBackend) -> None:
    members = getattr(backend, "backends", None) or [backend]
    for member in members:
        if type(member).__module__ in _PLAIN_TEXT_MODULES:
            raise SecretStoreUnavailable(detail=f"the keyring {member.name} would keep them in plain text.")
    if all(float(member.priority) <= _NO_PRIORITY for member in members):
        raise SecretStoreUnavailable(detail="this machine has no keyring for this user.")
