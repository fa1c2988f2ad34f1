from pathlib import Path

from PySide6.QtWidgets import QApplication

from app.domain.errors import SnapshotFailed
from app.domain.states import TaskKind
from app.domain.words import Done
from app.engine.messages import TASK_STARTED
from app.repository import PinPurpose
from app.views.frame.memory import Memory
from app.views.translation import Language, LanguageSwitch
from app.views.words import error_message, message_text, param_text


def test_an_error_says_in_chinese_what_was_being_done(qapp: QApplication, tmp_path: Path) -> None:
    failure = SnapshotFailed(vm="db-01", operation=Done.CREATED, detail="too deep")
    switch = LanguageSwitch(qapp, Memory(tmp_path / "words.ini"))
    switch.choose(Language.CHINESE)
    try:
        shown = error_message(failure)
    finally:
        switch.choose(Language.ENGLISH)
    assert "创建" in shown
    assert "created" not in shown
    assert "created" in error_message(failure)


def test_a_log_line_says_in_chinese_what_kind_of_task_it_was(qapp: QApplication, tmp_path: Path) -> None:
    switch = LanguageSwitch(qapp, Memory(tmp_path / "words.ini"))
    switch.choose(Language.CHINESE)
    try:
        shown = message_text("Started: {what} of {vm}", TASK_STARTED.fill(what=TaskKind.BACKUP, vm="db-02").params)
        other = message_text("Started: {what} of {vm}", (("vm", "db-02"), ("what", "something newer")))
    finally:
        switch.choose(Language.ENGLISH)
    assert shown == "已开始：db-02 的备份"
    assert "something newer" in other


def test_a_parameter_that_stands_by_itself_is_said_in_chinese_and_text_stays(
    qapp: QApplication, tmp_path: Path
) -> None:
    switch = LanguageSwitch(qapp, Memory(tmp_path / "words.ini"))
    switch.choose(Language.CHINESE)
    try:
        shown = param_text(PinPurpose.RESTORE.said())
    finally:
        switch.choose(Language.ENGLISH)
    assert shown == "恢复"
    assert param_text(PinPurpose.RESTORE.said()) == "restore"
    assert param_text("web-01") == "web-01"
