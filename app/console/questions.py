"""Questions before an engine starts: what opens the passwords, and what to do about a lost catalog.

What the engine cannot go on with comes back from its process as an error; an answer starts it again. Thread: GUI.
"""

import dataclasses
from typing import Final

import msgspec
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QDialog, QMessageBox

from app.bootstrap.installation import Installation
from app.config import SecretStoreKind, save_settings
from app.console.enginedoor import launch_of
from app.contract.launch import EngineLaunch
from app.core.passphrases import SECRET_FILE, SHORTEST_PASSPHRASE, passphrase_from
from app.core.secrets import SecretStoreLocked, SecretStoreUnavailable
from app.domain.catalogs import CatalogChoice
from app.domain.errors import OperationalError
from app.views.widgets.passphrase import PassphraseDialog
from app.views.widgets.plain import message_box
from app.views.words import error_hint, error_message

CATALOG_LOST: Final = "catalog.lost"
CATALOG_FOREIGN: Final = "catalog.foreign"
NO_COPY: Final = "-"
_SECRETS: Final = "secrets."


class StartGivenUp(Exception):
    """The operator did not want the program to start so."""


class NoSecretStore(SecretStoreUnavailable):
    """The operator chose neither the keyring nor the encrypted file."""

    code = "console.no_secret_store"
    message_template = "Passwords have no place to be kept, so the program ends."


class StartQuestions:
    """Asks the operator what the engine needs to start. Thread: GUI."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._uses_file = installation.settings.secret_store is SecretStoreKind.FILE

    def begin(self) -> EngineLaunch:
        """Return what the engine is started with first; asks for a passphrase where the settings name the file.

        Raises:
            NoSecretStore: the operator did not give it.
        """
        # The variable serves a first try only: a wrong one must not be tried for ever.
        ask = passphrase_from(otherwise=lambda: _ask_passphrase(None, is_new=False))
        return launch_of(self._installation.folders, ask() if self._uses_file else None)

    def answer(self, launch: EngineLaunch, problem: OperationalError) -> EngineLaunch:
        """Ask about what kept the engine from starting; return what to start it with now.

        Where the keyring does not work, the encrypted file is offered.

        Raises:
            NoSecretStore: the operator did not want the file.
            StartGivenUp: the operator wants to look at the catalog first.
            OperationalError: the problem itself, when there is nothing to ask about it.
        """
        if problem.code in (CATALOG_LOST, CATALOG_FOREIGN):
            choice = ask_about_catalog(problem)
            if choice is None:
                raise StartGivenUp(str(problem))
            return msgspec.structs.replace(launch, catalog=choice)
        # A locked keyring has the passwords and opens once its prompt is answered: no reason for another place.
        if not problem.code.startswith(_SECRETS) or problem.code == SecretStoreLocked.code:
            raise problem
        is_new = not self._uses_file and not (self._installation.folders.data / SECRET_FILE).exists()
        passphrase = _ask_passphrase(problem, is_new=is_new)
        return msgspec.structs.replace(launch, passphrase=passphrase, secret_store=SecretStoreKind.FILE.value)

    def write_down(self, launch: EngineLaunch) -> None:
        """Keep the choice of the encrypted file, once the engine has started with it.

        Raises:
            ConfigError, OSError: it could not be written.
        """
        settings = self._installation.settings
        if launch.secret_store is not None and launch.secret_store != settings.secret_store.value:
            chosen = dataclasses.replace(settings, secret_store=SecretStoreKind(launch.secret_store))
            save_settings(self._installation.folders.user_config_file, settings, chosen)


def _ask_passphrase(why: OperationalError | None, *, is_new: bool) -> str:
    dialog = PassphraseDialog(why, is_new=is_new, shortest=SHORTEST_PASSPHRASE)
    try:
        if dialog.exec() != QDialog.DialogCode.Accepted:
            raise NoSecretStore
        return dialog.passphrase()
    finally:
        dialog.deleteLater()


def ask_about_catalog(problem: OperationalError) -> CatalogChoice | None:
    """Show what is wrong with the catalog and what can be done; return the choice, None for none."""
    translate = QCoreApplication.translate
    box = message_box(QMessageBox.Icon.Critical, "Standfast", error_message(problem), error_hint(problem))
    choices = {}
    copy_of = problem.params.get("copy", NO_COPY)
    if copy_of != NO_COPY:
        words = translate("Program", "Restore the safety copy of {day}").format(day=copy_of)
        choices[box.addButton(words, QMessageBox.ButtonRole.AcceptRole)] = CatalogChoice.RESTORE
    if problem.code == CATALOG_FOREIGN:
        words = translate("Program", "Use this catalog")
        choices[box.addButton(words, QMessageBox.ButtonRole.DestructiveRole)] = CatalogChoice.ACCEPT
    words = translate("Program", "Begin with an empty catalog")
    choices[box.addButton(words, QMessageBox.ButtonRole.DestructiveRole)] = CatalogChoice.NEW
    box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Close))
    box.exec()
    clicked = box.clickedButton()
    return next((choice for button, choice in choices.items() if button is clicked), None)
