"""The pages of all parts, in the order of the navigation. GUI thread."""

from collections.abc import Sequence

from app.views.backup.page import BackupPage
from app.views.console import Console
from app.views.log.page import LogsPage
from app.views.migration.page import MigrationPage
from app.views.overview.page import OverviewPage
from app.views.page import Page
from app.views.platforms.page import PlatformsPage
from app.views.program import Program
from app.views.restore.page import RestorePage
from app.views.settings.page import SettingsPage
from app.views.standbys.page import StandbysPage
from app.views.tasks.page import TasksPage
from app.views.translation import LanguageSwitch


def make_pages(console: Console, languages: LanguageSwitch, program: Program) -> Sequence[Page]:
    """Build every page."""
    return (
        OverviewPage(console, program),
        BackupPage(console),
        RestorePage(console, program),
        MigrationPage(console),
        TasksPage(console),
        PlatformsPage(console),
        StandbysPage(console),
        LogsPage(console),
        SettingsPage(console, languages, program),
    )
