"""Access lists of Windows: who may use a folder and all that is in it.

Accounts are named by their security identifier (SID): names differ by language, may hold blanks or be changed, and
the names in the environment of a service are not those of its account.
"""

import errno
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from typing import Final

from app.core.childprocess import child_flags, decode_output

_SYSTEM: Final = "S-1-5-18"
_ADMINISTRATORS: Final = "S-1-5-32-544"
_SID_AT_END: Final = re.compile(r"(?:^|[\s\",])(S-1-\d+(?:-\d+)+)\"?\s*\Z", re.ASCII)

RunTool = Callable[[list[str]], str]
"""Runs a tool of Windows and returns what it writes; raises OSError when it fails."""


def restrict_access_list(folder: Path, run: RunTool | None = None) -> None:
    """Let only this user, the system and administrators use a folder of Windows and all that is in it.

    Args:
        folder: the folder; new files and folders in it inherit its access list.
        run: runs ``whoami`` and ``icacls``.

    Raises:
        OSError: the system refused, or does not say who this user is.
    """
    run_tool = run or _run_tool
    allowed = dict.fromkeys((_user_sid(folder, run_tool), _SYSTEM, _ADMINISTRATORS))  # the user may be the system
    grants = [f"*{sid}:(OI)(CI)F" for sid in allowed]
    run_tool([_tool("icacls"), str(folder), "/inheritance:r", "/grant:r", *grants, "/Q"])


def _user_sid(folder: Path, run: RunTool) -> str:
    output = run([_tool("whoami"), "/user", "/fo", "csv", "/nh"])
    found = _SID_AT_END.search(output)  # after the name, which may hold anything; Wine knows no CSV
    if found is None:
        raise PermissionError(
            errno.EACCES, "the access list could not be set: whoami does not report the account's SID", str(folder)
        )
    return found[1]


def _tool(name: str) -> str:
    """Return where Windows keeps a tool; its mere name could be a program of the current folder."""
    root = os.environ.get("SYSTEMROOT", r"C:\Windows")
    return str(PureWindowsPath(root, "System32", f"{name}.exe"))


def _run_tool(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, check=False, creationflags=child_flags())  # noqa: S603
    if done.returncode:
        detail = decode_output(done.stderr).strip()
        raise PermissionError(errno.EACCES, detail or "the access list could not be set", command[1])
    return done.stdout.decode("ascii", "replace")
