"""Which screens count as those of a guest system that came up."""

import random

import pytest

from app.core.png import GreyPicture
from app.engine.proof.screen import FIRMWARE_LOOKS, STILL_LOOKS, WRITTEN_BYTES, Screens, ScreenSigns, look_at

WIDTH, HEIGHT = 720, 400
BLACK = bytes(WIDTH * HEIGHT)


def text(seed: int, lines: int = 20, width: int = WIDTH, height: int = HEIGHT) -> GreyPicture:
    """Return a screen full of what looks like text."""
    chance = random.Random(seed)
    rows = []
    for y in range(height):
        is_ink = y % 16 < 12 and y // 16 < lines
        rows.append(bytes(chance.choice((0, 0, 200)) if is_ink and x < width // 2 else 0 for x in range(width)))
    return GreyPicture(width, height, b"".join(rows))


def blinking(picture: GreyPicture, number: int) -> GreyPicture:
    """Return a screen with a cursor that is there every second time."""
    pixels = bytearray(picture.pixels)
    for y in range(380, 394):
        pixels[y * picture.width + 20 : y * picture.width + 29] = bytes([200 if number % 2 else 0]) * 9
    return GreyPicture(picture.width, picture.height, bytes(pixels))


FIRMWARE, LOADER, LOGIN = text(1, lines=6), text(2, lines=9), text(3)


def last_of(*screens: GreyPicture | None, written: int = WRITTEN_BYTES) -> ScreenSigns:
    watch, signs = Screens(), ScreenSigns.NOTHING
    for screen in screens:
        signs = watch.take(None if screen is None else look_at(screen), written)
    return signs


def begun(*screens: GreyPicture | None) -> list[GreyPicture | None]:
    return [FIRMWARE, LOADER, LOADER, *screens][: FIRMWARE_LOOKS + len(screens)]


def test_a_login_that_stands_under_a_blinking_cursor_after_the_firmware_is_a_booted_system() -> None:
    stands = [blinking(LOGIN, number) for number in range(STILL_LOOKS)]
    assert last_of(*begun(*stands)) is ScreenSigns.BOOTED
    assert last_of(*begun(*stands[:-1])) is ScreenSigns.CHANGES


def test_nothing_is_booted_that_writes_nothing() -> None:
    assert last_of(*begun(*[LOGIN] * 20), written=WRITTEN_BYTES - 1) is ScreenSigns.STILL


def test_what_the_firmware_and_the_loader_showed_stays_theirs() -> None:
    for screen in (FIRMWARE, LOADER):
        assert last_of(*begun(*[screen] * 50)) is ScreenSigns.FIRMWARE


def test_what_is_there_from_the_beginning_is_never_a_booted_system() -> None:
    assert last_of(*[LOGIN] * 50) is ScreenSigns.FIRMWARE


@pytest.mark.parametrize("pixels", [BLACK, b"\x20" * len(BLACK)])
def test_a_screen_of_one_colour_with_a_cursor_shows_nothing(pixels: bytes) -> None:
    blank = GreyPicture(WIDTH, HEIGHT, pixels)
    assert last_of(*begun(*(blinking(blank, number) for number in range(50)))) is ScreenSigns.BLANK


def test_a_screen_that_scrolls_goes_on_changing() -> None:
    assert last_of(*begun(*(text(seed) for seed in range(10, 22)))) is ScreenSigns.CHANGES


def test_another_resolution_is_another_screen() -> None:
    assert not look_at(text(1)).is_like(look_at(text(1, width=1024, height=768)))


def test_a_picture_that_is_missing_begins_the_wait_again() -> None:
    stands: list[GreyPicture | None] = [LOGIN] * (STILL_LOOKS - 1)
    assert last_of(*begun(*stands, None, *stands)) is ScreenSigns.CHANGES
    assert last_of(*begun(*stands, None)) is ScreenSigns.NOTHING


def test_pictures_of_a_few_pixels_are_compared_as_well() -> None:
    tiny = look_at(GreyPicture(1, 1, b"\x05"))
    assert tiny.is_like(tiny)
    assert tiny.is_blank
