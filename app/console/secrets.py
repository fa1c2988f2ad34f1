"""Opens the place for passwords, asking the operator where that is needed. GUI thread."""

import dataclasses

from PySide6.QtWidgets import QDialog

from app.bootstrap import Installation
from app.config import SecretStoreKind, save_settings
from app.core.secrets import SecretStoreLocked, SecretStoreUnavailable
from app.secretstore.choice import SECRET_FILE, open_secret_store
from app.secretstore.file_store import SHORTEST_PASSPHRASE
from app.secretstore.passphrases import passphrase_from
from app.views.passphrase import PassphraseDialog


class NoSecretStore(SecretStoreUnavailable):
    """The operator chose neither the keyring nor the encrypted file."""

    code = "console.no_secret_store"
    message_template = "Passwords have no place to be kept, so the program ends."


def find_passphrase(installation: Installation) -> str | None:
    """Make sure that passwords have a place, asking where needed; return what opens it, None for the keyring.

    Where the keyring does not work, the encrypted file is offered, and the operator's choice is written down.

    Raises:
        NoSecretStore: the operator did not want it.
        SecretStoreLocked: the keyring's prompt was not answered.
        ConfigError, OSError: the choice could not be written down.
    """
    if installation.settings.secret_store is SecretStoreKind.FILE:
        return _open_file(installation, None, is_new=False)
    try:
        installation.open_secrets(passphrase_from())
    except SecretStoreLocked:
        raise  # it has the passwords, and opens once its prompt is answered: no reason to keep them elsewhere
    except SecretStoreUnavailable as error:
        passphrase = _open_file(installation, error, is_new=not _has_file(installation))
    else:
        return None
    settings = installation.settings
    chosen = dataclasses.replace(settings, secret_store=SecretStoreKind.FILE)
    save_settings(installation.folders.user_config_file, settings, chosen)
    return passphrase


def _has_file(installation: Installation) -> bool:
    return (installation.folders.data / SECRET_FILE).exists()


def _open_file(installation: Installation, why: SecretStoreUnavailable | None, *, is_new: bool) -> str:
    given: list[str] = []

    def ask() -> str:
        dialog = PassphraseDialog(why, is_new=is_new, shortest=SHORTEST_PASSPHRASE)
        try:
            if dialog.exec() != QDialog.DialogCode.Accepted:
                raise NoSecretStore
            return dialog.passphrase()
        finally:
            dialog.deleteLater()

    def note() -> str | None:
        # The variable serves a first try only: a wrong one must not be tried for ever.
        passphrase = passphrase_from(otherwise=ask)() if why is None else ask()
        given.extend([passphrase] if passphrase else [])
        return passphrase

    while True:
        try:
            open_secret_store("file", installation.folders.data, note)
        except NoSecretStore:
            raise
        except SecretStoreUnavailable as error:
            why = error
        else:
            return given[-1]
