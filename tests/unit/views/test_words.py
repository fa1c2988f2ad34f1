from pathlib import Path

from PySide6.QtWidgets import QApplication

from app.domain.errors import SnapshotFailed
from app.views.memory import Memory
from app.views.translation import Language, LanguageSwitch
from app.views.words import error_message


def test_an_error_says_in_chinese_what_was_being_done(qapp: QApplication, tmp_path: Path) -> None:
    failure = SnapshotFailed(vm="db-01", operation="created", detail="too deep")
    switch = LanguageSwitch(qapp, Memory(tmp_path / "words.ini"))
    switch.choose(Language.CHINESE)
    try:
        told = error_message(failure)
    finally:
        switch.choose(Language.ENGLISH)
    assert "创建" in told
    assert "created" not in told
    assert "created" in error_message(failure)
