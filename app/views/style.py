"""The look in one place: spacing, sizes, type, two palettes, and the style sheet made of them."""

from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from string import Template
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QStyleFactory

RESOURCES: Final = Path(__file__).resolve().parents[2] / "resources"

SPACE_XS: Final = 4
SPACE_S: Final = 8
CELL_PADDING: Final = 5
"""With the margin that Qt itself leaves, a cell's text begins below its heading, at ``SPACE_S``."""
SPACE_M: Final = 12
SPACE_L: Final = 16
SPACE_XL: Final = 24
RADIUS: Final = 6
ROW_HEIGHT: Final = 36
CONTROL_HEIGHT: Final = 32
NAVIGATION_WIDTH: Final = 192
DIALOG_WIDTH: Final = 760
DIALOG_HEIGHT: Final = 600
FIELD_WIDTH: Final = 360
SETTINGS_WIDTH: Final = 820
MESSAGE_WIDTH: Final = 720
ICON: Final = 16
ICON_ENTRY: Final = 20
ENTRY_HEIGHT: Final = 46
PANEL_WIDTH: Final = 320
PALETTE_WIDTH: Final = 620
PALETTE_HEIGHT: Final = 420
RING_WIDTH: Final = 232
RING_HEIGHT: Final = 132
ICON_LARGE: Final = 40
ACTION_SIZE: Final = 24
EDITOR_WIDTH: Final = 860
EDITOR_HEIGHT: Final = 620
RESTORE_WIDTH: Final = 980
CALENDAR_CELL: Final = 22
PILL_WIDTH: Final = 132
CHART_HEIGHT: Final = 180
AXIS_WIDTH: Final = 72
WINDOW_WIDTH: Final = 1280
WINDOW_HEIGHT: Final = 800
WINDOW_MIN_WIDTH: Final = 1024
WINDOW_MIN_HEIGHT: Final = 680
BODY_PX: Final = 13
SECONDARY_PX: Final = 12
TITLE_PX: Final = 16
FIGURE_PX: Final = 22
SKELETON_DELAY_MS: Final = 40


class Theme(Enum):
    """Which palette the operator chose."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True, slots=True)
class Colors:
    """All colours of one theme, as ``#rrggbb``."""

    window: str
    surface: str
    raised: str
    navigation: str
    border: str
    hover: str
    selection: str
    text: str
    secondary: str
    disabled: str
    accent: str
    accent_fill: str
    accent_fill_hover: str
    on_accent: str
    idle: str
    active: str
    pending: str
    completed: str
    unknown: str
    failed: str
    skeleton: str
    series: tuple[str, ...]
    """Colours of chart series, distinct in both themes and to the colour-blind."""


LIGHT: Final = Colors(
    window="#f5f6f8",
    surface="#ffffff",
    raised="#ffffff",
    navigation="#eceff3",
    border="#dde2e8",
    hover="#f0f3f7",
    selection="#dfeafd",
    text="#18202c",
    secondary="#566172",
    disabled="#a0a9b6",
    accent="#1a62d6",
    accent_fill="#1a62d6",
    accent_fill_hover="#1553b8",
    on_accent="#ffffff",
    idle="#566172",
    active="#1a62d6",
    pending="#865400",
    completed="#17713f",
    unknown="#7440c0",
    failed="#bd2631",
    skeleton="#e8ebf0",
    series=("#1a62d6", "#17713f", "#bd2631", "#865400", "#7440c0", "#566172"),
)

DARK: Final = Colors(
    window="#14181f",
    surface="#1a202a",
    raised="#222a36",
    navigation="#10141a",
    border="#2c3543",
    hover="#232b37",
    selection="#22395f",
    text="#e7ebf1",
    secondary="#a0abba",
    disabled="#5e6978",
    accent="#7db0ff",
    accent_fill="#2a6bd8",
    accent_fill_hover="#3a7bea",
    on_accent="#ffffff",
    idle="#a0abba",
    active="#7db0ff",
    pending="#e6b657",
    completed="#5ccf97",
    unknown="#c3a3fa",
    failed="#ff8a8f",
    skeleton="#262e3a",
    series=("#7db0ff", "#5ccf97", "#ff8a8f", "#e6b657", "#c3a3fa", "#a0abba"),
)


def resolve(theme: Theme) -> Colors:
    """Return the colours of a theme; the system's choice is asked of Qt."""
    if theme is Theme.SYSTEM:
        dark = QGuiApplication.styleHints().colorScheme() is Qt.ColorScheme.Dark
        return DARK if dark else LIGHT
    return DARK if theme is Theme.DARK else LIGHT


def apply(application: QApplication, colors: Colors) -> None:
    """Give the whole program its look, unless it has it; may be called again at any time.

    Qt goes through every widget for it, however little changes.
    """
    sheet = style_sheet(colors)
    if application.styleSheet() == sheet:
        return
    application.setStyle(QStyleFactory.create("Fusion"))
    application.setPalette(_palette(colors))
    font = application.font()
    font.setPixelSize(BODY_PX)
    application.setFont(font)
    application.setStyleSheet(sheet)


def tabular_font(pixel_size: int = BODY_PX) -> QFont:
    """Return the body font with figures of one width, so that changing numbers do not jump."""
    font = QFont(QApplication.font())
    font.setPixelSize(pixel_size)
    font.setFeature(QFont.Tag("tnum"), 1)
    return font


def fixed_font() -> QFont:
    """Return the system's fixed-width font at the body size."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    font.setPixelSize(SECONDARY_PX)
    return font


def _palette(colors: Colors) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    for target, color in (
        (role.Window, colors.window),
        (role.WindowText, colors.text),
        (role.Base, colors.surface),
        (role.AlternateBase, colors.hover),
        (role.Text, colors.text),
        (role.Button, colors.surface),
        (role.ButtonText, colors.text),
        (role.ToolTipBase, colors.raised),
        (role.ToolTipText, colors.text),
        (role.PlaceholderText, colors.secondary),
        (role.Highlight, colors.accent_fill),
        (role.HighlightedText, colors.on_accent),
        (role.Link, colors.accent),
        (role.Accent, colors.accent_fill),
        (role.Mid, colors.border),
        (role.Dark, colors.border),
        (role.Light, colors.surface),
    ):
        palette.setColor(target, QColor(color))
    for target in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, target, QColor(colors.disabled))
    return palette


def style_sheet(colors: Colors) -> str:
    """Return the Qt style sheet of one theme, made from ``resources/style.qss``."""
    values = {field.name: getattr(colors, field.name) for field in fields(colors) if field.name != "series"}
    sizes = {name: value for name, value in globals().items() if name.isupper() and isinstance(value, int)}
    template = Template((RESOURCES / "style.qss").read_text(encoding="utf-8"))
    icons = (RESOURCES / "icons").as_posix()
    return template.substitute({**values, **sizes, "ICONS": icons})
