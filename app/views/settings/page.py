"""The settings page."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from app.views import style
from app.views.console import Console
from app.views.icons import Glyph
from app.views.page import Page
from app.views.program import Program, ProgramSettings
from app.views.settings.about import AboutCard, PlacesCard
from app.views.settings.general import GeneralCard
from app.views.settings.hooks import HooksCard
from app.views.settings.limits import LimitsCard
from app.views.settings.moving import MovingCard
from app.views.settings.notifications import NotificationsCard
from app.views.settings.vddk import VddkCard
from app.views.translation import LanguageSwitch
from app.workers.answers import Failure


class SettingsPage(Page):
    """Few settings, each with a sentence. Thread: GUI."""

    key = "settings"
    glyph = Glyph.SETTINGS

    def __init__(self, console: Console, languages: LanguageSwitch, program: Program) -> None:
        super().__init__(console)
        self._program = program
        self.toolbar.hide()
        scroll = QScrollArea(self)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        ground = QWidget(scroll)
        self.general = GeneralCard(console, languages, program, ground)
        self.limits = LimitsCard(program, console.door, ground)
        self.notifications = NotificationsCard(console, ground)
        self.hooks = HooksCard(console, ground)
        self.vddk = VddkCard(console, ground)
        self.moving = MovingCard(console, self.general.banner, ground)
        self.places = PlacesCard(program.facts(), ground)
        self.about = AboutCard(program.facts(), ground)
        column = QVBoxLayout(ground)
        column.setContentsMargins(style.SPACE_L, style.SPACE_L, style.SPACE_L, style.SPACE_L)
        column.setSpacing(style.SPACE_M)
        cards = (self.general, self.limits, self.notifications, self.hooks, self.vddk)
        for card in (*cards, self.moving, self.places, self.about):
            column.addWidget(card)
        column.addStretch(1)
        # Of the ground, not of the cards: the height of wrapped text is asked for by its width.
        ground.setMaximumWidth(style.SETTINGS_WIDTH + 2 * style.SPACE_L)
        scroll.setWidget(ground)
        self.body.addWidget(scroll)
        for card in cards:
            self.messages.add(card.banner)

    def title(self) -> str:
        """Return the page's name."""
        return self.tr("Settings")

    def help_text(self) -> str:
        """Return what F1 shows."""
        return self.tr(
            "<p>Language and theme change at once. <b>Limits</b> are kept in system.conf: the number of tasks "
            "times their transfer buffer may be at most 32 MB, because one ESXi host gives no more.</p>"
            "<p><b>Notifications</b> report failed tasks on the desktop, by e-mail, or by a call of a web "
            "address; each can be tested.</p>"
            "<p><b>Backup hooks</b> run before and after the backup of each VM; a rule may have its "
            "own, by <b>Commands…</b> in its menu.</p>"
            "<p><b>VMware VDDK</b> is a library of VMware's that you may supply. Enter the folder in which you "
            "have unpacked it; it is examined at once.</p>"
            "<p><b>Another workstation</b>: the whole configuration as one file. Passwords and keys are in it "
            "only with a passphrase.</p>"
        )

    def refresh(self) -> None:
        """Read the settings again."""
        self.console.door.run_apart(
            self._program.settings, owner=self, on_done=self._on_read, on_failed=self._on_failed
        )
        self.notifications.refresh()
        self.hooks.refresh()
        self.vddk.refresh()

    def leave(self) -> None:
        """Stop asking."""
        super().leave()
        self.notifications.leave()
        self.hooks.leave()
        self.vddk.leave()
        self.moving.leave()

    def _on_read(self, settings: ProgramSettings) -> None:
        self.general.show_settings(settings)
        self.limits.show_settings(settings)

    def _on_failed(self, failure: Failure) -> None:
        self.limits.banner.show_unread(failure)
