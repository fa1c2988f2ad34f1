import json
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QApplication

from app.views.frame.memory import Memory
from app.views.translation import TABLES, Language, LanguageSwitch, load_table
from tests.support.screen_texts import placeholders, screen_texts

CHINESE = load_table(Language.CHINESE)


def source_of(key: str) -> str:
    return key.partition("|")[2] or key


def test_every_text_on_the_screen_is_translated() -> None:
    sources = {source_of(key) for key in CHINESE}
    missing = [f"{file}: {text!r}" for text, file in screen_texts().items() if text not in sources]
    assert not missing, f"{len(missing)} texts have no Chinese:\n" + "\n".join(missing)


def test_no_translation_is_left_over() -> None:
    known = screen_texts()
    assert [key for key in CHINESE if source_of(key) not in known] == []


@pytest.mark.parametrize("key", sorted(CHINESE))
def test_a_translation_has_the_placeholders_of_its_source(key: str) -> None:
    assert placeholders(CHINESE[key]) == placeholders(source_of(key))


def test_no_text_is_translated_twice() -> None:
    seen: dict[str, str] = {}
    for file in sorted((TABLES / "zh_CN").glob("*.json")):
        for key in json.loads(file.read_text(encoding="utf-8")):
            assert key not in seen, f"{key!r} is in {seen[key]} and in {file.name}"
            seen[key] = file.name


def test_the_language_changes_live_and_is_remembered(qapp: QApplication, tmp_path: Path) -> None:
    memory = Memory(tmp_path / "window.ini")
    switch = LanguageSwitch(qapp, memory)
    switch.choose(Language.CHINESE)
    assert QCoreApplication.translate("Words", "Pending") == "排队中"
    assert QCoreApplication.translate("QPlatformTheme", "Cancel") == "取消"
    assert QCoreApplication.translate("Words", "Something untranslated") == "Something untranslated"
    switch.choose(Language.ENGLISH)
    assert QCoreApplication.translate("Words", "Pending") == "Pending"
    assert memory.text("language") == "en"
