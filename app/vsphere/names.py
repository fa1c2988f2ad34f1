r"""Names of inventory objects and datastore paths, as the wire writes them and as people read them.

vSphere escapes ``%``, ``/`` and ``\`` in the names of its objects as ``%25``, ``%2f`` and ``%5c``.
"""

import re
from dataclasses import dataclass

_ESCAPED = re.compile(r"%(25|2f|5c)", re.IGNORECASE)
_PLAIN = {"25": "%", "2f": "/", "5c": "\\"}
_DATASTORE_PATH = re.compile(r"\[(?P<datastore>[^\]]*)\] ?(?P<file>.*)", re.DOTALL)


def escaped(name: str) -> str:
    """Write a display name as vSphere keeps it."""
    return name.replace("%", "%25").replace("/", "%2f").replace("\\", "%5c")


def unescaped(name: str) -> str:
    """Return the name that people see."""
    return _ESCAPED.sub(lambda match: _PLAIN[match.group(1).lower()], name)


@dataclass(frozen=True, slots=True)
class DatastorePath:
    """``[datastore] directory/file``."""

    datastore: str
    file: str

    @classmethod
    def parse(cls, text: str) -> "DatastorePath":
        """Split a datastore path.

        Raises:
            ValueError: it is not one.
        """
        match = _DATASTORE_PATH.fullmatch(text)
        if match is None:
            raise ValueError(f"not a datastore path: {text!r}")
        return cls(match["datastore"], match["file"])

    def __str__(self) -> str:
        return f"[{self.datastore}] {self.file}"

    @property
    def directory(self) -> str:
        """The part of ``file`` before its last slash, without it; empty at the datastore's root."""
        return self.file.rpartition("/")[0]

    def beside(self, name: str) -> "DatastorePath":
        """Return the path of another file in the same directory; an absolute ``name`` stands for itself."""
        if name.startswith("["):
            return DatastorePath.parse(name)
        return DatastorePath(self.datastore, f"{self.directory}/{name}" if self.directory else name)
