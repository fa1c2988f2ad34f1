from dataclasses import fields

import pytest
from PySide6.QtGui import QColor

from app.views.style import DARK, LIGHT, Colors, style_sheet

GROUNDS = ("window", "surface", "raised", "navigation", "hover", "selection")
INKS = ("text", "secondary", "accent", "idle", "active", "pending", "completed", "unknown", "failed")

CONTRAST_MIN = 4.5
"""The least contrast between text and its ground (WCAG 2.2, level AA)."""


def contrast(first: str, second: str) -> float:
    """Return the WCAG contrast ratio of two colours, 1 to 21."""

    def luminance(color: str) -> float:
        channels = (QColor(color).redF(), QColor(color).greenF(), QColor(color).blueF())
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ink", INKS)
def test_text_can_be_read_on_every_ground(colors: Colors, ink: str) -> None:
    for ground in GROUNDS:
        ratio = contrast(getattr(colors, ink), getattr(colors, ground))
        assert ratio >= CONTRAST_MIN, f"{ink} on {ground}: {ratio:.2f}"


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_text_on_the_accent_can_be_read(colors: Colors) -> None:
    assert contrast(colors.on_accent, colors.accent_fill) >= CONTRAST_MIN
    assert contrast(colors.on_accent, colors.accent_fill_hover) >= CONTRAST_MIN * 0.85


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_the_style_sheet_is_filled_completely(colors: Colors) -> None:
    sheet = style_sheet(colors)
    assert "${" not in sheet
    assert all(getattr(colors, field.name) for field in fields(colors))


def test_black_on_white_has_the_known_contrast() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
