"""How strong a passphrase is against an attacker who has a copy of the key files and unlimited time."""

import math
from itertools import pairwise
from typing import Final

LONGEST: Final = 1024
_NEEDED_BITS: Final = 56.0
_SHORTEST: Final = 8
_COMMON: Final = (
    "password",
    "passwort",
    "passphrase",
    "qwerty",
    "asdfgh",
    "letmein",
    "welcome",
    "standfast",
    "vmware",
    "backup",
    "admin",
    "root",
    "secret",
    "abc123",
    "密码",
    "磐备",
)
_POOLS: Final = (
    (str.islower, 26),
    (str.isupper, 26),
    (str.isdigit, 10),
    (lambda character: character.isascii() and not character.isalnum(), 33),
)
_WIDE_POOL: Final = 2000
"""Letters of scripts such as Chinese, of which an operator knows many."""


def strength_bits(passphrase: str) -> float:
    """Estimate how many bits a guesser must try; common words, runs and repetitions count for little."""
    rest = passphrase.strip()
    for word in _COMMON:
        at = rest.casefold().find(word)
        if at >= 0 and len(rest.casefold()) == len(rest):
            rest = rest[:at] + rest[at + len(word) :]
    rest = _without_runs(rest)
    counted = min(len(rest), 2 * len(set(rest)))
    pool = sum(size for fits, size in _POOLS if any(character.isascii() and fits(character) for character in rest))
    if any(not character.isascii() for character in rest):
        pool += _WIDE_POOL
    return counted * math.log2(pool) if pool > 1 else 0.0


def is_strong(passphrase: str) -> bool:
    """Return whether a passphrase may protect backup data."""
    return _SHORTEST <= len(passphrase) <= LONGEST and strength_bits(passphrase) >= _NEEDED_BITS


def _without_runs(text: str) -> str:
    """Leave out characters that follow from the one before: aaaa, 1234, dcba."""
    kept = text[:1]
    for before, character in pairwise(text):
        if ord(character) - ord(before) not in (-1, 0, 1):
            kept += character
    return kept
