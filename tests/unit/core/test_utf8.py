"""Arguments and names in UTF-8, whatever they came in."""

import io
import os
import sys

import pytest

from app.core.streams import guarded, say
from app.core.utf8 import first_not_utf8, names_are_utf8, use_utf8_streams, utf8_bytes


def test_names_are_utf8_here() -> None:
    assert names_are_utf8()


def test_an_argument_that_is_utf8_stays_and_one_that_is_nothing_too() -> None:
    assert utf8_bytes("每日") == "每日".encode()
    assert utf8_bytes("\udcff") == b"\xff"


def test_text_with_bytes_that_are_no_text_is_found_and_can_be_shown() -> None:
    assert first_not_utf8(["每日", "a"]) is None
    shown = first_not_utf8(["a", "x\udcff"])
    assert shown is not None
    assert shown.isascii()
    assert "udcff" in shown


def test_streams_become_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", newline="\n"))
    monkeypatch.setattr(sys, "stderr", None)
    use_utf8_streams()
    print("每日 \udcff", flush=True)
    assert raw.getvalue().decode() == "每日 \\udcff\n"


def test_without_streams_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    use_utf8_streams()
    assert not say("nobody hears this")
    assert guarded(lambda: 3) == 3


def test_an_error_that_is_not_about_output_stays_one() -> None:
    def fail() -> int:
        raise FileNotFoundError(2, "No such file", "x")

    with pytest.raises(FileNotFoundError):
        guarded(fail)


@pytest.mark.skipif(os.name == "nt", reason="devices of POSIX")
def test_the_exit_status_of_argparse_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave() -> int:
        raise SystemExit(2)

    assert guarded(leave) == 2
    assert guarded(lambda: 0) == 0
