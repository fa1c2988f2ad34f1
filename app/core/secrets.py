"""The port to the operating system's keyring."""

from typing import Protocol

from app.domain.errors import OperationalError


class SecretStoreUnavailable(OperationalError):
    """There is no place where a password may be kept."""

    code = "secrets.unavailable"
    message_template = "Passwords cannot be kept: {detail}."
    hint_template = (
        "Log in to a desktop session with a keyring (Windows Credential Manager, GNOME Keyring, KWallet), "
        "or choose the encrypted password file: set secret_store=file in system.conf."
    )


class SecretStoreLocked(SecretStoreUnavailable):
    """The keyring waits for a person: it is locked, and its prompt is not answered."""

    code = "secrets.locked"
    message_template = (
        "The keyring is locked: it did not answer within {seconds} s, because its prompt waits for an answer."
    )
    hint_template = (
        "Unlock the keyring (answer its prompt on the desktop, or log in there), then try again. For a start "
        "without a desktop choose the encrypted password file: set secret_store=file in system.conf."
    )
    retryable = True


class SecretStore(Protocol):
    """Keeps passwords by name. Values never go to a log, a database or a command line."""

    def get(self, name: str) -> str | None:
        """Return a secret, or None when there is none.

        Raises:
            SecretStoreUnavailable: the keyring cannot be used.
        """
        ...

    def set(self, name: str, value: str) -> None:
        """Keep a secret.

        Raises:
            SecretStoreUnavailable: the keyring cannot be used.
        """
        ...

    def delete(self, name: str) -> None:
        """Forget a secret; nothing happens when there is none.

        Raises:
            SecretStoreUnavailable: the keyring cannot be used.
        """
        ...
