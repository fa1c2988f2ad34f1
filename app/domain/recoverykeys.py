"""Normalizes recovery keys that were typed; the check digits decide whether they are right."""

import unicodedata
from typing import Final

RECOVERY_KEY_CHARS: Final = 56
"""Letters and digits of a recovery key, the last four of which check the others."""
_ALPHABET: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_SIGNIFICANT: Final = ("Lu", "Ll", "Lt", "Lo", "Nd")
_DASH_LIKE: Final = "一"
"""The Chinese figure one, which looks like a dash."""
_MISREAD: Final = {"0": "O", "8": "B", "1": "IL", "l": "LI"}
"""What no recovery key has, and what it can stand for. A small ``l`` is the letter or what was taken for one."""


def has_form_of_recovery_key(text: str) -> bool:
    """Return whether a text has as many letters and digits as a recovery key, and none that it cannot have."""
    typed = significant(text)
    return len(typed) == RECOVERY_KEY_CHARS and is_plausible(typed)


def significant(text: str) -> str:
    """Return the letters and digits of a text, in their plain forms."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(
        _digit(character)
        for character in plain
        if unicodedata.category(character) in _SIGNIFICANT and character != _DASH_LIKE
    )


def _digit(character: str) -> str:
    """Return a digit of any script as the digit it is."""
    value = unicodedata.decimal(character, None)
    return character if value is None else str(value)


def choices(typed: str) -> list[str]:
    """Return for each character the letters that it can stand for."""
    return [
        _MISREAD.get(character) or (character.upper() if character.isascii() else character) for character in typed
    ]


def is_plausible(typed: str) -> bool:
    """Return whether every character can stand for one of a recovery key."""
    return all(set(letters) <= _ALPHABET for letters in choices(typed))
