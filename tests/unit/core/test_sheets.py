from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from app.core.sheets import SheetFile, cell_text
from tests.support.held_files import scanned

TOKYO = timezone(timedelta(hours=9))
AT = datetime(2026, 3, 1, 23, 30, 15, 250_000, tzinfo=UTC)


SIGNS = ["=", "+", "-", "@", "＝", "＋", "－", "＠"]


@pytest.mark.parametrize("sign", SIGNS)
def test_a_text_that_looks_like_a_formula_is_made_harmless(sign: str) -> None:
    assert cell_text(f"{sign}cmd|' /C calc'!A0") == f"'{sign}cmd|' /C calc'!A0"
    assert cell_text(f"web{sign}01") == f"web{sign}01"


@pytest.mark.parametrize(("raw", "shown"), [("\t", "␉"), ("\r", "␍"), ("\n", "␊")])
def test_a_leading_break_is_made_harmless_and_visible(raw: str, shown: str) -> None:
    assert cell_text(f"{raw}cmd|' /C calc'!A0") == f"'{shown}cmd|' /C calc'!A0"


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize(
    ("split", "shown"),
    [
        (";", ";"),
        ("; ", "; "),
        (';"', ';"'),
        ("；", "；"),
        ("\t", "␉"),
        ("\n", "␊"),
        ("\r\n", "␍␊"),
        ("\u2028", "⟨U+2028⟩"),
    ],
)
def test_a_formula_behind_what_spreadsheets_split_at_is_harmless(split: str, shown: str, sign: str) -> None:
    assert cell_text(f"a{split}{sign}1+1") == f"a{shown}'{sign}1+1"


def test_blanks_do_not_hide_a_formula() -> None:
    assert cell_text(" =1") == " '=1"
    assert cell_text("\u3000＝1") == "\u3000'＝1"


def test_hidden_characters_are_visible_in_a_file() -> None:
    assert cell_text("web\u202e10\x1b[2J") == "web⟨U+202E⟩10␛[2J"


def test_numbers_times_and_spans_are_plain() -> None:
    assert cell_text(-5) == "-5"
    assert cell_text(12_345_678_901) == "12345678901"
    assert cell_text(1234.5) == "1234.5"
    assert cell_text(2.0) == "2"
    assert cell_text(0.00049) == "0"
    assert cell_text(timedelta(hours=1, seconds=3)) == "3603"
    assert cell_text(AT, TOKYO) == "2026-03-02T08:30:15+09:00"
    assert cell_text(None) == ""


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "虚机.csv"
    with SheetFile(path) as sheet:
        sheet.write([["名称", "Size (B)"], ['a "b", c', 7], ["two\nlines", None]])
        assert not path.exists()
    assert path.read_bytes() == (b"\xef\xbb\xbf" + '名称,Size (B)\r\n"a ""b"", c",7\r\ntwo␊lines,\r\n'.encode())
    assert [path.name for path in tmp_path.iterdir()] == ["虚机.csv"]


def test_what_stops_halfway_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), SheetFile(path) as sheet:
        sheet.write([[1 // 0]])
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["list.csv"]


def test_a_file_is_kept_once_a_scanner_of_windows_lets_go_of_it(tmp_path: Path) -> None:
    with scanned("*list.csv*", attempts=3), SheetFile(tmp_path / "list.csv") as sheet:
        sheet.write([["a"]])
    assert [path.name for path in tmp_path.iterdir()] == ["list.csv"]


def test_a_place_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    sheet = SheetFile(path)
    sheet.write([["a"]])
    with pytest.raises(OSError):  # noqa: PT011 - what the system says differs
        sheet.keep()
    sheet.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
