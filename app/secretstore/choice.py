"""Opens the place for passwords that the operator chose."""

from pathlib import Path

from app.core.passphrases import SECRET_FILE
from app.core.secrets import SecretStore
from app.secretstore.file_store import AskPassphrase, EncryptedFileSecretStore
from app.secretstore.keyring_store import KeyringSecretStore


def open_secret_store(kind: str, folder: Path, passphrase: AskPassphrase) -> SecretStore:
    """Open the keyring (``keyring``) or the encrypted file in ``folder`` (``file``), and make sure that it works.

    There is no silent fall-back from one to the other: where passwords lie is the operator's decision.

    Raises:
        SecretStoreUnavailable: it does not work; the message says what to do.
        ValueError: ``kind`` is neither.
    """
    if kind == "keyring":
        keyring_store = KeyringSecretStore()
        keyring_store.check()
        return keyring_store
    if kind == "file":
        file_store = EncryptedFileSecretStore(folder / SECRET_FILE, passphrase)
        file_store.check()
        return file_store
    raise ValueError(f"unknown kind of secret store: {kind}")
