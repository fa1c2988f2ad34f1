from dataclasses import fields

import pytest

from app.views.style import CONTRAST_MIN, DARK, LIGHT, Colors, contrast, style_sheet

GROUNDS = ("window", "surface", "raised", "navigation", "hover", "selection")
INKS = ("text", "secondary", "accent", "idle", "active", "pending", "completed", "unknown", "failed")


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
