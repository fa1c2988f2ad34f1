"""Where files are stored, and which version this is. GUI thread."""

from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from app.views import style
from app.views.frame.brand import program_pixmap
from app.views.program import ProgramFacts
from app.views.settings.card import SettingsCard
from app.views.widgets.plain import Label, MarkupLabel, markup_of, set_tip


class PlacesCard(SettingsCard):
    """Folders of this installation, each with a button that opens it."""

    def __init__(self, facts: ProgramFacts, parent: QWidget) -> None:
        super().__init__(parent)
        self.set_title(self.tr("Data and passwords"))
        for name, place in (
            (self.tr("Data folder"), facts.data_folder),
            (self.tr("Logs of the program"), facts.log_folder),
            (self.tr("Settings file"), facts.config_file),
        ):
            words = self.add_row(name, place, self._opener(name, place))
            words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        kept = self.tr("Keyring of the system") if facts.uses_keyring else self.tr("Encrypted file")
        self.add_row(
            self.tr("Passwords"),
            self.tr("Passwords of platforms are never in the catalog, in a log, or on a command line."),
            Label(kept, self),
        )
        where = self.tr("As a service") if facts.engine_is_elsewhere else self.tr("With this window")
        self.add_row(
            self.tr("Engine"),
            self.tr("Runs the tasks. As a service it goes on without a login (standfast --headless)."),
            Label(where, self),
        )

    def _opener(self, name: str, place: str) -> QPushButton:
        button = QPushButton(self.tr("Open"), self)
        button.setProperty("role", "quiet")
        set_tip(button, self.tr("Open {name}").format(name=name))
        button.setProperty("place", place)
        button.clicked.connect(self._on_open)
        return button

    def _on_open(self) -> None:
        button = self.sender()
        if isinstance(button, QPushButton):
            place = Path(button.property("place"))
            folder = place.parent if place.suffix else place
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


class AboutCard(SettingsCard):
    """The program's name, version and license."""

    def __init__(self, facts: ProgramFacts, parent: QWidget) -> None:
        super().__init__(parent)
        self.set_title(self.tr("About"))
        picture = Label(self)
        picture.setPixmap(program_pixmap(style.ICON_LARGE, self.devicePixelRatioF()))
        words = MarkupLabel(
            self.tr(
                "Standfast {version}<br>Agentless backup and recovery of VMware virtual machines. "
                "License: Apache-2.0. Not affiliated with VMware."
            ).format(version=markup_of(facts.version)),
            self,
        )
        words.setWordWrap(True)
        row = QHBoxLayout()
        row.setSpacing(style.SPACE_L)
        row.addWidget(picture)
        row.addWidget(words, 1)
        self.body.addLayout(row)
