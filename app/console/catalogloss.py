"""Asks what to do about a lost catalog before there is an engine. Thread: GUI."""

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QMessageBox

from app.bootstrap import CATALOG_FILE, Installation, lost_catalog, settle_catalog
from app.catalog import CatalogChoice, CatalogGuard
from app.catalog.errors import CatalogForeign, CatalogLost
from app.views.plain import message_box
from app.views.words import error_hint, error_message


class StartGivenUp(Exception):
    """The operator did not want the program to start so."""


def settle_lost_catalog(installation: Installation) -> None:
    """Ask what to do when the catalog is lost or another one, and do it; nothing happens when it is right.

    Raises:
        StartGivenUp: the operator wants to look first.
        OperationalError: it could not be done.
    """
    problem = lost_catalog(installation)
    if problem is None:
        return
    choice = ask_about_catalog(problem, CatalogGuard(installation.folders.data / CATALOG_FILE).newest_copy_at())
    if choice is None:
        raise StartGivenUp(str(problem))
    settle_catalog(installation, choice)


def ask_about_catalog(problem: CatalogLost | CatalogForeign, copy_of: str | None) -> CatalogChoice | None:
    """Show what is wrong and what can be done; return the choice, None for none.

    Args:
        problem: why the catalog is not opened.
        copy_of: the day of the newest safety copy.
    """
    translate = QCoreApplication.translate
    box = message_box(QMessageBox.Icon.Critical, "Standfast", error_message(problem), error_hint(problem))
    choices = {}
    if copy_of is not None:
        words = translate("Program", "Restore the safety copy of {day}").format(day=copy_of)
        choices[box.addButton(words, QMessageBox.ButtonRole.AcceptRole)] = CatalogChoice.RESTORE
    if isinstance(problem, CatalogForeign):
        words = translate("Program", "Use this catalog")
        choices[box.addButton(words, QMessageBox.ButtonRole.DestructiveRole)] = CatalogChoice.ACCEPT
    words = translate("Program", "Begin with an empty catalog")
    choices[box.addButton(words, QMessageBox.ButtonRole.DestructiveRole)] = CatalogChoice.NEW
    box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Close))
    box.exec()
    clicked = box.clickedButton()
    return next((choice for button, choice in choices.items() if button is clicked), None)
