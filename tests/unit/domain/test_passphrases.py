"""Which passphrases may protect backup data."""

import pytest

from app.domain.passphrases import is_strong, strength_bits


@pytest.mark.parametrize(
    "passphrase",
    ["correct horse battery staple", "对的马电池钉书针", "Tr0ub4dor&3x!", "vogelsang-unterm-dach", "q7Gm2xVbPz9k"],
)
def test_words_mixtures_and_chinese_are_strong(passphrase: str) -> None:
    assert is_strong(passphrase)


@pytest.mark.parametrize(
    "passphrase",
    [
        "",
        "        ",
        "short1!",
        "aaaaaaaaaaaaaaaaaaaaaaaa",
        "123456789012",
        "abcdefghijklmnop",
        "Password1234",
        "abababababababab",
        "qwerty123456",
        "密码密码密码密码密码",
        "x" * 2000,
        "BackupAdmin2026",
    ],
)
def test_short_ones_runs_repetitions_and_common_words_are_weak(passphrase: str) -> None:
    assert not is_strong(passphrase)


def test_every_further_word_adds_strength() -> None:
    assert strength_bits("otter lamp") < strength_bits("otter lamp crane") < strength_bits("otter lamp crane 17")
