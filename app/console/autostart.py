"""Starting with the operator's session: a desktop entry on Linux, a Run key on Windows. Thread: any."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.console.errors import FILE_REFUSED, AutostartRefused
from app.core.durable import replace_durably
from app.core.privatefiles import make_private_folders
from app.domain.reasons import reason_of
from app.paths import program_command

_ENTRY = "standfast.desktop"
_RUN_KEY = r"Software\Microsoft\Windows\CurrentVersion\Run"
_VALUE = "Standfast"


def start_command() -> list[str]:
    """Return what starts this program minimized."""
    return program_command("--minimized")


def entry_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the desktop entry that Linux desktops start with the session."""
    config = environment.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(config) / "autostart" / _ENTRY


def entry_text(command: Sequence[str]) -> str:
    """Return the content of the desktop entry."""
    return (
        "[Desktop Entry]\nType=Application\nName=Standfast\nName[zh_CN]=磐备\n"
        f"Exec={' '.join(shlex.quote(part) for part in command)}\n"
        "Terminal=false\nX-GNOME-Autostart-enabled=true\n"
    )


if sys.platform == "win32":
    import subprocess
    import winreg

    def starts_with_system() -> bool:
        """Return whether the program starts with the session.

        Raises:
            AutostartRefused: the registry cannot be read.
        """
        try:
            with winreg.OpenKey(winreg.HKEY_CURRENT_USER, _RUN_KEY) as key:
                winreg.QueryValueEx(key, _VALUE)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise AutostartRefused(detail=reason_of(error)) from error
        return True

    def start_with_system(*, wanted: bool) -> None:
        """Begin or end to start with the session.

        Raises:
            AutostartRefused: the registry cannot be written.
        """
        try:
            with winreg.CreateKey(winreg.HKEY_CURRENT_USER, _RUN_KEY) as key:
                if wanted:
                    words = subprocess.list2cmdline(start_command())
                    winreg.SetValueEx(key, _VALUE, 0, winreg.REG_SZ, words)
                elif starts_with_system():
                    winreg.DeleteValue(key, _VALUE)
        except OSError as error:
            raise AutostartRefused(detail=reason_of(error)) from error

else:

    def starts_with_system() -> bool:
        """Return whether the program starts with the session."""
        return entry_file().is_file()

    def start_with_system(*, wanted: bool) -> None:
        """Begin or end to start with the session.

        Raises:
            AutostartRefused: the desktop entry cannot be written.
        """
        entry = entry_file()
        try:
            if wanted:
                make_private_folders(entry.parent)
                replace_durably(entry, entry_text(start_command()).encode())
            else:
                entry.unlink(missing_ok=True)
        except OSError as error:
            raise AutostartRefused(detail=FILE_REFUSED.fill(path=entry, reason=reason_of(error))) from error
