"""On Windows a folder is for its user, the system and administrators."""

from pathlib import Path

import pytest

from app.core.accesslists import restrict_access_list


def test_on_windows_a_folder_is_for_its_user_the_system_and_administrators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USERNAME", "backup")
    monkeypatch.setenv("USERDOMAIN", "LAB")
    commands: list[list[str]] = []
    restrict_access_list(tmp_path, commands.append)
    (command,) = commands
    assert command[:4] == ["icacls", str(tmp_path), "/inheritance:r", "/grant:r"]
    assert command[4:7] == ["LAB\\backup:(OI)(CI)F", "*S-1-5-18:(OI)(CI)F", "*S-1-5-32-544:(OI)(CI)F"]
