r"""Names of inventory objects and datastore paths, as the wire writes them and as people read them.

vSphere escapes ``%``, ``/`` and ``\`` in the names of its objects as ``%25``, ``%2f`` and ``%5c``.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_FILE_NAME_BYTES = 160
"""Of 255 that a name may have over NFS: hosts add endings such as ``-000001-sesparse.vmdk``, and more to those."""
_NOT_IN_FILES = frozenset('\\/:*?"<>|[]%')
"""What a descriptor, a datastore path or another file system would take for something else."""
_ESCAPED = re.compile(r"%(25|2f|5c)", re.IGNORECASE)
_PLAIN = {"25": "%", "2f": "/", "5c": "\\"}


def escaped(name: str) -> str:
    """Write a display name as vSphere keeps it."""
    return name.replace("%", "%25").replace("/", "%2f").replace("\\", "%5c")


def unescaped(name: str) -> str:
    """Return the name that people see."""
    return _ESCAPED.sub(lambda match: _PLAIN[match.group(1).lower()], name)


def file_name_of(name: str) -> str:
    """Return a VM's display name as its directory and its files can have it, without an ending.

    As hosts do it, with ``_`` for what may not be in a name; one that is too long is cut between two letters.
    """
    safe = "".join("_" if not sign.isprintable() or sign in _NOT_IN_FILES else sign for sign in name)
    cut = safe.strip(" .").encode()[:_FILE_NAME_BYTES].decode(errors="ignore")
    return cut.rstrip(" .") or "vm"


@dataclass(frozen=True, slots=True)
class DatastorePath:
    """``[datastore] directory/file``."""

    datastore: str
    file: str

    @classmethod
    def parse(cls, text: str, known: Iterable[str] = ()) -> "DatastorePath":
        """Split a datastore path.

        Args:
            text: the path.
            known: names of datastores that it may be on. They decide where a name that holds brackets ends;
                without them it ends at the first bracket with a space or nothing behind it.

        Raises:
            ValueError: it is not a datastore path.
        """
        name = max((name for name in known if text.startswith(f"[{name}]")), key=len, default=None)
        if name is None:
            end = _end_of_name(text)
            if end < 0:
                raise ValueError(f"not a datastore path: {text!r}")
            name = text[1:end]
        return cls(name, text[len(name) + 2 :].removeprefix(" "))

    def __str__(self) -> str:
        return f"[{self.datastore}] {self.file}"

    @property
    def directory(self) -> str:
        """The part of ``file`` before its last slash, without it; empty at the datastore's root."""
        return self.file.rpartition("/")[0]

    def sibling(self, name: str) -> "DatastorePath":
        """Return the path of another file in the same directory; an absolute ``name`` stands for itself."""
        if name.startswith("["):
            return DatastorePath.parse(name)
        return DatastorePath(self.datastore, f"{self.directory}/{name}" if self.directory else name)


def _end_of_name(text: str) -> int:
    """Return where the datastore's name ends in a datastore path; negative when the text is none."""
    if not text.startswith("["):
        return -1
    first = text.find("]")
    at = first
    while at >= 0 and text[at + 1 : at + 2] not in {"", " "}:
        at = text.find("]", at + 1)
    return at if at >= 0 else first
