"""The screen's language: English is in the source, the others are tables in ``resources/translations``.

``resources/translations/<language>/*.json`` are flat tables ``{"English source": "translation"}``; where one text
needs two translations, the key is ``"Context|English source"``. ``docs/decisions/0003-translations-as-tables.md``
says why these are not Qt's own files. Qt's own words (Cancel, Copy …) come from the files that Qt brings.
"""

import json
from enum import Enum
from pathlib import Path

from PySide6.QtCore import QLibraryInfo, QLocale, QObject, QTranslator, Signal
from PySide6.QtWidgets import QApplication

from app.views.frame.memory import Memory
from app.views.style import RESOURCES

TABLES = RESOURCES / "translations"


class Language(Enum):
    """Which language the operator chose; the value is the name of its tables' folder."""

    SYSTEM = "system"
    CHINESE = "zh_CN"
    ENGLISH = "en"


def load_table(language: Language, tables: Path = TABLES) -> dict[str, str]:
    """Return all translations of a language; English and unknown ones have none.

    Raises:
        OSError, ValueError: a table cannot be read; the program was installed badly.
    """
    merged: dict[str, str] = {}
    for file in sorted((tables / language.value).glob("*.json")):
        merged.update(json.loads(file.read_text(encoding="utf-8")))
    return merged


class TableTranslator(QTranslator):
    """Translates by a table. Thread: GUI."""

    def __init__(self, table: dict[str, str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._table = table

    def translate(self, context: str, source_text: str, disambiguation: str | None = None, n: int = -1) -> str:
        """Return the translation, or None where there is none: others are asked, else the source is shown."""
        del disambiguation, n
        specific = self._table.get(f"{context}|{source_text}")
        # Qt wants a null string here, which an empty Python string is not; its stub does not know None.
        return specific or self._table.get(source_text)  # type: ignore[return-value]

    def isEmpty(self) -> bool:
        """Return whether there is nothing to translate with."""
        return not self._table


class LanguageSwitch(QObject):
    """The language in use. Thread: GUI.

    Widgets take their words when they are built, so a change rebuilds the window; its owner listens.

    Signals:
        changed: another language is in force.
    """

    changed = Signal()

    def __init__(self, application: QApplication, memory: Memory) -> None:
        super().__init__(application)
        self._application = application
        self._memory = memory
        remembered = memory.text("language", Language.SYSTEM.value)
        known = {language.value for language in Language}
        self._language = Language(remembered) if remembered in known else Language.SYSTEM
        self._installed: list[QTranslator] = []
        self._install()

    @property
    def language(self) -> Language:
        """Return the operator's choice."""
        return self._language

    @property
    def in_force(self) -> Language:
        """Return the language that is shown."""
        if self._language is not Language.SYSTEM:
            return self._language
        chinese = QLocale.system().language() is QLocale.Language.Chinese
        return Language.CHINESE if chinese else Language.ENGLISH

    def choose(self, language: Language) -> None:
        """Change the language and remember it."""
        before = self.in_force
        self._language = language
        self._memory.remember("language", language.value)
        if self.in_force is not before:
            self._install()
            self.changed.emit()

    def _install(self) -> None:
        for translator in self._installed:
            self._application.removeTranslator(translator)
            translator.deleteLater()
        self._installed = []
        if self.in_force is Language.ENGLISH:
            return
        own_words = QTranslator(self)
        folder = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
        if own_words.load(f"qtbase_{self.in_force.value}", folder):
            self._add(own_words)
        self._add(TableTranslator(load_table(self.in_force), self))

    def _add(self, translator: QTranslator) -> None:
        self._application.installTranslator(translator)
        self._installed.append(translator)
