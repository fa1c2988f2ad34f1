"""Property paths such as ``config.hardware.device["2000"].backing``: parsed, or refused."""

import re
from dataclasses import dataclass
from functools import lru_cache

from pyVmomi import vmodl

_PATH_PART = re.compile(r"""(?:^|\.)(\w+)|\["?([^"\]]*)"?\]""")


@dataclass(frozen=True, slots=True)
class Key:
    """The part of a property path that picks an element of an array: ``["2000"]``."""

    text: str


@lru_cache(maxsize=4096)
def parse_path(path: str) -> tuple[str | Key, ...]:
    """Split a property path such as ``config.hardware.device["2000"].backing``.

    Raises:
        vmodl.query.InvalidProperty: it is not a path.
    """
    parts: list[str | Key] = []
    position = 0
    while position < len(path):
        match = _PATH_PART.match(path, position)
        if match is None:
            raise invalid_property(path)
        name, key = match.groups()
        parts.append(Key(key) if name is None else name)
        position = match.end()
    if not parts or isinstance(parts[0], Key):
        raise invalid_property(path)
    return tuple(parts)


def invalid_property(path: str) -> vmodl.query.InvalidProperty:
    """Return the fault for a property path that does not exist."""
    return vmodl.query.InvalidProperty(msg=f"The property path {path!r} does not exist.", name=path)
