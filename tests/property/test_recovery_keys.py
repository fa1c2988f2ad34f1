"""A recovery key is read however it was typed; what is none, or mistyped, is refused."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.repository.recoverykeys import (
    NoRecoveryKey,
    RecoveryKeyTypo,
    format_recovery_key,
    is_recovery_key,
    parse_recovery_key,
    typo_in,
)

KEYS = st.binary(min_size=32, max_size=32)
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
ORNAMENTS = (
    " \t\n\r\u00a0\u3000\u2009\u2028"  # blanks
    "-\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d\u30fc\u2500\u4e00_"  # dashes
    "\u200b\u200c\u200d\u2060\ufeff\u202a\u202e\u0301\u0336"  # what cannot be seen, and marks above and below
    "\"'\u201c\u201d\u2018\u2019\u300c\u300d\u00ab\u00bb`.,;:|/\\()[]{}<>*#\u00b7\u3002"
)
DRESSES: dict[str, Callable[[str], str]] = {
    "lower case": str.lower,
    "full width": lambda text: text.translate(FULL_WIDTH),
    "full width, lower case": lambda text: text.lower().translate(FULL_WIDTH),
    "0 for O": lambda text: text.replace("O", "0"),
    "8 for B": lambda text: text.replace("B", "8"),
    "1 for I": lambda text: text.replace("I", "1"),
    "1 for L": lambda text: text.replace("L", "1"),
    "1 for both": lambda text: text.replace("L", "1").replace("I", "1"),
    "l for I": lambda text: text.replace("I", "l"),
    "l for both": lambda text: text.replace("I", "l").replace("L", "l"),
    "mathematical letters": lambda text: "".join(
        chr(0x1D400 + ord(character) - ord("A")) if character.isalpha() else character for character in text
    ),
    "as printed": str,
}


@pytest.mark.parametrize("dress", DRESSES)
@given(key=KEYS, data=st.data())
def test_whatever_decorates_a_right_key_it_is_read(dress: str, key: bytes, data: st.DataObject) -> None:
    typed = DRESSES[dress](format_recovery_key(key))
    keeps_hyphens = data.draw(st.booleans())
    pieces = typed if keeps_hyphens else typed.replace("-", "")
    ornament = st.text(st.sampled_from(ORNAMENTS), max_size=2)
    decorated = "".join(data.draw(ornament) + piece for piece in pieces) + data.draw(ornament)
    assert parse_recovery_key(decorated) == key


@given(key=KEYS, data=st.data())
def test_a_wrong_letter_or_a_missing_group_is_noticed_and_named(key: bytes, data: st.DataObject) -> None:
    letters = format_recovery_key(key).replace("-", "")
    at = data.draw(st.integers(0, len(letters) - 1))
    other = data.draw(st.sampled_from(sorted(set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") - {letters[at]})))
    with pytest.raises(RecoveryKeyTypo) as caught:
        parse_recovery_key(letters[:at] + other + letters[at + 1 :])
    assert caught.value.count == 56
    slip = typo_in(letters[:-4].lower())
    assert slip is not None
    assert slip.count == 52


@pytest.mark.parametrize("text", ["", "correct horse battery staple", "AAAA-BBBB", "А" * 56, "9" * 56, "l" * 300])
def test_what_is_no_recovery_key_is_none(text: str) -> None:
    with pytest.raises(NoRecoveryKey):
        parse_recovery_key(text)
    assert not is_recovery_key(text)
    assert typo_in(text) is None
