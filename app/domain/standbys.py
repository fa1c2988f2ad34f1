"""Standby machines (灾备机): where backup data is kept, and the directories on them that hold repositories."""

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import Final

from app.domain.errors import OperationalError
from app.domain.ids import StandbyId
from app.domain.messages import MessageKind

_DRIVE = re.compile(r"[A-Za-z]:")


class TargetPathRefused(OperationalError):
    """A target path does not name a directory below the standby's root."""

    code = "standby.target_path_refused"
    message_template = "{path} is no directory below the standby's root: {reason}."
    hint_template = "Choose a directory with the button beside the field; it has no drive and no .. in it."


class EncryptionMode(Enum):
    """What of the backup data at a standby machine is encrypted. It holds for every repository there."""

    OFF = "off"
    CONTENTS = "contents"
    """Disks and configurations; the names of directories show rules, VM ids and platform addresses."""
    NAMES = "names"
    """Those names too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standby:
    """A registered standby machine: a directory of this machine, local or mounted, and all that is below it."""

    id: StandbyId
    name: str
    root_path: str
    """Absolute path as this machine sees it."""
    note: str = ""
    mark: str | None = None
    """What the file ``.standfast-standby`` in the root said when it was registered; another one there, or none,
    is another disk or a share that is not mounted. None where the root could not be written."""
    encryption: EncryptionMode = EncryptionMode.OFF

    @property
    def is_encrypted(self) -> bool:
        """Return whether repositories that are not encrypted are refused there."""
        return self.encryption is not EncryptionMode.OFF

    @property
    def hides_names(self) -> bool:
        """Return whether repositories whose directories are named after VMs are refused there."""
        return self.encryption is EncryptionMode.NAMES

    @property
    def secret_name(self) -> str:
        """Name in the secret store of what new repositories there are sealed with."""
        return f"standby/{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryPlace:
    """A directory of a standby machine that holds, or should hold, a repository (灾备机目标路径)."""

    standby: Standby
    target_path: str
    """Relative to the root, with forward slashes, as :func:`normal_target_path` gives it; empty is the root."""
    repository_id: str | None = None
    """UUID the repository had when it was first opened: another one there is another repository. None before."""
    is_encrypted: bool = False
    """Whether it was encrypted then: one that is not any more is not the same."""

    @property
    def path(self) -> Path:
        """Where it is stored, as this machine sees it."""
        return target_directory(self.standby, self.target_path)


LEADS_UPWARDS: Final = MessageKind("standby.leads_upwards", "it leads upwards")
NAMES_A_DRIVE: Final = MessageKind("standby.names_a_drive", "it names a drive")
UNPRINTABLE: Final = MessageKind("standby.unprintable", "a name has spaces at its ends or unprintable characters")


def target_directory(standby: Standby, target_path: str) -> Path:
    """Return the folder of a target path, as this machine sees it."""
    return Path(standby.root_path, *PurePosixPath(target_path).parts)


def normal_target_path(text: str) -> str:
    """Bring a target path into the form in which it is kept and compared; ``/`` and ``.`` are the root.

    Raises:
        TargetPathRefused: it leads out of the root, or cannot be a path at all.
    """
    parts = [part for part in text.strip().replace("\\", "/").split("/") if part not in ("", ".")]
    if any(part == ".." for part in parts):
        raise TargetPathRefused(path=text, reason=LEADS_UPWARDS)
    if parts and _DRIVE.fullmatch(parts[0]):
        raise TargetPathRefused(path=text, reason=NAMES_A_DRIVE)
    if any(not part.isprintable() or part != part.strip() for part in parts):
        raise TargetPathRefused(path=text, reason=UNPRINTABLE)
    return "/".join(parts)
