"""Access lists of Windows: who may use a folder and all that is in it."""

import errno
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from app.core.childprocess import child_flags


def restrict_access_list(folder: Path, run: Callable[[list[str]], None] | None = None) -> None:
    """Let only this user, the system and administrators use a folder of Windows and all that is in it.

    Args:
        folder: the folder; new files and folders in it inherit its access list.
        run: runs the system's ``icacls``.

    Raises:
        OSError: the system refused.
    """
    user = os.environ.get("USERNAME", "")
    domain = os.environ.get("USERDOMAIN", "")
    account = f"{domain}\\{user}" if domain else user
    system, administrators = "*S-1-5-18", "*S-1-5-32-544"  # well-known identifiers, whatever the language
    grants = [f"{who}:(OI)(CI)F" for who in (account, system, administrators)]
    (run or _run_icacls)(["icacls", str(folder), "/inheritance:r", "/grant:r", *grants, "/Q"])


def _run_icacls(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, check=False, creationflags=child_flags())  # noqa: S603
    if done.returncode:
        detail = done.stderr.decode("utf-8", "replace").strip()
        raise PermissionError(errno.EACCES, detail or "the access list could not be set", command[1])
