"""Icons by what they mean, drawn by QtAwesome in the colours of the theme."""

from enum import Enum

import qtawesome
from PySide6.QtGui import QIcon

from app.views.style import Colors


class Glyph(Enum):
    """What an icon stands for; the value is its name in Material Design Icons."""

    OVERVIEW = "mdi6.view-dashboard-outline"
    BACKUP = "mdi6.shield-check-outline"
    RESTORE = "mdi6.backup-restore"
    MIGRATION = "mdi6.swap-horizontal"
    TASKS = "mdi6.format-list-checks"
    PLATFORM = "mdi6.server-network"
    DISK = "mdi6.harddisk"
    LOG = "mdi6.text-box-outline"
    SETTINGS = "mdi6.cog-outline"
    ADD = "mdi6.plus"
    DELETE = "mdi6.trash-can-outline"
    START = "mdi6.play"
    STOP = "mdi6.stop"
    RUN_NOW = "mdi6.flash-outline"
    REFRESH = "mdi6.refresh"
    FILTER = "mdi6.magnify"
    COLUMNS = "mdi6.table-column"
    EXPORT = "mdi6.download-outline"
    EDIT = "mdi6.pencil-outline"
    LIST = "mdi6.format-list-bulleted"
    ADD_VM = "mdi6.desktop-classic"
    STATISTICS = "mdi6.chart-bar"
    GROUP_RESTORE = "mdi6.restore"
    INSTANT = "mdi6.lightning-bolt-circle"
    BACK = "mdi6.arrow-left"
    FORWARD = "mdi6.arrow-right"
    THEME = "mdi6.theme-light-dark"
    SUCCESS = "mdi6.check-circle-outline"
    WARNING = "mdi6.alert-outline"
    ERROR = "mdi6.alert-circle-outline"
    INFO = "mdi6.information-outline"
    CLOSE = "mdi6.close"
    FOLDER = "mdi6.folder-outline"
    DATACENTER = "mdi6.domain"
    VM = "mdi6.monitor"
    POINT = "mdi6.history"
    VERIFY = "mdi6.shield-search"
    PROVE = "mdi6.check-decagram-outline"
    CLEAN = "mdi6.broom"
    COPY = "mdi6.content-copy"
    MORE = "mdi6.dots-horizontal"
    CALENDAR = "mdi6.calendar-month-outline"
    RETRY = "mdi6.replay"
    DOCTOR = "mdi6.stethoscope"
    ARROW = "mdi6.chevron-right"
    UP = "mdi6.arrow-up"
    DOWN = "mdi6.arrow-down"
    KEY = "mdi6.key-outline"
    HELP = "mdi6.help-circle-outline"
    SPEED = "mdi6.speedometer"
    COMMANDS = "mdi6.console"
    LOCK = "mdi6.lock-outline"
    PIN = "mdi6.pin-outline"
    UNPIN = "mdi6.pin-off-outline"


def icon(glyph: Glyph, colors: Colors, color: str | None = None) -> QIcon:
    """Return an icon in the secondary text colour, or in ``color``; GUI thread."""
    return qtawesome.icon(  # type: ignore[no-any-return]
        glyph.value,
        color=color or colors.secondary,
        color_active=color or colors.text,
        color_selected=color or colors.text,
        color_disabled=colors.disabled,
    )
