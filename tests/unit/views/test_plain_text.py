"""Names are never markup: nothing in the window uses Qt's own ways to show text but the modules made for it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import Qt as GuiQt
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QLabel, QMessageBox, QSystemTrayIcon, QToolTip, QWidget
from pytestqt.qtbot import QtBot

from app.domain.display import own_lines, visible
from app.models.rows import Column, RowModel
from app.models.tips import tip_text
from app.views.widgets import plain

ROOT = Path(__file__).resolve().parents[3]
OWN = {ROOT / "app/views/widgets/plain.py", ROOT / "app/models/tips.py"}
NAMES = {"QLabel", "QToolTip", "QErrorMessage", "QTextBrowser", "QTextEdit", "QTextDocument"}
METHODS = {
    "setToolTip",
    "setWhatsThis",
    "setStatusTip",
    "setWindowTitle",
    "setHtml",
    "insertHtml",
    "setMarkdown",
    "setTextFormat",
    "setInformativeText",
    "setDetailedText",
    "showMessage",
}
MAY = {
    # The page for the printer, made of markup of the program's own.
    ("app/views/standbys/recovery_file.py", "QTextDocument"),
    ("app/views/standbys/recovery_file.py", "setHtml"),
}
HOSTILE = "<img src='file:///etc/passwd'><b>web</b> & db"
HIDDEN = "web\u202e01\nforged\x1b\u200b"
SHOWN = "web⟨U+202E⟩01␊forged␛⟨U+200B⟩"


def modules() -> Iterator[Path]:
    for folder in ("views", "models", "workers", "console"):
        yield from (path for path in (ROOT / "app" / folder).rglob("*.py") if path not in OWN)


def used(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("PySide6"):
            yield from ((alias.name, node.lineno) for alias in node.names if alias.name in NAMES)
        elif isinstance(node, ast.Attribute) and node.attr in METHODS | NAMES:
            yield node.attr, node.lineno


def test_only_one_module_shows_text_with_qts_own_ways() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in modules()
        for name, line in used(ast.parse(path.read_text(encoding="utf-8")))
        if (path.relative_to(ROOT).as_posix(), name) not in MAY
    ]
    assert not found, "use app.views.widgets.plain:\n" + "\n".join(found)


def test_boxes_are_made_in_one_place() -> None:
    made = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Name) and node.func.id == "QMessageBox")
            or (isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "QMessageBox")
        )
    ]
    assert made == [], "use app.views.widgets.plain.message_box; QMessageBox is for its enumerations only"


# --- labels ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [HOSTILE, "<b>x</b>", "&lt;b&gt;", "a & b", "# title", "[x](http://y)"])
def test_a_label_shows_what_it_is_given(qtbot: QtBot, text: str) -> None:
    label = plain.Label(text)
    qtbot.addWidget(label)
    assert label.text() == text
    assert label.textFormat() is Qt.TextFormat.PlainText


def test_a_label_shows_what_is_hidden_and_keeps_lines_of_the_programs_own(qtbot: QtBot) -> None:
    label = plain.Label()
    qtbot.addWidget(label)
    label.setText(HIDDEN)
    assert label.text() == SHOWN
    label.setText(own_lines("one\ntwo"))
    assert label.text() == "one\ntwo"


# --- tooltips --------------------------------------------------------------------------------------------------


def drawn(tip: str) -> str:
    """Return what a tooltip draws of a text."""
    if not GuiQt.mightBeRichText(tip):
        return tip
    document = QTextDocument()
    document.setHtml(tip)
    return document.toPlainText()


@pytest.mark.parametrize("text", [HOSTILE, "<b>x</b>", "&lt;b&gt;", "R&D", "plain", "<?xml?>", "a\t<i>"])
def test_a_tooltip_shows_what_it_is_given(text: str) -> None:
    assert drawn(tip_text(text)) == visible(text)


@given(st.text(st.characters(exclude_categories=[])))
def test_every_tooltip_shows_what_it_is_given(text: str) -> None:
    shown = drawn(tip_text(text))
    # Qt draws blanks of any number as one, and a no-break space as a blank.
    assert shown.split() == visible(text).split()


def test_a_tip_that_is_shown_now_is_plain_too(qtbot: QtBot) -> None:
    owner = QWidget()
    qtbot.addWidget(owner)
    owner.show()
    plain.show_tip(QPoint(5, 5), HOSTILE, owner)
    assert drawn(QToolTip.text()) == HOSTILE
    plain.hide_tip()


def test_the_cells_of_every_list_are_plain(qtbot: QtBot) -> None:
    model = RowModel[str]([Column(key="name", title="Name", text=str, tooltip=str)], key=str)
    holder = QWidget()
    qtbot.addWidget(holder)
    model.setParent(holder)
    model.set_rows([HOSTILE, HIDDEN])
    assert model.index(0, 0).data() == HOSTILE
    assert drawn(model.index(0, 0).data(Qt.ItemDataRole.ToolTipRole)) == HOSTILE
    assert model.index(1, 0).data() == SHOWN
    assert model.index(1, 0).data(Qt.ItemDataRole.ToolTipRole) == SHOWN
    assert model.rows == (HOSTILE, HIDDEN)


# --- boxes, titles, menus, notifications -----------------------------------------------------------------------


def test_a_message_box_shows_what_it_is_given(qtbot: QtBot) -> None:
    box = plain.message_box(QMessageBox.Icon.Warning, HOSTILE, HOSTILE, HOSTILE, details=f"{HOSTILE}\ntwo")
    qtbot.addWidget(box)
    box.show()
    labels = [label for label in box.findChildren(QLabel) if "web" in label.text()]
    assert len(labels) == 2
    assert all(label.textFormat() is Qt.TextFormat.PlainText for label in labels)
    assert box.detailedText() == f"{HOSTILE}\ntwo"


def test_a_title_and_a_menu_show_every_sign(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    plain.set_title(window, "web [*] & db\n2")
    assert window.windowTitle() == "web [*][*] & db␊2"  # what Qt takes for one [*]
    assert plain.mnemonic_free("R&D") == "R&&D"


def test_a_page_of_markup_loads_nothing(qtbot: QtBot, tmp_path: Path) -> None:
    picture = tmp_path / "x.png"
    picture.write_bytes(b"no picture")
    browser = plain.MarkupBrowser()
    qtbot.addWidget(browser)
    asked: list[object] = []
    browser.loadResource = lambda kind, name: asked.append((kind, name))  # type: ignore[method-assign]
    browser.show_markup(f"<p>{plain.markup_of(f'<img src={picture.as_uri()}>')}</p>")
    browser.show()
    assert "<img" in browser.toPlainText()
    assert asked == []
    assert plain.MarkupBrowser().loadResource(2, picture.as_uri()) is None


def test_a_notification_of_the_system_has_no_markup() -> None:
    shown: list[tuple[object, ...]] = []

    class Balloons(QSystemTrayIcon):
        def showMessage(self, *args: object) -> None:
            shown.append(args)

    plain.show_balloon(Balloons(), HOSTILE, HIDDEN, 1000)
    ((title, text, *_),) = shown
    assert title == "‹img src='file:///etc/passwd'›‹b›web‹/b› & db"
    assert text == SHOWN
