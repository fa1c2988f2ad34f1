"""Standby machines for a group of users: who may choose which group, and for which folder."""

from pathlib import Path

from app.core.groupfolders import is_open_to_group, open_to_group
from app.domain.errors import StandbyUnavailable
from app.domain.reasons import reason_of
from app.domain.standbys import Standby
from app.engine.errors import GroupRefused, GroupUnknown, KeepsItsRights
from app.engine.standbys.filesystems import find_repositories, known_mark


def check_group(standby: Standby, group: str) -> None:
    """Refuse a group that is not there, and one for a folder that holds backup data for others than it.

    Raises:
        GroupUnknown: this machine has no such group.
        KeepsItsRights: the folder holds backup data, and is not for that group.
        StandbyUnavailable: it cannot be looked at.
    """
    root = Path(standby.root_path)
    is_used = known_mark(root) is not None or next(find_repositories(standby), None) is not None
    try:
        is_open = is_open_to_group(root, group)
    except LookupError as error:
        raise GroupUnknown(group=group) from error
    except FileNotFoundError:  # it is made later
        return
    except OSError as error:
        raise StandbyUnavailable(path=root, detail=reason_of(error)) from error
    if is_used and not is_open:
        raise KeepsItsRights(path=root)


def give_to_group(root: Path, group: str) -> None:
    """Let a group use the root of a standby machine and all that is made there from now on.

    Raises:
        GroupUnknown: this machine has no such group.
        GroupRefused: the system refused; the folder is as it was.
    """
    try:
        open_to_group(root, group)
    except LookupError as error:
        raise GroupUnknown(group=group) from error
    except OSError as error:
        raise GroupRefused(path=root, group=group, detail=reason_of(error)) from error
