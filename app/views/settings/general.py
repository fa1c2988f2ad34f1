"""Language, theme, and starting with the system. GUI thread."""

from PySide6.QtWidgets import QCheckBox, QComboBox, QWidget

from app.views import style
from app.views.console import Console
from app.views.program import Program, ProgramSettings
from app.views.settings.card import SettingsCard
from app.views.style import Theme
from app.views.translation import Language, LanguageSwitch
from app.views.widgets.banner import Banner
from app.workers.answers import Failure


class GeneralCard(SettingsCard):
    """How the window looks and when it starts; every change counts at once."""

    def __init__(self, console: Console, languages: LanguageSwitch, program: Program, parent: QWidget) -> None:
        super().__init__(parent)
        self._console = console
        self._languages = languages
        self._program = program
        self.set_title(self.tr("General"))
        self.language = self._choice(
            (
                (self.tr("As the system"), Language.SYSTEM),
                ("简体中文", Language.CHINESE),
                ("English", Language.ENGLISH),
            ),
            languages.language,
        )
        self.language.activated.connect(self._on_language)
        self.theme = self._choice(
            (
                (self.tr("As the system"), Theme.SYSTEM),
                (self.tr("Light"), Theme.LIGHT),
                (self.tr("Dark"), Theme.DARK),
            ),
            console.theme.theme,
        )
        self.theme.activated.connect(self._on_theme)
        self.autostart = QCheckBox(self)
        self.autostart.setEnabled(False)
        self.autostart.clicked.connect(self._on_autostart)
        self.banner = Banner(self)
        self.add_row(
            self.tr("Language"), self.tr("The window changes at once; no restart is needed."), self.language
        )
        self.add_row(self.tr("Theme"), self.tr("Light, dark, or whatever the desktop uses now."), self.theme)
        self.add_row(
            self.tr("Start with the system"),
            self.tr(
                "Starts in the tray when you log in, so that backups run on time without anybody thinking of it."
            ),
            self.autostart,
        )
        console.theme.changed.connect(self._on_theme_changed)

    def show_settings(self, settings: ProgramSettings) -> None:
        """Show what was read."""
        self.autostart.setEnabled(True)
        self.autostart.setChecked(settings.starts_with_system)

    def _choice(self, choices: tuple[tuple[str, object], ...], current: object) -> QComboBox:
        box = QComboBox(self)
        box.setMinimumWidth(style.FIELD_WIDTH // 2)
        for place, (text, value) in enumerate(choices):
            box.addItem(text, value)
            if value is current:
                box.setCurrentIndex(place)
        return box

    def _on_language(self, place: int) -> None:
        self._languages.choose(self.language.itemData(place))

    def _on_theme(self, place: int) -> None:
        self._console.theme.choose(self.theme.itemData(place))

    def _on_theme_changed(self) -> None:
        self.theme.setCurrentIndex(self.theme.findData(self._console.theme.theme))

    def _on_autostart(self, wanted: bool) -> None:  # noqa: FBT001 - a slot
        self.banner.hide()
        self.autostart.setEnabled(False)

        def change() -> None:
            self._program.start_with_system(wanted=wanted)

        def done(_nothing: None) -> None:
            self.autostart.setEnabled(True)

        def failed(failure: Failure) -> None:
            self.autostart.setEnabled(True)
            self.autostart.setChecked(not wanted)
            self.banner.show_failure(failure)

        self._console.door.run_apart(change, owner=self, on_done=done, on_failed=failed)
