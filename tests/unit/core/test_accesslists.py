"""On Windows a folder is for its user, the system and administrators, each known by a security identifier."""

import subprocess
from pathlib import Path, PureWindowsPath

import pytest

from app.core.accesslists import restrict_access_list
from tests.support.platforms import windows_only, wine_lacks

USER = "S-1-5-21-397955417-626881126-188441444-1010"


class Tools:
    """``whoami`` and ``icacls`` of a Windows, which note how they are called."""

    def __init__(self, told: str) -> None:
        self.told = told
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str]) -> str:
        self.commands.append(command)
        return self.told if PureWindowsPath(command[0]).name == "whoami.exe" else ""


@pytest.mark.parametrize(
    "told",
    [
        f'"lab\\backup","{USER}"\r\n',
        f'"nt service\\standfast engine","{USER}"\r\n',
        f'"lab\\o""brien, the ""admin""","{USER}"\r\n',
        f'"lab\\\ufffd\ufffd","{USER}"\r\n',
        f'"lab\\S-1-5-32-545","{USER}"\r\n',
        f"\nUSER INFORMATION\n----------------\n\nUser Name SID\n========= ===\nVM\\root {USER}\n",
    ],
    ids=["plain", "blanks", "quotes and a comma", "bytes of another code page", "a name like a SID", "Wine"],
)
def test_on_windows_a_folder_is_for_its_user_the_system_and_administrators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    monkeypatch.setenv("USERNAME", "somebody")  # the account may have been renamed since the session began
    monkeypatch.setenv("USERDOMAIN", "LAB")
    monkeypatch.setenv("SYSTEMROOT", r"D:\Windows")
    tools = Tools(told)
    restrict_access_list(tmp_path, tools)
    asked, command = tools.commands
    assert asked == [r"D:\Windows\System32\whoami.exe", "/user", "/fo", "csv", "/nh"]
    assert command[:4] == [r"D:\Windows\System32\icacls.exe", str(tmp_path), "/inheritance:r", "/grant:r"]
    assert command[4:] == [f"*{USER}:(OI)(CI)F", "*S-1-5-18:(OI)(CI)F", "*S-1-5-32-544:(OI)(CI)F", "/Q"]


def test_the_system_itself_is_allowed_once(tmp_path: Path) -> None:
    tools = Tools('"nt authority\\system","S-1-5-18"\r\n')
    restrict_access_list(tmp_path, tools)
    assert tools.commands[1][4:] == ["*S-1-5-18:(OI)(CI)F", "*S-1-5-32-544:(OI)(CI)F", "/Q"]


@pytest.mark.parametrize(
    "told", ["", "lab\\backup\r\n", '"lab\\backup","*S-1-1-0"\r\n', '"lab\\backup","S-1-5"\r\n']
)
def test_where_the_user_is_unknown_nothing_is_changed(tmp_path: Path, told: str) -> None:
    tools = Tools(told)
    with pytest.raises(PermissionError, match="whoami"):
        restrict_access_list(tmp_path, tools)
    assert len(tools.commands) == 1


@windows_only("whoami and icacls are its tools")
@wine_lacks("an icacls that does anything")
def test_the_tools_of_windows_understand_us(tmp_path: Path) -> None:
    restrict_access_list(tmp_path)
    shown = subprocess.run(["icacls", str(tmp_path)], capture_output=True, check=True).stdout
    assert shown.count(b"(OI)(CI)(F)") in (2, 3)
    (tmp_path / "mine").write_text("x")
    assert (tmp_path / "mine").read_text() == "x"
