"""Folders that a group of users may use together; POSIX only, on Windows the access list decides.

What is made in such a folder afterwards is for the same group: see :mod:`app.core.privatefiles`.
"""

import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

from app.core.privatefiles import GROUP_FOLDER, is_for_group

if sys.platform == "win32":

    def own_groups() -> tuple[str, ...]:
        """Return nothing: the access list decides here."""
        return ()

    def is_open_to_group(folder: Path, group: str) -> bool:
        """Raise, as no group can be chosen here.

        Raises:
            LookupError: always.
        """
        del folder
        raise LookupError(group)

    def open_to_group(folder: Path, group: str) -> None:
        """Raise, as no group can be chosen here.

        Raises:
            LookupError: always.
        """
        del folder
        raise LookupError(group)

else:
    import grp

    def own_groups() -> tuple[str, ...]:
        """Return the names of the groups that this process is in, its main one first."""
        main, names = os.getegid(), []
        for number in (main, *sorted(set(os.getgroups()) - {main})):
            with suppress(KeyError):  # a group without a name, such as in a container
                names.append(grp.getgrgid(number).gr_name)
        return tuple(dict.fromkeys(names))

    def is_open_to_group(folder: Path, group: str) -> bool:
        """Return whether what is made in a folder is for a group.

        Raises:
            LookupError: there is no group of that name.
            OSError: the folder cannot be looked at.
        """
        number = _number(group)
        return folder.stat().st_gid == number and is_for_group(folder)

    def open_to_group(folder: Path, group: str) -> None:
        """Let a group use a folder and what is made in it from now on; what is in it already stays as it is.

        A folder that is for that group already is not touched. An empty one is closed to everyone else. One with
        content of others keeps what they may do.

        Raises:
            LookupError: there is no group of that name.
            OSError: the system refused, or keeps no such rights there; the folder is as it was.
        """
        if is_open_to_group(folder, group):
            return
        before = folder.stat()
        mode = stat.S_IMODE(before.st_mode)
        try:
            os.chown(folder, -1, _number(group))
            folder.chmod(mode | GROUP_FOLDER if any(folder.iterdir()) else GROUP_FOLDER)
            if not is_open_to_group(folder, group):
                raise PermissionError(errno.EPERM, "the rights of a group are not kept there", str(folder))
        except OSError:
            with suppress(OSError):
                os.chown(folder, -1, before.st_gid)
                folder.chmod(mode)
            raise

    def _number(group: str) -> int:
        try:
            return grp.getgrnam(group).gr_gid
        except ValueError as error:  # no name of a group can be like this
            raise LookupError(group) from error
