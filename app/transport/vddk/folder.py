"""Examining the folder that the operator named, without loading anything of it."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.domain.errors import OperationalError
from app.domain.messages import Message, MessageKind, Sayable
from app.domain.reasons import reason_of
from app.domain.vddk import VddkLibrary
from app.transport.vddk.binaries import Binary, NoLibrary, read_binary
from app.transport.vddk.layouts import LISTING, NEEDED

NOT_TAKEN: Final = MessageKind("vddk.not_taken", "this engine takes no VDDK")
NOT_ABSOLUTE: Final = MessageKind("vddk.not_absolute", "a whole path is needed")
NO_FOLDER: Final = MessageKind("vddk.no_folder", "there is no such folder")
NOT_FOUND: Final = MessageKind("vddk.not_found", "neither the folder nor its {folder} holds {file}")
UNREADABLE: Final = MessageKind("vddk.unreadable", "it cannot be read ({reason})")
NO_LIBRARY: Final = MessageKind("vddk.no_library", "{file} is no shared library of this system")
OTHER_ARCHITECTURE: Final = MessageKind(
    "vddk.other_architecture", "{file} is for {architecture}, and {needed} is needed"
)
TOO_OLD: Final = MessageKind("vddk.too_old", "it is version {version}, and {needed} or newer is needed")
NO_VERSION: Final = MessageKind("vddk.no_version", "the name of {file} does not say its version")
LACKS: Final = MessageKind("vddk.lacks", "{file} lacks the function {function}")
DOES_NOT_LOAD: Final = MessageKind("vddk.does_not_load", "{file} cannot be loaded")
DOES_NOT_START: Final = MessageKind("vddk.does_not_start", "{file} was loaded and did not start: {reason}")

_ARCHITECTURE: Final = "x86-64"
"""The only one that the library was ever made for, besides x86 in old releases."""
_OLDEST: Final = (6, 5)
_IS_WINDOWS: Final = sys.platform == "win32"
_SUBFOLDERS: Final = ("bin", "lib64", "") if _IS_WINDOWS else ("lib64", "")
_NAME: Final = re.compile(r"libvixDiskLib\.so((?:\.\d+)*)")
_DLL: Final = "vixDiskLib.dll"
_RELEASE: Final = re.compile(r"(\d+)\.(\d+)(?:\.\d+)*")


class VddkUnusable(OperationalError):
    """The folder that was named holds no library that can be used."""

    code = "vddk.unusable"
    message_template = "The VDDK folder {folder} cannot be used: {detail}."
    hint_template = (
        "Name the folder of the unpacked VDDK for this system (64-bit, 6.5 or newer): the one that holds lib64 on "
        "Linux, or bin on Windows. This program does not bring it along."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLibrary:
    """A library that looks right, and what is needed to start it."""

    library: VddkLibrary
    major: int
    minor: int


def examine(folder: str) -> FoundLibrary:
    """Return the library of a folder.

    Raises:
        VddkUnusable: there is none that can be used; the reason is in the message.
    """
    try:
        file = _library_in(Path(folder))
        return _found(folder, file, _binary(file))
    except _NotUsable as reason:
        raise VddkUnusable(folder=folder, detail=reason) from reason
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links that go round in a circle
        raise VddkUnusable(folder=folder, detail=UNREADABLE.fill(reason=reason_of(error))) from error


class _NotUsable(Exception):
    """Why a library cannot be used."""

    def __init__(self, reason: Sayable) -> None:
        super().__init__()
        self._reason = reason.said()

    def said(self) -> Message:
        return self._reason


def _binary(file: Path) -> Binary:
    try:
        binary = read_binary(file)
    except NoLibrary as error:
        raise _NotUsable(NO_LIBRARY.fill(file=file.name)) from error
    if binary.architecture != _ARCHITECTURE:
        wrong = OTHER_ARCHITECTURE.fill(file=file.name, architecture=binary.architecture, needed=_ARCHITECTURE)
        raise _NotUsable(wrong)
    for function in NEEDED:
        if function not in binary.functions:
            raise _NotUsable(LACKS.fill(file=file.name, function=function))
    return binary


def _found(folder: str, file: Path, binary: Binary) -> FoundLibrary:
    version = binary.version or _version(file)
    release = _RELEASE.match(version)
    if release is None:
        raise _NotUsable(NO_VERSION.fill(file=file.name))
    major, minor = int(release[1]), int(release[2])
    if (major, minor) < _OLDEST:
        raise _NotUsable(TOO_OLD.fill(version=version, needed=".".join(map(str, _OLDEST))))
    library = VddkLibrary(
        folder=folder,
        file=str(file),
        version=version,
        architecture=binary.architecture,
        lists_allocated=binary.functions.issuperset(LISTING),
    )
    return FoundLibrary(library=library, major=major, minor=minor)


def _library_in(root: Path) -> Path:
    """Return the file of the library; links are followed, for only the file itself has the whole version."""
    if not root.is_absolute():
        raise _NotUsable(NOT_ABSOLUTE)
    if not root.is_dir():
        raise _NotUsable(NO_FOLDER)
    for name in _SUBFOLDERS:
        folder = root / name
        if _IS_WINDOWS:
            if (folder / _DLL).is_file():
                return folder / _DLL
            continue
        names = [file for file in folder.glob("libvixDiskLib.so*") if _NAME.fullmatch(file.name)]
        found = [file.resolve() for file in names if file.is_file()]
        if found:
            return max(found, key=lambda file: len(file.name))
    wanted = _DLL if _IS_WINDOWS else "libvixDiskLib.so"
    raise _NotUsable(NOT_FOUND.fill(folder=_SUBFOLDERS[0], file=wanted))


def _version(file: Path) -> str:
    """Return the version that the library's name says; a name with one number is taken for its first release."""
    name = _NAME.fullmatch(file.name)
    text = name[1].lstrip(".") if name is not None else ""
    return f"{text}.0" if text.isdecimal() else text
