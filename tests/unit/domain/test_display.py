"""What cannot be seen gets a mark, and nothing else is changed."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.display import Lines, is_hidden, lines, own_lines, visible

ANY_TEXT = st.text(st.characters(exclude_categories=[]))


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("web\n01", "web␊01"),
        ("web\r\n01", "web␍␊01"),
        ("a\tb", "a␉b"),
        ("a\x00b", "a␀b"),
        ("\x1b[2J", "␛[2J"),
        ("\x7f", "␡"),
        ("\x9b31m", "⟨U+009B⟩31m"),
        ("a\x85b", "a⟨U+0085⟩b"),
        ("a\u2028b\u2029", "a⟨U+2028⟩b⟨U+2029⟩"),
        ("\u202egpj.exe", "⟨U+202E⟩gpj.exe"),
        ("\u2066a\u2069", "⟨U+2066⟩a⟨U+2069⟩"),
        ("\u200e\u200f\u061c", "⟨U+200E⟩⟨U+200F⟩⟨U+061C⟩"),
        ("we\u200bb\u200c\u200d\u2060\ufeff\u00ad", "we⟨U+200B⟩b⟨U+200C⟩⟨U+200D⟩⟨U+2060⟩⟨U+FEFF⟩⟨U+00AD⟩"),
        ("\u3164\u115f\uffa0\u2800\u034f\ufe0f", "⟨U+3164⟩⟨U+115F⟩⟨U+FFA0⟩⟨U+2800⟩⟨U+034F⟩⟨U+FE0F⟩"),
        ("\U000e0041\U000e0100", "⟨U+E0041⟩⟨U+E0100⟩"),
        ("\udc80.vmdk", "⟨U+DC80⟩.vmdk"),
        ("\ufffe\ufdd0", "⟨U+FFFE⟩⟨U+FDD0⟩"),
    ],
)
def test_what_is_hidden_gets_a_mark(raw: str, shown: str) -> None:
    assert visible(raw) == shown


@pytest.mark.parametrize(
    "name", ["", "web-01", "生产 服务器\u3000一", "<b>x</b> & y", "naïve e\u0301", "a\u00a0b", "😀", "עברית"]
)
def test_what_can_be_seen_stays(name: str) -> None:
    assert visible(name) == name


@given(ANY_TEXT)
def test_the_result_has_nothing_hidden_and_stays_as_it_is(text: str) -> None:
    shown = visible(text)
    assert not any(is_hidden(character) for character in shown)
    assert visible(shown) == shown
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")


@given(ANY_TEXT)
def test_nothing_but_the_hidden_is_changed(text: str) -> None:
    kept = "".join(character for character in text if not is_hidden(character))
    assert visible(kept) == kept
    assert all(unicodedata.category(character) not in {"Cc", "Cf", "Zl", "Zp", "Cs"} for character in kept)


@given(st.lists(ANY_TEXT, min_size=1))
def test_only_the_programs_own_line_breaks_make_lines(parts: list[str]) -> None:
    joined = lines(parts)
    assert joined.split("\n") == [visible(part) for part in parts]
    assert visible(joined) == joined
    assert isinstance(joined, Lines)


def test_a_traceback_keeps_its_lines() -> None:
    assert own_lines("one\n  two\x1b") == "one\n  two␛"
