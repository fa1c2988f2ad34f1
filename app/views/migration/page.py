"""The page of migrations: says what they will do."""

from app.domain.display import own_lines
from app.views.console import Console
from app.views.icons import Glyph
from app.views.page import Page
from app.views.widgets.stages import Notice


class MigrationPage(Page):
    """Moves VMs to another platform, in a later version. Thread: GUI."""

    key = "migration"
    glyph = Glyph.MIGRATION

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.toolbar.hide()
        self.notice = Notice(console.theme, self)
        self.notice.show_message(
            Glyph.MIGRATION,
            self.tr("Migration comes with a later version"),
            own_lines(
                self.tr(
                    "It will copy VMs to another platform while they run, follow their changes until the rest is "
                    "small, and switch over at the moment you choose.\n"
                    "Until then: back the VM up, and restore it on the other platform as a new VM."
                )
            ),
            action=self.tr("Open VM recovery"),
        )
        self.notice.action_wanted.connect(self._on_restore)
        self.body.addWidget(self.notice, 1)

    def _on_restore(self) -> None:
        self.console.go("restore")

    def title(self) -> str:
        """Return the page's name."""
        return self.tr("VM migration")

    def help_text(self) -> str:
        """Return what F1 shows."""
        return self.tr(
            "<p>Migration will move VMs from one platform to another: copied while the source runs, then changed "
            "blocks until the rest is small, then the switch.</p><p>It comes with a later version.</p>"
        )
