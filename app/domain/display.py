"""Text from outside, made safe to read: what cannot be seen gets a mark, and nothing else is changed.

Names of VMs, certificates' subjects, error details and log texts come from other people's systems. A line break in
one forges a second line of a log, a bidirectional override turns ``gpj.exe`` round, an escape sequence moves a
terminal's cursor, and two names that differ by an invisible character look the same. Everything that shows or
writes such text passes it through :func:`visible`; what is stored stays as it is.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_PICTURES: Final = 0x2400
"""The block Control Pictures has a mark for each control character of ASCII, in their order."""
_DELETE: Final = 0x7F
_HIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_PRINTABLE_BUT_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U0001d159\U000e0100-\U000e01ef]"
)
"""Letters, marks and symbols that draw nothing (Default_Ignorable_Code_Point, and the blank of Braille)."""
_IGNORED_WHEN_UNASSIGNED: Final = re.compile("[\u2065\ufff0-\ufff8\U000e0000-\U000e0fff]")


class Lines(str):
    """Text that is made visible already and whose line breaks are the program's own."""

    __slots__ = ()


def visible(text: str) -> str:
    """Return a text in one line in which every character can be seen.

    ASCII's control characters become their pictures (``␊`` for a line feed), other control, bidirectional and
    invisible characters and lone surrogates their number (``⟨U+202E⟩``). Blanks of any width stay.
    A :class:`Lines` is returned as it is.
    """
    if isinstance(text, Lines):
        return text
    if text.isprintable() and not _PRINTABLE_BUT_INVISIBLE.search(text):
        return text
    return "".join(_mark(character) if is_hidden(character) else character for character in text)


def lines(parts: Iterable[str]) -> Lines:
    """Join parts, each made visible, as lines of the program's own."""
    return Lines("\n".join(visible(part) for part in parts))


def filled_lines(template: str, **values: object) -> Lines:
    """Fill in a template whose line breaks are the program's own; those of the values get marks."""
    return lines(line.format_map(values) for line in template.split("\n"))


def own_lines(text: str) -> Lines:
    """Make a text of several lines visible line by line: a traceback, or sentences of the program's own."""
    return lines(text.split("\n"))


def is_hidden(character: str) -> bool:
    """Return whether a character cannot be seen, or moves what stands around it."""
    code = ord(character)
    return (
        unicodedata.category(character) in _HIDDEN_CATEGORIES
        or _PRINTABLE_BUT_INVISIBLE.match(character) is not None
        or _IGNORED_WHEN_UNASSIGNED.match(character) is not None
        or code & 0xFFFE == 0xFFFE
        or 0xFDD0 <= code <= 0xFDEF
    )


def _mark(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(_PICTURES + code)
    return "\u2421" if code == _DELETE else f"⟨U+{code:04X}⟩"
