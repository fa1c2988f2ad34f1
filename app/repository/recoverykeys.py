"""Recovery keys on paper: how they are written, and read however they were typed.

Source of truth: ``docs/repository-format.md``, "Keys".
"""

import base64
import itertools
import os
from collections.abc import Iterator
from typing import Final

from blake3 import blake3

from app.domain.recoverykeys import RECOVERY_KEY_CHARS, choices, is_plausible, significant
from app.repository.crypto import KEY_BYTES
from app.repository.seals import Seal

_MARK_CHARS: Final = 4
_GROUP_CHARS: Final = 4
_MOST_READINGS: Final = 4096


class NoRecoveryKey(ValueError):
    """What was typed is no recovery key."""


class RecoveryKeyTypo(NoRecoveryKey):
    """What was typed has the form of a recovery key, but its check does not fit.

    Attributes:
        count: how many letters and digits it has.
    """

    def __init__(self, count: int) -> None:
        super().__init__("a recovery key with a slip of the pen")
        self.count = count


def new_recovery_key() -> tuple[str, Seal]:
    """Make a recovery key; return it as it is printed, and its seal."""
    key = os.urandom(KEY_BYTES)
    return format_recovery_key(key), Seal.of_recovery_key(key)


def is_recovery_key(text: str) -> bool:
    """Return whether what was typed is a recovery key without a typing error, of whichever repository."""
    try:
        parse_recovery_key(text)
    except ValueError:
        return False
    return True


def typo_in(text: str) -> RecoveryKeyTypo | None:
    """Return what is wrong with what looks like a recovery key; None when it is right, or no such key at all."""
    try:
        parse_recovery_key(text)
    except RecoveryKeyTypo as typo:
        return typo
    except NoRecoveryKey:
        return None
    return None


def format_recovery_key(key: bytes) -> str:
    """Write a recovery key for paper: groups of four, the last one reveals a typing error."""
    text = base64.b32encode(key).decode().rstrip("=")
    text += base64.b32encode(blake3(key).digest()).decode()[:_MARK_CHARS]
    return "-".join(text[at : at + _GROUP_CHARS] for at in range(0, len(text), _GROUP_CHARS))


def parse_recovery_key(text: str) -> bytes:
    """Read a recovery key as it was typed.

    Case, full-width and other forms of letters, and everything that is no letter or digit do not matter: blanks,
    dashes and quotes of all kinds, invisible characters. ``0``, ``8``, ``1`` and ``l`` stand for the letters that
    they look like, which the check digits decide where there are two.

    Raises:
        RecoveryKeyTypo: it looks like a recovery key, but is incomplete or mistyped.
        NoRecoveryKey: it is something else.
    """
    typed = significant(text)
    for letters in itertools.islice(_readings(typed), _MOST_READINGS):
        key = _checked(letters)
        if key is not None:
            return key
    slack = 2 * _GROUP_CHARS
    if abs(len(typed) - RECOVERY_KEY_CHARS) <= slack and is_plausible(typed):
        raise RecoveryKeyTypo(len(typed))
    raise NoRecoveryKey("not a recovery key")


def _readings(typed: str) -> Iterator[str]:
    if len(typed) != RECOVERY_KEY_CHARS:
        return
    for letters in itertools.product(*choices(typed)):
        yield "".join(letters)


def _checked(letters: str) -> bytes | None:
    body = letters[:-_MARK_CHARS]
    try:
        key = base64.b32decode(body + "=" * (-len(body) % 8))
    except ValueError:
        return None
    is_right = len(key) == KEY_BYTES and format_recovery_key(key).replace("-", "") == letters
    return key if is_right else None
