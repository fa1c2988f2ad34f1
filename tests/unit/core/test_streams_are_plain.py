"""What is said on a terminal cannot move its cursor."""

import pytest

from app.core.streams import note, say

HOSTILE = "the VM \x1b[2J\u202e\x9b31mweb\r is gone"
SHOWN = "the VM ␛[2J⟨U+202E⟩⟨U+009B⟩31mweb␍ is gone\n"


def test_a_name_in_an_error_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    assert say(HOSTILE)
    note(HOSTILE)
    out, err = capsys.readouterr()
    assert (out, err) == (SHOWN, SHOWN)


def test_an_error_and_its_remedy_keep_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert say("it failed\ntry again")
    assert capsys.readouterr().err == "it failed\ntry again\n"
